"""The command line as a user calls it: through its entry point, in a process of its own where that matters."""

import errno
import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from core.runs.store import RunDir, list_runs
from workbench import cli
from workbench.cli import app

FIELDS = [
    *("run", "task", "dataset", "system", "mode", "language", "group"),
    *("metric", "protocol", "value", "low", "high", "n"),
]
COMMANDS = (
    *("demo", "run", "resume", "stop", "runs", "tables", "up"),
    *("backbone get", "backbone trim", "corpus build", "corpus info", "corpus merge", "corpus stats", "corpus lint"),
    *("corpus build wikidata", "corpus build xfactr", "benchmark build", "benchmark extend", "benchmark info"),
    *("data list", "data get", "compare", "audit", "ablation", "fusion", "answers"),
)


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """`workbench ARGUMENTS` in a new process."""
    command = [sys.executable, "-m", "workbench.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)


def assert_one_clear_line(done: subprocess.CompletedProcess, *words: str) -> None:
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command):
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert f"workbench {command}" in done.stdout.replace("\n", " ")


def test_a_full_disk_says_what_to_do(monkeypatch, capsys):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device", "corpora/x")

    monkeypatch.setattr(cli, "app", full)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert (
        "No space left on device: 'corpora/x'. Make room, then give the same command again." in capsys.readouterr().err
    )


def test_runs_json_and_table(finished_run):
    rows = json.loads(call("runs", "--json").stdout)
    mine = next(row for row in rows if row["run"] == finished_run.name)
    assert (mine["state"], mine["results"], mine["recipe"]) == ("done", True, "corrected")
    assert finished_run.name in call("runs").stdout


def test_tables_json_has_the_documented_fields(finished_run):
    rows = json.loads(call("tables", finished_run.name, "--json").stdout)
    assert len(rows) > 100
    assert all(list(row) == FIELDS for row in rows)
    assert {row["mode"] for row in rows} == {"zero-shot", "fine-tuned"}
    assert all(row["low"] <= row["value"] <= row["high"] or row["n"] < 5 for row in rows)
    stored = finished_run.results()
    one = next(r for r in rows if r["language"] == "fr" and r["system"] == "+EP" and r["metric"] == "MRR")
    match = stored[stored.language == "fr"]
    for column in ("system", "metric", "task", "mode", "protocol"):
        match = match[match[column] == one[column]]
    assert match.value.tolist() == [one["value"]]


def test_tables_for_people_and_csv(finished_run):
    shown = call("tables", finished_run.name).stdout
    assert all(word in shown for word in ("ZS-Un", "Hit@1", "MRR", "+Fusion, fine-tuned", "Entity alignment"))
    csv = call("tables", finished_run.name, "--csv", "--metric", "MRR", "--by", "language").stdout.splitlines()
    assert csv[0].startswith("run,task,dataset")
    assert len(csv) > 10
    assert all(",MRR," in line for line in csv[1:])


def test_tables_of_a_run_without_results(finished_run):
    finished_run.results_file.unlink()
    assert_one_clear_line(call("tables", finished_run.name), finished_run.name, "has no results")


def test_tables_without_a_match(finished_run):
    assert_one_clear_line(call("tables", finished_run.name, "--system", "+XX"), "+XX")


def test_no_such_run():
    assert_one_clear_line(call("tables", "nothing"), "nothing", "workbench runs")


def bad_config(tmp_path, **fields):
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(fields))
    return str(file)


def test_unknown_key_names_the_nearest_and_leaves_nothing(tmp_path):
    done = call("run", bad_config(tmp_path, objektive={"temperature": 0.1}, seed=-1))
    assert done.returncode == 1
    assert "objektive: unknown field; did you mean `objective`?" in done.stderr
    assert "seed" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"corpus": {"folder": "nowhere"}}, ("nowhere", "workbench corpus build")),
        ({"tasks": {"entity_alignment": {"test_languages": ["de", "qq"]}}}, ("'qq'", "test_languages")),
        ({"tasks": {"kg_completion": {"train_languages": ["xx"]}}}, ("'xx'", "train_languages")),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(tmp_path, fields, words):
    assert_one_clear_line(call("run", bad_config(tmp_path, **fields)), *words)
    assert not (tmp_path / "runs").exists()


def test_empty_corpus(tmp_path, tiny_corpus):
    folder = tmp_path / "empty"
    folder.mkdir()
    manifest = json.loads((tiny_corpus.path / "corpus.json").read_text())
    manifest["counts"] = dict.fromkeys(manifest["counts"], 0)
    (folder / "corpus.json").write_text(json.dumps(manifest))
    assert_one_clear_line(call("run", bad_config(tmp_path, corpus={"folder": str(folder)})), "empty")
    assert not (tmp_path / "runs").exists()


def test_run_shows_progress_and_tables_then_resume_says_it_is_done(tmp_path, tiny_config):
    file = tmp_path / "tiny.yaml"
    file.write_text(tiny_config.to_yaml())
    done = call("run", str(file), "--set", "adapters.large=null", "--set", "tasks.kg_completion=null", "--seed", "7")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ %  .*\(\d+ s left\)", done.stderr)
    assert "Done in" in done.stderr
    assert "Run folder:" in done.stdout
    assert "+Fusion, fine-tuned" in done.stdout
    (run,) = (run for run in list_runs() if not run.cached)
    assert run.config.seed == 7
    assert run.config.adapters.large is None
    assert_one_clear_line(call("resume", run.name), "is done")


def test_truncated_weights_end_a_run_with_one_clear_message(tmp_path, tiny_config, tiny_backbone):
    folder = tmp_path / "cut"
    folder.mkdir()
    for file in tiny_backbone.iterdir():
        data = file.read_bytes()
        (folder / file.name).write_bytes(data[: len(data) // 2] if file.suffix == ".safetensors" else data)
    file = tmp_path / "tiny.yaml"
    file.write_text(tiny_config.to_yaml())
    done = call("run", str(file), "--set", f"backbone.source={folder}")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "BackboneError" in errors[0]
    assert str(folder) in errors[0]
    (run,) = (run for run in list_runs() if not run.cached)
    assert run.status().state == "failed"
    assert not run.results_file.exists()


def test_demo_shows_a_finished_demo_and_goes_on_with_one_that_was_stopped(finished_run, monkeypatch):
    monkeypatch.setattr("core.recipes.named", lambda name, changes=None: finished_run.config)
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 0
    assert finished_run.name in done.stdout
    assert [run.name for run in list_runs() if not run.cached] == [finished_run.name]


def test_corpus_build_and_info(tmp_path):
    target = tmp_path / "small"
    options = [word for code in ("en", "de", "eo") for word in ("--language", code)]
    built = json.loads(call("corpus", "build", "cldr", "--out", str(target), *options, "--json").stdout)
    assert built["languages"] == ["de", "en", "eo"]
    assert json.loads(call("corpus", "info", str(target), "--json").stdout) == built
    assert "PATTERNED" in call("corpus", "info", str(target)).stdout
    assert_one_clear_line(call("corpus", "build", "cldr", "--out", str(target)), "not empty")


def test_corpus_build_of_an_unknown_language_leaves_nothing(tmp_path):
    target = tmp_path / "none"
    assert_one_clear_line(call("corpus", "build", "cldr", "--out", str(target), "--language", "qq"), "qq")
    assert list(tmp_path.iterdir()) == []


def in_process(*arguments: str) -> dict:
    """The JSON that a command prints, without the seconds that a new process needs to import transformers."""
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def test_backbone_get_and_trim(tmp_path, tiny_backbone, tiny_corpus):
    facts = in_process("backbone", "get", str(tiny_backbone))
    assert facts["dim"] == 32
    target = str(tmp_path / "trimmed")
    trimmed = in_process("backbone", "trim", str(tiny_backbone), "--corpus", str(tiny_corpus.path), "--out", target)
    assert trimmed["parameters"] < trimmed["before"] == facts["parameters"]
    assert in_process("backbone", "get", target)["parameters"] == trimmed["parameters"]


def test_backbone_that_is_not_here_says_how_to_get_it(tmp_path):
    done = call("backbone", "trim", "no-such/model", "--out", str(tmp_path / "x"))
    assert_one_clear_line(done, "workbench backbone get no-such/model")
    assert not (tmp_path / "x").exists()


def test_stop_of_a_run_that_does_not_run(finished_run):
    assert_one_clear_line(call("stop", finished_run.name), "not running", "done")
    assert RunDir.open(finished_run.name).status().state == "done"
