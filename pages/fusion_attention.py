"""Fusion attention: what each adapter does in each task's fusion, by layer, against untrained fusions of the same ones."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.evaluation.fusion_map import MEASURES, chance_outside, knock_out_metric
from core.languages import GROUP_MEANING, GROUPS, describe
from core.runs.store import RunDir
from workbench import charts, figures, loaders, pickers
from workbench.exports import menu
from workbench.fusion import charts as fusion_charts

VIEW_MEANING = {
    "trained": "of the trained fusion",
    "null": "of untrained fusions of the same adapters, mean over them",
    "difference": "of the trained fusion minus that of untrained ones",
}


def sentence(selection: pickers.Fusion, cells: pd.DataFrame) -> str:
    name, languages = selection.languages, cells.languages.max()
    places = f"mean over {languages} languages" if languages > 1 else "one language"
    if name in GROUPS:
        places += f" of {name} ({GROUP_MEANING[name]})"
    elif name != fusion_charts.ALL_LANGUAGES:
        places = describe(name).name
    protocol = "; metrics under protocol strict" if selection.measure == "knock_out" else ""
    shown = f"{MEASURES[selection.measure]}, {VIEW_MEANING[selection.view]}; {places}{protocol}. "
    return shown[0].upper() + shown[1:] + " ".join(map(about, selection.runs))


def about(run: RunDir) -> str:
    plan = run.config.evaluation.fusion_map
    texts = f", up to {plan.examples} test examples per language" if plan else ""
    return f"Run {run.name}, recipe {run.config.recipe}, seed {run.config.seed}{texts}."


def legend(run: RunDir, measure: str, cells: pd.DataFrame) -> str:
    if measure == "knock_out":
        confidence = f"{100 * run.config.evaluation.confidence:g} % intervals from a paired bootstrap over examples"
        return f"{confidence}; of several languages, the mean of theirs. Hollow: the interval holds zero."
    plan = run.config.evaluation.fusion_map
    if cells.null.isna().all() or plan is None:
        return "The run looked into no untrained fusions (evaluation.fusion_map.null_fusions): chance is not known."
    chance = f"Chance alone puts up to {chance_outside(plan.null_fusions):.0%} of the cells outside."
    return f"Faded or hollow: inside the range of {plan.null_fusions} untrained fusions. {chance}"


def enlarge(task: str) -> None:
    st.session_state["task"] = task


def verdict(part: pd.DataFrame, measure: str) -> str:
    if measure == "knock_out":
        part = part[part.metric == knock_out_metric(part.task.iloc[0])]
        return f"{part.clear.sum()} of {len(part)} slots: effect clear of zero"
    return f"{part.clear.sum()} of {len(part)} outside chance" if part.null.notna().any() else ""


def figure(
    part: pd.DataFrame, selection: pickers.Fusion, scale: tuple[float, float], number: int, large: bool
) -> go.Figure:
    task = part.task.iloc[0]
    size = "large" if large else "small"
    drawn = fusion_charts.draw(part, selection.measure, selection.view, scale, large)
    alt = f"{MEASURES[selection.measure]}, {pickers.task_title(task)}, {selection.runs[number].name}"
    config = charts.CONFIG if large else {"displayModeBar": False}
    st.plotly_chart(drawn, key=f"{size}_{number}_{task}", config=config, alt=alt)
    return drawn


def overview(number: int, selection: pickers.Fusion, rows: pd.DataFrame, cells: pd.DataFrame, scale) -> None:
    run, tasks = selection.runs[number], list(dict.fromkeys(rows.task))
    if len(selection.runs) > 1:
        st.header(run.name)
    if rows.empty:
        st.text("This run's map has none of these languages.")
        return
    for task, line in loaders.fusion_headlines(run, selection.languages).items():
        st.text(f"{pickers.task_title(task)}: {line}")
    columns = st.columns(max(3, len(tasks)), vertical_alignment="bottom")
    for column, task in zip(columns, tasks, strict=False):
        part = cells[cells.task == task]
        with column:
            st.markdown(f"**{pickers.task_title(task)}**")
            if part.empty:
                st.caption(f"No {selection.measure} in this map.")
            else:
                st.caption(verdict(part, selection.measure))
                figure(part, selection, scale, number, large=False)
            kind = "primary" if task == selection.task else "secondary"
            st.button("Enlarge", key=f"enlarge_{number}_{task}", type=kind, on_click=enlarge, args=(task,))
    st.caption(legend(run, selection.measure, cells))


def export_all(number: int, selection: pickers.Fusion, found: pd.DataFrame) -> None:
    """Every task's numbers of a run, as `workbench fusion` tells them."""
    run, name, measure = selection.runs[number], selection.languages, selection.measure
    command = ["workbench", "fusion", run.name, "--measure", measure, "--by", "layer", "--csv"]
    if name != fusion_charts.ALL_LANGUAGES:
        command += ["--group" if name in GROUPS else "--language", name]
    if measure == "knock_out":
        command += ["--metric", "all"]
    rows = found.drop(columns="clear")
    rows.insert(0, "run", run.name)
    caption = f"{MEASURES[measure]}, languages: {name}"
    file = f"{run.name}.fusion.{measure}.{name}"
    menu(f"all_{number}", table=rows, name=file, runs=[run], command=command, caption=caption)


def export(number: int, selection: pickers.Fusion, part: pd.DataFrame, drawn: go.Figure) -> None:
    run, beside = selection.runs[number], [r.name for place, r in enumerate(selection.runs) if place != number]
    chosen = {key: getattr(selection, key) for key in ("task", "measure", "view", "languages")}
    command = figures.command("fusion", run.name, **chosen, beside=beside)
    file = ".".join((run.name, *chosen.values()))
    caption = figures.fusion_caption(**chosen)
    menu(f"large_{number}", figure=drawn, table=part, name=file, runs=[run], command=command, caption=caption)


def show(selection: pickers.Fusion) -> None:
    maps = [fusion_charts.among(loaders.fusion_map(run), selection.languages) for run in selection.runs]
    cells = [fusion_charts.cells(rows, selection.measure) for rows in maps]
    shown = pd.concat(cells)
    main = shown[shown.metric.isna() | (shown.metric == shown.task.map(knock_out_metric))]
    small, scale = (fusion_charts.limits(rows, selection.measure, selection.view) for rows in (main, shown))
    st.text(sentence(selection, shown))
    for number, (rows, found) in enumerate(zip(maps, cells, strict=True)):
        overview(number, selection, rows, found, small)
        if len(found):
            export_all(number, selection, found)
    st.header(pickers.task_title(selection.task))
    if selection.measure == "contribution":
        st.caption(f"Colours end at {scale[1]:.2f}, the 90th percentile of all cells; the numbers do not.")
    for column, (number, found) in zip(st.columns(len(cells)), enumerate(cells), strict=True):
        part = found[found.task == selection.task]
        with column:
            if len(cells) > 1:
                st.caption(selection.runs[number].name)
            if part.empty:
                st.text("This run's map has nothing of this task, measure and languages.")
            else:
                export(number, selection, part, figure(part, selection, scale, number, large=True))


st.title("Fusion attention")
selection = pickers.pick_fusion()
if selection is not None:
    show(selection)
