"""The only training loop: steps, accumulation, clipping, schedule, events, checkpoint and exact resume.

A checkpoint holds the trained parameters, the optimizer, the samplers' and torch's random states and the step, so a
resumed stage goes on as if it had never stopped: bit for bit on one machine's CPU.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from core.corpora.draws import Sampler
from core.runs.store import write_atomic
from core.task_config import Optimisation

HEAD_PREFIX = "head."  # of the names of a head's parameters among those that a stage trains


class Stopped(Exception):
    """The run was asked to stop; the stage has left a checkpoint."""


class TrainingError(RuntimeError):
    """Training cannot go on."""


@dataclass(frozen=True)
class Step:
    """What one step reports: loss in nats, learning rate, and the pairs it saw."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    pairs: int


def rate_at(step: int, steps: int, plan: Optimisation) -> float:
    """Factor of the learning rate at a step from 0: linear warm-up, then the plan's schedule."""
    warmup = plan.warmup_steps if plan.warmup_steps is not None else -(-steps // 10)
    if step < warmup:
        return (step + 1) / warmup
    if plan.schedule == "constant":
        return 1.0
    left = (step - warmup) / max(1, steps - warmup)
    if plan.schedule == "linear":
        return 1.0 - left
    return 0.5 * (1.0 + math.cos(math.pi * ((plan.restarts * left) % 1.0)))


def train(
    model: nn.Module,
    parameters: Mapping[str, nn.Parameter],
    draw_loss: Callable[[], tuple[Tensor, int]],
    samplers: Sequence[Sampler],
    plan: Optimisation,
    steps: int,
    state_file: Path,
    on_step: Callable[[Step], bool],
    checkpoint_seconds: float = 120.0,
    head: nn.Module | None = None,
) -> None:
    """Train `parameters` for `steps` steps, from the checkpoint in `state_file` where there is one.

    Args:
        model: The encoder, whose dropout is set and which is left in evaluation mode.
        parameters: What is trained, by name; everything else is frozen.
        draw_loss: Draws a batch and returns its loss, shape (), and its number of pairs.
        samplers: What `draw_loss` draws from; their states are part of the checkpoint.
        plan: Optimizer, schedule and the rest.
        steps: Number of steps.
        state_file: Where the checkpoint lies.
        on_step: Called after every step; True asks to stop.
        checkpoint_seconds: Seconds between checkpoints.
        head: The task's head, which has its own dropout and is left in evaluation mode.

    Raises:
        Stopped: If `on_step` asked for it; a checkpoint has been written.
        TrainingError: If the loss is not finite.
    """
    trained = nn.ModuleList([model] if head is None else [model, head])
    for parameter in trained.parameters():
        parameter.requires_grad_(False)
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    optimizer = _optimizer(parameters, plan)
    base_rates = [group["lr"] for group in optimizer.param_groups]
    step = _restore(state_file, parameters, optimizer, samplers)
    saved = time.monotonic()
    trained.train()
    try:
        with _dropout(model, plan.dropout):
            while step < steps:
                for group, base in zip(optimizer.param_groups, base_rates, strict=True):
                    group["lr"] = base * rate_at(step, steps, plan)
                if plan.zero_gradients == "every_step":
                    optimizer.zero_grad()
                loss, pairs = _accumulate(draw_loss, plan.accumulation)
                if not math.isfinite(loss):
                    raise TrainingError(
                        f"The loss became {loss} at step {step + 1} of {steps}. Lower the learning rate "
                        f"({plan.learning_rate}) or the temperature's inverse, or use fp32."
                    )
                if plan.clip_norm is not None:
                    nn.utils.clip_grad_norm_(parameters.values(), plan.clip_norm)
                for _ in range(plan.updates_per_gradient):
                    optimizer.step()
                step += 1
                stop = on_step(Step(step, steps, loss, optimizer.param_groups[0]["lr"], pairs))
                if stop or (step < steps and time.monotonic() - saved > checkpoint_seconds):
                    _save(state_file, step, parameters, optimizer, samplers, plan.zero_gradients == "never")
                    saved = time.monotonic()
                if stop:
                    raise Stopped
    finally:
        trained.eval()
        for parameter in parameters.values():
            parameter.grad = None
    state_file.unlink(missing_ok=True)


def _optimizer(parameters: Mapping[str, nn.Parameter], plan: Optimisation) -> torch.optim.Optimizer:
    values = [p for n, p in parameters.items() if ".adapter_fusion_layer." in n and ".value." in n]
    head = [p for n, p in parameters.items() if n.startswith(HEAD_PREFIX)]
    special = {id(p) for p in (*values, *head)}
    others = [p for p in parameters.values() if id(p) not in special]
    rates = ((others, None), (values, plan.value_learning_rate), (head, plan.head_learning_rate))
    groups = [{"params": part, "lr": plan.learning_rate if rate is None else rate} for part, rate in rates]
    kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
    return kind([g for g in groups if g["params"]], weight_decay=plan.weight_decay)


def _accumulate(draw_loss: Callable[[], tuple[Tensor, int]], batches: int) -> tuple[float, int]:
    total, pairs = 0.0, 0
    for _ in range(batches):
        loss, count = draw_loss()
        (loss / batches).backward()  # type: ignore[no-untyped-call]
        total, pairs = total + float(loss.detach()) / batches, pairs + count
    return total, pairs


@contextmanager
def _dropout(model: nn.Module, share: float | None) -> Iterator[None]:
    """Set every dropout of the model to `share` while inside; None leaves the backbone's own."""
    if share is None:
        yield
        return
    before = []
    for module in model.modules():
        for name in ("p", "dropout_prob"):
            if isinstance(getattr(module, name, None), float) and (
                name == "dropout_prob" or isinstance(module, nn.Dropout)
            ):
                before.append((module, name, getattr(module, name)))
                setattr(module, name, share)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _save(
    file: Path,
    step: int,
    parameters: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    samplers: Sequence[Sampler],
    piled: bool,
) -> None:
    """Write a checkpoint; `piled` keeps the gradients too, where the next step adds to them."""
    import io

    state = {
        "step": step,
        "parameters": {name: p.detach().cpu() for name, p in parameters.items()},
        "gradients": {n: p.grad.cpu() for n, p in parameters.items() if p.grad is not None} if piled else {},
        "optimizer": optimizer.state_dict(),
        "samplers": [s.state() for s in samplers],
        "torch_random": torch.get_rng_state(),
        "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, buffer.getvalue())


def _restore(
    file: Path,
    parameters: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    samplers: Sequence[Sampler],
) -> int:
    if not file.is_file():
        return 0
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a file cut short fails in many ways
        raise TrainingError(
            f"The checkpoint {file} cannot be read ({type(error).__name__}). Delete it to start the stage anew."
        ) from error
    with torch.no_grad():
        for name, value in state["parameters"].items():
            parameters[name].copy_(value)
    for name, value in state.get("gradients", {}).items():
        parameters[name].grad = value.to(parameters[name].device)
    optimizer.load_state_dict(state["optimizer"])
    for sampler, sampler_state in zip(samplers, state["samplers"], strict=True):
        sampler.restore(sampler_state)
    torch.set_rng_state(state["torch_random"])
    if state["cuda_random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda_random"])
    return int(state["step"])
