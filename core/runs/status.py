"""What a job says of itself in its run folder."""

from dataclasses import dataclass
from typing import Literal

import psutil

State = Literal["queued", "running", "done", "failed", "stopped", "died"]


@dataclass(frozen=True)
class Status:
    """What a job says of itself.

    Attributes:
        state: `died` is never written: it is what a running state means when its process is gone.
        stage: What it is doing, for people.
        done: Work done, in the units of `total`.
        total: Work in all; 0 while unknown.
        pid: Process, with `pid_started` (seconds since the epoch) to tell a reused number.
        heartbeat: When the job last wrote this, seconds since the epoch.
        started: When the job started.
        planned: When it began to work on what `total` counts.
        skipped: Work of `done` that an earlier attempt had done.
        message: Why it ended, for people.
        peak_memory: Largest resident memory so far, bytes.
    """

    state: State = "queued"
    stage: str = ""
    done: float = 0.0
    total: float = 0.0
    pid: int = 0
    pid_started: float = 0.0
    heartbeat: float = 0.0
    started: float = 0.0
    planned: float = 0.0
    skipped: float = 0.0
    message: str = ""
    peak_memory: int = 0

    def seconds_left(self) -> float | None:
        """Estimate from the share of the work done, or None before anything is known."""
        worked = self.done - self.skipped
        if worked <= 0 or self.done > self.total:
            return None
        return (self.heartbeat - self.planned) * (self.total - self.done) / worked

    def alive(self) -> bool:
        """Whether the process that wrote this still lives; a number that another process has taken does not count."""
        try:
            process = psutil.Process(self.pid)
            return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - self.pid_started) < 2
        except psutil.Error:
            return False
