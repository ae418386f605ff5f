"""Where converted and downloaded data lies, and folders that appear whole or not at all."""

import difflib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core import catalog

MANIFEST = "benchmark.json"  # what makes a folder a benchmark


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


def benchmarks_root() -> Path:
    """Folder of the benchmarks that have a name: `benchmarks` among the data sets."""
    return data_root() / "benchmarks"


def benchmark_folder(name_or_path: str | Path) -> Path:
    """Folder of a benchmark, given by its path or by the name that it was built under.

    Raises:
        ValueError: If there is none; the message says which command builds it.
    """
    path, root = Path(name_or_path).expanduser(), benchmarks_root()
    for folder in (path, root / path) if path.name == str(path) else (path,):
        if (folder / MANIFEST).is_file():
            return folder
    if path.name != str(path):
        raise ValueError(f"There is no benchmark in {path}. Build one: workbench benchmark build --help.")
    raise ValueError(f"There is no benchmark {path.name!r}, neither here nor in {root}. {_how_to_build(path.name)}")


def _how_to_build(name: str) -> str:
    known = [row.key for row in catalog.of_kind("benchmark")]
    base, extended, _ = name.partition("-extended")
    if name in known:
        return f"Get its files (workbench data list) and build it: workbench benchmark build {name}"
    if extended and base in known:
        return f"Make it: workbench benchmark extend {base} --labels CORPUS"
    if (base := name.partition("-")[0]) in known:
        return f"Build it: workbench benchmark build {base} --name {name}"
    built = sorted(folder.parent.name for folder in benchmarks_root().glob(f"*/{MANIFEST}"))
    near = difflib.get_close_matches(name, [*built, *known], n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"{hint}Built: {', '.join(built) or 'none'}; `workbench benchmark build` knows: {', '.join(known)}."


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
