import json
import os
import time

import psutil
import pytest

from core.config import RunConfig
from core.runs import journal as journal_module
from core.runs.journal import Journal
from core.runs.store import RunDir


@pytest.fixture
def run() -> RunDir:
    return RunDir.create(RunConfig(title="journal"))


class Clock:
    """A clock that goes only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(journal_module.time, "time", clock)
    return clock


def test_a_journal_says_at_once_that_the_job_runs(run: RunDir) -> None:
    before = time.time()
    Journal(run)
    status = run.status()
    assert (status.state, status.stage, status.pid) == ("running", "starting", os.getpid())
    assert status.pid_started == psutil.Process().create_time()
    assert before - 0.01 <= status.started <= status.heartbeat <= time.time()
    assert status.peak_memory > 10_000_000
    assert status.seconds_left() is None


def test_progress_adds_up_to_the_total(run: RunDir) -> None:
    journal = Journal(run)
    journal.plan({"a": 10.0, "b": 30.0, "c": 60.0})
    seen = []
    for stage in ("a", "b", "c"):
        journal.begin(stage, f"doing {stage}")
        for share in (0.5, 1.0):
            assert journal.advance(stage, share) is False
            seen.append(journal.status.done)
        journal.finish(stage)
        seen.append(journal.status.done)
    assert seen == [5, 10, 10, 25, 40, 40, 70, 100, 100]
    journal.end("done")
    status = run.status()
    assert (status.state, status.done, status.total, status.skipped, status.stage) == ("done", 100, 100, 0, "doing c")


def test_stages_of_an_earlier_attempt_count_as_done_but_not_as_worked(run: RunDir, clock: Clock) -> None:
    journal = Journal(run)
    clock.now = 1100.0
    journal.plan({"a": 10.0, "b": 30.0, "c": 60.0})
    journal.finish("a")
    journal.finish("b")
    assert (journal.status.done, journal.status.skipped) == (40, 40)
    assert journal.status.seconds_left() is None
    journal.begin("c", "doing c")
    clock.now = 1120.0
    journal.advance("c", 0.25)
    # 15 of the 60 units that are left to this attempt took 20 s; the other 45 take 60 s.
    assert run.status().seconds_left() == pytest.approx(60.0)
    journal.finish("c")
    assert (journal.status.done, journal.status.skipped) == (100, 40)


def test_stages_outside_the_plan_are_no_work(run: RunDir) -> None:
    journal = Journal(run)
    journal.begin("prepare", "preparing")
    journal.advance("prepare", 0.5)
    journal.finish("prepare")
    journal.plan({"a": 4.0})
    journal.advance("a", 0.5)
    assert (journal.status.done, journal.status.total) == (2.0, 4.0)


def test_the_status_is_written_at_most_twice_a_second(run: RunDir, clock: Clock) -> None:
    journal = Journal(run)
    journal.plan({"a": 100.0})
    journal.begin("a", "doing a")
    said = []
    for i in range(1, 9):
        clock.now += 0.2
        journal.advance("a", i / 100)
        said.append(json.loads(run.status_file.read_text())["done"])
    assert said == [0, 0, 3, 3, 3, 6, 6, 6]


def test_a_request_to_stop_is_passed_on(run: RunDir) -> None:
    journal = Journal(run)
    assert journal.advance("a", 0.1) is False
    journal.stop_requested = True
    assert journal.advance("a", 0.2) is True


def test_events_and_end_are_in_the_folder(run: RunDir) -> None:
    journal = Journal(run)
    journal.begin("ep", "training adapter EP")
    journal.event("ep", {"step": 1, "loss": 2.5})
    journal.end("failed", "CorpusError: gone")
    events = [{k: v for k, v in e.items() if k != "time"} for e in run.events()]
    assert events == [
        {"event": "stage", "stage": "ep", "title": "training adapter EP"},
        {"event": "step", "stage": "ep", "step": 1, "loss": 2.5},
        {"event": "end", "state": "failed", "message": "CorpusError: gone"},
    ]
    status = run.status()
    assert (status.state, status.message, status.stage) == ("failed", "CorpusError: gone", "training adapter EP")


def test_a_second_attempt_starts_a_new_status_and_goes_on_with_the_events(run: RunDir) -> None:
    first = Journal(run)
    first.plan({"a": 1.0})
    first.end("stopped", "on request")
    Journal(run)
    status = run.status()
    assert (status.state, status.message, status.total) == ("running", "", 0.0)
    assert [e["event"] for e in run.events()] == ["end"]
