"""How much work each stage of a run is, roughly, so that a progress bar can tell the time that is left.

The unit is one token passed forward through the backbone. A trained token costs two where only adapters or fusion
learn, three where everything does.
"""

import numpy as np

from core.config import Optimisation, TaskName
from core.stages.fine_tuning import fine_tuned_stage
from core.stages.fusion_training import CORPUS_STAGE, fusion_stage
from core.stages.workspace import Workspace

_PAIR_TOKENS = {"ep": 12, "tp": 14, "es": 23, "ts": 21, "large": 18}
_TASK_PAIR_TOKENS, _FUSED_COST = 13, 1.5
_EPOCH_TABLE = {"ep": "labels", "tp": "triples", "es": "mention_sentences", "ts": "triple_sentences", "large": "labels"}


def expected_work(work: Workspace) -> dict[str, float]:
    """Stage -> work, for the stages of `core.execution.worker.run_stages`."""
    config, counts = work.config, work.corpus.info.counts
    effort: dict[str, float] = {}
    for role, budget in config.adapters.trained().items():
        effort[role] = 2 * _pairs(budget, counts[_EPOCH_TABLE[role]]) * _PAIR_TOKENS[role]
    if config.fusion.corpus_training != "none":
        effort[CORPUS_STAGE] = 2 * _FUSED_COST * _pairs(config.fusion.corpus, counts["labels"]) * _PAIR_TOKENS["large"]
    test = {task: _benchmark_tokens(work, task) for task in work.tasks}
    for system in config.systems("zero-shot"):
        effort[f"zero-shot.{system}"] = sum(test.values()) * (_FUSED_COST if system == "+Fusion" else 1)
    for task, plan in config.tasks.chosen().items():
        epoch = len(work.tasks[task].training_pairs(0))
        for system in config.systems("fine-tuned"):
            cost = _FUSED_COST if system == "+Fusion" else 1
            key = fine_tuned_stage(task, system)
            if system == "+Fusion":
                effort[fusion_stage(task)] = 2 * cost * _pairs(plan.fusion_training, epoch) * _TASK_PAIR_TOKENS
            steps = _pairs(plan.fine_tuning, epoch) if plan.fine_tuning else 0
            effort[key] = 3 * cost * steps * _TASK_PAIR_TOKENS
            effort[f"{key}.test"] = cost * test[task]
    return effort


def _pairs(plan: Optimisation, epoch: int) -> float:
    """Pairs that a stage sees."""
    if plan.steps is None:
        return (plan.epochs or 0) * epoch
    return plan.steps * plan.batch_size * plan.accumulation


def _benchmark_tokens(work: Workspace, task: TaskName) -> float:
    """Tokens of the queries and candidates of a task, repeated strings counted once."""
    rows = {work.index.exact[row]: row for b in work.benchmarks[task].values() for row in b.labels}
    labels = work.tokens.text("labels", np.asarray(list(rows.values()))).length.sum() + 2 * len(rows)
    return float(labels + sum(10 * len(b) for b in work.benchmarks[task].values()))
