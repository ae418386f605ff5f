"""`workbench fusion` on a map of two tasks that was made up, with means worked by hand."""

import io
import json
import re
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from core import recipes
from core.runs.store import RunDir
from tests.made_maps import KNOCK_OUTS, make_run
from workbench.cli import app


@pytest.fixture
def run() -> RunDir:
    return make_run()


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fusion", *map(str, arguments)])


def said(*arguments: object) -> list[dict[str, Any]]:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def shown(*arguments: object) -> str:
    """What people read, with single spaces."""
    done = call(*arguments)
    assert done.exit_code == 0, done.exception
    return "\n".join(re.sub(r" +", " ", line).strip() for line in done.stdout.splitlines())


def refused(*arguments: object) -> str:
    done = call(*arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert isinstance(done.exception, ValueError)
    assert "\n" not in str(done.exception)
    return str(done.exception)


def test_rows_are_layers_and_means_over_languages(run: RunDir) -> None:
    found = said(run.name, "--task", "ner")
    assert [(row["layer"], row["slot"]) for row in found] == [(n, s) for n in (0, 1) for s in ("identity", "ep")]
    ep = found[1]
    assert {key: ep[key] for key in ("run", "task", "measure", "metric", "layer")} == {
        **{"run": run.name, "task": "ner", "measure": "weight", "metric": None, "layer": 0}
    }
    assert (ep["value"], ep["low"], ep["high"]) == pytest.approx((0.5, 0.4, 0.6))  # of 0.1, 0.6, 0.8
    assert (ep["null"], ep["null_low"], ep["null_high"], ep["difference"]) == pytest.approx((0.5, 0.4, 0.75, 0.0))
    assert (ep["languages"], ep["n"], ep["outside"]) == (3, 35, False)
    assert found[3]["value"] == pytest.approx(0.7)  # of 0.3, 0.8, 1.0


def test_rows_are_groups_and_means_over_layers(run: RunDir) -> None:
    found = {(row["group"], row["slot"]): row for row in said(run.name, "--task", "ner", "--by", "group")}
    assert list(found) == [(g, s) for g in ("Sup", "ZS-Un") for s in ("identity", "ep")]  # `eo` is stored first
    assert found["Sup", "ep"]["value"] == pytest.approx(0.8)  # of 0.6, 0.8, 0.8, 1.0
    assert (found["Sup", "ep"]["languages"], found["Sup", "ep"]["n"], found["Sup", "ep"]["outside"]) == (2, 30, True)
    assert found["ZS-Un", "ep"]["value"] == pytest.approx(0.2)
    assert found["ZS-Un", "identity"]["difference"] == pytest.approx(0.3)


def test_rows_are_languages_with_their_group(run: RunDir) -> None:
    found = said(run.name, "--task", "ner", "--by", "language", "--measure", "contribution")
    assert [(r["language"], r["group"]) for r in found if r["slot"] == "ep"] == [
        *(("de", "Sup"), ("fr", "Sup"), ("eo", "ZS-Un"))
    ]
    assert [r["value"] for r in found if r["slot"] == "ep"] == pytest.approx([2.1, 2.7, 0.6])
    assert {(r["null"], r["outside"], r["languages"]) for r in found} == {(None, False, 1)}


def test_filters(run: RunDir) -> None:
    found = said(run.name, "--task", "ner", "--group", "Sup", "--language", "fr")
    assert [r["value"] for r in found if r["slot"] == "ep"] == pytest.approx([0.8, 1.0])
    assert {r["n"] for r in found} == {20}
    assert {r["task"] for r in said(run.name, "--language", "fr")} == {"ner"}  # the only task that has it
    assert [r["task"] for r in said(run.name, "--measure", "entropy")] == ["kg_completion"] * 2 + ["ner"] * 2


def test_knock_outs_are_in_the_main_metric_or_the_one_asked_for(run: RunDir) -> None:
    found = said(run.name, "--measure", "knock_out")
    assert [(r["task"], r["slot"], r["metric"], r["layer"]) for r in found] == [
        (task, slot, KNOCK_OUTS[task][0], None) for task in ("kg_completion", "ner") for slot in ("identity", "ep")
    ]
    ner = found[-1]
    assert (ner["value"], ner["low"], ner["high"]) == pytest.approx((-8 / 3, -8 / 3 - 3, -8 / 3 + 1))
    found = said(run.name, "--measure", "knock_out", "--task", "ner", "--metric", "Precision", "--by", "language")
    assert [r["value"] for r in found if r["slot"] == "ep"] == pytest.approx([-2, -1, -1])
    both = said(run.name, "--measure", "knock_out", "--task", "ner", "--metric", "all")
    assert [(r["metric"], r["slot"]) for r in both] == [(m, s) for s in ("identity", "ep") for m in ("F1", "Precision")]
    assert "--metric all needs --json or --csv." in refused(run.name, "--metric", "all")
    text = shown(run.name, "--measure", "knock_out", "--task", "ner", "--by", "language")
    assert "Named entity recognition: F1, what is gained without the slot, in percentage points\n" in text
    assert "de Sup +1.0 -4.0*\n-2.0 to +2.0 -7.0 to -3.0" in text
    assert "fr Sup +1.0 -2.0*" in text
    assert "* the interval leaves out zero." in text
    assert "all +1.0 -2.7*" in shown(run.name, "--measure", "knock_out", "--task", "ner")


def test_for_people(run: RunDir) -> None:
    """Means of `ep`: 0.6 in named entity recognition, 0.25 in completion; shares are squares of the weights."""
    text = shown(run.name)
    assert (
        "Named entity recognition: ep has the largest mean weight, 0.600 (untrained 0.500, 0.400 to 0.750; +0.100), "
        "and wins 46% of the tokens. Knocking out ep hurts most: F1 -2.7 (-5.7 to -1.7)."
    ) in text  # 2.74 / 6 = 0.457
    assert "Knowledge-graph completion: identity has the largest mean weight, 0.750 (untrained 0.500" in text
    overview = text.index("Mean weight of each slot by task")
    assert text.index("Named entity recognition 0.400 (0.500) 0.600 (0.500)") > overview
    assert text.index("Knowledge-graph completion 0.750* (0.500) 0.250* (0.500)") > overview
    layers = text[text.index("Named entity recognition: mean weight of each slot; mean over languages") :]
    assert "layer identity ep" in layers
    assert "0 0.500 (0.500) 0.500 (0.500)\n1 0.300 (0.500) 0.700 (0.500)" in layers
    assert "outside the range of the 3 untrained fusions, where chance alone puts up to 50% of the cells." in layers
    assert "Mean weight of each slot by task" not in shown(run.name, "--task", "ner")


def test_a_task_that_no_knock_out_hurts() -> None:
    run = make_run()
    better = run.fusion_map().query("task == 'ner'")
    effect = better.measure == "knock_out"
    better.loc[effect, ["value", "low", "high"]] = (0.0, -0.04, 0.04)
    run.add_fusion_map("ner", better)
    text = shown(run.name, "--task", "ner", "--measure", "knock_out")
    assert "46% of the tokens. No knock-out lowers F1.\n" in text
    assert "all 0.0 0.0\n0.0 to 0.0 0.0 to 0.0" in text


def test_side_by_side(run: RunDir) -> None:
    text = shown(run.name, "--task", "ner", "--null", "--by", "group")
    assert "group slot trained interval untrained range difference" in text
    assert "Sup ep 0.800* 0.700 to 0.900 0.500 0.400 to 0.750 +0.300" in text
    assert "ZS-Un identity 0.800* 0.700 to 0.900 0.500 0.250 to 0.600 +0.300" in text
    assert "In brackets" not in text


def test_csv(run: RunDir) -> None:
    done = call(run.name, "--measure", "argmax_share", "--csv")
    frame = pd.read_csv(io.StringIO(done.stdout))
    assert frame.value.tolist() == pytest.approx([row["value"] for row in said(run.name, "--measure", "argmax_share")])
    assert "Name one of --json and --csv." in refused(run.name, "--csv", "--json")


def test_maps_without_null_or_knock_outs() -> None:
    run = make_run(null=False, knock_out=False)
    text = shown(run.name, "--task", "ner")
    assert "ep has the largest mean weight, 0.600, and wins 46% of the tokens.\n" in text
    assert "0 0.500 0.500\n1 0.300 0.700" in text
    assert "looked into no untrained fusions" in text
    assert "evaluation.fusion_map.null_fusions=9" in refused(run.name, "--null")
    message = refused(run.name, "--measure", "knock_out")
    assert "has no knock_out, only entropy, weight, argmax_share, contribution" in message
    assert message.endswith("--set evaluation.fusion_map.knock_out=true")
    assert recipes.parse({}, {"evaluation.fusion_map.knock_out": True}).evaluation.fusion_map is not None


def test_a_run_without_a_map_names_the_field() -> None:
    run = RunDir.create(recipes.parse({}, {"title": "no map"}))
    message = refused(run.name)
    assert f"The run {run.name} has no fusion map" in message
    assert message.endswith("--set evaluation.fusion_map={}")
    assert recipes.parse({}, {"evaluation.fusion_map": {}}).evaluation.fusion_map is not None
    waiting = RunDir.create(recipes.parse({}, {"evaluation.fusion_map": {}}))
    assert refused(waiting.name).endswith("it is made when +Fusion is fine-tuned, and the run's state is queued.")


def test_groups_come_from_results() -> None:
    run = make_run(results=False)
    assert {row["group"] for row in said(run.name, "--by", "language")} == {None}
    for option in (("--by", "group"), ("--group", "Sup")):
        assert f"The run {run.name} has no results: its state is queued." in refused(run.name, *option)


def test_what_is_not_there_is_named(run: RunDir) -> None:
    assert "--task: there is no 'nerd'. There are: kg_completion, ner." in refused(run.name, "--task", "nerd")
    assert "weight, entropy, argmax_share" in refused(run.name, "--measure", "attention")
    assert "--by: there is no 'slot'. There are: layer, group, language." in refused(run.name, "--by", "slot")
    assert "There are: de, eo, fr." in refused(run.name, "--language", "xx")
    assert "There are: Sup, ZS-Un." in refused(run.name, "--group", "ZS-In")
    message = refused(run.name, "--group", "Sup", "--language", "eo")
    assert message == "--language eo leaves nothing of the rest, which has: language de, language fr."
    message = refused(run.name, "--metric", "F1")
    assert message.startswith("--metric: kg_completion has no 'F1'. It has: Hit@1, ")
    assert message.endswith("Choose tasks with --task.")
    assert "These have a null: weight, entropy" in refused(run.name, "--measure", "knock_out", "--null")
    assert "There is no run 'nothing'" in refused("nothing")


def test_help_has_an_example() -> None:
    done = CliRunner().invoke(app, ["fusion", "--help"])
    assert done.exit_code == 0
    assert "workbench fusion " in done.stdout.replace("\n", " ")
