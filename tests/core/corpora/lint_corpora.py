"""Small corpora with planted faults, and the findings of one check."""

from pathlib import Path

import pyarrow.parquet as pq

from core.corpora.checks.finding import Finding
from core.corpora.lint import lint
from core.corpora.records import Entity, MentionSentence, Relation, TripleSentence
from core.corpora.sources import cldr
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter

BATCH = 8


def entity(id: str, split: str = "train", **labels: str) -> Entity:
    return Entity(id, "thing", split, labels)


def write(folder: Path, entities, triples=(), stated=(), mentioned=(), more=None) -> Corpus:
    """A corpus; `stated` are (triple, language, text with [object]), `mentioned` (entity, language, text with [it])."""
    with CorpusWriter(folder, folder.name, "tests", "MIT", "") as writer:
        writer.add_entities(entities)
        writer.add_relations([Relation("r", {"en": "near"}), Relation("s", {"en": "is"})])
        writer.add_triples(triples)
        for triple, language, marked in stated:
            start, end = marked.index("["), marked.index("]") - 1
            text = marked.replace("[", "").replace("]", "")
            writer.add_triple_sentences([TripleSentence(triple, language, text, start, end)])
        for id, language, marked, split in mentioned:
            start, end = marked.index("["), marked.index("]") - 1
            text = marked.replace("[", "").replace("]", "")
            writer.add_mention_sentences([MentionSentence(id, language, text, start, end, split)])
        if more:
            more(writer)
    return Corpus.open(folder)


def found(corpus: Corpus, check: str, **options) -> list[Finding]:
    return [f for f in lint(corpus, batch_size=BATCH, **options) if f.check == check]


def one(corpus: Corpus, check: str, unit: str = "", **options) -> Finding:
    (finding,) = [f for f in found(corpus, check, **options) if not unit or f.unit == unit]
    return finding


def rows_of(corpus: Corpus, table: str) -> list[dict]:
    return pq.read_table(corpus.path / f"{table}.parquet").to_pylist()


def write_cldr(folder: Path) -> Corpus:
    """CLDR in eight languages, two of which put no spaces."""
    return cldr.build(folder, ["en", "de", "fr", "ja", "zh", "eo", "tr", "fa"])
