"""Ablation: Figure 5 for any runs, systems and tasks, what each system adds, and whether two of them differ."""

import pandas as pd
import streamlit as st

from core.reference import figure5
from core.runs.ablation import budget
from workbench import charts, figures, loaders, pickers
from workbench.ablation import summary as ablation_summary
from workbench.exports import menu
from workbench.pickers import task_title

PANELS = {"group": 3, "language": 1}  # side by side
NUMBER = st.column_config.NumberColumn(format="%.1f")
SIGNED = st.column_config.NumberColumn(format="%+.1f")
PERCENT = st.column_config.NumberColumn(format="%.2f %%")


def open_run(name: str) -> None:
    st.session_state.update(run=name, go_to_runs=True)


def panels(rows: pd.DataFrame, chosen: pickers.Ablation) -> None:
    """The figure; a click on a point offers its runs."""
    by, tasks, picked = chosen.by, list(dict.fromkeys(rows.task)), []
    for start in range(0, len(tasks), PANELS[by]):
        titles = {task: task_title(task) for task in tasks[start : start + PANELS[by]]}
        part = rows[rows.task.isin(list(titles))]
        figure = charts.ablation_panels(part, titles)
        event = st.plotly_chart(
            figure,
            key=f"panels_{start}",
            on_select="rerun",
            selection_mode="points",
            config=charts.CONFIG,
            alt=f"Value of every system by {by}: {', '.join(titles.values())}",
        )
        menu(
            f"panels_{start}",
            figure=figure,
            table=part,
            name=f"ablation.{by}.{'-'.join(titles)}",
            runs=chosen.runs,
            command=figures.command(
                "ablation",
                [run.name for run in chosen.runs],
                task=list(titles),
                system=chosen.systems,
                metric=chosen.metric,
                protocol=chosen.protocol,
                mode=chosen.mode,
                by=by,
            ),
            caption=f"{', '.join(titles.values())}: every system by {by}, {chosen.mode}",
        )
        picked += [
            name for p in event["selection"]["points"] if "customdata" in p for name in p["customdata"][4].split(", ")
        ]
    with st.container(horizontal=True):
        for name in dict.fromkeys(picked):
            st.button(f"Open {name}", key=f"open_{name}", on_click=open_run, args=(name,))


def show(frame: pd.DataFrame, key: str, alt: str, formats: dict) -> None:
    st.dataframe(frame, hide_index=True, key=key, alt=alt, column_config=formats)


def values(rows: pd.DataFrame, chosen: pickers.Ablation) -> None:
    formats = dict.fromkeys(("value", "low", "high", "authors' log", "sd"), NUMBER) | {"gain": SIGNED}
    formats |= dict.fromkeys(("of backbone", "paper, all adapters"), PERCENT)
    formats["parameters"] = st.column_config.NumberColumn(format="localized")
    show(ablation_summary.values(rows, chosen.by), "values", "Every system with its gain over the backbone", formats)
    st.caption("Gain: less the backbone in the same place. Parameters: those that a system adds to the backbone.")
    caption = f"Every system by {chosen.by}, {chosen.mode}, protocol {chosen.protocol}"
    menu("all", table=rows, name=f"ablation.{chosen.by}", runs=chosen.runs, command=chosen.command(), caption=caption)


def parameters(chosen: pickers.Ablation) -> None:
    paper = f"The paper says about {figure5.SHARE:g} % for all adapters together (section 1)."
    found = budget(chosen.runs)
    if found.empty:
        st.text(f"Parameters that a system adds: not stored by these runs. {paper}")
        return
    shares = ", ".join(f"{row.system} {row.share:.2f} %" for row in found.itertuples())
    st.text(f"Parameters added, in percent of the backbone: {shares}. {paper}")


def significance(rows: pd.DataFrame, chosen: pickers.Ablation) -> None:
    """Paired differences of two systems on the same test items."""
    st.header("Do two systems differ?")
    pair = pickers.pick_pair(rows)
    if pair is None:
        st.info("No task has two systems here. Choose more systems, or runs that measured more.")
        return
    task, *systems = pair
    part = rows[(rows.task == task) & rows.system.isin(systems)]
    names = {name for cell in part.runs for name in cell.split(", ")}
    runs = [run for run in chosen.runs if run.name in names]
    metric, protocol = part.metric.iloc[0], part.protocol.iloc[0]
    try:
        found = loaders.paired(runs, task, (systems[0], systems[1]), metric, protocol, chosen.by, chosen.mode)
    except (ValueError, OSError) as error:
        st.warning("These two cannot be compared.")
        st.text(str(error))
        return
    decisive = found[found.interval == ("seeds" if len(runs) > 1 else "entities")]
    above, below = (decisive.low > 0).sum(), (decisive.high < 0).sum()
    st.text(
        f"{systems[1]} less {systems[0]} in {metric}, percentage points, on {task_title(task)}, protocol {protocol}: "
        f"the interval lies above zero in {above} and below zero in {below} of {len(decisive)} {chosen.by}s."
    )
    formats = dict.fromkeys(("baseline", "value"), NUMBER) | dict.fromkeys(("difference", "low", "high"), SIGNED)
    formats["p"] = st.column_config.NumberColumn(format="%.3f")
    shown = ablation_summary.differences(found, chosen.by)
    show(shown, "paired", "Paired differences", formats)
    caption = f"{systems[1]} less {systems[0]} in {metric}, {task_title(task)}, protocol {protocol}"
    command = ["workbench", "compare", *(run.name for run in runs), "--task", task, "--systems", *systems]
    command += ["--metric", metric, "--protocol", protocol, "--mode", chosen.mode, "--by", chosen.by, "--csv"]
    menu("paired", table=shown, name=f"differences.{task}", runs=runs, command=command, caption=caption)
    samples = chosen.runs[0].config.evaluation.bootstrap_samples
    st.caption(
        f"Interval `entities` and the two-sided p: paired bootstrap, {samples} resamples of the test items, p not "
        "corrected for the number of rows. Interval `seeds`: t interval of the mean over seeds."
    )


st.title("Ablation")
if st.session_state.pop("go_to_runs", False):
    st.switch_page("../pages/runs.py")
chosen = pickers.pick_ablation()
if chosen is not None:
    request = (chosen.tasks, chosen.systems, chosen.metric, chosen.protocol, chosen.by, chosen.mode)
    try:
        rows = loaders.ablation(chosen.runs, *request)
    except ValueError as error:
        st.warning("These runs cannot stand in one figure.")
        st.text(str(error))
    else:
        st.text(ablation_summary.sentence(rows, chosen))
        st.caption(ablation_summary.legend(rows, chosen))
        panels(rows, chosen)
        values(rows, chosen)
        parameters(chosen)
        significance(rows, chosen)
