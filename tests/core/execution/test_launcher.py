"""Real worker processes on the tiny run: start, stop, kill, go on. Few of them, since each takes seconds to start."""

import errno
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from core import recipes
from core.config import RunConfig
from core.execution import launcher
from core.execution.launcher import is_held, start, stop
from core.execution.worker import main
from core.runs.status import Status
from core.runs.store import RunDir, RunError

SECONDS = 60.0


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def started() -> Iterator[list[int]]:
    """Process ids of workers, which do not outlive the test."""
    ids: list[int] = []
    yield ids
    for pid in ids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.fixture
def make(tiny_config: RunConfig) -> Callable[..., RunDir]:
    """Makes a run of one adapter and one measurement."""

    def made(steps: int = 2, **changes: object) -> RunDir:
        plain = {f"adapters.{role}": None for role in ("tp", "es", "ts", "large")}
        plain |= {"adapters.ep": {"steps": steps, "batch_size": 16}, "tasks.kg_completion": None}
        plain |= {"evaluation.zero_shot": ["+EP"], "evaluation.fine_tuned": [], "compute.checkpoint_seconds": 1e-3}
        return RunDir.create(recipes.parse(tiny_config.model_dump(mode="json"), plain | changes))

    return made


def wait_until(condition: Callable[[], bool], run: RunDir) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        log = run.log_file.read_text() if run.log_file.exists() else ""
        assert time.monotonic() < end, f"{run.status()}\n{log}"
        time.sleep(0.05)


def ended(run: RunDir) -> Status:
    """The status after the process has ended and let the folder go."""
    wait_until(lambda: run.status().state != "running" and not is_held(run), run)
    return run.status()


def trained(run: RunDir) -> list[int]:
    return [e["step"] for e in run.events() if e["event"] == "step" and "step" in e]


@pytest.mark.slow
def test_a_run_survives_a_stop_and_a_kill(make: Callable[..., RunDir], started: list[int]) -> None:
    """Stopped on request, then killed, then done: with the results of a run that nobody disturbed."""
    run = make(steps=150)
    assert not is_held(run)
    before = time.time()
    pid = start(run)
    started.append(pid)
    status = run.status()
    assert (status.state, status.pid) == ("running", pid)
    assert before - 1 <= status.started <= time.time()
    assert os.getsid(pid) == pid != os.getsid(0)  # no Ctrl-C of ours reaches it
    assert is_held(run)
    with pytest.raises(RunError, match=rf"The run {run.name} is running already \(process {pid}\)"):
        start(run)

    wait_until(lambda: len(trained(run)) >= 2, run)
    assert stop(run) == "stopped"
    status = run.status()
    assert (status.state, status.message) == ("stopped", "stopped on request; resume it to go on")
    assert (run.checkpoint_dir("ep") / "state.pt").is_file()
    first = trained(run)
    assert first == list(range(1, len(first) + 1))
    assert len(first) < 150

    started.append(start(run))  # at once: a stopped run holds its folder no more
    wait_until(lambda: len(trained(run)) >= len(first) + 2, run)
    os.kill(started[-1], signal.SIGKILL)
    wait_until(lambda: not is_held(run), run)
    assert run.status().state == "died"
    with pytest.raises(RunError, match=rf"its state is died\. Go on with it: workbench resume {run.name}"):
        run.results()
    second = trained(run)
    assert second[: len(first) + 1] == [*first, len(first) + 1]
    assert second[-1] < 150

    started.append(start(run))
    status = ended(run)
    assert (status.state, status.message) == ("done", "")
    last = trained(run)[len(second) :]
    assert last[-1] == 150
    assert len(first) < last[0] <= second[-1] + 1
    assert len(run.provenance()["attempts"]) == 3
    wait_until(lambda: not psutil.pid_exists(started[-1]), run)  # reaped
    with pytest.raises(RunError, match=f"The run {run.name} is done"):
        start(run)

    undisturbed = make(steps=150)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(undisturbed.path) == 0
    finally:
        signal.signal(signal.SIGTERM, handler)
    pd.testing.assert_frame_equal(run.results(), undisturbed.results(), check_exact=True)


def test_a_worker_that_fails_at_once_says_why(make: Callable[..., RunDir], started: list[int], tmp_path: Path) -> None:
    run = make(**{"corpus.folder": str(tmp_path / "gone")})
    started.append(start(run))
    status = ended(run)
    assert status.state == "failed"
    assert status.message.startswith(f"CorpusError: There is no corpus in {tmp_path / 'gone'}")
    assert "\n" not in status.message
    log = run.log_file.read_text()
    assert "Traceback" in log
    assert "CorpusError" in log


# Without a process


class Spawned:
    """Takes the place of `subprocess.Popen`: remembers how it was called, and is this process."""

    calls: list[tuple[list[str], dict]]

    def __init__(self, command: list[str], **options: object) -> None:
        self.calls.append((command, options))
        self.pid = os.getpid()

    def wait(self) -> int:
        return 0


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> type[Spawned]:
    Spawned.calls = []
    monkeypatch.setattr(launcher.subprocess, "Popen", Spawned)
    return Spawned


@pytest.mark.parametrize("state", ["queued", "stopped", "failed", "died"])
def test_whatever_has_ended_early_can_be_started(
    make: Callable[..., RunDir], spawned: type[Spawned], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_PORT", "8501")
    run = make()
    run.write_status(Status("running", pid=2**22 + 1) if state == "died" else Status(state))
    assert run.status().state == state
    start(run)
    ((command, options),) = spawned.calls
    assert command[1:] == ["-m", "core.execution.worker", str(run.path)]
    assert options["start_new_session"] is True
    assert "STREAMLIT_SERVER_PORT" not in options["env"]
    root = Path(options["env"]["PYTHONPATH"].split(os.pathsep)[0])
    assert (root / "core" / "execution" / "worker.py").is_file()
    assert not is_held(run)  # the launcher lets go of it: only the worker would hold it


def test_a_held_folder_is_not_started_twice(make: Callable[..., RunDir], spawned: type[Spawned]) -> None:
    run = make()
    with run.lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_held(run)
        with pytest.raises(RunError, match="is running already"):
            start(run)
    assert not is_held(run)
    assert spawned.calls == []


def test_a_worker_that_cannot_be_started_leaves_the_folder_free(
    make: Callable[..., RunDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(launcher.subprocess, "Popen", refused)
    run = make()
    with pytest.raises(OSError, match="Cannot allocate"):
        start(run)
    assert not is_held(run)
    assert run.status().state == "queued"


def test_a_run_that_ships_with_the_project_is_not_run_again(
    finished_run: RunDir, spawned: type[Spawned], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.store.cached_root", lambda: finished_run.path.parent)
    before = finished_run.status_file.read_bytes()
    with pytest.raises(RunError, match=rf"ships with the project.*workbench run {finished_run.config_file}"):
        start(finished_run)
    assert spawned.calls == []
    assert finished_run.status_file.read_bytes() == before


@pytest.mark.parametrize("state", ["queued", "done", "failed", "stopped", "died"])
def test_only_a_running_run_can_be_stopped(make: Callable[..., RunDir], state: str) -> None:
    run = make()
    run.write_status(Status("running", pid=2**22 + 1) if state == "died" else Status(state))
    with pytest.raises(RunError, match=f"is not running: its state is {state}"):
        stop(run)


def test_stop_does_not_wait_longer_than_asked(make: Callable[..., RunDir], monkeypatch: pytest.MonkeyPatch) -> None:
    run = make()
    sent = []
    monkeypatch.setattr(psutil.Process, "send_signal", lambda process, number: sent.append((process.pid, number)))
    me = psutil.Process()
    run.write_status(Status("running", pid=me.pid, pid_started=me.create_time()))
    begun = time.monotonic()
    assert stop(run, wait=0) == "running"
    assert stop(run, wait=0.3) == "running"
    assert time.monotonic() - begun < 5
    assert sent == [(me.pid, signal.SIGTERM)] * 2
