"""Stage 4: which weights it changes and starts from, and which of them are reported."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from core.evaluation.outcomes import LanguageRanks, from_arrays
from core.evaluation.protocols import RANK_SETS
from core.runs.store import RunDir
from core.stages import fine_tuning
from core.stages.adapter_training import train_adapter
from core.stages.fine_tuning import Choice, fine_tune
from core.stages.loop import Step, Stopped
from core.stages.measurement import measure_zero_shot
from core.stages.workspace import Workspace

OpenWork = Callable[..., Workspace]
TASK = "entity_alignment"
FINE = {"steps": 4, "batch_size": 8, "learning_rate": 1e-3}


@pytest.fixture
def open_adapted(open_work: OpenWork) -> OpenWork:
    """A workspace with the adapter EP after one step of stage 2, and one task."""

    def make(run: RunDir | None = None, **changes: object) -> Workspace:
        plain = {f"adapters__{role}": None for role in ("tp", "es", "ts", "large")}
        plain |= {"adapters__ep": {"steps": 1, "batch_size": 4}, "tasks__kg_completion": None}
        plain |= {"tasks__entity_alignment__fine_tuning": FINE, "tasks__entity_alignment__validations": 2}
        work = open_work(run, **(plain | {k.replace("task__", f"tasks__{TASK}__"): v for k, v in changes.items()}))
        train_adapter(work, "ep", work.config.adapters.ep)
        work.remember()
        return work

    return make


def weights(work: Workspace) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in work.backbone.model.named_parameters()}


def halves(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: p.half() for n, p in state.items()}


def folder(work: Workspace, system: str = "backbone") -> Path:
    return work.run.checkpoint_dir(f"fine-tuned.{TASK}.{system}")


def kept(work: Workspace, system: str = "backbone") -> dict[str, Tensor]:
    return load_file(folder(work, system) / "weights.safetensors")


def facts(work: Workspace, system: str = "backbone") -> dict:
    return json.loads((folder(work, system) / "done.json").read_text())


def ranks(work: Workspace, system: str = "backbone", mode: str = "fine-tuned") -> dict[str, np.ndarray]:
    return work.run.read_outcomes(TASK, system, mode)


def same(first: dict, second: dict) -> bool:
    assert first.keys() == second.keys()
    return all(np.array_equal(first[k], second[k]) for k in first)


class Scores:
    """Takes the place of validation: gives planned scores, and keeps the weights that each was given for."""

    def __init__(self, planned: list[float]) -> None:
        self.planned, self.weights = iter(planned), []

    def __call__(self, choice: Choice) -> float:
        self.weights.append(halves(weights(choice.work)))
        return next(self.planned)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], Scores]:
    def plan(values: list[float]) -> Scores:
        scores = Scores(values)
        monkeypatch.setattr(Choice, "_validate", lambda choice: scores(choice))
        return scores

    return plan


# What changes, and from where


def test_everything_that_the_system_uses_is_trained(open_adapted: OpenWork) -> None:
    """Compared at half precision, in which weights are kept: a mere rounding is no training."""
    work = open_adapted(task__fine_tuning=FINE | {"learning_rate": 1e-2}, task__checkpoint="last")
    work.adapters.add("other")
    work.remember()
    start = halves(weights(work))
    fine_tune(work, TASK, "+EP")
    found = kept(work, "ep")
    assert set(found) == {n for n in start if ".adapters.other." not in n}
    moved = {n for n in found if not torch.equal(found[n], start[n])}
    untouched = set(found) - moved
    assert {n for n in found if n.endswith("weight") and "LayerNorm" not in n} <= moved
    assert {n for n in moved if ".adapters.ep." in n} == {n for n in found if ".adapters.ep." in n}
    assert untouched <= {n for n in found if n.endswith("key.bias")}  # softmax does not see it
    assert {n for n in start if ".adapters.other." in n} == {
        n for n in start if ".adapters.other." in n and torch.equal(start[n], weights(work)[n].half())
    }


def test_the_bare_backbone_leaves_the_adapters_alone(open_adapted: OpenWork) -> None:
    work = open_adapted(task__checkpoint="last")
    start = weights(work)
    fine_tune(work, TASK, "backbone")
    end = weights(work)
    assert [n for n in start if ".adapters." in n and not torch.equal(start[n], end[n])] == []
    assert not any(".adapters." in n for n in kept(work))
    assert not torch.equal(
        start["embeddings.word_embeddings.weight"].half(), kept(work)["embeddings.word_embeddings.weight"]
    )


def test_every_system_starts_from_the_pretrained_weights(open_adapted: OpenWork) -> None:
    alone, after = open_adapted(task__checkpoint="last"), open_adapted(task__checkpoint="last")
    fine_tune(after, TASK, "backbone")
    for work in (alone, after):
        fine_tune(work, TASK, "+EP")
    assert same(kept(alone, "ep"), kept(after, "ep"))
    assert same(ranks(alone, "+EP"), ranks(after, "+EP"))
    words = "embeddings.word_embeddings.weight"
    assert not torch.equal(kept(after)[words], kept(after, "ep")[words])


def test_dropout_is_drawn_from_the_seed_of_the_stage(open_adapted: OpenWork) -> None:
    """Whatever torch's generator was left at."""
    own = {"task__fine_tuning": FINE | {"dropout": None}, "task__checkpoint": "last"}
    runs = [open_adapted(**own), open_adapted(**own), open_adapted(**own | {"task__fine_tuning": FINE})]
    for i, work in enumerate(runs):
        torch.manual_seed(i)
        fine_tune(work, TASK, "backbone")
    assert same(kept(runs[0]), kept(runs[1]))
    assert not same(kept(runs[0]), kept(runs[2]))  # without dropout


def test_what_is_measured_is_what_is_kept(open_adapted: OpenWork) -> None:
    """The kept weights, loaded into a fresh workspace and measured as they are, give the stored ranks."""
    work = open_adapted(task__fine_tuning=FINE | {"learning_rate": 1e-2}, task__checkpoint="last")
    fine_tune(work, TASK, "+EP")
    fresh = open_adapted(work.run)
    state = kept(fresh, "ep")
    assert (folder(fresh, "ep") / "pieces.npy").is_file()
    with torch.no_grad():
        for name, p in fresh.backbone.model.named_parameters():
            p.copy_(state[name].float())
    measure_zero_shot(fresh, "+EP")
    assert same(ranks(fresh, "+EP", "zero-shot"), ranks(fresh, "+EP"))
    before = open_adapted()
    measure_zero_shot(before, "+EP")
    assert not same(ranks(before, "+EP", "zero-shot"), ranks(fresh, "+EP"))


def test_fine_tuned_weights_are_kept_only_where_asked(open_adapted: OpenWork) -> None:
    work = open_adapted(compute__keep_fine_tuned=False)
    fine_tune(work, TASK, "backbone")
    assert [f.name for f in folder(work).iterdir()] == ["done.json"]
    assert facts(work)["steps"] == 4


def test_a_measured_system_is_not_trained_again(open_adapted: OpenWork) -> None:
    work = open_adapted()
    fine_tune(work, TASK, "backbone")
    file = work.run.outcome_file(TASK, "backbone", "fine-tuned")
    times = file.stat().st_mtime_ns, (folder(work) / "done.json").stat().st_mtime_ns
    events = len(list(work.run.events()))
    fine_tune(work, TASK, "backbone")
    assert (file.stat().st_mtime_ns, (folder(work) / "done.json").stat().st_mtime_ns) == times
    assert len(list(work.run.events())) == events > 0


# Which weights are reported


def test_validation_happens_before_the_first_step_and_at_even_distances(open_adapted: OpenWork) -> None:
    work = open_adapted(task__validations=3, task__fine_tuning=FINE | {"steps": 7})
    fine_tune(work, TASK, "backbone")
    history = facts(work)["validation"]
    assert list(history) == ["0", "2", "5", "7"]
    assert all(0 < score <= 100 for score in history.values())


@pytest.mark.parametrize(
    ("scores", "best"), [([0.1, 0.9, 0.5], 1), ([0.9, 0.1, 0.5], 0), ([0.1, 0.2, 0.3], 2), ([0.5, 0.5, 0.5], 0)]
)
def test_best_validation_reports_the_best_of_the_validated_weights(
    open_adapted: OpenWork, planned: Callable[[list[float]], Scores], scores: list[float], best: int
) -> None:
    work = open_adapted()
    seen = planned(scores)
    fine_tune(work, TASK, "backbone")
    assert len(seen.weights) == 3
    found = kept(work)
    hits = [all(torch.equal(found[n], w[n]) for n in found) for w in seen.weights]
    assert hits == [i == best for i in range(3)]
    assert facts(work)["validation"] == {"0": scores[0], "2": scores[1], "4": scores[2]}


def test_a_fine_tuning_that_only_harms_is_not_reported(open_adapted: OpenWork) -> None:
    """The real validation: a huge rate destroys the encoder, so the pretrained weights are reported."""
    harm = FINE | {"learning_rate": 3.0, "warmup_steps": 0}
    work = open_adapted(task__fine_tuning=harm)
    start = halves(weights(work))
    fine_tune(work, TASK, "backbone")
    history = facts(work)["validation"]
    assert history["0"] > max(history["2"], history["4"])
    found = kept(work)
    assert all(torch.equal(found[n], start[n]) for n in found)
    last = open_adapted(task__fine_tuning=harm, task__checkpoint="last")
    fine_tune(last, TASK, "backbone")
    assert facts(last)["validation"] == {}
    words = "embeddings.word_embeddings.weight"
    assert (kept(last)[words].float() - start[words].float()).abs().max() > 1
    assert not same(ranks(last), ranks(work))


def measured(hits: dict[str, int], queries: int = 8) -> dict[str, LanguageRanks]:
    """Ranks of 1 for the first few queries of each language and of 3 for the rest."""
    found = {}
    for language, first in hits.items():
        rank = np.where(np.arange(queries) < first, 1, 3)
        sets = dict.fromkeys(RANK_SETS, rank)
        found[language] = LanguageRanks(np.arange(queries), sets, sets)
    return found


def test_best_test_per_language_takes_the_best_of_each_language_by_itself(
    open_adapted: OpenWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = [
        measured({"de": 3, "fr": 1, "eo": 2}),
        measured({"de": 5, "fr": 0, "eo": 2}),
        measured({"de": 4, "fr": 7, "eo": 0}),
    ]
    left: Iterator[dict] = iter(marks)
    calls = []

    def measure(work: Workspace, task: str, system: str, head: object, stage: str | None) -> dict:
        calls.append((system, task))
        return next(left)

    monkeypatch.setattr(fine_tuning, "measure_task", measure)
    work = open_adapted(task__checkpoint="best_test_per_language")
    fine_tune(work, TASK, "backbone")
    assert calls == [("backbone", TASK)] * 3
    found = from_arrays(TASK, ranks(work))
    hits = {language: int((r.optimistic["filtered"] == 1).sum()) for language, r in found.items()}
    assert hits == {"de": 5, "fr": 7, "eo": 2}


def test_last_and_best_on_the_test_set_are_recorded_beside_what_is_reported(
    open_adapted: OpenWork, monkeypatch: pytest.MonkeyPatch, planned: Callable[[list[float]], Scores]
) -> None:
    marks = [measured({"de": 3, "fr": 1}), measured({"de": 5, "fr": 0}), measured({"de": 4, "fr": 7})]
    reported = measured({"de": 6, "fr": 6})
    left: Iterator[dict] = iter([*marks, reported])
    monkeypatch.setattr(fine_tuning, "measure_task", lambda *_: next(left))
    planned([0.1, 0.9, 0.5])
    work = open_adapted()
    fine_tune(work, TASK, "backbone")

    def hits(kind: str) -> list[int]:
        found = from_arrays(TASK, work.run.read_outcomes(TASK, "backbone", "fine-tuned", kind))
        return [int((found[language].optimistic["filtered"] == 1).sum()) for language in ("de", "fr")]

    assert [hits(kind) for kind in ("reported", "last", "best-test")] == [[6, 6], [4, 7], [5, 7]]
    monkeypatch.undo()
    plain = open_adapted(task__all_checkpoints=False)
    fine_tune(plain, TASK, "backbone")
    assert [f.name for f in plain.run.path.glob("outcomes/*")] == [f"{TASK}.backbone.fine-tuned.npz"]


def test_best_test_per_language_is_never_below_the_first_weights(open_adapted: OpenWork) -> None:
    """With the real measurement: the rule that Table 11 of the paper prints can only gain."""
    work = open_adapted(task__checkpoint="best_test_per_language", task__fine_tuning=FINE | {"learning_rate": 3.0})
    measure_zero_shot(work, "backbone")
    fine_tune(work, TASK, "backbone")

    def hits(mode: str) -> dict[str, int]:
        found = from_arrays(TASK, ranks(work, "backbone", mode))
        return {lang: int((r.pessimistic["filtered"] == 1).sum()) for lang, r in found.items()}

    zero, tuned = hits("zero-shot"), hits("fine-tuned")
    assert zero.keys() == tuned.keys() == {"de", "fr", "eo"}
    assert all(tuned[lang] >= zero[lang] for lang in zero)
    assert sum(zero.values()) > 0


@pytest.mark.parametrize("checkpoint", ["best_validation", "last", "best_test_per_language"])
def test_without_stage_four_the_weights_of_stage_two_are_measured(open_adapted: OpenWork, checkpoint: str) -> None:
    work = open_adapted(tasks__entity_alignment__fine_tuning=None, task__checkpoint=checkpoint)
    measure_zero_shot(work, "+EP")
    start = halves(weights(work))
    fine_tune(work, TASK, "+EP")
    assert facts(work, "ep") == {"steps": 0, "validation": {}}
    found = kept(work, "ep")
    assert all(torch.equal(found[n], start[n]) for n in found)
    tuned, zero = ranks(work, "+EP"), ranks(work, "+EP", "zero-shot")
    near = [np.abs(tuned[k] - zero[k]).max() for k in tuned]
    assert max(near) <= 2  # half precision may swap neighbours


# Stopping and going on


def stop_after(work: Workspace, steps: int) -> None:
    """Fine-tune until a request to stop comes in after some steps."""
    calls = []

    def advance(stage: str, share: float) -> bool:
        calls.append(stage)
        return len(calls) == steps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work.journal, "advance", advance)
        with pytest.raises(Stopped):
            fine_tune(work, TASK, "backbone")
    assert len(calls) == steps


@pytest.mark.parametrize("after", [1, 3, 4])
def test_a_stopped_fine_tuning_reports_what_an_uninterrupted_one_does(
    open_adapted: OpenWork, planned: Callable[[list[float]], Scores], after: int
) -> None:
    """The best weights of the first attempt stay the best, although the second ends with worse ones."""
    by_step = {0: 0.1, 2: 0.9, 4: 0.5}
    whole, parts = open_adapted(), open_adapted()
    seen = planned(list(by_step.values()))
    fine_tune(whole, TASK, "backbone")
    planned(list(by_step.values()))
    stop_after(parts, after)
    rest = open_adapted(parts.run)
    later = planned([score for step, score in by_step.items() if step > after])
    fine_tune(rest, TASK, "backbone")
    assert len(later.weights) == sum(step > after for step in by_step)
    assert all(torch.equal(kept(rest)[n], seen.weights[1][n]) for n in kept(rest))
    assert same(kept(rest), kept(whole))
    assert same(ranks(rest), ranks(whole))
    assert facts(rest) == facts(whole)


@pytest.mark.parametrize("checkpoint", ["best_validation", "last", "best_test_per_language"])
def test_each_rule_gives_the_same_after_a_stop(open_adapted: OpenWork, checkpoint: str) -> None:
    options = {"task__checkpoint": checkpoint, "task__fine_tuning": FINE | {"learning_rate": 1e-2}}
    whole, parts = open_adapted(**options), open_adapted(**options)
    fine_tune(whole, TASK, "backbone")
    stop_after(parts, 3)
    assert (folder(parts) / "state.pt").is_file()
    rest = open_adapted(parts.run)
    torch.manual_seed(99)
    fine_tune(rest, TASK, "backbone")
    assert same(ranks(rest), ranks(whole))
    assert facts(rest) == facts(whole)
    if checkpoint != "best_test_per_language":
        assert same(kept(rest), kept(whole))


def test_a_request_to_stop_while_testing_per_language_leaves_a_checkpoint(open_adapted: OpenWork) -> None:
    work = open_adapted(task__checkpoint="best_test_per_language")
    choice = Choice(work, TASK, "backbone", work.config.tasks.chosen()[TASK])
    work.journal.stop_requested = True
    choice.consider(Step(0, 4, 0.0, 0.0, 0))  # the loop stops after the step, not the measurement within it
    assert work.run.outcome_file(TASK, "backbone", "fine-tuned", "best-test").is_file()
    with pytest.raises(Stopped):
        fine_tune(work, TASK, "backbone")
    assert (folder(work) / "state.pt").is_file()
