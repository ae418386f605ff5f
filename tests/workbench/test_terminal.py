"""What the command line shows while something runs, and what it refuses to write over."""

import os
import pty
import subprocess
import sys

import pytest

from workbench import terminal

BUILD = """
import time
from workbench.terminal import progress_bar
with progress_bar("building") as progress:
    for done in range(0, 101, 25):
        progress(done, 100)
        time.sleep(0.15)
print("result")
"""


def test_in_a_pipe_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 20))  # seconds; a line is due every 30
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    with terminal.progress_bar("building") as progress:
        for done in range(0, 101, 10):
            progress(done, 100)
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert 3 <= len(lines) <= 6
    assert lines[0] == "building: 10%"
    assert all(line.startswith("building: ") and line.endswith("%") for line in lines)


def test_progress_of_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(terminal, "_SECONDS_BETWEEN_LINES", -1)
    with terminal.progress_bar("building") as progress:
        progress(0, 0)
    assert capsys.readouterr().err == "building: 0%\n"


def test_on_a_terminal_there_is_a_bar_on_standard_error() -> None:
    """A real terminal: the other end of a pty."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", BUILD], stdout=subprocess.PIPE, stderr=theirs, env=environment, timeout=60, check=True
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass  # Linux says so at the end of a pty
    os.close(ours)
    assert done.stdout == b"result\n"
    text = shown.decode("utf-8")
    assert "building" in text
    assert "━" in text
    assert "50%" in text
    assert "0:00:" in text  # time left
