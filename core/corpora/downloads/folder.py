"""The folder of a data set: which files are in it, with which bytes, and how new ones take their place."""

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from core.corpora.downloads.registry import DataFile, DownloadError
from core.corpora.downloads.transfer import forget

RECORD = ".downloads"  # JSON: size, date, SHA-256, source of every file that was fetched; readers may glob *.json
LOCK = ".downloads.lock"
PARTIAL = ".partial"  # unfinished files
_CHUNK = 1 << 20
State = Literal["here", "partial", "not here"]


@dataclass(frozen=True, slots=True)
class Digest:
    """Size and checksums of a file."""

    bytes: int
    sha256: str
    git_blob_sha1: str

    @classmethod
    def of(cls, path: Path) -> "Digest":
        """Read a file once for both checksums. Git hashes a header with the size before the bytes."""
        size = path.stat().st_size
        sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                sha256.update(piece)
                sha1.update(piece)
        return cls(size, sha256.hexdigest(), sha1.hexdigest())

    def problem(self, expected: DataFile) -> str:
        """What is wrong with these bytes; empty if nothing is known to be."""
        if expected.bytes is not None and self.bytes != expected.bytes:
            return f"has {self.bytes:,} bytes instead of {expected.bytes:,}"
        for kind, found, due in (
            ("SHA-256", self.sha256, expected.sha256),
            ("Git blob SHA-1", self.git_blob_sha1, expected.git_blob_sha1),
        ):
            if due:
                return f"has the {kind} {found} instead of {due}" if found != due else ""
        return ""


class DataFolder:
    """The folder that one data set is fetched into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()  # of the record, among the threads of this process
        self._record: dict[str, dict[str, Any]] = self._read()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out; waits until they are done."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._record = self._read()
            yield

    def state(self, files: tuple[DataFile, ...]) -> State:
        """Which files are here, by name and size; with no files given, those of the record."""
        if not files:
            files = tuple(DataFile("main", name, "", entry["bytes"]) for name, entry in self._record.items())
        here = [self._has(file) for file in files]
        if here and all(here):
            return "here"
        return "partial" if any(here) or (self.path / PARTIAL).is_dir() else "not here"

    def verified(self, file: DataFile) -> bool:
        """Whether a file is here with the right bytes; read only if the record does not vouch for it."""
        if not self._has(file):
            return False
        path, entry = self.path / file.file, self._record.get(file.file, {})
        if entry.get("mtime_ns") == path.stat().st_mtime_ns:
            digest = Digest(*(entry[part] for part in ("bytes", "sha256", "git_blob_sha1")))
            if digest.bytes == path.stat().st_size:
                return not digest.problem(file)
        if entry and not file.has_checksum:
            return False  # changed since it was fetched
        digest = Digest.of(path)
        if digest.problem(file):
            return False
        self._note(file.file, digest, entry.get("source", ""))
        return True

    def partial(self, file: str) -> Path:
        """Where a file lies until it is whole."""
        return self.path / PARTIAL / file

    def place(self, file: DataFile, source: str) -> Digest:
        """Check the partial file, and put it where it belongs; what was there is moved aside.

        Raises:
            DownloadError: If the bytes are wrong; they are kept aside, and nothing changes.
        """
        part, final = self.partial(file.file), self.path / file.file
        digest = Digest.of(part)
        if problem := digest.problem(file):
            wrong = part.with_name(f"{part.name}.wrong")
            os.replace(part, wrong)
            forget(part)
            raise DownloadError(
                f"{file.file} from {source} {problem}. It was not put in place but kept as {wrong}. Look whether the "
                "source has changed, or give a folder that has the right file with --from."
            )
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            os.replace(final, part.with_name(f"{part.name}.old"))
        os.replace(part, final)
        forget(part)
        self._note(file.file, digest, source)
        return digest

    def tidy(self) -> None:
        """Remove the folder of partial files if it holds none."""
        room = self.path / PARTIAL
        if room.is_dir() and not any(p.is_file() or p.is_symlink() for p in room.rglob("*")):
            shutil.rmtree(room)

    def _has(self, file: DataFile) -> bool:
        path = self.path / file.file
        return path.is_file() and file.bytes in (None, path.stat().st_size)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            return dict(json.loads((self.path / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}  # the files are read again instead

    def _note(self, file: str, digest: Digest, source: str) -> None:
        with self._lock:
            place = {"source": source, "mtime_ns": (self.path / file).stat().st_mtime_ns}
            self._record[file] = asdict(digest) | place
            text = json.dumps(dict(sorted(self._record.items())), indent=1, ensure_ascii=False)
            fresh = self.path / f"{RECORD}.new"
            fresh.write_text(text + "\n", encoding="utf-8")
            os.replace(fresh, self.path / RECORD)
