"""A part of a dump after parsing: one file, there whole or not at all, so that a build can go on after a kill."""

import os
from pathlib import Path

import msgspec
import pyarrow as pa

BadLine = tuple[int, str, str, str]  # line in the part, reason, particulars, text
Property = tuple[int, int, list[tuple[int, str]]]  # number, revision, (language, label); languages by position

# Rows of a part; entities, items by their number in the part, languages by position in the options.
TEXTS = pa.schema({"entity": pa.int32(), "language": pa.int16(), "text": pa.string()})
LINES = pa.schema({"id": pa.int64(), "revision": pa.int64(), "line": pa.int32()})
FACTS = pa.schema({"item": pa.int32(), "property": pa.int32(), "object": pa.int64()})


class Part(msgspec.Struct):
    """What a part of a dump gave.

    Attributes:
        lines: Lines read.
        counts: What was seen, by name.
        bad: Lines that are no entity.
        properties: Labels of properties.
        redirects: (from, to) numbers of items.
        tables: Rows as Arrow streams: `kept` and `refused` items (`LINES`), their `labels`, `aliases`, `descriptions`
            and perhaps `sitelinks` (`TEXTS`), and `facts` (`FACTS`).
        end: Decompressed position of the shard where the part ends.
        last: Whether the shard ends there.
        cut: Whether it ends there because the file is damaged.
    """

    lines: int
    counts: dict[str, int]
    bad: list[BadLine]
    properties: list[Property]
    redirects: list[tuple[int, int]]
    tables: dict[str, memoryview]
    end: int = 0
    last: bool = False
    cut: bool = False

    def table(self, name: str) -> pa.Table:
        """One of the tables."""
        return pa.ipc.open_stream(pa.py_buffer(self.tables[name])).read_all()

    def write(self, path: Path) -> None:
        """Write the part in one step; it survives a power cut that comes after."""
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            file.write(msgspec.msgpack.encode(self))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


def read_part(path: Path) -> Part:
    """The part in a file; tables are read when asked for."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Part)


def to_stream(table: pa.Table) -> memoryview:
    """A table as the bytes of an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())
