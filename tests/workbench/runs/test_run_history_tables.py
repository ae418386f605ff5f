"""Frames about runs, on configs and results made by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import recipes
from core.runs.status import Status
from core.runs.store import RunDir
from workbench.runs import tables as run_tables


def run(folder: Path, name: str, **changes: object) -> RunDir:
    found = RunDir(folder / name)
    found.path.mkdir(parents=True)
    found.config_file.write_text(recipes.parse({}, changes).to_yaml(), encoding="utf-8")
    found.write_status(Status("done", heartbeat=160.0, started=100.0))
    return found


def test_history_counts_shares_and_times(tmp_path: Path) -> None:
    done, stopped = run(tmp_path, "b", title="one", seed=3), run(tmp_path, "a")
    stopped.write_status(replace(stopped.status(), state="stopped", done=1.0, total=4.0, stage="EP", message="by hand"))
    rows = run_tables.history([done, stopped])
    assert tuple(rows.columns) == run_tables.HISTORY
    assert rows.progress.tolist() == [100.0, 25.0]
    assert rows.took.tolist() == ["1 min 00 s", "1 min 00 s"]
    assert rows.stage.tolist() == ["", "EP"]
    assert rows.seed.tolist() == [3, 0]


def test_matching_wants_every_word_and_one_of_the_states(tmp_path: Path) -> None:
    rows = run_tables.history([run(tmp_path, "x-1", title="Demo", seed=3), run(tmp_path, "x-2", title="demo full")])
    assert run_tables.matching(rows, "demo SEED 3").run.tolist() == ["x-1"]
    assert run_tables.matching(rows, "full demo").run.tolist() == ["x-2"]
    assert run_tables.matching(rows, "", ["failed"]).empty
    assert run_tables.matching(rows, "nothing like it").empty
    assert len(run_tables.matching(rows)) == 2


def test_configs_show_only_the_fields_that_differ(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, "a", seed=1),
        run(tmp_path, "b", **{"seed": 2, "adapters.ep.steps": 7, "adapters.large": None}),
    ]
    table = run_tables.configs(runs).set_index("field")
    assert table.loc["seed"].tolist() == ["1", "2"]
    assert table.loc["adapters.ep.steps", "b"] == "7"
    assert table.loc["adapters.large.steps", "b"] == run_tables.ABSENT
    assert not table.index.isin(["recipe", "objective.temperature"]).any()
    every = run_tables.configs(runs, only_differences=False).set_index("field")
    assert every.loc["recipe"].tolist() == ["corrected", "corrected"]
    assert run_tables.configs([runs[0], runs[0]]).empty


def test_twenty_configs_stand_side_by_side(tmp_path: Path) -> None:
    runs = [run(tmp_path, f"r{number:02}", seed=number) for number in range(20)]
    table = run_tables.configs(runs)
    assert table.field.tolist() == ["seed"]
    assert table.iloc[0, 1:].tolist() == [str(number) for number in range(20)]


def test_results_beside_each_other_with_what_later_ones_have_more(tmp_path: Path) -> None:
    runs = [run(tmp_path, "a"), run(tmp_path, "b")]
    values = [
        ("a", "+EP", "ZS-In", 5.0),
        ("a", "backbone", "Sup", 1.0),
        ("b", "backbone", "Sup", 3.5),
        ("b", "+EP", "Sup", 2.0),
    ]
    rows = pd.DataFrame(values, columns=["run", "system", "group", "value"]).assign(
        task="ner", mode="fine-tuned", metric="F1", language=None
    )
    table = run_tables.results_beside(rows, runs)
    assert table[["system", "group"]].to_numpy().tolist() == [["backbone", "Sup"], ["+EP", "Sup"], ["+EP", "ZS-In"]]
    assert table["Δ b"].tolist() == pytest.approx([2.5, np.nan, np.nan], nan_ok=True)
    assert table.a.tolist() == pytest.approx([1.0, np.nan, 5.0], nan_ok=True)


def test_runs_of_one_title_are_told_apart(tmp_path: Path) -> None:
    names = ["20260102-030405-x-1", "20260103-030405-x-2", "20260104-030405-x-3"]
    runs = [
        run(tmp_path, names[0], title="x"),
        run(tmp_path, names[1], title="x"),
        run(tmp_path, names[2], title="x", seed=1),
    ]
    assert list(run_tables.short_names(runs).values()) == [
        "x, seed 0 (0102 0304)",
        "x, seed 0 (0103 0304)",
        "x, seed 1",
    ]


def test_deviations_are_texts(tmp_path: Path) -> None:
    table = run_tables.deviations(run(tmp_path, "a", **{"adapters.ep.steps": 7})).set_index("field")
    assert table.loc["adapters.ep.steps", "this run"] == "7"
