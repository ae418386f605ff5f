"""Two systems on the same queries, and one number over several seeds.

Systems are compared in pairs: each resample of the bootstrap draws one set of entities and measures both systems on it
(Koehn 2004, "Statistical significance tests for machine translation evaluation"), so what makes an entity hard for both
falls out of the difference. The resamples are those of `estimates.result_rows`: entities, not queries.

The two intervals answer different questions. The bootstrap's is about other test entities with the same weights; the t
interval over seeds is about other weights on the same test entities.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from core.evaluation.estimates import draw_units, estimates, interval
from core.evaluation.outcomes import Outcome
from core.evaluation.protocols import Protocol

_ROUNDING = 1e-9  # two systems with equal values differ by less than this in any metric's unit


@dataclass(frozen=True)
class Difference:
    """How two systems differ in one metric on one language or group.

    Attributes:
        language: The language; None for a group, whose value is the mean over its languages.
        group: The language's group, or the group.
        metric: Key of the metric.
        baseline: Value of the first system, in the metric's unit.
        value: Value of the second system.
        difference: `value` minus `baseline`.
        low: Lower end of the difference's bootstrap interval.
        high: Upper end.
        p: Two-sided p: twice the share of resamples in which the difference is zero or has the other sign, the test
            set itself counted as one more of them, so it is never zero; at most 1 (Davison and Hinkley 1997, chapter 4).
        n: Queries.
    """

    language: str | None
    group: str
    metric: str
    baseline: float
    value: float
    difference: float
    low: float
    high: float
    p: float
    n: int


def paired_differences(
    baseline: Mapping[str, Outcome],
    system: Mapping[str, Outcome],
    groups: Mapping[str, str],
    protocol: Protocol,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Iterator[Difference]:
    """Difference of two systems in every metric, per language and then per group.

    Args:
        baseline: Ranks of the first system by language.
        system: Ranks of the second system on the same queries.
        groups: Language -> group of this run.
        protocol: How ranks become values.
        samples: Bootstrap samples.
        confidence: Share of the samples inside the interval.
        seed: Seed of the resampling; `estimates.result_rows` draws the same entities under the same seed.

    Raises:
        ValueError: If the two do not rank the same queries.
    """
    require_same_queries(baseline, system)
    drawn = draw_units(baseline, samples, seed)
    pairs = (
        estimates(ranks, groups, protocol, drawn) for ranks in (baseline, {lang: system[lang] for lang in baseline})
    )
    for one, other in zip(*pairs, strict=True):
        resampled = _settled(other.resampled - one.resampled)
        low, high = interval(resampled, confidence)
        yield Difference(
            one.language,
            one.group,
            one.metric,
            baseline=one.value,
            value=other.value,
            difference=float(_settled(np.asarray(other.value - one.value))),
            low=low,
            high=high,
            p=two_sided_p(resampled),
            n=one.n,
        )


def two_sided_p(resampled: np.ndarray) -> float:
    """Two-sided p of bootstrapped differences, shape (samples,); see `Difference.p`."""
    rarer = min(int((resampled <= 0).sum()), int((resampled >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (1 + len(resampled)))


def require_same_queries(one: Mapping[str, Outcome], other: Mapping[str, Outcome]) -> None:
    """Check that two sets of ranks are of the same queries, by the entity that each query asks about.

    Raises:
        ValueError: Naming the languages that only one of them has, or that ask about other entities.
    """
    if alone := sorted(set(one) ^ set(other)):
        raise ValueError(f"Ranks of different queries: only one of the two has {', '.join(alone)}.")
    if differing := [lang for lang in one if not np.array_equal(one[lang].unit, other[lang].unit)]:
        counts = ", ".join(f"{lang} ({len(one[lang].unit)} and {len(other[lang].unit)})" for lang in differing)
        raise ValueError(f"Ranks of different queries: the two ask about other entities in {counts} queries.")


@dataclass(frozen=True)
class SeedSummary:
    """One number over several seeds, all in the number's unit.

    Attributes:
        n: Seeds.
        mean: Mean over the seeds.
        sd: Standard deviation with n - 1 in the denominator; None for one seed.
        low: Lower end of Student's t interval of the mean; None for one seed.
        high: Upper end; None for one seed.
        min: Smallest value.
        max: Largest value.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    min: float
    max: float


def over_seeds(values: Sequence[float], confidence: float = 0.95) -> SeedSummary:
    """Summary of a number that was measured once per seed.

    Args:
        values: One value per seed.
        confidence: How often such an interval covers the mean over all seeds.

    Raises:
        ValueError: If there is no value.
    """
    n = len(values)
    if not n:
        raise ValueError("There is no value to summarise over seeds; give one per seed.")
    mean, least, largest = float(np.mean(values)), float(min(values)), float(max(values))
    if n == 1:
        return SeedSummary(n, mean, None, None, None, least, largest)
    sd = float(np.std(values, ddof=1))
    reach = float(stdtrit(n - 1, (1 + confidence) / 2)) * sd / n**0.5
    return SeedSummary(n, mean, sd, mean - reach, mean + reach, least, largest)


def _settled(differences: np.ndarray) -> np.ndarray:
    """Differences with those that rounding alone makes set to zero, so that ties count for neither sign."""
    return np.where(np.abs(differences) < _ROUNDING, 0.0, differences)
