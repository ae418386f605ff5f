"""Cached reads behind the overview: the machine, asked every few seconds at most."""

from pathlib import Path

import streamlit as st

from core.runs.store import runs_root
from workbench.overview import hardware


@st.cache_data(ttl=3, max_entries=5, show_spinner=False)
def _machine(folder: str) -> hardware.Machine:
    return hardware.machine(Path(folder))


def machine() -> hardware.Machine:
    """What the machine has and how busy it is, at most three seconds old."""
    return _machine(str(runs_root()))
