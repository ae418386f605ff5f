"""How much the choice of a checkpoint decides: each fine-tuned system with its last, reported and luckiest weights."""

import pandas as pd

from core.evaluation.metrics import METRICS
from core.runs import tables
from core.runs.store import RunDir

RULES = {  # protocols that differ in the weights alone
    "last": "after the last step",
    "strict": "reported",
    "best-test": "best on the test set, per language",
}
REPORTED = {
    "best_validation": "best on validation",
    "last": "last step",
    "best_test_per_language": "best on the test set, per language",
}
_PLACE = ["task", "dataset", "system", "language", "group", "metric"]


def checkpoint_values(run: RunDir, by: str = "group", metric: str | None = None) -> pd.DataFrame:
    """One metric per task with each choice of the weights.

    Args:
        run: A run with results.
        by: `group` or `language`.
        metric: Metric of the tasks that know it, the others are left out; None takes each task's first.

    Returns:
        Columns task, dataset, system, language, group, metric, reported (which weights `strict` is of), last, strict,
        best-test in the metric's unit, and last_gap, best_test_gap: last and best-test less `strict`. What the run
        measured with its reported weights alone is left out, so there may be no rows. Ordered as stored.

    Raises:
        RunError: If the run has no results.
    """
    stored = tables.results([run])
    chosen = {task: metric or next(iter(METRICS[task])) for task in stored.task.unique()}
    kept = (
        (stored.language.isna() == (by == "group"))
        & (stored["mode"] == "fine-tuned")
        & (stored.metric == stored.task.map(chosen))
        & stored.protocol.isin(RULES)
    )
    wide = stored[kept].fillna({"language": ""}).pivot(index=_PLACE, columns="protocol", values="value")
    order = stored[kept].fillna({"language": ""})[_PLACE].drop_duplicates()
    wide = wide.reindex(columns=list(RULES)).dropna()
    frame = order.merge(wide.reset_index(), on=_PLACE)
    frame["language"] = frame.language.where(frame.language != "", None)
    tasks = run.config.tasks.chosen()
    reported = {task: REPORTED[tasks[task].checkpoint] for task in frame.task.unique()}
    frame.insert(len(_PLACE), "reported", frame.task.map(reported))
    return frame.assign(
        last_gap=frame["last"] - frame["strict"], best_test_gap=frame["best-test"] - frame["strict"]
    ).rename_axis(columns=None)
