"""The queue: order and edits on made-up runs without a process, and one real queue process that is killed and goes on."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from core import recipes
from core.config import RunConfig
from core.execution import launcher
from core.execution import queue as module
from core.execution.queue import Queue
from core.runs.status import Status
from core.runs.store import RunDir, RunError, runs_root

SECONDS = 300.0


@pytest.fixture
def make(tiny_config: RunConfig) -> Callable[..., RunDir]:
    """Makes a run of one adapter and one measurement."""

    def made(title: str = "one", steps: int = 2) -> RunDir:
        plain = {f"adapters.{role}": None for role in ("tp", "es", "ts", "large")}
        plain |= {"adapters.ep": {"steps": steps, "batch_size": 16}, "tasks.kg_completion": None, "title": title}
        plain |= {"evaluation.zero_shot": ["+EP"], "evaluation.fine_tuned": [], "compute.checkpoint_seconds": 1e-3}
        return RunDir.create(recipes.parse(tiny_config.model_dump(mode="json"), plain))

    return made


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been started as a process."""
    calls: list[list[str]] = []

    class Process:
        pid = os.getpid()

    def spawn(words: list[str], log_file: object, lock: int) -> Process:
        calls.append(list(words))
        return Process()

    monkeypatch.setattr(launcher, "spawn", spawn)
    return calls


@pytest.fixture
def queued(make: Callable[..., RunDir], spawned: list[list[str]]) -> list[RunDir]:
    """Three runs that wait."""
    runs = [make(title) for title in ("a", "b", "c")]
    Queue().add(runs)
    return runs


def names(runs: list[RunDir]) -> list[str]:
    return [run.config.title for run in runs]


def test_runs_wait_in_the_order_they_came(queued: list[RunDir], spawned: list[list[str]]) -> None:
    queue = Queue()
    assert names(queue.waiting()) == ["a", "b", "c"]
    assert [queue.position(run) for run in queued] == [1, 2, 3]
    assert spawned[0][:2] == ["core.execution.queue", str(runs_root())]
    assert queue.is_abandoned()  # nothing was really started


@pytest.mark.parametrize(("position", "expected"), [(1, "cab"), (2, "acb"), (3, "abc"), (9, "abc"), (0, "cab")])
def test_a_run_takes_the_place_it_is_given(queued: list[RunDir], position: int, expected: str) -> None:
    Queue().move(queued[2], position)
    assert names(Queue().waiting()) == list(expected)


def test_a_cancelled_run_waits_no_more(queued: list[RunDir]) -> None:
    Queue().cancel(queued[1])
    assert names(Queue().waiting()) == ["a", "c"]
    assert queued[1].status().state == "stopped"
    with pytest.raises(RunError, match="does not wait in the queue: its state is stopped"):
        Queue().move(queued[1], 1)
    Queue().add([queued[1]])  # it can come back, at the end
    assert names(Queue().waiting()) == ["a", "c", "b"]


def test_each_step_starts_one_run_while_a_slot_is_free(queued: list[RunDir], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[RunDir] = []

    def start(run: RunDir) -> None:
        run.write_status(Status("running"))
        started.append(run)

    monkeypatch.setattr(launcher, "start", start)
    monkeypatch.setattr(
        Queue, "busy", lambda self: [run for run in started if run is not queued[0] or len(started) < 2]
    )
    queue = Queue()
    assert queue.step()
    assert names(started) == ["a"]
    assert queue.step()  # the one slot is taken
    assert names(started) == ["a"]
    queue.set_slots(2)
    assert queue.step()
    assert names(started) == ["a", "b"]
    queue.pause()
    assert not queue.step()
    assert names(queue.waiting()) == ["c"]
    queue.resume()
    monkeypatch.setattr(Queue, "busy", lambda self: [])
    assert queue.step()
    assert names(started) == ["a", "b", "c"]
    assert not queue.step()


def test_a_run_that_cannot_start_fails_and_the_next_one_has_its_turn(
    queued: list[RunDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(run: RunDir) -> None:
        if run.name == queued[0].name:
            raise OSError("No space left on device")
        run.write_status(Status("done"))

    monkeypatch.setattr(launcher, "start", start)
    while Queue().step():
        continue
    assert [run.status().state for run in queued] == ["failed", "done", "done"]
    assert "No space left" in queued[0].status().message


def test_a_folder_that_went_away_is_passed_over(queued: list[RunDir]) -> None:
    queued[0].config_file.unlink()
    assert names(Queue().waiting()) == ["b", "c"]


def test_what_cannot_wait_is_refused_and_nothing_is_queued(
    make: Callable[..., RunDir], finished_run: RunDir, spawned: list[list[str]]
) -> None:
    with pytest.raises(RunError, match="is done: it has nothing to wait for"):
        Queue().add([make(), finished_run])
    assert Queue().waiting() == []
    assert spawned == []
    with pytest.raises(RunError, match="between 1 and 64 slots, not 0"):
        Queue().set_slots(0)


@pytest.mark.parametrize("text", ["{", '{"slots": "many"}', "[]"])
def test_a_damaged_plan_says_what_to_do(queued: list[RunDir], text: str) -> None:
    Queue().plan_file.write_text(text)
    with pytest.raises(RunError, match=r"queue\.json is damaged.*submit"):
        Queue().waiting()
    assert queued[0].status().state == "queued"


def test_a_paused_queue_starts_no_process(make: Callable[..., RunDir], spawned: list[list[str]]) -> None:
    Queue().pause()
    Queue().add([make()])
    assert spawned == []
    assert not Queue().is_abandoned()
    assert json.loads(Queue().plan_file.read_text())["paused"] is True
    Queue().resume()
    assert len(spawned) == 1


# Real processes


@pytest.fixture
def cleared() -> Iterator[None]:
    """Whatever a test started of the queue does not outlive it."""
    yield
    Queue().pause()
    for process in psutil.process_iter(["cmdline"]):
        if str(runs_root()) in " ".join(process.info["cmdline"] or ()):
            process.kill()


def queue_process() -> psutil.Process | None:
    found = (p for p in psutil.process_iter(["cmdline"]) if "core.execution.queue" in (p.info["cmdline"] or ()))
    return next((p for p in found if str(runs_root()) in p.info["cmdline"]), None)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        log = Queue().log_file.read_text() if Queue().log_file.exists() else ""
        assert time.monotonic() < end, log
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("cleared")
def test_the_queue_survives_the_kill_of_its_process(
    make: Callable[..., RunDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the first of three runs goes on: that one ends undisturbed; a new process does the others in order."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.05)
    first, second, third = make("a", 60), make("b"), make("c")
    queue = Queue()
    queue.add([first, second, third])
    wait_until(lambda: first.status().state == "running")
    process = queue_process()
    assert process is not None
    assert os.getsid(process.pid) == process.pid != os.getsid(0)  # no closed terminal reaches it
    assert names(queue.busy()) == ["a"]
    queue.move(third, 1)
    worker = first.status().pid
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not queue.is_worked_on())
    assert queue.is_abandoned()
    assert psutil.pid_exists(worker)
    assert first.status().state == "running"

    queue.resume()
    assert queue.is_worked_on()
    queue.wake()  # a second one is not started
    wait_until(lambda: all(run.status().state == "done" for run in (first, second, third)))
    assert first.status().pid == worker
    assert first.status().heartbeat <= third.status().started + 0.1
    assert third.status().heartbeat <= second.status().started + 0.1
    wait_until(lambda: not queue.is_worked_on())
    assert queue.waiting() == []
    assert queue.log_file.read_text() == ""
