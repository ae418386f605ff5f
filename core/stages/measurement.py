"""Test-set ranks of a system, and the results made of all ranks of a run."""

from collections.abc import Iterable

import pandas as pd

from core.config import SYSTEM_PARTS, SYSTEMS, Mode, System, TaskName
from core.evaluation.estimates import result_rows
from core.evaluation.outcomes import LanguageRanks, from_arrays, to_arrays
from core.languages import group_of
from core.stages.loop import Stopped
from core.stages.workspace import Workspace
from core.tasks.retrieval import evaluate

MODES: tuple[Mode, ...] = ("zero-shot", "fine-tuned")


def measure_zero_shot(work: Workspace, system: System) -> None:
    """Rank the test queries of every task with a system that no task has tuned, unless the run has these ranks."""
    stage = f"zero-shot.{system}"
    tasks = [t for t in work.tasks if not work.run.outcome_file(t, system, "zero-shot").is_file()]
    if tasks:
        work.journal.begin(stage, f"measuring {system}, zero-shot")
        for task, ranks in test_ranks(work, system, tasks, stage).items():
            work.run.write_outcomes(task, system, "zero-shot", to_arrays(ranks))
    work.journal.finish(stage)


def test_ranks(
    work: Workspace, system: System, tasks: Iterable[TaskName], stage: str | None
) -> dict[TaskName, dict[str, LanguageRanks]]:
    """Ranks of the test queries of some tasks with the weights as they are now, by task and language.

    Args:
        work: The run's workspace.
        system: What is active.
        tasks: Tasks to measure.
        stage: Stage of the plan that this is; None for a measurement inside another stage, which is not stopped.

    Raises:
        Stopped: If the job was asked to stop; a later attempt measures again.
    """

    def advance(done: int, total: int) -> None:
        if stage and work.journal.advance(stage, done / total):
            raise Stopped

    wanted = {(task, lang): b for task in tasks for lang, b in work.benchmarks[task].items()}
    with work.adapters.active(SYSTEM_PARTS[system]):
        found = evaluate(
            work.encoder,
            work.index,
            wanted,
            work.config.compute.tokens_per_pass,
            advance,
        )
    return {task: {lang: r for (t, lang), r in found.items() if t == task} for task in tasks}


def results(work: Workspace) -> pd.DataFrame:
    """Every metric of every system, mode, language and group, from the ranks in the run's folder.

    Raises:
        ValueError: If a value is impossible (MRR below Hit@1 under one-based ranks): a fault in the ranks.
    """
    measured, rows = work.config.evaluation, []
    for task, plan in work.config.tasks.chosen().items():
        groups = {lang: group_of(lang, work.adapter_languages, plan.train_languages) for lang in work.benchmarks[task]}
        for system in SYSTEMS:
            for mode in MODES:
                if work.run.outcome_file(task, system, mode).is_file():
                    ranks = from_arrays(task, work.run.read_outcomes(task, system, mode))
                    about = {"task": task, "dataset": work.tasks[task].dataset, "system": system, "mode": mode}
                    found = result_rows(ranks, groups, measured.bootstrap_samples, measured.confidence)
                    rows += [about | row for row in found]
    frame = pd.DataFrame(rows)
    keys = ["task", "system", "mode", "language", "group", "protocol"]
    pivot = frame[frame.protocol != "released"].pivot_table("value", keys, "metric", dropna=False).dropna()
    if (impossible := pivot[pivot["MRR"] < pivot["Hit@1"] - 1e-9]).size:
        raise ValueError(f"MRR below Hit@1, which one-based ranks cannot give:\n{impossible.head()}")
    return frame
