"""The comparison of 2 to 20 runs, as the page draws it: curves, results and configs side by side."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.evaluation.protocols import PROTOCOLS
from core.runs import tables
from core.runs.store import RunDir
from workbench import charts, figures, loaders, pickers
from workbench.exports import menu
from workbench.runs import charts as run_charts
from workbench.runs import tables as run_tables

MOST = 20
_PANELS = 6  # stages drawn before anybody chooses
_TRAINED_FIRST = ("ep", "tp", "es", "ts", "large")


def pick_others(run: RunDir, runs: Sequence[RunDir]) -> list[RunDir]:
    """The runs beside one, in the order in which they were chosen; at most 19, so that twenty are shown."""
    by_name = {one.name: one for one in runs if one.name != run.name}
    pickers.fit_many("others", list(by_name))
    st.session_state["others"] = st.session_state["others"][: MOST - 1]
    names = st.multiselect(
        "Beside it",
        list(by_name),
        key="others",
        persist_state="session",
        format_func=run_tables.labels(runs).__getitem__,
        max_selections=MOST - 1,
        placeholder="Other runs",
    )
    return [by_name[name] for name in names]


def show(runs: Sequence[RunDir]) -> None:
    """Everything of some runs side by side; the first is what the others are compared with."""
    names = run_tables.short_names(runs)
    st.text(f"{len(runs)} runs side by side; differences are from the first, {names[runs[0].name]}: {runs[0].name}.")
    _configs(runs, names)
    _results(runs, names)
    st.header("Learning curves")
    frames = [loaders.steps(run).assign(run=run.name) for run in runs]
    curves(pd.concat(frames, ignore_index=True), runs, names, "compared")


def curves(steps: pd.DataFrame, runs: Sequence[RunDir], names: dict[str, str], key: str) -> None:
    """The loss by stage, with the choice of stages and of a smoothing."""
    stages = sorted(dict.fromkeys(steps.stage), key=lambda s: (s not in _TRAINED_FIRST, not s.startswith("fusion.")))
    if not stages:
        st.caption("No training step yet.")
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        pickers.fit_many("stages", stages, stages[:_PANELS])
        st.multiselect("Stages", stages, key="stages", persist_state="session", format_func=run_charts.stage_title)
    with right:
        window = int(pickers.choose("Smoothing", "smooth", ["1", "5", "10", "25"], _smoothing))
    chosen = [stage for stage in stages if stage in st.session_state["stages"]]
    steps = steps[steps.stage.isin(chosen)]
    figure = run_charts.curves_by_stage(steps, names, chosen, window)
    about = f"Loss of {', '.join(map(run_charts.stage_title, chosen))} by step, of {', '.join(names.values())}"
    st.plotly_chart(figure, key=f"curves_{key}", config=charts.CONFIG, alt=about)
    table = run_charts.curve_table(steps)
    with st.expander("Table"):
        numbers = {name: st.column_config.NumberColumn(format="%.3f") for name in table.columns if "loss" in name}
        numbers["pairs_per_second"] = st.column_config.NumberColumn("pairs per second, median", format="%.1f")
        st.dataframe(table, hide_index=True, key=f"curve_table_{key}", column_config=numbers, alt="Losses by stage")
    words = figures.command("curves", [run.name for run in runs], stage=chosen, smooth=str(window))
    menu(f"curves_{key}", figure=figure, table=steps, name="learning-curves", runs=runs, command=words, caption=about)


def _smoothing(window: str) -> str:
    return "none" if window == "1" else f"mean of {window}"


def _configs(runs: Sequence[RunDir], names: dict[str, str]) -> None:
    st.header("Config")
    only = st.toggle("Only differences", value=True, key="only_differences", persist_state="session")
    table = run_tables.configs(runs, only)
    if table.empty:
        st.text("Their configs are equal in every field.")
        return
    titles = {run.name: names[run.name] for run in runs}
    st.dataframe(
        table,
        hide_index=True,
        key="configs",
        column_config={name: st.column_config.TextColumn(title, help=name) for name, title in titles.items()},
        alt="Fields of the configs, a column a run",
    )
    command = ["workbench", "runs", "--json"]
    menu("configs", table=table, name="configs", runs=runs, command=command, caption="Configs side by side")


def _results(runs: Sequence[RunDir], names: dict[str, str]) -> None:
    st.header("Results")
    measured = tables.finished(runs)
    if not measured:
        st.text("None of them has results yet.")
        return
    if missing := [names[run.name] for run in runs if run not in measured]:
        st.caption(f"No results yet: {', '.join(missing)}.")
    found = loaders.results(measured)
    protocols = [p for p in PROTOCOLS if p in set(found.protocol)]
    with st.container(width=320):
        protocol = pickers.choose("Protocol", "protocol", protocols)
    table = run_tables.results_beside(found[found.protocol == protocol], measured)
    columns = {}
    for number, run in enumerate(measured):
        title = names[run.name]
        columns[run.name] = st.column_config.NumberColumn(title, format="%.1f", help=run.name)
        if number:
            columns[f"Δ {run.name}"] = st.column_config.NumberColumn(f"Δ {title}", format="%+.1f", help=run.name)
    st.caption(f"In %, protocol {protocol}: {PROTOCOLS[protocol].meaning}.")
    st.dataframe(
        table,
        hide_index=True,
        key="results_beside",
        placeholder="–",
        column_config=columns,
        alt="Results, a column a run",
    )
    command = ["workbench", "tables", *(r.name for r in measured), "--protocol", protocol, "--by", "group", "--csv"]
    menu("results_beside", table=table, name="results", runs=measured, command=command, caption="Results side by side")
