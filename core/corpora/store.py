"""A corpus on disk: one Parquet file per kind of record, and `corpus.json` with what it is and where it came from.

A corpus folder is written whole or not at all, and read through `Corpus`, which holds columns, not Python records:
integer columns are NumPy arrays, texts stay in Arrow, so 63 million labels are arrays as well as 120 thousand are.
Entities, relations and triples are numbered by their row.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.corpora.records import SPLITS, Split

FORMAT_VERSION = 2
MANIFEST = "corpus.json"
_VERIFIED_AT_ONCE = 100_000  # rows
_TEXT, _ROW, _SPLIT = pa.string(), pa.int32(), pa.int8()
SCHEMAS: dict[str, pa.Schema] = {
    "entities": pa.schema({"id": _TEXT, "kind": _TEXT, "split": _SPLIT}),
    "labels": pa.schema({"entity": _ROW, "language": _TEXT, "text": _TEXT}),
    "aliases": pa.schema({"entity": _ROW, "language": _TEXT, "text": _TEXT}),
    "descriptions": pa.schema({"entity": _ROW, "language": _TEXT, "text": _TEXT}),
    "relations": pa.schema({"id": _TEXT}),
    "relation_labels": pa.schema({"relation": _ROW, "language": _TEXT, "text": _TEXT}),
    "triples": pa.schema({"subject": _ROW, "relation": _ROW, "object": _ROW, "split": _SPLIT}),
    "mention_sentences": pa.schema(
        {"entity": _ROW, "language": _TEXT, "text": _TEXT, "start": _ROW, "end": _ROW, "split": _SPLIT}
    ),
    "triple_sentences": pa.schema({"triple": _ROW, "language": _TEXT, "text": _TEXT, "start": _ROW, "end": _ROW}),
}
TEXT_TABLES = ("labels", "relation_labels", "mention_sentences", "triple_sentences")


class CorpusError(ValueError):
    """A corpus folder is missing, empty, damaged or of another format."""


@dataclass(frozen=True)
class CorpusInfo:
    """What `corpus.json` says.

    Attributes:
        name: Short name, such as `cldr`.
        source: Where the records come from, with version.
        licence: Licence of the records.
        card: What a user must know of the data, as plain text.
        counts: Rows per table.
        fingerprint: SHA-256 over the records.
        build: Filters that made it, and what was left out and why; for people and tables.
        format_version: Version of the files' layout.
    """

    name: str
    source: str
    licence: str
    card: str
    counts: dict[str, int]
    fingerprint: str
    build: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION


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
        manifest = path / MANIFEST
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
        if missing := [t for t in SCHEMAS if not (path / f"{t}.parquet").is_file()]:
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
            table = pq.read_table(self.path / f"{name}.parquet", schema=SCHEMAS[name], page_checksum_verification=True)
        except (pa.ArrowInvalid, OSError) as error:
            raise CorpusError(f"{self.path / name}.parquet is damaged ({error}). Build the corpus again.") from error
        if len(table) != self.info.counts[name]:
            raise CorpusError(
                f"{self.path / name}.parquet has {len(table)} rows, not {self.info.counts[name]}. Build it again."
            )
        return table

    def batches(self, name: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """One table in batches of at most `rows` rows, for what must not hold it whole.

        Raises:
            CorpusError: If the file is damaged.
        """
        file, seen = self.path / f"{name}.parquet", 0
        try:
            with pq.ParquetFile(file, page_checksum_verification=True) as table:
                for batch in table.iter_batches(rows, columns=list(columns)):
                    seen += len(batch)
                    yield batch
        except (pa.ArrowInvalid, OSError) as error:
            raise CorpusError(f"{file} is damaged ({error}). Build the corpus again.") from error
        if seen != self.info.counts[name]:
            raise CorpusError(f"{file} has {seen} rows, not {self.info.counts[name]}. Build it again.")

    def verify(self) -> None:
        """Read every table once, so that what reads the files without looking at page checksums (DuckDB) may trust them.

        Raises:
            CorpusError: If a file is damaged.
        """
        for table, schema in SCHEMAS.items():
            for _ in self.batches(table, schema.names, _VERIFIED_AT_ONCE):
                pass

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
