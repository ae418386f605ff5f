"""Streams of a dump, and how they are cut into parts."""

import bz2
import gzip
import random
from collections.abc import Callable
from mmap import mmap
from pathlib import Path

import pytest
import zstandard

from core.corpora.rows import DataError
from core.corpora.wikidata import dump as dump_module
from core.corpora.wikidata.dump import MAX_LINE, DumpCut, DumpStream, PartCutter
from core.corpora.wikidata.items import Parser
from core.corpora.wikidata.options import DumpOptions

FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "json": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,  # as the command zstd does
}


def text_of(lines: int, seed: int = 0) -> bytes:
    draw = random.Random(seed)
    return b"".join(draw.randbytes(draw.randint(0, 3000)).hex().encode() + b"\n" for _ in range(lines))


def parts_of(path: Path, part_bytes: int, lenient: bool = False, start: int = 0) -> tuple[list[bytes], list[int]]:
    """Parts of a file and where they end."""
    room = mmap(-1, PartCutter.room_bytes(part_bytes))
    with DumpStream(path) as stream:
        stream.skip_to(start)
        cutter = PartCutter(stream, part_bytes, lenient)
        parts, ends = [], []
        while not cutter.last:
            parts.append(room[: cutter.next_into(room)])
            ends.append(cutter.end)
    return parts, ends


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("part_bytes", [1, 10_000, 400_000, 10**7])
def test_parts_are_whole_lines_and_all_of_them(tmp_path: Path, format: str, part_bytes: int) -> None:
    text = text_of(300)
    path = tmp_path / "dump"
    path.write_bytes(FORMATS[format](text))
    with DumpStream(path) as stream:
        assert stream.format == format
    parts, ends = parts_of(path, part_bytes)
    assert b"".join(parts) == text
    assert ends[-1] == len(text)
    assert len(parts) == {1: 300, 10_000: len(parts), 400_000: len(parts), 10**7: 1}[part_bytes]
    for part in parts[:-1]:
        assert part.endswith(b"\n")
        assert len(part) >= part_bytes
        assert b"\n" not in part[part_bytes - 1 : -1]
    half = len(parts) // 2
    if half:  # going on at a part's end gives the same parts
        assert parts_of(path, part_bytes, start=ends[half - 1]) == (parts[half:], ends[half:])


def test_the_last_line_needs_no_line_end(tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    path.write_bytes(b"a\nbc\nlast")
    assert parts_of(path, 3) == ([b"a\nbc\n", b"last"], [5, 9])


def test_a_line_too_long_is_cut_off_and_refused_and_the_next_one_read(tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    good = b'{"type":"item","id":"Q%d","labels":{"en":{"value":"one"}}},\n'
    long = b'{"type":"item","id":"Q2","labels":{"en":{"value":"' + b"x" * (MAX_LINE + 3 * 10**6) + b'"}}},\n'
    path.write_bytes(good % 1 + long + good % 3)
    parser = Parser(DumpOptions(("en",), more_than_labels=0))
    for part_bytes in (10, 1000, 10**8):
        parts, ends = parts_of(path, part_bytes)
        assert ends[-1] == path.stat().st_size
        read = [parser.parse(part, len(part)) for part in parts]
        assert [i for part in read for i in part.table("kept")["id"].to_pylist()] == [1, 3]
        assert [(reason, detail) for part in read for _, reason, detail, _ in part.bad] == [
            ("not an entity", f"a line longer than {MAX_LINE:,} bytes")
        ]
        assert [len(text) for part in read for *_, text in part.bad] == [10_000]


@pytest.mark.parametrize("format", ["gz", "bz2", "zst"])
def test_a_file_that_is_cut_off_is_an_error_or_gives_what_it_has(tmp_path: Path, format: str) -> None:
    text = text_of(1500)
    whole = FORMATS[format](text)
    path = tmp_path / f"dump.json.{format}"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(DumpCut, match=rf"dump.json.{format} is cut off or damaged near byte [\d,]+ of [\d,]+ "):
        parts_of(path, 10_000)
    parts, _ = parts_of(path, 10_000, lenient=True)
    got = b"".join(parts)
    assert text.startswith(got)
    assert len(got) > len(text) // 3
    _, ends = parts_of(path, 10_000, lenient=True)
    for start in ends[1:-1:7]:  # a build that goes on gets the same bytes
        assert parts_of(path, 10_000, lenient=True, start=start)[1][-1] == ends[-1]


@pytest.mark.parametrize("format", ["gz", "bz2", "zst"])
def test_a_file_damaged_in_the_middle_is_an_error(tmp_path: Path, format: str) -> None:
    damaged = bytearray(FORMATS[format](text_of(1500)))
    damaged[len(damaged) // 2] ^= 0xFF
    damaged[len(damaged) // 2 + 1] ^= 0xFF
    path = tmp_path / "dump"
    path.write_bytes(damaged)
    with pytest.raises(DumpCut, match="is cut off or damaged"):
        parts_of(path, 10_000)


def test_compressed_bytes_consumed_grow_to_the_size(tmp_path: Path) -> None:
    for format, compress in FORMATS.items():
        path = tmp_path / f"dump.{format}"
        path.write_bytes(compress(text_of(1500)))
        room, seen = memoryview(bytearray(1 << 16)), []
        with DumpStream(path) as stream:
            while stream.readinto(room):
                seen.append(stream.consumed)
            assert stream.consumed == path.stat().st_size
        assert seen == sorted(seen)


def test_archives_are_refused_by_name(tmp_path: Path) -> None:
    for start, name in dump_module._REFUSED.items():
        (tmp_path / "dump").write_bytes(start + b"more")
        with pytest.raises(DataError, match=f"is a {name} archive"):
            DumpStream(tmp_path / "dump")
