"""Protocols on ranks worked by hand, and the bootstrap against a slow one."""

from pathlib import Path

import numpy as np
import pytest

from core.evaluation.estimates import result_rows
from core.evaluation.metrics import RANKING_METRICS
from core.evaluation.outcomes import LanguageRanks, from_arrays, to_arrays
from core.evaluation.protocols import PROTOCOLS


def ranks_of(entity: list[int], filtered, raw=None, released=None, tied: int = 0) -> LanguageRanks:
    """Ranks with `tied` candidates as good as the right answer; `raw` and `released` default to `filtered`."""
    sets = {"filtered": filtered, "raw": raw or filtered, "released": released or filtered}
    optimistic = {name: np.asarray(ranks) for name, ranks in sets.items()}
    return LanguageRanks(np.asarray(entity), optimistic, {name: ranks + tied for name, ranks in optimistic.items()})


def values_of(rows: list[dict], language: str | None, protocol: str = "strict") -> dict[str, dict]:
    return {r["metric"]: r for r in rows if r["language"] == language and r["protocol"] == protocol}


def random_ranks(seed: int, queries: int, entities: int) -> LanguageRanks:
    rng = np.random.default_rng(seed)
    sets = {name: rng.integers(1, 15, size=queries) for name in ("filtered", "raw", "released")}
    pessimistic = {name: ranks + rng.integers(3, size=queries) for name, ranks in sets.items()}
    return LanguageRanks(rng.integers(entities, size=queries), sets, pessimistic)


def test_each_protocol_reads_its_ranks() -> None:
    r = ranks_of([0, 1, 2, 3], [1, 2, 4, 11], raw=[1, 3, 6, 21], released=[1, 2, 3, 12])
    expected = {
        # rank <= k, filtered
        "strict": {"Hit@1": 25, "Hit@3": 50, "Hit@5": 75, "Hit@10": 75, "MRR": 25 * (1 + 1 / 2 + 1 / 4 + 1 / 11)},
        # rank <= k, nothing filtered
        "strict-raw": {"Hit@1": 25, "Hit@3": 50, "Hit@5": 50, "Hit@10": 75, "MRR": 25 * (1 + 1 / 3 + 1 / 6 + 1 / 21)},
        # zero-based rank <= k, so Hit@1 is rank <= 2; the reciprocal is of the one-based rank
        "released": {"Hit@1": 50, "Hit@3": 75, "Hit@5": 75, "Hit@10": 75, "MRR": 25 * (1 + 1 / 2 + 1 / 3 + 1 / 12)},
    }
    assert [p.key for p in PROTOCOLS.values() if p.weights == "reported"] == list(expected)
    for key, metrics in expected.items():
        found = {metric: values.mean() for metric, values in r.values(PROTOCOLS[key]).items()}
        assert found == pytest.approx(metrics), key


def test_ties_take_the_realistic_rank() -> None:
    r = ranks_of([0, 1], [1, 2], tied=1)  # ranks 1.5 and 2.5
    strict, released = (r.values(PROTOCOLS[key]) for key in ("strict", "released"))
    assert strict["Hit@1"].tolist() == [0, 0]
    assert strict["MRR"].tolist() == pytest.approx([100 / 1.5, 100 / 2.5])
    assert released["Hit@1"].tolist() == [100, 0]


def test_released_hit_at_k_is_strict_hit_at_the_next_k() -> None:
    """The consequence that PROTOCOL section 6 draws: Hit@1 as printed may exceed the mean reciprocal rank."""
    r = ranks_of([0, 1, 2, 3], [2, 2, 2, 9])
    released = {metric: values.mean() for metric, values in r.values(PROTOCOLS["released"]).items()}
    assert released["Hit@1"] == 75 > released["MRR"]
    assert released["MRR"] == r.values(PROTOCOLS["strict"])["MRR"].mean()


def test_arrays_go_to_a_file_and_back(tmp_path: Path) -> None:
    ranks = {"de": random_ranks(0, 9, 5), "zh-min-nan": random_ranks(1, 4, 3)}
    np.savez(tmp_path / "ranks.npz", **to_arrays(ranks))
    with np.load(tmp_path / "ranks.npz", allow_pickle=False) as arrays:
        again = from_arrays("entity_alignment", dict(arrays))
    assert list(again) == list(ranks)
    for language, r in ranks.items():
        assert again[language].entity.tolist() == r.entity.tolist()
        for name in ("filtered", "raw", "released"):
            assert again[language].optimistic[name].tolist() == r.optimistic[name].tolist()
            assert again[language].pessimistic[name].tolist() == r.pessimistic[name].tolist()


def test_a_group_is_the_mean_of_its_languages() -> None:
    ranks = {"de": random_ranks(0, 30, 20), "fr": random_ranks(1, 5, 20), "eo": random_ranks(2, 12, 20)}
    rows = list(result_rows(ranks, {"de": "Sup", "fr": "Sup", "eo": "ZS-Un", "unused": "ZS-In"}, samples=20))
    assert len(rows) == 3 * 5 * (3 + 2)  # protocols, metrics, languages and groups
    differing = 0
    for protocol in ("strict", "strict-raw", "released"):
        groups = {r["group"] for r in rows if r["language"] is None and r["protocol"] == protocol}
        assert groups == {"Sup", "ZS-Un"}
        whole = {(r["group"], r["metric"]): r for r in rows if r["language"] is None and r["protocol"] == protocol}
        by_language = {lang: values_of(rows, lang, protocol) for lang in ranks}
        for metric in RANKING_METRICS:
            de, fr, eo = (by_language[lang][metric]["value"] for lang in ranks)
            differing += de != fr
            assert whole["Sup", metric]["value"] == pytest.approx((de + fr) / 2)
            assert whole["ZS-Un", metric]["value"] == eo
            assert whole["Sup", metric]["n"] == 35
            assert by_language["de"][metric]["n"] == 30
            assert de == pytest.approx(ranks["de"].values(PROTOCOLS[protocol])[metric].mean())
    assert differing > 10


def test_intervals_against_a_slow_bootstrap() -> None:
    """Draw entities with replacement, take all queries of each as often as it was drawn, and average."""
    ranks, entities, samples = {"de": random_ranks(3, 40, 12), "fr": random_ranks(8, 25, 12)}, 12, 200
    assert max(r.entity.max() for r in ranks.values()) == entities - 1
    rng, means = np.random.default_rng(5), []
    mrr = {language: r.values(PROTOCOLS["strict"])["MRR"] for language, r in ranks.items()}
    for _ in range(samples):
        drawn = rng.multinomial(entities, [1 / entities] * entities)
        for language, r in ranks.items():
            values = [v for v, e in zip(mrr[language], r.entity, strict=True) for _ in range(drawn[e])]
            means.append(np.mean(values))
    by_language = dict(zip(ranks, np.asarray(means).reshape(samples, 2).T, strict=True))
    rows = list(result_rows(ranks, dict.fromkeys(ranks, "Sup"), samples, 0.8, seed=5))
    for language, resampled in {**by_language, None: sum(by_language.values()) / 2}.items():
        row = values_of(rows, language)["MRR"]
        assert (row["low"], row["high"]) == pytest.approx(tuple(np.percentile(resampled, [10, 90])))
        assert row["low"] < row["value"] < row["high"]


def test_intervals_contain_the_value_and_widen_with_confidence() -> None:
    ranks = {"de": random_ranks(4, 200, 60), "fr": random_ranks(5, 80, 60)}
    widths = []
    for confidence in (0.5, 0.9, 0.99):
        rows = list(result_rows(ranks, {"de": "Sup", "fr": "Sup"}, 400, confidence))
        assert len(rows) == 45
        assert all(0 <= r["low"] <= r["value"] <= r["high"] <= 100 for r in rows)
        widths.append([r["high"] - r["low"] for r in rows])
    assert (np.diff(np.asarray(widths), axis=0) >= 0).all()
    assert np.median(widths[0]) > 0


def test_equal_seeds_resample_equally() -> None:
    ranks, groups = {"de": random_ranks(6, 50, 20)}, {"de": "ZS-In"}
    first, again, other = (list(result_rows(ranks, groups, 100, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert [r["value"] for r in first] == [r["value"] for r in other]
    assert first != other


def test_the_bootstrap_draws_entities_and_not_queries() -> None:
    """Each query asked ten times over says nothing new, so its interval must not shrink."""
    once = random_ranks(7, 30, 30)
    rows = np.repeat(np.arange(30), 10)
    often = LanguageRanks(
        once.entity[rows],
        {name: ranks[rows] for name, ranks in once.optimistic.items()},
        {name: ranks[rows] for name, ranks in once.pessimistic.items()},
    )
    single, tenfold = (
        values_of(list(result_rows({"de": r}, {"de": "Sup"}, 300, seed=2)), "de")["MRR"] for r in (once, often)
    )
    assert (tenfold["low"], tenfold["high"]) == pytest.approx((single["low"], single["high"]))
    assert single["high"] - single["low"] > 1
    # Had each copy been an entity of its own, the interval would be narrower.
    apart = LanguageRanks(np.arange(300), often.optimistic, often.pessimistic)
    free = values_of(list(result_rows({"de": apart}, {"de": "Sup"}, 300, seed=2)), "de")["MRR"]
    assert free["high"] - free["low"] < 0.5 * (single["high"] - single["low"])


def test_a_resample_without_the_languages_entities_says_nothing_of_it() -> None:
    """Two perfect queries among forty entities: no resample can make them worse."""
    ranks = {"eo": ranks_of([3, 39], [1, 1]), "de": ranks_of(list(range(40)), [1] * 40)}
    for row in result_rows(ranks, {"eo": "ZS-Un", "de": "Sup"}, samples=300):
        assert (row["low"], row["value"], row["high"]) == pytest.approx((100, 100, 100)), row
