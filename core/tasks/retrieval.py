"""What the two retrieval tasks share: a benchmark of queries and candidates, and its exact evaluation.

A benchmark is built once per run and split. Every string is embedded once per system, however many languages,
candidates, queries and tasks it serves.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch

from core.corpora.draws import PairBatch, RowStream, string_numbers
from core.corpora.records import TokenBatch
from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
from core.encoder.text_encoder import TextEncoder
from core.evaluation.outcomes import LanguageRanks
from core.evaluation.protocols import RankSet
from core.evaluation.ranks import Counts, Queries, rank_queries


class LabelIndex:
    """The labels of a corpus by language and entity.

    Args:
        corpus: The corpus.
        tokens: Its token store.
    """

    def __init__(self, corpus: Corpus, tokens: TokenStore) -> None:
        self.corpus, self.tokens = corpus, tokens
        texts = corpus.texts("labels")
        self.entity, self.language, self.languages = corpus.column("labels", "entity"), texts.language, texts.languages
        self.exact = pc.dictionary_encode(texts.text).indices.to_numpy(zero_copy_only=False)
        self.normalised = string_numbers(texts.text)
        self._rows: dict[str, np.ndarray] = {}

    def rows(self, language: str) -> np.ndarray:
        """Row of the label of every entity in `language`, -1 where there is none, shape (entities,).

        Raises:
            ValueError: If the corpus has no labels in that language.
        """
        if language not in self.languages:
            known = ", ".join(sorted(self.languages))
            raise ValueError(
                f"The corpus {self.corpus.info.name} has no labels in language {language!r}. It has: {known}."
            )
        if language not in self._rows:
            found = self._rows[language] = np.full(self.corpus.info.counts["entities"], -1)
            chosen = np.flatnonzero(self.language == self.languages.index(language))
            found[self.entity[chosen]] = chosen
        return self._rows[language]


@dataclass(frozen=True)
class Benchmark:
    """Queries of one language and the candidates they are ranked among.

    Attributes:
        entity: Entity that a query asks about, shape (queries,).
        parts: (table, rows) of the texts that a query joins, rows of shape (queries,).
        gold: Entity that answers, shape (queries,).
        known: Further right answers of each query, by query.
        candidates: Entities to rank among, shape (candidates,).
        labels: Row of the label of each candidate, shape (candidates,).
    """

    entity: np.ndarray
    parts: tuple[tuple[str, np.ndarray], ...]
    gold: np.ndarray
    known: tuple[np.ndarray, ...]
    candidates: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.entity)


def evaluate(
    encoder: TextEncoder,
    index: LabelIndex,
    benchmarks: Mapping[Any, Benchmark],
    tokens_per_pass: int = 8192,
    progress: Callable[[int, int], None] | None = None,
) -> dict[Any, LanguageRanks]:
    """Ranks of every benchmark under the encoder's active adapters.

    Args:
        encoder: The encoder.
        index: Labels of the corpus.
        benchmarks: Benchmarks by any key, such as (task, language).
        tokens_per_pass: Tokens per forward pass.
        progress: Called with (tokens done, tokens in all).
    """
    strings = np.concatenate([index.exact[b.labels] for b in benchmarks.values()])
    labels = np.concatenate([b.labels for b in benchmarks.values()])
    _, first, label_text = np.unique(strings, return_index=True, return_inverse=True)
    batches = [index.tokens.join(index.tokens.text("labels", labels[first]))]
    batches += [index.tokens.join(*(index.tokens.text(t, rows) for t, rows in b.parts)) for b in benchmarks.values()]
    texts = TokenBatch.concatenate(batches)
    embeddings = encoder.embed_all(texts, tokens_per_pass, progress).to(encoder.device)
    found, at, query_at = {}, 0, len(first)
    for key, b in benchmarks.items():
        columns, column = np.unique(label_text[at : at + len(b.labels)], return_inverse=True)
        queries = embeddings[query_at : query_at + len(b)]
        found[key] = _ranks(b, queries, embeddings[torch.from_numpy(columns)], column)
        at, query_at = at + len(b.labels), query_at + len(b)
    return found


def _ranks(b: Benchmark, query: torch.Tensor, candidate: torch.Tensor, column: np.ndarray) -> LanguageRanks:
    column_of = np.full(int(b.candidates.max()) + 1, -1)
    column_of[b.candidates] = column
    everyone = torch.from_numpy(np.bincount(column, minlength=len(candidate)))
    known = [(i, column_of[e]) for i, others in enumerate(b.known) for e in others if e < len(column_of)]
    pairs = np.asarray([p for p in known if p[1] >= 0], np.int64).reshape(-1, 2)
    queries = Queries(column_of[b.gold], pairs[:, 0], pairs[:, 1])
    gold_strings = torch.zeros(len(candidate), dtype=torch.long)
    gold_strings[torch.from_numpy(np.unique(queries.gold))] = 1
    weights = [w.to(query.device) for w in (everyone, gold_strings)]
    (raw, filtered), (released, _) = rank_queries(query, candidate, queries, weights)
    counts: dict[RankSet, Counts] = {"raw": raw, "filtered": filtered, "released": released}
    return LanguageRanks(
        b.entity, {k: c.optimistic for k, c in counts.items()}, {k: c.pessimistic for k, c in counts.items()}
    )


def mean_reciprocal_rank(ranks: Iterable[LanguageRanks]) -> float:
    """Macro mean over languages of the filtered MRR, in [0, 1]: the score that validation goes by."""
    return float(np.mean([(2 / (r.optimistic["filtered"] + r.pessimistic["filtered"])).mean() for r in ranks]))


class TaskPairs:
    """The training pairs of a task, drawn without putting two equal keys into one batch.

    Args:
        index: Labels of the corpus.
        anchors: (table, rows) of the texts that an anchor joins, rows of shape (pairs,).
        positives: Row of the label of each positive, shape (pairs,).
        keys: Arrays of shape (pairs,); no value of any stands twice in a batch.
        seed: Seed of the draws.
        known: Pair numbers -> matrix that is True where a positive is another right answer of an anchor, or None.
    """

    def __init__(
        self,
        index: LabelIndex,
        anchors: tuple[tuple[str, np.ndarray], ...],
        positives: np.ndarray,
        keys: tuple[np.ndarray, ...],
        seed: int,
        known: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.index, self.anchors, self.positives, self.known = index, anchors, positives, known
        self.stream = RowStream(np.arange(len(positives)), "distinct", seed, keys)

    def __len__(self) -> int:
        return len(self.positives)

    def sample(self, pairs: int) -> PairBatch:
        """Draw `pairs` pairs."""
        drawn, tokens = self.stream.next(pairs), self.index.tokens
        labels = self.positives[drawn]
        return PairBatch(
            tokens.join(*(tokens.text(table, rows[drawn]) for table, rows in self.anchors)),
            tokens.join(tokens.text("labels", labels)),
            self.index.entity[labels],
            self.index.normalised[labels],
            None if self.known is None else self.known(drawn),
        )

    def state(self) -> dict[str, Any]:
        """State of the draws."""
        return self.stream.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.stream.restore(state)


def sample(rows: np.ndarray, count: int) -> np.ndarray:
    """`count` of `rows` (all if there are fewer), the same for every run and seed, in order."""
    return np.sort(np.random.default_rng(0).permutation(rows)[:count])
