"""`workbench benchmark`, as a user types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.sources import cldr
from workbench import cli

PAIRS = "language_a\ttext_a\tlanguage_b\ttext_b\nen\tFrance\tde\tFrankreich\nen\tSpain\tde\tSpanien\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pairs.tsv").write_text(PAIRS, encoding="utf-8")
    return tmp_path / "own"


def workbench(*arguments: object) -> str:
    done = CliRunner().invoke(cli.app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_build_info_and_extend(own: Path, tmp_path: Path) -> None:
    text = workbench("benchmark", "build", "own", "--from", own, "--out", tmp_path / "b")
    assert "en-de" in text
    facts = json.loads(workbench("benchmark", "info", tmp_path / "b", "--json"))
    assert (facts["task"], facts["counts"]["pairs"], facts["languages"]) == ("entity_alignment", 2, ["de", "en"])
    assert {"table": "pairs", "language": "en-de", "split": "test", "rows": 2} in facts["sizes"]
    cldr.build(tmp_path / "labels", ["en", "ca", "da"])
    command = ("benchmark", "extend", tmp_path / "b", "--labels", tmp_path / "labels", "--language", "ca")
    table = workbench(*command, "--out", tmp_path / "e")
    assert ["ca", "2", "0", "0", "0", "0", "0", "2", "0", "22567"] in [line.split() for line in table.splitlines()]
    assert "Labels of cldr; English names: 2 names, 2 matched, 0 ambiguous" in workbench(
        "benchmark", "info", tmp_path / "e"
    )
    extended = BenchmarkData.open(tmp_path / "e")
    name = extended.texts("entities", "name")
    assert {name[p["target"]] for p in extended.records("pairs", target_language="ca")} == {"França", "Espanya"}
    released = json.loads(workbench(*command, "--released", "--out", tmp_path / "r", "--json"))
    assert released["build"]["extensions"][0]["rules"]["match"]["ignore_case"]
    shown = json.loads(workbench(*command, "--form", "no_comma", "--aliases", "--out", tmp_path / "f", "--json"))
    assert shown["build"]["extensions"][0]["rules"]["match"]["forms"] == ["no_comma"]


def test_names_stand_for_folders_among_the_data(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    root = tmp_path / "data" / "benchmarks"
    build = ("benchmark", "build", "own", "--from", own)
    workbench(*build)
    assert (root / "own" / "benchmark.json").is_file()
    with pytest.raises(ValueError, match="exists and is not empty"):
        workbench(*build)
    workbench(*build, "--name", "mine")
    assert json.loads(workbench("benchmark", "info", "mine", "--json"))["folder"] == str(root / "mine")
    with pytest.raises(ValueError, match="--name takes a plain name, not 'a/b'; name a folder with --out"):
        workbench(*build, "--name", "a/b")
    cldr.build(tmp_path / "labels", ["en", "ca"])
    extend = ("benchmark", "extend", "mine", "--labels", tmp_path / "labels", "--language", "ca")
    workbench(*extend)
    assert BenchmarkData.open(root / "mine-extended").records("pairs", target_language="ca")
    workbench(*extend, "--name", "mine-ca")
    assert (root / "mine-ca" / "benchmark.json").is_file()
    with pytest.raises(ValueError, match="There is no benchmark 'yours'"):
        workbench("benchmark", "info", "yours")


def test_every_public_benchmark_has_a_command() -> None:
    text = workbench("benchmark", "build", "--help")
    for name in ("dbp5l", "wk3l60k", "dbp15k", "srprs", "kbp37", "relx", "relx-distant", "wikiann", "squad", "xquad"):
        assert f" {name} " in text


def test_real_files_build_with_one_command(shared_data: Path, tmp_path: Path) -> None:
    text = workbench(
        *("benchmark", "build", "srprs", "--from", shared_data / "srprs", "--out", tmp_path / "b"),
        *("--valid-share", "0.1", "--test-share", "0.5"),
    )
    assert "10,500 aligned entities" in text
    assert BenchmarkData.open(tmp_path / "b").info.build["test_share"] == 0.5


def test_lenient_reports_what_it_left_out(own: Path, tmp_path: Path) -> None:
    (own / "pairs.tsv").write_text(PAIRS + "en\tItaly\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"pairs.tsv:4: not the columns of the first line .*--lenient"):
        workbench("benchmark", "build", "own", "--from", own, "--out", tmp_path / "b")
    assert not (tmp_path / "b").exists()
    text = workbench("benchmark", "build", "own", "--from", own, "--out", tmp_path / "b", "--lenient")
    assert "bad rows: not the columns of the first line 1" in text
    assert "Italy" in (tmp_path / "b" / "bad_rows.jsonl").read_text(encoding="utf-8")


def test_wrong_options_say_what_is_allowed(own: Path, tmp_path: Path) -> None:
    build = ("benchmark", "build", "own", "--from", own)
    with pytest.raises(ValueError, match="--valid-share: the splits of own are those of its files"):
        workbench(*build, "--out", tmp_path / "b", "--valid-share", "0.1")
    workbench(*build, "--out", tmp_path / "b")
    with pytest.raises(ValueError, match="exists and is not empty"):
        workbench(*build, "--out", tmp_path / "b")
    cldr.build(tmp_path / "labels", ["en", "ca"])
    with pytest.raises(ValueError, match="--form takes whole, no_bracket, no_comma, not stem"):
        workbench(
            "benchmark",
            "extend",
            tmp_path / "b",
            "--labels",
            tmp_path / "labels",
            "--out",
            tmp_path / "e",
            "--form",
            "stem",
        )
