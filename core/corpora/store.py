"""A corpus on disk: one Parquet file per kind of record, and `corpus.json` with what it is and where it came from.

A corpus folder is written whole or not at all, and read through `Corpus`, which holds columns, not Python records:
integer columns are NumPy arrays, texts stay in Arrow, so 63 million labels are arrays as well as 120 thousand are.
Entities, relations and triples are numbered by their row.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.corpora.records import SPLITS, Entity, MentionSentence, Relation, Split, Triple, TripleSentence

FORMAT_VERSION = 1
_MANIFEST = "corpus.json"
_BATCH = 50_000
_TEXT, _ROW, _SPLIT = pa.string(), pa.int32(), pa.int8()
_SCHEMAS: dict[str, pa.Schema] = {
    "entities": pa.schema({"id": _TEXT, "kind": _TEXT, "split": _SPLIT}),
    "labels": pa.schema({"entity": _ROW, "language": _TEXT, "text": _TEXT}),
    "relations": pa.schema({"id": _TEXT}),
    "relation_labels": pa.schema({"relation": _ROW, "language": _TEXT, "text": _TEXT}),
    "triples": pa.schema({"subject": _ROW, "relation": _ROW, "object": _ROW, "split": _SPLIT}),
    "mention_sentences": pa.schema(
        {"entity": _ROW, "language": _TEXT, "text": _TEXT, "start": _ROW, "end": _ROW, "split": _SPLIT}
    ),
    "triple_sentences": pa.schema({"triple": _ROW, "language": _TEXT, "text": _TEXT, "start": _ROW, "end": _ROW}),
}
_Record = TypeVar("_Record")
_Key = TypeVar("_Key", bound=Hashable)
TEXT_TABLES = ("labels", "relation_labels", "mention_sentences", "triple_sentences")


class CorpusError(ValueError):
    """A corpus folder is missing, empty, damaged or of another format."""


@dataclass(frozen=True)
class CorpusInfo:
    """What `corpus.json` says. `fingerprint` is a SHA-256 over the records; `counts` are rows per table."""

    name: str
    source: str
    licence: str
    card: str
    counts: dict[str, int]
    fingerprint: str
    format_version: int = FORMAT_VERSION


class CorpusWriter:
    """Writes a corpus batch by batch into a temporary folder; leaving the context moves it to `target` in one step.

    Args:
        target: Folder of the corpus. An existing corpus there is replaced only when the new one is whole.
        name: Short name, such as `cldr`.
        source: Where the records come from, with version.
        licence: Licence of the records.
        card: What a user must know of the data, as plain text.
    """

    def __init__(self, target: Path, name: str, source: str, licence: str, card: str) -> None:
        self.target = target
        self._about: dict[str, Any] = {"name": name, "source": source, "licence": licence, "card": card}
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._rows = dict.fromkeys(_SCHEMAS, 0)
        self._digests = {table: hashlib.sha256() for table in _SCHEMAS}
        self._entity: dict[str, int] = {}
        self._relation: dict[str, int] = {}
        self._triple: dict[Triple, int] = {}

    def __enter__(self) -> Self:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._room = Path(tempfile.mkdtemp(dir=self.target.parent, prefix=f".{self.target.name}."))
        for table, schema in _SCHEMAS.items():
            self._writers[table] = pq.ParquetWriter(
                self._room / f"{table}.parquet", schema, compression="zstd", write_page_checksum=True
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for writer in self._writers.values():
            writer.close()
        try:
            if error is None:
                self._finish()
        finally:
            shutil.rmtree(self._room, ignore_errors=True)

    def add_entities(self, entities: Iterable[Entity]) -> None:
        """Add entities and their labels; an entity's labels are kept together, in the order given."""
        for batch in _batches(entities):
            rows = [self._number(self._entity, e.id) for e in batch]
            self._write("entities", [(e.id, e.kind, SPLITS.index(e.split)) for e in batch])
            labels = [(row, lang, text) for row, e in zip(rows, batch, strict=True) for lang, text in e.labels.items()]
            self._write("labels", labels)

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
            schema = _SCHEMAS[table]
            columns = [
                pa.array(column, type) for column, type in zip(zip(*rows, strict=True), schema.types, strict=True)
            ]
            batch = pa.record_batch(columns, schema=schema)
            self._writers[table].write_batch(batch)
            self._digests[table].update(batch.serialize())
            self._rows[table] += len(rows)

    def _finish(self) -> None:
        if not self._rows["labels"]:
            raise CorpusError(f"The corpus {self._about['name']!r} would be empty: no entity has a label.")
        parts = "".join(f"{table}:{digest.hexdigest()}\n" for table, digest in self._digests.items())
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()
        info = CorpusInfo(**self._about, counts=self._rows, fingerprint=fingerprint)
        (self._room / _MANIFEST).write_text(
            json.dumps(asdict(info), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        if self.target.exists():
            if not (self.target / _MANIFEST).is_file() and any(self.target.iterdir()):
                raise CorpusError(f"{self.target} exists and is no corpus: not replaced. Name another folder.")
            shutil.rmtree(self.target)
        self._room.chmod(0o755)
        os.replace(self._room, self.target)


def _batches(records: Iterable[_Record]) -> Iterator[list[_Record]]:
    iterator = iter(records)
    return iter(lambda: list(islice(iterator, _BATCH)), [])


def _check_span(text: str, start: int, end: int) -> None:
    if not 0 <= start < end <= len(text):
        raise CorpusError(f"Span {start}:{end} is empty or outside the sentence {text!r} of {len(text)} characters.")


@dataclass(frozen=True)
class Texts:
    """The text column of one table, with the language of each row.

    `language` holds positions in `languages`; `text` is an Arrow array; both have one element per row.
    """

    language: np.ndarray
    languages: list[str]
    text: pa.Array

    def __len__(self) -> int:
        return len(self.text)

    def in_languages(self, codes: Iterable[str]) -> np.ndarray:
        """True for the rows whose language is one of `codes`, shape (rows,)."""
        wanted = set(codes)
        return np.isin(self.language, [i for i, code in enumerate(self.languages) if code in wanted])


class Corpus:
    """A corpus read from disk. Open it with `Corpus.open`; every attribute is read on first use."""

    def __init__(self, path: Path, info: CorpusInfo) -> None:
        self.path, self.info = path, info

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the corpus in folder `path`.

        Raises:
            CorpusError: If there is no corpus, or it is empty, damaged or of another format.
        """
        manifest = path / _MANIFEST
        if not manifest.is_file():
            raise CorpusError(f"There is no corpus in {path}. Build one: workbench corpus build cldr --out {path}.")
        try:
            info = CorpusInfo(**json.loads(manifest.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise CorpusError(f"{manifest} cannot be read ({error}). Build the corpus again.") from error
        if info.format_version != FORMAT_VERSION:
            raise CorpusError(
                f"{path} has format {info.format_version}, this version reads {FORMAT_VERSION}: build it again."
            )
        if not info.counts.get("labels"):
            raise CorpusError(f"The corpus in {path} is empty: it has no labels. Build it again.")
        if missing := [t for t in _SCHEMAS if not (path / f"{t}.parquet").is_file()]:
            raise CorpusError(
                f"The corpus in {path} lacks {', '.join(f'{t}.parquet' for t in missing)}. Build it again."
            )
        return cls(path, info)

    def table(self, name: str) -> pa.Table:
        """One table of the corpus, whole.

        Raises:
            CorpusError: If the file is damaged.
        """
        try:
            table = pq.read_table(self.path / f"{name}.parquet", schema=_SCHEMAS[name], page_checksum_verification=True)
        except (pa.ArrowInvalid, OSError) as error:
            raise CorpusError(f"{self.path / name}.parquet is damaged ({error}). Build the corpus again.") from error
        if len(table) != self.info.counts[name]:
            raise CorpusError(
                f"{self.path / name}.parquet has {len(table)} rows, not {self.info.counts[name]}. Build it again."
            )
        return table

    @cached_property
    def _tables(self) -> dict[str, pa.Table]:
        return {}

    def _cached(self, name: str) -> pa.Table:
        if name not in self._tables:
            self._tables[name] = self.table(name)
        return self._tables[name]

    def column(self, table: str, column: str) -> np.ndarray:
        """An integer column as a NumPy array, shape (rows,)."""
        return self._cached(table)[column].to_numpy()

    def texts(self, table: str) -> Texts:
        """The texts of one of `TEXT_TABLES`."""
        data = self._cached(table)
        encoded = pc.dictionary_encode(data["language"].combine_chunks())
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        language = encoded.indices.to_numpy(zero_copy_only=False)
        return Texts(language, encoded.dictionary.to_pylist(), data["text"].combine_chunks())

    def rows_of(self, table: str, split: Split) -> np.ndarray:
        """Row numbers of a table with a `split` column that belong to `split`."""
        return np.flatnonzero(self.column(table, "split") == SPLITS.index(split))

    @cached_property
    def languages(self) -> list[str]:
        """Codes of the languages with labels, sorted."""
        return sorted(self.texts("labels").languages)
