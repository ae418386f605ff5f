"""Fusion maps as frames: worked rows, a slow bootstrap, the sign of a knock-out, groups of languages."""

import io
import math

import numpy as np
import pandas as pd
import pytest

from core.evaluation.fusion_map import (
    COLUMNS,
    MEASURES,
    beside_null,
    knock_out_rows,
    map_rows,
    over_languages,
    to_frame,
)
from core.evaluation.outcomes import LanguageRanks
from core.evaluation.protocols import RANK_SETS

SLOTS = ("identity", "ep", "tp")


def observed(texts: int, seed: int, layers: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = {m: rng.random((texts, layers, 3)).astype(np.float32) for m in ("weight", "argmax_share", "contribution")}
    return {**arrays, "entropy": rng.random((texts, layers, 1)).astype(np.float32)}


def ranks_of(ranks: list[int]) -> LanguageRanks:
    """Untied ranks of one query per entity."""
    every = dict.fromkeys(RANK_SETS, np.array(ranks))
    return LanguageRanks(np.arange(len(ranks)), every, every)


def cell(frame: pd.DataFrame, **keys) -> pd.Series:
    for key, value in keys.items():
        frame = frame[frame[key].isna() if value is None else frame[key] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_one_row_per_language_layer_slot_and_measure() -> None:
    trained = {"de": observed(7, 0), "eo": observed(4, 1)}
    null = {"de": [observed(7, 2), observed(7, 3)], "eo": [observed(4, 4), observed(4, 5)]}
    frame = to_frame(map_rows("ner", SLOTS, trained, null, samples=20))
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 2 * 2 * 2 * (3 * 3 + 1)  # languages, fusions, layers, slots of three measures and an entropy
    assert not frame.duplicated(list(COLUMNS[:7])).any()
    assert set(frame.measure) == set(MEASURES) - {"knock_out"}
    assert set(frame.task) == {"ner"}
    assert set(frame.fusion) == {"trained", "null"}
    assert frame.metric.isna().all()
    assert frame.slot.isna().equals(frame.measure == "entropy")
    for fusion, of_fusion in (("trained", trained), ("null", {lang: found[0] for lang, found in null.items()})):
        for language, arrays in of_fusion.items():
            assert set(frame[(frame.language == language) & (frame.fusion == fusion)].n) == {len(arrays["weight"])}
    values = trained["eo"]["contribution"][:, 1, 2]
    row = cell(frame, language="eo", layer=1, slot="tp", fusion="trained", measure="contribution")
    assert row.value == pytest.approx(sum(float(v) for v in values) / 4)
    row = cell(frame, language="de", layer=0, slot=None, fusion="trained", measure="entropy")
    assert row.value == pytest.approx(sum(float(v) for v in trained["de"]["entropy"][:, 0, 0]) / 7)


def test_intervals_against_a_slow_bootstrap() -> None:
    texts, samples = 9, 200
    trained = {"de": observed(texts, 0)}
    frame = to_frame(map_rows("ner", SLOTS, trained, {}, samples, confidence=0.8, seed=4))
    rng, checked = np.random.default_rng(4), 0
    resamples = [rng.multinomial(texts, [1 / texts] * texts).tolist() for _ in range(samples)]
    for measure, layer, n in (("weight", 0, 0), ("weight", 1, 2), ("contribution", 1, 1), ("entropy", 1, 0)):
        values = trained["de"][measure][:, layer, n].tolist()
        means = [sum(v * t for v, t in zip(values, times, strict=True)) / texts for times in resamples]
        row = cell(frame, measure=measure, layer=layer, slot=None if measure == "entropy" else SLOTS[n])
        assert (row.low, row.high) == pytest.approx(tuple(np.percentile(means, [10, 90])), rel=1e-9)
        assert row.low < row.value < row.high
        checked += 1
    assert checked == 4


def test_the_null_is_the_mean_and_the_range_of_its_fusions() -> None:
    def fusion(first: float, second: float) -> dict[str, np.ndarray]:
        return {"weight": np.array([[[first, 1 - first]], [[second, 1 - second]]])}

    null = {"de": [fusion(0.1, 0.3), fusion(0.5, 0.7), fusion(0.2, 0.4)]}  # means 0.2, 0.6, 0.3
    frame = to_frame(map_rows("ner", ("identity", "ep"), {}, null))
    row = cell(frame, slot="identity")
    assert (row.value, row.low, row.high, row.n) == pytest.approx((1.1 / 3, 0.2, 0.6, 2))
    assert row.fusion == "null"
    row = cell(frame, slot="ep")
    assert (row.value, row.low, row.high) == pytest.approx((1.9 / 3, 0.4, 0.8))


def test_slots_must_be_those_that_were_observed() -> None:
    with pytest.raises(ValueError, match="weight: 3 slots were observed, but 2 are named"):
        list(map_rows("ner", SLOTS[:2], {"de": observed(4, 0)}, {}, samples=5))


def test_a_slot_that_helps_has_a_knock_out_below_zero() -> None:
    full = {"de": ranks_of([1, 1, 1, 1]), "eo": ranks_of([1, 2, 2, 4])}
    without = {
        "ep": {"de": ranks_of([2, 2, 2, 2]), "eo": ranks_of([1, 2, 2, 4])},  # needed in de, of no use in eo
        "tp": {"de": ranks_of([1, 1, 1, 2]), "eo": ranks_of([1, 1, 1, 1])},  # needed by one query, harmful in eo
    }
    frame = to_frame(knock_out_rows("kg_completion", full, without, samples=400, confidence=0.9))
    assert tuple(frame.columns) == COLUMNS
    assert set(frame.language) == {"de", "eo"}
    assert len(frame) == 2 * 2 * frame.metric.nunique()
    assert {"Hit@1", "MRR"} <= set(frame.metric)
    assert frame.layer.isna().all()
    assert set(frame.fusion) == {"trained"}
    assert set(frame.measure) == {"knock_out"}
    assert set(frame.n) == {4}

    def found(language: str, slot: str, metric: str) -> tuple[float, float, float]:
        row = cell(frame, language=language, slot=slot, metric=metric)
        return row.value, row.low, row.high

    assert found("de", "ep", "Hit@1") == pytest.approx((-100, -100, -100))
    assert found("de", "ep", "MRR") == pytest.approx((-50, -50, -50))
    assert found("eo", "ep", "MRR") == (0, 0, 0)
    value, low, high = found("de", "tp", "Hit@1")
    assert value == pytest.approx(-25)
    assert low < -25 < high == 0  # the one query is missing from (3/4)^4 = 32 % of the resamples
    value, low, high = found("eo", "tp", "MRR")
    assert value == pytest.approx(100 - 25 * (1 + 1 / 2 + 1 / 2 + 1 / 4))
    assert 0 < low < value < high


def test_knock_outs_are_of_the_same_examples() -> None:
    with pytest.raises(ValueError, match=r"different queries.*eo"):
        list(knock_out_rows("ner", {"de": ranks_of([1])}, {"ep": {"de": ranks_of([1]), "eo": ranks_of([1])}}))


@pytest.mark.parametrize("which", ["both", "map", "knock-out", "none"])
def test_the_frame_survives_parquet(which: str) -> None:
    rows = list(map_rows("ner", SLOTS, {"de": observed(3, 0)}, {}, samples=5)) if which in ("both", "map") else []
    if which in ("both", "knock-out"):
        rows += knock_out_rows("ner", {"de": ranks_of([1, 2])}, {"ep": {"de": ranks_of([2, 2])}}, samples=5)
    frame, room = to_frame(rows), io.BytesIO()
    assert frame.empty == (which == "none")
    assert str(frame.layer.dtype) == "Int64"
    assert {frame[c].dtype for c in ("value", "low", "high")} == {np.dtype(float)}
    assert frame.n.dtype == np.dtype("int64")
    assert all(pd.api.types.is_string_dtype(frame[c]) for c in ("task", "language", "slot", "metric"))
    frame.to_parquet(room)
    pd.testing.assert_frame_equal(pd.read_parquet(room), frame)


def test_groups_are_means_over_their_languages() -> None:
    def of(language: str, value: float, n: int, **keys) -> dict:
        missing = {"layer": None, "slot": None, "metric": None, "fusion": "trained"}
        return {**missing, "task": "ner", "language": language, "value": value, "low": 0, "high": 1, "n": n, **keys}

    weight, entropy = {"measure": "weight", "layer": 1, "slot": "ep"}, {"measure": "entropy", "layer": 1}
    knock_out = {"measure": "knock_out", "slot": "ep", "metric": "F1"}
    rows = [
        *(of("de", 0.2, 10, **weight), of("fr", 0.4, 30, **weight), of("eo", 0.9, 5, **weight)),
        *(of("de", 0.5, 10, **entropy), of("fr", 0.7, 30, **entropy), of("de", 0.1, 10, **entropy, fusion="null")),
        *(of("de", -3.0, 8, **knock_out), of("fr", -1.0, 8, **knock_out), of("xx", 50.0, 8, **knock_out)),
    ]
    found = over_languages(to_frame(rows), {"de": "Sup", "fr": "Sup", "eo": "ZS-Un"})
    assert list(found.columns) == [c if c != "language" else "group" for c in COLUMNS[:7]] + [
        "value",
        "low",
        "high",
        "languages",
        "n",
    ]
    assert len(found) == 5
    row = cell(found, group="Sup", measure="weight", layer=1, slot="ep")
    assert (row.value, row.languages, row.n) == (pytest.approx(0.3), 2, 40)
    row = cell(found, group="Sup", measure="entropy", slot=None, fusion="trained")
    assert (row.value, row.languages, row.n) == (pytest.approx(0.6), 2, 40)
    assert cell(found, measure="entropy", fusion="null").value == pytest.approx(0.1)
    row = cell(found, measure="knock_out", layer=None, metric="F1")
    assert (row.group, row.value, row.n) == ("Sup", pytest.approx(-2.0), 16)
    assert cell(found, group="ZS-Un").value == pytest.approx(0.9)
    assert not math.isnan(found.value.sum())
    assert str(found.layer.dtype) == "Int64"


def test_trained_means_beside_those_of_untrained_fusions() -> None:
    """Languages count once: `de` has two layers, `fr` one; entropy has no null and no slot."""

    def of(language: str, layer: int, value: float, low: float, high: float, fusion: str = "trained", **keys) -> dict:
        same = {"task": "ner", "measure": "weight", "slot": "ep", "metric": None, "n": {"de": 10, "fr": 30}[language]}
        found = {"language": language, "layer": layer, "value": value, "low": low, "high": high, "fusion": fusion}
        return {**same, **found, **keys}

    rows = [
        *(of("de", 0, 0.2, 0.1, 0.3), of("de", 1, 0.6, 0.5, 0.9), of("fr", 0, 0.8, 0.6, 1.0)),
        *(of("de", 0, 0.5, 0.3, 0.6, "null"), of("de", 1, 0.3, 0.1, 0.4, "null"), of("fr", 0, 0.4, 0.3, 0.5, "null")),
        of("fr", 0, 0.9, 0.8, 1.0, measure="entropy", slot=None),
    ]
    found = beside_null(to_frame(rows), ["measure", "slot"])
    assert list(found.measure) == ["weight", "entropy"]
    weight, entropy = found.iloc[0], found.iloc[1]
    assert (weight.value, weight.low, weight.high) == pytest.approx((0.6, 0.45, 0.8))  # of 0.4 and 0.8, ...
    assert (weight.null, weight.null_low, weight.null_high) == pytest.approx((0.4, 0.25, 0.5))
    assert (weight.difference, weight.outside, weight.languages, weight.n) == (pytest.approx(0.2), True, 2, 40)
    assert math.isnan(entropy.null)
    assert (entropy.value, entropy.outside, entropy.languages, entropy.n) == (0.9, False, 1, 30)
    layers = beside_null(to_frame(rows), ["measure", "slot", "layer"])
    assert str(layers.layer.dtype) == "Int64"
    assert layers[layers.measure == "weight"].value.tolist() == pytest.approx([0.5, 0.6])
    assert layers[layers.measure == "weight"].outside.tolist() == [False, True]  # 0.3 to 0.55; 0.1 to 0.4
