"""Whole runs in this process: what they leave, that they repeat, and that they go on after every kind of end."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from core import recipes
from core.config import ADAPTERS, SYSTEMS, RunConfig
from core.corpora.store import Corpus
from core.execution.worker import EXIT_FAILED, EXIT_STOPPED, main
from core.runs.journal import Journal
from core.runs.store import RunDir

TASK = "entity_alignment"


@pytest.fixture(autouse=True)
def _own_signal_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def small(tiny_config: RunConfig) -> Callable[..., RunConfig]:
    """Every kind of stage, as few of each as there can be; learning fast enough for a difference to show."""

    def make(**changes: Any) -> RunConfig:
        fast = {"steps": 3, "batch_size": 8, "learning_rate": 1e-2}
        plain = {
            "adapters.large": None,
            "tasks.kg_completion": None,
            f"tasks.{TASK}.validations": 3,
            f"tasks.{TASK}.fine_tuning": fast,
            f"tasks.{TASK}.fusion_training": fast,
            "evaluation.zero_shot": ["backbone", "+EP"],
            "evaluation.fine_tuned": ["backbone", "+Fusion"],
            "evaluation.bootstrap_samples": 20,
            "compute.precision": "fp32",
        }
        return recipes.parse(tiny_config.model_dump(mode="json"), plain | changes)

    return make


@pytest.fixture(scope="module")
def whole(small: Callable[..., RunConfig], shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The small run, done without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(shared_cache))
        run = RunDir.create(small(), tmp_path_factory.mktemp("whole"))
        assert main(run.path) == 0, run.status().message
    return run


def weights(run: RunDir) -> dict[str, torch.Tensor]:
    """Every tensor that the run kept, by stage, file and name."""
    found = {}
    for file in run.path.rglob("checkpoints/*/*"):
        if file.suffix == ".safetensors":
            state = load_file(file)
        elif file.suffix == ".bin":
            state = torch.load(file, weights_only=True)
        else:
            continue
        found |= {f"{file.parent.name}/{file.name}/{name}": value for name, value in state.items()}
    return found


def facts(run: RunDir) -> dict[str, Any]:
    return {f.parent.name: json.loads(f.read_text()) for f in run.path.rglob("checkpoints/*/done.json")}


def assert_same(first: RunDir, second: RunDir) -> None:
    """Equal results, ranks, kept weights and validation scores: bit for bit."""
    pd.testing.assert_frame_equal(first.results(), second.results(), check_exact=True)
    ranks = [sorted(f.name for f in run.path.glob("outcomes/*")) for run in (first, second)]
    assert ranks[0] == ranks[1] != []
    for name in ranks[0]:
        with np.load(first.path / "outcomes" / name) as a, np.load(second.path / "outcomes" / name) as b:
            assert a.files == b.files
            assert all(np.array_equal(a[k], b[k]) for k in a.files)
    one, two = weights(first), weights(second)
    assert one.keys() == two.keys()
    assert len(one) > 100
    assert [n for n in one if not torch.equal(one[n], two[n])] == []
    assert facts(first) == facts(second)


def steps(run: RunDir) -> dict[str, list[int]]:
    """Steps that were trained, by stage."""
    found: dict[str, list[int]] = {}
    for event in run.events():
        if event["event"] == "step" and "step" in event:
            found.setdefault(event["stage"], []).append(event["step"])
    return found


def times(run: RunDir, stages: list[str]) -> dict[Path, int]:
    return {f: f.stat().st_mtime_ns for stage in stages for f in run.checkpoint_dir(stage).iterdir()}


# What a run leaves


def test_a_finished_run_has_every_file(finished_run: RunDir) -> None:
    names = {f.name for f in finished_run.path.iterdir()}
    assert names == {
        *("config.yaml", "provenance.json", "status.json", "events.jsonl", "results.parquet", "outcomes", "checkpoints")
    }
    tasks, small = ("kg_completion", "entity_alignment"), ("backbone", "ep", "tp", "es", "ts", "large")
    measured = [f"{t}.{s}.{mode}.npz" for t in tasks for s in small for mode in ("zero-shot", "fine-tuned")]
    measured += [f"{t}.fusion.fine-tuned.npz" for t in tasks]
    tuned = [f"{t}.{s}.fine-tuned" for t in tasks for s in (*small, "fusion")]
    measured += [f"{name}.{weights}.npz" for name in tuned for weights in ("last", "best-test")]
    assert {f.name for f in finished_run.path.glob("outcomes/*")} == set(measured)
    stages = [
        *ADAPTERS,
        *(f"fusion.{t}" for t in tasks),
        *(f"fine-tuned.{t}.{s}" for t in tasks for s in (*small, "fusion")),
    ]
    assert {f.name for f in finished_run.path.glob("checkpoints/*")} == set(stages)
    assert all((finished_run.checkpoint_dir(stage) / "done.json").is_file() for stage in stages)
    assert not [f for f in finished_run.path.rglob("*") if f.name.endswith(".tmp") or f.name == "state.pt"]


def test_a_finished_run_says_so(finished_run: RunDir, tiny_config: RunConfig) -> None:
    status = finished_run.status()
    assert (status.state, status.message) == ("done", "")
    assert status.seconds_left() == pytest.approx(0.0, abs=1e-6)
    assert finished_run.config == tiny_config
    last = list(finished_run.events())[-1]
    assert (last["event"], last["state"]) == ("end", "done")


def test_stages_come_in_the_order_of_the_paper(finished_run: RunDir) -> None:
    seen = dict.fromkeys(e["stage"] for e in finished_run.events() if e["event"] == "stage")
    singles = [s for s in SYSTEMS if s != "+Fusion"]
    tuned = []
    for task in ("kg_completion", "entity_alignment"):
        for system in singles:
            key = f"fine-tuned.{task}.{system.lstrip('+').lower()}"
            tuned += [key, f"{key}.test"]
        tuned += [f"fusion.{task}", f"fine-tuned.{task}.fusion", f"fine-tuned.{task}.fusion.test"]
    assert list(seen) == ["prepare", *ADAPTERS, *(f"zero-shot.{s}" for s in singles), *tuned, "results"]
    trained = steps(finished_run)
    assert set(trained) == {*ADAPTERS, *(s for s in tuned if not s.endswith(".test"))}
    assert all(done == [1, 2, 3] for done in trained.values())


def test_results_have_every_system_mode_and_task(finished_run: RunDir) -> None:
    frame = finished_run.results()
    assert list(frame.columns) == [
        *("task", "dataset", "system", "mode", "language", "group", "metric", "protocol", "value", "low", "high", "n")
    ]
    found = set(frame[["task", "system", "mode"]].itertuples(index=False, name=None))
    tasks, modes = ("kg_completion", "entity_alignment"), ("zero-shot", "fine-tuned")
    assert found == set(product(tasks, SYSTEMS, modes)) - {(t, "+Fusion", "zero-shot") for t in tasks}
    languages = {"kg_completion": 4, "entity_alignment": 3}
    protocols = {"zero-shot": 3, "fine-tuned": 5}  # only a fine-tuning has other weights than those it reports
    for (task, _, mode), rows in frame.groupby(["task", "system", "mode"]):
        assert len(rows) == (languages[task] + 3) * 5 * protocols[mode]  # languages and groups, metrics, protocols
    assert not frame.drop(columns=["language", "group"]).isna().any(axis=None)
    assert frame.value.between(0, 100).all()
    assert (frame.n > 0).all()


def test_provenance_says_what_made_the_run(finished_run: RunDir, tiny_corpus: Corpus) -> None:
    record = finished_run.provenance()
    assert record["run"] == finished_run.name
    assert (record["recipe"], record["seed"]) == ("corrected", 0)
    assert record["fingerprint"] == finished_run.config.fingerprint()
    assert record["data"]["corpus"]["sha256"] == tiny_corpus.info.fingerprint
    assert len(record["data"]["backbone"]["sha256"]) == 64
    assert record["data"]["adapter_languages"] == ["de", "en", "fr"]
    assert record["deviations"]["corpus.folder"][1] == str(tiny_corpus.path)
    (attempt,) = record["attempts"]
    assert attempt["versions"]["torch"] == metadata.version("torch")
    assert attempt["device"]["device"] == "cpu"
    assert attempt["device"]["threads"] == 1


def test_stage_four_of_fusion_kept_everything_that_it_uses(finished_run: RunDir) -> None:
    state = load_file(finished_run.checkpoint_dir("fine-tuned.kg_completion.fusion") / "weights.safetensors")
    roles = {n.split(".adapters.")[1].split(".")[0] for n in state if ".adapters." in n}
    assert roles == {"ep", "tp", "es", "ts"}
    assert any(".adapter_fusion_layer." in n for n in state)
    assert "embeddings.word_embeddings.weight" in state
    assert {v.dtype for v in state.values()} == {torch.float16}


# Runs repeat


def test_the_same_seed_gives_the_same_run(whole: RunDir, small: Callable[..., RunConfig]) -> None:
    second = RunDir.create(small(title="another name"))
    torch.manual_seed(4321)
    np.random.seed(4321)  # noqa: NPY002
    assert main(second.path) == 0
    assert second.config.fingerprint() == whole.config.fingerprint()
    assert_same(whole, second)


def test_another_seed_gives_another_run(whole: RunDir, small: Callable[..., RunConfig]) -> None:
    other = RunDir.create(small(seed=1))
    assert main(other.path) == 0
    assert not other.results().value.equals(whole.results().value)
    one, two = weights(whole), weights(other)
    assert one.keys() == two.keys()
    assert all(not torch.equal(one[n], two[n]) for n in one if n.startswith(("ep/", "ts/")) and n.endswith("weight"))
    bare = [r.results().query("system == 'backbone' and mode == 'zero-shot'").value.tolist() for r in (whole, other)]
    assert bare[0] == bare[1] != []  # no training, so no seed


# Runs go on


def stop_in(monkeypatch: pytest.MonkeyPatch, stage: str, call: int) -> list[str]:
    """Send this process SIGTERM at the given report of progress of a stage."""
    advance, calls = Journal.advance, []

    def stopping(journal: Journal, key: str, share: float) -> bool:
        calls.extend([key] * (key == stage))
        if key == stage and len(calls) == call:
            os.kill(os.getpid(), signal.SIGTERM)
        return advance(journal, key, share)

    monkeypatch.setattr(Journal, "advance", stopping)
    return calls


@pytest.mark.parametrize(
    ("stage", "call", "left"),
    [
        ("es", 2, [3]),
        ("zero-shot.+EP", 1, None),
        (f"fusion.{TASK}", 1, [2, 3]),
        (f"fine-tuned.{TASK}.fusion", 2, [3]),
        (f"fine-tuned.{TASK}.backbone.test", 1, []),  # trained already: only measured again
    ],
)
def test_a_run_that_is_stopped_goes_on_to_the_same_end(
    whole: RunDir, small: Callable[..., RunConfig], stage: str, call: int, left: list[int] | None
) -> None:
    run = RunDir.create(small())
    with pytest.MonkeyPatch.context() as patch:
        calls = stop_in(patch, stage, call)
        assert main(run.path) == EXIT_STOPPED
    assert len(calls) == call
    status = run.status()
    assert (status.state, status.message) == ("stopped", "stopped on request; resume it to go on")
    assert not run.results_file.exists()
    done, before = list(facts(run)), steps(run)
    kept = times(run, done)
    if left is not None and not stage.endswith(".test"):
        assert (run.checkpoint_dir(stage) / "state.pt").is_file()

    torch.manual_seed(99)
    assert main(run.path) == 0
    after = steps(run)
    again = {s: after[s][len(before.get(s, [])) :] for s in after}
    assert all(again[s] == [] for s in done)
    assert kept.items() <= times(run, done).items()
    if left is not None:
        assert again[stage.removesuffix(".test")] == left
    assert {s: done for s, done in again.items() if s not in before} == {s: [1, 2, 3] for s in again if s not in before}
    assert_same(whole, run)
    status = run.status()
    assert status.state == "done"
    assert status.done == pytest.approx(status.total, rel=1e-9)
    assert len(run.provenance()["attempts"]) == 2


def test_a_run_that_was_killed_goes_on_without_training_its_done_stages_again(whole: RunDir, tmp_path: Path) -> None:
    """As a kill leaves it: running, its process gone, its last stage half on the disk."""
    run = RunDir(tmp_path / "runs" / whole.name)
    shutil.copytree(whole.path, run.path)
    last = f"fine-tuned.{TASK}.fusion"
    run.results_file.unlink()
    run.outcome_file(TASK, "+Fusion", "fine-tuned").unlink()
    (run.checkpoint_dir(last) / "done.json").unlink()
    run.write_status(replace(run.status(), state="running", pid=2**22 + 1))
    with run.events_file.open("a") as file:
        file.write('{"event": "st')
    assert run.status().state == "died"
    before = steps(run)
    kept = times(run, [s for s in facts(run) if s != last])

    assert main(run.path) == 0
    after = steps(run)
    assert {s for s in after if after[s] != before[s]} == {last}
    assert after[last] == [1, 2, 3] * 2
    assert kept.items() <= times(run, list(facts(run))).items()
    assert len(kept) > 10
    assert_same(whole, run)


def test_a_run_whose_results_alone_are_gone_trains_nothing_and_still_counts_all_its_work(
    whole: RunDir, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "runs" / whole.name)
    shutil.copytree(whole.path, run.path)
    run.results_file.unlink()
    before = steps(run)
    assert main(run.path) == 0
    assert steps(run) == before
    assert_same(whole, run)
    status = run.status()
    assert status.done == pytest.approx(status.total, rel=1e-9)
    assert status.skipped == pytest.approx(status.total, rel=1e-9)


# Runs end early


def test_a_run_without_its_corpus_fails_in_one_line(small: Callable[..., RunConfig], tmp_path: Path) -> None:
    run = RunDir.create(small(**{"corpus.folder": str(tmp_path / "gone")}))
    assert main(run.path) == EXIT_FAILED
    status = run.status()
    assert status.state == "failed"
    assert status.message.startswith(f"CorpusError: There is no corpus in {tmp_path / 'gone'}")
    assert "\n" not in status.message
    assert list(run.events())[-1]["message"] == status.message


def test_a_run_without_tasks_trains_its_adapters_and_measures_nothing(small: Callable[..., RunConfig]) -> None:
    run = RunDir.create(small(**{"tasks.kg_completion": None, "tasks.entity_alignment": None}))
    assert main(run.path) == 0, run.status().message
    assert run.status().state == "done"
    assert set(facts(run)) >= {"ep", "ts"}
    assert not run.results_file.exists()


def test_a_loss_that_is_not_finite_fails_the_run(
    small: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.stages.contrastive.symmetric_info_nce", lambda a, *_: a.sum() * float("nan"))
    run = RunDir.create(small())
    assert main(run.path) == EXIT_FAILED
    assert run.status().message.startswith("TrainingError: The loss became nan at step 1 of 3")


def test_ctrl_c_is_a_stop_and_no_failure(small: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "event", interrupted)
    run = RunDir.create(small())
    assert main(run.path) == EXIT_STOPPED
    assert run.status().state == "stopped"
