"""The only cached functions of the app. Keys hold everything that a result depends on."""

import threading
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.runs import tables
from core.runs.store import RunDir, list_runs


def all_runs() -> list[RunDir]:
    """The runs that can be read: live ones first, then those that ship with the project, each newest first."""
    return [run for run in _listed() if run.problem() is None]


def unreadable_runs() -> dict[str, str]:
    """Name of every run whose config cannot be read, such as one of another version -> why."""
    return {run.name: problem for run in _listed() if (problem := run.problem())}


def _listed() -> list[RunDir]:
    found = sorted(list_runs(), key=lambda run: run.cached)
    return [_run(str(run.path), run.config_file.stat().st_mtime_ns) for run in found]


@st.cache_resource(max_entries=1000, show_spinner=False)
def _run(path: str, config_time: int) -> RunDir:
    """One object per run and config file, so that a config is parsed once."""
    return RunDir(Path(path))


def results(runs: list[RunDir]) -> pd.DataFrame:
    """Every row of results of some runs."""
    return _results(tuple((str(r.path), r.results_file.stat().st_mtime_ns) for r in runs))


@st.cache_data(max_entries=50, show_spinner=False)
def _results(runs: tuple[tuple[str, int], ...]) -> pd.DataFrame:
    return tables.results([RunDir(Path(path)) for path, _ in runs])


def steps(run: RunDir) -> pd.DataFrame:
    """The steps of a run's stages so far: time, stage, step, steps, loss, learning_rate, pairs_per_second."""
    rows = [e for e in _tail(str(run.path)).read() if e.get("event") == "step" and "loss" in e]
    return pd.DataFrame(rows, columns=["time", "stage", "step", "steps", "loss", "learning_rate", "pairs_per_second"])


def log_tail(run: RunDir, lines: int = 40) -> str:
    """The last lines of a run's log."""
    if not run.log_file.is_file():
        return ""
    with run.log_file.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - 20_000))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])


class _Tail:
    """The events of a run that goes on; each byte is read from the disk once."""

    def __init__(self, run: RunDir) -> None:
        self.run, self.position, self.rows, self.lock = run, 0, [], threading.Lock()

    def read(self) -> list[dict[str, Any]]:
        with self.lock:
            file = self.run.events_file
            if file.is_file() and file.stat().st_size < self.position:  # another file of the same name
                self.position, self.rows = 0, []
            found, self.position = self.run.events_from(self.position)
            self.rows += found
            return list(self.rows)


@st.cache_resource(max_entries=50, show_spinner=False)
def _tail(path: str) -> _Tail:
    return _Tail(RunDir(Path(path)))
