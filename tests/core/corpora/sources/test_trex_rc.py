import json
from pathlib import Path

import pytest

from core import catalog
from core.corpora.rows import DataError, RowLog
from core.corpora.sources import trex_rc

TOKENS = ["Nora", "Zaïdi", ",", "born", "in", "Bethoncourt", "(", "French", "département", "of", "Doubs", ")."]
EXAMPLE = {
    "docid": "Q3343462",
    "token": TOKENS,
    "relation": "P19",
    "subj_start": 0,
    "subj_end": 1,
    "obj_start": 5,
    "obj_end": 5,
    "subj_label": "Q3343462",
    "obj_label": "Q626203",
}


def write(folder: Path, *examples: object, name: str = "train.json") -> Path:
    (folder / name).write_text(json.dumps(examples), encoding="utf-8")
    return folder


def test_ends_are_inclusive_and_the_pages_own_entity_is_mentioned(tmp_path: Path) -> None:
    graph = catalog.resolve("graph", "trex-rc")(write(tmp_path, EXAMPLE), RowLog(), None)
    (statement,), (mention,) = graph.statements, graph.mentions
    assert statement.text[statement.start : statement.end] == "Bethoncourt"
    assert mention.text[mention.start : mention.end] == "Nora Zaïdi"
    assert statement.fact == ("Q3343462", "P19", "Q626203")
    assert graph.labels == {"Q3343462": {"en": "Nora Zaïdi"}, "Q626203": {"en": "Bethoncourt"}}


def test_relations_by_number_need_relations_json(tmp_path: Path) -> None:
    folder = write(tmp_path, {**EXAMPLE, "relation": 3})
    with pytest.raises(DataError, match=r"train.json: .*example 1: the relation 3"):
        trex_rc.read(folder, RowLog())
    (folder / "relations.json").write_text('{"P17": 0, "P19": 3}', encoding="utf-8")
    (folder / "pid2name.json").write_text('{"P19": ["place of birth", "x"]}', encoding="utf-8")
    graph = trex_rc.read(folder, RowLog())
    assert list(graph.facts) == [("Q3343462", "P19", "Q626203")]
    assert graph.relations["P19"] == {"en": "place of birth"}


def test_both_files_are_read_and_literals_are_counted(tmp_path: Path) -> None:
    date = {**EXAMPLE, "obj_label": "XMLSchema#dateTime"}
    other = {**EXAMPLE, "relation": "P20"}
    graph = trex_rc.read(write(write(tmp_path, EXAMPLE, date), other, EXAMPLE, name="dev.json"), RowLog())
    assert [f[1] for f in graph.facts] == ["P19", "P20"]
    assert graph.left_out == {
        "facts with a date, a number or nothing at an end": 1,
        "repeated pairs of sentence and fact": 1,
    }


@pytest.mark.parametrize(
    "change",
    [{"obj_end": 12}, {"obj_start": -1}, {"obj_start": 6}, {"token": "x"}, {"relation": "born"}, {"obj_label": 3}],
)
def test_bad_examples_are_named_or_counted(tmp_path: Path, change: dict) -> None:
    folder = write(tmp_path, EXAMPLE, EXAMPLE | change)
    with pytest.raises(DataError, match="example 2"):
        trex_rc.read(folder, RowLog())
    log = RowLog(strict=False)
    assert len(trex_rc.read(folder, log).statements) == 1
    assert log.summary() == {"not an example of T-REx-RC": 1}


def test_cut_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"T-REx-RC: there is no .*train.json"):
        trex_rc.read(tmp_path, RowLog())
    (tmp_path / "train.json").write_text('[{"token": ', encoding="utf-8")
    with pytest.raises(DataError, match="not a JSON array"):
        trex_rc.read(tmp_path, RowLog())
    with pytest.raises(DataError, match="no language de"):
        trex_rc.read(write(tmp_path, EXAMPLE), RowLog(), ["de"])
