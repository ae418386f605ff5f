"""What an adapter is trained on, as texts: the batches that a run's sampler draws, and what its loss leaves out of them.

The samplers and their seeds are those of the training. Only the tokens are missing, and with them the length limit: a
sentence whose span the limit cuts off is drawn here and not in training.
"""

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from core import catalog
from core.config import RunConfig
from core.corpora.draws import LabelTable
from core.corpora.store import TEXT_TABLES, Corpus
from core.stages.sampling import adapter_languages, sampler_options, stage_seed
from core.task_config import Optimisation

MASK = "[MASK]"
_SENTENCES = ("mention_sentences", "triple_sentences")


@dataclass(frozen=True, slots=True)
class ExampleText:
    """A text of a pair.

    Attributes:
        text: What is read.
        languages: Languages of its parts, in order.
        start: First character that its vector averages over.
        end: One past the last one.
    """

    text: str
    languages: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ExamplePair:
    """A pair of a batch.

    Attributes:
        anchor: x_i.
        positive: y_i.
        left_out: Positives of the batch that are no negatives of the anchor: (place in the batch, why).
    """

    anchor: ExampleText
    positive: ExampleText
    left_out: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class ExampleBatch:
    """A batch.

    Attributes:
        role: `ep`, `tp`, `es` or `ts`.
        pairs: Its pairs.
        drawn_from: Rows that the sampler draws from: entities, facts or sentences.
        epoch: Pairs in an epoch.
        identical: Share of all pairs of labels that a training entity has, 0 to 1, whose strings are equal.
        languages: Languages of adapter training.
    """

    role: str
    pairs: Sequence[ExamplePair]
    drawn_from: int
    epoch: int
    identical: float
    languages: Sequence[str]


class ExampleBatches:
    """Draws the batches of a config from a corpus; shared by threads, one request at a time.

    Args:
        corpus: The corpus.
        config: The run's config; a role without a budget draws its default number of pairs.

    Raises:
        ValueError: If the config names a language that the corpus lacks.
    """

    def __init__(self, corpus: Corpus, config: RunConfig) -> None:
        self.corpus, self.config = corpus, config
        self.languages = adapter_languages(config, corpus)
        self.labels, self._texts = LabelTable(corpus, self.languages), _Texts(corpus)
        self._samplers: dict[str, tuple[Any, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def batch(self, role: str, number: int = 0) -> ExampleBatch:
        """The batch that the stage of a small adapter trains on at a place.

        Args:
            role: `ep`, `tp`, `es` or `ts`.
            number: Which batch, from 0; those before it are drawn too.

        Raises:
            CorpusError: If the corpus lacks what the role needs.
        """
        with self._lock:
            sampler, start = self._sampler(role)
            sampler.restore(copy.deepcopy(start))
            for _ in range(number + 1):
                drawn = sampler.sample(max(2, self._plan(role).batch_size))
            left_out: list[list[tuple[int, str]]] = [[] for _ in range(len(drawn))]
            if self.config.objective.mask_false_negatives:
                left_out = _left_out(drawn.entity, drawn.string, drawn.known)
            pairs = [ExamplePair(*parts) for parts in zip(drawn.anchors, drawn.positives, left_out, strict=True)]
            return ExampleBatch(role, pairs, len(sampler.stream.rows), len(sampler), self._identical, self.languages)

    def _sampler(self, role: str) -> tuple[Any, dict[str, Any]]:
        if role not in self._samplers:
            seed = stage_seed(self.config.seed, f"{role}.{role}")
            options = sampler_options(self.config.sampling)[role]
            sampler = catalog.resolve("sampler", role)(self.corpus, self._texts, self.labels, seed, **options)
            self._samplers[role] = sampler, copy.deepcopy(sampler.state())
        return self._samplers[role]

    def _plan(self, role: str) -> Optimisation:
        plans = self.config.adapters, type(self.config.adapters)()
        return next(plan for plan in (getattr(adapters, role) for adapters in plans) if plan)

    @cached_property
    def _identical(self) -> float:
        """Share of the pairs of labels of one training entity whose strings are equal."""
        labels, train = self.labels, self.corpus.rows_of("entities", "train")
        entity = np.repeat(np.arange(len(labels.count)), labels.count)
        strings = np.stack([entity, labels.string[labels.rows]])[:, np.isin(entity, train)]
        equal = np.unique(strings, axis=1, return_counts=True)[1]
        pairs = (labels.count[train] * (labels.count[train] - 1)).sum()
        return float((equal * (equal - 1)).sum() / pairs) if pairs else 0.0


@dataclass(frozen=True, slots=True)
class _Part:
    """One text to join, with the characters that count, or all for None."""

    text: str
    language: str
    span: tuple[int, int] | None = None


class _Texts:
    """Stands in for a token store: what samplers ask of it, answered in texts."""

    def __init__(self, corpus: Corpus) -> None:
        self._texts = {table: corpus.texts(table) for table in TEXT_TABLES}
        self._spans = {t: np.stack([corpus.column(t, c) for c in ("start", "end")], axis=1) for t in _SENTENCES}

    def has_span(self, table: str) -> np.ndarray:
        return np.ones(len(self._texts[table]), bool)

    def text(self, table: str, rows: np.ndarray) -> list[_Part]:
        source = self._texts[table]
        texts = source.text.take(pa.array(np.maximum(rows, 0))).to_pylist() if len(source) else [""] * len(rows)
        return [
            _Part(text, source.languages[source.language[row]]) if row >= 0 else _Part("", "")
            for row, text in zip(rows.tolist(), texts, strict=True)
        ]

    def join(self, *parts: list[_Part]) -> list[ExampleText]:
        return [_joined(pieces) for pieces in zip(*parts, strict=True)]

    def mentions(self, rows: np.ndarray, whole_sentence: bool) -> list[ExampleText]:
        spans = [None] * len(rows) if whole_sentence else self._spans["mention_sentences"][rows].tolist()
        parts = self.text("mention_sentences", rows)
        return self.join([_Part(p.text, p.language, span) for p, span in zip(parts, spans, strict=True)])

    def without_object(self, rows: np.ndarray, keep_last_word: bool) -> list[ExampleText]:
        found = []
        for part, (start, end) in zip(
            self.text("triple_sentences", rows), self._spans["triple_sentences"][rows].tolist(), strict=True
        ):
            last_word = start + part.text[start:end].rstrip().rfind(" ") + 1
            rest = part.text[last_word:] if keep_last_word else MASK + part.text[end:]
            found.append(_Part(part.text[:start] + rest, part.language))
        return self.join(found)


def _joined(parts: Sequence[_Part]) -> ExampleText:
    kept = [part for part in parts if part.text]
    text = " ".join(part.text for part in kept)
    span = parts[0].span if len(parts) == 1 else None
    return ExampleText(text, tuple(part.language for part in kept), *(span or (0, len(text))))


def _left_out(entity: np.ndarray, string: np.ndarray, known: np.ndarray | None) -> list[list[tuple[int, str]]]:
    """For every pair the positives that are no negatives of its anchor, and why (`core.objectives.false_negatives`)."""
    found: list[list[tuple[int, str]]] = [[] for _ in entity]
    reasons = {"same entity": entity[:, None] == entity, "same string": string[:, None] == string}
    if known is not None:
        reasons["true as well"] = known
    for i, j in zip(*np.nonzero(np.logical_or.reduce(list(reasons.values()))), strict=True):
        if i != j:
            found[i].append((int(j), next(reason for reason, holds in reasons.items() if holds[i, j])))
    return found
