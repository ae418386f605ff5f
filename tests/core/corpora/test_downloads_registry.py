"""The table of data sets: it agrees with the real data, and a bad one names the line."""

import csv
import json
from pathlib import Path

import pytest

from core.corpora.downloads import hub, registry
from core.corpora.downloads.registry import DownloadError


def test_the_registry_covers_the_real_data(shared_data: Path) -> None:
    sets, seen = registry.load(), 0
    for row in csv.DictReader((shared_data / "MANIFEST.tsv").open(encoding="utf-8"), delimiter="\t"):
        name, file = row["file"].split("/", 1)
        (entry,) = [f for f in sets[name].part() if f.file == file]
        assert (str(entry.bytes), entry.sha256, entry.git_blob_sha1) == tuple(
            row[c] for c in ("bytes", "sha256", "git_blob_sha1")
        )
        source = f"{row['source_repo']}/{row['commit']}/{row['path_in_repo']}"
        assert entry.url == f"https://raw.githubusercontent.com/{source}"
        seen += 1
    assert seen == 227
    assert sum(len(data.part()) for name, data in sets.items() if (shared_data / name).is_dir()) == seen


def test_what_was_left_out_of_the_real_data_has_its_bytes(shared_data: Path) -> None:
    by_url = {file.url: file for data in registry.load().values() for file in data.files}
    rows = list(csv.DictReader((shared_data / "LEFT_OUT.tsv").open(encoding="utf-8"), delimiter="\t"))
    found = 0
    for row in rows:
        url = f"https://raw.githubusercontent.com/{row['source_repo']}/{row['commit']}/{row['path_in_repo']}"
        if url in by_url and row["git_blob_sha1"]:
            assert by_url[url].git_blob_sha1 == row["git_blob_sha1"]
            assert not row["bytes"] or by_url[url].bytes == int(row["bytes"])
            found += 1
    assert found > 130
    squad = registry.load()["squad"].part()
    assert {f.file for f in squad} == {"train-v1.1.json", "dev-v1.1.json"}
    assert all(f.sha256 and f.url in by_url for f in squad)


def test_every_set_says_what_a_user_must_know(shared_data: Path) -> None:
    sets = registry.load()
    for data in sets.values():
        assert data.licence
        assert data.citation
        assert data.stands_for
        assert data.where
        assert data.hub is None or data.hub.layout in hub.LAYOUTS
    stated_none = {p.parent.name for p in shared_data.glob("*/README.md") if "none stated" in p.read_text("utf-8")}
    assert stated_none == {"dbp15k", "dbp5l", "kbp37", "srprs", "xfactr"}
    assert stated_none == {data.name for data in sets.values() if data.licence.startswith("None stated")}
    assert len(sets["wikiann"].hub.configs) == len(set(sets["wikiann"].hub.configs)) == 40


def write_registry(folder: Path, row: str, **fields) -> Path:
    entry = {"title": "A", "stands_for": "-", "licence": "-", "citation": "-", "sources": {"main": "http://h/"}}
    folder.mkdir(exist_ok=True)
    (folder / "sets.yaml").write_text(json.dumps({"a": {**entry, **fields}}), encoding="utf-8")
    header = "set,part,file,source,path,bytes,sha256,git_blob_sha1\n"
    (folder / "files.csv").write_text(header + row + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("b,main,f,main,f,1,,", "'b'"),
        ("a,more,f,main,f,1,,", "no part 'more'"),
        ("a,main,f,other,f,1,,", "'other'"),
        ("a,main,../f,main,f,1,,", "leads out"),
        ("a,main,/etc/f,main,f,1,,", "leads out"),
        ("a,main,f,main,f,many,,", "many"),
    ],
)
def test_a_bad_registry_names_the_line(tmp_path: Path, row: str, word: str) -> None:
    with pytest.raises(DownloadError, match=r"files\.csv:2") as error:
        registry.load(write_registry(tmp_path, row))
    assert word in str(error.value)


def test_paths_are_escaped_in_addresses(tmp_path: Path) -> None:
    (file,) = registry.load(write_registry(tmp_path, "a,main,f,main,d/é #1.txt,,,"))["a"].files
    assert file.url == "http://h/d/%C3%A9%20%231.txt"
    with pytest.raises(DownloadError, match=r"'sets' does not|sets\.yaml"):
        registry.load(write_registry(tmp_path, "a,main,f,main,f,,,", colour="red"))


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(DownloadError, match="There are: xfactr, codex"):
        registry.find(registry.load(), "xfakt")
    with pytest.raises(DownloadError, match="It has: main, aliases, mtrex, labels, all"):
        registry.load()["xfactr"].part(("alias",))
    assert len(registry.load()["xfactr"].part(("all",))) == 96 + 10 + 48 + 3
    for bad in ("ftp://h/f", "https://h/", "f.txt", "https://h/.."):
        with pytest.raises(DownloadError, match="not the address of a file"):
            registry.file_at(bad)
    assert registry.file_at("https://h/d%20e/f%20g.bz2?x=1").file == "f g.bz2"
