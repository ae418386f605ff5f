"""Protocols over stored ranks: the same run read as `strict`, `strict-raw` or `released`, with no new run.

| protocol   | Hit@k      | candidates                                                  | known answers |
| strict     | rank <= k  | every entity of the language in the benchmark               | filtered      |
| strict-raw | rank <= k  | the same                                                    | kept          |
| released   | rank <= k+1 (the released code compares a zero-based rank) | unique gold strings of the test split | kept |

Intervals come from a bootstrap that draws entities, not queries: an entity is asked in many languages, and its queries
are not independent.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.evaluation.metrics import RANKING_METRICS, realistic_rank

RankSet = Literal["filtered", "raw", "released"]
RANK_SETS: tuple[RankSet, ...] = ("filtered", "raw", "released")


@dataclass(frozen=True)
class Protocol:
    """How stored ranks become hits.

    Attributes:
        key: Name in results.
        ranks: Which stored ranks it reads.
        hit_offset: Hit@k counts ranks up to k plus this.
        meaning: One sentence for people.
    """

    key: str
    ranks: RankSet
    hit_offset: int
    meaning: str


PROTOCOLS: dict[str, Protocol] = {
    p.key: p
    for p in (
        Protocol(
            "strict", "filtered", 0, "one-based ranks among every candidate of the benchmark, other answers filtered"
        ),
        Protocol("strict-raw", "raw", 0, "one-based ranks among every candidate of the benchmark, nothing filtered"),
        Protocol(
            "released", "released", 1, "as the released code counts: Hit@k is Hit@(k+1) among unique gold strings"
        ),
    )
}


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

    def values(self, protocol: Protocol) -> dict[str, np.ndarray]:
        """Metric -> value of every query, in the metric's unit, shape (queries,)."""
        ranks = realistic_rank(self.optimistic[protocol.ranks], self.pessimistic[protocol.ranks])
        hits = {
            key: spec.per_query(ranks - protocol.hit_offset) for key, spec in RANKING_METRICS.items() if key != "MRR"
        }
        return hits | {"MRR": RANKING_METRICS["MRR"].per_query(ranks)}


def to_arrays(ranks: Mapping[str, LanguageRanks]) -> dict[str, np.ndarray]:
    """Ranks by language as named arrays, for an `.npz` file: `de.entity`, and `de.<rank set>` of shape (2, queries)."""
    arrays = {}
    for language, r in ranks.items():
        arrays[f"{language}.entity"] = r.entity.astype(np.int32)
        for name in RANK_SETS:
            arrays[f"{language}.{name}"] = np.stack([r.optimistic[name], r.pessimistic[name]]).astype(np.int32)
    return arrays


def from_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, LanguageRanks]:
    """The inverse of `to_arrays`."""
    languages = [key.removesuffix(".entity") for key in arrays if key.endswith(".entity")]
    return {
        language: LanguageRanks(
            arrays[f"{language}.entity"],
            {name: arrays[f"{language}.{name}"][0] for name in RANK_SETS},
            {name: arrays[f"{language}.{name}"][1] for name in RANK_SETS},
        )
        for language in languages
    }


def result_rows(
    ranks: Mapping[str, LanguageRanks],
    groups: Mapping[str, str],
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Iterable[dict[str, Any]]:
    """Values of every metric under every protocol, per language and per group, with intervals.

    Args:
        ranks: Ranks by language.
        groups: Language -> group of this run.
        samples: Bootstrap samples.
        confidence: Share of the samples inside the interval.
        seed: Seed of the resampling; equal seeds resample equally, so systems can be compared in pairs.

    Yields:
        Rows with language (None for a group's row), group, metric, protocol, value, low, high and n (queries); a
        group's value is the mean over its languages.
    """
    drawn = draw_entities(ranks, samples, seed)
    for protocol in PROTOCOLS.values():
        for found in estimates(ranks, groups, protocol, drawn):
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


@dataclass(frozen=True)
class Estimate:
    """One metric of one language or group, on the whole test set and on every resample.

    Attributes:
        language: The language; None for a group.
        group: The language's group, or the group.
        metric: Key of the metric.
        value: Mean over the queries; of a group, mean over its languages; in the metric's unit.
        resampled: The same in every resample, shape (samples,).
        n: Queries.
    """

    language: str | None
    group: str
    metric: str
    value: float
    resampled: np.ndarray
    n: int


def draw_entities(ranks: Mapping[str, LanguageRanks], samples: int, seed: int) -> np.ndarray:
    """How often each resample draws each entity of any of the languages, int, shape (samples, entities)."""
    entities = max((int(r.entity.max(initial=0)) for r in ranks.values()), default=0) + 1
    return np.random.default_rng(seed).multinomial(entities, np.full(entities, 1 / entities), size=samples)


def estimates(
    ranks: Mapping[str, LanguageRanks], groups: Mapping[str, str], protocol: Protocol, drawn: np.ndarray
) -> Iterator[Estimate]:
    """Every metric under one protocol, per language and then per group.

    Args:
        ranks: Ranks by language.
        groups: Language -> group of this run.
        protocol: How ranks become values.
        drawn: What `draw_entities` gave for these ranks, shape (samples, entities).
    """
    members = {g: [lang for lang in ranks if groups[lang] == g] for g in dict.fromkeys(groups[lang] for lang in ranks)}
    values: dict[tuple[str, str], Estimate] = {}
    for language, r in ranks.items():
        weight = drawn[:, r.entity].astype(float)
        weight[weight.sum(1) == 0] = 1  # a resample without any of the language's entities says nothing of it
        share = weight / weight.sum(1, keepdims=True)
        for metric, per_query in r.values(protocol).items():
            whole, resampled = float(per_query.mean()), share @ per_query
            found = Estimate(language, groups[language], metric, whole, resampled, len(per_query))
            values[language, metric] = found
            yield found
    for group, languages in members.items():
        for metric in RANKING_METRICS:
            parts = [values[language, metric] for language in languages]
            whole, resampled = float(np.mean([p.value for p in parts])), np.mean([p.resampled for p in parts], axis=0)
            yield Estimate(None, group, metric, whole, resampled, sum(p.n for p in parts))


def interval(resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """Percentile interval of a bootstrap: the ends between which a share `confidence` of (samples,) values lies."""
    low, high = np.percentile(resampled, 100 * np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    return float(low), float(high)
