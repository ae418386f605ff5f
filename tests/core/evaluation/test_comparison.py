"""Paired differences against a slow bootstrap in exact fractions, and summaries over seeds worked by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from core.evaluation.comparison import over_seeds, paired_differences, require_same_queries, two_sided_p
from core.evaluation.estimates import result_rows
from core.evaluation.metrics import RANKING_METRICS
from core.evaluation.outcomes import LanguageRanks
from core.evaluation.protocols import PROTOCOLS, RANK_SETS

GROUPS = {"de": "Sup", "fr": "Sup", "eo": "ZS-Un"}
STRICT = PROTOCOLS["strict"]


def ranks_of(entity: np.ndarray, ranks: np.ndarray) -> LanguageRanks:
    """The same untied ranks in every rank set."""
    return LanguageRanks(entity, dict.fromkeys(RANK_SETS, ranks), dict.fromkeys(RANK_SETS, ranks))


def two_systems(entities: int = 12) -> tuple[dict[str, LanguageRanks], dict[str, LanguageRanks]]:
    """Several queries per entity; `fr` asks about two entities only, which some resamples miss; `eo` about many."""
    rng, baseline, system = np.random.default_rng(3), {}, {}
    for language, entity in {
        "de": rng.integers(entities, size=31),
        "fr": np.array([2, 2, 7, 7, 7]),
        "eo": np.append(rng.integers(entities, size=22), entities - 1),
    }.items():
        baseline[language] = ranks_of(entity, rng.integers(1, 4, size=len(entity)))
        system[language] = ranks_of(entity, rng.integers(1, 4, size=len(entity)))
    return baseline, system


def exact_mean(ranks: LanguageRanks, drawn: np.ndarray, metric: str) -> Fraction:
    """Mean over the queries of the drawn entities, each query as often as its entity; over all if none is drawn."""
    times = [int(drawn[e]) for e in ranks.entity]
    if not any(times):
        times = [1] * len(times)
    values = [
        Fraction(100 * int(r == 1)) if metric == "Hit@1" else Fraction(100, int(r)) for r in ranks.optimistic["raw"]
    ]
    return sum((v * t for v, t in zip(values, times, strict=True)), Fraction(0)) / sum(times)


@pytest.mark.parametrize("metric", ["Hit@1", "MRR"])
def test_differences_against_a_slow_bootstrap(metric: str) -> None:
    """Both systems on the same drawn entities, subtracted; ties between them are exact in fractions."""
    (baseline, system), entities, samples = two_systems(), 12, 300
    rng, differences = np.random.default_rng(5), {place: [] for place in ("de", "fr", "eo", "Sup", "ZS-Un")}
    missed = 0
    for _ in range(samples):
        drawn = rng.multinomial(entities, [1 / entities] * entities)
        missed += drawn[2] + drawn[7] == 0
        by_language = {
            language: exact_mean(system[language], drawn, metric) - exact_mean(baseline[language], drawn, metric)
            for language in GROUPS
        }
        for language, difference in by_language.items():
            differences[language].append(difference)
        differences["Sup"].append((by_language["de"] + by_language["fr"]) / 2)
        differences["ZS-Un"].append(by_language["eo"])
    assert missed > 3
    assert sum(d == 0 for found in differences.values() for d in found) > 10
    rows = list(paired_differences(baseline, system, GROUPS, STRICT, samples, 0.8, seed=5))
    assert len(rows) == len(RANKING_METRICS) * len(differences)
    for place, expected in differences.items():
        (row,) = [r for r in rows if r.metric == metric and place == (r.language or r.group)]
        assert (row.low, row.high) == pytest.approx(tuple(np.percentile([float(d) for d in expected], [10, 90])))
        not_above, not_below = sum(d <= 0 for d in expected), sum(d >= 0 for d in expected)
        assert row.p == min(1, 2 * (1 + min(not_above, not_below)) / (1 + samples)), place
    assert len({r.p for r in rows}) > 3


@pytest.mark.parametrize("protocol", ["strict", "strict-raw", "released"])
def test_values_are_those_of_the_results(protocol: str) -> None:
    baseline, system = two_systems()
    rows = list(paired_differences(baseline, system, GROUPS, PROTOCOLS[protocol], 20))
    results = [[r for r in result_rows(ranks, GROUPS, 20) if r["protocol"] == protocol] for ranks in (baseline, system)]
    for row, one, other in zip(rows, *results, strict=True):
        assert (row.language, row.group, row.metric, row.n) == tuple(
            one[k] for k in ("language", "group", "metric", "n")
        )
        assert (row.baseline, row.value) == (one["value"], other["value"])
        assert row.difference == pytest.approx(other["value"] - one["value"], abs=1e-9)
    assert sum(row.difference != 0 for row in rows) > 5


def test_the_pairing_takes_out_what_is_hard_for_both() -> None:
    """Half the entities are hard for both systems; the second is one rank better on every ninth query."""
    entity = np.arange(300)
    hard = np.where(entity % 2, 2, 20)
    baseline, system = ({"de": ranks_of(entity, ranks)} for ranks in (hard, hard - (entity % 9 == 0)))
    (row,) = [r for r in paired_differences(baseline, system, GROUPS, STRICT) if r.metric == "MRR" and r.language]
    alone = [
        next(
            r
            for r in result_rows(ranks, GROUPS)
            if (r["metric"], r["protocol"], r["language"]) == ("MRR", "strict", "de")
        )
        for ranks in (baseline, system)
    ]
    assert 0 < row.low < row.difference < row.high
    assert alone[0]["high"] > alone[1]["low"]  # the two intervals overlap, and yet the difference is clear
    assert row.p == pytest.approx(2 / 1001)


def test_a_system_does_not_differ_from_itself() -> None:
    baseline, _ = two_systems()
    rows = list(paired_differences(baseline, dict(reversed(baseline.items())), GROUPS, STRICT, 50))
    assert [r.language for r in rows[:: len(RANKING_METRICS)]] == ["de", "fr", "eo", None, None]
    assert {(r.difference, r.low, r.high, r.p) for r in rows} == {(0, 0, 0, 1)}


def test_a_constant_shift_has_its_sign_and_no_spread() -> None:
    entity = np.array([0, 0, 1, 2, 5])
    first, second = ({"de": ranks_of(entity, np.full(5, rank))} for rank in (2, 1))
    for pair, shift in (((first, second), 50), ((second, first), -50)):
        rows = [r for r in paired_differences(*pair, GROUPS, STRICT, 99) if r.metric == "MRR"]
        assert [r.language for r in rows] == ["de", None]
        for row in rows:
            assert (row.difference, row.low, row.high) == pytest.approx((shift, shift, shift))
            assert row.p == pytest.approx(2 / 100)


def test_two_sided_p_by_hand() -> None:
    assert two_sided_p(np.array([1.0, 2, 3, -1])) == pytest.approx(2 * (1 + 1) / 5)
    assert two_sided_p(np.array([-1.0, -2, -3, -1])) == pytest.approx(2 / 5)
    assert two_sided_p(np.array([1.0, 2, 3, 0, 4, 1, 1, 1, 1])) == pytest.approx(2 * (1 + 1) / 10)  # zero is no support
    assert two_sided_p(np.array([-1.0, 1, 0])) == 1


def test_ranks_of_different_queries_are_refused() -> None:
    baseline, system = two_systems()
    with pytest.raises(ValueError, match="only one of the two has eo, fr"):
        require_same_queries(baseline, {"de": system["de"]})
    shorter = system | {"fr": ranks_of(np.array([2, 7]), np.array([1, 1]))}
    with pytest.raises(ValueError, match=r"other entities in fr \(5 and 2\) queries"):
        list(paired_differences(baseline, shorter, GROUPS, STRICT))
    moved = system | {"fr": ranks_of(np.array([2, 2, 7, 7, 8]), np.ones(5, int))}
    with pytest.raises(ValueError, match=r"fr \(5 and 5\)"):
        list(paired_differences(baseline, moved, GROUPS, STRICT))
    require_same_queries(baseline, system)


def test_seeds_by_hand() -> None:
    found = over_seeds([4.0, 1.0, 3.0, 2.0])
    sd = math.sqrt(((1.5**2) + (0.5**2)) * 2 / 3)
    assert (found.n, found.mean, found.min, found.max) == (4, 2.5, 1, 4)
    assert found.sd == pytest.approx(sd)
    reach = 3.182446305284263 * sd / 2  # the 97.5 % point of Student's t with 3 degrees of freedom, from a table
    assert (found.low, found.high) == pytest.approx((2.5 - reach, 2.5 + reach))
    pair = over_seeds([1.0, 3.0])
    reach = math.tan(math.pi * 0.475)  # with 1 degree of freedom, t is Cauchy's distribution; sd / sqrt(2) is 1
    assert (pair.sd, pair.low, pair.high) == pytest.approx((math.sqrt(2), 2 - reach, 2 + reach))


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_seeds_against_scipy(confidence: float) -> None:
    values = np.random.default_rng(1).normal(3, 2, size=7)
    found = over_seeds(values.tolist(), confidence)
    assert (found.low, found.high) == pytest.approx(
        stats.t.interval(confidence, 6, loc=values.mean(), scale=stats.sem(values))
    )


def test_one_seed_has_no_spread_and_none_is_an_error() -> None:
    found = over_seeds([7.5])
    assert (found.n, found.mean, found.min, found.max) == (1, 7.5, 7.5, 7.5)
    assert (found.sd, found.low, found.high) == (None, None, None)
    with pytest.raises(ValueError, match="no value"):
        over_seeds([])
