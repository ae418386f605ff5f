"""Own data without a header: pairs, triples or labels in one file, read with every bad row named.

| task | columns | asked |
| --- | --- | --- |
| entity_alignment | source, target | the label of one language -> that of another; the caller names both languages |
| entity_alignment | entity, language, label | the label in the source language -> those in every other one |
| kg_completion | subject, relation, object | names in one language, which the caller names |

Cells are separated by tabs, or in a `.csv` file by commas. A first row that names its columns is skipped.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.corpora.rows import BadRow, DataError, RowLog, read_lines, read_tsv

OwnTask = Literal["entity_alignment", "kg_completion"]
COLUMNS: dict[OwnTask, tuple[tuple[str, ...], ...]] = {
    "entity_alignment": (("source", "target"), ("entity", "language", "label")),
    "kg_completion": (("subject", "relation", "object"),),
}
MAX_ROWS = 20_000
MAX_BYTES = 20 * 2**20
_MAX_CELL = 1_000  # characters
_CODE = re.compile(r"[a-z]{2,3}([_-][A-Za-z0-9]+)*")


@dataclass(frozen=True)
class OwnData:
    """The good rows of a file, and the bad ones.

    Attributes:
        name: Name of the file.
        sha256: Of its bytes.
        task: What it can be evaluated as.
        columns: Names of its columns.
        rows: The good rows, cells in the order of the columns.
        bad: The bad rows: line, what is wrong and allowed, and the row.
    """

    name: str
    sha256: str
    task: OwnTask
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bad: tuple[BadRow, ...]

    @property
    def languages(self) -> list[str]:
        """Languages that the rows name, the most frequent first; none but in labels."""
        if "language" not in self.columns:
            return []
        return [code for code, _ in Counter(row[1] for row in self.rows).most_common()]


def read(path: Path, task: OwnTask) -> OwnData:
    """Read a file; bad rows are left out and named.

    Raises:
        DataError: If there is no such file, it is too long, or it has no good row.
    """
    log = RowLog(strict=False)
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path.name} is larger than {MAX_BYTES // 2**20} MB. Give a part of it.")
    columns: tuple[str, ...] | None = None
    good: dict[tuple[str, ...], None] = {}
    named: set[tuple[str, str]] = set()
    for line, cells in _cells(path, log):
        if len(good) + len(log.rows) >= MAX_ROWS:
            raise DataError(f"{path.name} has more than {MAX_ROWS:,} rows. Give a part of it.")
        row = tuple(cell.strip() for cell in cells)
        if columns is None:
            columns = next((names for names in COLUMNS[task] if len(names) == len(row)), None)
            if columns and tuple(cell.lower() for cell in row) == columns:
                continue
        if problem := _problem(row, columns, task, good, named):
            log.bad(path, line, problem[0], "\t".join(row), problem[1])
        else:
            good[row] = None
            named.add(row[:2])  # type: ignore[arg-type]  # two columns at least
    if columns is None or not good:
        wanted = " or ".join(", ".join(names) for names in COLUMNS[task])
        first = f" Line {log.rows[0].line}: {log.rows[0].reason}." if log.rows else ""
        raise DataError(f"{path.name} has no good row. Columns: {wanted}, separated by tabs (.csv: commas).{first}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return OwnData(path.name, digest, task, columns, tuple(good), tuple(log.rows))


def _cells(path: Path, log: RowLog) -> Iterator[tuple[int, list[str]]]:
    if path.suffix.lower() != ".csv":
        yield from read_tsv(path, None, log)
        return
    lines = iter(text + "\n" for _, text in read_lines(path, log))
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(
            f'{path.name}:{reader.line_num}: no CSV ({error}). Quote with ", separate by commas.'
        ) from error


def _problem(
    row: tuple[str, ...],
    columns: tuple[str, ...] | None,
    task: OwnTask,
    good: dict[tuple[str, ...], None],
    named: set[tuple[str, str]],
) -> tuple[str, str] | None:
    """What is wrong with a row, and what is allowed."""
    widths = [len(columns)] if columns else [len(names) for names in COLUMNS[task]]
    if len(row) not in widths or columns is None:
        return f"not {' or '.join(map(str, widths))} columns", f"has {len(row)}"
    for name, cell in zip(columns, row, strict=True):
        if not cell:
            return "an empty cell", f"column {name} needs a text"
        if len(cell) > _MAX_CELL:
            return "a cell that is too long", f"{name} has {len(cell):,} characters; {_MAX_CELL:,} are allowed"
    if row in good:
        return "a repeated row", "every row once"
    if "language" in columns:
        if not _CODE.fullmatch(row[1]):
            return "no language code", f"{row[1]!r}; allowed: codes such as en, de or zh"
        if row[:2] in named:
            return "a second label in a language", f"entity {row[0]!r} has one in {row[1]} already"
    return None
