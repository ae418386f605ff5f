"""Predicted relations and their F1 as RELX scores it (Köksal and Özgür 2020): types weigh alike, directions pool.

A class is a relation type in one direction, `per:spouse(e1,e2)`, or `no_relation`. The F1 of a type is the micro-F1
over its two directions, 2 hits / (gold + predicted); a pair given in the wrong direction is no hit and counts on both
sides. The metric is the mean over all types of the label set. `no_relation` is no type, but a type predicted for such a
sentence counts against that type.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from core.evaluation.outcomes import Tally
from core.evaluation.protocols import Protocol

NO_RELATION = "no_relation"
_DIRECTION = re.compile(r"\((?:e1,e2|e2,e1)\)$")


def relation_types(labels: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The relation types of a label set, without their directions.

    Args:
        labels: Names of the classes; one without a direction is a type of its own.

    Returns:
        The types, in order of first appearance, and the number of each class's type, -1 for `no_relation`, shape
        (labels,).

    Raises:
        ValueError: If no label names a relation.
    """
    named = [_DIRECTION.sub("", label) for label in labels]
    types = [name for name in dict.fromkeys(named) if name != NO_RELATION]
    if not types:
        raise ValueError(
            f"The label set has no relation: {', '.join(labels) or 'it is empty'}. It needs labels such as "
            f"per:spouse(e1,e2), beside {NO_RELATION}."
        )
    return types, np.asarray([-1 if name == NO_RELATION else types.index(name) for name in named])


@dataclass(frozen=True)
class PredictedRelations:
    """What a system answered in one language.

    Attributes:
        unit: Sentence, the unit of the bootstrap, shared by its translations, int, shape (examples,).
        gold: Right class, a number of `labels`, shape (examples,).
        predicted: Class that the system gives, shape (examples,).
        probability: Probability that the system gives it, in [0, 1], shape (examples,).
        labels: Names of the classes, which hold what the metric needs: types and directions.
    """

    unit: np.ndarray
    gold: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray
    labels: tuple[str, ...]

    def tally(self, protocol: Protocol) -> Tally:
        """Hits and answers of every type, and right classes, in %; no protocol reads predictions in another way.

        Like the mean in RELX's scorer, F1 divides by all types of the label set: one that is neither gold nor
        predicted counts as 0, so a perfect system stays below 100 on a sample that lacks a type.
        """
        types, type_of = relation_types(self.labels)
        each = np.arange(len(types))
        gold, predicted = (type_of[column][:, None] == each for column in (self.gold, self.predicted))
        right = self.gold == self.predicted
        hits, answers = gold & right[:, None], gold.astype(np.int8) + predicted
        counts = np.column_stack([hits, answers, right, np.ones(len(right))]).astype(float)

        def f1(sums: np.ndarray) -> np.ndarray:
            hit, answered = sums[..., : len(types)], sums[..., len(types) : 2 * len(types)]
            return np.asarray(100 * (2 * hit / np.where(answered > 0, answered, 1)).mean(-1))

        return Tally(counts, {"F1": f1, "Accuracy": lambda sums: 100 * sums[..., -2] / sums[..., -1]})

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Every attribute as an array; the names of the classes as text."""
        return {
            "unit": self.unit.astype(np.int32),
            "gold": self.gold.astype(np.int16),
            "predicted": self.predicted.astype(np.int16),
            "probability": self.probability.astype(np.float32),
            "labels": np.asarray(self.labels),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `to_arrays`."""
        unit, gold, predicted, probability = (arrays[name] for name in ("unit", "gold", "predicted", "probability"))
        return cls(unit, gold, predicted, probability, tuple(arrays["labels"].tolist()))
