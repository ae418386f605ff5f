"""Where converted and downloaded data lies, and folders that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """Folder of what can be made again (backbones, corpora, tokens): `WORKBENCH_CACHE`, else the user's cache folder."""
    if chosen := os.environ.get("WORKBENCH_CACHE"):
        return Path(chosen).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlki-workbench"


def data_root() -> Path:
    """Folder of downloaded data sets: `WORKBENCH_DATA`, else `data` beside what is cached."""
    if chosen := os.environ.get("WORKBENCH_DATA"):
        return Path(chosen).expanduser().resolve()
    return cache_root() / "data"


def refuse_existing(target: Path) -> None:
    """Keep a command from writing over something.

    Raises:
        ValueError: If `target` is a file or a folder that is not empty.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} exists and is not empty; name another folder, or remove it first.")


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `target` when the context ends well, and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield room
        room.chmod(0o755)  # mkdtemp makes it private
        shutil.rmtree(target, ignore_errors=True)
        os.replace(room, target)
    finally:
        shutil.rmtree(room, ignore_errors=True)
