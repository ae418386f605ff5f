"""One run, one folder. This class owns every file name in it; nothing else spells one.

    config.yaml  provenance.json  status.json  events.jsonl  results.parquet  outcomes/*.npz
    fusion_map.parquet  space/*.npz  log.txt  checkpoints/<stage>/

Files are the protocol between a job and whoever watches it: a job does not know that an app exists, and the app never
holds a pipe to a job. Every file is written under a temporary name and moved into place; `events.jsonl` and `log.txt`
grow by whole lines.
"""

import io
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from core import recipes
from core.config import RunConfig
from core.evaluation.protocols import Weights
from core.runs.status import Status

DONE = "done.json"  # what a stage writes last into its folder
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}", re.ASCII)


class RunError(ValueError):
    """A run does not exist, cannot be read, or lacks what is asked of it."""


def runs_root() -> Path:
    """Folder of the live runs: `WORKBENCH_RUNS`, else `runs` in a checkout, else the user's data folder."""
    if chosen := os.environ.get("WORKBENCH_RUNS"):
        return Path(chosen).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "runs"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "mlki-workbench" / "runs"


def cached_root() -> Path:
    """Folder of the runs that ship with the project."""
    return Path(__file__).resolve().parents[2] / "cached_runs"


class RunDir:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, config: RunConfig, root: Path | None = None) -> Self:
        """A new queued run under `root` (default: `runs_root()`), named by time, title and fingerprint."""
        root = root or runs_root()
        slug = re.sub(r"[^a-z0-9]+", "-", config.title.lower()).strip("-")[:40] or config.recipe
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{config.fingerprint()}"
        for attempt in range(1, 1000):
            path = root / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            run = cls(path)
            write_atomic(run.config_file, config.to_yaml().encode())
            run.write_status(Status(heartbeat=time.time()))
            return run
        raise RunError(f"No free name for a run under {root}.")

    @classmethod
    def open(cls, name: str, roots: list[Path] | None = None) -> Self:
        """The run called `name`, in the first of `roots` (default: live, then cached) that has it.

        Raises:
            RunError: If the name is no run name, or there is no such run.
        """
        if not _NAME.fullmatch(name) or ".." in name:
            raise RunError(f"{name!r} is no run name: lower-case letters, digits, dots, dashes and underscores only.")
        for root in roots or [runs_root(), cached_root()]:
            path = root / name
            if (path / "config.yaml").is_file() and path.resolve().parent == root.resolve():
                return cls(path)
        raise RunError(f"There is no run {name!r}. `workbench runs` lists those there are.")

    @classmethod
    def find(cls, name_or_folder: str) -> Self:
        """The run with this name, or in this folder.

        Raises:
            RunError: If there is neither.
        """
        folder = Path(name_or_folder).expanduser()
        return cls(folder) if (folder / "config.yaml").is_file() else cls.open(name_or_folder)

    @property
    def name(self) -> str:
        """Name of the run: its folder's."""
        return self.path.name

    @property
    def cached(self) -> bool:
        """Whether the run ships with the project."""
        return self.path.parent == cached_root()

    config_file = property(lambda self: self.path / "config.yaml")
    provenance_file = property(lambda self: self.path / "provenance.json")
    status_file = property(lambda self: self.path / "status.json")
    events_file = property(lambda self: self.path / "events.jsonl")
    results_file = property(lambda self: self.path / "results.parquet")
    fusion_map_file = property(lambda self: self.path / "fusion_map.parquet")
    log_file = property(lambda self: self.path / "log.txt")
    lock_file = property(lambda self: self.path / ".lock")

    def outcome_file(self, task: str, system: str, mode: str, weights: Weights = "reported") -> Path:
        """File of the ranks or predictions of one system on one task in one mode, with some of its weights."""
        end = "" if weights == "reported" else f".{weights}"
        return self.path / "outcomes" / f"{task}.{system.lstrip('+').lower()}.{mode}{end}.npz"

    def space_file(self, name: str) -> Path:
        """File of an entity space (`core.runs.spaces`)."""
        return self.path / "space" / f"{name}.npz"

    def checkpoint_dir(self, stage: str) -> Path:
        """Folder of what a stage leaves, and of its state while it runs."""
        return self.path / "checkpoints" / stage

    def is_done(self, stage: str) -> bool:
        """Whether a stage has left all its files."""
        return (self.checkpoint_dir(stage) / DONE).is_file()

    @cached_property
    def config(self) -> RunConfig:
        """The run's config.

        Raises:
            RunError: If it cannot be read.
        """
        try:
            return recipes.load(self.config_file)
        except recipes.ConfigError as error:
            raise RunError(f"The run {self.name} has an unreadable config. {error}") from None

    def provenance(self) -> dict[str, Any]:
        """What made the run; empty before it started."""
        return _read_json(self.provenance_file)

    def problem(self) -> str | None:
        """Why the run cannot be shown, or None."""
        try:
            self.config  # noqa: B018
        except RunError as error:
            return str(error)
        return None

    def status(self) -> Status:
        """What the job says of itself; `died` where it says running and its process is gone, or says nothing sensible."""
        status = self._said()
        if status.state == "running" and not status.alive():
            # It may have ended between the read and the look at its process: read once more.
            again = self._said()
            status = replace(again, state="died") if again.state == "running" else again
        return status

    def _said(self) -> Status:
        try:
            said = _read_json(self.status_file)
            return Status(**{f.name: said[f.name] for f in fields(Status) if f.name in said})
        except (RunError, TypeError) as error:
            return Status("died", message=str(error))

    def write_status(self, status: Status) -> None:
        """Replace the status."""
        write_atomic(self.status_file, json.dumps(asdict(status)).encode())

    def append_event(self, event: Mapping[str, Any]) -> None:
        """Add one event as a line."""
        with self.events_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 3), **event}) + "\n")

    def events(self) -> Iterator[dict[str, Any]]:
        """The events so far; a line that was cut short is left out, with the event that a later attempt put behind it."""
        yield from self.events_from(0)[0]

    def events_from(self, position: int) -> tuple[list[dict[str, Any]], int]:
        """The events from a byte of the file on, and the byte to go on from; a half-written last line waits."""
        if not self.events_file.is_file():
            return [], 0
        with self.events_file.open("rb") as file:
            file.seek(position)
            data = file.read()
        data, found = data[: data.rfind(b"\n") + 1], []
        for line in data.split(b"\n")[:-1]:
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line.decode("utf-8", "replace")))
        return found, position + len(data)

    def write_outcomes(
        self, task: str, system: str, mode: str, arrays: Mapping[str, np.ndarray], weights: Weights = "reported"
    ) -> None:
        """Store the ranks or predictions of one system on one task in one mode, with some of its weights."""
        file = self.outcome_file(task, system, mode, weights)
        file.parent.mkdir(exist_ok=True)
        room = io.BytesIO()
        np.savez_compressed(room, **arrays)  # type: ignore[arg-type]
        write_atomic(file, room.getvalue())

    def read_outcomes(self, task: str, system: str, mode: str, weights: Weights = "reported") -> dict[str, np.ndarray]:
        """What `write_outcomes` stored."""
        with np.load(self.outcome_file(task, system, mode, weights), allow_pickle=False) as arrays:
            return dict(arrays)

    def add_fusion_map(self, task: str, rows: pd.DataFrame) -> None:
        """Store the fusion map of a task beside those of the other tasks, in place of an earlier one of its own."""
        if self.fusion_map_file.is_file():
            stored = pd.read_parquet(self.fusion_map_file)
            rows = pd.concat([stored[stored.task != task], rows], ignore_index=True)
        write_atomic(self.fusion_map_file, rows.to_parquet(index=False))

    def fusion_map(self) -> pd.DataFrame:
        """The fusion maps of the run's tasks, with the columns of `core.evaluation.fusion_map`.

        Raises:
            RunError: If the run has none.
        """
        if not self.fusion_map_file.is_file():
            if self.config.evaluation.fusion_map is None:
                reason = "its config has no evaluation.fusion_map, the field that makes one. Train a run that has it: "
                reason += f"workbench run {self.config_file} --set evaluation.fusion_map={{}}"
            else:
                reason = f"it is made when +Fusion is fine-tuned, and the run's state is {self.status().state}."
            raise RunError(f"The run {self.name} has no fusion map: {reason}")
        return pd.read_parquet(self.fusion_map_file)

    def write_results(self, rows: pd.DataFrame) -> None:
        """Replace the results."""
        write_atomic(self.results_file, rows.to_parquet(index=False))

    def results(self) -> pd.DataFrame:
        """The results.

        Raises:
            RunError: If the run has none.
        """
        self.require_results()
        return pd.read_parquet(self.results_file)

    def require_results(self) -> None:
        """Raise `RunError` if the run has no results."""
        if not self.results_file.is_file():
            state = self.status().state
            hint = "" if state in ("queued", "running") else f" Go on with it: workbench resume {self.name}."
            if state == "done":
                hint = " It trained adapters and measured no task."
            raise RunError(f"The run {self.name} has no results: its state is {state}.{hint}")


def list_runs(roots: list[Path] | None = None) -> list[RunDir]:
    """The runs under `roots` (default: live and cached), newest first."""
    found = [
        RunDir(path.parent)
        for root in roots or [runs_root(), cached_root()]
        if root.is_dir()
        for path in root.glob("*/config.yaml")
    ]
    return sorted(found, key=lambda run: run.name, reverse=True)


def write_atomic(file: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never a part."""
    room = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        room.write_bytes(data)
        os.replace(room, file)
    finally:
        room.unlink(missing_ok=True)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"it holds {type(found).__name__}, not an object")
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RunError(f"{file} is damaged: {error}.") from None
    return found
