"""Rows of text files, with every bad one named by file and line: the one way in for data that somebody else wrote.

Strict readers stop at the first bad row. Lenient ones leave it out, count it by reason, and keep it, so that a side
file can show what was lost.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SHOWN = 200  # characters of a bad row that a message shows
SIDE_FILE = "bad_rows.jsonl"


class DataError(ValueError):
    """A source file is missing, or a row of it is bad; the message names file and line."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that was left out. `line` is one-based; 0 stands for the file as a whole."""

    file: str
    line: int
    reason: str
    text: str


@dataclass
class RowLog:
    """What becomes of bad rows: in strict mode an error, in lenient mode a record.

    Attributes:
        strict: Whether a bad row is an error.
        rows: The bad rows of lenient mode, at most `keep` of them.
        counts: Bad rows by reason, all of them.
        keep: How many bad rows are kept whole.
    """

    strict: bool = True
    keep: int = 100_000
    rows: list[BadRow] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def bad(self, file: Path, line: int, reason: str, text: str = "", detail: str = "") -> None:
        """Report a bad row.

        Args:
            file: The file.
            line: One-based number of the line; 0 for the file as a whole, or where `detail` gives a path inside it.
            reason: What is wrong, without particulars: bad rows are counted by it.
            text: The row.
            detail: Particulars: what was found, what is allowed.

        Raises:
            DataError: In strict mode.
        """
        if self.strict:
            shown = f": {text[:_SHOWN]!r}" if text else ""
            more = f" ({detail})" if detail else ""
            where = f"{file}:{line}" if line else str(file)
            raise DataError(f"{where}: {reason}{more}{shown}. Mend the row, or read leniently (--lenient).")
        self.counts[reason] += 1
        if len(self.rows) < self.keep:
            self.rows.append(BadRow(str(file), line, f"{reason} ({detail})" if detail else reason, text))

    def summary(self) -> dict[str, int]:
        """Bad rows by reason, for `corpus.json` and `benchmark.json`."""
        return dict(sorted(self.counts.items()))

    def write(self, folder: Path) -> None:
        """Keep the bad rows in `folder / SIDE_FILE`, one JSON object a line; nothing where there are none."""
        if self.rows:
            lines = (
                json.dumps({"file": r.file, "line": r.line, "reason": r.reason, "text": r.text}, ensure_ascii=False)
                for r in self.rows
            )
            (folder / SIDE_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def require(path: Path, what: str) -> Path:
    """`path`, if it is there.

    Raises:
        DataError: If it is not; the message says what was looked for and lists what is there instead.
    """
    if path.exists():
        return path
    near = sorted(p.name for p in path.parent.iterdir())[:20] if path.parent.is_dir() else []
    there = f" There is: {', '.join(near)}." if near else ""
    raise DataError(
        f"{what}: there is no {path}.{there} Get the data: workbench data list, then workbench data get NAME."
    )


def read_lines(path: Path, log: RowLog, first_line: int = 1) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file with their one-based numbers; LF or CRLF, with or without BOM and final line end.

    Only line feeds end a line: labels may hold other separators (U+2028, U+0085). A line that is not UTF-8 is a bad row.

    Args:
        path: The file.
        log: What becomes of bad rows.
        first_line: Lines before this one are skipped (2 skips a header).
    """
    with require(path, "Cannot read").open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number < first_line:
                continue
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                log.bad(path, number, "not UTF-8", raw.decode("utf-8", "replace").rstrip("\r\n"), str(error))
                continue
            yield number, text.rstrip("\r\n")


def check_end(path: Path, log: RowLog) -> None:
    """Report a file that ends within a line: of a cut file of numbers, the last row may still look right."""
    with require(path, "Cannot read").open("rb") as file:
        if file.seek(0, 2) and file.seek(-1, 2) >= 0 and file.read(1) != b"\n":
            log.bad(path, 0, "the last line has no end: the file may be cut")


def read_tsv(path: Path, columns: int | None, log: RowLog, first_line: int = 1) -> Iterator[tuple[int, list[str]]]:
    """Cells of a tab-separated file without quoting; blank lines are skipped.

    Args:
        path: The file.
        columns: Cells that every row must have; None takes any number.
        log: What becomes of rows with another number of cells.
        first_line: Lines before this one are skipped.
    """
    for number, line in read_lines(path, log, first_line):
        if not line.strip():
            continue
        cells = line.split("\t")
        if columns is not None and len(cells) != columns:
            log.bad(path, number, f"not {columns} columns", line, f"has {len(cells)}")
            continue
        yield number, cells


def read_json_lines(path: Path, log: RowLog, required: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of a JSON-lines file; blank lines are skipped.

    Args:
        path: The file.
        log: What becomes of lines that are no JSON object, or lack a required key.
        required: Keys that every object must have.
    """
    for number, line in read_lines(path, log):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            log.bad(path, number, "not JSON", line, str(error))
            continue
        if not isinstance(record, dict):
            log.bad(path, number, "not a JSON object", line)
        elif missing := [key for key in required if key not in record]:
            log.bad(path, number, "keys are missing", line, f"lacks {', '.join(missing)}; has {', '.join(record)}")
        else:
            yield number, record


def read_table(path: Path, log: RowLog, required: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows by column: of a JSON-lines file, or of a tab-separated one whose first line names its columns.

    Args:
        path: The file, `.jsonl` or `.tsv`.
        log: What becomes of bad rows.
        required: Columns that must be there.

    Raises:
        DataError: If the first line of a tab-separated file lacks one, or names one twice.
    """
    if path.suffix == ".jsonl":
        yield from read_json_lines(path, log, required)
        return
    rows = read_tsv(path, None, log)
    _, header = next(rows, (1, []))
    if not set(required) <= set(header) or len(set(header)) < len(header):
        raise DataError(f"{path}:1: the first line must name the columns {', '.join(required)}; it is {header}.")
    for number, cells in rows:
        if len(cells) == len(header):
            yield number, dict(zip(header, cells, strict=True))
        else:
            log.bad(path, number, "not the columns of the first line", "\t".join(cells), f"has {len(cells)} cells")


def read_json(path: Path) -> Any:
    """A JSON file as a whole.

    Raises:
        DataError: If it is missing or no JSON; the message names the line.
    """
    try:
        return json.loads(require(path, "Cannot read").read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON ({error.msg}, column {error.colno}).") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error}).") from error
