"""How much work each stage of a run is, roughly, so that a progress bar can tell the time that is left.

The unit is one token passed forward through the backbone. A trained token costs two where only adapters or fusion
learn, three where everything does.
"""

from core.config import FusionMap
from core.encoder.adapter_set import SMALL
from core.runs.kept import fine_tuned_stage, fusion_stage
from core.stages.fusion_maps import map_stage
from core.stages.fusion_training import CORPUS_STAGE
from core.stages.heads import head_stage
from core.stages.workspace import Workspace
from core.task_config import Optimisation, TaskName

_PAIR_TOKENS = {"ep": 12, "tp": 14, "es": 23, "ts": 21, "large": 18}
_EXAMPLE_TOKENS: dict[TaskName, int] = {
    **{"kg_completion": 13, "entity_alignment": 13, "relation_classification": 50, "ner": 16},
    "question_answering": 200,
}
_FUSED_COST = 1.5
_EPOCH_TABLE = {"ep": "labels", "tp": "triples", "es": "mention_sentences", "ts": "triple_sentences", "large": "labels"}


def expected_work(work: Workspace) -> dict[str, float]:
    """Stage -> work, for the stages of `core.execution.worker.run_stages`."""
    config, counts = work.config, work.corpus.info.counts
    looked = config.evaluation.fusion_map
    effort: dict[str, float] = {}
    for role, budget in config.adapters.trained().items() if config.adapters.from_run is None else ():
        effort[role] = 2 * _pairs(budget, counts[_EPOCH_TABLE[role]]) * _PAIR_TOKENS[role]
    if config.fusion.corpus_training != "none":
        effort[CORPUS_STAGE] = 2 * _FUSED_COST * _pairs(config.fusion.corpus, counts["labels"]) * _PAIR_TOKENS["large"]
    test = {name: task.test_tokens(work.languages[name]) for name, task in work.tasks.items()}
    ranked = sum(test[name] for name in work.ranking_tasks())
    for system in config.systems("zero-shot"):
        effort[f"zero-shot.{system}"] = ranked * (_FUSED_COST if system == "+Fusion" else 1)
    for task, plan in config.tasks.chosen().items():
        epoch, tokens = len(work.tasks[task].training_set(0)), _EXAMPLE_TOKENS[task]
        tests = plan.validations + 1 if plan.all_checkpoints and plan.fine_tuning else 0
        for system in config.systems("fine-tuned"):
            cost = _FUSED_COST if system == "+Fusion" else 1
            key = fine_tuned_stage(task, system)
            if system == "+Fusion":
                effort[fusion_stage(task)] = 2 * cost * _pairs(plan.fusion_training, epoch) * tokens
                sampled = tokens * len(work.languages[task]) * (looked.examples if looked else 0)
                measured = sampled if work.has_head(task) else test[task]  # candidates are not sampled
                effort[map_stage(task)] = cost * _mapped(looked, sampled, measured)
            elif work.has_head(task):  # no gradient passes through the encoder
                effort[head_stage(task, system)] = _pairs(plan.fusion_training, epoch) * tokens
            steps = _pairs(plan.fine_tuning, epoch) if plan.fine_tuning else 0
            effort[key] = cost * (3 * steps * tokens + tests * test[task])
            effort[f"{key}.test"] = cost * test[task]
    return effort


def _mapped(plan: FusionMap | None, sampled: float, measured: float) -> float:
    """Tokens that a fusion map passes forward, of the tokens of its texts and those of measuring them once."""
    if plan is None:
        return 0.0
    return (1 + plan.null_fusions) * sampled + (len(SMALL) + 2 if plan.knock_out else 0) * measured


def _pairs(plan: Optimisation, epoch: int) -> float:
    """Pairs or examples that a stage sees."""
    if plan.steps is None:
        return (plan.epochs or 0) * epoch
    return plan.steps * plan.batch_size * plan.accumulation
