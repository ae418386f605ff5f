"""Work of seconds to minutes that goes on while its page is redrawn: one thread a piece, with progress and a stop."""

import threading
from collections.abc import Callable
from typing import Any

Progress = Callable[[int, int], object]
_AT_ONCE = threading.Semaphore(1)  # the machine may have two cores and a training on them


class _Stopped(Exception):
    """The work was told to stop."""


class Background:
    """A piece of work that a thread does; any number of visitors may watch it.

    Args:
        work: What to do; it is given a function to call with (done, in all), which ends it after `stop`.

    Attributes:
        result: What the work returned, once it is done.
        problem: Why there is no result; empty while there may be one.
        share: How much is done, 0 to 1.
    """

    def __init__(self, work: Callable[[Progress], Any]) -> None:
        self._work, self._lock = work, threading.Lock()
        self._thread: threading.Thread | None = None
        self._told = threading.Event()
        self.result: Any = None
        self.problem, self.share = "", 0.0

    @property
    def running(self) -> bool:
        """Whether it waits for its turn or is being done."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin, unless it runs or is done."""
        with self._lock:
            if self.running or self.result is not None:
                return
            self._told.clear()
            self.problem, self.share = "", 0.0
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End it at its next step."""
        self._told.set()

    def wait(self) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not _AT_ONCE.acquire(timeout=0.1):
                self._advance(0, 1)
            try:
                self._advance(0, 1)
                self.result = self._work(self._advance)
            finally:
                _AT_ONCE.release()
        except _Stopped:
            self.problem = "Stopped."
        except (ValueError, OSError) as error:
            self.problem = str(error)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            raise

    def _advance(self, done: int, total: int) -> None:
        if self._told.is_set():
            raise _Stopped
        self.share = done / max(total, 1)
