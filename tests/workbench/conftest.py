"""A real server on a real run folder, and a real browser that fails on console errors and on any request that leaves."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def app_url(finished_run_path: Path, tmp_path_factory: pytest.TempPathFactory):
    """Address of `workbench up`, started in a folder of no meaning."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    room = tmp_path_factory.mktemp("server")
    log = room / "log.txt"
    environment = {
        **os.environ,
        "WORKBENCH_RUNS": str(finished_run_path.parent),
        "WORKBENCH_CACHE": str(room / "cache"),
    }
    command = [sys.executable, "-m", "workbench.cli", "up", "--port", str(port), "--no-browser"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=room, stdout=output, stderr=output, env=environment)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            break
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
    yield url
    server.terminate()
    server.wait(20)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    if not CHROMIUM:
        pytest.skip("no chromium on the path; install it or set CHROMIUM")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", *quiet]
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": arguments}


@pytest.fixture
def open_page(page, app_url: str):
    """Opens a path of the app and waits until its script has run; collects what must not happen."""
    errors, outside = [], []
    expected = ("/_stcore/health", "/_stcore/host-config")  # asked for beside every page's own address first

    def console(message) -> None:
        if message.type == "error" and not message.location["url"].endswith(expected):
            errors.append(message.text)

    def request(sent) -> None:
        if sent.url.startswith(("http", "ws")) and "://" + app_url.split("://")[1] not in sent.url:
            outside.append(sent.url)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", console)
    page.on("request", request)

    def open_(path: str):
        page.goto(app_url + path)
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        return page

    yield open_
    assert errors == []
    assert outside == []
