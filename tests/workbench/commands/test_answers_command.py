"""`workbench answers` on stored answers, read back by SQuAD's rules in torchmetrics."""

import json

import numpy as np
import pytest
from torchmetrics.functional.text import squad
from typer.testing import CliRunner, Result

from core import recipes
from core.evaluation.answers import PredictedAnswers
from core.evaluation.outcomes import to_arrays
from core.runs.store import RunDir
from workbench.cli import app

GOLD = {"q1": ("the Ebro",), "q2": ("1912", "in 1912"), "q3": ("Łódź",)}
SAID = {"q1": ("Ebro", "a river"), "q2": ("in 1912", "1912"), "q3": ("Warsaw", "Łódź")}


@pytest.fixture
def run() -> RunDir:
    made = RunDir.create(recipes.parse({"title": "asked", "tasks": {"question_answering": {}}}))
    scores = tuple((2.0, 1.0) for _ in GOLD)
    answers = PredictedAnswers(np.arange(3), tuple(GOLD), tuple(GOLD.values()), tuple(SAID.values()), scores)
    made.write_outcomes("question_answering", "+Fusion", "fine-tuned", to_arrays({"pl": answers}))
    return made


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["answers", *arguments])


def test_the_official_script_reads_what_is_printed(run: RunDir) -> None:
    said = json.loads(call(run.name, "--language", "pl").stdout)
    assert said == {"q1": "Ebro", "q2": "in 1912", "q3": "Warsaw"}
    predictions = [{"id": id, "prediction_text": text} for id, text in said.items()]
    target = [{"id": id, "answers": {"text": list(gold), "answer_start": [0] * len(gold)}} for id, gold in GOLD.items()]
    stored = run.read_outcomes("question_answering", "+Fusion", "fine-tuned")
    assert stored  # and they are the run's own
    assert float(squad(predictions, target)["exact_match"]) == pytest.approx(200 / 3)


def test_every_answer_with_its_probability(run: RunDir) -> None:
    said = json.loads(call(run.name, "--language", "pl", "--n-best").stdout)
    assert [one["text"] for one in said["q3"]] == ["Warsaw", "Łódź"]
    first = np.e**2 / (np.e**2 + np.e)
    assert [one["probability"] for one in said["q3"]] == pytest.approx([first, 1 - first])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--language", "de"], "has no answers in 'de'. It has: pl"),
        (["--language", "pl", "--system", "+EP"], r"has no answers of +EP. It has answers of: +Fusion"),
        (["--language", "pl", "--weights", "best"], "--weights: there is no 'best'. There are: reported, last"),
        (["--language", "pl", "--weights", "last"], "It has answers of: no system"),
    ],
)
def test_what_is_not_there_is_named(run: RunDir, arguments: list[str], message: str) -> None:
    found = call(run.name, *arguments)
    assert isinstance(found.exception, ValueError)
    assert message in str(found.exception)
