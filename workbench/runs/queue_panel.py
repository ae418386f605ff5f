"""The local queue as the Launch page shows it: what runs and waits, its slots, and pause."""

import pandas as pd
import streamlit as st

from core.execution.queue import MOST_SLOTS, Queue

_PROBLEM = "queue_problem"


def show() -> None:
    """What runs and what waits, and the widgets that change it."""
    queue = Queue()
    try:
        plan, waiting, busy = queue.plan(), queue.waiting(), queue.busy()
    except ValueError as error:
        st.error("The queue cannot be read.")
        st.text(str(error))
        return
    if message := st.session_state.pop(_PROBLEM, None):
        st.error("The queue was not changed.")
        st.text(message)
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    paused = "; paused" if plan.paused else ""
    left.text(f"{len(busy)} running, {len(waiting)} waiting{paused}.")
    st.session_state["slots"] = plan.slots
    slots = "Runs at once; each takes every core unless `compute.threads` says less."
    middle.number_input("Slots", 1, MOST_SLOTS, key="slots", on_change=_change, args=("slots",), help=slots)
    if plan.paused or queue.is_abandoned():
        right.button("Go on", key="queue_resume", on_click=_change, args=("resume",))
    else:
        right.button("Pause", key="queue_pause", on_click=_change, args=("pause",), disabled=not waiting)
    if queue.is_abandoned():
        st.warning(
            "Runs wait, but the queue's process is gone: it was killed, or the machine restarted. Go on with it."
        )
    rows = [(n, run.name, "" if run.problem() else run.config.title) for n, run in enumerate(waiting, 1)]
    if rows:
        table = pd.DataFrame(rows, columns=["place", "run", "title"])
        st.dataframe(table, hide_index=True, key="queue_table", alt="The runs that wait, in order")
        st.caption("Reorder and cancel on the page Runs, or with `workbench queue move RUN PLACE`.")


def _change(action: str) -> None:
    queue = Queue()
    try:
        if action == "slots":
            queue.set_slots(st.session_state["slots"])
        else:
            (queue.pause if action == "pause" else queue.resume)()
    except (ValueError, OSError) as error:
        st.session_state[_PROBLEM] = str(error)
