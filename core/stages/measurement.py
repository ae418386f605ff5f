"""Outcomes of a system on the test sets, and the results made of all outcomes of a run."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import cast

import pandas as pd
from torch import nn

from core.config import SYSTEM_PARTS, SYSTEMS, Mode, System
from core.evaluation.estimates import result_rows
from core.evaluation.outcomes import Outcome, from_arrays, to_arrays
from core.evaluation.protocols import WEIGHTS
from core.languages import group_of
from core.stages.loop import Stopped
from core.stages.workspace import Workspace
from core.task_config import TaskName
from core.tasks.retrieval import RankingTask, measure_together

MODES: tuple[Mode, ...] = ("zero-shot", "fine-tuned")


def measure_zero_shot(work: Workspace, system: System) -> None:
    """Rank the test queries of every ranking task with a system that no task has tuned, unless the run has these ranks.

    Tasks on one corpus are measured together, so that no string is embedded twice.
    """
    stage = f"zero-shot.{system}"
    names = [t for t in work.ranking_tasks() if not work.run.outcome_file(t, system, "zero-shot").is_file()]
    if names:
        work.journal.begin(stage, f"measuring {system}, zero-shot")
        tasks = {str(t): cast(RankingTask, work.tasks[t]) for t in names}
        languages = {str(t): work.languages[t] for t in names}
        tokens = work.config.compute.tokens_per_pass
        with work.adapters.active(SYSTEM_PARTS[system]):
            found = measure_together(work.encoder, tasks, languages, tokens, _advance(work, stage))
        for task, ranks in found.items():
            work.run.write_outcomes(task, system, "zero-shot", to_arrays(ranks))
    work.journal.finish(stage)


def measure_task(
    work: Workspace, task: TaskName, system: System, head: nn.Module | None, stage: str | None
) -> Mapping[str, Outcome]:
    """Outcomes of a task's test set with the weights as they are now, by language.

    Args:
        work: The run's workspace.
        task: The task.
        system: What is active.
        head: The task's head, where it has one.
        stage: Stage of the plan that this is; None for a measurement inside another stage, which is not stopped.

    Raises:
        Stopped: If the job was asked to stop; a later attempt measures again.
    """
    tokens, advance = work.config.compute.tokens_per_pass, _advance(work, stage)
    with work.adapters.active(SYSTEM_PARTS[system]):
        return work.tasks[task].measure(
            work.encoder, head, work.languages[task], tokens_per_pass=tokens, progress=advance
        )


def _advance(work: Workspace, stage: str | None) -> Callable[[int, int], None]:
    def advance(done: int, total: int) -> None:
        if stage and work.journal.advance(stage, done / total):
            raise Stopped

    return advance


def results(work: Workspace) -> pd.DataFrame:
    """Every metric of every system, mode, language and group, from the outcomes in the run's folder.

    Raises:
        ValueError: If a value is impossible (MRR below Hit@1 under one-based ranks, F1 below exact match): a fault in
            what is stored.
    """
    measured, rows = work.config.evaluation, []
    for task in work.config.tasks.chosen():
        groups = {key: _group(work, task, key) for key in work.languages[task]}
        for system, mode, weights in product(SYSTEMS, MODES, WEIGHTS):
            if work.run.outcome_file(task, system, mode, weights).is_file():
                outcomes = from_arrays(task, work.run.read_outcomes(task, system, mode, weights))
                about = {"task": task, "dataset": work.tasks[task].dataset, "system": system, "mode": mode}
                samples, confidence = measured.bootstrap_samples, measured.confidence
                rows += [about | row for row in result_rows(outcomes, groups, samples, confidence, weights=weights)]
    frame = pd.DataFrame(rows)
    _refuse_impossible(frame)
    return frame


def _group(work: Workspace, task: TaskName, key: str) -> str:
    """The group of a test language; alignment in both directions has keys of its own for those to the source."""
    asked = work.tasks[task]
    language = asked.language_of(key) if isinstance(asked, RankingTask) else key
    return group_of(language, work.adapter_languages, work.config.tasks.chosen()[task].train_languages)


def _refuse_impossible(frame: pd.DataFrame) -> None:
    keys = ["task", "system", "mode", "language", "group", "protocol"]
    pivot = (
        frame[frame.protocol != "released"]
        .fillna({"language": "all"})
        .pivot(index=keys, columns="metric", values="value")
    )
    for larger, smaller in (("MRR", "Hit@1"), ("F1", "EM")):
        if {larger, smaller} <= set(pivot.columns) and len(wrong := pivot[pivot[larger] < pivot[smaller] - 1e-9]):
            raise ValueError(f"{larger} below {smaller}, which is impossible:\n{wrong[[larger, smaller]].head()}")
