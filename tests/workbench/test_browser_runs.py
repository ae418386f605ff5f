"""A run that is stopped and gone on with in a real browser."""

import pytest

from core.execution import launcher
from core.runs.store import RunDir
from tests.workbench.serving import served

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.browser, pytest.mark.slow]
MOST_MS = 180_000  # that a tiny run takes on a busy machine


@pytest.fixture
def training_app(finished_run, shared_cache, tmp_path):
    """An app of this test's own, whose one live run is `finished_run`."""
    with served(tmp_path, WORKBENCH_RUNS=str(finished_run.path.parent), WORKBENCH_CACHE=str(shared_cache)) as url:
        yield url


def test_a_run_is_stopped_and_gone_on_with(visit, training_app, finished_run, request):
    config = finished_run.config
    longer = config.adapters.ep.model_copy(update={"steps": 100_000})
    adapters = config.adapters.model_copy(update={"ep": longer})
    run = RunDir.create(config.model_copy(update={"adapters": adapters}), finished_run.path.parent)
    request.addfinalizer(lambda: launcher.stop(run) if run.status().state == "running" else None)
    page = visit(training_app, f"/runs?run={run.name}")
    page.locator(".st-key-resume button").click()
    stop, resume = page.locator(".st-key-stop button"), page.locator(".st-key-resume button")
    expect(stop).to_be_visible(timeout=MOST_MS)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=MOST_MS)
    stop.click()
    expect(resume).to_be_visible(timeout=MOST_MS)
    assert run.status().state == "stopped"
    reached = last_step(page).inner_text()
    assert reached.endswith(" of 100000")
    resume.click()
    expect(stop).to_be_visible(timeout=MOST_MS)
    expect(last_step(page)).not_to_have_text(reached, timeout=MOST_MS)
    stop.click()
    expect(resume).to_be_visible(timeout=MOST_MS)
    first, second = (int(text.split()[0]) for text in (reached, last_step(page).inner_text()))
    assert second > first > 0


def last_step(page):
    return page.get_by_test_id("stMetric").filter(has_text="Last step").get_by_test_id("stMetricValue")
