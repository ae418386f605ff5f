"""Merging: against a slow merge in plain Python, and rule by rule."""

import random
from pathlib import Path

import pytest

from core.corpora import merge as module
from core.corpora.graph import Graph, Mention, Statement
from core.corpora.merge import merge
from core.corpora.records import SPLITS
from core.corpora.rows import RowLog
from core.corpora.splits import assign_splits
from core.corpora.store import SCHEMAS, Corpus, CorpusError

LANGUAGES = ("de", "en", "fr", "ja")


def rows(corpus: Corpus, table: str) -> list[tuple]:
    return [tuple(row.values()) for row in corpus.table(table).to_pylist()]


def by_id(corpus: Corpus) -> dict[str, list[tuple]]:
    """Every table with ids in place of rows."""
    ids, relations = ([row[0] for row in rows(corpus, t)] for t in ("entities", "relations"))
    triples = [(ids[s], relations[r], ids[o]) for s, r, o, _ in rows(corpus, "triples")]
    found = {t: [(ids[e], *rest) for e, *rest in rows(corpus, t)] for t in ("labels", "aliases", "descriptions")}
    found["entities"] = rows(corpus, "entities")
    found["relation_labels"] = [(relations[r], *rest) for r, *rest in rows(corpus, "relation_labels")]
    found["triples"] = [(*t, row[3]) for t, row in zip(triples, rows(corpus, "triples"), strict=True)]
    found["mention_sentences"] = [(ids[e], *rest) for e, *rest in rows(corpus, "mention_sentences")]
    found["triple_sentences"] = [(triples[t], *rest) for t, *rest in rows(corpus, "triple_sentences")]
    return found


def random_part(folder: Path, seed: int, shares: tuple[float, float] = (0.2, 0.2)) -> Corpus:
    """A corpus of entities that other seeds have too, some without a label, with names that clash."""
    chance = random.Random(seed)
    ids = [f"Q{i}" for i in chance.sample(range(60), 40)]
    names = [f"Name {i}" for i in range(30)] + ["STRASSE", "Straße"]

    def texts(share: float) -> dict[str, str]:
        return {c: chance.choice(names) for c in chance.sample(LANGUAGES, 4) if chance.random() < share}

    def fact() -> tuple[str, str, str]:
        return chance.choice(ids), f"P{chance.randrange(6)}", chance.choice(ids)

    graph = Graph(f"part{seed}", f"source {seed}", f"licence {seed}", f"Card {seed}.", keep_unlabelled=True)
    graph.labels = {id: texts(0.4) for id in ids}
    graph.aliases = {id: {c: chance.sample(names, 2) for c in texts(0.3)} for id in ids}
    graph.descriptions = {id: texts(0.2) for id in ids}
    graph.kinds = {id: chance.choice(("entity", "type")) for id in ids}
    graph.relations = {f"P{i}": texts(0.5) for i in range(6)}
    graph.facts = {fact(): None for _ in range(60)}
    graph.mentions = [Mention(chance.choice(ids), "en", f"It is {i}.", 0, 2) for i in range(20)]
    graph.statements = [Statement(fact(), "en", f"It is {i % 9}.", 0, 2) for i in range(20)]
    return graph.write(folder / f"part{seed}", RowLog(), *shares)


def slow_merge(parts: list[Corpus]) -> dict[str, list[tuple]]:
    """The same by dictionaries, splits kept."""
    tables = [by_id(part) for part in parts]
    first: dict[str, dict] = {t: {} for t in ("labels", "descriptions", "relation_labels")}
    for table, known in first.items():
        for part in tables:
            for id, language, text in part[table]:
                known.setdefault((id, language), text)
    labelled = {id for id, _ in first["labels"]}
    order = [id for id in dict.fromkeys(e[0] for part in tables for e in part["entities"]) if id in labelled]
    split = {id: max(e[2] for part in tables for e in part["entities"] if e[0] == id) for id in order}
    kinds = {id: [e[1] for part in tables for e in part["entities"] if e[0] == id] for id in order}
    kind = {id: next((k for k in kinds[id] if k != "entity"), "entity") for id in order}
    aliases: dict[tuple, None] = {}
    for part in tables:
        for id, language, text in [*part["labels"], *part["aliases"]]:
            if id in labelled and first["labels"].get((id, language)) != text:
                aliases[id, language, text] = None
    triples: dict[tuple, int] = {}
    for part in tables:
        for s, r, o, old in part["triples"]:
            if s in labelled and o in labelled:
                triples[s, r, o] = max(triples.get((s, r, o), 0), old, split[s], split[o])
    mentions: dict[tuple, int] = {}
    for part in tables:
        for id, *rest, old in part["mention_sentences"]:
            if id in labelled:
                key = (id, *rest)
                mentions[key] = max(mentions.get(key, 0), old, split[id])
    stated = dict.fromkeys(s for part in tables for s in part["triple_sentences"] if s[0] in triples)
    used = {r for _, r, _ in triples}
    return {
        "entities": [(id, kind[id], split[id]) for id in order],
        "labels": [(*key, text) for key, text in first["labels"].items()],
        "aliases": list(aliases),
        "descriptions": [(*key, text) for key, text in first["descriptions"].items() if key[0] in labelled],
        "relation_labels": [(*key, text) for key, text in first["relation_labels"].items() if key[0] in used],
        "triples": [(*key, value) for key, value in triples.items()],
        "mention_sentences": [(*key, value) for key, value in mentions.items()],
        "triple_sentences": list(stated),
    }


def test_against_a_merge_in_plain_python(tmp_path: Path) -> None:
    parts = [random_part(tmp_path, seed) for seed in range(3)]
    merged, expected = by_id(merge(parts, tmp_path / "out")), slow_merge(parts)
    assert merged["entities"] == expected["entities"]  # in order of appearance
    for table in ("triples", "mention_sentences", "triple_sentences"):
        assert merged[table] == expected[table], table
    position = {row[0]: i for i, row in enumerate(expected["entities"])}
    for table in ("labels", "aliases", "descriptions"):
        by_entity = sorted(expected[table], key=lambda row: position[row[0]])  # stable: else as they appear
        assert merged[table] == by_entity, table
    assert sorted(merged["relation_labels"]) == sorted(expected["relation_labels"])
    assert all(len(found) > 5 for found in merged.values())
    assert {split for *_, split in merged["triples"]} == {0, 1, 2}


def test_what_was_left_out_is_counted(tmp_path: Path) -> None:
    parts = [random_part(tmp_path, seed) for seed in range(2)]
    merged = merge(parts, tmp_path / "out")
    tables, kept = [by_id(part) for part in parts], by_id(merged)
    entities = {e[0] for part in tables for e in part["entities"]}
    facts = {t[:3] for part in tables for t in part["triples"]}
    counts = merged.info.build["left_out"]
    assert counts["entities without a label"] == len(entities) - len(kept["entities"]) > 0
    assert counts["facts with an end without a label"] == len(facts) - len(kept["triples"]) > 0
    named = {e[0] for e in kept["entities"]}
    unnamed = sum(m[0] not in named for part in tables for m in part["mention_sentences"])
    assert counts["mentions of an entity without a label"] == unnamed > 0
    lost = sum(not {s[0][0], s[0][2]} <= named for part in tables for s in part["triple_sentences"])
    assert counts["sentences of a fact with an end without a label"] == lost > 0
    for table, reason in (
        ("relation_labels", "other labels of a relation"),
        ("descriptions", "other descriptions of an entity"),
    ):
        known = {row[:2] for row in kept[table]}
        texts = {row for part in tables for row in part[table] if row[:2] in known}
        assert counts[reason] == len(texts) - len(known) > 0


def test_new_shares_follow_the_rules_of_splits(tmp_path: Path) -> None:
    parts = [random_part(tmp_path, seed) for seed in range(3)]
    merged = by_id(merge(parts, tmp_path / "out", (0.2, 0.3)))
    labels: dict[str, dict[str, str]] = {e[0]: {} for e in merged["entities"]}
    for id, language, text in merged["labels"]:
        labels[id][language] = text
    kinds = {id: kind for id, kind, _ in merged["entities"]}
    expected = {id: SPLITS.index(split) for id, split in assign_splits(labels, kinds, 0.2, 0.3).items()}
    assert {id: split for id, _, split in merged["entities"]} == expected
    for s, _, o, split in merged["triples"]:
        assert split == max(expected[s], expected[o])
    assert all(split == expected[id] for id, *_, split in merged["mention_sentences"])


def test_new_shares_of_entities_whose_names_do_not_clash(tmp_path: Path) -> None:
    graph = Graph("names", "by hand", "MIT", "Names.", {f"Q{i}": {"en": f"name {i}"} for i in range(100)})
    graph.labels["Q200"] = {"en": "NAME 1"}
    part = graph.write(tmp_path / "part", RowLog())
    merged = merge([part], tmp_path / "out", (0.1, 0.2))
    splits = dict(zip(*(merged.table("entities")[c].to_pylist() for c in ("id", "split")), strict=True))
    assert sorted(splits.values()) in (sorted([0] * n + [1] * m + [2] * k) for n, m, k in _near_shares())
    assert splits["Q1"] == splits["Q200"]


def _near_shares() -> list[tuple[int, int, int]]:
    """100 groups at shares of 10 and 20 %, one of them with two entities."""
    return [(71, 10, 20), (70, 11, 20), (70, 10, 21)]


def test_the_first_corpus_with_a_label_gives_it(tmp_path: Path) -> None:
    a = Graph("a", "A", "MIT", "a", {"Q1": {"en": "one"}, "Q2": {}}, kinds={"Q2": "number"}, keep_unlabelled=True)
    b = Graph("b", "B", "CC0", "b", {"Q2": {"en": "two"}, "Q1": {"en": "ONE", "de": "eins"}})
    b.aliases = {"Q1": {"en": ["one", "unit"]}}
    a.facts = {("Q1", "P1", "Q2"): None, ("Q1", "P1", "Q3"): None}
    parts = [a.write(tmp_path / "a", RowLog()), b.write(tmp_path / "b", RowLog())]
    corpus = merge(parts, tmp_path / "ab")
    assert by_id(corpus)["labels"] == [("Q1", "en", "one"), ("Q1", "de", "eins"), ("Q2", "en", "two")]
    assert by_id(corpus)["aliases"] == [("Q1", "en", "ONE"), ("Q1", "en", "unit")]
    assert by_id(corpus)["triples"] == [("Q1", "P1", "Q2", 0)]  # the other corpus named its object
    assert by_id(corpus)["entities"] == [("Q1", "entity", 0), ("Q2", "number", 0)]
    back = merge(parts[::-1], tmp_path / "ba")
    assert by_id(back)["labels"] == [("Q2", "en", "two"), ("Q1", "en", "ONE"), ("Q1", "de", "eins")]
    assert by_id(back)["aliases"] == [("Q1", "en", "one"), ("Q1", "en", "unit")]
    assert corpus.info.name == "a+b"
    assert corpus.info.source == "a: A; b: B"
    assert corpus.info.licence == "a: MIT; b: CC0"
    assert corpus.info.card == "[a]\na\n\n[b]\nb\n"
    assert [p["sha256"] for p in corpus.info.build["parts"]] == [p.info.fingerprint for p in parts]


def test_a_corpus_merged_with_itself_is_itself(tiny_corpus: Corpus, tmp_path: Path) -> None:
    merged = merge([tiny_corpus, tiny_corpus], tmp_path / "out")
    assert merged.info.counts == tiny_corpus.info.counts
    expected, found = by_id(tiny_corpus), by_id(merged)
    assert sum(map(len, expected.values())) > 500
    assert found == expected


def test_the_same_parts_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [random_part(tmp_path, seed) for seed in range(3)]
    for name in ("one", "two"):
        merge(parts, tmp_path / name, (0.1, 0.1))
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert len(files) == len(SCHEMAS) + 1
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
    monkeypatch.setattr(module, "_ROWS", 7)  # many row groups hold the same records
    assert by_id(merge(parts, tmp_path / "three", (0.1, 0.1))) == by_id(Corpus.open(tmp_path / "one"))


def test_a_folder_with_signs_that_patterns_use(tmp_path: Path) -> None:
    folder = tmp_path / "it's [a-z] * {x}"
    part = random_part(folder, 1)
    corpus = merge([part], folder / "out [1]'s")
    assert corpus.info.counts["labels"] == part.info.counts["labels"]


def test_progress_ends_at_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    parts = [random_part(tmp_path, seed) for seed in range(2)]
    merge(parts, tmp_path / "out", progress=lambda *at: seen.append(at))
    total = sum(sum(part.info.counts.values()) for part in parts)
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)
    assert len(seen) > 5


def test_nothing_to_merge(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to merge"):
        merge([], tmp_path / "out")
    part = random_part(tmp_path, 1)
    with pytest.raises(ValueError, match="must sum to less than 1"):
        merge([part], tmp_path / "out", (0.5, 0.6))
    assert [p.name for p in tmp_path.iterdir()] == ["part1"]


def test_nothing_stays_of_a_merge_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = random_part(tmp_path, 1)
    file = part.path / "labels.parquet"
    raw = file.read_bytes()
    for damaged, message in (
        (raw[: len(raw) // 2], r"labels\.parquet is damaged .* Build the corpus again"),
        (
            (part.path / "aliases.parquet").read_bytes(),
            r"labels\.parquet has \d+ rows, not \d+\. Build it again",
        ),
        (raw[:4] + bytes(len(raw) // 3) + raw[4 + len(raw) // 3 :], r"labels\.parquet is damaged"),
        (bytes([*raw[:60], raw[60] ^ 1, *raw[61:]]), r"labels\.parquet is damaged"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(CorpusError, match=message):
            merge([part], tmp_path / "out")
        assert [p.name for p in tmp_path.iterdir()] == ["part1"]
    file.write_bytes(raw)

    def interrupted(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge([part], tmp_path / "out", progress=interrupted)
    assert [p.name for p in tmp_path.iterdir()] == ["part1"]


def test_a_folder_that_is_no_corpus_is_not_replaced(tmp_path: Path) -> None:
    part = random_part(tmp_path, 1)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").touch()
    with pytest.raises(CorpusError, match="exists and is no corpus"):
        merge([part], tmp_path / "thesis")
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]
