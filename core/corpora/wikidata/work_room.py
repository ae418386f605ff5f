"""The folder of a build on its way: finished parts, what they were made of, and a lock against a second build.

Parts lie in a folder named by a key of all inputs, so a worker that outlives a killed build for a moment can only
write what belongs there.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.corpora.wikidata.parts import Part, read_part

BUILD_VERSION = 1  # part of the key; raise it when parsing changes


def work_folder(target: Path) -> Path:
    """Where the build of `target` works."""
    return target.parent / f".{target.name}.building"


@contextmanager
def locked(work: Path) -> Iterator[Path]:
    """The work folder, held by this process alone.

    Raises:
        ValueError: If another process holds it.
    """
    while True:
        work.mkdir(parents=True, exist_ok=True)
        with (work / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(
                    f"Another build into this folder is running: it holds {work / 'lock'}. Wait, or name another folder."
                ) from None
            if _still_there(work / "lock", lock.fileno()):
                yield work
                return


def _still_there(path: Path, descriptor: int) -> bool:
    """False if the build that held the lock ended, and removed its folder, after this one opened the file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class WorkRoom:
    """The files in a work folder.

    Args:
        work: The folder.
        inputs: Everything that decides what the parts hold, for JSON.

    Attributes:
        corpus: The corpus before it is moved to its place.
        whole: There once the corpus is whole; if the corpus is not, it was moved already.
    """

    def __init__(self, work: Path, inputs: Mapping[str, Any]) -> None:
        self._work, self._inputs = work, dict(inputs)
        self._plan = work / "inputs.json"
        key = hashlib.sha256(json.dumps(self._inputs, sort_keys=True).encode()).hexdigest()[:16]
        self._parts = work / f"parts-{key}"
        self.corpus, self.whole = work / "corpus", work / "whole"

    def is_whole(self) -> bool:
        """Whether an earlier build of these inputs was killed after it had made the corpus."""
        return self.whole.exists() and not self._differences()

    def prepare(self, again: bool) -> None:
        """Clear the folder of all but the parts of these inputs.

        Args:
            again: Clear it of those too, and of those of other inputs.

        Raises:
            ValueError: If it holds parts of other inputs, and not `again`; the message says what differs.
        """
        if not again and (other := self._differences()):
            raise ValueError(
                f"{self._work} holds an interrupted build of other inputs: {'; '.join(other)}. "
                "Give the command as it was to go on with it, or add --again to start afresh."
            )
        self.whole.unlink(missing_ok=True)
        for path in self._work.iterdir():
            if path.is_dir() and (again or path != self._parts):
                shutil.rmtree(path)
        self._parts.mkdir(exist_ok=True)
        temporary = self._plan.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._inputs), encoding="utf-8")
        os.replace(temporary, self._plan)

    def _differences(self) -> list[str]:
        """What was other in the build that the folder holds."""
        if not self._plan.is_file():
            return []
        found = json.loads(self._plan.read_text(encoding="utf-8"))
        return [
            f"{key} was {found.get(key)}, is {value}" for key, value in self._inputs.items() if found.get(key) != value
        ]

    def part(self, shard: int, number: int) -> Path:
        """File of a part of a shard."""
        return self._parts / f"{shard:05}-{number:07}.part"

    def finished(self, shard: int, lenient: bool) -> tuple[int, Part | None]:
        """Number of a shard's parts that are there without a gap, and the last of them.

        A part that ends where its file is damaged counts only for a lenient build.
        """
        count = 0
        while self.part(shard, count).is_file():
            count += 1
        if not count:
            return 0, None
        found = read_part(self.part(shard, count - 1))
        if found.cut and not lenient:
            self.part(shard, count - 1).unlink()
            return self.finished(shard, lenient)
        return count, found

    def remove(self) -> None:
        """Remove the folder; what says that the corpus is whole goes last."""
        for path in sorted(self._work.iterdir(), key=lambda p: p == self.whole):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        self._work.rmdir()
