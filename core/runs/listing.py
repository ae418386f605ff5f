"""The runs on disk for whoever shows many of them often: each config is parsed once, and kept in an index between starts.

Reading the YAML of 200 runs takes half a second, reading the index a hundredth of that. The index is only a copy: an
entry counts while its file has the size and time that it was made from, and all entries while the code that parses
configs is the same, presets included, which a config may extend.
"""

import hashlib
import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core import recipes
from core.config import RunConfig
from core.runs.store import RunDir, list_runs, write_atomic

_Stamp = tuple[int, int]  # time in ns and size in bytes of a config file


@dataclass(frozen=True)
class _Entry:
    stamp: _Stamp
    run: RunDir
    problem: str | None


class Listing:
    """The runs under the roots; safe under several threads.

    Args:
        index: File of the index, made when it is missing; None keeps everything in memory.
    """

    def __init__(self, index: Path | None = None) -> None:
        self.index = index
        self._known: dict[str, _Entry] = {}
        self._stored: dict[str, tuple[_Stamp, str]] = _read(index) if index else {}
        self._lock = threading.Lock()

    def runs(self) -> list[RunDir]:
        """The runs that can be read: live ones first, then those that ship, each newest first.

        A run is the same object, with its config parsed, as long as its config file stays the same.
        """
        return [entry.run for entry in self._entries() if entry.problem is None]

    def unreadable(self) -> dict[str, str]:
        """Name of every run whose config cannot be read, such as one of another version -> why."""
        return {entry.run.name: entry.problem for entry in self._entries() if entry.problem is not None}

    def _entries(self) -> list[_Entry]:
        with self._lock:
            found: dict[str, _Entry] = {}
            for run in sorted(list_runs(), key=lambda one: one.cached):
                key = str(run.path)
                try:
                    stat = run.config_file.stat()
                except OSError:  # deleted since it was listed
                    continue
                stamp = (stat.st_mtime_ns, stat.st_size)
                known = self._known.get(key)
                found[key] = known if known and known.stamp == stamp else self._opened(run, stamp)
            self._known = found
            if {key: entry.stamp for key, entry in found.items() if entry.problem is None} != {
                key: stamp for key, (stamp, _) in self._stored.items()
            }:
                self._write()
            return list(found.values())

    def _opened(self, run: RunDir, stamp: _Stamp) -> _Entry:
        when, config = self._stored.get(str(run.path), (None, ""))
        if when == stamp:
            with suppress(ValueError):  # a damaged entry: the file itself is read
                run.config = RunConfig.model_validate_json(config)
        return _Entry(stamp, run, run.problem())

    def _write(self) -> None:
        """Keep what can be read; no room for it, or no right to write, is no reason to show nothing."""
        readable = {key: entry for key, entry in self._known.items() if entry.problem is None}
        self._stored = {key: (entry.stamp, entry.run.config.model_dump_json()) for key, entry in readable.items()}
        if self.index is not None:
            with suppress(OSError):
                self.index.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(self.index, json.dumps({"code": _code(), "runs": self._stored}).encode())


def _read(index: Path) -> dict[str, tuple[_Stamp, str]]:
    try:
        stored = json.loads(index.read_text(encoding="utf-8"))
        if stored["code"] != _code():
            return {}
        return {str(key): ((int(when), int(size)), str(text)) for key, ((when, size), text) in stored["runs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


@cache
def _code() -> str:
    """Hash of what turns a file into a config."""
    folder = Path(recipes.__file__).parent
    modules = [folder / name for name in ("config.py", "task_config.py", "recipes.py", "recipes.yaml")]
    files = [*modules, *sorted((folder / "presets").glob("*.yaml"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
