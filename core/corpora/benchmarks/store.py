"""A benchmark on disk: Parquet tables fixed per task, and `benchmark.json` with what it is and where it came from.

A benchmark folder is written whole or not at all (`draft.write_benchmark`), and read through `BenchmarkData`. Tables of
one benchmark refer to each other by row number. Splits are `train`, `valid` and `test`; languages are the codes of
`core.languages`.

Graphs (`kg_completion`, `entity_alignment`): `entities` and `relations` are names in one language, so an entity known
in five languages has five rows. `id` is the source's own: unique in a language among entities; relations with the same
`id` are one relation. `triples` and `pairs` refer to them; triples of the split `known` are neither trained on nor
asked, but right answers all the same. All entities of a language are the strict protocol's
candidates; entities with one `name` are ties. Each row of `pairs` says that source and target are one entity.

`relation_classification`: the mentions `text[e1_start:e1_end]` and `text[e2_start:e2_end]` of a sentence without
markers; `marked` puts markers back. A mention may be empty (KBP37 lost some in its way to ASCII). `label` is directed.

`ner`: words and their IOB2 tags. `question_answering`: a question refers to its context, answers are spans of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Task = Literal["kg_completion", "entity_alignment", "relation_classification", "ner", "question_answering"]
FORMAT_VERSION = 1
MANIFEST = "benchmark.json"
_TEXT, _ROW = pa.string(), pa.int32()
_NAMED = pa.schema({"language": _TEXT, "id": _TEXT, "name": _TEXT, "uri": _TEXT})
_GRAPH = {
    "entities": _NAMED,
    "relations": _NAMED,
    "triples": pa.schema({"language": _TEXT, "split": _TEXT, "subject": _ROW, "relation": _ROW, "object": _ROW}),
    "pairs": pa.schema(
        {"source_language": _TEXT, "target_language": _TEXT, "split": _TEXT, "source": _ROW, "target": _ROW}
    ),
}
_ANSWER = pa.struct({"text": _TEXT, "start": _ROW})
SCHEMAS: dict[Task, dict[str, pa.Schema]] = {
    "kg_completion": _GRAPH,
    "entity_alignment": _GRAPH,
    "relation_classification": {
        "examples": pa.schema(
            {
                **{"language": _TEXT, "split": _TEXT, "id": _TEXT, "text": _TEXT},
                **{"e1_start": _ROW, "e1_end": _ROW, "e2_start": _ROW, "e2_end": _ROW},
                **{"label": _TEXT, "e1_id": _TEXT, "e2_id": _TEXT},  # the entities' ids, empty where unknown
            }
        )
    },
    "ner": {
        "sentences": pa.schema({"language": _TEXT, "split": _TEXT, "tokens": pa.list_(_TEXT), "tags": pa.list_(_TEXT)})
    },
    "question_answering": {
        "contexts": pa.schema({"title": _TEXT, "text": _TEXT}),
        "questions": pa.schema(
            {
                **{"language": _TEXT, "split": _TEXT, "id": _TEXT, "context": _ROW, "question": _TEXT},
                "answers": pa.list_(_ANSWER),
            }
        ),
    },
}
REFERENCES = {  # column -> table that it refers to by row
    **{"subject": "entities", "object": "entities", "source": "entities", "target": "entities"},
    **{"relation": "relations", "context": "contexts"},
}
MAIN: dict[Task, str] = {  # the table that is asked about
    "kg_completion": "triples",
    "entity_alignment": "pairs",
    "relation_classification": "examples",
    "ner": "sentences",
    "question_answering": "questions",
}
KNOWN = "known"  # split of the triples that are known and neither trained on nor asked
_KEYS = ("source_language", "target_language", "language", "split")


class BenchmarkError(ValueError):
    """A benchmark folder is missing, empty, damaged or of another format."""


@dataclass(frozen=True)
class BenchmarkInfo:
    """What `benchmark.json` says.

    Attributes:
        name: Short name, such as `dbp5l`.
        task: One of `Task`.
        source: Where the records come from, with version or commit.
        licence: Licence of the records, as the source states it.
        card: What a user must know of the data, as plain text.
        labels: The classes of a classification task, in their order; else empty.
        counts: Rows per table.
        fingerprint: SHA-256 over the records.
        build: How it was made, what was left out and why; for people and tables.
        format_version: Version of the files' layout.
    """

    name: str
    task: Task
    source: str
    licence: str
    card: str
    labels: list[str]
    counts: dict[str, int]
    fingerprint: str
    build: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION


class BenchmarkData:
    """A benchmark read from disk. Open it with `BenchmarkData.open`; tables are read on first use."""

    def __init__(self, path: Path, info: BenchmarkInfo) -> None:
        self.path, self.info = path, info

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the benchmark in folder `path`.

        Raises:
            BenchmarkError: If there is no benchmark, or it is damaged or of another format.
        """
        manifest = path / MANIFEST
        if not manifest.is_file():
            raise BenchmarkError(f"There is no benchmark in {path}. Build one: workbench benchmark build --help.")
        try:
            info = BenchmarkInfo(**json.loads(manifest.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise BenchmarkError(f"{manifest} cannot be read ({error}). Build the benchmark again.") from error
        if info.format_version != FORMAT_VERSION or info.task not in SCHEMAS:
            raise BenchmarkError(
                f"{path} has format {info.format_version} and task {info.task!r}; this version reads format "
                f"{FORMAT_VERSION} and the tasks {', '.join(SCHEMAS)}. Build it again."
            )
        if missing := [t for t in SCHEMAS[info.task] if not (path / f"{t}.parquet").is_file()]:
            names = ", ".join(f"{t}.parquet" for t in missing)
            raise BenchmarkError(f"The benchmark in {path} lacks {names}. Build it again.")
        return cls(path, info)

    @cached_property
    def _tables(self) -> dict[str, pa.Table]:
        return {}

    def table(self, name: str) -> pa.Table:
        """One table, whole.

        Raises:
            BenchmarkError: If the task has no such table, or its file is damaged.
        """
        schemas = SCHEMAS[self.info.task]
        if name not in schemas:
            raise BenchmarkError(f"{self.info.task} has the tables {', '.join(schemas)}, not {name!r}.")
        if name not in self._tables:
            file = self.path / f"{name}.parquet"
            try:
                table = pq.read_table(file, schema=schemas[name], page_checksum_verification=True)
            except (pa.ArrowInvalid, OSError) as error:
                raise BenchmarkError(f"{file} is damaged ({error}). Build the benchmark again.") from error
            if len(table) != self.info.counts[name]:
                raise BenchmarkError(f"{file} has {len(table)} rows, not {self.info.counts[name]}. Build it again.")
            self._tables[name] = table.combine_chunks()
        return self._tables[name]

    def column(self, table: str, column: str) -> np.ndarray:
        """An integer column as a NumPy array, shape (rows,)."""
        return self.table(table)[column].to_numpy()

    def texts(self, table: str, column: str) -> list[str]:
        """A text column."""
        return self.table(table)[column].to_pylist()

    def rows(self, table: str, **wanted: str) -> np.ndarray:
        """Row numbers whose columns equal `wanted`, such as `rows("triples", language="el", split="test")`.

        Shape (matches,), ascending; all rows where nothing is wanted.
        """
        data = self.table(table)
        mask = np.ones(len(data), bool)
        for column, value in wanted.items():
            mask &= pc.equal(data[column], value).to_numpy()
        return np.flatnonzero(mask)

    def records(self, table: str, **wanted: str) -> list[dict[str, Any]]:
        """The rows whose columns equal `wanted`, as dictionaries."""
        return self.table(table).take(self.rows(table, **wanted)).to_pylist()

    def sizes(self) -> list[dict[str, Any]]:
        """Rows of every table by language and split: `{"table", "language", "split", "rows"}`, pairs as `en-de`."""
        found = []
        for name, schema in SCHEMAS[self.info.task].items():
            keys = [key for key in _KEYS if key in schema.names]
            if not keys or not self.info.counts[name]:
                continue
            groups = (
                self.table(name).group_by(keys).aggregate([([], "count_all")]).sort_by([(k, "ascending") for k in keys])
            )
            for group in groups.to_pylist():
                ends = [group[key] for key in keys if key.endswith("language")]
                sizes = {"table": name, "language": "-".join(ends), "split": group.get("split", "")}
                found.append(sizes | {"rows": group["count_all"]})
        return found

    @property
    def languages(self) -> list[str]:
        """Codes of the languages that are asked about, sorted; an alignment's are both ends'."""
        main = self.table(MAIN[self.info.task])
        columns = [key for key in _KEYS if key.endswith("language") and key in main.schema.names]
        return sorted({code for column in columns for code in pc.unique(main[column]).to_pylist()})


def marked(example: Mapping[str, Any], markers: tuple[str, str, str, str] = ("<e1>", "</e1>", "<e2>", "</e2>")) -> str:
    """The sentence of an example with its mentions between markers, `<e1> like this </e1>`.

    Args:
        example: A record of `examples`.
        markers: What opens and closes the first and the second mention.
    """
    text = str(example["text"])
    spans = [(example[f"e{n}_start"], example[f"e{n}_end"], *markers[2 * n - 2 : 2 * n]) for n in (1, 2)]
    parts, last = [], 0
    for start, end, opening, closing in sorted(spans, key=lambda span: span[:2]):
        parts += [text[last:start], " ".join(part for part in (opening, text[start:end], closing) if part)]
        last = end
    return "".join([*parts, text[last:]])
