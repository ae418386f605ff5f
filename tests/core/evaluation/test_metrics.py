"""Metrics declare best, worst and direction; ranks decide whether they keep to it."""

import numpy as np
import pytest

from core.evaluation.metrics import RANKING_METRICS, MetricSpec, realistic_rank

SPECS = list(RANKING_METRICS.values())
RANDOM_RANKS = np.random.default_rng(0).integers(2, 120, size=(40, 25)) / 2  # halves are ranks of ties


def test_the_metrics_of_the_protocol() -> None:
    assert list(RANKING_METRICS) == ["Hit@1", "Hit@3", "Hit@5", "Hit@10", "MRR"]
    for key, spec in RANKING_METRICS.items():
        assert (spec.key, spec.unit) == (key, "%")
        assert spec.label


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.key)
def test_best_worst_and_direction(spec: MetricSpec) -> None:
    worst, best = spec.range if spec.better == "higher" else spec.range[::-1]
    assert spec.per_query(np.asarray([1.0])).tolist() == [best]
    assert spec.per_query(np.asarray([1e12])).tolist() == pytest.approx([worst], abs=1e-9)
    values = spec.per_query(np.arange(1, 200) / 2 + 0.5)
    steps = np.diff(values) if spec.better == "lower" else -np.diff(values)
    assert (steps >= 0).all()
    assert steps.sum() > 0
    assert spec.per_query(RANDOM_RANKS).shape == RANDOM_RANKS.shape
    assert spec.range[0] <= spec.per_query(RANDOM_RANKS).min() <= spec.per_query(RANDOM_RANKS).max() <= spec.range[1]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("Hit@1", [100, 0, 0, 0, 0]),
        ("Hit@3", [100, 100, 100, 0, 0]),
        ("Hit@5", [100, 100, 100, 0, 0]),
        ("Hit@10", [100, 100, 100, 100, 0]),
        ("MRR", [100, 200 / 3, 100 / 3, 10, 5]),
    ],
)
def test_values_by_hand(key: str, values: list[float]) -> None:
    assert RANKING_METRICS[key].per_query(np.asarray([1, 1.5, 3, 10, 20])).tolist() == pytest.approx(values)


def test_hits_at_one_never_exceed_the_mean_reciprocal_rank() -> None:
    hits, mrr = (RANKING_METRICS[key].per_query(RANDOM_RANKS).mean(1) for key in ("Hit@1", "MRR"))
    assert (hits <= mrr).all()
    assert hits.max() > 0
    assert (hits < mrr).any()


def test_hits_grow_with_k() -> None:
    by_k = np.stack([RANKING_METRICS[f"Hit@{k}"].per_query(RANDOM_RANKS).mean(1) for k in (1, 3, 5, 10)])
    assert (np.diff(by_k, axis=0) >= 0).all()
    assert (np.diff(by_k.mean(1)) > 0).all()


def test_the_realistic_rank_is_the_mean_of_all_orders_of_a_tie() -> None:
    """Two better candidates and three that tie: the right answer stands at 3, 4, 5 or 6."""
    assert realistic_rank(np.asarray([3, 1]), np.asarray([6, 1])).tolist() == [np.mean([3, 4, 5, 6]), 1]


@pytest.mark.parametrize(("optimistic", "pessimistic"), [([0, 1], [1, 1]), ([2, 1], [1, 1]), ([-3], [4])])
def test_impossible_ranks_are_refused(optimistic: list[int], pessimistic: list[int]) -> None:
    with pytest.raises(ValueError, match="Ranks are one-based and the optimistic rank never exceeds"):
        realistic_rank(np.asarray(optimistic), np.asarray(pessimistic))
