"""The training loop on a model of a few numbers, against gradients and updates worked out by other means."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.stages.loop import Step, Stopped, TrainingError, rate_at, train
from core.task_config import Optimisation


class Draws:
    """A sampler of random vectors, with the state that a checkpoint keeps."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)

    def sample(self, pairs: int) -> Tensor:
        return torch.from_numpy(self.generator.normal(size=(pairs, 3))).float()

    def state(self) -> dict[str, Any]:
        return {"generator": self.generator.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        self.generator.bit_generator.state = state["generator"]


class Net(nn.Module):
    """Two layers with a dropout between them, and the attribute that attention modules keep theirs in."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 1)
        self.dropout, self.dropout_prob = nn.Dropout(0.5), 0.25

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.dropout(torch.tanh(self.first(x))))


class Pulled(nn.Module):
    """One vector whose loss is `pull . vector`, so that every gradient is `pull`."""

    def __init__(self, start: list[float], pull: list[float]) -> None:
        super().__init__()
        self.vector, self.pull = nn.Parameter(torch.tensor(start)), torch.tensor(pull)

    def draw_loss(self) -> tuple[Tensor, int]:
        return (self.vector * self.pull).sum(), 1


def plan(**changes: Any) -> Optimisation:
    """A plan without warm-up, decay, clipping or schedule, where not said otherwise."""
    plain = {"steps": 1, "schedule": "constant", "warmup_steps": 0, "weight_decay": 0.0, "clip_norm": None}
    return Optimisation.model_validate(plain | {"learning_rate": 0.1} | changes)


class Recorder:
    """Keeps every step, with the gradients that it was made with; asks to stop after one of them."""

    def __init__(self, model: nn.Module, stop_after: int = 0) -> None:
        self.model, self.stop_after = model, stop_after
        self.steps: list[Step] = []
        self.gradients: list[dict[str, Tensor]] = []

    def __call__(self, step: Step) -> bool:
        self.steps.append(step)
        named = self.model.named_parameters()
        self.gradients.append({n: p.grad.clone() for n, p in named if p.grad is not None})
        return step.step == self.stop_after


def pull(
    start: list[float], by: list[float], tmp_path: Path, steps: int = 1, **changes: Any
) -> tuple[Tensor, Recorder]:
    """Train a `Pulled` vector; returns where it ended, and what was recorded."""
    model = Pulled(start, by)
    seen = Recorder(model)
    train(model, dict(model.named_parameters()), model.draw_loss, [], plan(**changes), steps, tmp_path / "s.pt", seen)
    assert len(seen.steps) == steps
    return model.vector.detach(), seen


def square_loss(model: nn.Module, draws: Draws, pairs: int) -> Callable[[], tuple[Tensor, int]]:
    def draw_loss() -> tuple[Tensor, int]:
        return model(draws.sample(pairs)).pow(2).mean(), pairs

    return draw_loss


def trained(
    tmp_path: Path, stop_after: int = 0, steps: int = 6, seed: int = 0, draws: int = 7, **changes: Any
) -> tuple:
    """Train a `Net` with fresh objects, from the checkpoint where there is one."""
    model, sampler = Net(seed), Draws(draws)
    torch.manual_seed(100 + seed)
    seen = Recorder(model, stop_after)
    options = {"dropout": None, "weight_decay": 0.1, "clip_norm": 0.5, "schedule": "linear", "warmup_steps": 2}
    args = (dict(model.named_parameters()), square_loss(model, sampler, 5), [sampler], plan(**(options | changes)))
    stopped = False
    try:
        train(model, *args, steps, tmp_path / "stage" / "state.pt", seen)
    except Stopped:
        stopped = True
    return model, seen, stopped


# Schedules


def test_linear_schedule_warms_up_and_goes_to_zero() -> None:
    p = plan(schedule="linear", warmup_steps=2)
    expected = [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
    assert [rate_at(step, 10, p) for step in range(10)] == pytest.approx(expected)


def test_warm_up_is_a_tenth_of_the_steps_unless_said_and_rounds_up() -> None:
    p = plan(schedule="constant", warmup_steps=None)
    assert [rate_at(step, 25, p) for step in range(5)] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0, 1.0])
    assert rate_at(0, 3, p) == 1.0


def test_constant_schedule_without_warm_up_is_one() -> None:
    assert {rate_at(step, 7, plan(schedule="constant", warmup_steps=0)) for step in range(7)} == {1.0}


def test_cosine_restarts_fall_from_one_and_jump_back() -> None:
    p = plan(schedule="cosine_restarts", restarts=2, warmup_steps=1)
    eighth = math.sqrt(0.5) / 2
    cycle = [1.0, 0.5 + eighth, 0.5, 0.5 - eighth]
    assert [rate_at(step, 9, p) for step in range(9)] == pytest.approx([1.0, *cycle, *cycle])


def test_a_warm_up_longer_than_the_stage_never_ends() -> None:
    p = plan(schedule="cosine_restarts", warmup_steps=10_000)
    assert [rate_at(step, 3, p) for step in range(3)] == pytest.approx([1e-4, 2e-4, 3e-4])


def test_the_loop_applies_the_schedule(tmp_path: Path) -> None:
    """With a constant gradient, Adam moves by the rate of each step (Kingma and Ba 2015, section 2.1)."""
    end, seen = pull([1.0], [3.0], tmp_path, steps=4, optimizer="adam", schedule="linear", warmup_steps=2)
    assert [s.learning_rate for s in seen.steps] == pytest.approx([0.05, 0.1, 0.1, 0.05])
    assert end.item() == pytest.approx(1.0 - (0.05 + 0.1 + 0.1 + 0.05), abs=1e-5)


# Optimizers


def test_adamw_decays_the_weight_and_adam_the_gradient(tmp_path: Path) -> None:
    still = [0.0]
    adamw, _ = pull([2.0], still, tmp_path, optimizer="adamw", weight_decay=0.5)
    adam, _ = pull([2.0], still, tmp_path, optimizer="adam", weight_decay=0.5)
    assert adamw.item() == pytest.approx(2.0 * (1 - 0.1 * 0.5))
    assert adam.item() == pytest.approx(2.0 - 0.1)  # its gradient 0.5 * 2 is scaled to one


def test_value_matrices_of_fusion_have_a_rate_of_their_own(tmp_path: Path) -> None:
    model = nn.Module()
    names = {
        "value": "layer.0.adapter_fusion_layer.ep,tp.value.weight",
        "query": "layer.0.adapter_fusion_layer.ep,tp.query.weight",
    }
    parameters = {names[k]: nn.Parameter(torch.ones(2)) for k in names}

    def draw_loss() -> tuple[Tensor, int]:
        return sum(p.sum() for p in parameters.values()), 1

    for rate, expected in ((0.0, 1.0), (0.02, 0.98), (None, 0.9)):
        with torch.no_grad():
            for p in parameters.values():
                p.fill_(1.0)
        p = plan(value_learning_rate=rate, optimizer="adam")
        train(model, parameters, draw_loss, [], p, 1, tmp_path / "s.pt", lambda s: False)
        assert parameters[names["value"]].tolist() == pytest.approx([expected] * 2, abs=1e-6)
        assert parameters[names["query"]].tolist() == pytest.approx([0.9] * 2, abs=1e-6)


def test_updates_per_gradient_steps_twice_with_one_gradient(tmp_path: Path) -> None:
    end, seen = pull([1.0, -1.0], [0.3, 2.0], tmp_path, steps=3, updates_per_gradient=2, weight_decay=0.2)
    by_hand = nn.Parameter(torch.tensor([1.0, -1.0]))
    optimizer = torch.optim.AdamW([by_hand], lr=0.1, weight_decay=0.2)
    for _ in range(6):
        by_hand.grad = torch.tensor([0.3, 2.0])
        optimizer.step()
    assert torch.equal(end, by_hand.detach())
    assert [s.step for s in seen.steps] == [1, 2, 3]


# Gradients


def test_accumulation_equals_one_big_batch(tmp_path: Path) -> None:
    ends, gradients, steps = [], [], []
    for batches, pairs in ((3, 4), (1, 12)):
        model = Net()
        seen = Recorder(model)
        draw_loss = square_loss(model, Draws(1), pairs)
        p = plan(accumulation=batches, dropout=0.0)
        train(model, dict(model.named_parameters()), draw_loss, [], p, 2, tmp_path / "s.pt", seen)
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        gradients.append(seen.gradients[0])
        steps.append(seen.steps[0])
    reference = Net().eval()
    reference(Draws(1).sample(12)).pow(2).mean().backward()
    expected = {n: p.grad for n, p in reference.named_parameters()}
    assert min(g.norm() for g in expected.values()) > 1e-3
    for found in gradients:
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*ends)
    assert steps[0].pairs == steps[1].pairs == 12
    assert steps[0].loss == pytest.approx(steps[1].loss, rel=1e-6)


def test_clip_bounds_the_norm_and_keeps_the_direction(tmp_path: Path) -> None:
    clipped = pull([0.0, 0.0], [3.0, 4.0], tmp_path, clip_norm=1.0)[1].gradients[0]["vector"]
    free = pull([0.0, 0.0], [3.0, 4.0], tmp_path, clip_norm=None)[1].gradients[0]["vector"]
    small = pull([0.0, 0.0], [3.0, 4.0], tmp_path, clip_norm=6.0)[1].gradients[0]["vector"]
    assert clipped.tolist() == pytest.approx([0.6, 0.8], abs=1e-5)
    assert free.tolist() == [3.0, 4.0]
    assert small.tolist() == [3.0, 4.0]


def test_gradients_pile_up_only_where_they_are_never_zeroed(tmp_path: Path) -> None:
    piled = pull([0.0], [2.0], tmp_path, steps=3, zero_gradients="never")[1]
    zeroed = pull([0.0], [2.0], tmp_path, steps=3)[1]
    assert [g["vector"].item() for g in piled.gradients] == [2.0, 4.0, 6.0]
    assert [g["vector"].item() for g in zeroed.gradients] == [2.0, 2.0, 2.0]


def test_only_the_given_parameters_change_and_only_they_get_gradients(tmp_path: Path) -> None:
    model = Net()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    chosen = {n: p for n, p in model.named_parameters() if n.startswith("second")}
    seen = Recorder(model)
    train(model, chosen, square_loss(model, Draws(0), 4), [], plan(weight_decay=0.1), 2, tmp_path / "s.pt", seen)
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed == set(chosen) == {"second.weight", "second.bias"}
    assert set(seen.gradients[0]) == set(chosen)
    assert {n for n, p in model.named_parameters() if p.requires_grad} == set(chosen)
    assert all(p.grad is None for p in model.parameters())
    assert not model.training


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_stage_before_it_does_harm(tmp_path: Path, bad: float) -> None:
    model = Pulled([1.0], [1.0])
    losses = iter([1.0, bad])
    at_two = []

    def draw_loss() -> tuple[Tensor, int]:
        at_two[:] = [model.vector.item()]
        return model.vector.sum() * next(losses), 1

    with pytest.raises(TrainingError, match=rf"became {bad} at step 2 of 5.*learning rate \(0.1\)"):
        train(model, {"v": model.vector}, draw_loss, [], plan(), 5, tmp_path / "s.pt", lambda s: False)
    assert model.vector.item() == at_two[0] == pytest.approx(0.9, abs=1e-6)
    assert not model.training
    assert model.vector.grad is None


# Dropout


@pytest.mark.parametrize(("share", "inside"), [(0.0, (0.0, 0.0)), (0.125, (0.125, 0.125)), (None, (0.5, 0.25))])
def test_dropout_is_set_while_training_and_put_back(tmp_path: Path, share: float | None, inside: tuple) -> None:
    model, seen = Net(), []

    def draw_loss() -> tuple[Tensor, int]:
        seen.append((model.dropout.p, model.dropout_prob, model.training))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return model(torch.ones(2, 3)).mean(), 2

    with pytest.raises(KeyboardInterrupt):
        train(
            model, {"w": model.first.weight}, draw_loss, [], plan(dropout=share), 3, tmp_path / "s.pt", lambda s: False
        )
    assert seen == [(*inside, True)] * 2
    assert (model.dropout.p, model.dropout_prob) == (0.5, 0.25)


# Checkpoint and resume


def assert_same_end(first: tuple, second: tuple) -> None:
    """Equal parameters, bit for bit."""
    ends = [dict(model.named_parameters()) for model, *_ in (first, second)]
    assert ends[0].keys() == ends[1].keys()
    assert [n for n in ends[0] if not torch.equal(ends[0][n], ends[1][n])] == []


@pytest.mark.parametrize("after", [1, 3, 5, 6])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adam", "accumulation": 2, "updates_per_gradient": 2, "schedule": "cosine_restarts"},
        {"zero_gradients": "never"},
    ],
    ids=["adamw", "adam", "piled"],
)
def test_a_stopped_stage_goes_on_bit_for_bit(tmp_path: Path, after: int, changes: dict[str, Any]) -> None:
    """Dropout is on: the samplers' and torch's random states must both come back."""
    whole = trained(tmp_path / "whole", **changes)
    first = trained(tmp_path / "parts", stop_after=after, **changes)
    state = tmp_path / "parts" / "stage" / "state.pt"
    assert first[2]
    assert state.is_file()
    rest = trained(tmp_path / "parts", seed=5, draws=99, **changes)
    assert_same_end(whole, rest)
    assert [s.step for s in rest[1].steps] == list(range(after + 1, 7))
    assert first[1].steps + rest[1].steps == whole[1].steps
    assert list(state.parent.iterdir()) == []
    assert len({s.loss for s in whole[1].steps}) == 6


def test_a_resumed_stage_would_differ_without_its_checkpoint(tmp_path: Path) -> None:
    """Guards the test above: other seeds do give another end."""
    whole, other = trained(tmp_path / "a"), trained(tmp_path / "b", seed=5, draws=99)
    assert not torch.equal(whole[0].first.weight, other[0].first.weight)


def test_checkpoints_inside_a_stage_survive_a_crash(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    file = tmp_path / "crashed" / "stage" / "state.pt"
    model, draws = Net(), Draws(7)
    torch.manual_seed(100)
    loss, calls = square_loss(model, draws, 5), []

    def draw_loss() -> tuple[Tensor, int]:
        calls.append(None)
        if len(calls) == 5:
            raise MemoryError
        return loss()

    options = {"dropout": None, "weight_decay": 0.1, "clip_norm": 0.5, "schedule": "linear", "warmup_steps": 2}
    with pytest.raises(MemoryError):
        train(
            model, dict(model.named_parameters()), draw_loss, [draws], plan(**options), 6, file, lambda s: False, 1e-9
        )
    assert [f.name for f in file.parent.iterdir()] == ["state.pt"]
    rest = trained(tmp_path / "crashed", seed=3, draws=1)
    assert [s.step for s in rest[1].steps] == [5, 6]
    assert_same_end(whole, rest)


def test_no_checkpoint_is_written_before_its_time(tmp_path: Path) -> None:
    files = []
    model = Pulled([1.0], [1.0])
    file = tmp_path / "s.pt"
    train(model, {"v": model.vector}, model.draw_loss, [], plan(), 3, file, lambda s: files.append(file.exists()))
    assert files == [False] * 3


def test_a_checkpoint_cut_short_is_named(tmp_path: Path) -> None:
    trained(tmp_path, stop_after=3)
    file = tmp_path / "stage" / "state.pt"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(TrainingError, match="cannot be read") as error:
        trained(tmp_path)
    assert str(file) in str(error.value)
    assert "Delete it" in str(error.value)
