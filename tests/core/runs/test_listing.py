"""The listing of runs: parsed once, kept between starts, and never staler than the files."""

import json
import os
import shutil
from pathlib import Path

import pytest

from core import recipes
from core.runs.listing import Listing
from core.runs.store import RunDir, runs_root


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


def written(name: str, text: str) -> RunDir:
    run = RunDir(runs_root() / name)
    run.path.mkdir(parents=True)
    run.config_file.write_text(text, encoding="utf-8")
    return run


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs whose YAML was read."""
    found: list[str] = []
    load = recipes.load
    monkeypatch.setattr(recipes, "load", lambda path, *rest: found.append(path.parent.name) or load(path, *rest))
    return found


def test_a_config_is_parsed_once_and_again_when_its_file_changes(parsed: list[str], tmp_path: Path) -> None:
    first, second = written("b", "title: one\n"), written("a", "title: two\n")
    listing = Listing(tmp_path / "index.json")
    assert [(run.name, run.config.title) for run in listing.runs()] == [("b", "one"), ("a", "two")]
    assert [run.name for run in listing.runs()] == ["b", "a"]
    assert sorted(parsed) == ["a", "b"]
    first.config_file.write_text("title: three\n", encoding="utf-8")
    assert [run.config.title for run in listing.runs()] == ["three", "two"]
    assert sorted(parsed) == ["a", "b", "b"]
    shutil.rmtree(second.path)
    assert [run.name for run in listing.runs()] == ["b"]


def test_another_start_reads_the_index_and_not_the_files(parsed: list[str], tmp_path: Path) -> None:
    written("a", "title: one\nseed: 7\n")
    index = tmp_path / "cache" / "index.json"
    Listing(index).runs()
    parsed.clear()
    (run,) = Listing(index).runs()
    assert (run.config.title, run.config.seed) == ("one", 7)
    assert parsed == []


@pytest.mark.parametrize("damage", ["not json", "[]", '{"code": "other", "runs": {}}', None])
def test_a_damaged_or_foreign_index_is_as_good_as_none(parsed: list[str], tmp_path: Path, damage: str | None) -> None:
    written("a", "title: one\n")
    index = tmp_path / "index.json"
    Listing(index).runs()
    if damage is None:  # a config that does not fit the fields
        stored = json.loads(index.read_text())
        stored["runs"] = {key: [stamp, '{"colour": 1}'] for key, (stamp, _) in stored["runs"].items()}
        damage = json.dumps(stored)
    index.write_text(damage)
    parsed.clear()
    assert [run.config.title for run in Listing(index).runs()] == ["one"]
    assert parsed == ["a"]


def test_an_entry_of_another_time_does_not_count(parsed: list[str], tmp_path: Path) -> None:
    run = written("a", "title: one\n")
    index = tmp_path / "index.json"
    Listing(index).runs()
    run.config_file.write_text("title: two\n", encoding="utf-8")  # of the same size
    os.utime(run.config_file, ns=(1, 1))
    assert [one.config.title for one in Listing(index).runs()] == ["two"]


def test_what_cannot_be_read_is_named_and_tried_once(parsed: list[str], tmp_path: Path) -> None:
    written("good", "title: one\n")
    written("bad", "colour: blue\n")
    listing = Listing(tmp_path / "index.json")
    for _ in range(3):
        assert [run.name for run in listing.runs()] == ["good"]
        assert list(listing.unreadable()) == ["bad"]
    assert "colour" in listing.unreadable()["bad"]
    assert parsed.count("bad") == 1


def test_an_index_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    written("a", "title: one\n")
    (tmp_path / "file").write_text("")
    assert [run.name for run in Listing(tmp_path / "file" / "index.json").runs()] == ["a"]
