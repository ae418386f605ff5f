"""A real server on a folder of runs, and what a browser must not meet on it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Asked for beside the address of every page first, and found at the root.
EXPECTED_404 = ("/_stcore/health", "/_stcore/host-config")
MOST_SECONDS = 180  # that a page may take on a busy machine before a test fails
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'


@contextmanager
def served(room: Path, **environment: str) -> Iterator[str]:
    """Address of `workbench up`, started in a folder of no meaning; its log may not hold a stack trace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = room / "log.txt"
    command = [sys.executable, "-m", "workbench.cli", "up", "--port", str(port), "--no-browser"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=room, stdout=output, stderr=output, env={**os.environ, **environment})
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(20)
    assert "Traceback" not in log.read_text(), log.read_text()


class Watch:
    """What went wrong on a browser's page: errors in its console, requests that left the server."""

    def __init__(self, page, url: str) -> None:
        self.url, self.errors, self.outside = url, [], []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.on("request", self._request)

    def _console(self, message) -> None:
        if message.type == "error" and not message.location["url"].endswith(EXPECTED_404):
            self.errors.append(message.text)

    def _request(self, sent) -> None:
        if sent.url.startswith(("http", "ws")) and "://" + self.url.split("://")[1] not in sent.url:
            self.outside.append(sent.url)

    def assert_clean(self) -> None:
        assert not self.errors, self.errors
        assert not self.outside, self.outside


def open_at(page, address: str):
    """Open an address and wait until its script has run."""
    page.goto(address)
    page.locator(IDLE).wait_for(timeout=1000 * MOST_SECONDS)
    return page


def settled(page) -> None:
    """Wait until nothing on a page is still to come: its script has run and every chart is drawn."""
    page.locator(IDLE).wait_for(timeout=1000 * MOST_SECONDS)
    page.wait_for_function(
        """() => !document.querySelector('[data-testid="stSkeleton"], [data-testid="stSpinner"]')
            && document.querySelector('.st-key-about')
            && [...document.querySelectorAll('[data-testid="stPlotlyChart"]')]
                .every(chart => chart.querySelector('.main-svg'))""",
        timeout=1000 * MOST_SECONDS,
    )
