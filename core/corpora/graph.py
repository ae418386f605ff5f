"""A knowledge graph in memory, for sources of up to a few million labels: readers fill it, `write` makes it a corpus."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from core.corpora.records import Entity, MentionSentence, Relation, Split, Triple, TripleSentence, triple_split
from core.corpora.rows import DataError, RowLog
from core.corpora.splits import assign_splits
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter

Fact = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Mention:
    """A sentence of C1 before splits are known: `text[start:end]` names the entity."""

    entity: str
    language: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of C2 before splits are known: it states the fact, and `text[start:end]` is the object."""

    fact: Fact
    language: str
    text: str
    start: int
    end: int


@dataclass
class Graph:
    """What a reader of a source returns.

    Attributes:
        name: Short name of the corpus, such as `xfactr`.
        source: Where the records come from, with version or commit.
        licence: Licence of the records, as the source states it.
        card: What a user must know of the data.
        labels: Entity -> language -> label. Entities come from here; their order is that of the corpus.
        aliases: Entity -> language -> other names.
        descriptions: Entity -> language -> description.
        kinds: Entity -> kind; `entity` where it has none.
        relations: Relation -> language -> label.
        facts: Facts as (subject, relation, object); repeated ones are kept once.
        mentions: Sentences of C1.
        statements: Sentences of C2; their facts are added to `facts`.
        build: Filters that made it, for `corpus.json`.
        left_out: Records that the reader left out, by reason.
        keep_unlabelled: Keep entities without a label, and what touches them: a corpus that it is merged with may name
            them (`core.corpora.merge`). Samplers and tasks never draw them.
    """

    name: str
    source: str
    licence: str
    card: str
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    descriptions: dict[str, dict[str, str]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    relations: dict[str, dict[str, str]] = field(default_factory=dict)
    facts: dict[Fact, None] = field(default_factory=dict)
    mentions: list[Mention] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    build: dict[str, Any] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    keep_unlabelled: bool = False

    def write(self, target: Path, log: RowLog, valid_share: float = 0.0, test_share: float = 0.0) -> Corpus:
        """Write the graph as a corpus.

        Relations that no fact uses, and unless `keep_unlabelled` is set entities without a label, with the facts and
        sentences that touch one, are left out and counted in `corpus.json`.

        Args:
            target: Folder to create.
            log: Bad rows of the source; they are counted in `corpus.json` and kept beside it.
            valid_share: Share of the entities of each kind held out for validation.
            test_share: Share of the entities of each kind held out for the test.

        Raises:
            ValueError: If the shares are no shares.
            CorpusError: If nothing has a label.
        """
        facts = self.facts | dict.fromkeys(s.fact for s in self.statements)
        entities = {id: labels for id, labels in self.labels.items() if labels or self.keep_unlabelled}
        if self.keep_unlabelled:
            mentioned = (m.entity for m in self.mentions)
            entities |= {id: {} for id in chain.from_iterable((s, o) for s, _, o in facts) if id not in entities}
            entities |= {id: {} for id in mentioned if id not in entities}
        kinds = {id: self.kinds.get(id, "entity") for id in entities}
        splits = assign_splits(entities, kinds, valid_share, test_share)
        triples = {f: Triple(*f, triple_split(splits[f[0]], splits[f[2]])) for f in self._kept(facts, entities)}
        used = {relation for _, relation, _ in triples}
        self.left_out["entities without a label"] += len(self.labels.keys() - entities.keys())
        self.left_out["relations without a fact"] += len(self.relations.keys() - used)
        build = self.build | {"valid_share": valid_share, "test_share": test_share}
        with CorpusWriter(target, self.name, self.source, self.licence, self.card, build) as writer:
            writer.add_entities(
                Entity(id, kinds[id], splits[id], labels, self.aliases.get(id, {}), self.descriptions.get(id, {}))
                for id, labels in entities.items()
            )
            writer.add_relations(Relation(id, self.relations.get(id, {})) for id in sorted(used))
            writer.add_triples(triples.values())
            writer.add_mention_sentences(self._mentions(splits))
            writer.add_triple_sentences(self._statements(triples))
            writer.note("left_out", dict(sorted((+self.left_out).items())))
            writer.note("bad_rows", log.summary())
            log.write(writer.room)
        return Corpus.open(target)

    def _kept(self, facts: Iterable[Fact], entities: Collection[str]) -> Iterator[Fact]:
        for fact in facts:
            if fact[0] in entities and fact[2] in entities:
                yield fact
            else:
                self.left_out["facts with an end without a label"] += 1

    def _mentions(self, splits: dict[str, Split]) -> Iterator[MentionSentence]:
        for m in self.mentions:
            if m.entity in splits:
                yield MentionSentence(m.entity, m.language, m.text, m.start, m.end, splits[m.entity])
            else:
                self.left_out["mentions of an entity without a label"] += 1

    def _statements(self, triples: dict[Fact, Triple]) -> Iterator[TripleSentence]:
        for s in self.statements:
            if s.fact in triples:
                yield TripleSentence(triples[s.fact], s.language, s.text, s.start, s.end)
            else:
                self.left_out["sentences of a fact with an end without a label"] += 1


def chosen_languages(languages: Collection[str] | None, offered: Iterable[str], source: str) -> list[str]:
    """The languages to read of those that a source offers, sorted; all of them for None.

    Raises:
        DataError: If one is not offered; the message lists those that are.
    """
    known = sorted(set(offered))
    if languages is None:
        return known
    if unknown := sorted(set(languages) - set(known)):
        raise DataError(f"{source} has no language {', '.join(unknown)}. It has: {', '.join(known)}.")
    return sorted(set(languages))
