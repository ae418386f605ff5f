"""RELX's metric: against scikit-learn, at its ends, and under the bootstrap."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from core.corpora.benchmarks.relation_sentences import LABELS
from core.evaluation.estimates import result_rows
from core.evaluation.metrics import METRICS
from core.evaluation.outcomes import from_arrays, to_arrays
from core.evaluation.protocols import PROTOCOLS
from core.evaluation.relations import PredictedRelations, relation_types

STRICT = PROTOCOLS["strict"]
NONE = LABELS.index("no_relation")


def outcome(gold, predicted, labels=LABELS, unit=None) -> PredictedRelations:
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    unit = np.arange(len(gold)) if unit is None else unit
    return PredictedRelations(unit, gold, predicted, np.full(len(gold), 0.5), tuple(labels))


def values(found: PredictedRelations) -> dict[str, float]:
    return found.tally(STRICT).values()


def relx_f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    """As in RELX's finetune.py: classes sorted by name, which puts `no_relation` first, and 18 pairs after it."""
    names = sorted(LABELS)
    assert names[0] == "no_relation"
    gold, predicted = ([names.index(LABELS[i]) for i in column] for column in (gold, predicted))
    pairs = [[2 * i + 1, 2 * i + 2] for i in range(18)]
    return 100 * sum(f1_score(gold, predicted, average="micro", labels=p, zero_division=0) for p in pairs) / 18


def random_answers(seed: int, examples: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    gold, other = generator.integers(0, 37, (2, examples))
    return gold, np.where(generator.random(examples) < right, gold, other)


@pytest.mark.parametrize(("seed", "examples", "right"), [(0, 502, 0.6), (1, 502, 0.0), (2, 60, 0.8), (3, 3000, 0.3)])
def test_the_metric_is_scikit_learns(seed: int, examples: int, right: float) -> None:
    gold, predicted = random_answers(seed, examples, right)
    found = values(outcome(gold, predicted))
    assert list(found) == list(METRICS["relation_classification"])
    assert found["F1"] == pytest.approx(relx_f1(gold, predicted), abs=1e-9)
    assert found["Accuracy"] == pytest.approx(100 * accuracy_score(gold, predicted), abs=1e-9)
    by_type = []
    for first in range(0, 36, 2):
        options = {"labels": [first, first + 1], "average": "micro", "zero_division": 0}
        by_type.append(precision_recall_fscore_support(gold, predicted, **options)[2])
    assert found["F1"] == pytest.approx(100 * np.mean(by_type), abs=1e-9)
    assert 0 < found["F1"] < 100


def test_directions_pool_in_a_type_and_types_weigh_alike() -> None:
    """By hand: a frequent type with 2 hits, 3 gold, 4 predicted; a rare one with 1 of 1."""
    labels = ["a(e1,e2)", "a(e2,e1)", "b(e1,e2)", "b(e2,e1)", "no_relation"]
    gold, predicted = [0, 0, 1, 2, 4, 4], [0, 0, 0, 2, 0, 4]
    found = values(outcome(gold, predicted, labels))
    assert found["F1"] == pytest.approx(100 * (2 * 2 / (3 + 4) + 1) / 2)
    assert found["Accuracy"] == pytest.approx(100 * 4 / 6)


def test_perfect_and_hopeless_systems() -> None:
    gold = np.arange(37).repeat(3)
    assert values(outcome(gold, gold)) == {"F1": 100, "Accuracy": 100}
    turned = np.where(gold == NONE, NONE, gold ^ 1)  # every direction the wrong way round
    assert values(outcome(gold, turned)) == {"F1": 0, "Accuracy": pytest.approx(100 / 37)}
    nothing = np.full_like(gold, NONE)
    assert values(outcome(gold, nothing)) == {"F1": 0, "Accuracy": pytest.approx(100 / 37)}
    assert relx_f1(gold, nothing) == relx_f1(gold, turned) == 0
    assert values(outcome(nothing, nothing)) == {"F1": 0, "Accuracy": 100}


def test_a_type_that_nobody_names_counts_as_zero_as_in_the_reference() -> None:
    gold = np.arange(30)
    assert values(outcome(gold, gold))["F1"] == pytest.approx(100 * 15 / 18) == pytest.approx(relx_f1(gold, gold))


def test_the_order_of_the_labels_does_not_matter() -> None:
    gold, predicted = random_answers(4, 300, 0.5)
    order = np.random.default_rng(1).permutation(37)
    place = np.argsort(order)
    shuffled = outcome(place[gold], place[predicted], [LABELS[i] for i in order])
    assert values(shuffled) == pytest.approx(values(outcome(gold, predicted)))


def test_weighted_sums_are_the_metric_of_the_repeated_sample() -> None:
    gold, predicted = random_answers(5, 200, 0.5)
    tally = outcome(gold, predicted).tally(STRICT)
    weight = np.random.default_rng(2).integers(0, 4, (20, 200))
    resampled = {metric: of(weight @ tally.counts) for metric, of in tally.metrics.items()}
    for i, times in enumerate(weight):
        repeated = gold.repeat(times), predicted.repeat(times)
        assert resampled["F1"][i] == pytest.approx(relx_f1(*repeated), abs=1e-9)
        assert resampled["Accuracy"][i] == pytest.approx(100 * accuracy_score(*repeated), abs=1e-9)
    assert len({round(value, 6) for value in resampled["F1"]}) > 15


def test_results_with_intervals() -> None:
    outcomes = {language: outcome(*random_answers(6, 400, right)) for language, right in (("de", 0.5), ("tr", 0.3))}
    rows = list(result_rows(outcomes, {"de": "ZS-In", "tr": "ZS-In"}, samples=200))
    strict = {(row["language"], row["metric"]): row for row in rows if row["protocol"] == "strict"}
    assert {row["protocol"] for row in rows} == {"strict"}
    assert len(strict) == 6
    for language, found in outcomes.items():
        row = strict[language, "F1"]
        assert row["value"] == pytest.approx(relx_f1(found.gold, found.predicted))
        assert row["low"] < row["value"] < row["high"]
    assert strict["de", "F1"]["low"] > strict["tr", "F1"]["high"]


def test_stored_and_read_again(tmp_path: Path) -> None:
    gold, predicted = random_answers(7, 50, 0.5)
    found = outcome(gold, predicted, unit=np.arange(50)[::-1])
    np.savez_compressed(tmp_path / "outcome.npz", **to_arrays({"de": found, "zh-yue": found}))
    with np.load(tmp_path / "outcome.npz", allow_pickle=False) as arrays:
        again = from_arrays("relation_classification", dict(arrays))
    assert list(again) == ["de", "zh-yue"]
    assert type(again["de"]) is PredictedRelations
    assert again["de"].labels == tuple(LABELS)
    assert again["de"].gold.dtype == again["de"].predicted.dtype == np.int16
    for name in ("unit", "gold", "predicted", "probability"):
        assert getattr(again["de"], name).tolist() == getattr(found, name).tolist()
    assert values(again["de"]) == values(found)


def test_types_of_labels() -> None:
    types, number = relation_types(LABELS)
    assert len(types) == 18
    assert number.tolist() == [*np.arange(18).repeat(2), -1]
    types, number = relation_types(["no_relation", "owns", "b(e2,e1)", "of (old)", "b(e1,e2)"])
    assert types == ["owns", "b", "of (old)"]
    assert number.tolist() == [-1, 0, 1, 2, 1]
    with pytest.raises(ValueError, match=r"no relation: no_relation\. It needs labels such as"):
        relation_types(["no_relation"])
    with pytest.raises(ValueError, match="it is empty"):
        relation_types([])
