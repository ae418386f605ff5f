"""Which labels of a language a trained encoder puts nearest to a text; exact search by the cosine.

Texts become tokens as in the evaluation (`core.tasks.name_index`), and a right answer's rank is counted by
`core.evaluation.ranks`, so an answer here is the answer there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import torch

from core.corpora.records import TokenBatch
from core.corpora.store import Corpus
from core.evaluation.metrics import realistic_rank
from core.evaluation.ranks import Queries, rank_queries
from core.probing.trained import Question, TrainedEncoder
from core.tasks.name_index import NameIndex
from core.tasks.task import sample

LIMIT = 50_000  # labels of a language: 77 MB of vectors of 384 dimensions
_CHUNK = 128  # texts embedded between two looks at who else waits for the encoder
Advance = Callable[[int, int], object]  # called with (texts done, texts in all); an error that it raises ends the work


@dataclass(frozen=True)
class Labels:
    """Names of entities in one language.

    Attributes:
        entity: Numbers of the entities, in the caller's numbering, shape (labels,).
        text: Their names; two entities may share one.
    """

    entity: np.ndarray
    text: Sequence[str]

    def __len__(self) -> int:
        return len(self.entity)

    def take(self, places: np.ndarray) -> "Labels":
        """The labels at some places."""
        return Labels(self.entity[places], [self.text[place] for place in places])


def corpus_labels(corpus: Corpus, language: str, limit: int | None = LIMIT) -> Labels:
    """The labels of a corpus in a language, entities by their row; of more than `limit` an even draw, always the same.

    Raises:
        ValueError: If the corpus has no labels in that language.
    """
    texts = corpus.texts("labels")
    rows = np.flatnonzero(texts.in_languages([language]))
    if not len(rows):
        raise ValueError(
            f"The corpus {corpus.info.name} has no labels in language {language!r}. "
            f"It has: {', '.join(sorted(texts.languages))}."
        )
    rows = sample(rows, limit)
    return Labels(corpus.column("labels", "entity")[rows], texts.text.take(pa.array(rows)).to_pylist())


def name_tokens(encoder: TrainedEncoder, *parts: Sequence[str]) -> TokenBatch:
    """Token ids of the texts `[part ; part ; ...]`, as the tasks of the encoder's run build theirs.

    Args:
        encoder: The encoder.
        parts: Texts to join: the first of each part make the first text, and so on.
    """
    config = encoder.run.config
    texts = pa.array([text for part in parts for text in part], pa.large_string())
    with encoder.lock:  # two threads cannot use one tokenizer at once
        index = NameIndex(texts, encoder.backbone.tokenizer, config.corpus.phrase_tokens, config.backbone.prefix)
    return index.tokens.join(*(index.tokens.text("labels", rows) for rows in np.split(index.row, len(parts))))


def embed_tokens(
    encoder: TrainedEncoder, question: Question, texts: TokenBatch, progress: Advance | None = None
) -> np.ndarray:
    """Embeddings of texts under a system, of unit length, float32, shape (texts, dim); others may ask in between."""
    found = np.zeros((len(texts), encoder.backbone.dim), np.float32)
    order = np.argsort(texts.lengths, kind="stable")
    for start in range(0, len(order), _CHUNK):
        rows = order[start : start + _CHUNK]
        with encoder.asked(question) as (text_encoder, _):
            found[rows] = torch.nn.functional.normalize(text_encoder.embed_all(texts.take(rows))).numpy()
        if progress:
            progress(start + len(rows), len(order))
    return found


class NearestLabels:
    """The labels of one language as vectors of one system; make it with `NearestLabels.of`.

    Args:
        labels: The labels.
        column: Number of the different string of each label, shape (labels,).
        vectors: Unit vectors of the different strings, shape (strings, dim).
    """

    def __init__(self, labels: Labels, column: np.ndarray, vectors: np.ndarray) -> None:
        self.labels, self.column, self.vectors = labels, column, vectors

    @classmethod
    def of(cls, encoder: TrainedEncoder, question: Question, labels: Labels, progress: Advance | None = None) -> Self:
        """Embed labels under a system, each different string once.

        Args:
            encoder: The encoder.
            question: The system.
            labels: The labels; `corpus_labels` gives those of a corpus.
            progress: Called with (strings done, strings in all); an error that it raises ends the work.
        """
        strings = list(dict.fromkeys(labels.text))
        place = {text: number for number, text in enumerate(strings)}
        vectors = (
            embed_tokens(encoder, question, name_tokens(encoder, strings), progress) if strings else _none(encoder)
        )
        return cls(labels, np.asarray([place[text] for text in labels.text], np.int64), vectors)

    @property
    def nbytes(self) -> int:
        """Memory of the vectors in bytes."""
        return self.vectors.nbytes

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest labels, nearest first; labels with one name stand together, in the order of the entities.

        Args:
            vectors: Unit vectors, shape (n, dim).
            k: Answers to each, at most all labels are taken.

        Returns:
            Numbers of the entities and their cosines, both of shape (n, k).
        """
        places, scores = self.search_places(vectors, k)
        return self.labels.entity[places], scores

    def search_places(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """As `search`, with places in `labels` for numbers of entities."""
        k = min(k, len(self.labels))
        scores = (vectors @ self.vectors.T)[:, self.column]
        if k < scores.shape[1]:
            kth = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
            width = max(int((scores >= kth).sum(1).max(initial=0)), k)  # ties of the last one are told apart below
            near = np.sort(np.argpartition(-scores, width - 1, axis=1)[:, :width], axis=1)
        else:
            near = np.broadcast_to(np.arange(k), (len(scores), k))
        near_scores = np.take_along_axis(scores, near, axis=1)
        order = np.argsort(-near_scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(near, order, axis=1), np.take_along_axis(near_scores, order, axis=1)

    def ranks(
        self, vectors: np.ndarray, gold: np.ndarray, known: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """One-based ranks of right answers under protocol strict, mean over ties, and their cosines.

        Args:
            vectors: Unit vectors, shape (n, dim).
            gold: Entity that answers each, shape (n,).
            known: Further right answers of each, which do not count as better.

        Returns:
            Ranks and cosines, both float, shape (n,); NaN where the gold entity is not among the labels.
        """
        place = {int(entity): number for number, entity in enumerate(self.labels.entity)}
        asked = np.asarray([i for i, entity in enumerate(gold) if int(entity) in place], np.int64)
        ranks, scores = np.full(len(gold), np.nan), np.full(len(gold), np.nan)
        if not len(asked):
            return ranks, scores
        columns = self.column[[place[int(gold[i])] for i in asked]]
        pairs = [
            (number, self.column[place[int(entity)]])
            for number, i in enumerate(asked)
            for entity in known[i]
            if int(entity) in place and entity != gold[i]
        ]
        query, column = np.asarray(pairs, np.int64).reshape(-1, 2).T
        weight = torch.from_numpy(np.bincount(self.column, minlength=len(self.vectors)))
        candidates = torch.from_numpy(self.vectors)
        ((_, filtered),) = rank_queries(
            torch.from_numpy(vectors[asked]), candidates, Queries(columns, query, column), [weight]
        )
        ranks[asked] = realistic_rank(filtered.optimistic, filtered.pessimistic)
        scores[asked] = (vectors[asked] * self.vectors[columns]).sum(1)
        return ranks, scores


def _none(encoder: TrainedEncoder) -> np.ndarray:
    return np.zeros((0, encoder.backbone.dim), np.float32)
