"""Runs: the history, and one run live: progress, learning curves, log, config and provenance; stop and resume."""

import time

import pandas as pd
import streamlit as st

from core.runs.store import RunDir
from workbench import charts, jobs, loaders, pickers
from workbench.terminal import duration

STATE_COLORS = {
    "running": "blue",
    "done": "green",
    "failed": "red",
    "died": "red",
    "stopped": "orange",
    "queued": "gray",
}


def act(action, run: RunDir) -> None:
    try:
        action(run)
    except (ValueError, OSError) as error:
        st.session_state["problem"] = str(error)


def history(runs: list[RunDir]) -> None:
    rows = []
    for run in runs:
        status, config = run.status(), run.config
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.started)) if status.started else ""
        took = duration(status.heartbeat - status.started) if status.started else ""
        rows.append((run.name, status.state, config.recipe, config.seed, started, took, status.message or status.stage))
    columns = ["run", "state", "recipe", "seed", "started", "took", "last words"]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True, alt="All runs", key="history")


def live(run: RunDir, running: bool) -> None:
    status = run.status()
    st.badge(status.state, color=STATE_COLORS[status.state])
    if status.state == "running":
        share = min(1.0, status.done / status.total) if status.total else 0.0
        st.progress(share, f"{status.stage} · {100 * share:.0f} % · {duration(status.seconds_left())} left")
        st.button("Stop after this step", key="stop", on_click=act, args=(jobs.stop, run))
    elif running:
        st.rerun()  # one full run: switches the polling off
    elif status.state in ("stopped", "failed", "died", "queued") and not run.cached:
        if status.message:
            st.text(status.message)
        st.button("Resume", key="resume", on_click=act, args=(jobs.resume, run))
    steps = loaders.steps(run)
    if len(steps):
        st.plotly_chart(charts.learning_curves(steps), key="curves", config=charts.CONFIG, alt="Loss by stage")
    else:
        st.caption("No training step yet.")


def details(run: RunDir) -> None:
    provenance = run.provenance()
    attempt = (provenance.get("attempts") or [{}])[-1]
    st.caption(
        f"fingerprint {run.config.fingerprint()} · seed {run.config.seed} · recipe {run.config.recipe} · "
        f"commit {str(attempt.get('commit', 'unknown'))[:12]} · peak memory {run.status().peak_memory / 2**30:.1f} GiB"
    )
    with st.expander("Config"):
        st.code(run.config.to_yaml(), language="yaml")
    with st.expander("Differs from its recipe in"):
        changed = provenance.get("deviations", {})
        table = pd.DataFrame(
            [(k, str(a), str(b)) for k, (a, b) in changed.items()], columns=["field", "recipe", "this run"]
        )
        st.dataframe(table, hide_index=True, key="deviations", alt="Fields that differ from the recipe")
    with st.expander("Provenance"):
        st.json(provenance)
    with st.expander("Log"):
        st.code(loaders.log_tail(run) or "The log is empty.", language=None)


st.title("Runs")
runs = loaders.all_runs()
if problem := st.session_state.pop("problem", None):
    st.error(problem)
for name, reason in loaders.unreadable_runs().items():
    st.warning(f"{name} cannot be shown.")
    st.text(reason)
if runs:
    with st.sidebar:
        run = pickers.pick_run(runs)
    history(runs)
    st.subheader(run.name)
    running = run.status().state == "running"
    st.fragment(live, run_every=1.0 if running else None)(run, running)
    details(run)
else:
    st.info("There are no runs yet. Start the demo on the overview, or with: workbench demo")
