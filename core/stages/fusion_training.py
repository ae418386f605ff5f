"""Stage 3: fusion on a task's training set, backbone and adapters frozen (paper, section 4.1).

`fusion.corpus_training` trains a fusion on the integration corpus first: as a start for the tasks, or, as the released
code does, to be left unused.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from core.encoder.adapter_set import FUSION, SMALL
from core.encoder.fusion import value_regularisation
from core.encoder.weights import load_weights, save_weights
from core.runs.kept import fusion_stage
from core.stages.adapter_training import objective_samplers
from core.stages.heads import head_parameters, load_head, save_head, task_loss
from core.stages.sampling import stage_seed
from core.stages.stage import Stage, train_stage
from core.stages.workspace import Workspace
from core.task_config import TaskName

CORPUS_STAGE = "fusion.corpus"


def train_corpus_fusion(work: Workspace) -> None:
    """Train a fusion on all four objectives and keep it, or load it where an earlier attempt kept it."""
    if work.is_done(CORPUS_STAGE):
        work.adapters.load_fusion(work.run.checkpoint_dir(CORPUS_STAGE))
    else:
        _fresh_fusion(work, CORPUS_STAGE)
        parameters = work.adapters.parameters(FUSION)
        samplers = objective_samplers(work, SMALL, CORPUS_STAGE)
        title = "training fusion on the integration corpus"
        stage = Stage(CORPUS_STAGE, title, FUSION, parameters, samplers, work.config.fusion.corpus)
        train_stage(work, stage, _penalty(work))
        work.keep(CORPUS_STAGE, work.adapters.save_fusion, {"steps": stage.steps})
    work.journal.finish(CORPUS_STAGE)


def train_task_fusion(work: Workspace, task: TaskName, head: nn.Module | None = None) -> None:
    """Train the fusion of a task, and its head, and keep them, unless an earlier attempt did; leave them loaded."""
    key, plan = fusion_stage(task), work.config.tasks.chosen()[task]
    everything = plan.fusion_stage_trains == "everything"
    folder = work.run.checkpoint_dir(key)
    work.reset()
    if not work.is_done(key):
        if work.config.fusion.corpus_training == "initialise":
            work.adapters.load_fusion(work.run.checkpoint_dir(CORPUS_STAGE))
        else:
            _fresh_fusion(work, key)
        encoder_parameters = work.adapters.parameters(FUSION, everything)
        parameters = encoder_parameters | head_parameters(head)
        samplers = [work.tasks[task].training_set(stage_seed(work.config.seed, f"{key}.pairs"))]
        title = f"training fusion for {work.title(task)}"
        loss = task_loss(work, task, head)
        stage = Stage(key, title, FUSION, parameters, samplers, plan.fusion_training, loss, head)
        train_stage(work, stage, _penalty(work))

        def write(target: Path) -> None:
            work.adapters.save_fusion(target)
            save_head(head, target)
            if everything:
                save_weights(work.backbone, target, encoder_parameters)

        work.keep(key, write, {"steps": stage.steps, "parameters": work.adapters.budget(FUSION)})
    work.adapters.load_fusion(folder)
    load_head(head, folder)
    if everything:
        load_weights(work.backbone, folder)
    work.journal.finish(key)


def _fresh_fusion(work: Workspace, key: str) -> None:
    torch.manual_seed(stage_seed(work.config.seed, f"{key}.weights"))
    work.adapters.add_fusion(work.config.fusion.identity_slot)


def _penalty(work: Workspace) -> Callable[[], Tensor] | None:
    weight = work.config.fusion.regularisation
    return (lambda: weight * value_regularisation(work.backbone.model)) if weight else None
