"""The app's and the command line's side of jobs: what a button does, and what to say when it cannot."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from core import recipes
from core.config import RunConfig
from core.execution import launcher, preflight
from core.execution.queue import Queue
from core.runs.store import RunDir, RunError, list_runs, runs_root

_ENDING_SECONDS = 20.0


def create(config: RunConfig) -> RunDir:
    """A new run of a config that can run here; its state is `queued` until something starts it.

    Raises:
        ValueError: If it cannot; nothing has been written then.
    """
    preflight.check(config)
    return RunDir.create(config)


def start_preset(name: str) -> RunDir:
    """Start a new run of a preset at once.

    Raises:
        ValueError: If it cannot run here; the message says why.
    """
    run = create(recipes.named(name))
    launcher.start(run)
    return run


def submit(configs: Sequence[RunConfig]) -> list[RunDir]:
    """Put a new run of every config at the end of the local queue.

    Raises:
        ValueError: If one of them cannot run here; nothing has been written then.
    """
    for config in configs:
        preflight.check(config)
    runs = [RunDir.create(config) for config in configs]
    Queue().add(runs)
    return runs


def stop(run: RunDir) -> None:
    """Ask a run to stop after its present step, without waiting for it; one that waits leaves the queue."""
    if queue_position(run) is None:
        launcher.stop(run, wait=0)
    else:
        Queue().cancel(run)


def resume(run: RunDir) -> None:
    """Go on at once with a run that ended early, or start one that waits.

    A worker that has just said that it stopped may take a while to end; it is waited for.
    """
    end = time.monotonic() + _ENDING_SECONDS
    while run.status().state != "running" and launcher.is_held(run) and time.monotonic() < end:
        time.sleep(0.05)
    launcher.start(run)


def retry(run: RunDir) -> RunDir:
    """Put a new run of the same config at the end of the queue; the old one stays as it is.

    Raises:
        ValueError: If it cannot run here.
    """
    return submit([run.config])[0]


def queue_position(run: RunDir) -> int | None:
    """Place of a run among those that wait, from 1; None if it does not wait."""
    return Queue().position(run)


def move(run: RunDir, position: int) -> None:
    """Give a run that waits another place, from 1."""
    Queue().move(run, position)


def same(config: RunConfig) -> list[RunDir]:
    """The runs with this config's fingerprint that wait or run."""
    wanted = config.fingerprint()
    found = (run for run in list_runs([runs_root()]) if run.problem() is None)
    return [r for r in found if r.status().state in ("queued", "running") and r.config.fingerprint() == wanted]


def archive(run: RunDir) -> Path:
    """Move a run to the archive, where no page or command shows it; returns its new folder.

    Raises:
        RunError: If it ships with the project, runs, waits, or lies outside the runs' folder.
    """
    state = run.status().state
    if run.cached or run.path.parent.resolve() != runs_root().resolve():
        raise RunError(f"The run {run.name} does not lie in {runs_root()}: only runs there are archived.")
    if state == "running" or launcher.is_held(run):
        raise RunError(f"The run {run.name} is running. Stop it first: workbench stop {run.name}.")
    if queue_position(run) is not None:
        raise RunError(f"The run {run.name} waits in the queue. Take it out: workbench queue cancel {run.name}.")
    return _move(run.path, _archive() / run.name)


def restore(name: str) -> RunDir:
    """Take a run out of the archive again.

    Raises:
        RunError: If the archive has no such run.
    """
    if name not in archived():
        raise RunError(f"The archive has no run {name!r}. It has: {', '.join(archived()) or 'none'}.")
    return RunDir(_move(_archive() / name, runs_root() / name))


def archived() -> list[str]:
    """Names of the runs in the archive, newest first."""
    return [run.name for run in list_runs([_archive()])]


def _archive() -> Path:
    return runs_root() / "archive"


def _move(source: Path, target: Path) -> Path:
    if target.exists():
        raise RunError(f"{target} exists already; move it away first.")
    target.parent.mkdir(parents=True, exist_ok=True)
    os.rename(source, target)
    return target
