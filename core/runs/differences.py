"""How two systems differ on the same test examples, in one run or over the seeds of one set-up, from stored outcomes."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, get_args

import pandas as pd

from core import recipes
from core.config import SYSTEMS, Mode
from core.evaluation.outcomes import Outcome, from_arrays
from core.evaluation.protocols import PROTOCOLS
from core.runs import tables
from core.runs.store import RunDir
from core.task_config import TaskName

_PLACE = ("language", "group", "metric")


def differences(
    runs: Sequence[RunDir],
    task: str,
    systems: tuple[str, str],
    metrics: Sequence[str],
    protocol: str = "strict",
    by: str = "group",
    mode: str = "fine-tuned",
) -> pd.DataFrame:
    """How the second of two systems differs from the first.

    Args:
        runs: One run, or runs of one config with different seeds.
        task: Task that the runs measured.
        systems: The baseline and the system.
        metrics: Metrics of the task.
        protocol: Metric protocol; one that reads ranks needs a task with ranks.
        by: `group` or `language`.
        mode: `fine-tuned` or `zero-shot`.

    Returns:
        One row per run, place and metric in percentage points, runs by seed: run, seed, task, mode, protocol,
        baseline_system, system, the fields of `core.evaluation.comparison.Difference`, and interval `entities`. Several
        runs add a row per place and metric with interval `seeds`: means, sd, min, max and the t interval.

    Raises:
        ValueError: If the runs differ in more than the seed, one did not measure a system, or two asked different
            queries.
    """
    _require_only_seeds_differ(runs)
    ordered = sorted(runs, key=lambda one: one.config.seed)
    about = {"task": task, "mode": mode, "protocol": protocol, "baseline_system": systems[0], "system": systems[1]}
    frame = _of_runs(ordered, about, metrics, by)
    if len(ordered) > 1:
        summary = _over_seeds(frame, ordered[0].config.evaluation.confidence)
        frame = pd.concat([frame.astype(object), summary.astype(object)], ignore_index=True)
    return frame


def _require_only_seeds_differ(runs: Sequence[RunDir]) -> None:
    """Check that runs are of one config, each with a seed of its own.

    Raises:
        ValueError: Naming the fields in which a run differs from the first, or the runs with one seed.
    """
    first, seeds = runs[0], {runs[0].config.seed: runs[0].name}
    fields = _fields(first)
    for other in runs[1:]:
        theirs = _fields(other)
        if differing := sorted(k for k in fields.keys() | theirs.keys() if fields.get(k) != theirs.get(k)):
            raise ValueError(
                f"{other.name} differs from {first.name} in more than the seed: {', '.join(differing)}. "
                f"Only runs of one config are seeds of it; train another: workbench run {first.config_file} --seed 1"
            )
        if same := seeds.get(other.config.seed):
            raise ValueError(f"{same} and {other.name} have the same seed, {other.config.seed}; name one run per seed.")
        seeds[other.config.seed] = other.name


def _fields(run: RunDir) -> dict[str, Any]:
    """The recipe, and what the config sets differently from it, the title and the seed left out."""
    changed = recipes.deviations(run.config)
    return {"recipe": run.config.recipe} | {k: v for k, v in changed.items() if k not in ("title", "seed")}


def _of_runs(runs: Sequence[RunDir], about: dict[str, str], metrics: Sequence[str], by: str) -> pd.DataFrame:
    """One row per run and difference, in the order of `runs`.

    Raises:
        ValueError: If a run did not measure a system, or two of the ranks are of different queries.
    """
    from core.evaluation.comparison import paired_differences, require_same_queries

    rows, first = [], None
    for run in runs:
        baseline, system = (_outcomes(run, about, about[name]) for name in ("baseline_system", "system"))
        first = first or baseline
        stored = tables.results([run], "language", task=about["task"])
        groups = dict(zip(stored.language, stored.group, strict=True))
        protocol, measured = PROTOCOLS[about["protocol"]], run.config.evaluation
        pair = f"{about['baseline_system']} and {about['system']} of {run.name}"
        try:
            found = list(
                paired_differences(baseline, system, groups, protocol, measured.bootstrap_samples, measured.confidence)
            )
            pair = f"{runs[0].name} and {run.name}"
            require_same_queries(first, baseline)
        except ValueError as error:
            raise ValueError(f"{pair} cannot be compared. {error} Evaluate both on the same benchmark.") from None
        rows += [
            {"run": run.name, "seed": run.config.seed} | about | asdict(d) | {"interval": "entities"}
            for d in found
            if d.metric in metrics and (d.language is None) == (by == "group")
        ]
    return pd.DataFrame(rows)


def _outcomes(run: RunDir, about: dict[str, str], system: str) -> dict[str, Outcome]:
    """Outcomes of a system.

    Raises:
        ValueError: If the run did not measure it, naming what it did.
    """
    task, mode, weights = about["task"], about["mode"], PROTOCOLS[about["protocol"]].weights
    if not run.outcome_file(task, system, mode, weights).is_file():
        measured = [
            f"{', '.join(present)} ({m}, {t})"
            for t in get_args(TaskName)
            for m in get_args(Mode)
            if (present := [s for s in SYSTEMS if run.outcome_file(t, s, m, weights).is_file()])
        ]
        raise ValueError(
            f"{run.name} measured no {system} ({mode}, {task}) with the weights of protocol {about['protocol']}. "
            f"It measured: {'; '.join(measured) or 'nothing'}. Fields that keep other weights: all_checkpoints, checkpoint."
        )
    return from_arrays(task, run.read_outcomes(task, system, mode, weights))


def _over_seeds(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """One row per place and metric: means over the runs, and the t interval, sd, min and max of the difference."""
    from core.evaluation.comparison import over_seeds

    same_everywhere = ["task", "mode", "protocol", "baseline_system", "system", *_PLACE, "n"]
    rows = []
    for _, part in frame.groupby(list(_PLACE), sort=False, dropna=False):
        baseline, value, difference = (
            over_seeds(part[column].tolist(), confidence) for column in ("baseline", "value", "difference")
        )
        same = part.iloc[0][same_everywhere].to_dict()
        means = {"baseline": baseline.mean, "value": value.mean, "difference": difference.mean}
        spread = {"baseline_sd": baseline.sd, "value_sd": value.sd, "sd": difference.sd}
        ends = {"low": difference.low, "high": difference.high, "min": difference.min, "max": difference.max}
        rows.append(same | means | spread | ends | {"seeds": difference.n, "interval": "seeds"})
    return pd.DataFrame(rows)
