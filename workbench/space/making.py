"""What the entity space page offers where a run has no space: the command, and a small space made in the background."""

import streamlit as st

from core.runs.store import RunDir
from workbench.space import jobs as space_jobs

_PROBLEM = "_space_problem"


def offer(run: RunDir) -> None:
    """Say how to make a run's space, and offer to make a small one, or show how far that is."""
    st.info(f"This run has no entity space yet. Make one with every layout (minutes): workbench space {run.name}")
    st.text(f"Run {run.name}, recipe {run.config.recipe}, seed {run.config.seed}.")
    if space_jobs.running(run):
        _watch(run)
        return
    if problem := st.session_state.pop(_PROBLEM, None) or space_jobs.progress(run)[1]:
        st.text(f"The last attempt ended without one. {problem}")
    label = f"Make a small one: {space_jobs.ENTITIES} entities, PCA and the measures"
    st.button(label, key="make_space", on_click=_make, args=(run,), type="primary")


def _make(run: RunDir) -> None:
    try:
        space_jobs.start(run)
    except OSError as error:
        st.session_state[_PROBLEM] = f"Error: {error}"


@st.fragment(run_every=1.0)
def _watch(run: RunDir) -> None:
    if not space_jobs.running(run):
        st.rerun()
    share, what = space_jobs.progress(run)
    st.progress(share, "Making a small entity space; it goes on without this tab.")
    st.text(what)
