"""Named entities: tags of words -> spans, and what an evaluation keeps of them.

A span is a type, a first and a last word. A tag sequence that is no proper IOB2 is read as conlleval and seqeval's
default mode read it ("BIO repair"): an I- tag that follows no tag of its type begins a span. Predictions need this,
since a classifier of words may put any tag after any other.

References: Tjong Kim Sang 2002, CoNLL (conlleval); Nakayama 2018 (seqeval).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from core.evaluation.outcomes import Tally
from core.evaluation.protocols import Protocol

OUTSIDE = "O"


def read_labels(labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What IOB2 tags say.

    Args:
        labels: Every tag, such as `O`, `B-PER`, `I-PER`.

    Returns:
        Whether each tag begins a span, bool, and the number of its type, -1 for `O`, both of shape (labels,).

    Raises:
        ValueError: If a tag is no IOB2 tag, or `O` is missing.
    """
    if wrong := [tag for tag in labels if tag != OUTSIDE and not (tag.startswith(("B-", "I-")) and tag[2:])]:
        raise ValueError(f"{wrong[0]!r} is no IOB2 tag. Tags are O, B- and a type, I- and a type: write it so.")
    if OUTSIDE not in labels:
        raise ValueError(f"The tags {', '.join(labels)} lack O, the tag of words outside any span: add it.")
    types = sorted({tag[2:] for tag in labels} - {""})
    kinds = [types.index(tag[2:]) if tag != OUTSIDE else -1 for tag in labels]
    return np.asarray([tag.startswith("B-") for tag in labels]), np.asarray(kinds)


def span_ends(tags: np.ndarray, words: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The spans of tagged sentences, by the word that they begin at.

    Args:
        tags: Number of every word's tag in `labels`, sentence after sentence, int, shape (words,).
        words: Words of every sentence, int, shape (sentences,).
        labels: Every tag.

    Returns:
        Last word of the span that begins at each word, and the number of its type; -1 where none begins. Both int, of
        shape (words,).
    """
    opens, kinds = read_labels(labels)
    kind = kinds[tags]
    before = np.concatenate([[-1], kind])[:-1]  # type of the word before, -1 outside spans and before a sentence
    before[(np.cumsum(words) - words)[words > 0]] = -1
    begins = (kind >= 0) & (opens[tags] | (kind != before))
    goes_on = np.concatenate([(kind >= 0) & ~begins, [False]])[1:]
    end = np.full(len(tags), -1)
    end[begins] = np.flatnonzero((kind >= 0) & ~goes_on)
    return end, np.where(begins, kind, -1)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole` as a fraction, 0 where `whole` is 0, as seqeval has it."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0)


def _precision(sums: np.ndarray) -> np.ndarray:
    return 100 * _share(sums[..., 0], sums[..., 1])


def _recall(sums: np.ndarray) -> np.ndarray:
    return 100 * _share(sums[..., 0], sums[..., 2])


def _f1(sums: np.ndarray) -> np.ndarray:
    return 100 * _share(2 * sums[..., 0], sums[..., 1] + sums[..., 2])  # harmonic mean of the other two


_METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"F1": _f1, "Precision": _precision, "Recall": _recall}


@dataclass(frozen=True)
class PredictedSpans:
    """Gold and predicted tags of the test sentences of one language.

    Metrics are micro-averaged over all spans of all types; a span is right if type, first and last word are. Both tag
    sequences are read as the module says, so illegal predictions are repaired, not dropped.

    Attributes:
        unit: Number of every sentence, the unit of the bootstrap, int, shape (sentences,).
        words: Words of every sentence, int, shape (sentences,).
        gold: Number of every word's gold tag in `labels`, sentence after sentence, int, shape (words,).
        predicted: The same of the predicted tag.
        labels: Every tag.
    """

    unit: np.ndarray
    words: np.ndarray
    gold: np.ndarray
    predicted: np.ndarray
    labels: tuple[str, ...]

    def tally(self, protocol: Protocol) -> Tally:
        """Correct, predicted and gold spans of every sentence; protocols differ in whose tags these are alone."""
        gold_end, gold_kind = span_ends(self.gold, self.words, self.labels)
        end, kind = span_ends(self.predicted, self.words, self.labels)
        predicted, gold = end >= 0, gold_end >= 0
        correct = predicted & (end == gold_end) & (kind == gold_kind)
        sentence, sentences = np.repeat(np.arange(len(self.words)), self.words), len(self.words)
        counts = [np.bincount(sentence[at], minlength=sentences) for at in (correct, predicted, gold)]
        return Tally(np.stack(counts, axis=1), _METRICS)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Every attribute; `labels` as text, shape (labels,)."""
        return {
            "unit": self.unit.astype(np.int32),
            "words": self.words.astype(np.int32),
            "gold": self.gold.astype(np.int16),
            "predicted": self.predicted.astype(np.int16),
            "labels": np.asarray(self.labels),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `to_arrays`."""
        unit, words, gold, predicted = (arrays[name] for name in ("unit", "words", "gold", "predicted"))
        return cls(unit, words, gold, predicted, tuple(arrays["labels"].tolist()))
