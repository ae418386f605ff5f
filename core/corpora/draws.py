"""What samplers draw with: batches of pairs, the label table, the stream of rows, and the sets of known facts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.corpora.records import TokenBatch, ragged_index
from core.corpora.store import Corpus

Order = Literal["distinct", "random", "consecutive"]
_SHUFFLED_WHOLE, _SHUFFLED_PER_PAIR = 65_536, 64  # rows shuffled for a batch: all of a small corpus, else a sample


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Anchors and positives, row by row, with what the false-negative mask needs.

    Attributes:
        anchors: Texts x_i.
        positives: Texts y_i.
        entity: Entity of each positive, shape (batch,).
        string: Number of each positive's normalised string, shape (batch,).
        known: True where y_j is another true object of x_i's subject and relation, shape (batch, batch), or None.
    """

    anchors: TokenBatch
    positives: TokenBatch
    entity: np.ndarray
    string: np.ndarray
    known: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.entity)


class Batch(Protocol):
    """What a sampler draws; its length is the number of pairs or examples."""

    def __len__(self) -> int: ...


class Sampler(Protocol):
    """Draws batches; `state` goes into a checkpoint and comes back through `restore`.

    Its length is an epoch's pairs or examples.
    """

    def __len__(self) -> int: ...

    def sample(self, count: int) -> Any:
        """Draw a `Batch` of at most `count` pairs (fewer only where no more may stand side by side) or examples."""
        ...

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on with the same draws, JSON-serialisable."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        ...


class LabelTable:
    """The labels in the training languages, grouped by entity for array draws.

    Args:
        corpus: The corpus.
        languages: Codes of the languages to draw from.
    """

    def __init__(self, corpus: Corpus, languages: Iterable[str]) -> None:
        texts = corpus.texts("labels")
        entity = corpus.column("labels", "entity")
        rows = np.flatnonzero(texts.in_languages(languages))
        self.rows = rows[np.argsort(entity[rows], kind="stable")]
        self.language, self.string = texts.language, string_numbers(texts.text)
        self.languages = texts.languages
        bounds = np.searchsorted(entity[self.rows], np.arange(corpus.info.counts["entities"] + 1))
        self.first, self.count = bounds[:-1], np.diff(bounds)

    def draw(self, entities: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """One label of each entity, uniform over its labels: rows of the labels table, shape (entities,)."""
        return self.rows[self.first[entities] + generator.integers(self.count[entities])]

    def distinct_strings(self) -> np.ndarray:
        """Number of different label strings per entity, shape (entities,)."""
        entity = np.repeat(np.arange(len(self.count)), self.count)
        pairs = np.unique(np.stack([entity, self.string[self.rows]]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.count))


def string_numbers(texts: pa.Array) -> np.ndarray:
    """A number per text, equal where the texts agree after NFKC, lower-casing and trimming, shape (texts,)."""
    normalised = pc.utf8_trim_whitespace(pc.utf8_lower(pc.utf8_normalize(texts, "NFKC")))
    return pc.dictionary_encode(normalised).indices.to_numpy(zero_copy_only=False)


@dataclass
class RowStream:
    """Draws row numbers for batches.

    Attributes:
        rows: The rows to draw from, in file order.
        order: `distinct` shuffles and never puts two rows with an equal key into one batch; `random` draws
            independently; `consecutive` goes through the file, as the released code does.
        seed: Seed of the generator.
        keys: For `distinct`: arrays aligned with `rows`; no value of any of them stands twice in a batch.
        weights: For `random`: how often each row is drawn, aligned with `rows`; None draws uniformly.
    """

    rows: np.ndarray
    order: Order
    seed: int
    keys: tuple[np.ndarray, ...] = ()
    weights: np.ndarray | None = None
    generator: np.random.Generator = field(init=False)
    position: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)
        self._cumulative = None if self.weights is None else np.cumsum(self.weights, dtype=np.float64)

    def next(self, count: int) -> np.ndarray:
        """Rows of the next batch, shape (count,) or shorter when no more distinct ones exist."""
        if self.order == "consecutive":
            chosen = (self.position + np.arange(count)) % len(self.rows)
            self.position = int((self.position + count) % len(self.rows))
        elif self.order == "distinct":
            drawn = min(len(self.rows), max(_SHUFFLED_WHOLE, _SHUFFLED_PER_PAIR * count))
            chosen = self._distinct(drawn, count)
            if len(chosen) < count and drawn < len(self.rows):  # few different keys among those: go through all rows
                chosen = self._distinct(len(self.rows), count)
        elif self._cumulative is None:
            chosen = self.generator.integers(len(self.rows), size=count)
        else:
            chosen = np.searchsorted(self._cumulative, self.generator.random(count) * self._cumulative[-1], "right")
        return self.rows[chosen]

    def _distinct(self, drawn: int, count: int) -> np.ndarray:
        """At most `count` positions with distinct keys, among `drawn` positions in random order, shape (<= count,)."""
        whole = drawn == len(self.rows)
        chosen = (
            self.generator.permutation(drawn) if whole else self.generator.choice(len(self.rows), drawn, replace=False)
        )
        for key in self.keys:
            chosen = chosen[np.sort(np.unique(key[chosen], return_index=True)[1])]
        return chosen[:count]

    def state(self) -> dict[str, Any]:
        """Generator and position."""
        return {"generator": self.generator.bit_generator.state, "position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.generator.bit_generator.state = state["generator"]
        self.position = state["position"]


class KnownAnswers:
    """Which answers are right for a query, out of facts (query, answer) given as numbers.

    Args:
        query: Query of each fact, shape (facts,).
        answer: Its answer, shape (facts,).
        answers: Number of possible answers.
    """

    def __init__(self, query: np.ndarray, answer: np.ndarray, answers: int) -> None:
        self.answers = answers
        self._keys = np.unique(query.astype(np.int64) * answers + answer)

    def matrix(self, query: np.ndarray, answer: np.ndarray) -> np.ndarray:
        """True at (i, j) where answer j is right for query i, shape (queries, answers)."""
        return np.isin(query.astype(np.int64)[:, None] * self.answers + answer[None, :], self._keys)

    def others(self, query: np.ndarray, answer: np.ndarray) -> tuple[np.ndarray, ...]:
        """The right answers of each query but the given one, ascending, `answer` of shape (queries,)."""
        first = query.astype(np.int64) * self.answers
        low, high = np.searchsorted(self._keys, first), np.searchsorted(self._keys, first + self.answers)
        asked = np.repeat(np.arange(len(query)), high - low)
        found = self._keys[ragged_index(low, high - low)] - first[asked]
        other = found != answer[asked]
        bounds = np.searchsorted(asked[other], np.arange(1, len(query)))
        return tuple(np.split(found[other], bounds)) if len(query) else ()


class KnownFacts:
    """The training triples as a set: which entities are true objects of a subject and relation."""

    def __init__(self, corpus: Corpus) -> None:
        self.rows = corpus.rows_of("triples", "train")
        self.subject, self.relation, self.object = (
            corpus.column("triples", c) for c in ("subject", "relation", "object")
        )
        self._entities = corpus.info.counts["entities"]
        self._known = KnownAnswers(self._query(self.rows), self.object[self.rows], self._entities)

    def _query(self, triples: np.ndarray) -> np.ndarray:
        return self.relation[triples].astype(np.int64) * self._entities + self.subject[triples]

    def matrix(self, triples: np.ndarray) -> np.ndarray:
        """True at (i, j) where triple j's object is a true object of triple i's subject and relation."""
        return self._known.matrix(self._query(triples), self.object[triples])


def relation_label_rows(corpus: Corpus, languages: list[str], fallback: str | None) -> np.ndarray:
    """Row of `relation_labels` for each relation and language, the fallback's where there is none, else -1.

    Args:
        corpus: The corpus.
        languages: Codes that the columns stand for.
        fallback: Code of the language to fall back to, or None.

    Returns:
        Row numbers, shape (relations, languages).
    """
    texts, relation = corpus.texts("relation_labels"), corpus.column("relation_labels", "relation")
    rows = np.full((corpus.info.counts["relations"], len(languages)), -1)
    columns = {code: i for i, code in enumerate(languages)}
    of_language = np.asarray([columns.get(code, -1) for code in texts.languages], np.int64)[texts.language]
    if fallback in texts.languages:
        default = texts.language == texts.languages.index(fallback)
        rows[relation[default]] = np.flatnonzero(default)[:, None]
    known = of_language >= 0
    rows[relation[known], of_language[known]] = np.flatnonzero(known)
    return rows
