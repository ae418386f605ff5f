"""One run, one folder: names, status, events, and files that are whole or not there."""

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from core import recipes
from core.config import RunConfig
from core.runs.status import Status
from core.runs.store import RunDir, RunError, list_runs, runs_root, write_atomic

CONFIG = RunConfig(title="Ab c: d!")


@pytest.fixture
def run() -> RunDir:
    return RunDir.create(CONFIG)


def running(pid: int, started: float, **more: object) -> Status:
    return Status("running", "training", pid=pid, pid_started=started, heartbeat=time.time(), **more)


def me() -> float:
    return psutil.Process().create_time()


# Names


def test_a_new_run_is_queued_and_holds_its_config(run: RunDir) -> None:
    assert run.path.parent == runs_root()
    assert run.status().state == "queued"
    assert run.status().pid == 0
    assert run.config == CONFIG
    assert recipes.load(run.config_file) == CONFIG
    assert run.provenance() == {}
    assert list(run.events()) == []
    assert not run.cached


def test_a_name_is_time_title_and_fingerprint(run: RunDir) -> None:
    date, clock, *title, fingerprint = run.name.split("-")
    assert time.strptime(f"{date}-{clock}", "%Y%m%d-%H%M%S")
    assert "-".join(title) == "ab-c-d"
    assert fingerprint == CONFIG.fingerprint()
    untitled = RunDir.create(RunConfig(title="日本語", recipe="paper"))
    assert untitled.name.split("-")[2] == "paper"
    assert len(RunDir.create(RunConfig(title="x" * 300)).name) <= 96


def test_runs_of_one_config_in_one_second_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_: "20260101-000000")
    names = [RunDir.create(CONFIG).name for _ in range(3)]
    stem = f"20260101-000000-ab-c-d-{CONFIG.fingerprint()}"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]
    assert [RunDir.open(name).name for name in names] == names


def test_open_finds_what_create_made(run: RunDir, tmp_path: Path) -> None:
    assert RunDir.open(run.name).path == run.path
    elsewhere = RunDir.create(CONFIG, tmp_path / "other")
    assert RunDir.open(elsewhere.name, [tmp_path / "other"]).path == elsewhere.path


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "A b",
        "",
        ".",
        "..",
        "a/b",
        "a..b",
        "-x",
        ".hidden",
        "x\n",
        "ä",
        "a\\b",
        "/etc",
        "x" * 97,
        "a b",
        "A",
        "x\x00",
    ],
)
def test_what_is_no_run_name_is_refused_before_the_disk_is_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run name"):
        RunDir.open(name, [tmp_path])


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("nothing", "empty"):
        with pytest.raises(RunError, match=f"There is no run '{name}'"):
            RunDir.open(name, [tmp_path, tmp_path / "missing"])


def test_a_link_out_of_the_folder_is_not_followed(run: RunDir, tmp_path: Path) -> None:
    root = tmp_path / "linked"
    root.mkdir()
    (root / "link").symlink_to(run.path)
    with pytest.raises(RunError, match="There is no run"):
        RunDir.open("link", [root])


def test_runs_are_listed_newest_first_over_all_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = [tmp_path / "live", tmp_path / "cached", tmp_path / "none"]
    for stamp, root in (("20260102", 0), ("20260104", 1), ("20260101", 1), ("20260103", 0)):
        monkeypatch.setattr(time, "strftime", lambda *_, stamp=stamp: f"{stamp}-120000")
        RunDir.create(CONFIG, roots[root])
    (roots[0] / "no-run").mkdir()
    (roots[0] / "file").write_text("")
    found = list_runs(roots)
    assert [r.name[:8] for r in found] == ["20260104", "20260103", "20260102", "20260101"]
    assert list_runs([tmp_path / "none"]) == []


def test_a_damaged_config_is_named(run: RunDir) -> None:
    run.config_file.write_text("objective: {temprature: 1}\n")
    with pytest.raises(RunError, match="unreadable config") as error:
        _ = RunDir(run.path).config
    assert run.name in str(error.value)
    assert "did you mean `temperature`" in str(error.value)
    assert RunDir(run.path).problem() == str(error.value)
    assert RunDir.create(CONFIG).problem() is None


# Status


def test_a_status_comes_back_as_it_was_written(run: RunDir) -> None:
    status = Status("failed", "x", 1.5, 3.0, 7, 8.0, 9.0, 10.0, 11.0, 0.5, "why", 12)
    run.write_status(status)
    assert RunDir(run.path).status() == status


def test_fields_of_another_version_are_ignored(run: RunDir) -> None:
    run.status_file.write_text(json.dumps({"state": "stopped", "colour": "red", "message": "m"}))
    assert run.status() == Status("stopped", message="m")


def test_a_run_without_status_is_queued(run: RunDir) -> None:
    run.status_file.unlink()
    assert run.status() == Status()


def test_running_means_that_the_process_is_alive(run: RunDir) -> None:
    run.write_status(running(os.getpid(), me()))
    assert run.status().state == "running"


def test_a_run_whose_process_is_gone_has_died(run: RunDir) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    run.write_status(running(process.pid, time.time(), done=3.0, message="m"))
    status = run.status()
    assert status.state == "died"
    assert (status.done, status.message, status.stage) == (3.0, "m", "training")
    assert json.loads(run.status_file.read_text())["state"] == "running"  # died is never written


def test_a_run_whose_process_number_was_given_to_another_has_died(run: RunDir) -> None:
    run.write_status(running(os.getpid(), me() - 3600))
    assert run.status().state == "died"


def test_a_process_that_waits_to_be_reaped_is_no_longer_alive(run: RunDir) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(process.pid).create_time()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    run.write_status(running(process.pid, started))
    assert run.status().state == "died"
    process.wait()


def test_a_job_that_ends_while_it_is_looked_at_has_not_died(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    run.write_status(running(2**22 + 1, 1.0))

    def gone(status: Status) -> bool:
        run.write_status(replace(status, state="done"))
        return False

    monkeypatch.setattr(Status, "alive", gone)
    assert run.status().state == "done"


@pytest.mark.parametrize("content", [b'{"state": "runn', b"", b"\x00" * 20, b"\xff\xfe", b"[]", b"3"])
def test_a_damaged_status_says_that_the_run_died_and_why(run: RunDir, content: bytes) -> None:
    """So that a list of runs still opens, and the run can be gone on with."""
    run.status_file.write_bytes(content)
    status = run.status()
    assert status.state == "died"
    assert f"{run.status_file} is damaged" in status.message
    assert "\n" not in status.message


@pytest.mark.parametrize("content", [b'{"run": "x', b"\xff", b"[1]"])
def test_a_damaged_provenance_is_named(run: RunDir, content: bytes) -> None:
    run.provenance_file.write_bytes(content)
    with pytest.raises(RunError, match=r"provenance.json is damaged"):
        run.provenance()


def test_seconds_left_follow_from_the_work_of_this_attempt() -> None:
    # 40 of 100 units are done, 10 of them by an earlier attempt; the 30 took 60 s, so the 60 left take 120 s.
    status = Status("running", done=40.0, total=100.0, planned=1000.0, heartbeat=1060.0, skipped=10.0)
    assert status.seconds_left() == pytest.approx(120.0)
    assert replace(status, done=100.0).seconds_left() == 0.0
    assert replace(status, done=10.0).seconds_left() is None  # nothing of its own yet
    assert Status("running", done=0.0, total=100.0).seconds_left() is None
    assert replace(status, total=0.0).seconds_left() is None


# Events


def test_events_come_back_in_order_with_their_time(run: RunDir) -> None:
    before = time.time()
    for i in range(3):
        run.append_event({"event": "step", "step": i, "title": "é\n\u2028x"})
    events = list(run.events())
    assert [e["step"] for e in events] == [0, 1, 2]
    assert {e["title"] for e in events} == {"é\n\u2028x"}
    assert all(before - 1 <= e["time"] <= time.time() + 1 for e in events)
    assert run.events_file.read_bytes().count(b"\n") == 3


def test_a_half_written_last_event_is_left_out(run: RunDir) -> None:
    run.append_event({"event": "a"})
    with run.events_file.open("a") as file:
        file.write('{"event": "b", "valu')
    assert [e["event"] for e in run.events()] == ["a"]


def test_events_of_a_later_attempt_are_read_behind_a_half_written_one(run: RunDir) -> None:
    run.append_event({"event": "a"})
    with run.events_file.open("a") as file:
        file.write('{"event": "b", "valu')
    run.append_event({"event": "c"})
    run.append_event({"event": "d"})
    assert [e["event"] for e in run.events()] == ["a", "d"]


# Files that are whole


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def files(folder: Path) -> list[str]:
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


@pytest.mark.parametrize("call", ["os.replace", "pathlib.Path.write_bytes"])
def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    file = tmp_path / "folder" / "file"
    file.parent.mkdir()
    write_atomic(file, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(call, full_disk)
        with pytest.raises(OSError, match="No space left"):
            write_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert files(file.parent) == ["file"]
    write_atomic(file, b"new")
    assert file.read_bytes() == b"new"
    assert files(file.parent) == ["file"]


def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    write_atomic(file, b"old")
    honest = Path.write_bytes

    def cut_short(path: Path, data: bytes) -> int:
        honest(path, data[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut_short)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(file, b"newer")
    assert file.read_bytes() == b"old"
    assert files(tmp_path) == ["file"]


def test_ranks_and_results_are_replaced_whole_or_not_at_all(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = {"de.entity": np.arange(3)}, {"de.entity": np.arange(5)}
    frame = pd.DataFrame({"language": ["de", None], "value": [1.0, 2.0]})
    run.write_outcomes("kg_completion", "+EP", "zero-shot", old)
    run.write_results(frame)
    before = files(run.path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        with pytest.raises(OSError, match="No space left"):
            run.write_outcomes("kg_completion", "+EP", "zero-shot", new)
        with pytest.raises(OSError, match="No space left"):
            run.write_results(frame.head(1))
    assert files(run.path) == before
    assert run.read_outcomes("kg_completion", "+EP", "zero-shot")["de.entity"].tolist() == [0, 1, 2]
    pd.testing.assert_frame_equal(run.results(), frame)
    run.write_outcomes("kg_completion", "+EP", "zero-shot", new)
    assert run.read_outcomes("kg_completion", "+EP", "zero-shot")["de.entity"].tolist() == [0, 1, 2, 3, 4]
    assert (
        files(run.path)
        == before
        == [
            "config.yaml",
            "outcomes/kg_completion.ep.zero-shot.npz",
            "results.parquet",
            "status.json",
        ]
    )


def test_the_files_of_a_run_can_be_read_by_others(run: RunDir) -> None:
    """Not by the owner alone, as temporary files are."""
    run.write_outcomes("t", "backbone", "zero-shot", {"a": np.arange(2)})
    run.write_results(pd.DataFrame({"a": [1]}))
    mode = run.status_file.stat().st_mode & 0o777
    assert mode & 0o044
    for file in (run.outcome_file("t", "backbone", "zero-shot"), run.results_file):
        assert file.stat().st_mode & 0o777 == mode


# Results


@pytest.mark.parametrize(
    ("state", "hint"), [("queued", False), ("running", False), ("stopped", True), ("failed", True), ("died", True)]
)
def test_a_run_without_results_says_so_in_one_line(run: RunDir, state: str, hint: bool) -> None:
    run.write_status(running(os.getpid(), me() - (state == "died") * 3600))
    if state not in ("running", "died"):
        run.write_status(Status(state))
    with pytest.raises(RunError) as error:
        run.results()
    said = str(error.value)
    assert said.startswith(f"The run {run.name} has no results: its state is {state}.")
    assert (f"workbench resume {run.name}" in said) is hint
    assert "\n" not in said
