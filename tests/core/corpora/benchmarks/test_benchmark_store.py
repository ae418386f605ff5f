"""A benchmark folder: whole or absent, checked when opened, and read back as it was written."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import MAIN, REFERENCES, SCHEMAS, BenchmarkData, BenchmarkError, marked
from core.corpora.rows import SIDE_FILE, RowLog


def graph() -> Draft:
    draft = Draft("tiny", "kg_completion", "tests", "MIT", "A tiny benchmark.")
    for language, name in (("en", "Bern"), ("en", "Switzerland"), ("de", "Bern"), ("de", "Schweiz")):
        draft.add("entities", language, name, name, "")
    draft.add("relations", "en", "P36", "capital", "")
    draft.add("triples", "en", "train", 1, 0, 0)
    draft.add("triples", "de", "test", 3, 0, 2)
    draft.add("pairs", "en", "de", "train", 1, 3)
    return draft


def test_what_is_written_is_read(tmp_path: Path) -> None:
    benchmark = graph().write(tmp_path / "b", RowLog())
    assert benchmark.info.counts == {"entities": 4, "relations": 1, "triples": 2, "pairs": 1}
    assert benchmark.languages == ["de", "en"]
    assert benchmark.rows("triples", language="de", split="test").tolist() == [1]
    assert benchmark.rows("triples", language="de", split="train").tolist() == []
    assert benchmark.column("triples", "subject").dtype == np.int32
    assert benchmark.texts("entities", "name")[3] == "Schweiz"
    assert benchmark.records("pairs", target_language="de") == [
        {"source_language": "en", "target_language": "de", "split": "train", "source": 1, "target": 3}
    ]
    assert {(s["table"], s["language"], s["split"]): s["rows"] for s in benchmark.sizes()} == {
        ("entities", "de", ""): 2,
        ("entities", "en", ""): 2,
        ("relations", "en", ""): 1,
        ("triples", "de", "test"): 1,
        ("triples", "en", "train"): 1,
        ("pairs", "en-de", "train"): 1,
    }


def test_the_fingerprint_is_that_of_the_records(tmp_path: Path) -> None:
    first = graph().write(tmp_path / "a", RowLog())
    again = graph()
    again.card = "Another card."
    assert again.write(tmp_path / "b", RowLog()).info.fingerprint == first.info.fingerprint
    other = graph()
    other.add("triples", "de", "test", 2, 0, 3)
    assert other.write(tmp_path / "c", RowLog()).info.fingerprint != first.info.fingerprint


def test_every_task_has_a_main_table_and_its_references_exist() -> None:
    assert set(MAIN) == set(SCHEMAS)
    for task, tables in SCHEMAS.items():
        assert MAIN[task] in tables
        for schema in tables.values():
            assert {REFERENCES[c] for c in schema.names if c in REFERENCES and c != "context"} <= set(tables)


@pytest.mark.parametrize(
    ("table", "row", "message"),
    [
        ("triples", ("en", "test", 4, 0, 0), r"triples.subject refers to rows 1 to 4 of entities, which has 4"),
        ("pairs", ("en", "de", "test", -1, 0), r"pairs.source refers to rows -1 to 1"),
    ],
)
def test_a_row_that_refers_to_none_is_refused_and_leaves_nothing(
    tmp_path: Path, table: str, row: tuple, message: str
) -> None:
    draft = graph()
    draft.add(table, *row)
    with pytest.raises(BenchmarkError, match=message):
        draft.write(tmp_path / "b", RowLog())
    assert list(tmp_path.iterdir()) == []


def test_an_empty_benchmark_and_a_foreign_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="'t' would be empty: it has no sentences"):
        Draft("t", "ner", "", "", "").write(tmp_path / "b", RowLog())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(BenchmarkError, match="is no benchmark: not replaced"):
        graph().write(tmp_path / "mine", RowLog())
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"


def test_bad_rows_are_kept_beside_it(tmp_path: Path) -> None:
    log = RowLog(strict=False)
    log.bad(Path("x.tsv"), 3, "not 3 columns", "a\tb")
    benchmark = graph().write(tmp_path / "b", log)
    assert benchmark.info.build["bad_rows"] == {"not 3 columns": 1}
    assert json.loads((benchmark.path / SIDE_FILE).read_text())["line"] == 3


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"no benchmark in .* workbench benchmark build"):
        BenchmarkData.open(tmp_path / "none")
    path = graph().write(tmp_path / "b", RowLog()).path
    file, manifest = path / "triples.parquet", path / "benchmark.json"
    whole, facts = file.read_bytes(), json.loads(manifest.read_text())
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BenchmarkError, match=r"triples.parquet is damaged"):
        BenchmarkData.open(path).table("triples")
    file.write_bytes(whole)
    with pytest.raises(BenchmarkError, match="has the tables entities, relations, triples, pairs, not 'examples'"):
        BenchmarkData.open(path).table("examples")
    manifest.write_text(json.dumps(facts | {"counts": facts["counts"] | {"triples": 7}}))
    with pytest.raises(BenchmarkError, match="has 2 rows, not 7"):
        BenchmarkData.open(path).table("triples")
    manifest.write_text(json.dumps(facts | {"format_version": 99}))
    with pytest.raises(BenchmarkError, match="has format 99"):
        BenchmarkData.open(path)
    manifest.write_text(json.dumps(facts | {"task": "chess"}))
    with pytest.raises(BenchmarkError, match="task 'chess'"):
        BenchmarkData.open(path)
    manifest.write_text("{")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        BenchmarkData.open(path)
    manifest.write_text(json.dumps(facts))
    file.unlink()
    with pytest.raises(BenchmarkError, match=r"lacks triples.parquet"):
        BenchmarkData.open(path)


def test_markers_go_around_the_mentions_in_the_order_of_the_text() -> None:
    example = {"text": "Bern lies in Switzerland .", "e1_start": 13, "e1_end": 24, "e2_start": 0, "e2_end": 4}
    assert marked(example) == "<e2> Bern </e2> lies in <e1> Switzerland </e1> ."
    assert marked(example, ("[A]", "[/A]", "[B]", "[/B]")) == "[B] Bern [/B] lies in [A] Switzerland [/A] ."
