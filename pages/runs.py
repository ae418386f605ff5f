"""Runs: queue and history, one run live with its curves, log, config and provenance, and 2 to 20 runs side by side."""

import streamlit as st

from core.runs.store import RunDir
from workbench import loaders, pickers
from workbench.exports import menu
from workbench.runs import actions as run_actions
from workbench.runs import comparison as run_comparison
from workbench.runs import tables as run_tables
from workbench.terminal import duration

STATE_COLORS = {
    "running": "blue",
    "done": "green",
    "failed": "red",
    "died": "red",
    "stopped": "orange",
    "queued": "gray",
}
LIVE = ("running", "queued")
LOOKS = ("One run", "Compare runs")


def open_row() -> None:
    """A click on a row of the history shows that run."""
    if rows := st.session_state["history"]["selection"]["rows"]:
        st.session_state["run"] = st.session_state["history_shown"][rows[0]]


def history(runs: list[RunDir]) -> None:
    rows = run_tables.history(runs)
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    left.text_input("Find", key="find", persist_state="session", placeholder="Words of a name, title, recipe, message")
    states = [state for state in STATE_COLORS if state in set(rows.state)]
    pickers.fit_many("states", states)
    right.pills("State", states, key="states", persist_state="session", selection_mode="multi")
    shown = run_tables.matching(rows, st.session_state["find"] or "", st.session_state["states"])
    st.session_state["history_shown"] = shown.run.tolist()
    st.caption(f"{len(shown)} of {len(rows)} runs. Click at the left edge of a row to see that run below.")
    st.dataframe(
        shown,
        hide_index=True,
        height=min(38 + 35 * max(1, len(shown)), 320),
        key="history",
        alt="Runs: state, progress, recipe, seed, start and duration",
        on_select=open_row,
        selection_mode="single-row",
        column_config={
            "run": st.column_config.TextColumn(width="medium"),
            "progress": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.0f %%"),
            "started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )
    menu("history", table=shown, name="runs", runs=[], command=["workbench", "runs", "--json"], caption="Runs")


def live(run: RunDir, running: bool) -> None:
    if not run.config_file.is_file():
        st.rerun()  # deleted or archived while it was shown: the picker says so
    status = run.status()
    if running != (status.state in LIVE) or run_actions.has_said():
        st.rerun()  # a full run switches the polling on or off, and shows what the last action has to say
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(status.state, color=STATE_COLORS[status.state])
        run_actions.buttons(run, status.state)
    steps = loaders.steps(run).assign(run=run.name)
    if status.state == "running":
        share = min(1.0, status.done / status.total) if status.total else 0.0
        st.progress(share, f"{status.stage} · {100 * share:.0f} % · {duration(status.seconds_left())} left")
    elif status.message:
        st.text(status.message)
    facts = {"Took": duration(status.heartbeat - status.started) if status.started else "–"}
    facts["Peak memory"] = f"{status.peak_memory / 2**30:.1f} GiB" if status.peak_memory else "–"
    if len(steps):
        last = steps.iloc[-1]
        facts |= {"Last step": f"{last.step:.0f} of {last.steps:.0f}", "Last loss": f"{last.loss:.3f} nats"}
        facts["Rate"] = f"{steps.pairs_per_second.iloc[-10:].median():.1f} pairs/s"
    for column, (name, value) in zip(st.columns(len(facts)), facts.items(), strict=True):
        column.metric(name, value)
    run_comparison.curves(steps, [run], run_tables.short_names([run]), "one")


def details(run: RunDir) -> None:
    provenance = run.provenance()
    attempt = (provenance.get("attempts") or [{}])[-1]
    st.caption(
        f"fingerprint {run.config.fingerprint()} · seed {run.config.seed} · recipe {run.config.recipe} · "
        f"commit {str(attempt.get('commit', 'unknown'))[:12]}"
    )
    with st.expander("Log"):
        st.code(loaders.log_tail(run) or "The log is empty.", language=None)
    with st.expander("Config"):
        text = run.config.to_yaml()
        st.download_button("config.yaml", text, f"{run.name}.yaml", key="config_file", on_click="ignore")
        st.code(text, language="yaml")
    with st.expander("Differs from its recipe in"):
        table = run_tables.deviations(run)
        st.dataframe(table, hide_index=True, key="deviations", alt="Fields that differ from the recipe")
        command = ["workbench", "runs", "--json"]
        menu("deviations", table=table, name=f"{run.name}.deviations", runs=[run], command=command)
    with st.expander("Provenance"):
        if run.provenance_file.is_file():
            text = run.provenance_file.read_text(encoding="utf-8")
            st.download_button("provenance.json", text, f"{run.name}.json", key="provenance_file", on_click="ignore")
        st.json(provenance, expanded=1)


st.title("Runs")
runs = loaders.all_runs()
run_actions.said()
for name, reason in loaders.unreadable_runs().items():
    st.warning(f"{name} cannot be shown.")
    st.text(reason)
if runs:
    with st.sidebar:
        look = pickers.choose("Show", "look", LOOKS)
        run = pickers.pick_run(runs)
        if look == LOOKS[1]:
            others = run_comparison.pick_others(run, runs)
    st.text(f"The queue and the history of {len(runs)} runs; below them {run.name}: {run_tables.about(run)}.")
    run_actions.queue(run_tables.labels(runs))
    history(runs)
    st.header(run.name if look == LOOKS[0] else "Comparison")
    if look == LOOKS[0]:
        running = run.status().state in LIVE
        st.fragment(live, run_every=1.0 if running else None)(run, running)
        details(run)
    elif others:
        run_comparison.show([run, *others])
    else:
        st.info("Choose the runs to compare it with in the sidebar, up to 19.")
else:
    st.info("There are no runs yet. Start the demo on the overview, or with: workbench demo")
