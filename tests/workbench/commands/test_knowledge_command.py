"""`workbench complete`, `align` and `evaluate` on a tiny finished run."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from core.probing.knowledge import Knowledge
from core.probing.queries import Query
from core.probing.trained import TrainedEncoder
from core.runs.store import RunDir
from tests.conftest import label
from workbench.cli import app

RUNNER = CliRunner()


def said(*words: str) -> str:
    done = RUNNER.invoke(app, words)
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_complete_prints_what_the_systems_answer(finished_run: RunDir) -> None:
    words = [
        "complete",
        label(5, "de"),
        "Teil von",
        "--language",
        "de",
        "--to",
        "fr",
        "--run",
        finished_run.name,
        "-k",
        "2",
    ]
    found = json.loads(said(*words, "--json"))
    expected = Knowledge(TrainedEncoder(finished_run), "complete").ask(
        Query("de", label(5, "de"), "part"), ["backbone"], ["fr"], 2, "all"
    )
    mine = [row for row in found if row["system"] == "backbone"]
    assert [row["answer"] for row in mine] == expected.top.answer.tolist()
    assert len({row["system"] for row in found}) == 7
    ranks = pd.read_csv(io.StringIO(said(*words, "--ranks", "--csv", "--system", "backbone")))
    assert ranks["rank"].tolist() == expected.gold["rank"].tolist()
    assert ranks.answer.tolist() == [label((25 + 3) % 48, "fr")]  # part: i -> 5 i + 3


def test_align_prints_a_table_a_language_and_the_best_rank_last(finished_run: RunDir) -> None:
    words = ["align", label(5, "en"), "--run", finished_run.name, "--to", "de", "--to", "eo", "--entity", "e05"]
    lines = said(*words).splitlines()
    assert [line for line in lines if ", among 48" in line] == ["German (de), among 48", "Esperanto (eo), among 48"]
    assert lines[-1].startswith("* known answer. Best rank of a known one: backbone ")
    assert "e05" in said(*words, "--ranks")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["complete", "x", "far"], r"tiny has no relation 'far'. It has: near \(near\), part \(part of\)"),
        (["align", "x", "--to", "xx"], "--to: there is no 'xx'. There are: de, en, eo, fr"),
        (["align", "x", "--to", "de", "--language", "yy"], "--language: there is no 'yy'"),
        (["align", "x", "--to", "de", "--entity", "e05"], "--entity: no entity 'e05' is called 'x' in en"),
        (["align", "x", "--to", "de", "--system", "Z"], "--system: there is no 'Z'"),
        (["align", "x", "--to", "de", "--among", "some"], "--among: there is no 'some'. There are: test, all"),
        (["align", "x", "--to", "de", "--json", "--csv"], "Name one of --json and --csv"),
    ],
)
def test_what_is_not_there_is_said(finished_run: RunDir, words: list[str], message: str) -> None:
    done = RUNNER.invoke(app, [*words, "--run", finished_run.name])
    assert done.exit_code == 1
    with pytest.raises(ValueError, match=message):
        raise done.exception


def pairs(folder: Path) -> str:
    file = folder / "pairs.tsv"
    file.write_text("".join(f"{label(i, 'en')}\t{label(i, 'de')}\n" for i in range(9)) + "one\n", encoding="utf-8")
    return str(file)


def test_evaluate_prints_values_last_and_says_what_is_left_out(finished_run: RunDir, tmp_path: Path) -> None:
    words = ["evaluate", finished_run.name, "--task", "entity_alignment", "--data", pairs(tmp_path), "--to", "de"]
    done = RUNNER.invoke(app, words)
    assert done.exit_code == 0, done.exception
    assert "1 bad rows are left out, 9 are kept" in done.stderr
    assert "line 10: not 2 columns (has 1): one" in done.stderr
    assert "de: 9 queries, protocol strict" in done.stdout
    rows = pd.read_csv(io.StringIO(said(*words, "--csv", "--system", "+EP")))
    assert {"run", "task", "dataset", "system", "language", "metric", "protocol", "value", "low", "high", "n"} <= set(
        rows
    )
    assert set(rows.system) == {"+EP"}
    hit = rows[(rows.metric == "Hit@1") & (rows.protocol == "strict") & rows.language.notna()]
    assert f"{hit.value.iloc[0]:.1f}" in next(line for line in done.stdout.splitlines() if "+EP" in line)
    assert json.loads(said(*words, "--json", "--system", "+EP"))[0]["run"] == finished_run.name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "ner"], "--task: there is no 'ner'. There are: entity_alignment, kg_completion"),
        (["--task", "entity_alignment"], "Pairs need two different languages"),
        (["--task", "kg_completion"], "pairs.tsv has no good row. Columns: subject, relation, object"),
        (["--task", "entity_alignment", "--protocol", "last"], "--protocol: there is no 'last'"),
        (["--task", "entity_alignment", "--to", "de", "--system", "Z"], "--system: there is no 'Z'"),
    ],
)
def test_what_cannot_be_evaluated_is_said(finished_run: RunDir, tmp_path: Path, words: list[str], message: str) -> None:
    done = RUNNER.invoke(app, ["evaluate", finished_run.name, "--data", pairs(tmp_path), *words])
    assert done.exit_code == 1
    with pytest.raises(ValueError, match=message):
        raise done.exception
