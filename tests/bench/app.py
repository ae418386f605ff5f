"""`make bench`: how long a page takes to appear and to answer, with one run on disk and with many, in Chromium.

    python -m tests.bench.app [--runs 1 200] [--out FILE.md]

First paint is the time from asking for the address, in a browser that has seen nothing before, until the page's heading
stands there; complete is when its script has ended and every chart is drawn. An interaction is the choice of another
value in a list of the sidebar, from the click to the end of the page's script; where a page has no such list it is
running the page again. Shift is the browser's own measure of how far things jumped while the page appeared (0: not at
all; good is below 0.1).
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
from playwright.sync_api import Page, TimeoutError, sync_playwright

from core.runs.store import RunDir, list_runs
from tests.workbench.conftest import CHROMIUM
from tests.workbench.many_runs import make
from tests.workbench.navigation import MENU
from tests.workbench.serving import served, settled

ROUNDS = 3
TARGETS = {"first paint (s)": 2.0, "interaction (s)": 0.5}
_SHIFT = """window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(e => window.shift += e.value))
    .observe({type: 'layout-shift', buffered: true})"""
# Resolves with the milliseconds from the next press of the mouse or of a key to the end of the script that it starts.
_ANSWER = """() => { window.answer = new Promise(resolve => {
    const app = document.querySelector('[data-testid="stApp"]')
    let start = null, ran = false
    for (const kind of ['pointerdown', 'keydown'])
        addEventListener(kind, () => { start = performance.now() }, {capture: true})
    new MutationObserver(() => {
        const state = app.dataset.testScriptState
        if (start !== null && state === 'running') ran = true
        if (ran && state === 'notRunning') resolve(performance.now() - start)
    }).observe(app, {attributes: true, attributeFilter: ['data-test-script-state']})
}) }"""


def choose_another(page: Page) -> bool:
    """Open a list of the sidebar that has another value, and put the pointer on that; False where there is none."""
    for box in reversed(page.get_by_test_id("stSidebarUserContent").get_by_role("combobox").all()):
        box.click()
        with suppress(TimeoutError):  # a list of nothing does not open
            page.locator('[role="combobox"][aria-expanded="true"]').wait_for(timeout=2000)
            listed = page.locator(f'[id="{box.get_attribute("aria-controls")}"]')
            others = listed.locator('[role="option"][aria-selected="false"]')
            if others.count():
                others.first.hover()
                return True
        page.keyboard.press("Escape")
    return False


def measure(page: Page, address: str) -> dict[str, float]:
    """Seconds of one visit."""
    page.add_init_script(_SHIFT)
    start = time.perf_counter()
    page.goto(address)
    page.get_by_test_id("stMain").get_by_role("heading", level=1).wait_for()
    heading = time.perf_counter() - start
    settled(page)
    complete = time.perf_counter() - start
    shift = page.evaluate("window.shift")
    listed = choose_another(page)
    page.evaluate(_ANSWER)
    if listed:
        page.mouse.down()
        page.mouse.up()
    else:
        page.keyboard.press("r")
    answer = page.evaluate("window.answer") / 1000
    return {"first paint (s)": heading, "complete (s)": complete, "interaction (s)": answer, "shift": shift}


def rows(url: str, runs: int, run: RunDir) -> Iterator[dict[str, object]]:
    """Medians of every page's visits; the first visit, in which the server imports and caches, does not count."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for title, path in MENU.items():
            visits = []
            for _ in range(ROUNDS + 1):
                context = browser.new_context(viewport={"width": 1400, "height": 1000})
                context.set_default_timeout(120_000)
                visits.append(measure(context.new_page(), f"{url}{path}?run={run.name}"))
                context.close()
            middle = {key: statistics.median(visit[key] for visit in visits[1:]) for key in visits[0]}
            sys.stderr.write(f"{runs} runs on disk, {title}: {middle['first paint (s)']:.2f} s\n")
            yield {"page": title, "runs": runs, "very first (s)": visits[0]["first paint (s)"], **middle}
        browser.close()


def table(counts: list[int]) -> pd.DataFrame:
    """A row per page and number of runs on disk."""
    source = next(run for run in list_runs() if run.cached)
    found: list[dict[str, object]] = []
    for count in counts:
        with tempfile.TemporaryDirectory() as room:
            folder = Path(room) / "runs"
            folder.mkdir()
            made = make(folder, count - 1, source)  # and the one that ships with the project
            assert len(made) == count - 1
            with served(Path(room), WORKBENCH_RUNS=str(folder)) as url:
                found += rows(url, count, source)
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times of the app's pages.")
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 200])
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if not CHROMIUM:
        sys.exit("No chromium on the path: install it, or set CHROMIUM.")
    found = table(chosen.runs)
    wide = found.pivot(index="page", columns="runs").reindex(list(MENU))
    wide.columns = [f"{what}, {runs} runs" if runs > 1 else f"{what}, 1 run" for what, runs in wide.columns]
    lines = ["| page | " + " | ".join(wide.columns) + " |", "|---" * (len(wide.columns) + 1) + "|"]
    lines += [f"| {title} | " + " | ".join(f"{value:.2f}" for value in row) + " |" for title, *row in wide.itertuples()]
    missed = [
        f"{row.page} with {row.runs} runs: {what} {value:.2f}"
        for what, most in TARGETS.items()
        for row, value in zip(found.itertuples(), found[what], strict=True)
        if value > most
    ]
    load = f"{os.getloadavg()[0]:.1f}"
    lines += ["", f"{os.cpu_count()} cores, load {load} at the end; medians of {ROUNDS} visits."]
    lines += ["Targets: " + ", ".join(f"{what} {most:g}" for what, most in TARGETS.items()) + "."]
    lines += ["Missed: " + ("; ".join(missed) or "none") + "."]
    sys.stdout.write("\n".join(lines) + "\n")
    if chosen.out:
        chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
