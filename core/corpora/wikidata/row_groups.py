"""Rows in batches of any length -> row groups of one length, which do not depend on the batches."""

from collections.abc import Callable

import pyarrow as pa

_GROUP = 1 << 17  # rows; a group of long descriptions is some 20 MB


class RowGroups:
    """Tables of any length in, row groups of one length out; the last is shorter."""

    def __init__(self, append: Callable[[pa.RecordBatch], object], rows: int = _GROUP) -> None:
        self._append, self._rows = append, rows
        self._waiting: list[pa.Table] = []
        self._count = 0

    def add(self, table: pa.Table) -> None:
        """Add rows; full row groups go out."""
        self._waiting.append(table)
        self._count += len(table)
        if self._count >= self._rows:
            whole = pa.concat_tables(self._waiting)
            done = self._count - self._count % self._rows
            for start in range(0, done, self._rows):
                self._out(whole.slice(start, self._rows))
            self._waiting, self._count = [whole.slice(done).combine_chunks()], self._count - done

    def close(self) -> None:
        """Let the rest out."""
        if self._count:
            self._out(pa.concat_tables(self._waiting))

    def _out(self, table: pa.Table) -> None:
        for batch in table.combine_chunks().to_batches():
            self._append(batch)
