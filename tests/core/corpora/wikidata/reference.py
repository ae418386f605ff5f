"""A dump with every trap that real dumps have, and a slow, plain reading of one: `json`, dictionaries, no cleverness."""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from core.corpora.store import Corpus

LANGUAGES = ("de", "en", "fr", "nb", "zh-hans")
BAD_LINES = (
    b'{"type":"item","id":"Q7","labels":{"en":{"language":"en","value":"cut',
    b'{"type":"item","id":"Q8","labels":{"en":{"language":"en","value":"\\ud83d alone"}}},',
    b'{"type":"item","id":"Q9","labels":{"en":{"language":"en","value":"\xff\xfe"}}},',
    b'{"type":"item","id":"X10","labels":{}},',
    b'{"type":"item","id":"Q11","labels":{"en":{"language":"en","value":null}}},',
    b'{"type":"item","id":"Q12","labels":[{"language":"en","value":"a list"}]},',
    b'{"neither":"nor"}',
    b"[1,2,3],",
    b"nonsense",
)


def random_lines(seed: int, items: int) -> list[bytes]:
    """Lines of a dump, without line ends: items (some twice, some redirected), properties, lexemes, bad lines."""
    draw = random.Random(seed)
    lines = [b"["]
    for number in range(1, items + 1):
        lines.append(_line(_item(number, items, draw), draw))
        if draw.random() < 0.1:
            lines.append(_line(_item(draw.randint(1, number), items, draw), draw))
        if draw.random() < 0.05:
            lines.append(
                _line({"entity": f"Q{draw.randint(1, items)}", "redirect": f"Q{draw.randint(1, items)}"}, draw)
            )
        if draw.random() < 0.05:
            lines.append(draw.choice(BAD_LINES))
        if draw.random() < 0.02:
            lines.append(b"  ")
    for property in range(1, 5):
        labels = {c: {"language": c, "value": f"{c} P{property}"} for c in LANGUAGES if draw.random() < 0.6}
        lines.append(_line({"type": "property", "id": f"P{property}", "labels": labels or [], "claims": []}, draw))
    lines += [b'{"type":"lexeme","id":"L1","lemmas":{"en":{"language":"en","value":"go"}},"claims":[]},', b"]"]
    return lines


def _line(entity: dict[str, Any], draw: random.Random) -> bytes:
    text = json.dumps(entity, ensure_ascii=draw.random() < 0.5, separators=draw.choice([(",", ":"), (", ", ": ")]))
    return text.encode() + draw.choice([b",", b",", b"", b" ,", b",\r"])


def _item(number: int, items: int, draw: random.Random) -> dict[str, Any]:
    def texts(word: str) -> dict[str, Any] | list[Any]:
        found = {}
        for code in (*LANGUAGES, "mul", "xx", "no"):
            if draw.random() < 0.6:
                value = draw.choice(
                    [f"{word} {number} {code}", f" {word} {number}\u3000", "ü 🎈 \u2028 日本", "", "  "]
                )
                found[code] = {"language": code, "value": value, "for-language": code}
        return found or []

    aliases = {
        c: [{"language": c, "value": draw.choice(["a", " b ", ""])} for _ in range(2)] for c in ("de", "en", "xx")
    }
    claims = {
        f"P{p}": [_statement(items, draw) for _ in range(draw.randint(0, 4))] for p in draw.sample(range(1, 7), 3)
    }
    item = {"type": "item", "id": f"Q{number}", "labels": texts("name"), "descriptions": texts("what")}
    item |= {"aliases": draw.choice([aliases, []]), "claims": draw.choice([claims, claims, []])}
    item["sitelinks"] = {
        "dewiki": {"site": "dewiki", "title": f"Ding {number}", "badges": []},
        "nowiki": {"title": "N"},
    }
    if draw.random() < 0.7:
        item["lastrevid"] = draw.randint(1, 3)
    return item


def _statement(items: int, draw: random.Random) -> dict[str, Any]:
    number = draw.randint(1, items)
    snak: dict[str, Any] = {"snaktype": draw.choice(["value"] * 8 + ["somevalue", "novalue"]), "property": "P9"}
    if snak["snaktype"] == "value":
        snak["datavalue"] = draw.choice(
            [
                {"type": "wikibase-entityid", "value": {"entity-type": "item", "numeric-id": number}},
                {
                    "type": "wikibase-entityid",
                    "value": {"entity-type": "item", "numeric-id": number, "id": f"Q{number}"},
                },
                {"value": {"entity-type": "item", "id": f"Q{number}"}, "type": "wikibase-entityid"},
                {"type": "wikibase-entityid", "value": {"entity-type": "property", "numeric-id": 3, "id": "P3"}},
                {"type": "wikibase-entityid", "value": {"entity-type": "form", "id": "L3-F1"}},
                {"type": "string", "value": "Q5"},
                {"type": "time", "value": {"time": "+2001-12-31T00:00:00Z", "id": "Q5"}},
            ]
        )
    inner = {"snaktype": "value", "datavalue": {"type": "wikibase-entityid", "value": {"id": "Q1"}}}
    statement = {
        "mainsnak": snak,
        "type": "statement",
        "references": [{"snaks": {"P1": [inner]}}],
        "qualifiers": {"P1": [inner]},
    }
    rank = draw.choice(["normal", "normal", "preferred", "deprecated", None])
    return statement | ({"rank": rank} if rank else {})


def read_plainly(
    lines: Iterable[bytes], ranks: str, mul: str, needed: int, redirects: Sequence[tuple[str, str]] = ()
) -> dict[str, list[Any]]:
    """The tables that a build must give, rows with ids in place of row numbers, sorted."""
    items: dict[str, dict[str, Any]] = {}
    properties: dict[str, dict[str, str]] = {}
    moved = dict(redirects)
    for line in lines:
        text = line.strip().removesuffix(b",").strip()
        if text in (b"", b"[", b"]") or line in BAD_LINES:
            continue
        entity = json.loads(text)
        if "redirect" in entity:
            moved[entity["entity"]] = entity["redirect"]
        elif entity["type"] == "property":
            properties[entity["id"]] = _texts(entity["labels"])
        elif entity["type"] == "item":
            known = items.get(entity["id"])
            if known is None or entity.get("lastrevid", 0) > known.get("lastrevid", 0):
                items[entity["id"]] = entity

    def end_of(id: str) -> str:
        seen = [id]
        while seen[-1] in moved:
            if moved[seen[-1]] in seen:
                return id  # a circle
            seen.append(moved[seen[-1]])
        return seen[-1]

    labels = {id: _labels(item, mul) for id, item in items.items()}
    enough = {id for id in items if len(labels[id]) > needed}
    kept = {id for id in enough if end_of(id) == id}
    triples = set()
    for id in enough:
        claims = items[id]["claims"]
        for property, statements in claims.items() if claims else ():
            for target in _targets(statements, ranks):
                triple = end_of(id), property, end_of(target)
                if {triple[0], triple[2]} <= kept:
                    triples.add(triple)
    relations = {relation for _, relation, _ in triples}
    return {
        "entities": sorted((id, "item", 0) for id in kept),
        "labels": sorted((id, code, text) for id in kept for code, text in labels[id].items()),
        "descriptions": sorted((id, c, t) for id in kept for c, t in _texts(items[id]["descriptions"]).items()),
        "aliases": sorted((id, code, text) for id in kept for code, text in _aliases(items[id]["aliases"])),
        "relations": sorted((relation,) for relation in relations),
        "relation_labels": sorted((r, c, t) for r in relations for c, t in properties.get(r, {}).items()),
        "triples": sorted((s, r, o, 0) for s, r, o in triples),
    }


def _texts(written: Any) -> dict[str, str]:
    found = {code: written[code]["value"].strip() for code in LANGUAGES if code in written}
    return {code: text for code, text in found.items() if text}


def _labels(item: dict[str, Any], mul: str) -> dict[str, str]:
    labels = _texts(item["labels"])
    if mul == "fill" and "mul" in item["labels"] and (text := item["labels"]["mul"]["value"].strip()):
        labels = dict.fromkeys(LANGUAGES, text) | labels
    return labels


def _aliases(written: Any) -> list[tuple[str, str]]:
    pairs = [(c, alias["value"].strip()) for c in LANGUAGES if c in written for alias in written[c]]
    return [pair for pair in pairs if pair[1]]


def _targets(statements: list[dict[str, Any]], rule: str) -> list[str]:
    by_rank = defaultdict(list)
    for statement in statements:
        by_rank[statement.get("rank", "normal")].append(statement["mainsnak"])
    chosen = {
        "all": [*by_rank["preferred"], *by_rank["normal"], *by_rank["deprecated"]],
        "not_deprecated": [*by_rank["preferred"], *by_rank["normal"]],
        "best": by_rank["preferred"] or by_rank["normal"],
    }[rule]
    values = [snak["datavalue"] for snak in chosen if snak["snaktype"] == "value"]
    items = [v["value"] for v in values if v["type"] == "wikibase-entityid" and v["value"]["entity-type"] == "item"]
    return [value.get("id") or f"Q{value['numeric-id']}" for value in items]


def tables_of(corpus: Corpus) -> dict[str, list[Any]]:
    """The tables of a corpus, rows with ids in place of row numbers, sorted."""
    entities, relations = ([r["id"] for r in corpus.table(t).to_pylist()] for t in ("entities", "relations"))
    named = {"entity": entities, "subject": entities, "object": entities, "relation": relations}
    found = {}
    for table in ("entities", "labels", "descriptions", "aliases", "relations", "relation_labels", "triples"):
        rows = corpus.table(table).to_pylist()
        found[table] = sorted(tuple(named[k][v] if k in named else v for k, v in row.items()) for row in rows)
    return found
