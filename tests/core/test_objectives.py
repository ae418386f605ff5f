"""The contrastive objectives against loops over single numbers."""

import math

import pytest
import torch
from torch import Tensor

from core.objectives import false_negatives, info_nce, symmetric_info_nce

BATCH, DIM = 7, 5


def cosine(x: Tensor, y: Tensor) -> float:
    x, y = x.tolist(), y.tolist()
    dot = sum(a * b for a, b in zip(x, y, strict=True))
    return dot / math.sqrt(sum(a * a for a in x)) / math.sqrt(sum(b * b for b in y))


def slow_info_nce(anchor: Tensor, positive: Tensor, temperature: float, ignore: list[list[bool]]) -> float:
    losses = []
    for i in range(len(anchor)):
        ratio = {
            j: math.exp(cosine(anchor[i], positive[j]) / temperature)
            for j in range(len(positive))
            if j == i or not ignore[i][j]
        }
        losses.append(-math.log(ratio[i] / sum(ratio.values())))
    return sum(losses) / len(losses)


def random_pairs(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Embeddings of unequal lengths, so that a loss that forgets the cosine is found out."""
    generator = torch.Generator().manual_seed(seed)
    anchor, positive = (torch.randn(BATCH, DIM, generator=generator) for _ in range(2))
    return anchor * torch.linspace(0.2, 4, BATCH)[:, None], positive * torch.linspace(3, 0.1, BATCH)[:, None]


def random_mask(seed: int = 1) -> Tensor:
    """Some false negatives, not symmetric, none on the diagonal."""
    mask = torch.rand(BATCH, BATCH, generator=torch.Generator().manual_seed(seed)) < 0.3
    mask &= ~torch.eye(BATCH, dtype=torch.bool)
    assert mask.any()
    assert not mask.equal(mask.T)
    return mask


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("masked", [False, True])
def test_info_nce_is_the_formula(temperature: float, masked: bool) -> None:
    anchor, positive = random_pairs()
    mask = random_mask() if masked else None
    allowed = torch.zeros(BATCH, BATCH, dtype=torch.bool) if mask is None else mask
    expected = slow_info_nce(anchor, positive, temperature, allowed.tolist())
    assert expected > 0.1
    assert info_nce(anchor, positive, temperature, mask).item() == pytest.approx(expected, rel=1e-5)


def test_a_masked_candidate_no_longer_counts() -> None:
    anchor, positive = random_pairs()
    assert info_nce(anchor, positive, 0.1, random_mask()).item() < info_nce(anchor, positive, 0.1).item() - 0.01
    everything = ~torch.eye(BATCH, dtype=torch.bool)
    assert info_nce(anchor, positive, 0.1, everything).item() == 0


@pytest.mark.parametrize("masked", [False, True])
def test_symmetric_info_nce_is_the_mean_of_both_directions(masked: bool) -> None:
    anchor, positive = random_pairs(2)
    mask = random_mask(3) if masked else torch.zeros(BATCH, BATCH, dtype=torch.bool)
    transposed = [[bool(mask[j, i]) for j in range(BATCH)] for i in range(BATCH)]
    forward = slow_info_nce(anchor, positive, 0.2, mask.tolist())
    backward = slow_info_nce(positive, anchor, 0.2, transposed)
    assert abs(forward - backward) > 0.01
    if masked:  # the mask of the second direction is not that of the first
        assert abs(backward - slow_info_nce(positive, anchor, 0.2, mask.tolist())) > 0.01
    found = symmetric_info_nce(anchor, positive, 0.2, mask if masked else None)
    assert found.item() == pytest.approx((forward + backward) / 2, rel=1e-5)


def test_worked_value() -> None:
    """Three orthogonal pairs at temperature 1/2: each loss is -log(e^2 / (e^2 + 2))."""
    found = info_nce(torch.eye(3) * 5, torch.eye(3) * 0.1, 0.5)
    assert found.item() == pytest.approx(math.log(1 + 2 / math.e**2), rel=1e-6)


def test_both_sides_get_a_gradient_and_descend() -> None:
    anchor, positive = random_pairs()
    anchor.requires_grad_()
    positive.requires_grad_()
    before = symmetric_info_nce(anchor, positive, 0.1)
    gradients = torch.autograd.grad(before, (anchor, positive))
    assert all((g.norm(dim=1) > 0).all() for g in gradients)
    after = symmetric_info_nce(anchor - 0.001 * gradients[0], positive - 0.001 * gradients[1], 0.1)
    assert after < before


def test_half_precision_embeddings_give_a_single_precision_loss() -> None:
    anchor, positive = (x.bfloat16() for x in random_pairs())
    loss = info_nce(anchor, positive, 0.05)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(info_nce(anchor.float(), positive.float(), 0.05).item(), rel=1e-6)


@pytest.mark.parametrize("objective", [info_nce, symmetric_info_nce])
@pytest.mark.parametrize(
    ("anchor", "positive", "temperature", "said"),
    [
        ((4, 3), (5, 3), 0.1, r"\(4, 3\).*\(5, 3\)"),
        ((4, 3), (4, 2), 0.1, r"\(4, 3\).*\(4, 2\)"),
        ((1, 3), (1, 3), 0.1, "at least two rows"),
        ((4, 3), (4, 3), 0.0, "positive, not 0.0"),
        ((4, 3), (4, 3), -0.1, "positive, not -0.1"),
    ],
)
def test_errors(objective, anchor: tuple, positive: tuple, temperature: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        objective(torch.ones(anchor), torch.ones(positive), temperature)


@pytest.mark.parametrize("with_known", [False, True])
def test_false_negatives_is_the_rule(with_known: bool) -> None:
    entity, string = [3, 1, 3, 2, 5, 6], [0, 1, 2, 1, 4, 5]
    size = len(entity)
    known = [[(i, j) in {(0, 4), (5, 5)} for j in range(size)] for i in range(size)]
    expected = [[False] * size for _ in range(size)]
    for i in range(size):
        for j in range(size):
            same = entity[i] == entity[j] or string[i] == string[j] or (with_known and known[i][j])
            expected[i][j] = i != j and same
    pairs = {(0, 2), (2, 0), (1, 3), (3, 1)} | ({(0, 4)} if with_known else set())
    assert {(i, j) for i in range(size) for j in range(size) if expected[i][j]} == pairs
    found = false_negatives(torch.tensor(entity), torch.tensor(string), torch.tensor(known) if with_known else None)
    assert found.dtype == torch.bool
    assert found.tolist() == expected


def test_false_negatives_do_not_enter_the_loss() -> None:
    """Two labels of one entity in a batch: moving one of them leaves the other's loss alone."""
    anchor, positive = random_pairs()
    entity = torch.tensor([0, 0, *range(2, BATCH)])
    mask = false_negatives(entity, torch.arange(BATCH))
    moved = positive.clone()
    moved[1] = anchor[0]  # the best distractor there is for anchor 0
    kept = [i for i in range(BATCH) if i != 1]

    def first_loss(candidates: Tensor, ignore: list[list[bool]]) -> float:
        return slow_info_nce(anchor[:1], candidates, 0.1, ignore)

    assert first_loss(positive[kept], [[False] * BATCH]) == pytest.approx(first_loss(moved, mask.tolist()))
    assert first_loss(moved, [[False] * BATCH]) > first_loss(moved, mask.tolist()) + 0.1
    expected = slow_info_nce(anchor, moved, 0.1, mask.tolist())
    assert info_nce(anchor, moved, 0.1, mask).item() == pytest.approx(expected, rel=1e-5)
