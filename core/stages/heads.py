"""The heads of the tasks that have one: made, trained in stage 3, and kept beside the weights of their stage.

Stage 3 trains what is new with everything else frozen: the fusion and the head of a fused system
(`core.stages.fusion_training`), the head alone of any other, with the same budget, so that no system has a head that saw
more.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.config import SYSTEM_PARTS, System
from core.encoder.weights import WeightsError
from core.stages.loop import HEAD_PREFIX
from core.stages.sampling import stage_seed
from core.stages.stage import Stage, train_stage
from core.stages.workspace import Workspace
from core.task_config import TaskName
from core.tasks.task import HeadTask

_FILE = "head.safetensors"


def fresh_head(work: Workspace, task: TaskName) -> nn.Module | None:
    """A new head on the encoder's device, the same for every system; None for a ranking task."""
    if not work.has_head(task):
        return None
    torch.manual_seed(stage_seed(work.config.seed, f"{task}.head"))
    return cast(HeadTask, work.tasks[task]).new_head(work.backbone.dim).to(work.encoder.device).eval()


def head_stage(task: TaskName, system: System) -> str:
    """Key of stage 3 of a system without fusion."""
    return f"head.{task}.{system.lstrip('+').lower()}"


def train_head(work: Workspace, task: TaskName, system: System, head: nn.Module) -> None:
    """Train the head of a system without fusion, the encoder frozen, and keep it, or load it where it is kept."""
    key, part, plan = head_stage(task, system), SYSTEM_PARTS[system], work.config.tasks.chosen()[task]
    if not work.is_done(key):
        samplers = [work.tasks[task].training_set(stage_seed(work.config.seed, f"{key}.pairs"))]
        title, loss = f"training the head of {system} on {work.title(task)}", task_loss(work, task, head)
        stage = Stage(key, title, part, head_parameters(head), samplers, plan.fusion_training, loss, head)
        train_stage(work, stage)
        work.keep(key, lambda folder: save_head(head, folder), {"steps": stage.steps})
    load_head(head, work.run.checkpoint_dir(key))
    work.journal.finish(key)


def head_parameters(head: nn.Module | None) -> dict[str, nn.Parameter]:
    """The parameters of a head under the names that `loop.train` knows them by; none without a head."""
    return {} if head is None else {HEAD_PREFIX + name: p for name, p in head.named_parameters()}


def task_loss(work: Workspace, task: TaskName, head: nn.Module | None) -> Callable[[Any], Tensor] | None:
    """The task's own loss of a batch; None for a ranking task, which takes the contrastive one."""
    if head is None:
        return None
    return lambda batch: cast(HeadTask, work.tasks[task]).loss(work.encoder, head, batch)


def save_head(head: nn.Module | None, folder: Path) -> None:
    """Write a head's weights to `folder`; nothing without a head."""
    if head is not None:
        state: Mapping[str, Tensor] = {n: p.detach().cpu().contiguous() for n, p in head.state_dict().items()}
        save_file(dict(state), folder / _FILE)


def load_head(head: nn.Module | None, folder: Path) -> None:
    """Read what `save_head` wrote; nothing without a head.

    Raises:
        WeightsError: If the file is missing, cut short or of another head.
    """
    if head is None:
        return
    try:
        head.load_state_dict(load_file(folder / _FILE))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise WeightsError(
            f"The head {folder / _FILE} cannot be read ({error}). Delete {folder} to train the stage again."
        ) from error
