"""The app's and the command line's side of jobs: what a button does, and what to say when it cannot."""

from core import recipes
from core.config import RunConfig
from core.execution import launcher, preflight
from core.runs.store import RunDir


def create(config: RunConfig) -> RunDir:
    """A queued run of a config that can run here.

    Raises:
        ValueError: If it cannot; nothing has been written then.
    """
    preflight.check(config)
    return RunDir.create(config)


def start_preset(name: str) -> RunDir:
    """Start a new run of a preset.

    Raises:
        ValueError: If it cannot run here; the message says why.
    """
    run = create(recipes.named(name))
    launcher.start(run)
    return run


def stop(run: RunDir) -> None:
    """Ask a run to stop after its present step, without waiting for it."""
    launcher.stop(run, wait=0)


def resume(run: RunDir) -> None:
    """Go on with a run that ended early."""
    launcher.start(run)
