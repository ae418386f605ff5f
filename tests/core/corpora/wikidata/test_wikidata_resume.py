"""Builds that end early, and go on: killed, interrupted, cut off, started twice."""

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.corpora.rows import DataError
from core.corpora.wikidata.build import build
from core.corpora.wikidata.options import DumpOptions
from core.corpora.wikidata.work_room import work_folder
from core.corpora.wikidata.workers import WorkerError
from tests.core.corpora.wikidata.reference import LANGUAGES, random_lines
from tests.core.corpora.wikidata.test_wikidata_build import COMPRESS, OPTIONS, one_build, read_sidefile, write

_PART = 20_000
_BUILD = f"""
import sys
from pathlib import Path
from core.corpora.wikidata.build import build
from core.corpora.wikidata.options import DumpOptions
options = DumpOptions({LANGUAGES!r}, more_than_labels=1)
build([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]), options, workers=2, part_bytes={_PART})
"""


def start(target: Path, dumps: list[Path]) -> psutil.Popen:
    return psutil.Popen([sys.executable, "-c", _BUILD, str(target), *map(str, dumps)], cwd=Path(__file__).parents[4])


def parts(target: Path) -> list[Path]:
    return sorted(work_folder(target).glob("parts-*/*.part"))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=30)[1]


@pytest.mark.slow
def test_five_kills_leave_no_trace_in_the_corpus(tmp_path: Path) -> None:
    """Four while parts are made, at random numbers of them, and one while they are put together."""
    lines = random_lines(seed=3, items=2500)
    third = len(lines) // 3
    pieces = (lines[:third], lines[third : 2 * third], lines[2 * third :])
    dumps = [write(tmp_path, p, n) for p, n in zip(pieces, ("a.json.gz", "b.json.bz2", "c.json"), strict=True)]
    uninterrupted = build(dumps, tmp_path / "whole", OPTIONS, workers=2, part_bytes=_PART).path
    assert len(read_sidefile(uninterrupted)) > 50
    in_all = sum(len(b"\n".join(p)) for p in pieces) // (_PART + 3000)
    assert in_all > 100
    target = tmp_path / "killed"
    draw = random.Random()
    moments = sorted(draw.sample(range(1, in_all), 4))
    for moment in [*moments, None]:
        process = start(target, dumps)
        assembling = work_folder(target)
        while len(parts(target)) < moment if moment else not list(assembling.glob(".corpus.*/labels.parquet")):
            assert process.poll() is None, f"the build ended before it was killed: {moment} of {moments}"
            time.sleep(0.002)
        workers = process.children(recursive=True)
        time.sleep(draw.uniform(0, 0.05) if moment else 0)
        process.kill()
        process.wait()
        assert not target.exists()
        assert gone(workers)
    done = len(parts(target))
    assert done > in_all
    newest = max(path.stat().st_mtime_ns for path in parts(target))
    assert newest < time.time_ns()
    last = start(target, dumps)
    assert last.wait(timeout=120) == 0
    assert files(target) == files(uninterrupted)
    assert not work_folder(target).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json.gz", "b.json.bz2", "c.json", "killed", "whole"]


class Stopped(Exception):
    pass


def stop_after(calls: int) -> Any:
    """A progress callback that stops the build."""
    count = 0

    def reading(done: int, total: int) -> None:
        nonlocal count
        count += 1
        if count == calls:
            raise Stopped

    return reading


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return write(tmp_path, random_lines(seed=5, items=300), "d.json.gz")


def test_finished_parts_are_not_made_again(tmp_path: Path, dump: Path) -> None:
    whole = one_build([dump], tmp_path / "whole").path
    target = tmp_path / "c"
    with pytest.raises(Stopped):
        one_build([dump], target, reading=stop_after(15))
    kept = {path: path.stat().st_mtime_ns for path in parts(target)}
    assert len(kept) > 5
    seen: list[int] = []
    with pytest.raises(Stopped):
        one_build(
            [dump], target, assembling=stop_after(1), reading=lambda done, total: seen.append(done * 100 // total)
        )
    assert len(parts(target)) > len(kept)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (seen[-1], seen) == (100, sorted(seen))
    assert files(one_build([dump], target).path) == files(whole)


def test_other_inputs_are_refused_and_again_starts_afresh(tmp_path: Path, dump: Path) -> None:
    target = tmp_path / "c"
    with pytest.raises(Stopped):
        one_build([dump], target, reading=stop_after(10))
    other = DumpOptions(LANGUAGES, more_than_labels=2)
    with pytest.raises(ValueError, match=r"more_than_labels was 1, is 2\. Give the command as it was .*--again"):
        one_build([dump], target, other)
    os.utime(dump, ns=(0, 0))
    with pytest.raises(ValueError, match=r"dumps was .*d\.json\.gz.* is .*'modified_ns': 0"):
        one_build([dump], target)
    assert one_build([dump], target, other, again=True).info.build["more_than_labels"] == 2
    assert not work_folder(target).exists()


def test_two_builds_of_one_target_are_refused(tmp_path: Path, dump: Path) -> None:
    work_folder(tmp_path / "c").mkdir()
    with (work_folder(tmp_path / "c") / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="Another build into this folder is running"):
            one_build([dump], tmp_path / "c")
    one_build([dump], tmp_path / "c")


@pytest.mark.parametrize("moved", [False, True])
def test_a_kill_between_the_last_steps_is_mended(tmp_path: Path, dump: Path, moved: bool) -> None:
    whole = one_build([dump], tmp_path / "whole").path
    target, work = tmp_path / "c", work_folder(tmp_path / "c")
    with pytest.raises(Stopped):
        one_build([dump], target, reading=stop_after(10))
    shutil.copytree(whole, target if moved else work / "corpus")
    (work / "whole").touch()
    with pytest.raises(ValueError, match="exists and is not empty" if moved else "holds an interrupted build of other"):
        one_build([dump], target, DumpOptions(LANGUAGES, more_than_labels=2))
    assert files(one_build([dump], target).path) == files(whole)
    assert not work.exists()


@pytest.mark.parametrize("format", ["gz", "bz2", "zst"])
def test_a_file_that_is_cut_off_stops_the_build_and_lenient_takes_what_there_is(tmp_path: Path, format: str) -> None:
    lines = random_lines(seed=9, items=900)
    whole = COMPRESS[format](b"\n".join(lines))
    cut = tmp_path / f"cut.json.{format}"
    cut.write_bytes(whole[: len(whole) * 4 // 5])
    rest = write(tmp_path, [b"[", b'{"type":"item","id":"Q77777","labels":{"de":{"value":"a"},"en":{"value":"b"}}}'])
    target = tmp_path / "c"
    with pytest.raises(DataError, match=r"cut.json.* is cut off .*Everything before is kept: .*--lenient"):
        one_build([cut, rest], target)
    if format == "gz":  # the others are single blocks of more text than this
        assert len(parts(target)) > 5
    corpus = one_build([cut, rest], target, lenient=True)
    assert corpus.info.build["bad_rows"]["the file is cut off or damaged"] == 1
    assert corpus.table("entities")["id"].to_pylist()[-1] == "Q77777"
    row = next(row for row in read_sidefile(corpus.path) if row["line"] == 0)
    assert row["file"] == str(cut)
    assert "read to byte" in row["reason"]


def test_what_lenient_took_of_a_cut_file_is_no_part_for_a_strict_build(tmp_path: Path) -> None:
    whole = COMPRESS["gz"](b"\n".join(random_lines(seed=9, items=900)))
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(whole[: len(whole) * 4 // 5])
    with pytest.raises(Stopped):
        one_build([cut], tmp_path / "c", lenient=True, assembling=stop_after(1))
    with pytest.raises(DataError, match="is cut off"):
        one_build([cut], tmp_path / "c")


def test_a_worker_that_dies_is_an_error_and_the_build_goes_on(tmp_path: Path, dump: Path) -> None:
    def murder(done: int, total: int) -> None:
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):  # it is dead already
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()

    target = tmp_path / "c"
    with pytest.raises(WorkerError, match=r"ended with code -9.*run the same command again.*fewer --workers"):
        one_build([dump], target, reading=murder)
    assert one_build([dump], target).info.fingerprint == one_build([dump], tmp_path / "whole").info.fingerprint


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_says_how_to_go_on(tmp_path: Path) -> None:
    dump = write(tmp_path, random_lines(seed=5, items=200) * 300, "d.json.gz")
    target = tmp_path / "c"
    code = "from workbench.cli import main; main()"
    asked = f"corpus build wikidata --dump {dump} --out {target} --language en --more-than-labels 0".split()
    command = [sys.executable, "-c", code, *asked]
    process = psutil.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list(work_folder(target).glob("slot-0")) or len(process.children()) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    workers = process.children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert gone(workers)
    assert json.loads((work_folder(target) / "inputs.json").read_text(encoding="utf-8"))["languages"] == ["en"]
    assert not target.exists()
