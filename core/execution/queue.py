"""The local queue: runs wait in an order and are done one after another, whoever submitted them and whatever became of it.

What waits is the state `queued` of a run's folder and its place in one small file under the runs root. A process of its
own (`python -m core.execution.queue`) starts the runs through the launcher and ends when none waits; killed, it takes no
run with it, and the next one goes on with the same file. Not huey: it neither reorders nor takes over jobs that outlive
its consumer.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from core.execution import launcher
from core.runs.status import Status
from core.runs.store import RunDir, RunError, runs_root, write_atomic

_POLL_SECONDS = 0.5
MOST_SLOTS = 64


@dataclass
class Plan:
    """What the queue's file says.

    Attributes:
        order: Names of the runs that wait, the next one first.
        paused: Whether no further run is started.
        slots: Runs that are done at once.
    """

    order: list[str] = field(default_factory=list)
    paused: bool = False
    slots: int = 1


class Queue:
    """The queue of the runs under `root` (default: `runs_root()`). It owns the names of the queue's files there."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or runs_root()

    plan_file = property(lambda self: self.root / "queue.json")
    log_file = property(lambda self: self.root / "queue.log")
    edit_lock = property(lambda self: self.root / ".queue.edit")
    process_lock = property(lambda self: self.root / ".queue.process")

    def plan(self) -> Plan:
        """What the file says now; the first plan where there is none.

        Raises:
            RunError: If it is damaged.
        """
        try:
            said = json.loads(self.plan_file.read_text(encoding="utf-8"))
            if not isinstance(said, dict):
                raise ValueError(f"it holds {type(said).__name__}, not an object")
            plan = Plan(**{f.name: said[f.name] for f in fields(Plan) if f.name in said})
            plan.order = [str(name) for name in plan.order]
            plan.paused, plan.slots = bool(plan.paused), max(1, int(plan.slots))
        except FileNotFoundError:
            return Plan()
        except (ValueError, TypeError) as error:
            raise RunError(
                f"{self.plan_file} is damaged ({error}). Delete it and submit the runs that wait again: "
                "workbench submit RUN. Their folders are untouched."
            ) from None
        return plan

    def waiting(self) -> list[RunDir]:
        """The runs that wait, the next one first."""
        return self._waiting(self.plan())

    def _waiting(self, plan: Plan) -> list[RunDir]:
        runs = [RunDir(self.root / name) for name in plan.order]
        return [run for run in runs if run.config_file.is_file() and run.status().state == "queued"]

    def busy(self) -> list[RunDir]:
        """The runs that a worker holds, whoever started them: they take slots too."""
        folders = sorted(path.parent for path in self.root.glob("*/.lock"))
        return [run for run in map(RunDir, folders) if launcher.is_held(run)]

    def position(self, run: RunDir) -> int | None:
        """Place of a run among those that wait, from 1; None if it does not wait."""
        names = [waiting.name for waiting in self.waiting()]
        return names.index(run.name) + 1 if run.name in names else None

    def add(self, runs: Sequence[RunDir]) -> None:
        """Put runs at the end, and see to it that the queue is worked on.

        A run that ended early is gone on with when its turn comes.

        Raises:
            RunError: If one is done or running, or lies elsewhere; nothing is queued then.
        """
        for run in runs:
            state = run.status().state
            if run.path.parent.resolve() != self.root.resolve():
                raise RunError(f"The run {run.name} does not lie in {self.root}: only runs there can wait.")
            if state in ("done", "running") or launcher.is_held(run):
                raise RunError(f"The run {run.name} is {state}: it has nothing to wait for.")
        with self._edit() as plan:
            for run in runs:
                run.write_status(replace(run.status(), state="queued", message=""))
            names = [run.name for run in runs]
            plan.order = [name for name in plan.order if name not in names] + names
        self.wake()

    def move(self, run: RunDir, position: int) -> None:
        """Give a run that waits another place, from 1; a place beyond the end is the last.

        Raises:
            RunError: If it does not wait.
        """
        with self._edit() as plan:
            self._take(plan, run)
            plan.order.insert(max(0, position - 1), run.name)

    def cancel(self, run: RunDir) -> None:
        """Take a run that waits out of the queue; its folder stays, with the state `stopped`.

        Raises:
            RunError: If it does not wait.
        """
        with self._edit() as plan:
            self._take(plan, run)
            run.write_status(replace(run.status(), state="stopped", message="taken out of the queue"))

    def pause(self) -> None:
        """Start no further run; those that go on are left alone."""
        with self._edit() as plan:
            plan.paused = True

    def resume(self) -> None:
        """Start runs again, with a new process if the last one is gone."""
        with self._edit() as plan:
            plan.paused = False
        self.wake()

    def set_slots(self, slots: int) -> None:
        """Let `slots` runs be done at once.

        Raises:
            RunError: If it is not between 1 and `MOST_SLOTS`.
        """
        if not 1 <= slots <= MOST_SLOTS:
            raise RunError(f"The queue has between 1 and {MOST_SLOTS} slots, not {slots}.")
        with self._edit() as plan:
            plan.slots = slots
        self.wake()

    def is_worked_on(self) -> bool:
        """Whether a process works on the queue."""
        try:
            with self.process_lock.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def is_abandoned(self) -> bool:
        """Whether runs wait with nobody to start them: the process was killed, or the machine restarted."""
        return bool(self.waiting()) and not self.plan().paused and not self.is_worked_on()

    def wake(self) -> None:
        """Start a process that works on the queue, unless there is one or nothing to do."""
        plan = self.plan()
        if plan.paused or not self._waiting(plan):
            return
        with suppress(BlockingIOError), launcher.held(self.process_lock) as lock:
            launcher.spawn(["core.execution.queue", str(self.root), str(lock)], self.log_file, lock)

    def step(self, lock: int | None = None) -> bool:
        """Start a run if one waits and a slot is free; returns whether there may be more to do.

        Whatever keeps a run from starting is written into its status, and the next one has its turn.

        Args:
            lock: Descriptor that holds `process_lock`. Where there is nothing more to do it is let go while nobody else
                can change the plan, so that whoever adds a run afterwards starts another process.
        """
        with self._edit() as plan:
            waiting = [run for run in self._waiting(plan) if not launcher.is_held(run)]
            plan.order = [run.name for run in waiting]
            if not waiting or plan.paused:
                if lock is not None:
                    os.close(lock)
                return False
            if len(self.busy()) < plan.slots:
                _start(waiting[0])
                del plan.order[0]
        return True

    @contextmanager
    def _edit(self) -> Iterator[Plan]:
        """The plan, for one process at a time; written back if the context ends well and changed it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self.edit_lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.plan()
            plan = replace(before, order=list(before.order))
            yield plan
            if plan != before:
                write_atomic(self.plan_file, json.dumps(asdict(plan), indent=1).encode())

    def _take(self, plan: Plan, run: RunDir) -> None:
        """Put the plan in order and take a run that waits out of it."""
        plan.order = [waiting.name for waiting in self._waiting(plan)]
        if run.name not in plan.order:
            raise RunError(f"The run {run.name} does not wait in the queue: its state is {run.status().state}.")
        plan.order.remove(run.name)


def _start(run: RunDir) -> None:
    try:
        launcher.start(run)
    except (RunError, OSError) as error:
        run.write_status(Status("failed", message=f"{type(error).__name__}: {error}", heartbeat=time.time()))


def main(root: Path, lock: int) -> None:
    """Work on the queue of `root` until there is nothing to do; `lock` is the descriptor that holds its lock."""
    queue = Queue(root)
    while queue.step(lock):
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
