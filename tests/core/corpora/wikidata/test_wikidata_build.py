"""Builds of dumps: against a slow plain reading, and against what the READMEs of the real samples count."""

import bz2
import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import zstandard

from core.corpora.rows import SIDE_FILE, DataError
from core.corpora.store import Corpus, CorpusError
from core.corpora.wikidata.build import build
from core.corpora.wikidata.options import DumpOptions
from core.corpora.wikidata.work_room import work_folder
from tests.core.corpora.wikidata.reference import BAD_LINES, LANGUAGES, random_lines, read_plainly, tables_of

OPTIONS = DumpOptions(languages=LANGUAGES, more_than_labels=1)
COMPRESS = {"json": bytes, "gz": gzip.compress, "bz2": bz2.compress, "zst": zstandard.compress}


def write(folder: Path, lines: Sequence[bytes], name: str = "dump.json") -> Path:
    path = folder / name
    path.write_bytes(COMPRESS[name.rsplit(".", 1)[1]](b"\n".join(lines) + b"\n"))
    return path


def one_build(dumps: Sequence[Path], target: Path, options: DumpOptions = OPTIONS, **more: Any) -> Corpus:
    return build(dumps, target, options, **({"workers": 1, "part_bytes": 20_000} | more))


def rows_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def read_sidefile(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / SIDE_FILE).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("ranks", "mul", "needed"), [("best", "ignore", 1), ("not_deprecated", "fill", 2), ("all", "ignore", 0)]
)
def test_a_dump_with_every_trap_equals_a_plain_reading(tmp_path: Path, ranks: Any, mul: Any, needed: int) -> None:
    lines = random_lines(seed=needed, items=400)
    redirects = [("Q3", "Q4"), ("Q4", "Q5"), ("Q20", "Q21"), ("Q21", "Q20"), ("Q30", "Q999999")]
    (tmp_path / "redirects.tsv").write_text("\n".join("\t".join(pair) for pair in redirects), encoding="utf-8")
    expected = read_plainly(lines, ranks, mul, needed, redirects)
    assert all(
        len(rows) > (100 if table != "relations" else 3) for table, rows in expected.items() if "rel" not in table
    )
    assert len(expected["relation_labels"]) > 5
    options = DumpOptions(LANGUAGES, more_than_labels=needed, ranks=ranks, mul=mul)
    corpus = one_build([write(tmp_path, lines)], tmp_path / "c", options, redirects=tmp_path / "redirects.tsv")
    found = tables_of(corpus)
    for table, rows in expected.items():
        assert found[table] == rows, table
    bad = [(number, line) for number, line in enumerate(lines, 1) if line in BAD_LINES]
    assert len(bad) > 10
    assert [row["line"] for row in read_sidefile(corpus.path)] == [number for number, _ in bad]
    assert sum(corpus.info.build["bad_rows"].values()) == len(bad)
    read, left_out = corpus.info.build["read"], corpus.info.build["left_out"]
    assert (read["lines"], read["bytes of text"]) == (len(lines), sum(len(line) + 1 for line in lines))
    lost = [left_out[reason] for reason in left_out if reason.startswith("items: ")]
    assert len(lost) == 3
    assert read["items"] == corpus.info.counts["entities"] + sum(lost)


def test_every_compression_and_sharding_gives_the_same_rows(tmp_path: Path) -> None:
    lines = random_lines(seed=7, items=300)
    plain = one_build([write(tmp_path, lines)], tmp_path / "plain")
    assert plain.info.counts["triples"] > 50
    middle = len(lines) // 2
    halves = [write(tmp_path, lines[:middle], "a.json.gz"), write(tmp_path, lines[middle:], "b.json.bz2")]
    members = tmp_path / "members.json.gz"
    members.write_bytes(b"".join(gzip.compress(line + b"\n") for line in lines))
    frames = tmp_path / "no-suffix"
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    frames.write_bytes(skippable + b"".join(zstandard.compress(line + b"\n") for line in lines) + skippable)
    streams = tmp_path / "streams.json.bz2"
    streams.write_bytes(b"".join(bz2.compress(b"\n".join(p) + b"\n") for p in (lines[:middle], lines[middle:])))
    ways = [halves, [members], [frames], [streams]]
    for number, dumps in enumerate(ways):
        more = {"part_bytes": (5_000, 10**6)[number % 2], "workers": 1 + number % 2}
        other = one_build(dumps, tmp_path / f"way-{number}", **more)
        assert other.info.fingerprint == plain.info.fingerprint, dumps
        assert rows_bytes(other.path) == rows_bytes(plain.path), dumps
        assert other.info.build["bad_rows"] == plain.info.build["bad_rows"]


def test_the_counts_of_the_real_dump_are_those_of_its_readme(shared_data: Path, tmp_path: Path) -> None:
    dump = shared_data / "wikidata" / "dump_head50" / "entities"
    corpus = build([dump], tmp_path / "paper", DumpOptions(ranks="all", sitelinks=True), workers=1)
    counts, notes = corpus.info.counts, corpus.info.build
    assert (counts["entities"], counts["labels"], counts["triples"]) == (49, 3612, 30)
    assert notes["left_out"] == {"facts: an end is not kept": 1940 - 30}
    statements = [notes["read"][f"statements: {what}"] for what in ("normal", "preferred", "deprecated")]
    assert statements == [4196, 74, 12]
    assert (notes["read"]["statements: novalue"], notes["read"]["statements: somevalue"]) == (4, 1)
    assert notes["languages_without_labels"] == ["no"]
    labels = corpus.table("labels").to_pandas()
    per_item = labels.groupby("entity").size()
    assert (per_item.min(), per_item.max(), per_item.median()) == (26, 83, 82)
    assert labels.groupby("language").size()[["ast", "nn"]].tolist() == [36, 45]
    scotland = labels[labels.entity == 0].set_index("language").text
    assert scotland["de"] == "Schottland"
    assert corpus.table("entities")["id"].to_pylist()[:2] == ["Q22", "Q31"]
    totals = json.loads((corpus.path / "statistics.json").read_text(encoding="utf-8"))
    assert (totals["entities"], totals["labels"], totals["triples"]) == (49, 3612, 30)
    shares = pd.read_csv(corpus.path / "statistics.csv").set_index("language")
    assert (shares.loc["ast", "entities"], shares.loc["ast", "entity_share"]) == (36, 36 / 49)
    titles = pd.read_parquet(corpus.path / "sitelinks.parquet")
    assert titles[(titles.entity == 0) & (titles.language == "en")].title.tolist() == ["Scotland"]


def test_all_languages_of_the_real_dump(shared_data: Path, tmp_path: Path) -> None:
    dump = shared_data / "wikidata" / "dump_head50" / "entities"
    items = [json.loads(line.rstrip(",")) for line in dump.read_text(encoding="utf-8").splitlines()[1:]]
    codes = tuple(sorted({code for item in items for code in item["labels"]}))
    assert len(codes) == 321
    corpus = build([dump], tmp_path / "all", DumpOptions(codes, ranks="not_deprecated"), workers=1)
    assert corpus.info.counts["labels"] == 8306
    written = {(item["id"], c, label["value"]) for item in items for c, label in item["labels"].items()}
    assert set(tables_of(corpus)["labels"]) == written
    nb = corpus.table("labels").to_pandas().language.value_counts()
    assert [nb[c] for c in ("nb", "nn", "eo", "vo", "ast")] == [49, 45, 46, 30, 36]


def test_the_toolkits_small_dumps(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "wikidata" / "wikidata_toolkit"
    options = DumpOptions(("de", "en"), more_than_labels=0)
    corpus = build([folder / "mock-dump-for-testing.json"], tmp_path / "small", options, workers=1)
    assert tables_of(corpus)["labels"] == [("Q1", "de", "Universum"), ("Q8", "de", "Glück")]
    assert corpus.info.build["read"]["properties"] == 1
    assert corpus.info.build["read"]["entities of type lexeme"] == 1
    with pytest.raises(CorpusError, match="55 items in 103 lines, none with more than 0 labels in the 2 languages"):
        build([folder / "mock-dump-with-bugs.json"], tmp_path / "bugs", options, workers=1)
    with pytest.raises(CorpusError, match="No item is left"):
        build([folder / "sample-dump-20150815.json.gz"], tmp_path / "old", options, workers=1)


def test_a_file_that_is_no_dump_says_what_its_lines_are(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("# Notes\nNothing here.\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"No item is left: 0 items in 2 lines.* first .*notes\.txt:1: not JSON"):
        one_build([tmp_path / "notes.txt"], tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["notes.txt"]


def test_bad_input_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    good = write(tmp_path, random_lines(seed=1, items=20))
    (tmp_path / "empty.json.gz").write_bytes(b"")
    (tmp_path / "dump.json.xz").write_bytes(b"\xfd7zXZ\x00\x00")
    for name, message in (
        ("missing.json", "there is no .*missing.json"),
        ("empty.json.gz", "empty.json.gz is empty"),
        ("dump.json.xz", "is a xz archive. Give the dump as"),
    ):
        with pytest.raises(DataError, match=message):
            one_build([good, tmp_path / name], tmp_path / "c")
    (tmp_path / "redirects.tsv").write_text("from\tto\nQ1\tP2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"redirects.tsv:2: not two Q ids"):
        one_build([good], tmp_path / "c", redirects=tmp_path / "redirects.tsv")
    assert not (tmp_path / "c").exists()
    shutil.rmtree(work_folder(tmp_path / "c"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine").touch()
    with pytest.raises(ValueError, match="exists and is not empty"):
        one_build([good], tmp_path / "c")
    assert (tmp_path / "c" / "mine").exists()
    assert not work_folder(tmp_path / "c").exists()


def test_bad_redirects_are_left_out_and_kept_aside_if_asked(tmp_path: Path) -> None:
    (tmp_path / "redirects.tsv").write_text("Q1\tQ2\nQ1\tP2\nQ1\n", encoding="utf-8")
    dump = write(tmp_path, [line for line in random_lines(seed=1, items=60) if line not in BAD_LINES])
    corpus = one_build([dump], tmp_path / "c", redirects=tmp_path / "redirects.tsv", lenient=True)
    assert corpus.info.build["bad_rows"] == {"not 2 columns": 1, "not two Q ids": 1}
    assert {row["line"]: row["text"] for row in read_sidefile(corpus.path)} == {2: "Q1\tP2", 3: "Q1"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"languages": ()}, "got none"),
        ({"languages": ("en", "en")}, "each once"),
        ({"languages": ("en", "mul"), "more_than_labels": 1}, "`mul` is no language"),
        ({"more_than_labels": 84}, "between 0 and 83"),
        ({"ranks": "good"}, "'good' is not one of best, not_deprecated, all"),
        ({"mul": "use"}, "'use' is not one of ignore, fill"),
    ],
)
def test_options_are_checked(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DumpOptions(**fields)
