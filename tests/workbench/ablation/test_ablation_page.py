"""The ablation page through Streamlit's own test driver."""

import shutil

import pytest

from core.runs.ablation import ablation
from core.runs.differences import differences
from core.runs.provenance import add_to_provenance
from core.runs.store import RunDir
from tests.workbench.shown import figures, numbers, said, table
from tests.workbench.test_pages import app


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


def test_values_are_those_of_the_command_and_differences_those_of_compare(finished_run):
    add_to_provenance(finished_run, {"budget": {"backbone": 1000, "+EP": 5, "+Fusion": 140}})
    at = app("ablation", protocol="released", baseline="backbone", system="+Fusion", task="entity_alignment")
    expected, shown = ablation([finished_run], protocol="released"), table(at, "seeds")
    assert shown.value.tolist() == expected.value.tolist()
    assert shown.gain.dropna().tolist() == expected.gain[expected.system != "backbone"].dropna().tolist()
    assert len(shown) > 5
    assert shown["authors' log"].notna().any()
    assert dict(zip(shown.system, shown["of backbone"].fillna(-1), strict=True)).items() >= {
        ("backbone", 0),
        ("+Fusion", 14),
    }
    assert set(shown["paper, all adapters"].dropna()) == {0.5}
    (figure,) = figures(at)
    drawn = [value for trace in figure if "error_y" in trace for value in numbers(trace["y"])]
    assert sorted(drawn) == sorted(expected.value)
    assert "+EP 0.50 %, +Fusion 14.00 %. The paper says about 0.5 %" in said(at)
    assert "counts: Hit@k is Hit@(k+1)" in said(at)
    pair = differences([finished_run], "entity_alignment", ("backbone", "+Fusion"), ["Hit@1"], "released")
    found = table(at, "difference")
    assert found[["difference", "low", "high", "p"]].to_numpy().tolist() == (
        pair[["difference", "low", "high", "p"]].to_numpy().tolist()
    )
    assert f"above zero in {(pair.low > 0).sum()} and below zero in {(pair.high < 0).sum()} of {len(pair)}" in said(at)


def test_choices_narrow_what_is_shown_and_stand_in_the_url(finished_run):
    at = app("ablation")
    at.multiselect(key="tasks").set_value(["entity_alignment"]).run()
    at.multiselect(key="systems").set_value(["+Fusion"]).run()
    at.selectbox(key="by").set_value("language").run()
    assert not at.exception
    shown = table(at, "seeds")
    assert set(shown.system) == {"+Fusion"}
    assert shown.task.nunique() == 1
    assert shown.language.is_unique
    assert "No task has two systems here" in said(at)
    assert "entity_alignment" in at.query_params["tasks"]
    assert "+Fusion" in at.query_params["systems"]
    again = app("ablation", **{key: at.query_params[key] for key in ("tasks", "systems", "by", "runs")})
    assert table(again, "seeds").equals(shown)
    beyond = app("ablation", tasks="nonsense", systems="+Nothing", ablation_metric="BLEU", by="family", runs="gone")
    assert len(table(beyond, "seeds")) == len(ablation([finished_run]))


def test_runs_that_do_not_go_together_are_a_sentence_and_missing_outcomes_too(finished_run):
    copy = finished_run.path.with_name("20990101-000000-copy")
    shutil.copytree(finished_run.path, copy)
    at = app("ablation", runs=[finished_run.name, copy.name])
    assert "several have one seed" in said(at)
    assert not at.get("plotly_chart")
    shutil.rmtree(copy / "outcomes")
    at = app("ablation", runs=copy.name)
    assert "These two cannot be compared." in said(at)
    assert "measured no" in said(at)


def test_two_seeds_are_averaged_and_compared_over_seeds(finished_run):
    other = finished_run.path.with_name("20990101-000000-seed1")
    shutil.copytree(finished_run.path, other)
    config = RunDir(other).config
    RunDir(other).config_file.write_text(config.model_copy(update={"seed": config.seed + 1}).to_yaml())
    at = app("ablation", runs=[finished_run.name, other.name])
    assert at.query_params["runs"] == [finished_run.name, other.name]
    assert set(table(at, "seeds").seeds) == {2}
    assert set(table(at, "difference").interval) == {"entities", "seeds"}
    assert "over seeds (t) where" in said(at)
