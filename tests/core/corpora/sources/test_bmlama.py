"""BMLAMA: row k of every language is one fact; entities and relations are named by their English words."""

from pathlib import Path

import pytest

from core.corpora.rows import DataError, RowLog
from core.corpora.sources import bmlama

ENGLISH = [
    ("The capital of Georgia is <mask>.", "Tbilisi", "Rome, Tbilisi", "Georgia"),
    ("The capital of United Kingdom is <mask>.", "London", "London, Rome", "United Kingdom"),
    ("Georgia shares border with <mask>.", "Armenia", "Armenia, Rome", "Georgia"),
    ("Georgia shares border with <mask>.", "Florida", "Florida, Rome", "Georgia"),
    ("Michelangelo died in <mask>.", "Rome", "Tbilisi, Rome", "Michelangelo"),
]
GERMAN = [
    ("Die Hauptstadt von Georgien ist <mask>.", "Tiflis", "Rom, Tiflis", "Georgien"),
    ("Die Hauptstadt des Vereinigten Königreichs ist <mask>.", "London", "London, Rom", "Vereinigtes Königreich"),
    ("Georgien teilt eine Grenze mit <mask>.", "Armenien", "Armenien, Rom", "Georgien"),
    ("Georgia teilt eine Grenze mit <mask>.", "Florida", "Florida, Rom", "Georgia"),
    ("Michelangelo starb in <mask>.", "Rom", "Tiflis, Rom", "Michelangelo"),
]


def put(folder: Path, language: str, rows: list[tuple], header: str = "Prompt\tAns\tCandidate Ans\tSubject") -> Path:
    path = folder / "BMLAMA53" / f"{language}.tsv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("".join(f"{line}\r\n" for line in [header, *("\t".join(r) for r in rows)]).encode())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, "en", ENGLISH)
    put(tmp_path, "de", GERMAN)
    return tmp_path


def test_facts_and_names(folder: Path) -> None:
    graph = bmlama.read(folder, RowLog())
    assert list(graph.facts) == [
        ("bmlama/Georgia", "bmlama/The capital of is", "bmlama/Tbilisi"),
        ("bmlama/United Kingdom", "bmlama/The capital of is", "bmlama/London"),
        ("bmlama/Georgia", "bmlama/shares border with", "bmlama/Armenia"),
        ("bmlama/Georgia", "bmlama/shares border with", "bmlama/Florida"),
        ("bmlama/Michelangelo", "bmlama/died in", "bmlama/Rome"),
    ]
    assert graph.labels["bmlama/Georgia"] == {"de": "Georgien", "en": "Georgia"}
    assert graph.aliases == {"bmlama/Georgia": {"de": ["Georgia"]}}
    assert graph.labels["bmlama/Rome"] == {"de": "Rom", "en": "Rome"}
    assert graph.relations == {
        "bmlama/The capital of is": {"de": "Die Hauptstadt von ist", "en": "The capital of is"},
        "bmlama/shares border with": {"de": "teilt eine Grenze mit", "en": "shares border with"},
        "bmlama/died in": {"de": "starb in", "en": "died in"},
    }


def test_ids_are_english_in_any_language(folder: Path) -> None:
    every, german = bmlama.read(folder, RowLog()), bmlama.read(folder, RowLog(), ["de"])
    assert german.facts == every.facts
    assert german.labels["bmlama/Rome"] == {"de": "Rom"}
    with pytest.raises(DataError, match=r"BMLAMA has no language fr\. It has: de, en"):
        bmlama.read(folder, RowLog(), ["fr"])
    (folder / "BMLAMA53" / "en.tsv").unlink()
    with pytest.raises(DataError, match=r"there is no .*en\.tsv\. There is: de\.tsv"):
        bmlama.read(folder, RowLog(), ["de"])


def test_a_bad_row_does_not_move_the_others(folder: Path) -> None:
    put(folder, "de", [GERMAN[0], ("x",), *GERMAN[2:]])
    with pytest.raises(DataError, match=r"de\.tsv:3: not 4 columns \(has 1\)"):
        bmlama.read(folder, RowLog())
    log = RowLog(strict=False)
    graph = bmlama.read(folder, log)
    assert log.counts["not 4 columns"] == 1
    assert graph.labels["bmlama/Armenia"] == {"de": "Armenien", "en": "Armenia"}
    assert graph.labels["bmlama/United Kingdom"] == {"en": "United Kingdom"}


@pytest.mark.parametrize("rows", [GERMAN[:4], [*GERMAN, GERMAN[0]], []])
def test_another_number_of_rows_is_not_the_same_facts(folder: Path, rows: list[tuple]) -> None:
    put(folder, "de", rows)
    with pytest.raises(DataError, match=rf"de\.tsv: not as many rows as in English \(has {len(rows)}, English 5\)"):
        bmlama.read(folder, RowLog())
    log = RowLog(strict=False)
    assert len(bmlama.read(folder, log).facts) == 5
    assert log.counts["not as many rows as in English"] == 1


def test_another_number_of_candidates_is_another_fact(folder: Path) -> None:
    put(folder, "de", [(*GERMAN[0][:2], "Rom, Tiflis, Ulm", "Georgien"), *GERMAN[1:]])
    with pytest.raises(DataError, match=r"de\.tsv:2: not the row of the English file"):
        bmlama.read(folder, RowLog())


def test_an_english_prompt_without_its_subject(folder: Path) -> None:
    put(folder, "en", [*ENGLISH[:4], ("He died in <mask>.", "Rome", "Tbilisi, Rome", "Michelangelo")])
    with pytest.raises(DataError, match=r"en\.tsv:6: no subject or no <mask> in the prompt \(subject Michelangelo\)"):
        bmlama.read(folder, RowLog())
    assert len(bmlama.read(folder, RowLog(strict=False)).facts) == 4


@pytest.mark.parametrize(
    "header", ["Prompt\tAns", "", "Michelangelo died in <mask>.\tRome\tVenice, Rome\tMichelangelo"]
)
def test_a_wrong_header(folder: Path, header: str) -> None:
    put(folder, "de", GERMAN, header)
    with pytest.raises(DataError, match=r"de\.tsv:1: the header must be \['Prompt', 'Ans'"):
        bmlama.read(folder, RowLog())


def test_the_counts_are_the_readmes(shared_data: Path) -> None:
    graph = bmlama.read(shared_data / "bmlama", RowLog())
    assert len(graph.facts) == 3_070
    assert len({s for s, _, _ in graph.facts}) == 696
    assert len({o for _, _, o in graph.facts}) == 451
    assert len(graph.labels) == 813
    assert all(len(labels) == 10 for labels in graph.labels.values())
    assert len(graph.relations) == 27
    assert all(len(labels) == 10 for labels in graph.relations.values())
    counts = {"maintains diplomatic relations with": 966, "and are twin cities": 804, "shares border with": 423}
    counts |= {"The official language of is": 298, "is the capital of": 155, "is located in": 135}
    counts |= {"The capital of is": 107}
    found = {relation: sum(r == f"bmlama/{relation}" for _, r, _ in graph.facts) for relation in counts}
    assert found == counts
    assert set(graph.aliases) == {"bmlama/Georgia", "bmlama/Ireland"}
    assert graph.relations["bmlama/The capital of is"]["de"] == "Die Hauptstadt von ist"
    equal = sum(graph.labels[s]["fa"] == graph.labels[s]["en"] for s, _, _ in graph.facts)
    assert equal == 0  # the source's Persian names are all in Arabic script
