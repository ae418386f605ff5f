"""Answers to questions: what is stored of them, and F1 and exact match by the rules of the SQuAD v1.1 script.

Reference: Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP; its
`evaluate-v1.1.py`. XTREME uses the same rules in all languages of XQuAD: English articles and ASCII punctuation are
left out, words are what white space separates (so a Chinese answer is mostly one word).
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from core.evaluation.outcomes import Tally, mean_tally
from core.evaluation.protocols import Protocol

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(answer: str) -> str:
    """An answer in lower case without punctuation and articles, one space between words."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(answer: str, gold: Sequence[str]) -> float:
    """1 where an answer is one of the gold answers once all are normalised, else 0."""
    return float(normalised(answer) in map(normalised, gold))


def f1(answer: str, gold: Sequence[str]) -> float:
    """F1 of the words of an answer and a gold answer, the best over the gold answers, in [0, 1].

    Two answers of which normalising leaves nothing agree, as in SQuAD's script for v2.0 (v1.1's gives such a pair an
    exact match and an F1 of 0).
    """
    return max(_f1(normalised(answer).split(), normalised(one).split()) for one in gold)


def _f1(answer: list[str], gold: list[str]) -> float:
    same = (Counter(answer) & Counter(gold)).total()
    return 2 * same / (len(answer) + len(gold)) if answer or gold else 1.0


@dataclass(frozen=True)
class PredictedAnswers:
    """The answers of one system to the questions in one language.

    Attributes:
        question: Number of each question, the same in every language that it is asked in, int, shape (questions,).
        ids: Id of each question in the benchmark.
        gold: The right answers of each question, at least one.
        answers: The n best answers to each question, the best first, at least one; different texts.
        scores: Sum of the start and the end logit of each of these answers.
    """

    question: np.ndarray
    ids: tuple[str, ...]
    gold: tuple[tuple[str, ...], ...]
    answers: tuple[tuple[str, ...], ...]
    scores: tuple[tuple[float, ...], ...]

    @property
    def unit(self) -> np.ndarray:
        """The question: it is asked in many languages."""
        return self.question

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """F1 and EM of the best answer to every question, in %, shape (questions,)."""
        pairs = [(best[0], gold) for best, gold in zip(self.answers, self.gold, strict=True)]
        return {
            "F1": 100 * np.array([f1(*pair) for pair in pairs], float),
            "EM": 100 * np.array([exact_match(*pair) for pair in pairs], float),
        }

    def tally(self, protocol: Protocol) -> Tally:
        """F1 and EM of every question: each metric is their mean."""
        return mean_tally(self.values)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """`question` and `score`; each list of texts as its UTF-8 bytes, with the bytes of every text beside it.

        `gold_texts` and `answer_texts` count the texts of every question.
        """
        return {
            "question": self.question.astype(np.int32),
            "score": np.asarray([score for scores in self.scores for score in scores], np.float32),
            "gold_texts": np.asarray([len(texts) for texts in self.gold], np.int32),
            "answer_texts": np.asarray([len(texts) for texts in self.answers], np.int32),
            **_packed("id", self.ids),
            **_packed("gold", (text for texts in self.gold for text in texts)),
            **_packed("answer", (text for texts in self.answers for text in texts)),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `to_arrays`."""
        return cls(
            arrays["question"],
            tuple(_unpacked("id", arrays)),
            _grouped(_unpacked("gold", arrays), arrays["gold_texts"]),
            _grouped(_unpacked("answer", arrays), arrays["answer_texts"]),
            _grouped(arrays["score"].tolist(), arrays["answer_texts"]),
        )


def official_predictions(outcome: PredictedAnswers) -> dict[str, str]:
    """Question id -> answer: the `predictions.json` that the official script reads."""
    return {id: answers[0] for id, answers in zip(outcome.ids, outcome.answers, strict=True)}


def n_best_predictions(outcome: PredictedAnswers) -> dict[str, list[dict[str, str | float]]]:
    """Question id -> its n best answers with probabilities among these: BERT's `nbest_predictions.json`."""
    found: dict[str, list[dict[str, str | float]]] = {}
    for id, answers, scores in zip(outcome.ids, outcome.answers, outcome.scores, strict=True):
        weights = np.exp(np.asarray(scores) - max(scores))
        shares = (weights / weights.sum()).tolist()
        found[id] = [{"text": text, "probability": share} for text, share in zip(answers, shares, strict=True)]
    return found


def _packed(name: str, texts: Iterable[str]) -> dict[str, np.ndarray]:
    parts = [text.encode() for text in texts]
    lengths = np.asarray([len(part) for part in parts], np.int32)
    return {f"{name}_utf8": np.frombuffer(b"".join(parts), np.uint8), f"{name}_bytes": lengths}


def _unpacked(name: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    whole, ends = arrays[f"{name}_utf8"].tobytes(), np.cumsum(arrays[f"{name}_bytes"]).tolist()
    return [whole[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]


def _grouped(values: list[Any], counts: np.ndarray) -> tuple[tuple[Any, ...], ...]:
    ends = np.cumsum(counts).tolist()
    return tuple(tuple(values[start:end]) for start, end in zip([0, *ends], ends, strict=False))
