"""Own files: which rows are good, and what is said of the others."""

from pathlib import Path

import pytest

from core.corpora.rows import DataError
from core.probing import own_files
from core.probing.own_files import read


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


def said(data: own_files.OwnData) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in data.bad]


def test_pairs_with_a_header_and_bad_rows(tmp_path: Path) -> None:
    text = "Source\ttarget\nGermany\tDeutschland\n\nFrance\nFrance\t \nGermany\tDeutschland\n  Spain \tSpanien\r\n"
    data = read(write(tmp_path, "pairs.tsv", text), "entity_alignment")
    assert data.columns == ("source", "target")
    assert data.rows == (("Germany", "Deutschland"), ("Spain", "Spanien"))
    assert said(data) == [
        (4, "not 2 columns (has 1)"),
        (5, "an empty cell (column target needs a text)"),
        (6, "a repeated row (every row once)"),
    ]
    assert data.languages == []


def test_labels_know_their_languages(tmp_path: Path) -> None:
    text = "Q1\ten\tearth\nQ1\tde\tErde\nQ1\tde\tWelt\nQ2\tEnglish\tmoon\nQ2\ten\tmoon\n"
    data = read(write(tmp_path, "labels.txt", text), "entity_alignment")
    assert data.columns == ("entity", "language", "label")
    assert data.languages == ["en", "de"]
    assert said(data) == [
        (3, "a second label in a language (entity 'Q1' has one in de already)"),
        (4, "no language code ('English'; allowed: codes such as en, de or zh)"),
    ]


def test_commas_and_quotes(tmp_path: Path) -> None:
    text = 'subject,relation,object\n"Korea, Republic of",capital,Seoul\nFrance,capital\n"a ""b""",c,d\n'
    data = read(write(tmp_path, "facts.CSV", text), "kg_completion")
    assert data.rows == (("Korea, Republic of", "capital", "Seoul"), ('a "b"', "c", "d"))
    assert said(data) == [(3, "not 3 columns (has 2)")]


def test_bytes_that_are_no_text_are_a_bad_row(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_bytes(b"a\tb\n\xff\tc\n")
    assert [(line, reason.split(" (")[0]) for line, reason in said(read(file, "entity_alignment"))] == [
        (2, "not UTF-8")
    ]


@pytest.mark.parametrize(
    ("text", "task", "message"),
    [
        ("", "entity_alignment", "own.tsv has no good row. Columns: source, target or entity, language, label"),
        ("only one\n", "kg_completion", r"Columns: subject, relation, object.* Line 1: not 3 columns \(has 1\)"),
        ("source\ttarget\n", "entity_alignment", "no good row"),
        ("a\tb\nc\td\ne\tf\ng\th\n", "entity_alignment", "own.tsv has more than 3 rows"),
    ],
)
def test_what_cannot_be_read_is_said(
    text: str, task: own_files.OwnTask, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_files, "MAX_ROWS", 3)
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, "own.tsv", text), task)


def test_large_broken_and_missing_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no CSV"):
        read(write(tmp_path, "own.csv", 'a,"b\nc,d\n'), "entity_alignment")
    with pytest.raises(DataError, match="Cannot read: there is no"):
        read(tmp_path / "nothing.tsv", "entity_alignment")
    monkeypatch.setattr(own_files, "MAX_BYTES", 3)
    with pytest.raises(DataError, match="larger than"):
        read(write(tmp_path, "own.tsv", "aa\tbb\n"), "entity_alignment")


def test_a_cell_has_a_largest_length(tmp_path: Path) -> None:
    data = read(write(tmp_path, "own.tsv", f"a\tb\n{'c' * 1001}\td\n"), "entity_alignment")
    assert said(data) == [(2, "a cell that is too long (source has 1,001 characters; 1,000 are allowed)")]
