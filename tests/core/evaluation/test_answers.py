"""F1 and exact match by SQuAD's rules: worked cases in six scripts, torchmetrics on random ones, and what is stored."""

import io

import numpy as np
import pytest
from torchmetrics.functional.text import squad

from core.evaluation.answers import (
    PredictedAnswers,
    exact_match,
    f1,
    n_best_predictions,
    normalised,
    official_predictions,
)
from core.evaluation.metrics import METRICS
from core.evaluation.outcomes import from_arrays, to_arrays
from core.evaluation.protocols import PROTOCOLS

STRICT = PROTOCOLS["strict"]
WORKED = [  # answer, gold answers, F1 and exact match worked by hand
    ("The Cat!", ["a cat"], 1, 1),  # articles, case and punctuation go
    ("Denver Broncos won", ["Denver Broncos"], 2 * (2 / 3) * 1 / (2 / 3 + 1), 0),
    ("it was Ada Lovelace", ["Babbage", "Ada"], 2 * (1 / 4) * 1 / (1 / 4 + 1), 0),  # the better gold answer counts
    ("no no yes", ["no yes yes"], 2 / 3, 0),  # a word counts as often as both have it
    ("theatre another", ["atre nother"], 0, 0),  # no article inside a word
    ("U.S.-based", ["US based"], 0, 0),  # punctuation leaves no space behind
    ("в Москве", ["Москве"], 2 * (1 / 2) * 1 / (1 / 2 + 1), 0),
    ("МОСКВЕ", ["москве"], 1, 1),
    ("في لندن", ["لندن"], 2 / 3, 0),
    ("لندن،", ["لندن"], 0, 0),  # an Arabic comma is no ASCII punctuation
    ("308 分", ["308"], 2 / 3, 0),
    ("丹佛野马队", ["丹佛野马"], 0, 0),  # without spaces it is one word
    ("दिल्ली में", ["दिल्ली"], 2 / 3, 0),
    ("กรุงเทพ", ["กรุงเทพ"], 1, 1),
    ("İstanbul'da", ["i̇stanbulda"], 1, 1),  # Turkish capital I with a dot: lower case is two characters
    ("", ["London"], 0, 0),
    ("the", ["%"], 1, 1),  # nothing is left of either
    ("London", ["the", "%"], 0, 0),
]


@pytest.mark.parametrize(("answer", "gold", "wanted_f1", "wanted_match"), WORKED)
def test_worked_cases(answer: str, gold: list[str], wanted_f1: float, wanted_match: float) -> None:
    assert f1(answer, gold) == pytest.approx(wanted_f1)
    assert exact_match(answer, gold) == wanted_match


def test_normalising_is_idempotent_and_keeps_what_is_no_article() -> None:
    assert normalised("  The quick, brown (an) A-team\tof  a\nLAN ") == "quick brown ateam of lan"
    assert normalised(normalised("The a, an: The. x")) == "x"


SIX_SCRIPTS = "The cat a an the, Ada. London москва Москва! из لندن في 北京 分 北京。 दिल्ली में । กรุงเทพ ไทย 1,234 - %"
WORDS = SIX_SCRIPTS.split()


def random_outcome(questions: int, seed: int, first: int = 0) -> PredictedAnswers:
    """Random words of six scripts, often the same ones in answer and gold answers."""
    rng = np.random.default_rng(seed)

    def text() -> str:
        return " ".join(rng.choice(WORDS, rng.integers(1, 5)))

    gold = tuple(tuple(text() for _ in range(rng.integers(1, 4))) for _ in range(questions))
    answers = []
    for one in gold:
        best = [str(rng.choice(one)) if rng.random() < 0.3 else text(), *(text() for _ in range(rng.integers(0, 4)))]
        answers.append(tuple(dict.fromkeys(best)))
    scores = tuple(tuple(np.sort(rng.normal(size=len(a)).astype(np.float32))[::-1].tolist()) for a in answers)
    ids = tuple(f"q{first + i}" for i in range(questions))
    return PredictedAnswers(np.arange(first, first + questions), ids, gold, tuple(answers), scores)


def test_the_values_are_those_of_torchmetrics_one_by_one_and_together() -> None:
    outcome = random_outcome(400, seed=1)
    assert list(outcome.values) == list(METRICS["question_answering"])
    assert len(np.unique(outcome.values["F1"])) > 5
    assert 0.05 < (outcome.values["EM"] == 100).mean() < 0.9
    predictions = official_predictions(outcome)
    said = [{"id": id, "prediction_text": text} for id, text in predictions.items()]
    asked = [
        {"id": id, "answers": {"text": list(gold), "answer_start": [0] * len(gold)}}
        for id, gold in zip(outcome.ids, outcome.gold, strict=True)
    ]
    for i, (one, question) in enumerate(zip(said, asked, strict=True)):
        found = squad([one], [question])
        assert outcome.values["F1"][i] == pytest.approx(float(found["f1"]), abs=1e-4)
        assert outcome.values["EM"][i] == float(found["exact_match"])
    whole, ours = squad(said, asked), outcome.tally(STRICT).values()
    assert ours == {"F1": pytest.approx(float(whole["f1"]), abs=1e-3), "EM": pytest.approx(float(whole["exact_match"]))}


def test_f1_is_never_below_exact_match_and_both_are_percentages() -> None:
    values = random_outcome(500, seed=2).values
    assert (values["F1"] >= values["EM"]).all()
    assert (values["F1"] > values["EM"]).any()
    assert {0.0, 100.0} == set(values["EM"])
    assert values["F1"].min() == 0
    assert values["F1"].max() == 100


def test_outcomes_of_several_languages_come_back_from_an_archive_without_pickles() -> None:
    outcomes = {"en": random_outcome(30, seed=3), "zh": random_outcome(20, seed=4, first=7)}
    file = io.BytesIO()
    np.savez_compressed(file, **to_arrays(outcomes))
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        back = from_arrays("question_answering", dict(arrays))
    assert list(back) == ["en", "zh"]
    for language, outcome in outcomes.items():
        found = back[language]
        assert isinstance(found, PredictedAnswers)
        assert (found.unit == outcome.question).all()
        for name in ("ids", "gold", "answers", "scores"):
            assert getattr(found, name) == getattr(outcome, name)
        assert found.tally(STRICT).values() == outcome.tally(STRICT).values()
    assert set(outcomes["en"].unit) & set(outcomes["zh"].unit)


def test_an_outcome_with_an_empty_answer_comes_back() -> None:
    outcome = PredictedAnswers(np.array([3]), ("q",), (("Ada",),), (("",),), ((0.0,),))
    assert PredictedAnswers.from_arrays(outcome.to_arrays()) == outcome
    assert outcome.tally(STRICT).values() == {"F1": 0, "EM": 0}


def test_prediction_files_have_the_official_layout() -> None:
    outcome = PredictedAnswers(
        np.array([0, 1]),
        ("a", "b"),
        (("x",), ("y",)),
        (("x y", "x"), ("北京",)),
        ((1001.0, 1001.0 - float(np.log(3))), (-2.0,)),
    )
    assert official_predictions(outcome) == {"a": "x y", "b": "北京"}
    assert n_best_predictions(outcome) == {
        "a": [
            {"text": "x y", "probability": pytest.approx(0.75)},
            {"text": "x", "probability": pytest.approx(0.25)},
        ],
        "b": [{"text": "北京", "probability": 1.0}],
    }
