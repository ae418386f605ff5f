"""The labels of a corpus by language, for pages that come in any order: what is not wanted now stays on disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.corpora.rows import DataError, RowLog, read_tsv, require
from core.corpora.sources.wikipedia_texts import Page, wiki_language
from core.corpora.store import Corpus

SITELINKS = "sitelinks.parquet"  # beside the tables of a corpus that was built from a Wikidata dump
TITLE_COLUMNS = ("language", "title", "entity")
_ROWS = 200_000


@dataclass(frozen=True)
class _Language:
    labels: dict[str, tuple[int, str]]  # entity id -> its row, its label
    entities: dict[str, str]  # title of a page -> entity id


class Labels:
    """Looks up what a page is about and what that is called.

    In memory are the ids of all entities, and labels and titles of the languages of one text file.

    Args:
        corpus: The corpus with the labels.
        titles: Table of page titles: `.parquet`, or tab-separated text, with the columns language (or wiki, such as
            `dewiki`), title and entity; entities are ids, or rows of the corpus. None takes the table `SITELINKS` of the
            corpus, if it has one.
        log: What becomes of bad rows of the titles.

    Raises:
        DataError: If the table of titles is missing or has other columns.
    """

    def __init__(self, corpus: Corpus, titles: Path | None, log: RowLog) -> None:
        own = corpus.path / SITELINKS
        titles = require(titles, "Page titles") if titles else own if own.exists() else None
        self._corpus, self._titles, self._log = corpus, titles, log
        self._ids: pa.ChunkedArray = corpus.table("entities")["id"]
        self._languages: dict[str, _Language] = {}
        self._used: set[str] = set()
        if titles and titles.suffix == ".parquet":
            there = pq.read_schema(titles).names
            if missing := [c for c in TITLE_COLUMNS if c not in there]:
                raise DataError(f"{titles} lacks the columns {', '.join(missing)}; it has {', '.join(there)}.")

    def __len__(self) -> int:
        return len(self._ids)

    def next_file(self) -> None:
        """Languages that the next file does not hold may be forgotten."""
        self._used.clear()

    def entity_of(self, page: Page) -> str | None:
        """The id of the entity that a page is about; None where neither the page nor the titles say."""
        return page.entity or self._of(page.language).entities.get((page.title or "").replace("_", " "))

    def label_of(self, entity: str, language: str) -> tuple[int, str] | None:
        """The row of an entity and its label in a language; None where it has none, or the entity is not there."""
        return self._of(language).labels.get(entity)

    def _of(self, language: str) -> _Language:
        self._used.add(language)
        if language not in self._languages:
            self._languages = {code: table for code, table in self._languages.items() if code in self._used}
            labels = self._read_labels(language)
            self._languages[language] = _Language(labels, self._read_titles(language, labels))
        return self._languages[language]

    def _read_labels(self, language: str) -> dict[str, tuple[int, str]]:
        labels: dict[str, tuple[int, str]] = {}
        for batch in self._corpus.batches("labels", ("entity", "language", "text"), _ROWS):
            here = batch.filter(pc.equal(batch["language"], language))
            rows = here["entity"].to_pylist()
            labels.update(
                zip(
                    self._ids.take(here["entity"]).to_pylist(),
                    zip(rows, here["text"].to_pylist(), strict=True),
                    strict=True,
                )
            )
        return labels

    def _read_titles(self, language: str, labels: dict[str, tuple[int, str]]) -> dict[str, str]:
        if self._titles is None:
            return {}
        read = self._parquet_titles if self._titles.suffix == ".parquet" else self._tsv_titles
        return {title.replace("_", " "): entity for title, entity in read(self._titles, language) if entity in labels}

    def _parquet_titles(self, path: Path, language: str) -> Iterator[tuple[str, str]]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, columns=list(TITLE_COLUMNS)):
                codes = [c for c in pc.unique(batch["language"]).to_pylist() if language in (c, wiki_language(c))]
                here = batch.filter(pc.is_in(batch["language"], pa.array(codes, pa.string())))
                entity = here["entity"]
                ids = self._ids.take(entity) if pa.types.is_integer(entity.type) else entity
                yield from zip(here["title"].to_pylist(), ids.to_pylist(), strict=True)

    def _tsv_titles(self, path: Path, language: str) -> Iterator[tuple[str, str]]:
        log, self._log = self._log, RowLog(strict=False)  # each language reads the same rows: they are counted once
        for _, (code, title, entity) in read_tsv(path, len(TITLE_COLUMNS), log):
            if language in (code, wiki_language(code)):
                yield title, entity
