"""Own data: every table in both formats, and what is wrong with a row said by file and line."""

import json
from pathlib import Path

import pytest

from core.corpora.graph import Mention, Statement
from core.corpora.rows import DataError, RowLog
from core.corpora.sources import own

TABLES = {
    "labels": ["entity\tlanguage\ttext", "Q1\ten\tone", "Q1\tde\teins", "Q2\ten\ttwo"],
    "aliases": ["text\tentity\tlanguage", "unit\tQ1\ten", "single\tQ1\ten", "unit\tQ1\ten"],
    "descriptions": ["entity\tlanguage\ttext", "Q1\ten\ta number"],
    "pairs": ["language_a\ttext_a\tlanguage_b\ttext_b", "en\tRome\tde\tRom"],
    "triples": ["subject\trelation\tobject", "Q1\tP1\tQ2", "Q1\tP1\tQ2"],
    "relations": ["relation\tlanguage\ttext", "P1\ten\tbefore"],
    "sentences": [
        "entity\tsubject\trelation\tobject\tlanguage\ttext\tstart\tend",
        "Q1\t\t\t\ten\tOne is one.\t0\t3",
        "\tQ1\tP1\tQ2\ten\tOne, two.\t5\t8",
    ],
}
PAIR = "pair/en:Rome/de:Rom"  # an id of its content, so that pairs of two folders can be merged


def put(folder: Path, tables: dict[str, list[str]] = TABLES, suffix: str = "tsv") -> Path:
    """Write tables as TSV, or the same as JSON lines, with spans as numbers and without empty cells."""
    for name, (header, *lines) in tables.items():
        if suffix == "jsonl":
            cells = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
            full = [{k: int(v) if k in ("start", "end") else v for k, v in row.items() if v} for row in cells]
            text = [json.dumps(row) for row in full]
        else:
            text = [header, *lines]
        (folder / f"{name}.{suffix}").write_text("\n".join(text) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("suffix", ["tsv", "jsonl"])
def test_every_table(tmp_path: Path, suffix: str) -> None:
    graph = own.read(put(tmp_path, suffix=suffix), RowLog())
    labels = {"Q1": {"en": "one", "de": "eins"}, "Q2": {"en": "two"}, PAIR: {"en": "Rome", "de": "Rom"}}
    assert graph.labels == labels
    assert graph.aliases == {"Q1": {"en": ["unit", "single"]}}
    assert graph.descriptions == {"Q1": {"en": "a number"}}
    assert graph.relations == {"P1": {"en": "before"}}
    assert list(graph.facts) == [("Q1", "P1", "Q2")]
    assert graph.mentions == [Mention("Q1", "en", "One is one.", 0, 3)]
    assert graph.statements == [Statement(("Q1", "P1", "Q2"), "en", "One, two.", 5, 8)]
    corpus = graph.write(tmp_path / "out", RowLog())
    assert corpus.info.counts["labels"] == 5
    assert (corpus.info.name, corpus.info.source, corpus.info.licence) == ("own", tmp_path.name, "not stated")


def test_both_formats_side_by_side_crlf_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_bytes("\ufeffentity\tlanguage\ttext\r\nQ1\ten\tone\r\n\r\n".encode())
    (tmp_path / "labels.jsonl").write_bytes(b'{"entity": "Q1", "language": "nb", "text": "en", "note": "kept out"}\r\n')
    assert own.read(tmp_path, RowLog()).labels == {"Q1": {"en": "one", "nb": "en"}}


def test_what_the_data_says_of_itself(tmp_path: Path) -> None:
    put(tmp_path)
    about = {"name": "mine", "source": "the lab", "licence": "CC0", "card": "Numbers."}
    (tmp_path / "about.json").write_text(json.dumps(about), encoding="utf-8")
    graph = own.read(tmp_path, RowLog())
    assert {key: getattr(graph, key) for key in about} == about
    for wrong in ({"title": "x"}, {"name": 1}, ["name"]):
        (tmp_path / "about.json").write_text(json.dumps(wrong), encoding="utf-8")
        with pytest.raises(DataError, match=r"about\.json: it may hold name, source, licence, card, each a text"):
            own.read(tmp_path, RowLog())


def test_languages(tmp_path: Path) -> None:
    put(tmp_path)
    graph = own.read(tmp_path, RowLog(), ["de"])
    assert graph.labels == {"Q1": {"de": "eins"}, "Q2": {}, PAIR: {"de": "Rom"}}
    assert graph.build == {"languages": ["de"]}
    assert not graph.mentions
    assert not graph.statements
    assert not any(graph.relations.values())
    assert not any(graph.aliases.values())
    assert not any(graph.descriptions.values())
    with pytest.raises(DataError, match=r"has no language fr\. It has: de, en"):
        own.read(tmp_path, RowLog(), ["fr"])


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("labels", "Q1\ten", "not the columns of the first line"),
        ("labels", "Q1\ten\tuno", "a second label of an entity in a language"),
        ("labels", "Q1\tEnglish\tone", "not a language code"),
        ("labels", "\ten\tone", "an empty column, or one that is no text"),
        ("labels", "Q9\ten\t ", "an empty column, or one that is no text"),
        ("descriptions", "Q1\ten\tanother", "a second description of an entity in a language"),
        ("relations", "P1\ten\tafter", "a second label of a relation in a language"),
        ("pairs", "en\tRome\ten\tRoma", "a pair in one language"),
        ("triples", "Q1\tP1\t", "an empty column, or one that is no text"),
        ("sentences", "Q1\t\t\t\ten\tOne.\t0\t9", "not a span of the text"),
        ("sentences", "Q1\t\t\t\ten\tOne.\t2\t2", "not a span of the text"),
        ("sentences", "Q1\t\t\t\ten\tOne.\t-1\t2", "not a span of the text"),
        ("sentences", "Q1\t\t\t\ten\tOne.\t0\t3.0", "not a span of the text"),
        ("sentences", "Q1\tQ1\tP1\tQ2\ten\tOne.\t0\t3", "neither an entity nor a whole fact"),
        ("sentences", "\tQ1\t\tQ2\ten\tOne.\t0\t3", "neither an entity nor a whole fact"),
        ("sentences", "\t\t\t\ten\tOne.\t0\t3", "neither an entity nor a whole fact"),
    ],
)
def test_bad_rows(tmp_path: Path, name: str, row: str, reason: str) -> None:
    put(tmp_path, TABLES | {name: [*TABLES[name], row]})
    line = len(TABLES[name]) + 1
    with pytest.raises(DataError, match=rf"{name}\.tsv:{line}: {reason}"):
        own.read(tmp_path, RowLog())
    log = RowLog(strict=False)
    good = own.read(tmp_path, log)
    assert log.summary() == {reason: 1}
    assert log.rows[0].line == line
    (tmp_path / "clean").mkdir()
    assert good.labels == own.read(put(tmp_path / "clean"), RowLog()).labels


@pytest.mark.parametrize(
    "row",
    [
        {"entity": 1, "language": "en", "text": "one"},
        {"entity": "Q1", "language": None, "text": "one"},
        {"entity": "Q1", "language": "en"},
    ],
)
def test_bad_json_lines(tmp_path: Path, row: dict) -> None:
    (tmp_path / "labels.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"labels\.jsonl:1: "):
        own.read(tmp_path, RowLog())


@pytest.mark.parametrize("header", ["entity\tlanguage", "entity\tlanguage\tname", "entity\tlanguage\ttext\ttext", ""])
def test_a_first_line_that_names_no_columns(tmp_path: Path, header: str) -> None:
    put(tmp_path, {"labels": [header, "Q1\ten\tone"]})
    with pytest.raises(DataError, match=r"labels\.tsv:1: the first line must name the columns entity, language, text"):
        own.read(tmp_path, RowLog())


def test_a_folder_without_any_table(tmp_path: Path) -> None:
    (tmp_path / "label.tsv").touch()
    with pytest.raises(DataError, match=r"holds none of labels\.tsv, aliases\.tsv, .* nor one of them as \.jsonl"):
        own.read(tmp_path, RowLog())
    with pytest.raises(DataError, match="holds none of"):
        own.read(tmp_path / "absent", RowLog())
