"""A small entity space made in the background, by the command, which outlives the tab and the app."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

from core.runs.store import RunDir

ENTITIES = 60
OPTIONS = ("--entities", str(ENTITIES), "--layout", "pca")


def start(run: RunDir) -> None:
    """Begin to make a run's small space: principal components and the measures.

    Raises:
        OSError: If the run's folder cannot be written.
    """
    folder = _log(run).parent
    folder.mkdir(exist_ok=True)
    lock = os.open(_lock(run), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _log(run).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workbench.cli", "space", str(run.path), *OPTIONS],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
                pass_fds=(lock,),  # held as long as the process lives
            )
        threading.Thread(target=process.wait, daemon=True).start()  # reaps it, so that it never is a zombie
    except BlockingIOError:
        pass  # another visitor's click was first
    finally:
        os.close(lock)


def running(run: RunDir) -> bool:
    """Whether a space of the run is being made in the background."""
    try:
        with _lock(run).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def progress(run: RunDir) -> tuple[float, str]:
    """Share of the work done, and what the command said last; (0, "") where none was begun."""
    try:
        lines = [line.strip() for line in _log(run).read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return 0.0, ""
    last = next((line for line in reversed(lines) if line), "")
    share, found, what = last.partition("%")
    return (int(share) / 100, what.strip()) if found and share.isdecimal() else (0.0, last)


def _log(run: RunDir) -> Path:
    return run.space_file("job").with_suffix(".log")


def _lock(run: RunDir) -> Path:
    return run.space_file("job").with_suffix(".lock")


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[1])
    kept = {key: value for key, value in os.environ.items() if not key.startswith("STREAMLIT_")}
    path = os.pathsep.join(part for part in (root, kept.get("PYTHONPATH")) if part)
    return kept | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}  # one thread: a training may run beside it
