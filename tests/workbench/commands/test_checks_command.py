"""`corpus lint` and `corpus stats` through the command line."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from core.corpora.records import Entity
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter
from workbench.cli import app


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["corpus", *map(str, arguments)])


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """A corpus whose test entity has the name of a training entity, and a name that looks like markup."""
    with CorpusWriter(tmp_path / "leaky", "leaky", "tests", "MIT", "") as writer:
        writer.add_entities(
            [
                Entity("a", "x", "train", {"en": "Ann", "de": "[/red]x"}),
                Entity("b", "x", "test", {"en": "Ann", "de": "--"}),
            ]
        )
    return tmp_path / "leaky"


def test_lint_says_what_is_wrong_and_exits_with_1(leaky: Path) -> None:
    done = call("lint", leaky)
    assert done.exit_code == 1
    for word in ("held-out-label", "error", "1 of 2", "50.00%", "[en] 'Ann'", "symbols-only", "b [de] '--'"):
        assert word in done.output
    assert "Errors: 1." in done.output


def test_lint_json(leaky: Path) -> None:
    done = call("lint", leaky, "--json")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert said["sha256"] == Corpus.open(leaky).info.fingerprint
    findings = {finding["check"]: finding for finding in said["findings"]}
    assert len(findings) > 20  # those that found nothing too
    assert findings["held-out-label"]["count"] == 1
    assert findings["held-out-label"]["share"] == 0.5
    assert findings["held-out-label"]["severity"] == "error"


def test_lint_is_0_where_there_is_no_error(tiny_corpus: Corpus, leaky: Path) -> None:
    assert call("lint", tiny_corpus.path).exit_code == 0
    assert call("lint", leaky, "--ignore", "held-out-label").exit_code == 0


def test_lint_options(tiny_corpus: Corpus, tmp_path: Path) -> None:
    strings = tmp_path / "strings.txt"
    strings.write_text("a string that is nowhere\n", encoding="utf-8")
    done = call("lint", tiny_corpus.path, "--against", strings, "--threshold", 49, "--batch-size", 4, "--json")
    findings = json.loads(done.stdout)["findings"]
    assert done.exit_code == 0
    (small,) = [finding for finding in findings if finding["check"] == "small-language"]
    assert (small["count"], small["of"]) == (4, 4)
    (leak,) = [finding for finding in findings if finding["check"] == "test-string-label"]
    assert (leak["count"], leak["of"]) == (0, 1)
    assert leak["title"] == "test strings of strings.txt that are labels of training entities"
    assert any("batches of 4" in finding["title"] for finding in findings)


def test_lint_refuses(tiny_corpus: Corpus, tmp_path: Path) -> None:
    wrong = call("lint", tiny_corpus.path, "--ignore", "visible")
    assert "no check is called visible" in str(wrong.exception)
    assert "visible-object" in str(wrong.exception)
    assert "There is no corpus in" in str(call("lint", tmp_path / "nowhere").exception)
    assert "nothing to check against" in str(call("lint", tiny_corpus.path, "--against", tmp_path / "no").exception)


def test_stats(tiny_corpus: Corpus) -> None:
    done = call("stats", tiny_corpus.path)
    assert done.exit_code == 0
    for word in ("label pairs", "288", "63,250,000", "Adapter-EP, Align.", "100.0", "98.5"):  # de: 98.5 % in Table 8
        assert word in done.output
    assert "nan" not in done.output


def test_stats_csv_and_json(tiny_corpus: Corpus) -> None:
    done = call("stats", tiny_corpus.path, "--csv")
    frame = pd.read_csv(io.StringIO(done.stdout)).set_index("language")
    assert len(frame) == 85  # 84 languages of the paper and Esperanto
    assert frame.loc["eo", "entities"] == 48
    assert frame.loc["de", "paper_entity_share"] == pytest.approx(0.985)
    said = json.loads(call("stats", tiny_corpus.path, "--json").stdout)
    assert said["totals"]["label_pairs"] == 288
    by_language = {row["language"]: row for row in said["languages"]}
    assert by_language["eo"]["paper_triple_share"] is None
    assert by_language["de"]["triples"] == 96
    assert {row["quantity"]: row["paper"] for row in said["table1"]}["triples"] == 9_420_000
    assert {row["quantity"]: row["paper"] for row in said["table1"]}["label_pairs"] is None


@pytest.mark.parametrize("command", ["lint", "stats"])
def test_help_has_an_example(command: str) -> None:
    assert f"workbench corpus {command}" in call(command, "--help").output
