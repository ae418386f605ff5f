"""The tasks with a head through stages 3 and 4: trained, chosen, measured, resumed, looked into."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from core.config import RunConfig
from core.evaluation.outcomes import from_arrays
from core.evaluation.protocols import PROTOCOLS
from core.execution.worker import main
from core.recipes import parse
from core.runs.journal import Journal
from core.runs.store import RunDir
from core.stages.borrowed_adapters import take_adapter
from core.stages.fine_tuning import fine_tune
from core.stages.heads import fresh_head
from core.stages.loop import Stopped
from core.stages.workspace import Workspace
from tests.benchmarks import WRITERS

OpenWork = Callable[..., Workspace]
TASKS = tuple(WRITERS)
FINE = {"steps": 4, "batch_size": 8, "learning_rate": 1e-3, "head_learning_rate": 1e-2}


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("benchmarks")
    return {task: write(root / task).path for task, write in WRITERS.items()}


def changes(benchmarks: dict[str, Path], tasks: tuple[str, ...] = TASKS, **plan: object) -> dict:
    """Dotted fields of a run of these tasks alone."""
    common = {"fusion_training": FINE, "fine_tuning": FINE, "validations": 2, "validation_queries": 4} | plan
    found: dict = {"tasks.kg_completion": None, "tasks.entity_alignment": None}
    dropout = common.pop("head_dropout", None)
    for task in tasks:
        tests = {} if task == "ner" else {"test_data": []}
        found[f"tasks.{task}"] = common | tests | {"data": str(benchmarks[task])}
        if dropout is not None and task != "question_answering":
            found[f"tasks.{task}"]["head_dropout"] = dropout
    if "question_answering" in tasks:
        found["tasks.question_answering"] |= {"max_tokens": 64, "stride": 16, "question_tokens": 20}
    return found


@pytest.fixture
def open_headed(open_work: OpenWork, benchmarks: dict[str, Path]) -> OpenWork:
    """A workspace of some tasks with the adapter EP, untrained."""

    def make(run: RunDir | None = None, tasks: tuple[str, ...] = TASKS, plan: dict | None = None, **more) -> Workspace:
        fields = changes(benchmarks, tasks, **(plan or {})) | {
            f"adapters.{r}": None for r in ("tp", "es", "ts", "large")
        }
        work = open_work(run, **{k.replace(".", "__"): v for k, v in (fields | more).items()})
        torch.manual_seed(0)
        work.adapters.add("ep")
        work.remember()
        return work

    return make


@pytest.fixture(scope="module")
def finished(
    tiny_config: RunConfig, benchmarks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, shared_cache: Path
) -> RunDir:
    """A run of all three tasks, the systems backbone and +Fusion, with fusion maps."""
    fields = changes(benchmarks) | {
        "evaluation.fine_tuned": ["backbone", "+Fusion"],
        "evaluation.fusion_map": {"examples": 4, "null_fusions": 2},
        "adapters.large": None,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(shared_cache))
        run = RunDir.create(parse(tiny_config.model_dump(mode="json"), fields), tmp_path_factory.mktemp("runs"))
        assert main(run.path) == 0, run.status().message
    return run


def test_a_run_of_the_three_tasks_has_all_their_results(finished: RunDir) -> None:
    rows = finished.results()
    assert set(rows.task) == set(TASKS)
    assert set(rows.protocol) == {"strict", "last", "best-test"}
    assert set(rows["mode"]) == {"fine-tuned"}  # an untrained head says nothing
    metrics = {task: set(part.metric) for task, part in rows.groupby("task")}
    assert metrics == {
        "relation_classification": {"F1", "Accuracy"},
        "ner": {"F1", "Precision", "Recall"},
        "question_answering": {"F1", "EM"},
    }
    assert set(rows.language.dropna()) == {"en", "de"}
    groups = dict(rows[["language", "group"]].dropna().drop_duplicates().to_numpy())
    assert groups == {"en": "Sup", "de": "ZS-In"}
    assert ((rows.low <= rows.value + 1e-9) & (rows.value <= rows.high + 1e-9)).mean() > 0.9
    assert set(rows.n[rows.language.notna()]) == {8}


def test_all_the_work_that_was_expected_is_done(finished: RunDir) -> None:
    status = finished.status()
    assert status.done == pytest.approx(status.total, rel=1e-9)
    assert status.total > 1000


def test_the_budget_of_every_system_is_kept(finished: RunDir) -> None:
    budget = finished.provenance()["budget"]
    assert budget["+EP"] == budget["+TS"] > 0
    assert budget["+Fusion"] > 4 * budget["+EP"]
    assert budget["backbone"] > budget["+EP"]


def test_what_was_read_is_named_and_hashed(finished: RunDir, benchmarks: dict[str, Path]) -> None:
    stored = finished.provenance()["data"]["benchmarks"]
    assert {path: record["sha256"] for path, record in stored.items()} == {
        str(path): json.loads((path / "benchmark.json").read_text())["fingerprint"] for path in benchmarks.values()
    }


def test_a_fused_system_is_looked_into(finished: RunDir) -> None:
    rows = pd.read_parquet(finished.fusion_map_file)
    assert set(rows.task) == set(TASKS)
    assert set(rows.language) == {"en", "de"}
    weights = rows[(rows.measure == "weight") & (rows.fusion == "trained")]
    assert weights.groupby(["task", "language", "layer"]).value.sum().to_numpy() == pytest.approx(1)
    assert set(weights.slot) == {"identity", "ep", "tp", "es", "ts"}
    assert set(rows[rows.measure == "knock_out"].slot) == set(weights.slot)
    assert set(rows.fusion) == {"trained", "null"}


@pytest.mark.parametrize("task", TASKS)
def test_a_head_learns_and_what_is_kept_is_what_is_measured(open_headed: OpenWork, task: str) -> None:
    budget = FINE | {"steps": 40, "learning_rate": 5e-3}
    plan = {"fine_tuning": budget, "checkpoint": "last", "all_checkpoints": False, "head_dropout": 0.0}
    work = open_headed(tasks=(task,), plan=plan)
    fine_tune(work, task, "+EP")
    losses = [e["loss"] for e in work.run.events() if "loss" in e]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    folder = work.run.checkpoint_dir(f"fine-tuned.{task}.ep")
    assert {"weights.safetensors", "head.safetensors", "done.json"} <= {f.name for f in folder.iterdir()}

    fresh = open_headed(work.run, tasks=(task,), plan=plan)
    with torch.no_grad():
        for name, p in fresh.backbone.model.named_parameters():
            p.copy_(load_file(folder / "weights.safetensors")[name].float())
    head = fresh_head(fresh, task)
    head.load_state_dict(load_file(folder / "head.safetensors"))
    with fresh.adapters.active("ep"):
        again = fresh.tasks[task].measure(fresh.encoder, head, fresh.languages[task])
    stored = from_arrays(task, work.run.read_outcomes(task, "+EP", "fine-tuned"))
    for language, outcome in again.items():
        strict = PROTOCOLS["strict"]
        assert outcome.tally(strict).values() == pytest.approx(stored[language].tally(strict).values())


@pytest.mark.parametrize("task", TASKS)
def test_a_stopped_run_goes_on_to_the_same_bits(open_headed: OpenWork, task: str) -> None:
    plan = {"fine_tuning": FINE | {"dropout": 0.1}, "head_dropout": 0.3}
    whole = open_headed(tasks=(task,), plan=plan)
    fine_tune(whole, task, "+EP")
    work = open_headed(tasks=(task,), plan=plan)
    advance, calls = work.journal.advance, []

    def stop(stage: str, share: float) -> bool:
        calls.append(stage)
        advance(stage, share)
        return len(calls) == 3

    work.journal.advance = stop
    with pytest.raises(Stopped):
        fine_tune(work, task, "+EP")
    again = open_headed(work.run, tasks=(task,), plan=plan)
    fine_tune(again, task, "+EP")
    folders = [w.run.checkpoint_dir(f"fine-tuned.{task}.ep") for w in (whole, again)]
    for name in ("weights.safetensors", "head.safetensors"):
        one, other = (load_file(folder / name) for folder in folders)
        assert all(torch.equal(one[k], other[k]) for k in one)
    for weights in ("reported", "last", "best-test"):
        one, other = (w.run.read_outcomes(task, "+EP", "fine-tuned", weights) for w in (whole, again))
        assert all(np.array_equal(one[k], other[k]) for k in one)


def test_stage_three_trains_fusion_and_head_alone(finished: RunDir, tiny_config: RunConfig) -> None:
    folder = finished.checkpoint_dir("fusion.ner")
    assert {"head.safetensors", "done.json", "adapter_fusion_config.json"} <= {f.name for f in folder.iterdir()}
    assert not (folder / "weights.safetensors").exists()


def test_every_system_starts_from_the_same_head(open_headed: OpenWork) -> None:
    work = open_headed(tasks=("ner",))
    torch.manual_seed(5)
    one = fresh_head(work, "ner").state_dict()
    torch.manual_seed(6)
    other = fresh_head(work, "ner").state_dict()
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_stage_three_of_a_system_without_fusion_trains_its_head_alone(open_headed: OpenWork) -> None:
    """With as many steps as the fused system's; without stage 4 this is what is reported."""
    work = open_headed(tasks=("ner",), plan={"fine_tuning": None})
    before = {n: p.detach().clone() for n, p in work.backbone.model.named_parameters()}
    start = fresh_head(work, "ner").state_dict()
    fine_tune(work, "ner", "+EP")
    folders = [work.run.checkpoint_dir(f"{stage}.ner.ep") for stage in ("head", "fine-tuned")]
    trained, reported = (load_file(folder / "head.safetensors") for folder in folders)
    assert all(torch.equal(trained[k], reported[k]) for k in trained)
    assert not torch.equal(trained["1.weight"], start["1.weight"])
    after = dict(work.backbone.model.named_parameters())
    assert all(torch.equal(after[n].half(), p.half()) for n, p in before.items())
    assert json.loads((folders[0] / "done.json").read_text())["steps"] == FINE["steps"]


def test_stage_four_is_validated_from_its_first_weights_on(open_headed: OpenWork) -> None:
    work = open_headed(tasks=("ner",))
    fine_tune(work, "ner", "backbone")
    history = json.loads((work.run.checkpoint_dir("fine-tuned.ner.backbone") / "done.json").read_text())["validation"]
    assert list(history) == ["0", "2", "4"]


def test_adapters_of_another_run_are_taken_and_named(finished: RunDir, tiny_config: RunConfig, benchmarks) -> None:
    fields = changes(benchmarks, ("ner",)) | {"adapters.from_run": str(finished.path), "adapters.large": None}
    fields |= {"corpus.adapter_languages": None, "evaluation.fine_tuned": ["+EP", "+Fusion"]}
    run = RunDir.create(parse(tiny_config.model_dump(mode="json"), fields))
    assert main(run.path) == 0, run.status().message
    facts = json.loads((run.checkpoint_dir("ep") / "done.json").read_text())
    assert facts["from_run"] == finished.name
    one, other = (
        (load_file(r.checkpoint_dir("ep") / "model.safetensors") for r in (run, finished))
        if (run.checkpoint_dir("ep") / "model.safetensors").is_file()
        else (torch.load(r.checkpoint_dir("ep") / "pytorch_adapter.bin") for r in (run, finished))
    )
    assert all(torch.equal(one[k], other[k]) for k in one)
    assert run.provenance()["data"]["adapter_languages"] == ["de", "en", "fr"]
    assert not [e for e in run.events() if e.get("stage") == "ep" and "loss" in e]


def test_adapters_that_do_not_fit_are_refused(finished: RunDir, open_work: OpenWork, tmp_path: Path) -> None:
    from core.encoder.adapter_set import AdapterError
    from tests.conftest import write_backbone

    work = open_work(adapters__from_run=str(finished.path))
    with pytest.raises(AdapterError, match=r"has no adapter 'large'.*It has: ep, tp, es, ts"):
        take_adapter(work, "large")
    torch.manual_seed(3)
    other = open_work(adapters__from_run=str(finished.path), backbone__source=str(write_backbone(tmp_path / "b", 3)))
    with pytest.raises(AdapterError, match=r"trained its adapters on .*, not on"):
        take_adapter(other, "ep")


def test_a_test_language_without_examples_is_named(tiny_config: RunConfig, benchmarks: dict[str, Path]) -> None:
    from core.stages.workspace import prepare

    fields = changes(benchmarks, ("ner",), test_languages=["en", "sw"])
    run = RunDir.create(parse(tiny_config.model_dump(mode="json"), fields))
    with pytest.raises(ValueError, match=r"tasks.ner.test_languages: .* has no test set in sw. It has: de, en"):
        prepare(run, Journal(run))
