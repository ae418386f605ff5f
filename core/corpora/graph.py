"""A knowledge graph in memory, for sources of up to a few million labels: readers fill it, `write` makes it a corpus."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.corpora.records import Entity, MentionSentence, Relation, Split, Triple, TripleSentence, triple_split
from core.corpora.rows import RowLog
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

    def write(self, target: Path, log: RowLog, valid_share: float = 0.0, test_share: float = 0.0) -> Corpus:
        """Write the graph as a corpus.

        Entities without a label, facts and sentences that touch one, and relations that no fact uses are left out, and
        counted in `corpus.json`.

        Args:
            target: Folder to create.
            log: Bad rows of the source; they are counted in `corpus.json` and kept beside it.
            valid_share: Share of the entities of each kind held out for validation.
            test_share: Share of the entities of each kind held out for the test.

        Raises:
            ValueError: If the shares are no shares.
            CorpusError: If nothing has a label.
        """
        named = {id: labels for id, labels in self.labels.items() if labels}
        kinds = {id: self.kinds.get(id, "entity") for id in named}
        splits = assign_splits(named, kinds, valid_share, test_share)
        triples = {fact: self._triple(fact, splits) for fact in self._kept_facts(named)}
        used = {relation for _, relation, _ in triples}
        self.left_out["entities without a label"] += len(self.labels) - len(named)
        self.left_out["relations without a fact"] += len(self.relations.keys() - used)
        build = self.build | {"valid_share": valid_share, "test_share": test_share}
        with CorpusWriter(target, self.name, self.source, self.licence, self.card, build) as writer:
            writer.add_entities(
                Entity(id, kinds[id], splits[id], labels, self.aliases.get(id, {}), self.descriptions.get(id, {}))
                for id, labels in named.items()
            )
            writer.add_relations(Relation(id, self.relations.get(id, {})) for id in sorted(used))
            writer.add_triples(triples.values())
            writer.add_mention_sentences(self._mentions(splits))
            writer.add_triple_sentences(self._statements(triples))
            writer.note("left_out", dict(sorted((+self.left_out).items())))
            writer.note("bad_rows", log.summary())
            log.write(writer.room)
        return Corpus.open(target)

    def _kept_facts(self, named: dict[str, dict[str, str]]) -> Iterator[Fact]:
        for fact in self.facts | dict.fromkeys(s.fact for s in self.statements):
            if fact[0] in named and fact[2] in named:
                yield fact
            else:
                self.left_out["facts with an end without a label"] += 1

    @staticmethod
    def _triple(fact: Fact, splits: dict[str, Split]) -> Triple:
        return Triple(*fact, triple_split(splits[fact[0]], splits[fact[2]]))

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
