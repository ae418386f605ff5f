"""The fusion page through Streamlit's own test driver, on a map that was made up."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core import recipes
from core.runs.store import RunDir
from tests.made_maps import make_run
from workbench.cli import app as cli

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


def page(**parameters: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "workbench" / "app.py"), default_timeout=60)
    at.query_params.update(parameters)
    at.run()
    at.switch_page(str(ROOT / "pages" / "fusion_attention.py")).run()
    assert not at.exception
    return at


def texts(at: AppTest) -> str:
    return "\n".join(element.value for element in [*at.text, *at.caption, *at.info, *at.header])


def figures(at: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def test_headlines_thumbnails_and_the_chosen_task_large() -> None:
    run = make_run()
    at = page(run=run.name, task="ner")
    said = texts(at)
    assert "Mean weight of each slot, of the trained fusion; mean over 3 languages. " in said
    assert f"Run {run.name}, recipe " in said
    assert "Named entity recognition: ep has the largest mean weight, 0.600 (untrained 0.500" in said
    assert "Knowledge-graph completion: identity has the largest mean weight, 0.750" in said
    assert "0 of 4 outside chance" in said
    assert "4 of 4 outside chance" in said
    assert "inside the range of 3 untrained fusions. Chance alone puts up to 50% of the cells outside." in said
    completion, entities, large = figures(at)
    assert completion["data"][0]["zmax"] == entities["data"][0]["zmax"] == large["data"][0]["zmax"]
    assert [len(f["data"]) for f in (completion, entities, large)] == [2, 2, 3]  # only the large one has numbers
    assert at.header[-1].value == "Named entity recognition"


def test_a_button_draws_its_task_large_and_the_url_says_so() -> None:
    run = make_run()
    at = page(run=run.name, task="ner", languages="Sup", view="difference")
    at.button(key="enlarge_0_kg_completion").click().run()
    assert not at.exception
    assert at.header[-1].value == "Knowledge-graph completion"
    url = {key: at.query_params[key] for key in ("run", "task", "languages", "view", "measure")}
    assert {key: value[0] if isinstance(value, list) else value for key, value in url.items()} == {
        **{"run": run.name, "task": "kg_completion", "languages": "Sup", "view": "difference", "measure": "weight"}
    }
    assert "one language" not in texts(at)
    assert "languages of Sup (seen in adapter training and in fine-tuning)" in texts(at)


@pytest.mark.parametrize(
    ("measure", "languages", "cells"),
    [("weight", "all", 8), ("weight", "Sup", 8), ("contribution", "eo", 8), ("knock_out", "all", 8)],
)
def test_the_table_holds_the_numbers_of_the_command_it_names(
    measure: str, languages: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, sent = make_run(), {}
    monkeypatch.setattr("workbench.exports.menu", lambda key, **given: sent.update({key: given}))
    page(run=run.name, measure=measure, languages=languages)
    said = CliRunner().invoke(cli, sent["all_0"]["command"][1:])
    assert said.exit_code == 0, said.exception
    expected = pd.read_csv(io.StringIO(said.stdout))
    found = pd.read_csv(io.StringIO(sent["all_0"]["table"].to_csv(index=False)))
    pd.testing.assert_frame_equal(found, expected, check_like=True)
    assert len(found) == cells
    assert [shown.path for shown in sent["all_0"]["runs"]] == [run.path]


def test_every_measure_and_view_is_drawn() -> None:
    run = make_run()
    for measure, kind in {"entropy": "scatter", "contribution": "heatmap", "knock_out": "scatter"}.items():
        at = page(run=run.name, measure=measure)
        assert {trace["type"] for trace in figures(at)[0]["data"]} == {kind}
        assert at.selectbox(key="view").options == ["trained"]  # the made-up null is of the weights
    at = page(run=run.name, measure="knock_out", task="ner")
    assert "1 of 2 slots: effect clear of zero" in texts(at)
    for view in ("null", "difference"):
        assert len(figures(page(run=run.name, view=view))) == 3


def test_two_runs_side_by_side_on_one_scale() -> None:
    run, other = make_run(), make_run(null=False, knock_out=False)
    at = page(run=run.name, beside=other.name, task="ner")
    assert [s.value for s in at.header] == [run.name, other.name, "Named entity recognition"]
    drawn = figures(at)
    assert len(drawn) == 6
    assert len({figure["data"][0]["zmax"] for figure in drawn}) == 1
    assert "looked into no untrained fusions" in texts(at)
    at = page(run=run.name, beside=other.name, measure="knock_out")
    assert "No knock_out in this map." in texts(at)
    assert "nothing of this task, measure and languages" in texts(at)


def test_nonsense_in_the_url_is_mended() -> None:
    run = make_run()
    at = page(run=run.name, measure="colour", view="upside", languages="xx", task="sudoku", beside="nobody")
    assert at.selectbox(key="measure").value == "weight"
    assert at.selectbox(key="beside").value == ""
    assert len(figures(at)) == 3


def test_a_run_without_a_map_says_how_to_make_one() -> None:
    bare = RunDir.create(recipes.parse({}, {"title": "no map"}))
    for asked in ({}, {"run": bare.name}):
        at = page(**asked)
        assert "There is no fusion map to show." in at.info[0].value
        assert f"workbench run {bare.config_file} --set evaluation.fusion_map={{}}" in texts(at)
    mapped = make_run()
    assert page().selectbox(key="run").value == mapped.name
    assert page(run=bare.name).selectbox(key="run").value == bare.name


def test_a_damaged_map_is_a_sentence() -> None:
    run = make_run()
    run.fusion_map_file.write_bytes(b"PAR1 and no more")
    assert run.name in texts(page(run=run.name))
    other = make_run()
    at = page(run=other.name, beside=run.name)
    assert len(figures(at)) == 3
    assert "There is no fusion map to show." in at.info[0].value
