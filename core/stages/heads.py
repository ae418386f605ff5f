"""The heads of the tasks that have one: made, named among what a stage trains, and kept beside the stage's weights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.encoder.weights import WeightsError
from core.stages.loop import HEAD_PREFIX
from core.stages.stage import stage_seed
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
