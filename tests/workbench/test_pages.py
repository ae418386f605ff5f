"""Every page through Streamlit's own test driver: on real run folders, on none, and on broken ones."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.runs.store import RunDir

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "pages").glob("*.py"))


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


def app(page: str = "overview", **parameters: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "workbench" / "app.py"), default_timeout=30)
    at.query_params.update(parameters)
    at.run()
    if page != "overview":
        at.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
    assert not at.exception
    return at


def test_there_are_pages():
    assert {page.stem for page in PAGES} >= {"overview", "runs", "fusion_attention", "results", "ablation", "audit"}


@pytest.mark.parametrize("name", [page.stem for page in PAGES])
def test_every_page_opens_without_runs_and_says_what_to_do(name):
    at = app(name)
    assert at.title
    assert "demo" in at.info[0].value


@pytest.mark.parametrize("name", [page.stem for page in PAGES])
def test_every_page_opens_with_a_run(name, finished_run):
    at = app(name)
    text = " ".join(e.value for e in [*at.text, *at.caption, *at.header])
    assert finished_run.name in text


@pytest.mark.parametrize("name", [page.stem for page in PAGES])
def test_every_page_survives_a_damaged_status_and_a_config_of_another_version(name, finished_run):
    other = finished_run.path.with_name("20200101-000000-other")
    other.mkdir()
    (other / "config.yaml").write_text("colour: blue\n")
    finished_run.status_file.write_text("{")
    at = app(name)
    assert at.title
    if name == "runs":
        assert at.warning[0].value.startswith(other.name)
        assert "died" in at.dataframe[0].value.state.tolist()


def test_results_shows_the_stored_numbers(finished_run):
    at = app("results", run=finished_run.name, task="entity_alignment", metric="MRR", protocol="strict-raw")
    stored = finished_run.results()
    rows = stored[(stored.task == "entity_alignment") & (stored.metric == "MRR") & (stored.protocol == "strict-raw")]
    groups = at.dataframe[0].value
    fused = groups[(groups.system == "+Fusion") & (groups["mode"] == "fine-tuned")].iloc[0]
    expected = rows[rows.language.isna() & (rows.system == "+Fusion") & (rows["mode"] == "fine-tuned")]
    assert len(expected) == 3
    for row in expected.itertuples():
        assert fused[row.group] == pytest.approx(row.value)
        assert fused[f"{row.group} interval"] == f"{row.low:.1f} to {row.high:.1f}"
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert {trace["name"] for trace in figure["data"]} == set(rows.system)


def test_results_keeps_its_view_in_the_url_and_mends_a_bad_one(finished_run):
    at = app("results", run=finished_run.name, task="nonsense", metric="Hit@10", protocol="released")
    assert "Hit@10" in at.query_params["metric"]
    assert at.selectbox(key="task").value in ("kg_completion", "entity_alignment")
    at.selectbox(key="metric").set_value("MRR").run()
    assert "MRR" in at.query_params["metric"]


def test_runs_resumes_a_run_that_was_stopped(finished_run, monkeypatch):
    from dataclasses import replace

    finished_run.write_status(replace(finished_run.status(), state="stopped", message="stopped on request"))
    started = []
    monkeypatch.setattr("core.execution.launcher.start", lambda run: started.append(run.name))
    at = app("runs", run=finished_run.name)
    assert "stopped on request" in [t.value for t in at.text]
    at.button(key="resume").click().run()
    assert started == [finished_run.name]


def test_overview_starts_the_demo_and_goes_to_its_page(monkeypatch, tiny_config):
    started = []
    monkeypatch.setattr("core.recipes.named", lambda name, changes=None: tiny_config)
    monkeypatch.setattr("core.execution.launcher.start", lambda run: started.append(run.name))
    at = app()
    at.button(key="demo").click().run()
    assert not at.exception
    assert len(started) == 1
    assert RunDir.open(started[0]).config == tiny_config
    assert at.title[0].value == "Runs"


def test_overview_says_why_the_demo_cannot_start(monkeypatch, tiny_config):
    def fail(run):
        raise OSError("No space left on device")

    monkeypatch.setattr("core.recipes.named", lambda name, changes=None: tiny_config)
    monkeypatch.setattr("core.execution.launcher.start", fail)
    at = app()
    at.button(key="demo").click().run()
    assert at.error[0].value == "The demo could not start."
    assert "No space left on device" in [text.value for text in at.text]
