"""Overview: what is here, the four stages with the numbers of the newest run, and one button for the demo."""

import os
import shutil

import psutil
import streamlit as st

from core import catalog
from core.languages import GROUP_MEANING, GROUPS
from core.recipes import named
from core.runs import tables
from core.runs.store import RunDir, runs_root
from workbench import charts, jobs, loaders
from workbench.terminal import duration


def start_demo() -> None:
    try:
        st.session_state["run"] = jobs.start_preset("demo").name
        st.session_state["go_to_runs"] = True
    except (ValueError, OSError) as error:
        st.session_state["problem"] = str(error)


def stages(run: RunDir) -> None:
    config, provenance = run.config, run.provenance()
    backbone = provenance.get("data", {}).get("backbone", {}).get("name", config.backbone.source)
    trained = {role.upper(): plan for role, plan in config.adapters.trained().items()}
    fused = {name: task.fusion_training for name, task in config.tasks.chosen().items()}
    tuned = {name: task.fine_tuning for name, task in config.tasks.chosen().items() if task.fine_tuning}
    texts = (
        ("1 · Backbone", "pretrained, frozen in stage 2", [backbone]),
        ("2 · Adapters", "each alone on its objective", [f"{r}: {_budget(p)}" for r, p in trained.items()]),
        ("3 · Fusion", "on a task, all else frozen", [f"{_title(t)}: {_budget(p)}" for t, p in fused.items()]),
        ("4 · Fine-tuning", "everything, on a task", [f"{_title(t)}: {_budget(p)}" for t, p in tuned.items()]),
    )
    for column, (title, meaning, lines) in zip(st.columns(4), texts, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            st.caption(meaning)
            for line in lines:
                st.text(line)


def _title(task: str) -> str:
    return catalog.item("task", task).title


def _budget(plan) -> str:
    amount = f"{plan.steps} steps" if plan.steps is not None else f"{plan.epochs:g} epochs"
    return f"{amount} × {plan.batch_size * plan.accumulation} pairs"


def headline(run: RunDir) -> None:
    found = loaders.results([run])
    rows = found[found.language.isna() & (found.protocol == "strict") & (found.metric == "Hit@1")]
    st.subheader("Which system does what, in which languages")
    measured = f"Hit@1 with {100 * run.config.evaluation.confidence:.0f} % intervals · protocol strict"
    groups = " · ".join(f"{g}: {GROUP_MEANING[g]}" for g in GROUPS)
    st.caption(f"{measured} · run {run.name} · recipe {run.config.recipe} · {groups}")
    tasks = list(dict.fromkeys(rows.task))
    for column, task in zip(st.columns(len(tasks)), tasks, strict=True):
        with column:
            st.markdown(f"**{_title(task)}**")
            figure = charts.group_dots(rows[rows.task == task], "Hit@1 (%)")
            st.plotly_chart(figure, key=f"head_{task}", config=charts.CONFIG, alt=f"Hit@1 by system and group, {task}")


def facts(runs: list[RunDir]) -> None:
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(_existing(runs_root()))
    states = [run.status().state for run in runs]
    numbers = {
        "Runs": f"{len(runs)}",
        "Running now": f"{states.count('running')}",
        f"Load of {os.cpu_count()} cores": f"{100 * psutil.getloadavg()[0] / (os.cpu_count() or 1):.0f} %",
        f"Free of {memory.total / 2**30:.0f} GiB memory": f"{memory.available / 2**30:.1f} GiB",
        "Disk free": f"{disk.free / 2**30:.0f} GiB",
    }
    for column, (name, value) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(name, value)


def _existing(folder):
    return folder if folder.exists() else _existing(folder.parent)


st.title("Multilingual knowledge workbench")
st.text("Four adapters learn a multilingual knowledge graph, a fusion mixes them per task: see what each of them does.")
runs = loaders.all_runs()
facts(runs)
with st.container(horizontal=True, vertical_alignment="center"):
    st.button("Run the demo", key="demo", type="primary", icon=":material/play_arrow:", on_click=start_demo)
    budget = named("demo")
    st.caption(
        f"Trains {', '.join(r.upper() for r in budget.adapters.trained())} and their fusion on the embedded default, "
        f"measures {len(budget.tasks.entity_alignment.test_languages)} languages; about ten minutes on two cores."
    )
if problem := st.session_state.pop("problem", None):
    st.error(problem)
if st.session_state.pop("go_to_runs", False):
    st.switch_page("../pages/runs.py")
running = [run for run in runs if run.status().state == "running"]
for run in running:
    status = run.status()
    st.progress(
        min(1.0, status.done / status.total) if status.total else 0.0,
        f"{run.name}: {status.stage}, {duration(status.seconds_left())} left",
    )
finished = tables.finished(runs)
if finished:
    stages(finished[0])
    headline(finished[0])
else:
    st.info("No run has results yet: start the demo, and its numbers appear here.")
