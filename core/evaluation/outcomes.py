"""What is stored of an evaluation, language by language, and how it becomes metrics.

An outcome keeps ranks or predictions, example by example, so that protocols, groups and resampling need no new run.
Every metric here is a function of sums over examples: a mean, an F1, or a mean of F1s. A bootstrap therefore needs no
more than weighted sums.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from typing import Protocol as Interface

import numpy as np

from core import catalog
from core.evaluation.metrics import RANKING_METRICS, realistic_rank
from core.evaluation.protocols import RANK_SETS, Protocol, RankSet


@dataclass(frozen=True)
class Tally:
    """What is summed over examples, and what the sums mean.

    Attributes:
        counts: Per example, shape (examples, sums).
        metrics: Metric -> function from sums, shape (..., sums), to values in the metric's unit, shape (...).
    """

    counts: np.ndarray
    metrics: Mapping[str, Callable[[np.ndarray], np.ndarray]]

    def values(self) -> dict[str, float]:
        """Every metric on all examples."""
        sums = self.counts.sum(0)
        return {metric: float(of(sums)) for metric, of in self.metrics.items()}


def mean_tally(values: Mapping[str, np.ndarray]) -> Tally:
    """The tally of metrics that are means over examples: metric -> value of every example, shape (examples,)."""

    def mean(column: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda sums: sums[..., column] / sums[..., -1]

    counts = np.stack([*values.values(), np.ones(len(next(iter(values.values()))))], axis=1)
    return Tally(counts, {metric: mean(column) for column, metric in enumerate(values)})


class Outcome(Interface):
    """What a system did on the test set of one language."""

    @property
    def unit(self) -> np.ndarray:
        """What the bootstrap draws, as numbers shared by all languages of the task, int, shape (examples,)."""
        ...

    def tally(self, protocol: Protocol) -> Tally:
        """What a protocol counts of every example."""
        ...

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything, as named arrays without dots in their names."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `to_arrays`."""
        ...


@dataclass(frozen=True)
class LanguageRanks:
    """The ranks of one system on one task in one language.

    Attributes:
        entity: Entity that each query asks about, the unit of the bootstrap, int, shape (queries,).
        optimistic: Rank set -> one-based rank with ties resolved in favour, int, shape (queries,).
        pessimistic: Rank set -> the same with ties resolved against.
    """

    entity: np.ndarray
    optimistic: Mapping[RankSet, np.ndarray]
    pessimistic: Mapping[RankSet, np.ndarray]

    @property
    def unit(self) -> np.ndarray:
        """The entity asked about: it is asked in many languages, and its queries are not independent."""
        return self.entity

    def values(self, protocol: Protocol) -> dict[str, np.ndarray]:
        """Metric -> value of every query, in the metric's unit, shape (queries,)."""
        ranks = realistic_rank(self.optimistic[protocol.ranks], self.pessimistic[protocol.ranks])
        shift = {key: 0 if key == "MRR" else protocol.hit_offset for key in RANKING_METRICS}
        return {key: s.per_query(ranks - shift[key]) for key, s in RANKING_METRICS.items() if s.per_query}

    def tally(self, protocol: Protocol) -> Tally:
        """Values of every query: each metric is their mean."""
        return mean_tally(self.values(protocol))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """`entity`, and each rank set of shape (2, queries): optimistic, pessimistic."""
        arrays = {"entity": self.entity.astype(np.int32)}
        for name in RANK_SETS:
            arrays[name] = np.stack([self.optimistic[name], self.pessimistic[name]]).astype(np.int32)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `to_arrays`."""
        return cls(
            arrays["entity"],
            {name: arrays[name][0] for name in RANK_SETS},
            {name: arrays[name][1] for name in RANK_SETS},
        )


def to_arrays(outcomes: Mapping[str, Outcome]) -> dict[str, np.ndarray]:
    """Outcomes by language as named arrays, for an `.npz` file: `de.entity`, `de.filtered` and so on."""
    return {f"{lang}.{name}": array for lang, o in outcomes.items() for name, array in o.to_arrays().items()}


def from_arrays(task: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The outcomes of a task by language: the inverse of `to_arrays`."""
    kind, by_language = catalog.resolve("outcome", task), dict[str, dict[str, np.ndarray]]()
    for key, array in arrays.items():
        language, _, name = key.partition(".")
        by_language.setdefault(language, {})[name] = array
    return {language: kind.from_arrays(parts) for language, parts in by_language.items()}
