"""Overview: what is here, the four stages with a run's own numbers, which adapter does what, and a button for the demo."""

import pandas as pd
import streamlit as st

from core.languages import GROUP_MEANING, GROUPS
from core.recipes import named
from core.runs import tables
from core.runs.store import RunDir
from workbench import charts, figures, jobs, loaders
from workbench.exports import menu
from workbench.fusion.charts import ALL_LANGUAGES
from workbench.overview import loaders as overview_loaders
from workbench.overview import tables as overview_tables
from workbench.overview.stage_picture import picture
from workbench.results import charts as results_charts
from workbench.runs import tables as run_tables
from workbench.terminal import duration

GIB = 2**30
LINKS = (
    ("fusion_attention", "See which adapter each fusion picks", ":material/grid_on:"),
    ("probe", "Type a sentence and see its tokens", ":material/search:"),
    ("entity_space", "See entities of all languages in one space", ":material/scatter_plot:"),
    ("knowledge", "Ask it for a fact", ":material/psychology:"),
    ("results", "Compare every language, and the paper", ":material/table_chart:"),
    ("launch", "Start an ablation of your own", ":material/rocket_launch:"),
)


def start_demo() -> None:
    try:
        st.session_state["run"] = jobs.start_preset("demo").name
        st.session_state["go_to_runs"] = True
    except (ValueError, OSError) as error:
        st.session_state["problem"] = str(error)


def demo() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Run the demo", key="demo", type="primary", icon=":material/play_arrow:", on_click=start_demo)
        budget = named("demo")
        st.caption(
            f"Trains {', '.join(r.upper() for r in budget.adapters.trained())} and their fusion on the embedded default, "
            f"measures {len(budget.tasks.entity_alignment.test_languages)} languages; about ten minutes on two cores."
        )
    if problem := st.session_state.pop("problem", None):
        st.error("The demo could not start.")
        st.text(problem)
    if st.session_state.pop("go_to_runs", False):
        st.switch_page("../pages/runs.py")


def facts(runs: list[RunDir], shown: RunDir | None) -> None:
    machine = overview_loaders.machine()
    states = run_tables.history(runs).state.tolist()
    numbers = {"Runs": f"{len(runs)}", "Running, waiting": f"{states.count('running')}, {states.count('queued')}"}
    if shown is not None:
        found = loaders.results([shown])
        numbers["Systems, languages"] = f"{found.system.nunique()}, {found.language.nunique()}"
    numbers[f"Load of {machine.cores} cores"] = f"{100 * machine.load:.0f} %"
    numbers[f"Free of {machine.memory / GIB:.0f} GiB memory"] = f"{machine.memory_free / GIB:.1f} GiB"
    for gpu in machine.gpus:
        busy = "" if gpu.busy is None else f"{100 * gpu.busy:.0f} %, "
        numbers[gpu.name] = f"{busy}{gpu.memory_used / GIB:.0f} of {gpu.memory / GIB:.0f} GiB"
    if not machine.gpus:
        numbers["GPU"] = "none"
    numbers["Disk free"] = f"{machine.disk_free / GIB:.0f} GiB"
    with st.container(horizontal=True):
        for name, value in numbers.items():
            st.metric(name, value, width=132)


def progress(runs: list[RunDir]) -> None:
    for run in runs:
        status = run.status()
        if status.state == "running":
            share = min(1.0, status.done / status.total) if status.total else 0.0
            st.progress(share, f"{run.name}: {status.stage}, {duration(status.seconds_left())} left")


def what_does_what(run: RunDir) -> None:
    found = overview_tables.gains(loaders.results([run]))
    if found.empty:
        return
    st.header("Which adapter does what, in which languages")
    st.text(
        f"Points gained over the backbone without that part, run {run.name}, recipe {run.config.recipe}, protocol strict."
    )
    for line in overview_tables.strongest(found):
        st.text(f"• {line}")
    for column, (task, part) in zip(st.columns(found.task.nunique()), found.groupby("task", sort=False), strict=True):
        with column:
            gained(run, str(task), part)
    st.caption(" · ".join(f"{g}: {GROUP_MEANING[g]}" for g in GROUPS if g in set(found.group)))


def gained(run: RunDir, task: str, part: pd.DataFrame) -> None:
    metric, name = part.metric.iloc[0], overview_tables.title(task)
    modes = ", ".join(f"{m}: {' '.join(dict.fromkeys(rows.system))}" for m, rows in part.groupby("mode", sort=False))
    st.markdown(f"**{name}** · {metric}, points over the backbone")
    about = f"Points of {metric} over the backbone by system and language group, {name}"
    figure = results_charts.gain_heat(overview_tables.grid(part), metric)
    st.plotly_chart(figure, key=f"gain_{task}", config=charts.CONFIG, alt=about)
    st.caption(modes)
    if run.fusion_map_file.is_file() and (line := loaders.fusion_headlines(run, ALL_LANGUAGES).get(task)):
        st.text(f"Its fusion: {line}")
    with st.expander("Table"):
        numbers = {
            c: st.column_config.NumberColumn(format="%+.1f" if c == "gain" else "%.1f") for c in part.columns[5:]
        }
        st.dataframe(part, hide_index=True, key=f"gains_{task}", column_config=numbers, alt=about)
    command = figures.command("results", run.name, task=task, metric=metric, protocol="strict", by="group")
    menu(
        f"gain_{task}",
        figure=figure,
        table=part,
        name=f"{run.name}.{task}.gains",
        runs=[run],
        command=command,
        caption=about,
    )


st.title("Multilingual knowledge workbench")
st.text("Four adapters learn a multilingual knowledge graph, a fusion mixes them per task: see what each of them does.")
runs = loaders.all_runs()
finished = tables.finished(runs)
demo()
facts(runs, finished[0] if finished else None)
progress(runs)
if finished:
    newest = finished[0]
    st.header("Four stages, and the numbers of the newest run")
    st.text(f"{newest.name}: {run_tables.about(newest)}.")
    st.html(picture(overview_tables.stages(newest), "The four stages of the run, with its numbers"))
    what_does_what(newest)
    st.header("Go on")
    with st.container(horizontal=True):
        for page, words, icon in LINKS:
            st.page_link(f"../pages/{page}.py", label=words, icon=icon)
else:
    st.info("No run has results yet: start the demo, and its numbers appear here.")
