"""The tables of a corpus as SQL views: counts and joins over millions of rows in bounded memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa

from core.corpora.store import SCHEMAS, Corpus, CorpusError

Parameters = Sequence[Any] | Mapping[str, Any]  # for `?`, or for `$name`
_MEMORY = "1GB"  # beyond that, DuckDB goes on in temporary files


class CorpusQuery:
    """Parquet tables as DuckDB views of the same names and columns, with the row number as `row`.

    Use it as a context: leaving it removes the temporary files.

    Args:
        tables: Name of each table -> its file; `CorpusQuery.of` takes those of a corpus.
    """

    def __init__(self, tables: Mapping[str, Path]) -> None:
        self._room = TemporaryDirectory(prefix="corpus-query-")
        self._db = duckdb.connect(config={"temp_directory": self._room.name, "memory_limit": _MEMORY})
        for table, file in tables.items():
            name = str(file).replace("'", "''")
            columns = "*, file_row_number AS row"
            self.run(f"CREATE VIEW {table} AS SELECT {columns} FROM read_parquet('{name}', file_row_number = true)")

    @classmethod
    def of(cls, corpus: Corpus) -> Self:
        """The tables of a corpus, read once to verify the checksums of their pages, which DuckDB does not look at.

        Raises:
            CorpusError: If a file is damaged.
        """
        corpus.verify()
        return cls({table: corpus.path / f"{table}.parquet" for table in SCHEMAS})

    def run(self, sql: str, parameters: Parameters = ()) -> duckdb.DuckDBPyConnection:
        """Run a statement.

        Raises:
            CorpusError: If a file cannot be read.
        """
        try:
            return self._db.execute(sql, parameters if isinstance(parameters, Mapping) else list(parameters))
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.OutOfMemoryException):
            raise
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise CorpusError(f"A table cannot be read ({reason}). Build the corpus again.") from error

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of an answer."""
        return self.run(sql, parameters).fetchall()

    def number(self, sql: str, parameters: Parameters = ()) -> int:
        """An answer of one number; 0 for NULL."""
        return int(self.rows(sql, parameters)[0][0] or 0)

    def column(self, sql: str, parameters: Parameters = ()) -> np.ndarray:
        """An answer of one integer column, shape (rows,)."""
        (values,) = self.run(sql, parameters).fetchnumpy().values()
        return np.asarray(values)

    def add(self, name: str, table: pa.Table) -> None:
        """Keep an Arrow table under a name for later statements."""
        self._db.register("arrow_table", table)
        self.run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM arrow_table")
        self._db.unregister("arrow_table")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()
        self._room.cleanup()
