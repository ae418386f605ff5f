"""Writes a corpus: records or Arrow batches in, a folder that is whole or absent out."""

import hashlib
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.corpora.records import SPLITS, Entity, MentionSentence, Relation, Triple, TripleSentence
from core.corpora.store import MANIFEST, SCHEMAS, CorpusError, CorpusInfo
from core.folders import made_whole

_BATCH = 50_000
_OPTIONAL = ("aliases", "descriptions")  # not part of the fingerprint while empty: a corpus without them keeps its name
_REFERENCES = {"entity": "entities", "subject": "entities", "object": "entities", "relation": "relations"}
_REFERENCES |= {"triple": "triples"}
_Record = TypeVar("_Record")
_Key = TypeVar("_Key", bound=Hashable)


class CorpusWriter:
    """Writes a corpus batch by batch into a temporary folder; leaving the context moves it to `target` in one step.

    Args:
        target: Folder of the corpus. An existing corpus there is replaced only when the new one is whole.
        name: Short name, such as `cldr`.
        source: Where the records come from, with version.
        licence: Licence of the records.
        card: What a user must know of the data, as plain text.
        build: Filters that made it; `note` adds what was left out.

    Attributes:
        room: The folder as it is being made; files put there move with it.

    Raises:
        CorpusError: On entering, if `target` holds something that is no corpus.
    """

    def __init__(
        self, target: Path, name: str, source: str, licence: str, card: str, build: Mapping[str, Any] | None = None
    ) -> None:
        self.target = target
        self._about: dict[str, Any] = {"name": name, "source": source, "licence": licence, "card": card}
        self._about["build"] = dict(build or {})
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._rows = dict.fromkeys(SCHEMAS, 0)
        self._digests = {table: hashlib.sha256() for table in SCHEMAS}
        self._entity: dict[str, int] = {}
        self._relation: dict[str, int] = {}
        self._triple: dict[Triple, int] = {}

    def __enter__(self) -> Self:
        if self.target.is_dir() and any(self.target.iterdir()) and not (self.target / MANIFEST).is_file():
            raise CorpusError(f"{self.target} exists and is no corpus: not replaced. Name another folder.")
        self._whole = ExitStack()
        self.room = self._whole.enter_context(made_whole(self.target))
        for table, schema in SCHEMAS.items():
            self._writers[table] = pq.ParquetWriter(
                self.room / f"{table}.parquet", schema, compression="zstd", write_page_checksum=True
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._whole:  # a failure in here undoes the folder as one outside does
            for writer in self._writers.values():
                writer.close()
            if error is not None:
                raise error
            self._finish()

    def note(self, key: str, value: Any) -> None:
        """Add a fact on the build to `corpus.json`: anything that JSON can hold."""
        self._about["build"][key] = value

    def add_entities(self, entities: Iterable[Entity]) -> None:
        """Add entities and their labels; an entity's labels are kept together, in the order given."""
        for batch in _batches(entities):
            rows = [self._number(self._entity, e.id) for e in batch]
            self._write("entities", [(e.id, e.kind, SPLITS.index(e.split)) for e in batch])
            labels = [(row, lang, text) for row, e in zip(rows, batch, strict=True) for lang, text in e.labels.items()]
            self._write("labels", labels)
            self._write(
                "aliases",
                [
                    (row, lang, text)
                    for row, e in zip(rows, batch, strict=True)
                    for lang, texts in e.aliases.items()
                    for text in texts
                ],
            )
            self._write(
                "descriptions",
                [
                    (row, lang, text)
                    for row, e in zip(rows, batch, strict=True)
                    for lang, text in e.descriptions.items()
                ],
            )

    def add_relations(self, relations: Iterable[Relation]) -> None:
        """Add relations and their labels."""
        for r in relations:
            row = self._number(self._relation, r.id)
            self._write("relations", [(r.id,)])
            self._write("relation_labels", [(row, language, text) for language, text in r.labels.items()])

    def add_triples(self, triples: Iterable[Triple]) -> None:
        """Add triples of entities and relations that were added before."""
        for batch in _batches(triples):
            for triple in batch:
                self._number(self._triple, triple)
            self._write("triples", [(*self._ends(t), SPLITS.index(t.split)) for t in batch])

    def add_mention_sentences(self, sentences: Iterable[MentionSentence]) -> None:
        """Add sentences of C1, with the span of the mention checked."""
        for batch in _batches(sentences):
            rows = []
            for s in batch:
                _check_span(s.text, s.start, s.end)
                entity = self._known(self._entity, s.entity, "entity")
                rows.append((entity, s.language, s.text, s.start, s.end, SPLITS.index(s.split)))
            self._write("mention_sentences", rows)

    def add_triple_sentences(self, sentences: Iterable[TripleSentence]) -> None:
        """Add sentences of C2, with the span of the object checked."""
        for batch in _batches(sentences):
            rows = []
            for s in batch:
                _check_span(s.text, s.object_start, s.object_end)
                triple = self._known(self._triple, s.triple, "triple")
                rows.append((triple, s.language, s.text, s.object_start, s.object_end))
            self._write("triple_sentences", rows)

    def append(self, table: str, batch: pa.RecordBatch) -> None:
        """Add rows of a table as they are, with entities, relations and triples given by row: the way in for millions.

        Every call makes a row group, so give batches of thousands. Rows added so cannot be referred to by id.

        Raises:
            CorpusError: If the columns are not the table's, or a row refers to one that was not added before.
        """
        schema = SCHEMAS[table]
        if batch.schema != schema:
            raise CorpusError(f"{table} has the columns {schema.to_string()}, not {batch.schema.to_string()}.")
        if not len(batch):
            return
        for column in set(schema.names) & set(_REFERENCES):
            found, limit = pc.min_max(batch[column]).as_py(), self._rows[_REFERENCES[column]]
            if batch[column].null_count or found["min"] < 0 or found["max"] >= limit:
                raise CorpusError(
                    f"{table}.{column} refers to rows {found['min']} to {found['max']}, "
                    f"but {_REFERENCES[column]} has {limit} rows so far."
                )
        self._writers[table].write_batch(batch)
        self._digests[table].update(batch.serialize())
        self._rows[table] += len(batch)

    @staticmethod
    def _number(table: dict[_Key, int], key: _Key) -> int:
        if key in table:
            raise CorpusError(f"{key!r} was added twice.")
        return table.setdefault(key, len(table))

    @staticmethod
    def _known(table: dict[_Key, int], key: _Key, what: str) -> int:
        if key not in table:
            raise CorpusError(f"No {what} {key!r} was added before.")
        return table[key]

    def _ends(self, t: Triple) -> tuple[int, int, int]:
        subject, object_ = (self._known(self._entity, e, "entity") for e in (t.subject, t.object))
        return subject, self._known(self._relation, t.relation, "relation"), object_

    def _write(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            schema = SCHEMAS[table]
            columns = [
                pa.array(column, type) for column, type in zip(zip(*rows, strict=True), schema.types, strict=True)
            ]
            self.append(table, pa.record_batch(columns, schema=schema))

    def _finish(self) -> None:
        if not self._rows["labels"]:
            raise CorpusError(f"The corpus {self._about['name']!r} would be empty: no entity has a label.")
        named = {t: d for t, d in self._digests.items() if self._rows[t] or t not in _OPTIONAL}
        parts = "".join(f"{table}:{digest.hexdigest()}\n" for table, digest in named.items())
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()
        info = CorpusInfo(**self._about, counts=self._rows, fingerprint=fingerprint)
        (self.room / MANIFEST).write_text(
            json.dumps(asdict(info), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def _batches(records: Iterable[_Record]) -> Iterator[list[_Record]]:
    iterator = iter(records)
    return iter(lambda: list(islice(iterator, _BATCH)), [])


def _check_span(text: str, start: int, end: int) -> None:
    if not 0 <= start < end <= len(text):
        raise CorpusError(f"Span {start}:{end} is empty or outside the sentence {text!r} of {len(text)} characters.")
