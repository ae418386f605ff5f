"""`workbench submit`, `queue`, `archive` and `restore`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from core.config import RunConfig
from core.execution.queue import Queue
from core.runs.store import RunDir, list_runs, runs_root
from workbench.cli import app


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Queue, "wake", lambda queue: None)


@pytest.fixture
def file(tiny_config: RunConfig, tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_config.to_yaml())
    return str(path)


def say(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def waiting() -> list[RunDir]:
    return Queue().waiting()


def test_a_config_with_changes_waits_in_the_queue(file: str) -> None:
    said = say("submit", file, "--set", "objective.temperature=0.1", "--seed", "7", "--json")
    assert said.exit_code == 0, said.exception
    (row,) = json.loads(said.stdout)
    (run,) = waiting()
    assert (row["run"], row["place"]) == (run.name, 1)
    assert (run.config.seed, run.config.objective.temperature) == (7, 0.1)
    again = say("submit", file, "--set", "objective.temperature=0.1", "--seed", "7")
    assert again.exit_code == 1
    assert "--again adds another" in str(again.exception)
    assert say("submit", file, "--set", "objective.temperature=0.1", "--seed", "7", "--again").exit_code == 0
    assert len(waiting()) == 2


def test_a_grid_is_submitted_in_its_order(file: str) -> None:
    said = say("submit", file, "--grid", "seed=[0, 1]", "--grid", "objective.temperature=[0.05, 0.1]", "--on", "local")
    assert said.exit_code == 0, said.exception
    found = [(run.config.seed, run.config.objective.temperature) for run in waiting()]
    assert found == [(0, 0.05), (0, 0.1), (1, 0.05), (1, 0.1)]
    assert "Submitted 4" in said.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--grid", "seed=3"), r"--grid takes field=\[value"),
        (("--grid", "sed=[3]"), r"--grid takes field=\[value"),
        (("--grid", "seed"), "--grid takes field=value"),
        (("--set", "seed"), "--set takes field=value"),
        (("--set", "sed=3"), "did you mean `seed`"),
        (("--grid", f"seed={list(range(65))}"), "65 runs; a grid has at most 64"),
    ],
)
def test_what_cannot_be_submitted_leaves_nothing(file: str, words: tuple[str, ...], message: str) -> None:
    said = say("submit", file, *words)
    assert said.exit_code == 1
    with pytest.raises(ValueError, match=message):
        raise said.exception
    assert list_runs([runs_root()]) == []


def test_only_this_machine_is_offered(file: str) -> None:
    assert say("submit", file, "--on", "slurm").exit_code == 2


def test_the_queue_is_listed_ordered_paused_and_widened(file: str) -> None:
    assert "0 running, 0 waiting" in say("queue").stdout
    say("submit", file, "--grid", "seed=[0, 1, 2]")
    names = [run.name for run in waiting()]
    assert say("queue", "move", names[2], "1").exit_code == 0
    assert say("queue", "cancel", names[0]).exit_code == 0
    assert say("queue", "slots", "2").exit_code == 0
    said = say("queue", "pause")
    assert "paused, go on with: workbench queue resume" in said.stdout
    found = json.loads(say("queue", "--json").stdout)
    assert found == {"running": [], "waiting": [names[2], names[1]], "paused": True, "slots": 2, "worked_on": False}
    assert "No process works on the queue" in say("queue", "resume").stdout
    assert say("queue", "slots", "0").exit_code == 1
    assert "does not wait in the queue" in str(say("queue", "cancel", names[0]).exception)


def test_a_run_is_put_away_and_back(finished_run: RunDir) -> None:
    assert "workbench restore" in say("archive", finished_run.name).stdout
    assert json.loads(say("archive", "--json").stdout) == [finished_run.name]
    assert say("restore", finished_run.name).exit_code == 0
    assert RunDir.open(finished_run.name).results_file.is_file()
    assert "The archive is empty." in say("archive").stdout


@pytest.mark.parametrize("name", ["submit", "queue", "archive", "restore"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    said = say(name, "--help")
    assert said.exit_code == 0
    assert f"workbench {name}" in said.stdout
