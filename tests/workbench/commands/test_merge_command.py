"""`workbench corpus merge` and `corpus build` of own data, as a user types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.corpora.store import Corpus, CorpusError
from workbench.cli import app


def command(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Two corpora of own data; the second names what the first only has facts of."""
    tables = {
        "a": {
            "labels": ["entity\tlanguage\ttext", "Q1\ten\tone"],
            "triples": ["subject\trelation\tobject", "Q1\tP1\tQ1"],
        },
        "b": {"labels": ["entity\tlanguage\ttext", "Q1\tde\teins", *(f"Q{i}\tde\tzahl {i}" for i in range(2, 22))]},
    }
    for name, files in tables.items():
        (tmp_path / "own" / name).mkdir(parents=True)
        for file, lines in files.items():
            (tmp_path / "own" / name / f"{file}.tsv").write_text("\n".join(lines), encoding="utf-8")
        command("corpus", "build", "own", "--from", tmp_path / "own" / name, "--out", tmp_path / name)
    return [tmp_path / name for name in tables]


def test_merge(parts: list[Path], tmp_path: Path) -> None:
    facts = json.loads(command("corpus", "merge", *parts, "--out", tmp_path / "ab", "--test-share", 0.2, "--json"))
    assert facts["counts"] == Corpus.open(tmp_path / "ab").info.counts
    assert (facts["counts"]["entities"], facts["counts"]["labels"], facts["counts"]["triples"]) == (21, 22, 1)
    assert facts["languages"] == ["de", "en"]
    assert facts["build"]["splits"] == {"valid_share": 0.0, "test_share": 0.2}
    assert len(Corpus.open(tmp_path / "ab").rows_of("entities", "test")) == 4
    text = command("corpus", "merge", *parts, "--out", tmp_path / "kept")
    assert "own" in text
    assert len(Corpus.open(tmp_path / "kept").rows_of("entities", "test")) == 0


def test_what_cannot_be_merged(parts: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exists and is not empty"):
        command("corpus", "merge", *parts, "--out", parts[0])
    with pytest.raises(CorpusError, match=r"There is no corpus in .*absent"):
        command("corpus", "merge", parts[0], tmp_path / "absent", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(app, ["corpus", "merge", "--out", str(tmp_path / "out")]).exit_code == 2
