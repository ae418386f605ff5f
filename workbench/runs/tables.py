"""Frames about runs: the history, their configs side by side, and their results side by side."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pandas as pd

from core import catalog, recipes
from core.config import SYSTEMS
from core.evaluation.metrics import MAIN_METRICS
from core.languages import GROUPS
from core.runs.store import RunDir
from workbench.terminal import duration

HISTORY = ("run", "title", "state", "progress", "stage", "recipe", "seed", "started", "took", "last words")
PLACE = ["task", "mode", "system", "group", "metric"]
ABSENT = "–"


def history(runs: Iterable[RunDir]) -> pd.DataFrame:
    """One row a run: columns `HISTORY`; `progress` in percent, `started` in local time, missing before the start."""
    rows = []
    for run in runs:
        status, config = run.status(), run.config
        started = pd.Timestamp.fromtimestamp(round(status.started)) if status.started else pd.NaT
        done = status.state == "done"
        share = 1.0 if done else status.done / status.total if status.total else 0.0
        took = duration(status.heartbeat - status.started) if status.started else ""
        stage = "" if done else status.stage
        values = (run.name, config.title, status.state, 100 * min(1.0, share), stage, config.recipe, config.seed)
        rows.append((*values, started, took, status.message))
    return pd.DataFrame(rows, columns=list(HISTORY))


def matching(rows: pd.DataFrame, text: str = "", states: Sequence[str] = ()) -> pd.DataFrame:
    """Rows of a history that are in one of some states (none: any) and have every word of a text somewhere."""
    words = text.casefold().split()
    texts = rows[["run", "title", "stage", "recipe", "last words", "seed"]].itertuples(index=False)
    said = [f"{' '.join(row[:-1])} seed {row[-1]}".casefold() for row in texts]
    found = [all(word in one for word in words) for one in said]
    in_state = [not states or state in states for state in rows.state]
    return rows[[a and b for a, b in zip(found, in_state, strict=True)]]


def configs(runs: Sequence[RunDir], only_differences: bool = True) -> pd.DataFrame:
    """The configs of some runs side by side.

    Args:
        runs: The runs.
        only_differences: Leave out the fields that are equal in all of them.

    Returns:
        Column `field` (dotted), and one a run, by name, with the values as text; `–` where a run lacks the section.
    """
    trees = [dict(_leaves(run.config.model_dump(mode="json"))) for run in runs]
    names = list(dict.fromkeys(name for tree in trees for name in tree))
    rows = [[name, *(tree.get(name, ABSENT) for tree in trees)] for name in names]
    if only_differences:
        rows = [row for row in rows if len(set(row[1:])) > 1]
    return pd.DataFrame(rows, columns=["field", *(run.name for run in runs)], dtype="str")


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{name}.")
        else:
            yield name, _text(value)


def results_beside(rows: pd.DataFrame, runs: Sequence[RunDir], metrics: Sequence[str] = ()) -> pd.DataFrame:
    """The results of several runs side by side, and what each later one has more than the first.

    Args:
        rows: Rows of groups of `core.runs.tables.results` under one protocol.
        runs: The runs, the one to compare with first.
        metrics: Metrics to keep; none keeps the main ones.

    Returns:
        Columns `PLACE`; the value of each run under its name; `Δ NAME` for every run but the first. Tasks as stored,
        systems and groups in the order of the paper.
    """
    kept = rows[rows.language.isna() & rows.metric.isin(list(metrics) or MAIN_METRICS)]
    names = [run.name for run in runs]
    wide = kept.pivot_table("value", PLACE, "run", sort=False, aggfunc="first").reindex(columns=names).reset_index()
    order = {
        "task": list(dict.fromkeys(rows.task)),
        "mode": ["zero-shot", "fine-tuned"],
        "system": list(SYSTEMS),
        "group": list(GROUPS),
        "metric": list(MAIN_METRICS),
    }
    wide = wide.sort_values(PLACE, key=lambda column: column.map(_place(order[str(column.name)])), ignore_index=True)
    wide.columns.name = None
    for name in names[1:]:
        wide[f"Δ {name}"] = wide[name] - wide[names[0]]
    return wide


def _place(order: Sequence[str]) -> Any:
    places = {name: number for number, name in enumerate(order)}
    return lambda name: places.get(name, len(places))


def short_names(runs: Sequence[RunDir]) -> dict[str, str]:
    """Run -> the shortest name that tells it from the others: title and seed, else date, title and fingerprint."""
    titled = {run.name: f"{run.config.title or run.config.recipe}, seed {run.config.seed}" for run in runs}
    again = list(titled.values())
    return {
        name: title if again.count(title) == 1 else f"{title} ({name[4:8]} {name[9:13]})"
        for name, title in titled.items()
    }


def deviations(run: RunDir) -> pd.DataFrame:
    """Fields of a run that differ from its recipe's preset: columns field, recipe, this run, as text."""
    changed = recipes.deviations(run.config)
    rows = [(name, _text(preset), _text(value)) for name, (preset, value) in changed.items()]
    return pd.DataFrame(rows, columns=["field", "recipe", "this run"], dtype="str")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else "a section" if isinstance(value, Mapping) else str(value)


def labels(runs: Iterable[RunDir]) -> dict[str, str]:
    """Run -> what a list of runs calls it: its name, which begins with its date, and its seed."""
    return {run.name: f"{run.name} · seed {run.config.seed}{' (shipped)' if run.cached else ''}" for run in runs}


def about(run: RunDir) -> str:
    """What a run is, in a few words: title, recipe, seed, backbone, and the tasks that it measures."""
    config, tasks = run.config, [catalog.item("task", name).title for name in run.config.tasks.chosen()]
    measured = f"measures {', '.join(tasks)}" if tasks else "measures no task"
    return (
        f"{config.title or 'no title'}, recipe {config.recipe}, seed {config.seed}, "
        f"backbone {PurePath(config.backbone.source).name}, {measured}"
    )


def steps(run: RunDir) -> pd.DataFrame:
    """The training steps of a run: columns run, stage, step, steps, loss, pairs_per_second."""
    rows = [event for event in run.events() if event.get("event") == "step" and "loss" in event]
    frame = pd.DataFrame(rows, columns=["stage", "step", "steps", "loss", "pairs_per_second"])
    return frame.assign(run=run.name)
