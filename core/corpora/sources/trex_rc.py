"""T-REx-RC: T-REx as relation classification, the C2 of the paper (Table 1: 0.97 million pairs, English).

The layout is that of K-Adapter (Wang et al. 2021, Findings of ACL), whose scripts make `trex-rc/{train,dev}.json` and
`relations.json` out of T-REx: P31 and relations with fewer than 50 examples are left out there.
"""

from collections.abc import Collection
from pathlib import Path

import msgspec

from core.corpora.graph import Graph
from core.corpora.rows import RowLog, read_json, require
from core.corpora.sources.fewrel import LANGUAGE, RELATION_NAMES, relation_names
from core.corpora.sources.pairs import Pairs, wikidata_id
from core.corpora.sources.sentences import join_tokens

CARD = """\
T-REx-RC: English sentences of Wikipedia, each with a Wikidata fact that it states (corpus C2 of the paper). Texts are
tokens with spaces between them. An entity is named by the words that most often mention it. A sentence that shows its
object at a second place is left out, because hiding one place would not hide the object; its fact is kept. The split
into train and dev is not used.
"""
_FILES = ("train.json", "dev.json", "test.json")


class _Example(msgspec.Struct):
    """One sentence; token numbers of the ends are inclusive (the released code takes `obj_end` for exclusive)."""

    token: list[str]
    relation: str | int
    subj_start: int
    subj_end: int
    obj_start: int
    obj_end: int
    subj_label: str
    obj_label: str
    docid: str | int | None = None


def read(folder: Path, log: RowLog, languages: Collection[str] | None = None) -> Graph:
    """Read `train.json`, `dev.json` and `test.json`, those of them that are there.

    Args:
        folder: Folder with the files. `relations.json` (P id -> number) is needed where relations are given by number;
            `pid2name.json` of FewRel gives labels.
        log: What becomes of bad examples; they are named by their number in the file, which has one line.
        languages: T-REx-RC has English only.

    Raises:
        DataError: If there is no file, another language is asked for, or, in strict mode, an example is bad.
    """
    source = "T-REx-RC in the layout of K-Adapter"
    pairs = Pairs(Graph("trex-rc", source, "CC BY-SA 4.0 (T-REx)", CARD), languages)
    paths = [folder / name for name in _FILES if (folder / name).exists()] or [folder / _FILES[0]]
    numbered = read_json(folder / "relations.json") if (folder / "relations.json").exists() else {}
    relations = {number: relation for relation, number in numbered.items()}
    if (folder / RELATION_NAMES).exists():
        pairs.graph.relations.update(relation_names(folder / RELATION_NAMES))
    if pairs.wants(LANGUAGE):
        for path in paths:
            decoder = msgspec.json.Decoder(list[msgspec.Raw])
            try:
                rows = decoder.decode(require(path, "T-REx-RC").read_bytes())
            except msgspec.MsgspecError as error:
                log.bad(path, 0, "not a JSON array", detail=f"{error}; nothing of the file was read")
                continue
            for number, row in enumerate(rows, 1):
                if wrong := _add(pairs, row, relations):
                    log.bad(path, 0, "not an example of T-REx-RC", str(row, "utf-8"), f"example {number}: {wrong}")
    return pairs.finished()


def _add(pairs: Pairs, row: msgspec.Raw, relations: dict[int, str]) -> str:
    """Add an example; returns what is wrong with it, or nothing."""
    try:
        example = msgspec.json.decode(row, type=_Example)
    except msgspec.MsgspecError as error:
        return str(error)
    named = relations.get(example.relation) if isinstance(example.relation, int) else example.relation
    relation = wikidata_id(named)
    if relation is None:
        return f"the relation {example.relation!r} is no P id, and relations.json does not say which one it is"
    text, spans = join_tokens(example.token)
    ends = []
    for uri, first, last in (
        (example.subj_label, example.subj_start, example.subj_end),
        (example.obj_label, example.obj_start, example.obj_end),
    ):
        if not 0 <= first <= last < len(spans) or spans[first][0] >= spans[last][1]:
            return f"{uri!r} at the tokens {first} to {last} of {len(spans)}"
        ends.append((wikidata_id(uri), (spans[first][0], spans[last][1])))
    (subject, subject_span), (object_, object_span) = ends
    if subject is None or object_ is None:
        pairs.graph.left_out["facts with a date, a number or nothing at an end"] += 1
        return ""
    pairs.name(subject, LANGUAGE, text[slice(*subject_span)])
    pairs.name(object_, LANGUAGE, text[slice(*object_span)])
    if subject == wikidata_id(str(example.docid)):
        pairs.mention(subject, LANGUAGE, text, *subject_span)
    pairs.state((subject, relation, object_), LANGUAGE, text, *object_span)
    return ""
