"""The entity space page through Streamlit's own test driver, on a space that was made up."""

import fcntl
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core.runs.spaces import names_of_spaces, write_space
from tests.made_maps import make_run
from tests.made_spaces import made_space
from tests.workbench.shown import figures, said
from workbench.cli import app as cli
from workbench.space import jobs as space_jobs
from workbench.space.selection import CHART

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


def page(**parameters: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(ROOT / "workbench" / "app.py"), default_timeout=60)
    at.query_params.update(parameters)
    at.run()
    at.switch_page(str(ROOT / "pages" / "entity_space.py")).run()
    assert not at.exception
    return at


def made_run():
    run = make_run()
    write_space(run, "entity_alignment", made_space())
    return run


def select(at: AppTest, *names: int) -> AppTest:
    points = [{"customdata": name} for name in names]
    at.session_state[CHART] = {"selection": {"points": points, "point_indices": [], "box": [], "lasso": []}}
    at.run()
    assert not at.exception
    return at


def chosen(figure: list[dict]) -> list[int]:
    """How many names are selected in each system of the chart of points."""
    traces = [t for t in figure if t["type"] == "scattergl"]
    return [sum(len(t.get("selectedpoints") or ()) for t in half) for half in (traces[:4], traces[4:])]


def test_two_systems_the_matrices_and_the_measures() -> None:
    run = made_run()
    at = page(run=run.name)
    text = said(at)
    assert "Names of 6 test entities of tiny in 4 languages under backbone and +Fusion" in text
    assert "aligned UMAP, one layout for all systems" in text
    assert f"Run {run.name}, recipe " in text
    assert "A projection to two dimensions bends distances" in text
    points, first, second = figures(at)
    assert len([t for t in points if t["type"] == "scattergl"]) == 8
    assert first[0]["zmin"] == second[0]["zmin"]
    table = next(frame.value for frame in at.dataframe if "Hit@1 (%)" in frame.value)
    assert table.system.tolist() == ["backbone", "+Fusion"]
    assert table["Hit@1 (%)"].iloc[0] == pytest.approx(100 * float(np.nanmean(made_space().pairs["hits"][0])))
    at = page(run=run.name, space_beside="none", layout="pca", colour="type", space_languages=["en", "zh"])
    assert [len(figure) for figure in figures(at)] == [2, 1]
    assert "in 2 languages under backbone, fusion of Entity alignment: principal components" in said(at)


def test_a_selection_in_one_system_is_seen_in_the_other_until_it_is_cleared() -> None:
    at = page(run=made_run().name)
    assert chosen(figures(at)[0]) == [0, 0]
    select(at, 5, 6)
    assert chosen(figures(at)[0]) == [2, 2]
    assert "2 names selected; their entities' names are linked." in said(at)
    assert at.selectbox(key="space_name").options[0] == "<b>name 1</b> de (de) · e1"
    near = [frame.value for frame in at.dataframe if "same" in frame.value]
    assert len(near) == 2
    assert near[0].language.tolist() == ["ar", "zh", "en"]
    select(at)  # the chart was drawn again: an empty selection is no choice of the visitor
    assert chosen(figures(at)[0]) == [2, 2]
    select(at, 9)
    assert chosen(figures(at)[0]) == [1, 1]
    at.button(key="clear").click().run()
    assert chosen(figures(at)[0]) == [0, 0]
    assert "No names selected" in said(at)
    select(at, 999)  # of another space
    assert chosen(figures(at)[0]) == [0, 0]


def test_a_search_in_any_language_marks_the_entity_and_puts_it_in_the_url() -> None:
    at = page(run=made_run().name)
    at.text_input(key="space_find").set_value("name 3</b> ar").run()
    assert at.selectbox(key="entity").value == "e3"
    assert "e3" in at.query_params["entity"]
    marked = [t for t in figures(at)[0] if t["mode"] == "markers+text"]
    assert [t["text"] for t in marked] == [["en", "de", "ar", "zh"]] * 2
    at.text_input(key="space_find").set_value("nobody").run()
    assert "No entity of this space has such a name." in said(at)
    assert at.selectbox(key="entity").value == "e3"


def test_a_link_shows_the_same_view_and_nonsense_is_mended() -> None:
    run = made_run()
    asked = {"run": run.name, "system": "+Fusion", "space_beside": "backbone", "layout": "umap", "colour": "rank"}
    at = page(**asked, entity="e2", space_languages=["de"])
    for key, value in {**asked, "entity": "e2", "space_languages": "de"}.items():
        assert value in at.query_params[key], key
    assert "1 languages under +Fusion and backbone" in said(at)
    at = page(run=run.name, system="+Large", layout="tsne", colour="taste", entity="e99", space_languages=["xx"])
    assert at.selectbox(key="system").value == "backbone"
    assert at.selectbox(key="entity").value == ""


def test_without_a_space_the_page_gives_the_command_and_starts_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run, started = make_run(), []
    monkeypatch.setattr("workbench.space.jobs.start", lambda run: started.append(run.name))
    at = page(run=run.name)
    assert f"workbench space {run.name}" in at.info[0].value
    at.button(key="make_space").click().run()
    assert started == [run.name]

    def full(run) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("workbench.space.jobs.start", full)
    at.button(key="make_space").click().run()
    assert "Error: No space left on device" in said(at)


def test_a_job_in_the_background_shows_its_progress_and_its_last_words() -> None:
    run = make_run()
    folder = run.space_file("any").parent
    folder.mkdir()
    (folder / "job.log").write_text("  0%  opening the trained encoder\n 42%  measuring +EP\n")
    with (folder / "job.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert space_jobs.running(run)
        assert space_jobs.progress(run) == (0.42, "measuring +EP")
        at = page(run=run.name)
        assert "measuring +EP" in said(at)
        assert not [b for b in at.button if b.key == "make_space"]
    assert not space_jobs.running(run)
    (folder / "job.log").write_text("  0%  opening the trained encoder\nError: no adapter\n")
    assert "The last attempt ended without one. Error: no adapter" in said(page(run=run.name))


def test_a_damaged_space_is_a_sentence() -> None:
    run = made_run()
    run.space_file("entity_alignment").write_bytes(b"PK")
    at = page(run=run.name)
    assert "cannot be shown" in at.info[0].value
    assert f"Make it again: workbench space {run.name}" in said(at)


def test_the_command_prints_a_space_and_the_figures_are_written(tmp_path: Path) -> None:
    run = made_run()
    assert names_of_spaces(run) == ["entity_alignment"]
    told = CliRunner().invoke(cli, ["space", run.name, "--name", "entity_alignment", "--show"])
    assert told.exit_code == 0, told.exception
    assert "6 test entities in 4 languages, 24 names, seed 0" in told.stdout
    for name, options in (("space", ["--entity", "e2", "--layout", "pca"]), ("matrix", ["--system", "+Fusion"])):
        file = tmp_path / f"{name}.csv"
        told = CliRunner().invoke(cli, ["figure", name, run.name, *options, "--out", str(file)])
        assert told.exit_code == 0, told.exception
        assert "+Fusion" in file.read_text(encoding="utf-8")
    told = CliRunner().invoke(cli, ["figure", "space", run.name, "--layout", "tsne", "--out", str(tmp_path / "x.csv")])
    assert "there is no 'tsne'. There are: pca, umap, aligned." in str(told.exception)
