"""`workbench corpus build wikidata`: a dump of any size -> a corpus, in bounded memory, going on after a kill.

The work folder `.NAME.building` beside the target holds one file per parsed part of the dump. Parts are cut by the
decompressed text alone, so the same command finds them again, and its corpus has the same bytes as an uninterrupted
build's. The corpus is put together in the work folder, moved to its place in one step, and the work folder removed.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from core.corpora import statistics
from core.corpora.records import Progress
from core.corpora.rows import SIDE_FILE, BadRow, DataError, RowLog, require
from core.corpora.store import Corpus, CorpusError
from core.corpora.wikidata.assemble import Assembly
from core.corpora.wikidata.dump import DumpCut, DumpStream, PartCutter
from core.corpora.wikidata.options import DumpOptions
from core.corpora.wikidata.parts import read_part
from core.corpora.wikidata.redirects import read_redirects
from core.corpora.wikidata.work_room import BUILD_VERSION, WorkRoom, locked, work_folder
from core.corpora.wikidata.workers import Job, Workers
from core.corpora.writer import CorpusWriter
from core.folders import refuse_existing

PART_BYTES = 16 << 20
MOST_WORKERS = 8  # one thread decompresses no faster than these parse
_STEP = 64 << 20  # bytes passed over between two reports
_AFTER_CUT = (
    "Everything before is kept: take what there is by adding --lenient to the same command, "
    "or get the file again and start afresh (--again)."
)
_KEPT_BAD_ROWS = 100_000  # in the side file; all are counted
LICENCE = "CC0-1.0"
CARD = """\
Items of Wikidata with their labels, aliases and descriptions, and the statements between them, from the JSON dump.

Items are those with more than the stated number of labels among the chosen languages; triples have both ends among
them. Statements are taken by rank: `best` is what Wikidata calls truthy. Of an item that the dump has twice, the latest
revision counts; facts of and about a redirected item are those of its target. Everything is in the split `train`.
What was left out, and why, is counted in `corpus.json`; lines that are no entity are in
`bad_rows.jsonl` (the first 100,000).
"""


def ignore_progress(done: int, total: int) -> None:
    """Show nothing."""


def build(
    dumps: Sequence[Path],
    target: Path,
    options: DumpOptions | None = None,
    *,
    redirects: Path | None = None,
    workers: int | None = None,
    lenient: bool = False,
    again: bool = False,
    part_bytes: int = PART_BYTES,
    reading: Progress = ignore_progress,
    assembling: Progress = ignore_progress,
) -> Corpus:
    """Build a corpus of a Wikidata dump, or go on with a build that was interrupted.

    Args:
        dumps: The dump's files, in order: JSON, gzip, bzip2 or Zstandard.
        target: Folder to create.
        options: What is kept.
        redirects: TSV of (from-id, to-id), for items that were merged.
        workers: Processes that parse; as many as there are cores, at most `MOST_WORKERS`, if left out.
        lenient: Take what there is of a file that is cut off or damaged, and of bad rows in `redirects`.
        again: Throw away what an interrupted build left.
        part_bytes: Decompressed bytes of a part.
        reading: Called with compressed bytes, (read, in all).
        assembling: Called with passes over parts, (done, in all).

    Raises:
        DataError: If a file is missing, empty or damaged; finished parts are kept.
        ValueError: If the target is being built by another process, or was left by a build with other inputs.
        WorkerError: If a worker failed; finished parts are kept.
        CorpusError: If nothing is left to keep.
    """
    if not dumps:
        raise DataError("Name at least one file of the dump.")
    options, log = options or DumpOptions(), RowLog(strict=not lenient)
    inputs = _inputs(dumps, options, redirects, part_bytes)
    if not work_folder(target).exists():
        refuse_existing(target)
    with locked(work_folder(target)) as work:
        room = WorkRoom(work, inputs)
        if not room.is_whole():
            refuse_existing(target)
            room.prepare(again)
            stated = read_redirects(redirects, log) if redirects else np.empty((0, 2), np.int64)
            count = workers or min(os.cpu_count() or 1, MOST_WORKERS)
            with Workers(count, work, PartCutter.room_bytes(part_bytes), options) as pool:
                shards = _read_dumps(dumps, room, pool, part_bytes, lenient, reading)
            try:
                assembly = Assembly(shards, options, stated, assembling)
            except CorpusError as error:  # nothing is left: other options will need other parts
                first = next(_bad_lines(dumps, shards), None)
                room.remove()
                if first is None:
                    raise
                raise CorpusError(
                    f"{error} Lines are no entity, first {first.file}:{first.line}: {first.reason}."
                ) from None
            about = {key: value for key, value in inputs.items() if key != "part_bytes"}
            with CorpusWriter(room.corpus, "wikidata", _source(dumps), LICENCE, CARD, about) as writer:
                assembly.write(writer)
                bad = _write_bad_rows(chain(log.rows, _bad_lines(dumps, shards)), writer.room / SIDE_FILE)
                writer.note("bad_rows", dict(sorted(bad.items())))
            statistics.count(Corpus.open(room.corpus)).write(room.corpus)
            room.whole.touch()
        if room.corpus.is_dir():
            os.replace(room.corpus, target)
        room.remove()
    return Corpus.open(target)


def _inputs(dumps: Sequence[Path], options: DumpOptions, redirects: Path | None, part_bytes: int) -> dict[str, Any]:
    """Everything that decides what the parts hold, for JSON."""
    for path in dumps:
        with DumpStream(path):
            pass  # its complaint comes now, not after hours
    files = [*dumps, *([require(redirects, "Cannot read the redirects")] if redirects else [])]
    facts = [{"file": p.name, "bytes": p.stat().st_size, "modified_ns": p.stat().st_mtime_ns} for p in files]
    about = {"version": BUILD_VERSION, "dumps": facts[: len(dumps)], "redirects": facts[len(dumps) :]}
    return about | {"part_bytes": part_bytes} | json.loads(json.dumps(asdict(options)))


def _source(dumps: Sequence[Path]) -> str:
    names = [path.name for path in dumps]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Wikidata JSON dump: {', '.join(names[:3])}{more}"


def _read_dumps(
    dumps: Sequence[Path], room: WorkRoom, pool: Workers, part_bytes: int, lenient: bool, reading: Progress
) -> list[list[Path]]:
    """Parse every part that is not there yet; returns the files of the parts of each shard."""
    total, before = sum(path.stat().st_size for path in dumps), 0
    shards = []
    for shard, path in enumerate(dumps):
        number, found = room.finished(shard, lenient)
        if not (found and found.last):
            with DumpStream(path) as stream:
                end = found.end if found else 0
                for position in range(_STEP, end + _STEP, _STEP):
                    stream.skip_to(min(position, end))
                    reading(before + stream.consumed, total)
                cutter = PartCutter(stream, part_bytes, lenient)
                while not cutter.last:
                    slot = pool.free_slot()
                    try:
                        size = cutter.next_into(pool.slots[slot])
                    except DumpCut as error:
                        pool.finish()
                        raise DumpCut(f"{error} {_AFTER_CUT}") from error
                    part = room.part(shard, number)
                    if part.is_file():
                        pool.give_back(slot)
                    else:
                        pool.submit(Job(slot, size, part, cutter.end, cutter.last, cutter.cut))
                    number += 1
                    reading(before + stream.consumed, total)
        shards.append([room.part(shard, i) for i in range(number)])
        before += path.stat().st_size
    pool.finish()
    reading(total, total)
    return shards


def _bad_lines(dumps: Sequence[Path], shards: Sequence[Sequence[Path]]) -> Iterator[BadRow]:
    """The bad lines of every shard; lines are counted in the decompressed text."""
    for dump, parts in zip(dumps, shards, strict=True):
        before = 0
        for part in map(read_part, parts):
            for line, reason, detail, text in part.bad:
                yield BadRow(str(dump), before + line, f"{reason} ({detail})", text)
            before += part.lines
            if part.cut:
                yield BadRow(
                    str(dump), 0, f"the file is cut off or damaged (read to byte {part.end:,} of its text)", ""
                )


def _write_bad_rows(rows: Iterable[BadRow], side_file: Path) -> Counter[str]:
    """Keep bad rows in a file, one JSON object a line, if there are any; returns them counted by reason."""
    counts: Counter[str] = Counter()
    with ExitStack() as files:
        for row in rows:
            if not counts:
                file = files.enter_context(side_file.open("w", encoding="utf-8"))
            counts[row.reason.partition(" (")[0]] += 1
            if counts.total() <= _KEPT_BAD_ROWS:
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
    return counts
