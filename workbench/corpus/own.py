"""A visitor's own files as a corpus: read leniently for a preview, then built under a name in the data folder.

The formats are those of `workbench corpus build own` (`core.corpora.sources.own`).
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.corpora import statistics
from core.corpora.checks.finding import Finding
from core.corpora.graph import Graph
from core.corpora.lint import lint
from core.corpora.rows import DataError, RowLog
from core.corpora.sources.own import COLUMNS, read
from core.corpora.statistics import Statistics
from core.corpora.store import Corpus
from core.folders import data_root

MOST_MIB, MOST_ROWS, SHOWN = 20, 300_000, 500
SUFFIXES = (".tsv", ".jsonl")
EXAMPLES = {
    "labels": "entity\tlanguage\ttext\nQ64\ten\tBerlin\nQ64\tar\tبرلين\n",
    "pairs": "language_a\ttext_a\tlanguage_b\ttext_b\nde\tBrücke\ttr\tköprü\n",
    "triples": "subject\trelation\tobject\nQ64\tP17\tQ183\n",
    "sentences": "entity\tlanguage\ttext\tstart\tend\nQ64\ten\tBerlin is a city.\t0\t6\n",
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}", re.ASCII)


@dataclass(frozen=True)
class OwnFile:
    """An uploaded file: what it holds (a key of `COLUMNS`), `.tsv` or `.jsonl`, and its bytes."""

    kind: str
    suffix: str
    data: bytes


@dataclass(frozen=True)
class Preview:
    """What own files would make.

    Attributes:
        bad: Bad rows: columns `file`, `line` (from 1), `problem` and `text`, at most `SHOWN`.
        bad_counts: All bad rows by reason.
        problem: Why no corpus can be built of them; empty where one can.
        statistics: Of the corpus, or None.
        left_out: What the build would leave out, by reason.
        findings: The lint of it.
    """

    bad: pd.DataFrame
    bad_counts: Mapping[str, int]
    problem: str
    statistics: Statistics | None
    left_out: Mapping[str, int]
    findings: Sequence[Finding]


def guessed(name: str) -> tuple[str, str]:
    """What a file holds, by its name, and its suffix; `labels` where the name does not say.

    Raises:
        DataError: If it is neither tab-separated nor JSON lines by its name.
    """
    path = Path(name)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{name[:100]!r} ends in neither {' nor '.join(SUFFIXES)}.")
    stem = path.stem.lower()
    return next((kind for kind in COLUMNS if kind in stem), "labels"), path.suffix.lower()


def check(files: Sequence[OwnFile]) -> None:
    """Refuse files that are too much, or two of one name.

    Raises:
        DataError: Saying which, and what to do instead.
    """
    size, rows = sum(len(f.data) for f in files), sum(f.data.count(b"\n") + 1 for f in files)
    if size > MOST_MIB << 20 or rows > MOST_ROWS:
        raise DataError(
            f"The files have {size / 2**20:.1f} MiB and {rows:,} lines; the page takes {MOST_MIB} MiB and {MOST_ROWS:,} "
            "lines. Larger data: workbench corpus build own --help."
        )
    names = [f"{f.kind}{f.suffix}" for f in files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"Two files are {', '.join(twice)}. Put them into one, or say what each of them holds.")


def preview(files: Sequence[OwnFile]) -> Preview:
    """Read own files, bad rows aside, and see what corpus they make.

    Raises:
        DataError: If the files are too much.
    """
    check(files)
    with _laid_out(files) as folder:
        log = RowLog(strict=False, keep=SHOWN)
        try:
            graph = read(folder, log)
            corpus = graph.write(folder / "corpus", log)
        except ValueError as error:  # DataError, CorpusError
            return Preview(_bad_rows(log), dict(log.counts), _without(folder, str(error)), None, {}, ())
        found = statistics.count(corpus)
        return Preview(_bad_rows(log), dict(log.counts), "", found, corpus.info.build["left_out"], lint(corpus))


def build(
    files: Sequence[OwnFile], name: str, about: Mapping[str, str], progress: Callable[[float, str], object]
) -> Corpus:
    """Build a corpus of own files, bad rows left out, under a name in the data folder.

    Args:
        files: The files.
        name: Name of the corpus's folder.
        about: Its name, source and licence, for `corpus.json`.
        progress: Called with (share done, what is done next).

    Raises:
        ValueError: If the name is no name, or taken; nothing has been written then.
        DataError, CorpusError: If the files are too much, or make no corpus.
    """
    check(files)
    target = corpus_folder(name)
    if target.exists():
        raise ValueError(f"There is a corpus {name!r} already: {target}. Choose another name.")
    with _laid_out(files) as folder:
        (folder / "about.json").write_text(json.dumps(dict(about), ensure_ascii=False), encoding="utf-8")
        try:
            progress(0.1, "reading the rows")
            log = RowLog(strict=False)
            graph: Graph = read(folder, log)
            progress(0.5, "writing the corpus")
            graph.write(folder / "corpus", log)
        except ValueError as error:
            raise DataError(_without(folder, str(error))) from error
        progress(0.9, "putting it in its place")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir()  # fails where another visitor was first: nothing is ever replaced
        try:
            for file in sorted((folder / "corpus").iterdir(), key=lambda f: f.name == "corpus.json"):
                shutil.move(file, target / file.name)  # the manifest last: without it the folder is no corpus
        except OSError:
            shutil.rmtree(target)
            raise
    progress(1.0, "done")
    return Corpus.open(target)


def corpus_folder(name: str) -> Path:
    """Folder of the corpus of a name in the data folder.

    Raises:
        ValueError: If it is no name: a folder elsewhere is never written.
    """
    root = data_root() / "corpora"
    if not _NAME.fullmatch(name):
        raise ValueError(
            "A name has 1 to 48 small letters a to z, digits, - and _, and begins with a letter or a digit."
        )
    return root / name


def command(name: str, lenient: bool) -> list[str]:
    """The command that builds the same corpus from a folder with the files in it."""
    words = ["workbench", "corpus", "build", "own", "--from", "FOLDER", "--out", str(corpus_folder(name))]
    return [*words, "--lenient"] if lenient else words


def first_rows(file: OwnFile, rows: int = 5) -> str:
    """The first lines of a file."""
    lines = file.data[:100_000].decode("utf-8-sig", "replace").split("\n")[: rows + 1]
    return "\n".join(line[:300].rstrip("\r") for line in lines)


@contextmanager
def _laid_out(files: Sequence[OwnFile]) -> Iterator[Path]:
    """A temporary folder with the files under the names that say what they hold."""
    with tempfile.TemporaryDirectory(prefix="own-corpus-") as room:
        for file in files:
            (Path(room) / f"{file.kind}{file.suffix}").write_bytes(file.data)
        yield Path(room)


def _bad_rows(log: RowLog) -> pd.DataFrame:
    rows = [(Path(row.file).name, row.line, row.reason, row.text[:300]) for row in log.rows]
    return pd.DataFrame(rows, columns=["file", "line", "problem", "text"])


def _without(folder: Path, message: str) -> str:
    """A message without the temporary folder and without advice for the command line."""
    return message.replace(f"{folder}/", "").replace(str(folder), "the upload").split(" Give --from")[0]
