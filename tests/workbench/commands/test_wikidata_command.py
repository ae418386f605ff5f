"""`workbench corpus build wikidata`, as a user calls it."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from typer.testing import CliRunner

from core.corpora.store import Corpus
from tests.core.corpora.wikidata.reference import BAD_LINES, random_lines
from workbench.cli import app

LABELS = ("--language", "en", "--language", "de", "--add-language", "nb", "--more-than-labels", "1")


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`workbench corpus build wikidata ARGUMENTS` in a new process."""
    command = [sys.executable, "-m", "workbench.cli", "corpus", "build", "wikidata", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def write_shards(folder: Path) -> list[str]:
    lines = random_lines(seed=2, items=200)
    paths = [folder / "part-1.json.gz", folder / "part-2.json.gz"]
    for path, piece in zip(paths, (lines[:100], lines[100:]), strict=True):
        path.write_bytes(gzip.compress(b"\n".join(piece)))
    return [str(path) for path in paths]


def test_shards_as_a_shell_pattern_gives_them(tmp_path: Path) -> None:
    shards = write_shards(tmp_path)
    done = call("--dump", *shards, "--out", str(tmp_path / "c"), *LABELS, "--sitelinks", "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    corpus = Corpus.open(tmp_path / "c")
    assert said["counts"] == corpus.info.counts
    assert said["counts"]["triples"] > 10
    assert said["languages"] == ["de", "en", "nb"]
    build = said["build"]
    assert [dump["file"] for dump in build["dumps"]] == ["part-1.json.gz", "part-2.json.gz"]
    assert (build["languages"], build["more_than_labels"], build["ranks"]) == (["en", "de", "nb"], 1, "best")
    assert build["left_out"]["items: too few labels"] > 10
    assert set(build["bad_rows"]) == {"not JSON", "not UTF-8", "not an entity"}
    bad = [json.loads(line) for line in (corpus.path / "bad_rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(build["bad_rows"].values()) == len(bad) > 3
    for row in bad:  # each is where it says
        line = gzip.decompress(Path(row["file"]).read_bytes()).split(b"\n")[row["line"] - 1]
        assert line in BAD_LINES
        assert line.decode("utf-8", "replace") == row["text"]
    links = pq.read_table(corpus.path / "sitelinks.parquet").to_pylist()
    assert {row["language"] for row in links} == {"de", "nb"}
    assert len(links) == 2 * corpus.info.counts["entities"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "part-1.json.gz", "part-2.json.gz"]


def test_the_report_says_what_was_left_out(tmp_path: Path) -> None:
    shards = write_shards(tmp_path)
    done = call("--dump", shards[0], "--dump", shards[1], "--out", str(tmp_path / "c"), *LABELS, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"left out: .*facts: an end is not kept [\d,]+", done.stdout)
    assert re.search(r"bad rows: not JSON \d+; not UTF-8 \d+; not an entity \d+", done.stdout)


def test_an_error_is_one_line(tmp_path: Path) -> None:
    write_shards(tmp_path)
    done = call("--dump", str(tmp_path / "no.gz"), "--out", str(tmp_path / "c"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: Cannot read the dump")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "part-1.json.gz" in done.stderr


def test_help_has_an_example() -> None:
    said = CliRunner().invoke(app, ["corpus", "build", "wikidata", "--help"]).stdout
    assert "workbench corpus build wikidata --dump" in " ".join(said.split())
