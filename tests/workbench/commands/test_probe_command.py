"""`workbench probe`: the weights of the encoder, in colours, as JSON and as CSV."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from core.runs.store import RunDir, RunError
from workbench.cli import app
from workbench.commands import probe


def run_command(*words: str) -> str:
    done = CliRunner().invoke(app, ["probe", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_json_and_csv_hold_the_weights_of_the_encoder(finished_run: RunDir) -> None:
    from core.probing.trained import FUSED, Question, TrainedEncoder

    words = ("de | baba [[er]]", "--run", finished_run.name, "--task", "entity_alignment", "--without", "ep")
    (seen,) = TrainedEncoder(finished_run).observe(["baba er"], Question(FUSED, "entity_alignment", frozenset({"ep"})))
    rows = pd.DataFrame(json.loads(run_command(*words, "--json")))
    assert set(rows.run) == {finished_run.name}
    assert set(rows.language) == {"de"}
    grid = rows.set_index(["layer", "word", "slot"]).weight.unstack()[list(seen.slots)].to_numpy().reshape(2, 2, 5)
    np.testing.assert_allclose(grid[:, 0], seen.weights[:, 1:5].mean(1), atol=1e-5)
    np.testing.assert_allclose(grid[:, 1], seen.weights[:, 5:7].mean(1), atol=1e-5)
    printed = pd.read_csv(io.StringIO(run_command(*words, "--csv", "--layer", "1")))
    np.testing.assert_allclose(printed.weight, rows[rows.layer == 1].weight, atol=1e-6)
    pieces = pd.read_csv(io.StringIO(run_command(*words, "--csv", "--pieces", "--special")))
    assert pieces.drop_duplicates("position").word.tolist() == ["[CLS]", *"babaer", "[SEP]"]


def test_the_terminal_shows_coloured_words_a_table_and_the_change(
    finished_run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = io.StringIO()
    monkeypatch.setattr(probe, "out", Console(file=room, force_terminal=True, color_system="truecolor", width=140))
    run_command("baba er.", "--run", finished_run.name, "--layer", "1", "--without", "tp")
    said = room.getvalue()
    assert "\x1b[1;37;48;2;" in said
    plain = pd.Series(said).str.replace(r"\x1b\[[0-9;]*m", "", regex=True)[0]
    assert plain.startswith("baba er.")
    assert "largest" in plain
    assert "Without tp: cosine to the vector of the whole fusion 0.9" in plain or "fusion 1.000" in plain
    assert plain.strip().splitlines()[-1] == f"Knowledge-graph completion, layer 1; run {finished_run.name}"


def test_a_file_of_sentences(finished_run: RunDir, tmp_path: Path) -> None:
    file = tmp_path / "own.tsv"
    file.write_bytes(b"de\tbaba\n\xff\n\nko er\n")
    done = CliRunner().invoke(app, ["probe", "--file", str(file), "--run", finished_run.name, "--csv"])
    assert done.exit_code == 0, done.output
    rows = pd.read_csv(io.StringIO(done.stdout), keep_default_na=False)
    assert rows.drop_duplicates(["sentence", "word"])[["sentence", "language", "word"]].to_numpy().tolist() == [
        *([1, "de", "baba"], [4, "", "ko"], [4, "", "er"])
    ]
    assert "line 2: byte 1 is not UTF-8" in " ".join(done.stderr.split())


def test_answers_are_the_nearest_labels(finished_run: RunDir, tiny_corpus) -> None:
    from core.probing.nearest import corpus_labels

    label = corpus_labels(tiny_corpus, "eo").text[11]
    rows = json.loads(run_command(label, "--run", finished_run.name, "--answers", "eo", "--answers", "fr", "--json"))
    assert [row["language"] for row in rows] == ["eo"] * 10 + ["fr"] * 10
    assert rows[0]["answer"] == label
    assert rows[0]["cosine"] == pytest.approx(1, abs=1e-5)
    assert [row["place"] for row in rows[:10]] == list(range(1, 11))
    assert label in run_command(label, "--run", finished_run.name, "--answers", "eo")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Give a sentence, or --file"),
        (("a", "--file", "x"), "Give a sentence, or --file"),
        (("a",), "--run: name a run"),
        (("a", "--run", "RUN", "--json", "--csv"), "one of --json and --csv"),
        (("?!", "--run", "RUN"), "no letter or digit"),
        (("a", "--run", "RUN", "--task", "ner"), "--task: there is no 'ner'. There are: kg_completion"),
        (("a", "--run", "RUN", "--without", "large"), "--without: there is no 'large'. There are: identity"),
        (("a", "--run", "RUN", "--layer", "2"), "--layer: there is no 2. There are 0 to 1"),
        (("a", "--run", "RUN", "--special"), "--special needs --pieces"),
        (("a", "--run", "RUN", "--answers", "zh"), "no labels in language 'zh'"),
        (("a", "--run", "nobody"), "There is no run 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(words: tuple[str, ...], message: str, finished_run: RunDir) -> None:
    words = tuple(finished_run.name if word == "RUN" else word for word in words)
    with pytest.raises(ValueError, match=message):
        run_command(*words)


def test_a_run_without_fusions_says_what_to_do(finished_run: RunDir) -> None:
    for folder in finished_run.path.glob("checkpoints/fusion.*"):
        (folder / "done.json").unlink()
    with pytest.raises(RunError, match=r"has kept no fusion. Ask it with --fine-tuned[.]"):
        run_command("a", "--run", finished_run.name)
    assert "baba" in run_command("baba", "--run", finished_run.name, "--fine-tuned", "--csv")
