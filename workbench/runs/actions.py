"""What can be done with runs, as buttons: stop, resume, run again, archive, and the order of those that wait."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.execution.queue import Queue
from core.runs.store import RunDir
from workbench import jobs

_SHOWN = 20  # of the runs that wait


def act(action: Callable[..., Any], *arguments: Any, say: str = "") -> None:
    """Do something from a button; `said` tells afterwards that it was done, or why it could not be."""
    try:
        action(*arguments)
        if say:
            st.session_state["done"] = say
    except (ValueError, OSError) as error:
        st.session_state["problem"] = str(error)


def has_said() -> bool:
    """Whether the last action has something to say that `said` has not shown: a button of a fragment reruns only that."""
    return "problem" in st.session_state or "done" in st.session_state


def said() -> None:
    """What the last action has to say."""
    if problem := st.session_state.pop("problem", None):
        st.error("That could not be done.")
        st.text(problem)
    if done := st.session_state.pop("done", None):
        st.success(done)


def buttons(run: RunDir, state: str) -> None:
    """The actions that a run in this state allows."""
    waits = state == "queued" and jobs.queue_position(run) is not None
    if state == "running":
        _button("Stop after this step", "stop", ":material/stop:", jobs.stop, run)
    elif waits:
        _button("Take out of the queue", "stop", ":material/playlist_remove:", jobs.stop, run)
    elif state != "done" and not run.cached:
        _button("Resume", "resume", ":material/play_arrow:", jobs.resume, run)
    if state != "running" and not waits:
        again = "A new run of the same config waits in the queue."
        _button("Run again", "retry", ":material/replay:", jobs.retry, run, say=again)
        if not run.cached:
            with st.popover("Archive", icon=":material/archive:", key="archive_menu"):
                st.text("Moves the run's folder to the archive beside the others, where no page shows it.")
                _button("Archive this run", "archive", None, jobs.archive, run, say="The run is in the archive.")


def _button(label: str, key: str, icon: str | None, action: Callable[..., Any], run: RunDir, say: str = "") -> None:
    st.button(label, key=key, icon=icon, on_click=act, args=(action, run), kwargs={"say": say})


def queue(names: dict[str, str]) -> None:
    """The runs that wait, in their order, with buttons that change it; nothing where none waits.

    Args:
        names: Run -> what a list calls it.
    """
    local = Queue()
    try:
        waiting, plan = local.waiting(), local.plan()
    except ValueError as error:
        st.warning("The queue cannot be read.")
        st.text(str(error))
        return
    if not waiting:
        return
    with st.container(border=True, key="queue"):
        head = st.container(horizontal=True, vertical_alignment="center")
        paused = "paused" if plan.paused else f"{plan.slots} at once"
        head.markdown(f"**Queue** · {len(waiting)} waiting · {paused}")
        if plan.paused:
            head.button("Go on", key="queue_resume", icon=":material/play_arrow:", on_click=act, args=(local.resume,))
        else:
            head.button("Pause", key="queue_pause", icon=":material/pause:", on_click=act, args=(local.pause,))
        if local.is_abandoned():
            st.warning("Nobody works on the queue: the machine restarted, or its process was ended.")
            st.button("Work on it", key="queue_wake", on_click=act, args=(local.wake,))
        for place, run in enumerate(waiting[:_SHOWN], 1):
            _waiting(place, run, names.get(run.name, run.name), len(waiting))
        if len(waiting) > _SHOWN:
            st.caption(f"and {len(waiting) - _SHOWN} more: workbench queue")


def _waiting(place: int, run: RunDir, name: str, in_all: int) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    row.text(f"{place}. {name}", width="stretch")
    moves: Sequence[tuple[str, str, int, bool]] = (
        ("first", ":material/vertical_align_top:", 1, place == 1),
        ("up", ":material/arrow_upward:", place - 1, place == 1),
        ("down", ":material/arrow_downward:", place + 1, place == in_all),
    )
    for move, icon, target, disabled in moves:
        row.button(
            "", key=f"{move}_{run.name}", icon=icon, help=f"Move {move}", disabled=disabled, on_click=act,
            args=(jobs.move, run, target),
        )  # fmt: skip
    row.button(
        "", key=f"cancel_{run.name}", icon=":material/close:", help="Take out of the queue", on_click=act,
        args=(jobs.stop, run),
    )  # fmt: skip
