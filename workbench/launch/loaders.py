"""The cached function of the Launch page."""

from pathlib import Path

import streamlit as st

from core.execution.estimate import Pace, pace
from core.runs.store import RunDir
from workbench import loaders


def known_pace(shipped: bool) -> Pace:
    """What the finished runs of this machine needed, or those that ship with the project."""
    runs = [run for run in loaders.all_runs() if run.cached == shipped and run.status_file.is_file()]
    return _pace(tuple((str(run.path), run.status_file.stat().st_mtime_ns) for run in runs))


@st.cache_data(max_entries=10, show_spinner=False)
def _pace(runs: tuple[tuple[str, int], ...]) -> Pace:
    return pace(RunDir(Path(path)) for path, _ in runs)
