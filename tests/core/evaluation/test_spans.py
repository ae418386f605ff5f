"""Spans: counts by hand, and against seqeval's own reading of random tag sequences, legal or not."""

import io

import numpy as np
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from core.evaluation.estimates import result_rows
from core.evaluation.metrics import METRICS
from core.evaluation.outcomes import from_arrays, to_arrays
from core.evaluation.protocols import PROTOCOLS
from core.evaluation.spans import PredictedSpans, read_labels

LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


def spans_of(gold: list[list[str]], predicted: list[list[str]], labels: tuple[str, ...] = LABELS) -> PredictedSpans:
    words = np.asarray([len(tags) for tags in gold])
    flat = [np.asarray([labels.index(tag) for tags in side for tag in tags], int) for side in (gold, predicted)]
    return PredictedSpans(np.arange(len(words)), words, *flat, labels)


def counts(gold: list[list[str]], predicted: list[list[str]], labels: tuple[str, ...] = LABELS) -> list[list[int]]:
    return spans_of(gold, predicted, labels).tally(PROTOCOLS["strict"]).counts.tolist()


def random_tags(generator: np.random.Generator, labels: tuple[str, ...], words: np.ndarray) -> list[list[str]]:
    """Tags at random, half of the words outside spans: I- tags begin spans, and types change inside."""
    share = np.where(np.asarray(labels) == "O", 1.0, 1.0 / (len(labels) - 1)) / 2
    return [generator.choice(labels, size=n, p=share).tolist() for n in words]


def test_a_case_worked_by_hand() -> None:
    gold = [
        ["B-PER", "I-PER", "O", "B-LOC"],  # one right, one of another type
        ["O", "B-ORG", "I-ORG", "I-ORG"],  # right: the I- tag begins the span
        ["B-LOC", "I-LOC", "O"],  # the type changes inside: two predicted, none right
        ["O"],
    ]
    predicted = [
        ["B-PER", "I-PER", "O", "B-ORG"],
        ["O", "I-ORG", "I-ORG", "I-ORG"],
        ["B-LOC", "I-PER", "O"],
        ["O"],
    ]
    tally = spans_of(gold, predicted).tally(PROTOCOLS["strict"])
    assert tally.counts.tolist() == [[1, 2, 2], [1, 1, 1], [0, 2, 1], [0, 0, 0]]
    assert tally.values() == pytest.approx({"F1": 100 * 4 / 9, "Precision": 100 * 2 / 5, "Recall": 100 * 2 / 4})
    assert list(tally.metrics) == list(METRICS["ner"])


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["I-PER", "I-PER"], 1),
        (["I-PER", "B-PER"], 2),
        (["B-PER", "I-LOC", "I-LOC"], 2),
        (["B-PER", "O", "I-PER"], 2),
        (["B-PER", "B-PER", "I-PER"], 2),
        (["I-PER", "I-LOC", "I-PER"], 3),
        ([], 0),
    ],
)
def test_illegal_tags_are_read_as_conlleval_reads_them(tags: list[str], spans: int) -> None:
    assert counts([tags], [tags]) == [[spans] * 3]


def test_no_span_goes_from_one_sentence_into_the_next() -> None:
    gold = [["O", "B-PER"], [], ["I-PER", "O"]]
    assert counts(gold, gold) == [[1, 1, 1], [0, 0, 0], [1, 1, 1]]
    assert counts([[tag for tags in gold for tag in tags]] * 2, [["O", "B-PER", "I-PER", "O"]] * 2) == [[1, 1, 1]] * 2


@pytest.mark.parametrize("labels", [LABELS, ("I-a", "B-b-c", "O", "B-a", "I-b-c"), ("B-X", "I-X", "O")])
def test_counts_and_scores_equal_those_of_seqeval(labels: tuple[str, ...]) -> None:
    generator, seen = np.random.default_rng(len(labels)), np.zeros(3)
    for _ in range(40):
        words = generator.integers(1, 12, size=50)
        gold, predicted = (random_tags(generator, labels, words) for _ in range(2))
        predicted = [g if generator.random() < 0.3 else p for g, p in zip(gold, predicted, strict=True)]
        tally = spans_of(gold, predicted, labels).tally(PROTOCOLS["strict"])
        expected = []
        for g, p in zip(gold, predicted, strict=True):
            g, p = set(get_entities(g)), set(get_entities(p))
            expected.append([len(g & p), len(p), len(g)])
        assert tally.counts.tolist() == expected
        values = tally.values()
        assert values["F1"] == pytest.approx(100 * f1_score(gold, predicted), rel=1e-14)
        assert values["Precision"] == 100 * precision_score(gold, predicted)
        assert values["Recall"] == 100 * recall_score(gold, predicted)
        seen += tally.counts.sum(0)
    assert (seen > 1000).all()


def test_without_spans_the_metrics_are_zero_as_in_seqeval() -> None:
    nothing, one = [["O", "O"]], [["B-PER", "O"]]
    for gold, predicted in ((nothing, nothing), (one, nothing), (nothing, one)):
        values = spans_of(gold, predicted).tally(PROTOCOLS["strict"]).values()
        assert values == {"F1": 0, "Precision": 0, "Recall": 0}
        assert f1_score(gold, predicted, zero_division=0) == 0


def test_outcomes_survive_a_file_and_become_results_with_intervals() -> None:
    generator = np.random.default_rng(0)
    words = generator.integers(1, 9, size=200)
    gold = random_tags(generator, LABELS, words)
    guesses = random_tags(generator, LABELS, words)
    predicted = [g if generator.random() < 0.5 else p for g, p in zip(gold, guesses, strict=True)]
    outcome, file = spans_of(gold, predicted), io.BytesIO()
    np.savez_compressed(file, **to_arrays({"de": outcome}))
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        back = from_arrays("ner", dict(arrays))["de"]
    assert isinstance(back, PredictedSpans)
    assert back.labels == LABELS
    for name in ("unit", "words", "gold", "predicted"):
        np.testing.assert_array_equal(getattr(back, name), getattr(outcome, name))
    rows = [row for row in result_rows({"de": back}, {"de": "ZS-In"}, samples=100) if row["language"] == "de"]
    assert [row["metric"] for row in rows if row["protocol"] == "strict"] == ["F1", "Precision", "Recall"]
    assert all(0 < row["low"] < row["value"] < row["high"] < 100 and row["n"] == 200 for row in rows)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("O", "S-PER"), r"'S-PER' is no IOB2 tag"),
        (("O", "B-"), r"'B-' is no IOB2 tag"),
        (("B-PER", "I-PER"), r"lack O"),
    ],
)
def test_labels_that_are_no_iob2_are_refused(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_labels(labels)
