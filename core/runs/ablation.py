"""Figure 5 for any systems and tasks: what each system reaches and how many parameters it adds, from stored results."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import pandas as pd

from core.config import SYSTEMS
from core.evaluation.metrics import METRICS
from core.evaluation.protocols import stand_in
from core.languages import GROUPS
from core.runs import tables
from core.runs.store import RunDir
from core.task_config import TaskName

COLUMNS = (
    *("task", "dataset", "system", "mode", "language", "group", "metric", "protocol", "value", "low", "high"),
    *("interval", "gain", "n", "seeds", "sd", "runs", "parameters", "share"),
)
_PLACE = ["task", "dataset", "system", "mode", "language", "group", "metric", "protocol"]


def ablation(
    runs: Sequence[RunDir],
    tasks: Iterable[str] = (),
    systems: Iterable[str] = (),
    metric: str | None = None,
    protocol: str = "strict",
    by: str = "group",
    mode: str = "fine-tuned",
) -> pd.DataFrame:
    """What each system reaches on each task, in one metric per task.

    Args:
        runs: Runs with results: of several tasks or systems, or several seeds of one set-up, which are averaged.
        tasks: Tasks to keep; none keeps all that the runs have.
        systems: Systems to keep; none keeps all.
        metric: Metric of the tasks that know it, the others are left out; None takes each task's first: Hit@1, or F1.
        protocol: Metric protocol; a task without ranks takes what stands for it.
        by: `group` or `language`.
        mode: `fine-tuned` or `zero-shot`.

    Returns:
        Columns `COLUMNS`, tasks and systems in the order of the paper. `low` and `high` bound the value, over test
        entities or examples in one run, over seeds (t interval) in several: `interval` says which. `gain`: value less
        the backbone's. `parameters`: those that the system adds to the backbone, `share`: in percent of it; missing
        where a run did not store them.

    Raises:
        ValueError: If nothing is left, runs of different set-ups would fill the same cells, or two have one seed.
    """
    stored = tables.results(runs, by, mode=mode, task=list(tasks) or None, system=list(systems) or None)
    frames = [stored.iloc[:0]]
    for (_, task), part in stored.groupby(["run", "task"], sort=False):
        first = metric or next(iter(METRICS[str(task)]))
        shown = stand_in(protocol, str(task), set(part.protocol))
        frames.append(part[(part.metric == first) & (part.protocol == shown)])
    found = pd.concat(frames, ignore_index=True)
    if found.empty:
        names = ", ".join(run.name for run in runs)
        raise ValueError(f"Nothing in {names} has {metric or 'its metric'} under {protocol}, {mode}.")
    by_name = {run.name: run for run in runs}
    _require_one_set_up(found, by_name)
    rows = [_summary(part, by_name) for _, part in found.groupby(_PLACE, sort=False, dropna=False)]
    return _with_gains(_ordered(pd.DataFrame(rows)))[list(COLUMNS)]


def budget(runs: Iterable[RunDir]) -> pd.DataFrame:
    """Parameters of each system, as the runs stored them.

    Returns:
        Columns runs, backbone (its source), backbone_parameters, system, parameters (added to the backbone) and share
        (in percent of it); one row per system and differing budget, systems in the order of the paper.
    """
    names: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for run in runs:
        stored = run.provenance().get("budget", {})
        for system in SYSTEMS[1:]:
            if system in stored:
                source = run.config.backbone.source
                names[source, stored["backbone"], system, stored[system]].append(run.name)
    rows = [
        (", ".join(of), source, whole, system, added, 100 * added / whole)
        for (source, whole, system, added), of in names.items()
    ]
    columns = ["runs", "backbone", "backbone_parameters", "system", "parameters", "share"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("system", key=lambda c: c.map(SYSTEMS.index), kind="stable", ignore_index=True)


def _require_one_set_up(found: pd.DataFrame, by_name: dict[str, RunDir]) -> None:
    """Check that the runs behind each cell differ in nothing but their seed.

    Raises:
        ValueError: Naming runs that do not.
    """
    for (task, system), part in found.groupby(["task", "system"], sort=False):
        runs = [by_name[name] for name in dict.fromkeys(part.run)]
        names = ", ".join(run.name for run in runs)
        if len({_set_up(run, str(task)) for run in runs}) > 1:
            raise ValueError(
                f"The runs {names} all have {system} on {task} and differ in more than their seed: name one of them, or"
                " several seeds of one set-up."
            )
        if len({run.config.seed for run in runs}) < len(runs):
            raise ValueError(f"Of the runs {names} several have one seed, on {task}; name one run per seed.")


def _set_up(run: RunDir, task: str) -> str:
    """Fingerprint of what decides a run's numbers on one task, but for the seed."""
    config = run.config
    others = {name: None for name in get_args(TaskName) if name != task}
    measured = config.evaluation.model_copy(update={"zero_shot": None, "fine_tuned": None, "fusion_map": None})
    alone = {"seed": 0, "tasks": config.tasks.model_copy(update=others), "evaluation": measured}
    return config.model_copy(update=alone).fingerprint()


def _summary(part: pd.DataFrame, by_name: dict[str, RunDir]) -> dict[str, Any]:
    """One cell: the stored value of one run, or the mean over seeds."""
    first, runs = part.iloc[0], [by_name[name] for name in part.run]
    row = {name: first[name] for name in (*_PLACE, "value", "low", "high", "n")}
    row |= {"interval": "entities", "sd": None, "seeds": len(runs), "runs": ", ".join(part.run)}
    if len(runs) > 1:
        from core.evaluation.comparison import over_seeds

        seeds = over_seeds(part.value.tolist(), runs[0].config.evaluation.confidence)
        row |= {"value": seeds.mean, "low": seeds.low, "high": seeds.high, "sd": seeds.sd, "interval": "seeds"}
    stored = runs[0].provenance().get("budget", {})
    added = 0 if stored and first.system == "backbone" else stored.get(first.system)
    share = None if added is None else 100 * added / stored["backbone"]
    return row | {"parameters": added, "share": share}


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows by task, system and group in the order of the paper; numbers as numbers."""
    orders = {"task": get_args(TaskName), "system": SYSTEMS, "group": GROUPS}
    rank = pd.DataFrame({name: frame[name].map(order.index) for name, order in orders.items()})
    frame = frame.loc[rank.sort_values(list(orders), kind="stable").index].reset_index(drop=True)
    return frame.astype({"sd": float, "share": float, "parameters": "Int64"})


def _with_gains(frame: pd.DataFrame) -> pd.DataFrame:
    """Each value less the backbone's in the same place; missing where the backbone was not measured there."""
    place = [name for name in _PLACE if name != "system"]
    keys = frame[place].astype(object).where(frame[place].notna(), "").apply(tuple, axis=1)
    plain = frame.system == "backbone"
    backbone = dict(zip(keys[plain], frame.value[plain], strict=True))
    return frame.assign(gain=frame.value - keys.map(backbone).astype(float))
