"""Tables over runs, against pandas on the Parquet files."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from core.config import SYSTEMS, RunConfig
from core.runs.store import RunDir, RunError
from core.runs.tables import COLUMNS, finished, group_table, newest_with_results, records, results


@pytest.fixture(scope="module")
def stored(finished_run_path: Path) -> pd.DataFrame:
    return pd.read_parquet(finished_run_path / "results.parquet")


def as_plain(frame: pd.DataFrame, columns: tuple[str, ...] = COLUMNS[1:]) -> pd.DataFrame:
    """Objects and None throughout, so that only the values are compared."""
    plain = frame[list(columns)].astype(object)
    return plain.where(plain.notna(), None).reset_index(drop=True)


def test_without_filters_every_row_comes_back_as_stored(finished_run: RunDir, stored: pd.DataFrame) -> None:
    frame = results([finished_run])
    assert tuple(frame.columns) == COLUMNS
    assert set(frame.run) == {finished_run.name}
    assert len(frame) > 1000
    pd.testing.assert_frame_equal(as_plain(frame), as_plain(stored))


@pytest.mark.parametrize(
    "filters",
    [
        {"task": "entity_alignment"},
        {"system": ["+EP", "backbone"], "mode": "zero-shot"},
        {"group": "ZS-In", "metric": ("MRR",), "protocol": "strict"},
        {"language": ["de", "eo"], "task": None},
        {"metric": "Hit@10", "protocol": ["released", "strict-raw"], "system": "+Fusion"},
    ],
)
def test_filters_choose_what_pandas_chooses(finished_run: RunDir, stored: pd.DataFrame, filters: dict) -> None:
    expected = stored
    for column, wanted in filters.items():
        if wanted is not None:
            expected = expected[expected[column].isin([wanted] if isinstance(wanted, str) else list(wanted))]
    assert 0 < len(expected) < len(stored)
    pd.testing.assert_frame_equal(as_plain(results([finished_run], **filters)), as_plain(expected))


def test_rows_of_groups_and_of_languages(finished_run: RunDir, stored: pd.DataFrame) -> None:
    groups, languages = results([finished_run], by="group"), results([finished_run], by="language")
    assert groups.language.isna().all()
    assert languages.language.notna().all()
    assert len(groups) == stored.language.isna().sum() > 0
    assert len(languages) == stored.language.notna().sum() > 0
    one = results([finished_run], "language", language="fr", metric="MRR", protocol="strict", task="kg_completion")
    assert set(one.language) == {"fr"}
    assert len(one) == 6 + 7  # systems zero-shot and fine-tuned


def test_several_runs_come_in_the_order_given(finished_run: RunDir, stored: pd.DataFrame) -> None:
    other = RunDir(finished_run.path.with_name("20200101-000000-older-000000000000"))
    shutil.copytree(finished_run.path, other.path)
    changed = stored.assign(value=stored.value + 1000.0).iloc[::-1]
    other.write_results(changed)
    for runs in ([finished_run, other], [other, finished_run]):
        frame = results(runs, metric="MRR")
        assert list(dict.fromkeys(frame.run)) == [r.name for r in runs]
        assert (frame.run.ne(frame.run.shift()).sum()) == 2  # in two blocks
        for run, rows in ((finished_run, stored), (other, changed)):
            part = frame[frame.run == run.name]
            pd.testing.assert_frame_equal(as_plain(part), as_plain(rows[rows.metric == "MRR"]))


def test_folders_with_signs_that_a_query_could_take_for_its_own(finished_run: RunDir, stored: pd.DataFrame) -> None:
    """DuckDB takes file names as patterns."""
    for name in ("a*b", "a[1]", "it's", "what?", "ünï"):
        odd = RunDir(finished_run.path.with_name(name))
        shutil.copytree(finished_run.path, odd.path)
        assert len(results([odd])) == len(stored)


def test_a_filter_that_names_no_column_is_refused(finished_run: RunDir) -> None:
    with pytest.raises(ValueError, match=r"No filter colour, systen. There are: task, system, mode"):
        results([finished_run], systen="+EP", colour="red")


def test_filters_that_nothing_passes_are_refused(finished_run: RunDir) -> None:
    with pytest.raises(ValueError, match=rf"Nothing in {finished_run.name} has task kg_completion, language xx"):
        results([finished_run], task="kg_completion", language="xx", metric=None)
    with pytest.raises(ValueError, match="Nothing in"):
        results([finished_run], system=[])
    with pytest.raises(ValueError, match="Nothing in"):
        results([finished_run], task="x'; DROP TABLE results; --")


def test_a_run_without_results_is_named(finished_run: RunDir) -> None:
    queued = RunDir.create(RunConfig(title="queued"))
    with pytest.raises(RunError, match=f"The run {queued.name} has no results: its state is queued"):
        results([finished_run, queued])


def test_no_runs_give_an_empty_frame() -> None:
    assert tuple(results([]).columns) == COLUMNS
    assert results([]).empty


# Tables for people


def test_group_table_has_the_order_of_the_paper(finished_run: RunDir, stored: pd.DataFrame) -> None:
    table = group_table(results([finished_run], by="group", protocol="strict"))
    modes = {"zero-shot": [s for s in SYSTEMS if s != "+Fusion"], "fine-tuned": list(SYSTEMS)}
    order = ("kg_completion", "entity_alignment")
    assert table.index.tolist() == [(t, mode, s) for t in order for mode, systems in modes.items() for s in systems]
    assert table.columns.tolist() == [(g, m) for g in ("Sup", "ZS-In", "ZS-Un") for m in ("Hit@1", "MRR")]
    assert table.index.names == ["task", "mode", "system"]
    assert table.columns.names == ["group", "metric"]
    assert table.shape == (26, 6)
    keys = ["task", "mode", "system", "group", "metric"]
    rows = stored[(stored.protocol == "strict") & stored.language.isna()].set_index(keys)
    cells = 0
    for row in table.index:
        for column in table.columns:
            expected = rows.loc[(*row, *column)]
            assert table.loc[row, column] == (expected.value, expected.low, expected.high)
            cells += 1
    assert cells == 26 * 6


def test_group_table_of_chosen_metrics_and_of_rows_that_do_not_all_exist(finished_run: RunDir) -> None:
    frame = results([finished_run], by="group", protocol="strict", task="entity_alignment", mode="zero-shot")
    hole = frame[~((frame.system == "+EP") & (frame.group == "ZS-Un"))]
    table = group_table(hole, ["MRR", "Hit@10"])
    assert table.columns.tolist() == [(g, m) for g in ("Sup", "ZS-In", "ZS-Un") for m in ("MRR", "Hit@10")]
    assert table.index.get_level_values("system").tolist() == [s for s in SYSTEMS if s != "+Fusion"]
    ep = ("entity_alignment", "zero-shot", "+EP")
    assert table.loc[ep, ("ZS-Un", "MRR")] is None
    assert isinstance(table.loc[ep, ("Sup", "MRR")], tuple)


def test_records_are_plain_json_with_none_where_nothing_is(finished_run: RunDir) -> None:
    frame = results([finished_run], task="entity_alignment", metric="MRR", protocol="strict", system="backbone")
    rows = records(frame)
    text = json.dumps(rows, allow_nan=False)
    assert json.loads(text) == rows
    assert [tuple(r) for r in rows] == [COLUMNS] * len(frame)
    assert [r["language"] for r in rows] == ["de", "fr", "eo", None, None, None] * 2
    assert [r["value"] for r in rows] == frame.value.tolist()
    assert {type(r["n"]) for r in rows} == {int}
    gaps = records(pd.DataFrame({"a": [1.5, float("nan")], "b": ["x", None], "c": [1, 2]}))
    assert gaps == [{"a": 1.5, "b": "x", "c": 1}, {"a": None, "b": None, "c": 2}]


# Which runs


def test_the_newest_live_run_with_results_comes_first(
    finished_run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")
    shipped = RunDir(tmp_path / "cached" / "20990101-000000-shipped-000000000000")
    shutil.copytree(finished_run.path, shipped.path)
    queued = RunDir.create(RunConfig(title="queued"))
    runs = [shipped, queued, finished_run]
    assert shipped.cached
    assert not finished_run.cached
    assert finished(runs) == [shipped, finished_run]
    assert newest_with_results(runs) is finished_run
    assert newest_with_results([queued, shipped]) is shipped
    with pytest.raises(RunError, match="No run has results yet"):
        newest_with_results([queued])
