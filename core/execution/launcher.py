"""Start, stop and resume runs as processes of their own, which outlive whoever started them.

A job has its own session, so neither Ctrl-C nor a closed terminal reaches it; and it holds a lock on its run folder as
long as it lives, so that a run is never done twice at once.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from core.runs.status import Status
from core.runs.store import RunDir, RunError

_GRACE_SECONDS = 60.0
_LOOKS = 10


def start(run: RunDir) -> int:
    """Start the worker of a run, or go on with a run that ended early; returns the process id.

    Raises:
        RunError: If the run is done, ships with the project, or is being done already.
    """
    if run.cached:
        like = f"workbench run {run.config_file}"
        raise RunError(f"The run {run.name} ships with the project and is not run again. Start one like it: {like}.")
    if run.status().state == "done":
        raise RunError(f"The run {run.name} is done. See it with: workbench tables {run.name}.")
    try:
        with held(run.lock_file) as lock:
            process = spawn(["core.execution.worker", str(run.path)], run.log_file, lock)
            now = time.time()
            run.write_status(
                Status("running", "starting", pid=process.pid, pid_started=now, heartbeat=now, started=now)
            )
            return process.pid
    except BlockingIOError:
        raise RunError(f"The run {run.name} is running already (process {run.status().pid}).") from None


@contextmanager
def held(file: Path) -> Iterator[int]:
    """A lock file, locked: its descriptor, which a process that is spawned inside may keep.

    Raises:
        BlockingIOError: If someone holds it; one who only looks (`is_held`) is waited for.
    """
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        for _ in range(_LOOKS):
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.02)
        else:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
    finally:
        os.close(lock)  # the process holds it now


def spawn(module: Sequence[str], log_file: Path, lock: int) -> "subprocess.Popen[bytes]":
    """Start `python -m MODULE ARGUMENT...` in a session of its own, its output in a log file, with a lock to hold."""
    root = str(Path(__file__).resolve().parents[2])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STREAMLIT_")}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in (root, environment.get("PYTHONPATH")) if p)
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            pass_fds=(lock,),
        )
    threading.Thread(target=process.wait, daemon=True).start()  # reaps it, so that it never is a zombie
    return process


def is_held(run: RunDir) -> bool:
    """Whether a worker holds the run's folder."""
    try:
        with run.lock_file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def stop(run: RunDir, wait: float = _GRACE_SECONDS) -> str:
    """Ask a run to stop after its present step, with a checkpoint; returns its state afterwards.

    Args:
        run: The run.
        wait: Seconds to wait for it; it is never killed, since a checkpoint may be on its way to the disk.

    Raises:
        RunError: If it is not running.
    """
    status = run.status()
    if status.state != "running":
        raise RunError(f"The run {run.name} is not running: its state is {status.state}.")
    try:
        psutil.Process(status.pid).send_signal(signal.SIGTERM)
    except psutil.NoSuchProcess:
        return run.status().state
    end = time.monotonic() + wait
    while ((state := run.status().state) == "running" or is_held(run)) and time.monotonic() < end:
        time.sleep(0.1)  # until the folder is free too, so that the run can be gone on with at once
    return state
