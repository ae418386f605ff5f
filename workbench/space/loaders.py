"""The entity spaces that the app keeps read, shared by all visitors, and the figures of their points."""

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.runs.spaces import Space, read_space
from core.runs.store import RunDir
from workbench.space import charts as space_charts
from workbench.space import tables as space_tables


def space(run: RunDir, name: str) -> Space:
    """A space of a run; nobody may change it.

    Raises:
        RunError: If there is none of that name, or its file is damaged or of another format.
    """
    file = run.space_file(name)
    return _space(str(run.path), name, file.stat().st_mtime_ns if file.is_file() else 0)


@st.cache_resource(max_entries=8, show_spinner="Reading the entity space ...")
def _space(path: str, name: str, time: int) -> Space:
    return read_space(RunDir(Path(path)), name)


def points(
    run: RunDir,
    name: str,
    systems: tuple[int, ...],
    layout: str,
    by: str,
    languages: tuple[str, ...],
    picked: tuple[int, ...],
    entity: int | None,
) -> go.Figure:
    """The figure of a space's points (`space_charts.points`); nobody may change it."""
    time = run.space_file(name).stat().st_mtime_ns
    return _points(str(run.path), name, time, systems, layout, by, languages, picked, entity)


@st.cache_resource(max_entries=8, show_spinner=False)
def _points(
    path: str,
    name: str,
    time: int,
    systems: tuple[int, ...],
    layout: str,
    by: str,
    languages: tuple[str, ...],
    picked: tuple[int, ...],
    entity: int | None,
) -> go.Figure:
    return space_charts.points(_space(path, name, time), systems, layout, by, languages, picked, entity)


def point_rows(
    run: RunDir, name: str, systems: tuple[int, ...], layout: str, languages: tuple[str, ...]
) -> pd.DataFrame:
    """The table behind the figure of points (`space_tables.point_rows`); nobody may change it."""
    return _point_rows(str(run.path), name, run.space_file(name).stat().st_mtime_ns, systems, layout, languages)


@st.cache_resource(max_entries=8, show_spinner=False)
def _point_rows(
    path: str, name: str, time: int, systems: tuple[int, ...], layout: str, languages: tuple[str, ...]
) -> pd.DataFrame:
    return space_tables.point_rows(_space(path, name, time), systems, layout, languages)
