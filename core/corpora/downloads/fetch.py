"""Bring a data set into its folder: from where it is public, or from a folder that has it."""

import errno
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from core.corpora.downloads.folder import DataFolder, Digest
from core.corpora.downloads.registry import DataFile, DownloadError
from core.corpora.downloads.transfer import Grown, Stopped, forget, transfer
from core.corpora.records import Progress

_AT_ONCE = 4
_CHUNK = 1 << 20
_SPARE = 1 << 24  # bytes of disk that a download leaves free
_SHOWN = 5  # missing files that a message names


@dataclass
class Outcome:
    """What a call did.

    Attributes:
        here: Files that were here already, with the right bytes.
        placed: Files that were put in place.
        replaced: Those of `placed` that took the place of other bytes, which lie in `.partial` with the suffix `.old`.
        unchecked: Those of `placed` whose bytes nothing could be compared with, and the SHA-256 found.
    """

    here: list[str] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchecked: dict[str, str] = field(default_factory=dict)


def download(
    files: Sequence[DataFile],
    target: Path,
    progress: Progress = lambda done, total: None,
    *,
    attempts: int = 5,
    pause: float = 1.0,
) -> Outcome:
    """Fetch files from where they are public; those that are here with the right bytes are left alone.

    Args:
        files: What to fetch.
        target: Folder of the data set.
        progress: Called with bytes done and in all.
        attempts: Failures in a row before a file is given up.
        pause: Seconds before the second attempt; doubled each time.

    Raises:
        DownloadError: If a file cannot be had or is wrong, or the disk has too little room. Finished files are in
            place, unfinished ones are gone on with by the next call.
    """

    def bring(file: DataFile, part: Path, grown: Grown, stop: threading.Event) -> str:
        def fetch() -> bool:
            checked = file.has_checksum
            return transfer(file.url, part, file.bytes, checked, grown, stop, attempts=attempts, pause=pause)

        # Pieces of two versions of a file may have come together: once more, in one.
        if fetch() and Digest.of(part).problem(file):
            forget(part)
            fetch()
        return file.url

    return _bring_all(files, target, progress, bring)


def take(
    name: str,
    files: Sequence[DataFile],
    source: Path,
    target: Path,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Copy files out of a folder that has them, with the same checks and without a network.

    Args:
        name: The data set.
        files: What to copy.
        source: Folder with the files, or with a folder called `name` that has them.
        target: Folder of the data set.
        progress: Called with bytes done and in all.

    Raises:
        DownloadError: If files are missing (nothing is copied then), or one is wrong.
    """
    places = {f.file: next((p for p in (source / name / f.file, source / f.file) if p.is_file()), None) for f in files}
    here = DataFolder(target)
    if missing := [file.file for file in files if places[file.file] is None and not here.verified(file)]:
        shown = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
        raise DownloadError(
            f"{len(missing)} of {len(files)} files are neither in {source / name} nor in {source}: {shown}. Name "
            "a folder that has them, or leave --from out to download them."
        )

    def bring(file: DataFile, part: Path, grown: Grown, stop: threading.Event) -> str:
        place = places[file.file]
        assert place is not None  # or it was here, and this is not called
        part.parent.mkdir(parents=True, exist_ok=True)
        size = place.stat().st_size
        with place.open("rb") as old, part.open("wb") as new:
            while piece := old.read(_CHUNK):
                if stop.is_set():
                    raise Stopped(file.file)
                new.write(piece)
                grown(new.tell(), size)
        return str(place)

    return _bring_all(files, target, progress, bring)


def _bring_all(
    files: Sequence[DataFile],
    target: Path,
    progress: Progress,
    bring: Callable[[DataFile, Path, Grown, threading.Event], str],
) -> Outcome:
    """Bring what is not here into partial files, several at once; check each, and put it in place."""
    folder, outcome, stop = DataFolder(target), Outcome(), threading.Event()

    def one(file: DataFile, grown: Grown) -> Digest:
        part = folder.partial(file.file)
        try:
            source = bring(file, part, grown, stop)
            return folder.place(file, source)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DownloadError(
                f"The disk of {target} is full; what came of {file.file} is kept. Free some room and call again."
            ) from error

    with folder.held():
        wanted = []
        for file in files:
            if folder.verified(file):
                outcome.here.append(file.file)
            else:
                wanted.append(file)
        changed = {file.file for file in wanted if (target / file.file).is_file()}
        _require_room(folder, wanted)
        meter = _Meter(wanted, progress)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            jobs = {pool.submit(one, file, meter.of(file.file)): file for file in wanted}
            try:
                for job in as_completed(jobs):
                    digest, file = job.result(), jobs[job]
                    outcome.placed.append(file.file)
                    if file.file in changed:
                        outcome.replaced.append(file.file)
                    if not file.has_checksum:
                        outcome.unchecked[file.file] = digest.sha256
            except BaseException:  # the first failure, or Ctrl-C: the other threads end after their present piece
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        folder.tidy()
    return outcome


def _require_room(folder: DataFolder, files: Sequence[DataFile]) -> None:
    parts = {file: folder.partial(file.file) for file in files}
    need = sum((f.bytes or 0) - (p.stat().st_size if p.exists() else 0) for f, p in parts.items() if f.bytes)
    free = shutil.disk_usage(folder.path).free
    if need > 0 and need + _SPARE > free:
        raise DownloadError(
            f"The disk of {folder.path} has {free:,} bytes free, but {need:,} are to come. Free some room, or name "
            "another folder with --to."
        )


class _Meter:
    """Bytes of several files that grow at once, as one progress."""

    def __init__(self, files: Sequence[DataFile], progress: Progress) -> None:
        self._done = {f.file: 0 for f in files}
        self._due = {f.file: f.bytes or 0 for f in files}
        self._progress, self._lock = progress, threading.Lock()

    def of(self, file: str) -> Grown:
        """What the transfer of a file calls."""

        def grown(done: int, due: int | None) -> None:
            with self._lock:
                self._done[file], self._due[file] = done, max(due or 0, done)
                self._progress(sum(self._done.values()), sum(self._due.values()))

        return grown
