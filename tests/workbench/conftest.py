"""A real server on a real run folder, and a real browser that fails on console errors and on any request that leaves."""

import os
import shutil
from pathlib import Path

import pytest

from tests.workbench.serving import MOST_SECONDS, Watch, open_at, served

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def app_url(finished_run_path: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory):
    """Address of an app that shows the finished run and what ships with the project; nothing changes its runs."""
    room = tmp_path_factory.mktemp("server")
    with served(room, WORKBENCH_RUNS=str(finished_run_path.parent), WORKBENCH_CACHE=str(shared_cache)) as url:
        yield url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("no chromium on the path; install it or set CHROMIUM")
    playwright.expect.set_options(timeout=1000 * MOST_SECONDS)
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", *quiet]
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": arguments}


@pytest.fixture
def visit(new_context):
    """Opens an address as a visitor of one's own and waits until its script has run; nothing may go wrong on the way."""
    watches = []

    def open_(url: str, path: str = "/", **context):
        page = new_context(**context).new_page()
        watches.append(Watch(page, url))
        return open_at(page, url + path)

    yield open_
    for watch in watches:
        watch.assert_clean()


@pytest.fixture
def open_page(page, app_url: str):
    """Opens a path of the app and waits until its script has run; nothing may go wrong on the way."""
    watch = Watch(page, app_url)
    yield lambda path: open_at(page, app_url + path)
    watch.assert_clean()
