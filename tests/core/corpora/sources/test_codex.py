"""CoDEx: types have labels, most ends of triples get theirs from a merge with X-FACTR."""

import json
from collections import Counter
from pathlib import Path

import pytest

from core.corpora.graph import Graph
from core.corpora.merge import merge
from core.corpora.rows import DataError, RowLog
from core.corpora.sources import codex, xfactr

# shared/data/codex/README.md: types with a label and with a description, and codex-m and codex-s triples with a name for
# both ends in X-FACTR or the types. X-FACTR's `pa` is `ps` here.
LABELS = {"ar": 2174, "de": 2854, "en": 3442, "es": 2919, "ru": 2844, "zh": 2260}
DESCRIPTIONS = {"ar": 621, "de": 2315, "en": 3058, "es": 2030, "ru": 1540, "zh": 886}
BOTH_ENDS_M = {
    **{"en": 44149, "es": 43730, "nl": 43032, "fr": 42729, "ru": 42059, "hu": 39668, "zh": 38611, "he": 36616},
    **{"ko": 34614, "tr": 33022, "ja": 31712, "el": 27964, "vi": 26726, "bn": 14141, "tl": 14118, "mr": 13502},
    **{"sw": 12517, "mg": 11814, "war": 11692, "yo": 11169, "ilo": 10148, "ceb": 8296, "ps": 7024},
}
BOTH_ENDS_S = {"en": 20544, "es": 20445, "ru": 20182, "fr": 20151, "nl": 20042, "zh": 19784, "ja": 17536, "el": 16041}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def put(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    for code, label in (("en", "profession"), ("de", "")):
        texts = {"label": label, "description": f"in {code}", "wiki": ""}
        put(f"types/{code}/types.json", json.dumps({"Q1": texts, "Q2": texts | {"label": f"{code} 2"}}))
        put(f"relations/{code}/relations.json", json.dumps({"P1": texts, "P2": texts}))
    put("triples/codex-s/train.txt", "Q1\tP1\tQ2\n")
    put("triples/codex-s/valid.txt", "Q1\tP1\tQ7\n")
    put("triples/codex-s/test.txt", "")
    put("triples/codex-s/test_negatives.txt", "Q2\tP1\tQ2\n")
    put("triples/codex-m/train.txt", "Q1\tP1\tQ2\nQ8\tP1\tQ7\n")
    put("triples/codex-m/valid.txt", "")
    put("triples/codex-m/test.txt", "Q2\tP1\tQ8\n")
    return tmp_path


def test_types_relations_and_triples(folder: Path) -> None:
    graph = codex.read(folder, RowLog())
    assert graph.labels == {"Q1": {"en": "profession"}, "Q2": {"de": "de 2", "en": "en 2"}}
    assert graph.descriptions["Q1"] == {"de": "in de", "en": "in en"}
    assert graph.kinds == {"Q1": "type", "Q2": "type"}
    assert graph.relations == {"P1": {"en": "profession"}, "P2": {"en": "profession"}}
    union = [("Q1", "P1", "Q2"), ("Q1", "P1", "Q7"), ("Q8", "P1", "Q7"), ("Q2", "P1", "Q8")]
    assert list(graph.facts) == union
    assert list(codex.read(folder, RowLog(), graphs=["codex-m"], splits=["train"]).facts) == [union[0], union[2]]
    assert codex.read(folder, RowLog(), ["de"]).labels == {"Q1": {}, "Q2": {"de": "de 2"}}
    with pytest.raises(DataError, match=r"CoDEx has no language fr\. It has: de, en"):
        codex.read(folder, RowLog(), ["fr"])


def test_ends_without_a_label_wait_for_a_merge(folder: Path, tmp_path: Path) -> None:
    part = codex.read(folder, RowLog()).write(tmp_path / "codex", RowLog())
    assert (part.info.counts["entities"], part.info.counts["triples"]) == (4, 4)
    names = Graph("names", "by hand", "MIT", "Names.", {"Q7": {"fr": "sept"}, "Q3": {"fr": "trois"}})
    merged = merge([part, names.write(tmp_path / "names", RowLog())], tmp_path / "both")
    assert merged.table("entities")["id"].to_pylist() == ["Q1", "Q2", "Q7", "Q3"]
    assert merged.info.counts["triples"] == 2
    assert merged.info.build["left_out"] == {"entities without a label": 1, "facts with an end without a label": 2}


def test_bad_rows(folder: Path) -> None:
    path = folder / "triples" / "codex-m" / "test.txt"
    path.write_bytes(b"Q2\tP1\tQ8\r\nQ2 P1 Q8\r\n")
    with pytest.raises(DataError, match=r"codex-m/test\.txt:2: not 3 columns"):
        codex.read(folder, RowLog())
    assert len(codex.read(folder, RowLog(strict=False)).facts) == 4
    path.unlink()
    with pytest.raises(DataError, match=r"there is no .*codex-m/test\.txt\. There is: train\.txt, valid\.txt"):
        codex.read(folder, RowLog())
    (folder / "types" / "en" / "types.json").write_text('{"Q1":\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"types\.json:2: not JSON"):
        codex.read(folder, RowLog())


def test_the_counts_are_the_readmes(shared_data: Path) -> None:
    source = shared_data / "codex"
    graph = codex.read(source, RowLog())
    assert Counter(code for labels in graph.labels.values() for code in labels) == LABELS
    assert Counter(code for texts in graph.descriptions.values() for code in texts) == DESCRIPTIONS
    assert len(graph.labels) == 3443
    assert sum(len(labels) >= 2 for labels in graph.labels.values()) == 3322
    assert sum(len(labels) == 6 for labels in graph.labels.values()) == 1706
    assert len(graph.relations) == 71
    assert all(len(labels) == 6 for labels in graph.relations.values())
    assert len(graph.facts) == 206_205 + 36_543 - 36_518
    sizes = {
        (name, split): len(codex.read(source, RowLog(), graphs=[name], splits=[split]).facts)
        for name in ("codex-s", "codex-m")
        for split in ("train", "valid", "test")
    }
    assert list(sizes.values()) == [32_888, 1_827, 1_828, 185_584, 10_310, 10_311]
    medium = codex.read(source, RowLog(), graphs=["codex-m"])
    assert len({e for s, _, o in medium.facts for e in (s, o)}) == 17_050
    assert len({r for _, r, _ in medium.facts}) == 51


@pytest.mark.slow
def test_x_factr_names_the_ends(shared_data: Path, tmp_path: Path) -> None:
    """The merged corpora have the triples that the README counts by joining the files."""
    names = xfactr.read(shared_data / "xfactr", RowLog(), odd_names=True).write(tmp_path / "xfactr", RowLog())
    whole = codex.read(shared_data / "codex", RowLog()).write(tmp_path / "codex", RowLog())
    merged = merge([names, whole], tmp_path / "named")
    ids, relations = (merged.table(t)["id"].to_pylist() for t in ("entities", "relations"))
    languages: list[set[str]] = [set() for _ in ids]
    entity, language = (merged.table("labels")[c].to_pylist() for c in ("entity", "language"))
    for row, code in zip(entity, language, strict=True):
        languages[row].add(code)
    triples = [tuple(row.values()) for row in merged.table("triples").to_pylist()]
    for graph, expected in (("codex-m", BOTH_ENDS_M), ("codex-s", BOTH_ENDS_S)):
        facts = codex.read(shared_data / "codex", RowLog(), graphs=[graph]).facts
        kept = [(s, o) for s, r, o, _ in triples if (ids[s], relations[r], ids[o]) in facts]
        ends = Counter(code for s, o in kept for code in languages[s] & languages[o])
        assert {code: ends[code] for code in expected} == expected, graph
