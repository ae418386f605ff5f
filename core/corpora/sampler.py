"""(anchor, positive) batches for the four objectives, drawn from a corpus with array operations (paper, section 4).

EP: two labels of one entity. TP: subject and relation -> object, each label in its own language (code-switched).
ES: a mention inside its sentence -> a label of the entity. TS: a sentence without its object -> a label of the object.

Every sampler has its own generator whose state is part of a checkpoint, so a resumed run draws what an uninterrupted
one would have drawn. Held-out entities, and languages outside the training languages, are never drawn.
"""

from typing import Any, Literal

import numpy as np

from core.corpora.draws import KnownFacts, LabelTable, Order, PairBatch, RowStream, relation_label_rows
from core.corpora.store import Corpus, CorpusError
from core.corpora.token_store import TokenStore

EpPairs = Literal["entities", "alignments", "triples"]


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


class TriplePairs(_Streamed):
    """TP: `[e_s ; r]` -> `e_o`, every label in its own random language (code-switched, as in the paper).

    Args:
        corpus: The corpus.
        tokens: Its token store.
        labels: Labels in the training languages.
        seed: Seed of the draws.
        order: How triples are drawn; `distinct` keeps subjects and objects apart.
        fallback: Language of a relation label that is missing in the drawn language. None draws among the labels that
            the relation has, and where it has none the anchor is the bare subject (the released code's empty string).
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
        languages = np.unique(labels.language[labels.rows])
        self.relation_label = relation_label_rows(corpus, labels.languages, fallback)[:, languages]
        self.own_labels_only = fallback is None

    def sample(self, pairs: int) -> PairBatch:
        """Draw `pairs` triples."""
        triples, generator, facts = self.stream.next(pairs), self.stream.generator, self.facts
        subject = self.labels.draw(facts.subject[triples], generator)
        object_ = self.labels.draw(facts.object[triples], generator)
        offered = self.relation_label[facts.relation[triples]]
        chance = generator.random(offered.shape)
        if self.own_labels_only:
            chance = np.where(offered < 0, -1.0, chance)
        relation = np.take_along_axis(offered, chance.argmax(1)[:, None], axis=1)[:, 0]
        anchors = self.tokens.join(self.tokens.text("labels", subject), self.tokens.text("relation_labels", relation))
        positives = self.tokens.join(self.tokens.text("labels", object_))
        return PairBatch(anchors, positives, facts.object[triples], self.labels.string[object_], facts.matrix(triples))


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
        numbers = {code: i for i, code in enumerate(labels.languages)}  # a sentence may be in a language without labels
        self.language = np.asarray([numbers.get(c, -1) for c in texts.languages], np.int64)[texts.language]
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
