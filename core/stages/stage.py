"""How every stage trains: the loss of its samplers' batches, reported to the journal, through the one loop."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.corpora.draws import Sampler
from core.stages.contrastive import contrastive_loss
from core.stages.loop import Step, train
from core.stages.sampling import stage_seed
from core.stages.workspace import Workspace
from core.task_config import Optimisation


@dataclass(frozen=True)
class Stage:
    """One training stage.

    Attributes:
        key: Names its folder of checkpoints and its events.
        title: What to show while it runs.
        part: What is active in its forward passes: a role, `fusion`, or None for the bare backbone.
        parameters: What it trains, by name.
        samplers: Where its batches come from; a batch is split evenly between them.
        plan: Budget, optimizer and schedule.
        loss: Loss of a sampler's batch, shape (); None takes the contrastive loss of its pairs.
        head: The task's head, where it has one.
    """

    key: str
    title: str
    part: str | None
    parameters: Mapping[str, nn.Parameter]
    samplers: Sequence[Sampler]
    plan: Optimisation
    loss: Callable[[Any], Tensor] | None = None
    head: nn.Module | None = None

    @property
    def steps(self) -> int:
        """Steps of the budget; an epoch is one pass over all samplers' pairs or examples."""
        if self.plan.steps is not None:
            return self.plan.steps
        pairs = (self.plan.epochs or 0) * sum(len(s) for s in self.samplers)
        return max(1, round(pairs / (self.plan.batch_size * self.plan.accumulation)))


def train_stage(
    work: Workspace,
    stage: Stage,
    penalty: Callable[[], Tensor] | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> None:
    """Train a stage, from its checkpoint where there is one.

    Args:
        work: The run's workspace.
        stage: The stage.
        penalty: Added to the loss of every step, shape ().
        on_step: Called after every step, with the stage's part active.

    Raises:
        Stopped: If the job was asked to stop; a checkpoint is left.
        TrainingError: If the loss is not finite.
    """
    torch.manual_seed(stage_seed(work.config.seed, stage.key))
    work.journal.begin(stage.key, stage.title)
    share = max(2, stage.plan.batch_size // len(stage.samplers))
    started, seen, losses = time.monotonic(), 0, []
    loss_of = stage.loss or (lambda pairs: contrastive_loss(work.encoder, pairs, work.config.objective))

    def draw_loss() -> tuple[Tensor, int]:
        batches = [sampler.sample(share) for sampler in stage.samplers]
        loss = torch.stack([loss_of(b) for b in batches]).mean()
        return loss + penalty() if penalty else loss, sum(len(b) for b in batches)

    def report(step: Step) -> bool:
        nonlocal seen
        seen += step.pairs
        losses.append(step.loss)
        if step.step % max(1, step.steps // 200) == 0 or step.step == step.steps:
            values = {"step": step.step, "steps": step.steps, "loss": sum(losses) / len(losses)}
            speed = {"pairs_per_second": seen / (time.monotonic() - started)}
            work.journal.event(stage.key, values | {"learning_rate": step.learning_rate} | speed)
            losses.clear()
        if on_step:
            on_step(step)
        return work.journal.advance(stage.key, step.step / step.steps)

    file, seconds = work.run.checkpoint_dir(stage.key) / "state.pt", work.config.compute.checkpoint_seconds
    with work.adapters.active(stage.part):
        model, plan = work.backbone.model, stage.plan
        train(model, stage.parameters, draw_loss, stage.samplers, plan, stage.steps, file, report, seconds, stage.head)
