"""How fast a Wikidata dump becomes a corpus here, against one process of `bz2` or `gzip` with `json`.

    python -m tests.bench.dump_parsing [--entities 200000] [--folder FOLDER] [--json]

Everything is measured in one run on the same files: synthetic dumps made of real items (`tests.bench.synthetic_dump`).
The peer decodes each line with `json.loads` and does the least that the same extraction needs; it writes nothing. It
reads a twentieth of the dump before ours and one after, since its speed does not depend on the length. Decompression
alone is the limit that the cores set. Memory is the largest sum over the builder and its workers, sampled; shared pages
count in each process.
"""

import argparse
import bz2
import gzip
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import psutil

from core.corpora.wikidata.dump import DumpStream
from core.languages import PAPER_LANGUAGES
from tests.bench.synthetic_dump import entity_lines, write_dump

_MB, _MIB = 1e6, 1 << 20
_BUILD = (
    "import sys; from pathlib import Path; from core.corpora.wikidata.build import build; "
    "build([Path(sys.argv[1])], Path(sys.argv[2]))"
)


def build_speed(dump: Path, text_bytes: int) -> tuple[float, float]:
    """MB of text per second of a whole build, and its peak memory in MiB."""
    with tempfile.TemporaryDirectory(dir=dump.parent) as folder:
        start = time.perf_counter()
        process = psutil.Popen([sys.executable, "-c", _BUILD, str(dump), str(Path(folder) / "corpus")])
        peak = 0
        while process.poll() is None:
            peak = max(peak, _memory(process))
            time.sleep(0.2)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise RuntimeError(f"The build of {dump} failed with code {process.returncode}.")
    return text_bytes / _MB / seconds, peak / _MIB


def _memory(process: psutil.Process) -> int:
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue  # it ended in between
    return total


def _text_bytes(dump: Path) -> int:
    room = memoryview(bytearray(1 << 20))
    with DumpStream(dump) as stream:
        while stream.readinto(room):
            pass
        return stream.position


def peer_speed(dump: Path, share: float) -> float:
    """MB of text per second of one process with the standard library, over the first `share` of the text."""
    open_ = {".gz": gzip.open, ".bz2": bz2.open}[dump.suffix]
    languages, size, triples = set(PAPER_LANGUAGES), 0, 0
    start = time.perf_counter()
    with open_(dump, "rb") as lines:
        for line in lines:
            size += len(line)
            if len(line) > 2:
                triples += len(_extract(json.loads(line.rstrip(b",\n")), languages))
            if size > share:
                break
    if not triples:
        raise RuntimeError("The peer found no triple.")
    return size / _MB / (time.perf_counter() - start)


def _extract(entity: dict[str, Any], languages: set[str]) -> list[tuple[str, str]]:
    labels = {code: label["value"] for code, label in entity["labels"].items() if code in languages}
    if entity["type"] != "item" or len(labels) <= 10:
        return []
    facts = []
    for property, statements in entity["claims"].items():
        best = "preferred" if any(s["rank"] == "preferred" for s in statements) else "normal"
        for statement in statements:
            value = statement["mainsnak"].get("datavalue")
            if statement["rank"] == best and value and value["type"] == "wikibase-entityid":
                facts.append((property, value["value"]["id"]))
    return facts


def decompression_speed(dump: Path, text_bytes: int, share: float) -> tuple[float, float]:
    """MB of text per second: our stream alone on all cores, and the standard library alone."""
    room = memoryview(bytearray(1 << 20))
    start = time.perf_counter()
    with DumpStream(dump) as stream:
        while stream.readinto(room):
            pass
    ours = text_bytes / _MB / (time.perf_counter() - start)
    size, start = 0, time.perf_counter()
    with {".gz": gzip.open, ".bz2": bz2.open}[dump.suffix](dump, "rb") as file:
        while size < share and (got := file.readinto(room)):
            size += got
    return ours, size / _MB / (time.perf_counter() - start)


def measure(entities: int, folder: Path) -> Iterator[tuple[str, float, float, str]]:
    """Rows (name, ours, peer, unit)."""
    sizes = {}
    for number, suffix in ((entities, "gz"), (entities, "bz2"), (entities // 2, "gz")):
        dump = folder / f"dump-{number}.json.{suffix}"
        if not dump.exists():
            unfinished = dump.with_name(f"unfinished.{suffix}")
            write_dump(entity_lines(number), unfinished)
            os.replace(unfinished, dump)
        sizes[dump] = _text_bytes(dump) if suffix == "gz" else sizes[folder / f"dump-{number}.json.gz"]
    whole, packed, half = sizes
    text = sizes[whole]
    _, memory_half = build_speed(half, sizes[half])
    peers = {dump: [peer_speed(dump, text / 20)] for dump in (whole, packed)}  # before and after ours: noise hits both
    ours_gz, memory = build_speed(whole, text)
    ours_bz2, _ = build_speed(packed, text)
    peer_gz, peer_bz2 = (mean([*before, peer_speed(dump, text / 20)]) for dump, before in peers.items())
    yield "build of .gz, peer gzip + json", ours_gz, peer_gz, "MB/s"
    yield "build of .gz, peer bz2 + json", ours_gz, peer_bz2, "MB/s"
    yield "build of .bz2, peer bz2 + json", ours_bz2, peer_bz2, "MB/s"
    for dump in (whole, packed):
        ours, peer = decompression_speed(dump, text, text / 10)
        yield f"decompression alone of {dump.suffix}", ours, peer, "MB/s"
        if dump == packed:
            yield "limit for .bz2: our decompression alone, peer bz2 + json", ours, peer_bz2, "MB/s"
    yield f"peak memory, {entities:,} entities against {entities // 2:,}", memory, memory_half, "MiB"
    yield "text of the dump, and of the half", text / _MB, sizes[half] / _MB, "MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=200_000)
    parser.add_argument(
        "--folder", type=Path, help="Where the dumps are kept for the next time; else they are removed."
    )
    parser.add_argument("--json", action="store_true", help="Print JSON and nothing else.")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        rows = [
            {"name": name, "ours": round(ours, 1), "peer": round(peer, 1), "unit": unit, "ratio": round(ours / peer, 2)}
            for name, ours, peer, unit in measure(asked.entities, folder)
        ]
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)
    if asked.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    sys.stdout.write(f"{'':58}{'ours':>9}{'peer':>9}{'':>6}{'ratio':>7}\n")
    for row in rows:
        sys.stdout.write(f"{row['name']:58}{row['ours']:9.1f}{row['peer']:9.1f}{row['unit']:>6}{row['ratio']:7.2f}\n")


if __name__ == "__main__":
    main()
