"""(anchor, positive) batches for the four objectives, drawn from a corpus with array operations (paper, section 4).

EP: two labels of one entity. TP: subject and relation -> object, each label in its own language (code-switched).
ES: a mention inside its sentence -> a label of the entity. TS: a sentence without its object -> a label of the object.

Every sampler has its own generator whose state is part of a checkpoint, so a resumed run draws what an uninterrupted
one would have drawn. Held-out entities, and languages outside the training languages, are never drawn.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.corpora.records import TokenBatch
from core.corpora.store import Corpus, CorpusError
from core.corpora.token_store import TokenStore

Role = Literal["ep", "tp", "es", "ts"]
ROLES: tuple[Role, ...] = ("ep", "tp", "es", "ts")
Order = Literal["distinct", "random", "consecutive"]
EpPairs = Literal["entities", "alignments", "triples"]


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


class Sampler(Protocol):
    """Draws batches; `state` goes into a checkpoint and comes back through `restore`. Its length is an epoch's pairs."""

    def __len__(self) -> int: ...

    def sample(self, pairs: int) -> PairBatch:
        """Draw at most `pairs` pairs (fewer only where the corpus has no more that may stand side by side)."""
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
            chosen = self.generator.permutation(len(self.rows))
            for key in self.keys:
                chosen = chosen[np.sort(np.unique(key[chosen], return_index=True)[1])]
            chosen = chosen[:count]
        elif self._cumulative is None:
            chosen = self.generator.integers(len(self.rows), size=count)
        else:
            chosen = np.searchsorted(self._cumulative, self.generator.random(count) * self._cumulative[-1], "right")
        return self.rows[chosen]

    def state(self) -> dict[str, Any]:
        """Generator and position."""
        return {"generator": self.generator.bit_generator.state, "position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.generator.bit_generator.state = state["generator"]
        self.position = state["position"]


class _Streamed:
    """A sampler whose whole state is its stream's."""

    stream: RowStream

    def __len__(self) -> int:
        return len(self.stream.rows)

    def state(self) -> dict[str, Any]:
        """The stream's state."""
        return self.stream.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.stream.restore(state)


class EntityPairs(_Streamed):
    """EP: two labels of one entity in two languages.

    Args:
        corpus: The corpus.
        tokens: Its token store.
        labels: Labels in the training languages.
        seed: Seed of the draws.
        order: How entities are drawn.
        pairs: `entities`: uniform over entities, then over language pairs. `alignments`: uniform over all pairs of
            labels (the paper samples alignments). `triples`: subjects and objects of the triples (released code).
        skip_identical: Never pair two equal strings. False still draws two different labels, whose strings may be equal
            (the released code samples two out of the list of strings).
    """

    def __init__(
        self,
        corpus: Corpus,
        tokens: TokenStore,
        labels: LabelTable,
        seed: int,
        order: Order = "distinct",
        pairs: EpPairs = "entities",
        skip_identical: bool = True,
    ) -> None:
        self.tokens, self.labels, self.skip_identical = tokens, labels, skip_identical
        usable = np.zeros(len(labels.count), bool)
        usable[corpus.rows_of("entities", "train")] = True
        usable &= (labels.distinct_strings() if skip_identical else labels.count) > 1
        if pairs == "triples":
            train = corpus.rows_of("triples", "train")
            ends = np.stack([corpus.column("triples", c)[train] for c in ("subject", "object")], axis=1).ravel()
            rows = ends[usable[ends]]
        else:
            rows = np.flatnonzero(usable)
        _require(len(np.unique(rows)) > 1, corpus, "two training entities with two different labels")
        alignments = labels.count[rows] * (labels.count[rows] - 1)
        self.stream = RowStream(rows, order, seed, keys=(rows,), weights=alignments if pairs == "alignments" else None)

    def __len__(self) -> int:
        """An epoch of EP draws as many pairs as the training entities have labels."""
        return int(self.labels.count[np.unique(self.stream.rows)].sum())

    def sample(self, pairs: int) -> PairBatch:
        """Draw `pairs` pairs of labels."""
        entities, generator = self.stream.next(pairs), self.stream.generator
        first, second = self.labels.draw(entities, generator), self.labels.draw(entities, generator)
        compare = self.labels.string if self.skip_identical else np.arange(len(self.labels.string))
        while (same := np.flatnonzero(compare[first] == compare[second])).size:
            first[same] = self.labels.draw(entities[same], generator)
            second[same] = self.labels.draw(entities[same], generator)
        anchors, positives = (self.tokens.join(self.tokens.text("labels", rows)) for rows in (first, second))
        return PairBatch(anchors, positives, entities, self.labels.string[second])


class KnownFacts:
    """The training triples as a set: which entities are true objects of a subject and relation."""

    def __init__(self, corpus: Corpus) -> None:
        self.rows = corpus.rows_of("triples", "train")
        self.subject, self.relation, self.object = (
            corpus.column("triples", c) for c in ("subject", "relation", "object")
        )
        self._entities = corpus.info.counts["entities"]
        self._keys = np.unique(self._key(self.rows)[:, None] * self._entities + self.object[self.rows, None])

    def _key(self, triples: np.ndarray) -> np.ndarray:
        return self.relation[triples].astype(np.int64) * self._entities + self.subject[triples]

    def matrix(self, triples: np.ndarray) -> np.ndarray:
        """True at (i, j) where triple j's object is a true object of triple i's subject and relation."""
        keys = self._key(triples)[:, None] * self._entities + self.object[triples][None, :]
        return np.isin(keys, self._keys)


class TriplePairs(_Streamed):
    """TP: `[e_s ; r]` -> `e_o`, every label in its own random language (code-switched, as in the paper).

    Args:
        corpus: The corpus.
        tokens: Its token store.
        labels: Labels in the training languages.
        seed: Seed of the draws.
        order: How triples are drawn; `distinct` keeps subjects and objects apart.
        fallback: Language of a relation label that is missing in the drawn language; None leaves it out, so that the
            anchor is the bare subject (the released code's empty string).
    """

    def __init__(
        self,
        corpus: Corpus,
        tokens: TokenStore,
        labels: LabelTable,
        seed: int,
        order: Order = "distinct",
        fallback: str | None = "en",
    ) -> None:
        self.tokens, self.labels, self.facts = tokens, labels, KnownFacts(corpus)
        facts = self.facts
        rows = facts.rows[(labels.count[facts.subject[facts.rows]] > 0) & (labels.count[facts.object[facts.rows]] > 0)]
        _require(len(rows) > 1, corpus, "two training triples with labels in the training languages")
        self.stream = RowStream(rows, order, seed, keys=(facts.object[rows], facts.subject[rows]))
        self.relation_label = relation_label_rows(corpus, labels.languages, fallback)
        self.drawn_languages = np.unique(labels.language[labels.rows])

    def sample(self, pairs: int) -> PairBatch:
        """Draw `pairs` triples."""
        triples, generator, facts = self.stream.next(pairs), self.stream.generator, self.facts
        subject = self.labels.draw(facts.subject[triples], generator)
        object_ = self.labels.draw(facts.object[triples], generator)
        language = generator.choice(self.drawn_languages, len(triples))
        relation = self.relation_label[facts.relation[triples], language]
        anchors = self.tokens.join(self.tokens.text("labels", subject), self.tokens.text("relation_labels", relation))
        positives = self.tokens.join(self.tokens.text("labels", object_))
        return PairBatch(anchors, positives, facts.object[triples], self.labels.string[object_], facts.matrix(triples))


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


class MentionPairs(_Streamed):
    """ES: a mention inside its sentence -> a label of the entity in another language.

    Args:
        corpus: The corpus.
        tokens: Its token store.
        labels: Labels in the training languages.
        seed: Seed of the draws.
        order: How sentences are drawn; `distinct` keeps entities apart.
        whole_sentence: Average over the whole sentence (the released code) instead of the mention (the paper).
    """

    def __init__(
        self,
        corpus: Corpus,
        tokens: TokenStore,
        labels: LabelTable,
        seed: int,
        order: Order = "distinct",
        whole_sentence: bool = False,
    ) -> None:
        self.tokens, self.labels, self.whole_sentence = tokens, labels, whole_sentence
        texts, self.entity = corpus.texts("mention_sentences"), corpus.column("mention_sentences", "entity")
        self.language = np.asarray([labels.languages.index(c) for c in texts.languages], np.int64)[texts.language]
        usable = np.zeros(len(texts), bool)
        usable[corpus.rows_of("mention_sentences", "train")] = True
        usable &= tokens.has_span("mention_sentences") & (labels.count[self.entity] > 1)
        usable &= np.isin(self.language, labels.language[labels.rows])
        rows = np.flatnonzero(usable)
        _require(len(rows) > 1, corpus, "two training sentences that mention an entity")
        self.stream = RowStream(rows, order, seed, keys=(self.entity[rows],))

    def sample(self, pairs: int) -> PairBatch:
        """Draw `pairs` sentences."""
        sentences, generator = self.stream.next(pairs), self.stream.generator
        entities = self.entity[sentences]
        label = self.labels.draw(entities, generator)
        while (same := np.flatnonzero(self.labels.language[label] == self.language[sentences])).size:
            label[same] = self.labels.draw(entities[same], generator)
        anchors = self.tokens.mentions(sentences, self.whole_sentence)
        positives = self.tokens.join(self.tokens.text("labels", label))
        return PairBatch(anchors, positives, entities, self.labels.string[label])


class TripleSentencePairs(_Streamed):
    """TS: a sentence without its object -> a label of the object.

    Args:
        corpus: The corpus.
        tokens: Its token store.
        labels: Labels in the training languages.
        seed: Seed of the draws.
        order: How sentences are drawn; `distinct` keeps objects and subjects apart.
        keep_last_word: Leave the object's last word in place (the released code) instead of masking the whole object.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokens: TokenStore,
        labels: LabelTable,
        seed: int,
        order: Order = "distinct",
        keep_last_word: bool = False,
    ) -> None:
        self.tokens, self.labels, self.keep_last_word = tokens, labels, keep_last_word
        self.facts, texts = KnownFacts(corpus), corpus.texts("triple_sentences")
        self.triple = corpus.column("triple_sentences", "triple")
        trained = {labels.languages[i] for i in np.unique(labels.language[labels.rows])}
        usable = np.isin(self.triple, self.facts.rows) & tokens.has_span("triple_sentences")
        usable &= texts.in_languages(trained) & (labels.count[self.facts.object[self.triple]] > 0)
        rows = np.flatnonzero(usable)
        _require(len(rows) > 1, corpus, "two training sentences that state a triple")
        triples = self.triple[rows]
        self.stream = RowStream(rows, order, seed, keys=(self.facts.object[triples], self.facts.subject[triples]))

    def sample(self, pairs: int) -> PairBatch:
        """Draw `pairs` sentences."""
        sentences = self.stream.next(pairs)
        triples = self.triple[sentences]
        object_ = self.facts.object[triples]
        label = self.labels.draw(object_, self.stream.generator)
        anchors = self.tokens.without_object(sentences, self.keep_last_word)
        positives = self.tokens.join(self.tokens.text("labels", label))
        return PairBatch(anchors, positives, object_, self.labels.string[label], self.facts.matrix(triples))


def _require(condition: bool, corpus: Corpus, what: str) -> None:
    if not condition:
        raise CorpusError(
            f"The corpus {corpus.info.name!r} in {corpus.path} lacks {what}. Check its languages and splits, "
            "or leave out the adapter that needs them."
        )
