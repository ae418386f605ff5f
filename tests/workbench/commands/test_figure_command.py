"""`workbench figure`: the figures of the pages, from the commands that the pages' menus name."""

import io
import json
import shlex
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.utils import PlotlyJSONEncoder
from typer.testing import CliRunner

from tests.made_maps import make_run
from tests.workbench.test_pages import app as page
from workbench.cli import app
from workbench.figures import FIGURES
from workbench.publishing import files, stamps


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


@pytest.fixture
def menus(monkeypatch) -> list[dict]:
    """What the pages hand to their export menus."""
    found: list[dict] = []
    monkeypatch.setattr("workbench.exports.menu", lambda key, **given: found.append(given))
    return found


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def data_of(figure: go.Figure) -> str:
    return json.dumps(figure.to_plotly_json()["data"], cls=PlotlyJSONEncoder)


def assert_commands_draw_what_the_page_shows(name: str, menus: list[dict], tmp_path: Path, monkeypatch) -> int:
    """Give every menu's command, and compare its figure with the page's byte by byte, and its table cell by cell."""
    drawn = [menu for menu in menus if menu["command"][:3] == ["workbench", "figure", name]]
    for menu in drawn:
        file = tmp_path / "again.csv"
        words = files.complete(menu["command"], str(file), files.FORMATS["CSV"], 1)[1:]
        seen = []

        def keep(kind, stamp, seen=seen, original=files.written, **given):
            seen.append(given["figure"])
            return original(kind, stamp, **given)

        with monkeypatch.context() as patch:
            patch.setattr(files, "written", keep)
            done = call(*words)
        assert done.exit_code == 0, done.exception
        assert data_of(seen[0]) == data_of(menu["figure"])
        stamp = stamps.stamp(menu["runs"], menu["command"])
        expected = files.written(files.FORMATS["CSV"], stamp, table=menu["table"])
        again, shown = (pd.read_csv(io.BytesIO(data), comment="#") for data in (file.read_bytes(), expected))
        pd.testing.assert_frame_equal(again, shown)
        assert len(again)
        assert stamps.read_stamp(file.read_bytes(), "csv")["command"] == shlex.join(["workbench", *words])
    return len(drawn)


@pytest.mark.parametrize(
    "chosen",
    [
        {"measure": "weight", "task": "ner"},
        {"measure": "weight", "task": "kg_completion", "view": "difference", "languages": "Sup"},
        {"measure": "knock_out", "task": "ner", "languages": "de"},
        {"measure": "entropy", "task": "ner"},
    ],
)
def test_the_fusion_page(chosen, menus, tmp_path, monkeypatch):
    run, other = make_run(), make_run(null=False)
    page("fusion_attention", run=run.name, **chosen)
    assert assert_commands_draw_what_the_page_shows("fusion", menus, tmp_path, monkeypatch) == 1
    if chosen["measure"] == "weight" and "view" not in chosen:
        menus.clear()
        page("fusion_attention", run=run.name, beside=other.name, **chosen)
        assert assert_commands_draw_what_the_page_shows("fusion", menus, tmp_path, monkeypatch) == 2


@pytest.mark.parametrize("by", ["group", "language"])
def test_the_ablation_page(by, finished_run, menus, tmp_path, monkeypatch):
    page("ablation", runs=finished_run.name, by=by, protocol="released")
    assert assert_commands_draw_what_the_page_shows("ablation", menus, tmp_path, monkeypatch) == (
        1 if by == "group" else 2
    )


def test_the_audit_page_draws_checkpoints(finished_run, menus, tmp_path, monkeypatch):
    rows = finished_run.results().query("protocol in ['strict', 'strict-raw', 'released']")
    plain = rows[(rows.protocol == "strict") & (rows["mode"] == "fine-tuned")]
    more = [plain.assign(protocol=name, value=plain.value + by) for name, by in (("last", -2.0), ("best-test", 1.0))]
    finished_run.write_results(pd.concat([rows, *more], ignore_index=True))
    page("audit", run=finished_run.name, by="language")
    assert assert_commands_draw_what_the_page_shows("checkpoints", menus, tmp_path, monkeypatch) == 2


def test_results_of_languages_and_of_groups(finished_run, tmp_path):
    rows = finished_run.results()
    rows = rows[(rows.task == "entity_alignment") & (rows.metric == "MRR") & (rows.protocol == "strict")]
    words = ("figure", "results", finished_run.name, "--task", "entity_alignment", "--metric", "MRR")
    for by, wanted in (("group", rows[rows.language.isna()]), ("language", rows[rows.language.notna()])):
        done = call(*words, "--by", by, "--out", tmp_path / f"{by}.csv")
        assert done.exit_code == 0, done.exception
        found = pd.read_csv(tmp_path / f"{by}.csv", comment="#")
        wanted = wanted if by == "group" else wanted[wanted["mode"] == "fine-tuned"]
        assert sorted(found.value) == pytest.approx(sorted(wanted.value))
        assert len(found) > 3


def test_a_page_of_its_own(finished_run, tmp_path):
    file = tmp_path / "new" / "figure5.html"
    done = call("figure", "ablation", finished_run.name, "--task", "entity_alignment", "--out", file)
    assert done.exit_code == 0, done.exception
    assert done.stdout.startswith(f"{file}: Entity alignment: every system by group")
    stamp = stamps.read_stamp(file.read_bytes(), "html")
    assert stamp["runs"][0]["run"] == finished_run.name
    assert "plotly" in file.read_text(encoding="utf-8")
    assert call(*shlex.split(stamp["command"])[1:]).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fusion", "{run}", "--out", "f.docx"), "f.docx: the suffix gives the format; use one of .pdf, .svg"),
        (("fusion", "{run}", "--measure", "colour", "--out", "f.html"), "--measure: there is no 'colour'"),
        (("fusion", "{run}", "--task", "sudoku", "--out", "f.html"), "--task: there is no 'sudoku'"),
        (("fusion", "{run}", "--languages", "xx", "--out", "f.html"), "has no weight for xx"),
        (("fusion", "{run}", "--measure", "entropy", "--view", "null", "--out", "f.html"), "no untrained fusions"),
        (("fusion", "no-such-run", "--out", "f.html"), "There is no run 'no-such-run'"),
        (("results", "{run}", "--metric", "BLEU", "--out", "f.html"), "--metric: there is no 'BLEU'"),
        (("checkpoints", "{run}", "--out", "f.html"), "measured only the weights that it reports"),
    ],
)
def test_what_cannot_be_done_is_said(words, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = make_run()
    done = call("figure", *(word.format(run=run.name) for word in words))
    assert done.exit_code == 1
    assert message in str(done.exception)
    assert not list(tmp_path.glob("f.*"))


@pytest.mark.parametrize("name", list(FIGURES))
def test_help_has_an_example(name):
    done = call("figure", name, "--help")
    assert done.exit_code == 0
    assert "Example" in done.stdout
    assert f"workbench figure {name} RUN" in " ".join(done.stdout.split())
    assert "--columns" in done.stdout
