"""Launching in a real browser, with real processes: a run outlives its tab and its app; typed values and two visitors."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.execution.queue import Queue
from core.runs.store import RunDir, list_runs
from tests.workbench.serving import IDLE, served

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


@pytest.fixture
def room(finished_run: RunDir) -> Iterator[Path]:
    """The folder of the runs; no process that works in it outlives the test."""
    root = finished_run.path.parent
    yield root
    Queue(root).pause()
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or ()
        if any(str(root) in word for word in words) and any(word.startswith("core.execution.") for word in words):
            process.kill()


def new_runs(root: Path, known: RunDir) -> list[RunDir]:
    return [run for run in list_runs([root]) if run.name != known.name]


def wait_until(condition: Callable[[], bool], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_run_started_in_the_browser_outlives_its_tab_and_its_app(
    visit, room: Path, finished_run: RunDir, shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    environment = {"WORKBENCH_RUNS": str(room), "WORKBENCH_CACHE": str(shared_cache)}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with served(tmp_path / "one", **environment) as url:
        page = visit(url, f"/launch?start=run&like={finished_run.name}&edit=seed%3D5")
        submit = page.get_by_role("button", name="Submit to the queue")
        expect(submit).to_be_enabled()
        submit.dblclick()
        expect(page.get_by_text(re.compile("^Submitted: "))).to_be_visible()
        expect(submit).to_be_disabled()
        (run,) = new_runs(room, finished_run)  # two clicks made one
        wait_until(lambda: run.status().state == "running")
        page.close()
    assert run.status().state in ("running", "done")
    with served(tmp_path / "two", **environment) as url:
        page = visit(url, f"/runs?run={run.name}")
        expect(page.get_by_test_id("stMain").get_by_role("heading", name=run.name)).to_be_visible()
        wait_until(lambda: run.status().state == "done")
        expect(page.locator(".st-key-stop")).to_have_count(0)  # the open page has noticed
    assert run.config.seed == 5
    assert len(new_runs(room, finished_run)) == 1


@pytest.mark.slow
def test_what_is_typed_is_in_the_command_the_url_and_no_other_visitors_form(visit, app_url: str) -> None:
    page, other = visit(app_url, "/launch"), visit(app_url, "/launch")
    seed = page.get_by_label("seed", exact=True)
    seed.fill("12")
    seed.press("Enter")
    command = page.get_by_test_id("stCode").first
    expect(command).to_contain_text("workbench run demo --set seed=12")
    page.wait_for_url(lambda url: "edit=seed%3D12" in url)
    page.reload()
    page.locator(IDLE).wait_for()
    expect(page.get_by_test_id("stCode").first).to_contain_text("--set seed=12")
    expect(other.get_by_test_id("stCode").first).to_have_text(re.compile("^workbench run demo"))
    expect(other.get_by_test_id("stCode").first).not_to_contain_text("seed")


@pytest.mark.slow
def test_the_demo_is_three_clicks_away(
    visit, room: Path, finished_run: RunDir, shared_cache: Path, tmp_path: Path
) -> None:
    Queue(room).pause()  # it is submitted, and not done
    with served(tmp_path, WORKBENCH_RUNS=str(room), WORKBENCH_CACHE=str(shared_cache)) as url:
        page = visit(url)
        page.get_by_test_id("stSidebarNav").get_by_role("link", name="Launch", exact=True).click()
        page.get_by_role("button", name="Submit to the queue").click()
        expect(page.get_by_text(re.compile("^Submitted: .*-demo-"))).to_be_visible()
        (run,) = new_runs(room, finished_run)
        assert run.config.title == "demo"
        page.get_by_role("link", name="Watch it").click()
        page.wait_for_url(lambda address: f"run={run.name}" in address)
        expect(page.get_by_test_id("stMain").get_by_role("heading", level=1)).to_have_text("Runs")
