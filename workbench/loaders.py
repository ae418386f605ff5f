"""The only cached functions of the app. Keys hold everything that a result depends on."""

import threading
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.evaluation.audit import Audit, audit
from core.evaluation.fusion_map import headline, knock_out_metric
from core.folders import cache_root
from core.reference import figure5
from core.runs import ablation as stored
from core.runs import checkpoints, tables
from core.runs.differences import differences
from core.runs.listing import Listing
from core.runs.store import RunDir
from workbench.commands import audited
from workbench.fusion.charts import among


def all_runs() -> list[RunDir]:
    """The runs that can be read: live ones first, then those that ship with the project, each newest first."""
    return _listing(str(cache_root())).runs()


def unreadable_runs() -> dict[str, str]:
    """Name of every run whose config cannot be read, such as one of another version -> why."""
    return _listing(str(cache_root())).unreadable()


@st.cache_resource(max_entries=5, show_spinner=False)
def _listing(cache: str) -> Listing:
    return Listing(Path(cache) / "runs-index.json")


def results(runs: list[RunDir]) -> pd.DataFrame:
    """Every row of results of some runs."""
    return _results(tuple((str(r.path), r.results_file.stat().st_mtime_ns) for r in runs))


@st.cache_data(max_entries=50, show_spinner=False)
def _results(runs: tuple[tuple[str, int], ...]) -> pd.DataFrame:
    return tables.results([RunDir(Path(path)) for path, _ in runs])


def ablation(
    runs: list[RunDir],
    tasks: list[str],
    systems: list[str],
    metric: str | None,
    protocol: str,
    by: str,
    mode: str,
) -> pd.DataFrame:
    """What each system reaches on each task (`core.runs.ablation.ablation`), with the points of Figure 5 beside it."""
    return _ablation(_key(runs), tuple(tasks), tuple(systems), metric, protocol, by, mode)


@st.cache_data(max_entries=50, show_spinner=False)
def _ablation(
    runs: tuple[tuple[str, int, int], ...],
    tasks: tuple[str, ...],
    systems: tuple[str, ...],
    metric: str | None,
    protocol: str,
    by: str,
    mode: str,
) -> pd.DataFrame:
    found = stored.ablation(_opened(runs), tasks, systems, metric, protocol, by, mode)
    return figure5.beside(found, by)


def paired(
    runs: list[RunDir], task: str, systems: tuple[str, str], metric: str, protocol: str, by: str, mode: str
) -> pd.DataFrame:
    """How the second of two systems differs from the first in one metric (`core.runs.differences.differences`)."""
    return _paired(_key(runs), task, systems, metric, protocol, by, mode)


@st.cache_data(max_entries=50, show_spinner="Drawing resamples of the test examples ...")
def _paired(
    runs: tuple[tuple[str, int, int], ...],
    task: str,
    systems: tuple[str, str],
    metric: str,
    protocol: str,
    by: str,
    mode: str,
) -> pd.DataFrame:
    return differences(_opened(runs), task, systems, [metric], protocol, by, mode)


@st.cache_data(show_spinner=False)
def audit_of_paper() -> tuple[Audit, pd.DataFrame]:
    """What the checks find in Tables 2 to 13 of the paper, and their rows."""
    rows = audited.paper_rows()
    return audit(rows), rows


def audit_of_run(run: RunDir) -> tuple[Audit, pd.DataFrame]:
    """What the checks find in a run's results, and their rows."""
    return _audit_of_run(_key([run]))


@st.cache_data(max_entries=20, show_spinner="Checking ...")
def _audit_of_run(runs: tuple[tuple[str, int, int], ...]) -> tuple[Audit, pd.DataFrame]:
    rows = audited.run_rows(_opened(runs)[0])
    return audit(rows), rows


@st.cache_data(max_entries=5, show_spinner="Checking ...")
def audit_of_csv(data: bytes, name: str) -> tuple[Audit, pd.DataFrame]:
    """What the checks find in an uploaded CSV file, and its rows; raises ValueError for a file that is no such table."""
    rows = audited.csv_rows(data, name)
    return audit(rows), rows


def checkpoint_values(run: RunDir, by: str) -> pd.DataFrame:
    """A run's systems with their last, reported and luckiest weights (`core.runs.checkpoints.checkpoint_values`)."""
    return _checkpoint_values(_key([run]), by)


@st.cache_data(max_entries=20, show_spinner=False)
def _checkpoint_values(runs: tuple[tuple[str, int, int], ...], by: str) -> pd.DataFrame:
    return checkpoints.checkpoint_values(_opened(runs)[0], by)


def _key(runs: list[RunDir]) -> tuple[tuple[str, int, int], ...]:
    """Path, and the times of the results and of the provenance, of some runs."""
    files = ((run, run.results_file, run.provenance_file) for run in runs)
    return tuple((str(r.path), f.stat().st_mtime_ns, p.stat().st_mtime_ns if p.is_file() else 0) for r, f, p in files)


def _opened(runs: tuple[tuple[str, int, int], ...]) -> list[RunDir]:
    return [RunDir(Path(path)) for path, *_ in runs]


def fusion_map(run: RunDir) -> pd.DataFrame:
    """A run's fusion maps with the groups of the languages.

    Raises:
        RunError: If the run has none.
    """
    return _fusion_map(str(run.path), *_map_times(run))


def _map_times(run: RunDir) -> tuple[int, ...]:
    """When the two files behind a map with groups were written; 0 where there is none."""
    files = (run.fusion_map_file, run.results_file)
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


@st.cache_data(max_entries=20, show_spinner=False)
def _fusion_map(path: str, map_time: int, results_time: int) -> pd.DataFrame:
    return tables.fusion_map(RunDir(Path(path)))


def fusion_headlines(run: RunDir, languages: str) -> dict[str, str]:
    """Task -> what its fusion attends to most and needs most, in a group of languages, one, or all."""
    return _fusion_headlines(str(run.path), *_map_times(run), languages)


@st.cache_data(max_entries=100, show_spinner=False)
def _fusion_headlines(path: str, map_time: int, results_time: int, languages: str) -> dict[str, str]:
    rows = among(_fusion_map(path, map_time, results_time), languages)
    return {task: headline(part, knock_out_metric(task)) for task, part in rows.groupby("task", sort=False)}


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
