"""Processes that parse parts while the parent decompresses the next ones.

Text goes through memory-mapped files in the work folder, which are never copied (and, unlike /dev/shm in containers,
are not limited to 64 MB). A worker ends when its parent is gone: its pipe closes.
"""

import gc
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import mmap
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.corpora.wikidata.items import Parser
from core.corpora.wikidata.options import DumpOptions

_QUEUED = 2  # jobs per worker, so that none waits while the parent is busy


class WorkerError(RuntimeError):
    """A worker process failed or was ended from outside."""


@dataclass(frozen=True, slots=True)
class Job:
    """One part: the first `size` bytes of a slot, to be parsed into the file `part`."""

    slot: int
    size: int
    part: Path
    end: int
    last: bool
    cut: bool


class Workers:
    """Worker processes and the slots that they read from.

    Args:
        count: Processes.
        folder: Where the slots' files lie while the workers run.
        slot_bytes: Size of a slot.
        options: What the workers keep.
    """

    def __init__(self, count: int, folder: Path, slot_bytes: int, options: DumpOptions) -> None:
        self._count, self._options = count, options
        self._slot_bytes = slot_bytes
        self._files = [folder / f"slot-{i}" for i in range(_QUEUED * count + 1)]

    def __enter__(self) -> Self:
        self.slots: list[mmap] = []
        for path in self._files:
            path.unlink(missing_ok=True)  # a worker of a killed build may still read the old file
            with path.open("w+b") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self._slot_bytes)  # a full disk is an error here, not a crash
                file.truncate(self._slot_bytes)
                self.slots.append(mmap(file.fileno(), self._slot_bytes))
        self._free = list(range(len(self.slots)))
        context = multiprocessing.get_context("spawn")  # the parent has threads: a fork could hang
        self._processes: dict[Connection, Any] = {}
        self._queued: dict[Connection, int] = {}
        with _interrupts_ignored():
            for _ in range(self._count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, self._files, self._options), daemon=True)
                process.start()
                theirs.close()
                self._processes[ours], self._queued[ours] = process, 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for pipe, process in self._processes.items():
            pipe.close()
            if error is not None:
                process.terminate()
        for process in self._processes.values():
            process.join()
        self.slots.clear()  # not closed: an error's traceback may still hold a view of one
        for path in self._files:
            path.unlink(missing_ok=True)

    def free_slot(self) -> int:
        """Number of a slot that nobody reads; waits for one.

        Raises:
            WorkerError: If a worker failed.
        """
        while not self._free:
            self._receive()
        return self._free.pop()

    def give_back(self, slot: int) -> None:
        """Return a slot that holds nothing to parse."""
        self._free.append(slot)

    def submit(self, job: Job) -> None:
        """Have a part parsed.

        Raises:
            WorkerError: If a worker failed.
        """
        pipe = min(self._queued, key=lambda p: self._queued[p])
        try:
            pipe.send(job)
        except OSError:
            raise self._died(pipe) from None
        self._queued[pipe] += 1

    def finish(self) -> None:
        """Wait until everything submitted is done.

        Raises:
            WorkerError: If a worker failed.
        """
        while any(self._queued.values()):
            self._receive()

    def _receive(self) -> None:
        for pipe in wait(list(self._processes)):
            assert isinstance(pipe, Connection)
            try:
                answer = pipe.recv()
            except (EOFError, OSError):
                raise self._died(pipe) from None
            if isinstance(answer, str):
                raise WorkerError(f"A worker failed; finished parts are kept.\n{answer}")
            self._queued[pipe] -= 1
            self._free.append(answer)

    def _died(self, pipe: Connection) -> WorkerError:
        process = self._processes[pipe]
        process.join(5)
        return WorkerError(
            f"A worker process ended with code {process.exitcode}, perhaps for want of memory. Finished parts are kept: "
            "run the same command again, if need be with fewer --workers."
        )


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started within ignore Ctrl-C, which goes to the whole group: the parent ends its workers itself."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(pipe: Connection, slots: list[Path], options: DumpOptions) -> None:
    gc.disable()  # nothing here makes cycles
    parser = Parser(options)
    texts: dict[int, mmap] = {}
    try:
        while True:
            job: Job = pipe.recv()
            if job.slot not in texts:
                with slots[job.slot].open("r+b") as file:
                    texts[job.slot] = mmap(file.fileno(), 0)
            part = parser.parse(texts[job.slot], job.size)
            part.end, part.last, part.cut = job.end, job.last, job.cut
            part.write(job.part)
            pipe.send(job.slot)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is done, or gone
    except Exception:
        pipe.send(traceback.format_exc())
