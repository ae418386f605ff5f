"""What the tests of benchmark readers share: a reader run on a folder, written and opened again."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.rows import RowLog

Built = tuple[BenchmarkData, RowLog]


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Built]:
    """Read a folder with a reader, write the benchmark, open it."""

    def build(read: Callable[..., Draft], folder: Path, lenient: bool = False, **options: float) -> Built:
        log = RowLog(strict=not lenient)
        return read(folder, log, **options).write(tmp_path / "built", log), log

    return build


@pytest.fixture
def files(tmp_path: Path) -> Callable[[dict[str, str | bytes]], Path]:
    """A folder with these files; texts are written as they are, in UTF-8."""

    def make(contents: dict[str, str | bytes]) -> Path:
        home = tmp_path / "source"
        for name, text in contents.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return home

    return make


@pytest.fixture
def sizes() -> Callable[[BenchmarkData, str], dict[tuple[str, str], int]]:
    """(language, split) -> rows of one table."""

    def count(benchmark: BenchmarkData, table: str) -> dict[tuple[str, str], int]:
        found = {(s["language"], s["split"]): s["rows"] for s in benchmark.sizes() if s["table"] == table}
        assert Counter(found).total() == benchmark.info.counts[table]
        return found

    return count
