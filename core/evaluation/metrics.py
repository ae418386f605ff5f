"""Metrics that say what they are: unit, direction, range, and the rank convention they assume.

Ranks are one-based. A tie takes the realistic rank: the mean of the optimistic and the pessimistic one (the
vocabulary of PyKEEN). With one-based ranks MRR >= Hit@1 always holds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class MetricSpec:
    """A metric.

    Attributes:
        key: Name in results, such as `Hit@1`.
        label: How a table or an axis prints it.
        unit: Unit of its values.
        better: Whether larger or smaller is better.
        range: Smallest and largest possible value.
        per_query: One-based ranks, shape (..., queries) -> value of every query in `unit`, same shape; None where a
            metric is no mean over queries.
    """

    key: str
    label: str
    unit: str
    better: Literal["higher", "lower"]
    range: tuple[float, float]
    per_query: Callable[[np.ndarray], np.ndarray] | None = None


def _hits(k: int) -> MetricSpec:
    return MetricSpec(f"Hit@{k}", f"Hit@{k}", "%", "higher", (0, 100), lambda ranks: 100.0 * (ranks <= k))


_MRR = MetricSpec("MRR", "Mean reciprocal rank", "%", "higher", (0, 100), lambda ranks: 100.0 / ranks)
RANKING_METRICS: dict[str, MetricSpec] = {m.key: m for m in (_hits(1), _hits(3), _hits(5), _hits(10), _MRR)}


def _percent(*named: tuple[str, str]) -> dict[str, MetricSpec]:
    return {key: MetricSpec(key, label, "%", "higher", (0, 100)) for key, label in named}


METRICS: dict[str, dict[str, MetricSpec]] = {
    "kg_completion": RANKING_METRICS,
    "entity_alignment": RANKING_METRICS,
    "relation_classification": _percent(("F1", "Mean F1 over relation types"), ("Accuracy", "Accuracy")),
    "ner": _percent(("F1", "Span F1"), ("Precision", "Span precision"), ("Recall", "Span recall")),
    "question_answering": _percent(("F1", "Mean F1 of answer words"), ("EM", "Exact match")),
}
MAIN_METRICS = ("Hit@1", "MRR", "F1", "EM", "Accuracy")  # what a table shows when nobody asks for others


def realistic_rank(optimistic: np.ndarray, pessimistic: np.ndarray) -> np.ndarray:
    """Mean of the two ranks, shape as given.

    Raises:
        ValueError: If a rank is below one or the optimistic rank exceeds the pessimistic one.
    """
    if (optimistic < 1).any() or (optimistic > pessimistic).any():
        raise ValueError("Ranks are one-based and the optimistic rank never exceeds the pessimistic one.")
    return (optimistic + pessimistic) / 2
