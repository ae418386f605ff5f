"""What the ranking tasks share: benchmarks of queries and candidates, and their exact evaluation.

A benchmark is built once per task, language and split. Every string is embedded once per system, however many
languages, candidates, queries and tasks it serves.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import pyarrow.compute as pc
import torch
from torch import nn

from core.corpora.draws import Sampler, string_numbers
from core.corpora.records import Split, TokenBatch
from core.corpora.store import Corpus
from core.corpora.token_store import TokenTables
from core.encoder.text_encoder import TextEncoder
from core.evaluation.outcomes import LanguageRanks
from core.evaluation.protocols import RankSet
from core.evaluation.ranks import Counts, Queries, rank_queries
from core.tasks.task import Advance


class TextIndex(Protocol):
    """Texts that benchmarks refer to by table and row; the names of entities are the table `labels`."""

    @property
    def tokens(self) -> TokenTables:
        """Their token ids."""
        ...

    @property
    def exact(self) -> np.ndarray:
        """A number per row of `labels`, equal where the strings are."""
        ...

    @property
    def normalised(self) -> np.ndarray:
        """A number per row of `labels`, equal where `string_numbers` calls the strings equal."""
        ...


class LabelIndex:
    """The labels of a corpus by language and entity: a `TextIndex`.

    Args:
        corpus: The corpus.
        tokens: Its token store; a table that lacks texts will do where none is asked for.
    """

    def __init__(self, corpus: Corpus, tokens: TokenTables) -> None:
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


Parts = tuple[tuple[str, np.ndarray], ...]  # (table, rows) of the texts that a text joins, rows of shape (texts,)


@dataclass(frozen=True)
class Benchmark:
    """Queries of one language and the candidates they are ranked among.

    Attributes:
        entity: What a query asks about, the unit of the bootstrap, shape (queries,).
        parts: The texts that a query joins.
        gold: Entity that answers, shape (queries,).
        known: Further right answers of each query, by query.
        candidates: Entities to rank among, shape (candidates,).
        labels: Row of the label of each candidate, shape (candidates,).
        csls: Neighbours of cross-domain similarity local scaling; None ranks by cosine.
    """

    entity: np.ndarray
    parts: Parts
    gold: np.ndarray
    known: tuple[np.ndarray, ...]
    candidates: np.ndarray
    labels: np.ndarray
    csls: int | None = None

    def __len__(self) -> int:
        return len(self.entity)


def evaluate(
    encoder: TextEncoder,
    groups: Sequence[tuple[TextIndex, Mapping[Any, Benchmark]]],
    tokens_per_pass: int = 8192,
    progress: Advance | None = None,
) -> dict[Any, LanguageRanks]:
    """Ranks of every benchmark under the encoder's active adapters.

    Args:
        encoder: The encoder.
        groups: Texts, and the benchmarks over them by any key, such as (task, language), which no two groups share; a
            benchmark without queries is left out.
        tokens_per_pass: Tokens per forward pass.
        progress: Called with (tokens done, tokens in all).
    """
    asked = [(index, {key: b for key, b in benchmarks.items() if len(b)}) for index, benchmarks in groups]
    laid_out = [(*_distinct_texts(index, list(found.values())), found) for index, found in asked if found]
    total, before, ranks = sum(int(texts.lengths.sum()) for texts, _, _ in laid_out), 0, dict[Any, LanguageRanks]()

    def advance(before: int, done: int, _: int) -> None:
        if progress:
            progress(before + done, total)

    for texts, places, found in laid_out:
        embeddings = encoder.embed_all(texts, tokens_per_pass, partial(advance, before)).to(encoder.device)
        ranks |= {key: _ranks(b, embeddings, *place) for (key, b), place in zip(found.items(), places, strict=True)}
        before += int(texts.lengths.sum())
    return ranks


def _distinct_texts(
    index: TextIndex, benchmarks: Sequence[Benchmark]
) -> tuple[TokenBatch, list[tuple[np.ndarray, np.ndarray]]]:
    """Every text of some benchmarks once, and where each benchmark's candidates and queries are among them."""
    wanted: list[Parts] = [parts for b in benchmarks for parts in ((("labels", b.labels),), b.parts)]
    kinds = [tuple(table for table, _ in parts) for parts in wanted]
    batches, places, first = list[TokenBatch](), [np.zeros(0, np.int64)] * len(wanted), 0
    for kind in dict.fromkeys(kinds):
        alike = [i for i, other in enumerate(kinds) if other == kind]
        rows = [np.concatenate([wanted[i][part][1] for i in alike]) for part in range(len(kind))]
        number = np.zeros(len(rows[0]), np.int64)
        for table, row in zip(kind, rows, strict=True):
            string = index.exact[row] if table == "labels" else row
            number = number * (int(string.max(initial=0)) + 2) + string + 1
        _, at, inverse = np.unique(number, return_index=True, return_inverse=True)
        parts = zip(kind, rows, strict=True)
        batches.append(index.tokens.join(*(index.tokens.text(table, row[at]) for table, row in parts)))
        bounds = np.cumsum([len(wanted[i][0][1]) for i in alike])[:-1]
        for i, place in zip(alike, np.split(first + inverse, bounds), strict=True):
            places[i] = place
        first += len(at)
    return TokenBatch.concatenate(batches), list(zip(places[::2], places[1::2], strict=True))


def _ranks(b: Benchmark, embeddings: torch.Tensor, label_at: np.ndarray, query_at: np.ndarray) -> LanguageRanks:
    columns, column = np.unique(label_at, return_inverse=True)
    query, candidate = (embeddings[torch.from_numpy(at).to(embeddings.device)] for at in (query_at, columns))
    known = np.concatenate(b.known)
    column_of = np.full(int(max(b.candidates.max(), known.max(initial=0))) + 1, -1)
    column_of[b.candidates] = column
    known_query, known_column = np.repeat(np.arange(len(b)), [len(others) for others in b.known]), column_of[known]
    ranked = known_column >= 0
    queries = Queries(column_of[b.gold], known_query[ranked], known_column[ranked])
    everyone = torch.from_numpy(np.bincount(column, minlength=len(columns)))
    gold_strings = torch.zeros(len(columns), dtype=torch.long)
    gold_strings[torch.from_numpy(np.unique(queries.gold))] = 1
    weights = [w.to(query.device) for w in (everyone, gold_strings)]
    (raw, filtered), (released, _) = rank_queries(query, candidate, queries, weights, csls=b.csls)
    counts: dict[RankSet, Counts] = {"raw": raw, "filtered": filtered, "released": released}
    return LanguageRanks(
        b.entity, {k: c.optimistic for k, c in counts.items()}, {k: c.pessimistic for k, c in counts.items()}
    )


class RankingTask(ABC):
    """A task without a head, whose test sets are benchmarks over one text index: a `core.tasks.task.Task`.

    Args:
        index: The texts.
        train_languages: Languages of the training pairs.
    """

    name: str
    metric = "MRR"

    def __init__(self, index: TextIndex, train_languages: Sequence[str]) -> None:
        self.index, self.train_languages = index, tuple(train_languages)
        self._made: dict[tuple[str, Split, int | None], Benchmark] = {}

    @property
    @abstractmethod
    def dataset(self) -> str:
        """Name of the benchmark, with its size where it is a part of the test split."""

    @abstractmethod
    def training_set(self, seed: int) -> Sampler:
        """The training pairs; raises a ValueError if there are fewer than two."""

    @abstractmethod
    def _languages(self) -> list[str]:
        """Every language that can be asked for, with queries or without."""

    @abstractmethod
    def _benchmark(self, language: str, split: Split, limit: int | None) -> Benchmark:
        """Make a benchmark; `limit` bounds the queries."""

    def benchmark(self, language: str, split: Split = "test", limit: int | None = None) -> Benchmark:
        """Queries and candidates of one language, made once.

        Args:
            language: Key of `test_sizes`.
            split: Split to ask.
            limit: Queries; None takes all. Candidates of the test stay those of the whole test.
        """
        key = (language, split, limit)
        if key not in self._made:
            self._made[key] = self._benchmark(*key)
        return self._made[key]

    def test_sizes(self) -> dict[str, int]:
        """Test queries of every language that has some."""
        return {language: n for language in self._languages() if (n := len(self.benchmark(language)))}

    def test_tokens(self, languages: Sequence[str]) -> float:
        """Tokens of the distinct texts of these languages' tests."""
        asked = [b for language in languages if len(b := self.benchmark(language))]
        return float(_distinct_texts(self.index, asked)[0].lengths.sum()) if asked else 0.0

    def language_of(self, key: str) -> str:
        """The language that a key of `test_sizes` stands for in the language groups."""
        return key

    def used_ids(self) -> np.ndarray:
        """Token ids of all texts, sorted, none twice."""
        return self.index.tokens.used_ids()

    def measure(
        self,
        encoder: TextEncoder,
        head: nn.Module | None,
        languages: Sequence[str],
        split: Split = "test",
        limit: int | None = None,
        tokens_per_pass: int = 8192,
        progress: Advance | None = None,
    ) -> dict[str, LanguageRanks]:
        """Ranks under the encoder's active adapters, by language; see `Task.measure`. There is no head."""
        benchmarks = {language: self.benchmark(language, split, limit) for language in languages}
        return evaluate(encoder, [(self.index, benchmarks)], tokens_per_pass, progress)

    def probe_texts(self, language: str, limit: int) -> TokenBatch:
        """The texts of the queries that `measure` with this limit asks."""
        tokens = self.index.tokens
        return tokens.join(*(tokens.text(*part) for part in self.benchmark(language, "test", limit).parts))


def measure_together(
    encoder: TextEncoder,
    tasks: Mapping[str, RankingTask],
    languages: Mapping[str, Sequence[str]],
    tokens_per_pass: int = 8192,
    progress: Advance | None = None,
) -> dict[str, dict[str, LanguageRanks]]:
    """Test ranks of several tasks under the encoder's active adapters; tasks over one index share their embeddings.

    Args:
        encoder: The encoder.
        tasks: Tasks by any key.
        languages: Languages to measure, by the same keys.
        tokens_per_pass: Tokens per forward pass.
        progress: Called with (tokens done, tokens in all), over all tasks.

    Returns:
        Ranks by key and language; a language without queries is left out.
    """
    groups: dict[int, tuple[TextIndex, dict[Any, Benchmark]]] = {}
    for key, task in tasks.items():
        _, benchmarks = groups.setdefault(id(task.index), (task.index, {}))
        benchmarks |= {(key, language): task.benchmark(language) for language in languages[key]}
    found: dict[str, dict[str, LanguageRanks]] = {key: {} for key in tasks}
    for (key, language), ranks in evaluate(encoder, list(groups.values()), tokens_per_pass, progress).items():
        found[key][language] = ranks
    return found
