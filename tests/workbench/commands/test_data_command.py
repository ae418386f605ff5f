"""`workbench data`, as a user calls it, against a real HTTP server."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.corpora.downloads import registry
from core.corpora.downloads.folder import DataFolder
from core.corpora.downloads.registry import DownloadError
from workbench.cli import app

BODY = bytes(range(256)) * 4000


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of data sets of this test."""
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def own(web, tmp_path: Path) -> Path:
    """A registry: `small` with two files and a part, `big` with one of unknown size, `pages` with none."""
    folder = tmp_path / "own"
    folder.mkdir()
    entry = {"stands_for": "tests", "licence": "None stated. Ask.", "citation": "Nobody 2020."}
    sets = {
        "small": {**entry, "title": "Small", "sources": {"main": web.url}, "parts": {"more": "One more file"}},
        "big": {**entry, "title": "Big", "sources": {"main": web.url}, "large": True},
        "pages": {**entry, "title": "Pages", "page": "https://pages.example/", "next": "Look there.", "large": True},
    }
    (folder / "sets.yaml").write_text(json.dumps(sets), encoding="utf-8")
    sha256 = hashlib.sha256(BODY).hexdigest()
    rows = [
        "set,part,file,source,path,bytes,sha256,git_blob_sha1",
        *(f"small,main,d/{i}.txt,main,a,{len(BODY)},{sha256}," for i in range(2)),
        f"small,more,c.txt,main,a,{len(BODY)},{sha256},",
        "big,main,big.bin,main,a,,,",
    ]
    (folder / "files.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    web.files["a"] = BODY
    return folder


def call(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "workbench.cli", "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)


def shown(*arguments: object) -> str:
    """What a call that ends well prints; in this process, which is faster."""
    done = CliRunner().invoke(app, ["data", *map(str, arguments)])
    assert done.exit_code == 0, done.exception
    return done.stdout


@pytest.mark.parametrize("command", ["list", "get"])
def test_help_has_an_example(command: str) -> None:
    done = CliRunner().invoke(app, ["data", command, "--help"])
    assert done.exit_code == 0
    assert f"workbench data {command}" in done.stdout.replace("\n", " ")


def test_list(data: Path) -> None:
    rows = {row["name"]: row for row in json.loads(shown("list", "--json"))}
    assert set(rows) == set(registry.load())
    assert {row["state"] for row in rows.values()} == {"not here"}
    assert (rows["xfactr"]["files"], rows["xfactr"]["checksums"]) == (96, "SHA-256")
    assert rows["wikidata_dump"]["bytes"] is None
    assert rows["squad"]["bytes"] == 30_288_272 + 4_854_279
    assert str(data) in rows["kbp37"]["folder"]
    table = shown("list")
    assert all(name in table for name in rows)
    assert "None stated" in table
    assert not data.exists()  # looking changes nothing


def test_licence_and_source_come_before_the_first_byte(web, own: Path, data: Path) -> None:
    web.always["a"] = {"status": 404}
    done = call("get", "small", "--registry", own)
    assert done.returncode == 1
    for words in (web.url, "None stated. Ask.", "2, 2.0 MB; SHA-256", "more: One more file", "Nobody 2020."):
        assert words in done.stdout
    assert f"{web.url}a: the server answers 404" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_get_twice_and_state(web, own: Path, data: Path) -> None:
    assert "2 files put in place, 0 were here already." in shown("get", "small", "--registry", own)
    assert (data / "small" / "d" / "1.txt").read_bytes() == BODY
    assert "0 files put in place, 2 were here already." in shown("get", "small", "--registry", own)
    assert len(web.requests) == 2
    states = {row["name"]: row["state"] for row in json.loads(shown("list", "--json", "--registry", own))}
    assert states == {"small": "here", "big": "not here", "pages": "not here"}
    (data / "small" / "d" / "1.txt").unlink()
    states = {row["name"]: row["state"] for row in json.loads(shown("list", "--json", "--registry", own))}
    assert states["small"] == "partial"
    assert "1 files put in place" in shown("get", "small", "--registry", own, "--part", "more")
    assert (data / "small" / "c.txt").is_file()


def test_large_sets_are_asked_for(web, own: Path, data: Path) -> None:
    done = call("get", "big", "--registry", own)
    assert done.returncode == 1
    assert "Add --yes" in done.stderr
    assert web.requests == []
    printed = shown("get", "big", "--registry", own, "--yes", "--to", data / "elsewhere")
    assert "no checksum known" in printed
    assert hashlib.sha256(BODY).hexdigest() in printed
    assert (data / "elsewhere" / "big.bin").read_bytes() == BODY


def test_sets_without_fixed_files(web, own: Path, data: Path) -> None:
    done = call("get", "pages", "--registry", own)
    assert (done.returncode, "Look there." in done.stderr) == (1, True)
    web.files["dump-00000.json.bz2"] = BODY
    shown("get", "pages", "--registry", own, "--yes", "--url", f"{web.url}dump-00000.json.bz2")
    assert (data / "pages" / "dump-00000.json.bz2").read_bytes() == BODY
    states = {row["name"]: row["state"] for row in json.loads(shown("list", "--json", "--registry", own))}
    assert states["pages"] == "here"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nope",), "no data set called 'nope'"),
        (("small", "--part", "less"), "It has: main, more, all"),
        (("small", "big", "--to", "x"), "go with one data set"),
        (("small", "--hub", "--from", "x"), "Name one"),
        (("small", "--config", "de"), "Add --hub"),
        (("small", "--hub"), "not taken from the hub"),
        (("small", "--from", "nowhere"), "2 of 2 files are neither in"),
        (("pages", "--url", "ftp://h/f"), "not the address of a file"),
    ],
)
def test_wrong_calls(own: Path, data: Path, arguments: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(app, ["data", "get", *arguments, "--registry", str(own)])
    assert isinstance(done.exception, (ValueError, DownloadError))  # which `main` shows in one line
    assert words in str(done.exception)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_call_that_was_ended_is_gone_on_with(web, own: Path, data: Path, how: signal.Signals) -> None:
    web.script["a"] = [{"stall": 300_000}]
    command = [sys.executable, "-m", "workbench.cli", "data", "get", "big", "--yes", "--registry", str(own)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    part = DataFolder(data / "big").partial("big.bin")
    for _ in range(1000):
        if part.exists() and part.stat().st_size > 200_000:
            break
        time.sleep(0.02)
    process.send_signal(how)
    time.sleep(0.3)
    web.go.set()  # the answer goes on, so that a thread that reads it can see that it should stop
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    if how == signal.SIGINT:
        assert "call again to go on" in printed
    kept = part.stat().st_size
    assert 200_000 < kept < len(BODY)
    assert not (data / "big" / "big.bin").exists()
    shown("get", "big", "--yes", "--registry", own)
    assert (data / "big" / "big.bin").read_bytes() == BODY
    assert web.requests[-1] == ("a", f"bytes={kept}-", 206)


def test_a_corpus_is_built_of_what_was_taken(shared_data: Path, data: Path, tmp_path: Path) -> None:
    shown("get", "fewrel", "--from", shared_data)
    command = [sys.executable, "-m", "workbench.cli", "corpus", "build", "fewrel", "--out", str(tmp_path / "corpus")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "corpus").is_dir()
