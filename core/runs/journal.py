"""What a job writes while it runs: status with heartbeat and progress, events, and whether it was asked to stop."""

import os
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psutil

from core.runs.status import State, Status
from core.runs.store import RunDir

_SECONDS_BETWEEN_WRITES = 0.5


class Journal:
    """The job's side of a run folder.

    Args:
        run: The run.
        work: Stage -> work in it, in any one unit; their sum is what progress is a share of.
    """

    def __init__(self, run: RunDir, work: Mapping[str, float] | None = None) -> None:
        self.run, self.work, self.stop_requested = run, dict(work or {}), False
        self._finished = 0.0
        self._written = 0.0
        self._begun: set[str] = set()
        now = time.time()
        started = psutil.Process().create_time()
        self.status = Status("running", "starting", 0.0, 0.0, os.getpid(), started, now, now)
        self._write()

    def plan(self, work: Mapping[str, float]) -> None:
        """Say what the job will do: stage -> work."""
        self.work = dict(work)
        self.status = replace(self.status, total=sum(self.work.values()), planned=time.time())

    def begin(self, stage: str, title: str) -> None:
        """Start a stage of the plan."""
        self._begun.add(stage)
        self.run.append_event({"event": "stage", "stage": stage, "title": title})
        self.status = replace(self.status, stage=title)
        self._write()

    def advance(self, stage: str, share: float) -> bool:
        """Say that `share` of a stage is done; returns whether the job was asked to stop."""
        self.status = replace(self.status, done=self._finished + share * self.work.get(stage, 0.0))
        if time.time() - self._written > _SECONDS_BETWEEN_WRITES:
            self._write()
        return self.stop_requested

    def finish(self, stage: str) -> None:
        """A stage of the plan is done, now or in an earlier attempt."""
        work = self.work.get(stage, 0.0)
        self._finished += work
        skipped = self.status.skipped + (0.0 if stage in self._begun else work)
        self.status = replace(self.status, done=self._finished, skipped=skipped)
        self._write()

    def event(self, stage: str, values: Mapping[str, Any]) -> None:
        """Add an event of a stage."""
        self.run.append_event({"event": "step", "stage": stage, **values})

    def end(self, state: State, message: str = "") -> None:
        """Write the last status."""
        self.status = replace(self.status, state=state, message=message)
        self.run.append_event({"event": "end", "state": state, "message": message})
        self._write()

    def _write(self) -> None:
        self._written = time.time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        self.status = replace(self.status, heartbeat=self._written, peak_memory=peak)
        self.run.write_status(self.status)
