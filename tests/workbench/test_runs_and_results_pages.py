"""The runs, results and overview pages under Streamlit's test driver, on copies of a real run and on broken ones."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.execution.queue import Queue
from core.runs.store import RunDir
from tests.workbench.many_runs import make
from tests.workbench.shown import figures, said, table
from workbench.overview import hardware, stage_picture
from workbench.overview import tables as overview_tables

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


def app(page: str, **parameters: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(ROOT / "workbench" / "app.py"), default_timeout=60)
    at.query_params.update(parameters)
    at.run()
    if page != "overview":
        at.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
    assert not at.exception, at.exception[0].message
    return at


@pytest.fixture
def many(finished_run: RunDir) -> list[RunDir]:
    """Twenty copies of the finished run beside it, each with a seed of its own."""
    return make(finished_run.path.parent, 20, finished_run)


def test_twenty_runs_side_by_side(many):
    names = [run.name for run in many]
    at = app("runs", run=names[0], look="Compare runs", others=names[1:])
    assert "20 runs side by side" in said(at)
    configs = table(at, "field")
    assert configs.set_index("field").loc["seed"].tolist() == [str(number) for number in range(20)]
    results = table(at, f"Δ {names[1]}")
    assert (results[f"Δ {names[19]}"].dropna() == 0).all()
    assert len(results) > 5
    assert any(len({trace["name"] for trace in figure if "name" in trace}) == 20 for figure in figures(at))


def test_history_is_filtered_by_words_and_state(many):
    at = app("runs", find="COPY 00000000000e seed", states=["failed"])
    assert set(table(at, "last words").title) == {"copy 14"}
    assert set(table(at, "last words").state) == {"failed"}


def test_a_run_deleted_under_an_open_page_gives_a_sentence(many):
    for page in ("runs", "results"):
        gone, left = many.pop(), many[0]
        at = app(page, run=gone.name)
        assert at.selectbox(key="run").value == gone.name
        shutil.rmtree(gone.path)
        at.run()
        assert not at.exception
        assert at.selectbox(key="run").value != gone.name
        assert left.path.exists()
        assert any("is not here" in warning.value for warning in at.warning)


def test_a_run_is_archived_and_run_again(many, monkeypatch):
    monkeypatch.setattr(Queue, "wake", lambda self: None)
    failed = next(run for run in many if run.status().state == "failed")
    at = app("runs", run=failed.name)
    at.button(key="retry").click().run()
    (waiting,) = Queue().waiting()
    assert waiting.config == failed.config
    assert "waits in the queue" in said(at)
    at.button(key=f"cancel_{waiting.name}").click().run()
    assert Queue().waiting() == []
    at.session_state["run"] = failed.name
    at.run()
    at.button(key="archive").click().run()
    assert not at.exception
    assert not failed.path.exists()


def test_the_order_of_the_queue_changes(many, monkeypatch):
    monkeypatch.setattr(Queue, "wake", lambda self: None)
    waiting = [run for run in many if run.status().state == "stopped"][:3]
    Queue().add(waiting)
    at = app("runs")
    at.button(key=f"first_{waiting[2].name}").click().run()
    assert [run.name for run in Queue().waiting()] == [waiting[i].name for i in (2, 0, 1)]


def test_seeds_are_averaged_on_the_results_page(many):
    at = app("results", run=many[0].name, others=[many[1].name], task="entity_alignment", metric="MRR")
    stored = many[0].results()
    rows = stored[(stored.task == "entity_alignment") & (stored.metric == "MRR") & (stored.protocol == "strict")]
    groups = table(at, "Sup interval").set_index(["mode", "system"])
    for row in rows[rows.language.isna()].itertuples():
        assert groups.loc[(row.mode, row.system), row.group] == pytest.approx(row.value)
        assert groups.loc[(row.mode, row.system), f"{row.group} interval"] == f"{row.value:.1f} to {row.value:.1f}"


def test_languages_are_ordered_and_found(finished_run):
    at = app("results", run=finished_run.name, task="kg_completion", sort="name", find_language="germ")
    assert set(table(at, "family").family) == {"Germanic"}
    at.text_input(key="find_language").set_value("klingon").run()
    assert "No language of these results" in said(at)


@pytest.mark.parametrize("number", ["2", "3", "5", "7", "9", "10", "13"])
def test_the_papers_tables_stand_beside_ours(finished_run, number):
    at = app("results", run=finished_run.name, part="The paper's tables", paper=number)
    shown = table(at, "language or group")
    assert [name for name in shown.columns if name.endswith(": paper")]
    assert f"Table {number} of the paper" in said(at)
    if number in ("3", "10"):
        assert shown[[name for name in shown.columns if "ours" in name]].notna().any().any()
        assert [name for name in shown.columns if name.endswith("interval")]


def test_scores_against_the_labels_of_the_corpus(finished_run):
    at = app("results", run=finished_run.name, part="What explains it", against="labels", task="entity_alignment")
    assert set(table(at, "identical").labels.dropna()) == {48}
    assert "Rank correlation" in said(at)


def test_scores_without_a_corpus_say_so(finished_run):
    text = finished_run.config_file.read_text()
    folder = finished_run.config.corpus.folder
    finished_run.config_file.write_text(text.replace(str(folder), "/nowhere/at/all"))
    at = app("results", run=finished_run.name, part="What explains it", against="labels")
    assert "cannot be counted here" in said(at)
    at.selectbox(key="against").set_value("script").run()
    assert not at.exception
    assert figures(at)


def test_a_broken_table_is_named_row_by_row_and_the_rest_is_shown(finished_run):
    at = app("results", run=finished_run.name, part="Your table", task="entity_alignment", metric="MRR")
    at.file_uploader(key="own_results").upload(
        "mine.csv", b"system,language,value\nM,de,50\nM,fr,high\n", "text/csv"
    ).run()
    assert not at.exception
    assert table(at, "problem").line.tolist() == [3]
    assert set(table(at, "delta").place) == {"de"}
    at.file_uploader(key="own_results").upload("mine.csv", b"\xff\xfe\x00", "text/csv").run()
    assert "no UTF-8" in table(at, "problem").problem.iloc[0]


def test_overview_shows_the_stages_and_the_gains_of_the_newest_run(finished_run):
    at = app("overview")
    found = overview_tables.gains(finished_run.results())
    shown = at.get("plotly_chart")
    assert len(shown) == found.task.nunique() == 2
    assert finished_run.name in said(at)
    html = " ".join(element.proto.body for element in at.get("html"))
    assert "3 steps × 8 pairs" in html
    assert html.count("<section>") == 4


def test_gains_are_over_the_backbone_in_the_same_mode(finished_run):
    stored = finished_run.results()
    found = overview_tables.gains(stored)
    row = found[(found.task == "entity_alignment") & (found.system == "+EP")].iloc[0]
    here = stored[
        stored.language.isna() & (stored.task == row.task) & (stored.metric == "Hit@1") & (stored.protocol == "strict")
    ]
    here = here[(here["mode"] == row["mode"]) & (here.group == row.group)].set_index("system").value
    assert row["mode"] == "zero-shot"
    assert row.gain == pytest.approx(here["+EP"] - here["backbone"])


def test_the_picture_escapes_what_it_is_told():
    stage = stage_picture.Stage("<b>", "&", [(None, "<script>", "x")])
    html = stage_picture.picture([stage] * 4, "it's <all>")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("data:image/svg+xml,") == 4


def test_gpus_are_those_that_nvidia_smi_lists(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H200, 37, 1024, 143771'\necho 'Old one, [N/A], 0, 2048'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    first, second = hardware.gpus()
    assert (first.name, first.busy, first.memory_used) == ("NVIDIA H200", 0.37, 2**30)
    assert second.busy is None
    program.write_text("#!/bin/sh\nexit 9\n")
    assert hardware.gpus() == ()


def test_the_machine_has_a_disk_before_the_folder_is_made(tmp_path):
    found = hardware.machine(tmp_path / "not" / "yet")
    assert 0 < found.disk_free <= found.disk
    assert found.cores >= 1
