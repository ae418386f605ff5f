"""Figure 5 from stored results: expected values by hand."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from core import recipes
from core.runs.ablation import COLUMNS, ablation, budget
from core.runs.store import RunDir, RunError

RELX = "relation_classification"
BUDGET = {"backbone": 1000, "+EP": 5, "+Fusion": 140}


def make_run(
    values: Mapping[tuple[str, str], float], seed: int = 0, stored: dict[str, int] | None = None, **changes: Any
) -> RunDir:
    """A run with (task, system) -> value in both groups, strict; released and best-test are 10 and 20 more."""
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    run, rows = RunDir.create(recipes.parse({"seed": seed, "title": "ablation"}, fields)), []
    for (task, system), value in values.items():
        ranked = task != RELX
        more = {"released": 10} if ranked else {"best-test": 20}
        for metric in ("Hit@1", "MRR") if ranked else ("F1", "Accuracy"):
            for protocol, plus in ({"strict": 0} | more).items():
                for language, group in (("de", "Sup"), ("eo", "ZS-Un"), (None, "ZS-Un"), (None, "Sup")):
                    row = {"task": task, "dataset": "made up", "system": system, "mode": "fine-tuned"}
                    row |= {"language": language, "group": group, "metric": metric, "protocol": protocol, "n": 9}
                    place = value + plus + (metric in ("MRR", "Accuracy"))
                    rows.append(row | {"value": place, "low": place - 1, "high": place + 2})
    run.write_results(pd.DataFrame(rows))
    if stored:
        run.provenance_file.write_text(json.dumps({"budget": stored}), encoding="utf-8")
    return run


def cell(frame: pd.DataFrame, task: str, system: str, group: str = "Sup") -> pd.Series:
    (found,) = frame.index[(frame.task == task) & (frame.system == system) & (frame.group == group)]
    return frame.loc[found]


def test_one_run_has_its_stored_values_and_gains() -> None:
    run = make_run({(RELX, "+EP"): 61.0, (RELX, "backbone"): 60.0}, stored=BUDGET)
    frame = ablation([run], tasks=[RELX])
    assert tuple(frame.columns) == COLUMNS
    assert frame.system.tolist() == ["backbone"] * 2 + ["+EP"] * 2  # in the order of the paper, Sup before ZS-Un
    assert frame.group.tolist() == ["Sup", "ZS-Un"] * 2
    one = cell(frame, RELX, "+EP")
    assert (one.metric, one.protocol, one.value, one.low, one.high, one.gain) == ("F1", "strict", 61, 60, 63, 1)
    assert (one.interval, one.seeds, one.n, one.runs) == ("entities", 1, 9, run.name)
    assert math.isnan(one.sd)
    assert (one.parameters, one.share) == (5, pytest.approx(0.5))
    plain = cell(frame, RELX, "backbone")
    assert (plain.parameters, plain.share, plain.gain) == (0, 0, 0)


def test_tasks_take_their_metric_and_what_stands_for_the_protocol() -> None:
    values = {("entity_alignment", "+EP"): 50.0, ("kg_completion", "+EP"): 40.0, (RELX, "+EP"): 60.0}
    run = make_run(values)
    released = ablation([run], protocol="released")
    assert released.task.tolist() == ["kg_completion"] * 2 + ["entity_alignment"] * 2 + [RELX] * 2
    found = {r.task: (r.metric, r.protocol, r.value) for r in released.itertuples()}
    assert found == {
        "kg_completion": ("Hit@1", "released", 50),
        "entity_alignment": ("Hit@1", "released", 60),
        RELX: ("F1", "best-test", 80),
    }
    assert released.gain.isna().all()  # nothing to compare with
    assert released.parameters.isna().all()
    assert set(ablation([run], metric="MRR").task) == {"kg_completion", "entity_alignment"}
    by_language = ablation([run], by="language", tasks=[RELX])
    assert by_language.language.tolist() == ["de", "eo"]


def test_seeds_are_averaged_with_a_t_interval() -> None:
    pairs = ((0, 10.0, 50.0), (1, 20.0, 52.0), (2, 60.0, 57.0))
    runs = [make_run({(RELX, "+EP"): a, (RELX, "backbone"): b}, seed) for seed, a, b in pairs]
    one = cell(ablation(runs), RELX, "+EP")
    reach = 4.302652729911275 * 7**0.5 * 10 / 3**0.5  # t with 2 degrees of freedom; sd of 10, 20, 60 is 10 sqrt(7)
    assert (one.value, one.low, one.high) == pytest.approx((30, 30 - reach, 30 + reach))
    assert (one.sd, one.gain) == pytest.approx((10 * 7**0.5, 30 - 53))
    assert (one.interval, one.seeds, one.runs) == ("seeds", 3, ", ".join(run.name for run in runs))


def test_runs_of_other_tasks_and_systems_go_together() -> None:
    first = make_run({("kg_completion", "+EP"): 40.0}, tasks__entity_alignment=None)
    second = make_run({("entity_alignment", "+EP"): 50.0}, tasks__kg_completion=None)
    third = make_run({("kg_completion", "+Fusion"): 45.0}, tasks__entity_alignment=None, objective__temperature=0.3)
    frame = ablation([first, second, third])
    assert [(r.task, r.system) for r in frame.itertuples()][::2] == [
        ("kg_completion", "+EP"),
        ("kg_completion", "+Fusion"),
        ("entity_alignment", "+EP"),
    ]
    other_tasks = make_run({("kg_completion", "+EP"): 44.0}, seed=1)  # it has alignment too, which changes nothing here
    assert cell(ablation([first, other_tasks]), "kg_completion", "+EP").value == 42


def test_what_cannot_stand_in_one_cell_is_refused() -> None:
    first = make_run({(RELX, "+EP"): 1.0})
    hot = make_run({(RELX, "+EP"): 1.0}, seed=1, objective__temperature=0.3)
    with pytest.raises(ValueError, match=rf"{first.name}, {hot.name} all have \+EP on {RELX} and differ in more than"):
        ablation([first, hot])
    again = make_run({(RELX, "+EP"): 1.0})
    with pytest.raises(ValueError, match="several have one seed"):
        ablation([first, again])
    with pytest.raises(ValueError, match=r"Nothing in .* has EM under strict, fine-tuned"):
        ablation([first], metric="EM")
    with pytest.raises(ValueError, match=r"Nothing in .* has mode fine-tuned, system \['\+TP'\]"):
        ablation([first], systems=["+TP"])
    with pytest.raises(RunError, match="has no results"):
        ablation([RunDir.create(recipes.parse({}))])


def test_budgets_of_runs() -> None:
    values = {(RELX, "+EP"): 1.0}
    first, second = (make_run(values, seed, BUDGET) for seed in (0, 1))
    other = make_run(values, 2, {"backbone": 2000, "+EP": 20}, backbone__source="xlm-roberta-base")
    frame = budget([first, second, other, make_run(values, 3)])
    rows = frame[["backbone", "system", "parameters", "share"]].to_numpy().tolist()
    assert rows == [
        ["embedded", "+EP", 5, pytest.approx(0.5)],
        ["xlm-roberta-base", "+EP", 20, pytest.approx(1.0)],
        ["embedded", "+Fusion", 140, pytest.approx(14.0)],
    ]
    assert frame.runs[0] == f"{first.name}, {second.name}"
    assert budget([make_run(values, 4)]).empty


def test_the_finished_run(finished_run: RunDir) -> None:
    """Every value is one of the stored ones."""
    frame, stored = ablation([finished_run], protocol="released"), finished_run.results()
    assert len(frame) > 5
    groups = stored[stored.language.isna() & (stored.protocol == "released") & (stored.metric == "Hit@1")]
    keys = ["task", "system", "mode", "group"]
    both = frame.merge(groups, on=keys, suffixes=("", "_stored"))
    assert len(both) == len(frame) == (groups["mode"] == "fine-tuned").sum()
    assert (both.value == both.value_stored).all()
