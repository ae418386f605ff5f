"""A compressed dump as a stream of bytes, cut into parts of whole lines.

Formats are told apart by their first bytes, not by the file's name. Where a part ends depends on the decompressed text
alone, so every format of one dump has the same parts, and a build that was killed finds its parts again.
"""

import io
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import rapidgzip
import zstandard
from isal import igzip
from isal.igzip_lib import IsalError

from core.corpora.rows import DataError, require

MAX_LINE = 16 << 20  # bytes; Wikibase allows entities of a few MB, so a longer line is no entity
_CHUNK = 128 << 10  # what a damaged file may lose before the damage is less than this
_ZSTD_INPUT = 16 << 10  # small, because a few bytes of a frame may stand for megabytes
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst"}
_MAGIC |= {bytes([0x50 + i, 0x2A, 0x4D, 0x18]): "zst" for i in range(16)}  # skippable frames, as pzstd writes first
_DAMAGE: tuple[Any, ...] = (EOFError, OSError, RuntimeError, IsalError, zstandard.ZstdError)
_REFUSED = {b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z"}


class DumpCut(DataError):
    """A compressed file ends too early, or is damaged; what came before was read."""


class DumpStream:
    """One file of a dump, decompressed while it is read.

    Args:
        path: The file: JSON as it is, gzip (several members, too), bzip2 or Zstandard.

    Attributes:
        format: `json`, `gz`, `bz2` or `zst`.
        position: Decompressed bytes read so far.

    Raises:
        DataError: If the file is missing, empty, or of a format that is not read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.position = path, 0
        self._file: BinaryIO = require(path, "Cannot read the dump").open("rb")
        start = self._file.read(8)
        self._file.seek(0)
        found = next((name for magic, name in _REFUSED.items() if start.startswith(magic)), None)
        if not start or found:
            self._file.close()
            what = f"is a {found} archive" if found else "is empty"
            raise DataError(f"{path} {what}. Give the dump as .json, .json.gz, .json.bz2 or .json.zst.")
        self.format = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "json")
        self._text: Any = self._file
        if self.format == "gz":
            self._text = igzip.IGzipFile(fileobj=self._file, mode="rb")
        elif self.format == "bz2":
            self._text = rapidgzip.IndexedBzip2File(str(path), parallelization=0)  # 0: every core
        elif self.format == "zst":
            self._text = _Zstandard(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._text.close()
        self._file.close()

    @property
    def consumed(self) -> int:
        """Compressed bytes read so far."""
        return int(self._text.tell_compressed() // 8 if self.format == "bz2" else self._file.tell())

    def readinto(self, room: memoryview) -> int:
        """Read into the beginning of `room`; returns the number of bytes, 0 at the end.

        Raises:
            DumpCut: If the file ends too early or is damaged; the message names the byte.
        """
        aligned = room[: _CHUNK - self.position % _CHUNK]  # so that a cut file gives the same bytes after a resume
        try:
            got = cast(int, self._text.readinto(aligned))
        except _DAMAGE as error:
            raise DumpCut(
                f"{self.path} is cut off or damaged near byte {self.consumed:,} of {self.path.stat().st_size:,} "
                f"({str(error) or type(error).__name__}), after {self.position:,} bytes of text."
            ) from error
        self.position += got
        return got

    def skip_to(self, position: int) -> None:
        """Go on to a decompressed position; only plain JSON is not read on the way."""
        if self.format == "json":
            self._file.seek(position)
            self.position = position
            return
        waste = memoryview(bytearray(_CHUNK))
        while self.position < position and self.readinto(waste[: position - self.position]):
            pass


class _Zstandard(io.RawIOBase):
    """Frames of a Zstandard file. The library's own reader ends without a word where a frame is cut off."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left, self._input = file, b"", b""
        self._frame: Any = None

    def readinto(self, room: Any) -> int:
        while not self._left:
            self._input = self._input or self._file.read(_ZSTD_INPUT)
            if not self._input:
                if self._frame is not None:
                    raise EOFError("a frame is not ended")
                return 0
            self._frame = self._frame or zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
            self._left, self._input = self._frame.decompress(self._input), b""
            if self._frame.eof:
                self._frame, self._input = None, self._frame.unused_data
        got = min(len(room), len(self._left))
        room[:got], self._left = self._left[:got], self._left[got:]
        return got


class PartCutter:
    """Cuts a stream into parts: each ends with the first line end at or after `part_bytes`.

    Args:
        stream: The stream, at the beginning of a part.
        part_bytes: Decompressed bytes of a part; its last line comes on top.
        lenient: Take what a damaged file gives, instead of an error.

    Attributes:
        end: Decompressed position where the last part ended.
        last: Whether it was the last one.
        cut: Whether the file is damaged; only in lenient mode.
    """

    def __init__(self, stream: DumpStream, part_bytes: int, lenient: bool = False) -> None:
        self._stream, self._part_bytes, self._lenient = stream, part_bytes, lenient
        self._rest = b""
        self.end, self.last, self.cut = stream.position, False, False

    @staticmethod
    def room_bytes(part_bytes: int) -> int:
        """Bytes that the largest part takes while it is read."""
        return part_bytes + MAX_LINE + 2 * _CHUNK

    def next_into(self, room: mmap) -> int:
        """Read the next part to the beginning of `room`; returns its bytes.

        A line longer than `MAX_LINE` is cut off and its rest passed over: it is for the parser to refuse what is left.

        Raises:
            DumpCut: In strict mode, if the file is damaged.
        """
        filled = len(self._rest)
        room[:filled] = self._rest
        with memoryview(room) as view:
            while filled < self._part_bytes and (got := self._read(view, filled)):
                filled += got
            searched = self._part_bytes - 1
            while (found := room.find(b"\n", searched, filled)) < 0 and filled < self._part_bytes + MAX_LINE:
                searched = max(searched, filled)
                if not (got := self._read(view, filled)):
                    break
                filled += got
        size = found + 1 if found >= 0 else filled
        self._rest = room[size:filled]
        self.end += size
        if found < 0 and filled >= self._part_bytes + MAX_LINE:
            self._pass_over_line()
        if not self._rest:
            self._rest = self._chunk()
        self.last = not self._rest
        return size

    def _read(self, view: memoryview, at: int) -> int:
        if self.cut:
            return 0
        try:
            return self._stream.readinto(view[at : at + _CHUNK])
        except DumpCut:
            if not self._lenient:
                raise
            self.cut = True
            return 0

    def _chunk(self) -> bytes:
        room = bytearray(_CHUNK)
        return bytes(room[: self._read(memoryview(room), 0)])

    def _pass_over_line(self) -> None:
        while chunk := self._chunk():
            line, end, self._rest = chunk.partition(b"\n")
            self.end += len(line) + len(end)
            if end:
                return
