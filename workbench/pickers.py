"""What is looked at: typed selections drawn in the sidebar, under keys that `workbench.permalink` keeps in the URL."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import pandas as pd
import streamlit as st

from core import catalog
from core.config import SYSTEMS
from core.evaluation.fusion_map import MEASURES
from core.evaluation.protocols import PROTOCOLS
from core.languages import GROUPS, describe
from core.runs import tables
from core.runs.store import RunDir
from core.task_config import TaskName
from workbench import loaders, permalink
from workbench.fusion.charts import ALL_LANGUAGES, VIEWS


@dataclass(frozen=True)
class Selection:
    """What the results pages show: one run, one task, one metric under one protocol."""

    run: RunDir
    task: str
    metric: str
    protocol: str


@dataclass(frozen=True)
class Ablation:
    """What the ablation page shows; no tasks or systems means all, no metric each task's first."""

    runs: list[RunDir]
    tasks: list[str]
    systems: list[str]
    metric: str | None
    protocol: str
    mode: str
    by: str

    def command(self) -> list[str]:
        """The command that prints the same rows."""
        words = ["workbench", "ablation", *(run.name for run in self.runs)]
        words += [word for task in self.tasks for word in ("--task", task)]
        words += [word for system in self.systems for word in ("--system", system)]
        words += ["--metric", self.metric] if self.metric else []
        return [*words, "--protocol", self.protocol, "--mode", self.mode, "--by", self.by, "--csv"]


@dataclass(frozen=True)
class Fusion:
    """What the fusion page shows of one run or two; `task` is the one drawn large."""

    runs: list[RunDir]
    measure: str
    view: str
    languages: str
    task: str


def pick_run(runs: Sequence[RunDir], label: str = "Run") -> RunDir:
    """A run, by name; the first one at the start."""
    by_name = {run.name: run for run in runs}
    fit("run", list(by_name))
    return by_name[
        st.selectbox(label, list(by_name), key="run", persist_state="session", format_func=_run_title(by_name))
    ]


def pick_results() -> Selection | None:
    """Run, task, metric and protocol of the results to show, or None when no run has results (and the page says so)."""
    runs = tables.finished(loaders.all_runs())
    if not runs:
        st.info("No run has results yet. Start the demo on the overview, or with: workbench demo")
        return None
    with st.sidebar:
        run = pick_run(runs)
        found = loaders.results([run])
        tasks = list(dict.fromkeys(found.task))
        task = choose("Task", "task", tasks, task_title)
        rows = found[found.task == task]
        metrics, protocols = list(dict.fromkeys(rows.metric)), [p for p in PROTOCOLS if p in set(rows.protocol)]
        metric = choose("Metric", "metric", metrics)
        protocol = choose("Protocol", "protocol", protocols, help=protocol_help())
    return Selection(run, task, metric, protocol)


def pick_ablation() -> Ablation | None:
    """Runs, tasks, systems, metric, protocol and grouping to show, or None when no run has results."""
    by_name = {run.name: run for run in tables.finished(loaders.all_runs())}
    if not by_name:
        st.info("No run has results yet. Start the demo on the overview, or with: workbench demo")
        return None
    with st.sidebar:
        fit_many("runs", list(by_name), [next(iter(by_name))])
        names = st.multiselect(
            "Runs",
            list(by_name),
            key="runs",
            persist_state="session",
            format_func=_run_title(by_name),
            help="Runs of several tasks or systems, or several seeds of one set-up, which are averaged.",
        )
        runs = [by_name[name] for name in names]
        found = loaders.results(runs)
        tasks = [t for t in get_args(TaskName) if t in set(found.task)]
        systems = [s for s in SYSTEMS if s in set(found.system)]
        fit_many("tasks", tasks)
        st.multiselect("Tasks", tasks, key="tasks", persist_state="session", format_func=task_title, placeholder="All")
        fit_many("systems", systems)
        st.multiselect("Systems", systems, key="systems", persist_state="session", placeholder="All")
        metrics = ["", *dict.fromkeys(found.metric)]
        choose("Metric", "ablation_metric", metrics, lambda m: m or "first of each task", "Hit@1, or F1")
        choose("Protocol", "protocol", [p for p in PROTOCOLS if p in set(found.protocol)], help=protocol_help())
        choose("Mode", "ablation_mode", [m for m in ("fine-tuned", "zero-shot") if m in set(found["mode"])])
        pick_by()
    state = st.session_state
    chosen = (state["ablation_metric"] or None, state["protocol"], state["ablation_mode"], state["by"])
    return Ablation(runs, state["tasks"], state["systems"], *chosen)


def pick_pair(shown: pd.DataFrame) -> tuple[str, str, str] | None:
    """Task, baseline and system among the rows of an ablation, or None where no task has two systems."""
    systems = shown.groupby("task", sort=False).system.unique()
    tasks = [task for task, found in systems.items() if len(found) > 1]
    if not tasks:
        return None
    columns = st.columns(3)
    with columns[0]:
        task = choose("Task", "task", tasks, task_title)
    with columns[1]:
        baseline = choose("Baseline", "baseline", list(systems[task]))
    with columns[2]:
        others = [system for system in reversed(systems[task]) if system != baseline]
        system = choose("System", "system", others)
    return task, baseline, system


def pick_fusion() -> Fusion | None:
    """Runs, measure, view, languages and task of the fusion maps to show, or None when there is no map to show."""
    runs = loaders.all_runs()
    if not runs:
        st.info("There are no runs yet. Start the demo on the overview, or with: workbench demo")
        return None
    asked = st.session_state.get("run")  # shown without a map too: the page says how to make one
    with st.sidebar:
        run = pick_run([r for r in runs if r.fusion_map_file.is_file() or r.name == asked] or runs)
    if (frame := _fusion_map(run)) is None:
        return None
    with st.sidebar:
        others = [r.name for r in runs if r.fusion_map_file.is_file() and r.name != run.name]
        beside = choose("Beside it", "beside", ["", *others], lambda name: name or "no second run")
    second = [(r, found) for r in runs if r.name == beside and (found := _fusion_map(r)) is not None]
    with st.sidebar:
        measure = choose("Measure", "measure", [m for m in MEASURES if m in set(frame.measure)], help=_measures_help())
        has_null = (frame[frame.measure == measure].fusion == "null").any()
        view = choose("View", "view", list(VIEWS) if has_null else ["trained"], _view_title)
        groups = [group for group in GROUPS if group in set(frame.group)]
        codes = sorted(set(frame.language), key=lambda code: describe(code).name)
        names = {ALL_LANGUAGES: "All languages"} | {code: f"{describe(code).name} ({code})" for code in codes}
        languages = choose("Languages", "languages", [ALL_LANGUAGES, *groups, *codes], lambda x: names.get(x, x))
        tasks = list(dict.fromkeys(task for found in (frame, *(f for _, f in second)) for task in found.task))
        task = choose("Task drawn large", "task", tasks, task_title)
    return Fusion([run, *(r for r, _ in second)], measure, view, languages, task)


def _fusion_map(run: RunDir) -> pd.DataFrame | None:
    """A run's map, or None where it cannot be shown (and the page says why)."""
    try:
        return loaders.fusion_map(run)
    except (ValueError, OSError) as error:
        st.info("There is no fusion map to show. Choose another run, or make one.")
        st.text(f"{run.name}: {error}")
        return None


def pick_by() -> str:
    """Whether places are language groups or languages."""
    return choose("By", "by", ["group", "language"])


def pick_source(titles: dict[str, str]) -> str:
    """What to audit, of key -> title."""
    return choose("Audit", "source", list(titles), titles.__getitem__)


def task_title(task: str) -> str:
    """A task's name for people."""
    return catalog.item("task", task).title


def choose(
    label: str, key: str, options: Sequence[str], format_func: Callable[[str], str] = str, help: str | None = None
) -> str:
    """A select box under a session key; a value that is no option (any more) becomes the first one."""
    fit(key, options)
    return st.selectbox(label, options, key=key, persist_state="session", format_func=format_func, help=help)


def fit_many(key: str, options: Sequence[str], start: Sequence[str] = ()) -> None:
    """Before a widget of several values: those that its options lack go; with none left it is `start`."""
    asked = st.session_state.get(key) or ()
    kept = [value for value in asked if value in options]
    st.session_state[key] = kept or list(start)
    if lacking := [value for value in asked if value not in options]:
        permalink.missed(key, lacking, st.session_state[key])


def fit(key: str, options: Sequence[str]) -> None:
    """Before a widget: a value that its options lack becomes the first one."""
    asked = st.session_state.get(key)
    if asked not in options:
        st.session_state[key] = options[0]
        if asked is not None:
            permalink.missed(key, asked, options[0])


def _run_title(by_name: dict[str, RunDir]):
    return lambda name: f"{name} (shipped)" if by_name[name].cached else name


def _view_title(view: str) -> str:
    return {"null": "untrained (null)", "difference": "trained - untrained"}.get(view, view)


def _measures_help() -> str:
    return "\n\n".join(f"**{name}**: {meaning}" for name, meaning in MEASURES.items())


def protocol_help() -> str:
    """What each protocol means, in Markdown."""
    return "\n\n".join(f"**{p.key}**: {p.meaning}" for p in PROTOCOLS.values())
