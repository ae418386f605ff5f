"""Outcomes -> values and intervals, by language and by group.

Intervals come from a bootstrap that draws units, not examples: an entity is asked in many languages, and its queries are
not independent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from core.evaluation.outcomes import LanguageRanks, Outcome
from core.evaluation.protocols import PROTOCOLS, Protocol, Weights


def result_rows(
    outcomes: Mapping[str, Outcome],
    groups: Mapping[str, str],
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    weights: Weights = "reported",
) -> Iterator[dict[str, Any]]:
    """Values of every metric under every protocol, per language and per group, with intervals.

    Args:
        outcomes: Outcomes by language.
        groups: Language -> group of this run.
        samples: Bootstrap samples.
        confidence: Share of the samples inside the interval.
        seed: Seed of the resampling; equal seeds resample equally, so systems can be compared in pairs.
        weights: Whose outcomes these are; the protocols that read those are computed.

    Yields:
        Rows with language (None for a group's row), group, metric, protocol, value, low, high and n (examples); a
        group's value is the mean over its languages.
    """
    drawn = draw_units(outcomes, samples, seed)
    for protocol in protocols_of(outcomes, weights):
        for found in estimates(outcomes, groups, protocol, drawn):
            low, high = interval(found.resampled, confidence)
            yield {
                "language": found.language,
                "group": found.group,
                "metric": found.metric,
                "protocol": protocol.key,
                "value": found.value,
                "low": low,
                "high": high,
                "n": found.n,
            }


def protocols_of(outcomes: Mapping[str, Outcome], weights: Weights = "reported") -> list[Protocol]:
    """The protocols that read the outcomes of some weights."""
    ranked = all(isinstance(o, LanguageRanks) for o in outcomes.values())
    return [p for p in PROTOCOLS.values() if p.weights == weights and (ranked or not p.ranks_only)]


@dataclass(frozen=True)
class Estimate:
    """One metric of one language or group, on the whole test set and on every resample.

    Attributes:
        language: The language; None for a group.
        group: The language's group, or the group.
        metric: Key of the metric.
        value: On all examples; of a group, mean over its languages; in the metric's unit.
        resampled: The same in every resample, shape (samples,).
        n: Examples.
    """

    language: str | None
    group: str
    metric: str
    value: float
    resampled: np.ndarray
    n: int


def draw_units(outcomes: Mapping[str, Outcome], samples: int, seed: int) -> np.ndarray:
    """How often each resample draws each unit of any of the languages, int, shape (samples, units)."""
    return _drawn(max((int(o.unit.max(initial=0)) for o in outcomes.values()), default=0) + 1, samples, seed)


@lru_cache(maxsize=1)  # the systems of a task have the same units, and large test sets take seconds to draw
def _drawn(units: int, samples: int, seed: int) -> np.ndarray:
    generator, share = np.random.default_rng(seed), np.full(units, 1 / units)
    drawn = np.empty((samples, units), np.uint16)
    for sample in drawn:
        sample[:] = generator.multinomial(units, share)
    drawn.flags.writeable = False
    return drawn


def estimates(
    outcomes: Mapping[str, Outcome], groups: Mapping[str, str], protocol: Protocol, drawn: np.ndarray
) -> Iterator[Estimate]:
    """Every metric under one protocol, per language and then per group.

    Args:
        outcomes: Outcomes by language.
        groups: Language -> group of this run.
        protocol: How outcomes become values.
        drawn: What `draw_units` gave for these outcomes, shape (samples, units).
    """
    by_group: dict[str, dict[str, list[Estimate]]] = {groups[language]: {} for language in outcomes}
    for language, outcome in outcomes.items():
        tally = outcome.tally(protocol)
        weight = drawn[:, outcome.unit].astype(float)
        weight[weight.sum(1) == 0] = 1  # a resample without any of the language's units says nothing of it
        resampled, n = weight @ tally.counts, len(tally.counts)
        for metric, value in tally.values().items():
            found = Estimate(language, groups[language], metric, value, tally.metrics[metric](resampled), n)
            by_group[groups[language]].setdefault(metric, []).append(found)
            yield found
    for group, metrics in by_group.items():
        for metric, parts in metrics.items():
            whole, drawn_means = float(np.mean([p.value for p in parts])), np.mean([p.resampled for p in parts], axis=0)
            yield Estimate(None, group, metric, whole, drawn_means, sum(p.n for p in parts))


def interval(resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """Percentile interval of a bootstrap: the ends between which a share `confidence` of (samples,) values lies."""
    low, high = np.percentile(resampled, 100 * np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    return float(low), float(high)
