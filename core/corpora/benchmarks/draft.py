"""A benchmark in the making: readers fill a `Draft`, `write` makes it a folder that is whole or absent."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.corpora.benchmarks.store import (
    MAIN,
    MANIFEST,
    REFERENCES,
    SCHEMAS,
    BenchmarkData,
    BenchmarkError,
    BenchmarkInfo,
    Task,
)
from core.corpora.rows import RowLog
from core.folders import made_whole


@dataclass
class Draft:
    """What a reader returns.

    Attributes:
        name: Short name of the benchmark, such as `dbp5l`.
        task: What it asks.
        source: Where the records come from, with version or commit.
        licence: Licence of the records, as the source states it.
        card: What a user must know of the data.
        labels: The classes of a classification task.
        build: How it was made, for `benchmark.json`.
        left_out: Records that the reader left out, by reason; they are no errors.
        rows: Rows of every table, columns in the order of its schema.
    """

    name: str
    task: Task
    source: str
    licence: str
    card: str
    labels: list[str] = field(default_factory=list)
    build: dict[str, Any] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    rows: dict[str, list[tuple[Any, ...]]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = {table: [] for table in SCHEMAS[self.task]}

    def add(self, table: str, *values: Any) -> int:
        """Add a row, values in the order of the table's columns; returns its number."""
        rows = self.rows[table]
        rows.append(values)
        return len(rows) - 1

    def tables(self) -> dict[str, pa.Table]:
        """The rows as Arrow tables."""
        found = {}
        for name, schema in SCHEMAS[self.task].items():
            columns = list(zip(*self.rows[name], strict=True)) or [()] * len(schema)
            arrays = [pa.array(column, type) for column, type in zip(columns, schema.types, strict=True)]
            found[name] = pa.table(arrays, schema=schema)
        return found

    def write(self, target: Path, log: RowLog) -> BenchmarkData:
        """Write the benchmark.

        Args:
            target: Folder to create.
            log: Bad rows of the source; they are counted in `benchmark.json` and kept beside it.

        Raises:
            BenchmarkError: If nothing is asked, or `target` holds something else.
        """
        build = self.build | {"left_out": dict(sorted((+self.left_out).items())), "bad_rows": log.summary()}
        about = {key: getattr(self, key) for key in ("name", "task", "source", "licence", "card", "labels")}
        return write_benchmark(target, about | {"build": build}, self.tables(), log)


def write_benchmark(
    target: Path, about: Mapping[str, Any], tables: Mapping[str, pa.Table], log: RowLog | None = None
) -> BenchmarkData:
    """Write tables as a benchmark folder.

    Args:
        target: Folder to create; another benchmark there is replaced when the new one is whole.
        about: Fields of `BenchmarkInfo`, without those that follow from the tables.
        tables: Every table of the task.
        log: Bad rows to keep beside it.

    Raises:
        BenchmarkError: If nothing is asked, a row refers to one that is not there, or `target` holds something else.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())) and not (target / MANIFEST).is_file():
        raise BenchmarkError(f"{target} exists and is no benchmark: not replaced. Name another folder.")
    main = MAIN[about["task"]]
    if not len(tables[main]):
        raise BenchmarkError(f"The benchmark {about['name']!r} would be empty: it has no {main}.")
    digest = hashlib.sha256()
    with made_whole(target) as room:
        for name, schema in SCHEMAS[about["task"]].items():
            table = tables[name].cast(schema).combine_chunks()
            _check_references(name, table, tables)
            digest.update(name.encode())
            for batch in table.to_batches():
                digest.update(batch.serialize())
            pq.write_table(table, room / f"{name}.parquet", compression="zstd", write_page_checksum=True)
        counts = {name: len(tables[name]) for name in SCHEMAS[about["task"]]}
        info = BenchmarkInfo(**about, counts=counts, fingerprint=digest.hexdigest())
        text = json.dumps(asdict(info), indent=2, ensure_ascii=False) + "\n"
        (room / MANIFEST).write_text(text, encoding="utf-8")
        if log:
            log.write(room)
    return BenchmarkData.open(target)


def _check_references(name: str, table: pa.Table, tables: Mapping[str, pa.Table]) -> None:
    for column in set(table.schema.names) & set(REFERENCES):
        if len(table) and pa.types.is_integer(table.schema.field(column).type):
            found, limit = pc.min_max(table[column]).as_py(), len(tables[REFERENCES[column]])
            if found["min"] < 0 or found["max"] >= limit:
                raise BenchmarkError(
                    f"{name}.{column} refers to rows {found['min']} to {found['max']} of {REFERENCES[column]}, "
                    f"which has {limit}."
                )
