"""Stage 2: which weights it changes, what it draws, and that a kept adapter is not trained again."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import recipes
from core.config import Objective
from core.corpora.records import TokenBatch
from core.stages.adapter_training import objective_samplers, train_adapter
from core.stages.contrastive import contrastive_loss
from core.stages.sampling import sampler_options, stage_seed
from core.stages.stage import Stage, train_stage
from core.stages.workspace import Workspace
from core.task_config import Optimisation

OpenWork = Callable[..., Workspace]


def weights(work: Workspace) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in work.backbone.model.named_parameters()}


def losses(work: Workspace, stage: str) -> list[float]:
    return [e["loss"] for e in work.run.events() if e["event"] == "step" and e["stage"] == stage]


@pytest.mark.parametrize("role", ["ep", "tp", "es", "ts", "large"])
def test_only_the_adapter_is_trained(open_work: OpenWork, role: str) -> None:
    work = open_work()
    work.adapters.add("other")
    before = weights(work)
    train_adapter(work, role, getattr(work.config.adapters, role))
    after = weights(work)
    assert [n for n in before if not torch.equal(before[n], after[n])] == []
    own = {n for n in after if f".adapters.{role}." in n}
    assert set(after) - set(before) == own
    assert len(own) == 2 * 4  # two layers, a weight and a bias down and up

    # What it started from: the same draw of weights, which a run of no steps would have kept.
    fresh = open_work(work.run)
    torch.manual_seed(stage_seed(work.config.seed, f"{role}.weights"))
    fresh.adapters.add(role)
    start = weights(fresh)
    moved = {n for n in own if not torch.equal(after[n], start[n])}
    assert {n for n in own if "adapter_up" in n and n.endswith("weight")} <= moved
    assert {n for n in own if "adapter_down" in n and n.endswith("weight")} <= moved
    assert len(losses(work, role)) == 3


def test_a_kept_adapter_is_loaded_and_not_trained_again(open_work: OpenWork) -> None:
    work = open_work()
    train_adapter(work, "ep", work.config.adapters.ep)
    steps = len(losses(work, "ep"))
    files = {f: f.stat().st_mtime_ns for f in work.run.checkpoint_dir("ep").iterdir()}
    again = open_work(work.run)
    train_adapter(again, "ep", work.config.adapters.ep)
    trained, loaded = weights(work), weights(again)
    own = [n for n in trained if ".adapters.ep." in n]
    assert own
    assert all(torch.equal(trained[n], loaded[n]) for n in own)
    assert len(losses(work, "ep")) == steps == 3
    assert {f: f.stat().st_mtime_ns for f in work.run.checkpoint_dir("ep").iterdir()} == files


def test_an_adapter_is_the_same_whatever_was_trained_before_it(open_work: OpenWork) -> None:
    alone, after = open_work(), open_work()
    train_adapter(after, "ep", after.config.adapters.ep)
    torch.manual_seed(123)
    for work in (alone, after):
        train_adapter(work, "tp", work.config.adapters.tp)
    one, two = weights(alone), weights(after)
    own = [n for n in one if ".adapters.tp." in n]
    assert len(own) == 8
    assert all(torch.equal(one[n], two[n]) for n in own)


def test_the_seed_of_the_run_changes_an_adapter(open_work: OpenWork) -> None:
    first, second = open_work(), open_work(seed=1)
    for work in (first, second):
        train_adapter(work, "ep", work.config.adapters.ep)
    one, two = weights(first), weights(second)
    assert all(not torch.equal(one[n], two[n]) for n in one if ".adapters.ep." in n and n.endswith("weight"))
    assert losses(first, "ep") != losses(second, "ep")


def test_training_lowers_the_loss(open_work: OpenWork) -> None:
    work = open_work()
    train_adapter(work, "ep", Optimisation(steps=60, batch_size=16, learning_rate=1e-2))
    found = losses(work, "ep")
    assert len(found) == 60
    assert np.mean(found[-10:]) < 0.8 * np.mean(found[:10])


def test_no_dropout_means_that_the_first_loss_is_that_of_the_bare_backbone(open_work: OpenWork) -> None:
    """A fresh adapter's output is near zero; with dropout the loss of the same batch is another."""
    found = {}
    for name, share in (("none", 0.0), ("own", None), ("heavy", 0.5)):
        work = open_work()
        plan = Optimisation(steps=1, batch_size=8, dropout=share)
        (sampler,) = objective_samplers(work, ("ep",), "ep")
        with torch.no_grad():
            bare = contrastive_loss(work.encoder, sampler.sample(8), work.config.objective).item()
        train_adapter(work, "ep", plan)
        found[name] = losses(work, "ep")[0]
    assert found["none"] == pytest.approx(bare, rel=0.02)
    assert abs(found["heavy"] - bare) > 0.05 * bare
    assert found["own"] != found["none"]


def test_large_splits_a_batch_between_the_four_objectives(open_work: OpenWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = open_work()
    samplers = objective_samplers(work, ("ep", "tp", "es", "ts"), "large")
    assert [type(s).__name__ for s in samplers] == ["EntityPairs", "TriplePairs", "MentionPairs", "TripleSentencePairs"]
    work.adapters.add("large")
    stage = Stage(
        "large", "Large", "large", work.adapters.parameters("large"), samplers, Optimisation(steps=2, batch_size=12)
    )
    seen = []
    for sampler in samplers:
        draw = sampler.sample
        monkeypatch.setattr(sampler, "sample", lambda n, draw=draw: seen.append(n) or draw(n), raising=True)
    train_stage(work, stage, on_step=lambda step: seen.append(step.pairs))
    assert seen == [3, 3, 3, 3, 12] * 2


def test_samplers_of_different_stages_draw_differently(open_work: OpenWork) -> None:
    work = open_work()
    first, again, other = (objective_samplers(work, ("ep",), stage)[0].sample(8) for stage in ("ep", "ep", "large"))
    assert np.array_equal(first.anchors.ids, again.anchors.ids)
    assert not np.array_equal(first.entity, other.entity)


def test_an_epoch_is_one_pass_over_all_pairs() -> None:
    class Fixed:
        def __init__(self, length: int) -> None:
            self.length = length

        def __len__(self) -> int:
            return self.length

    def steps(lengths: list[int], **plan: object) -> int:
        samplers = [Fixed(length) for length in lengths]
        return Stage("s", "s", None, {}, samplers, Optimisation.model_validate(plan)).steps

    assert steps([100], steps=7, batch_size=8) == 7
    assert steps([100], epochs=1, batch_size=8) == 12  # 12.5, half to even
    assert steps([100, 60], epochs=2, batch_size=8, accumulation=2) == 20
    assert steps([3], epochs=0.1, batch_size=8) == 1


def test_sampler_options_follow_the_recipe() -> None:
    assert sampler_options(recipes.parse({}).sampling) == {
        "ep": {"order": "distinct", "pairs": "entities", "skip_identical": True},
        "tp": {"order": "distinct", "fallback": "en"},
        "es": {"order": "distinct", "whole_sentence": False},
        "ts": {"order": "distinct", "keep_last_word": False},
    }
    assert sampler_options(recipes.parse({"recipe": "released"}).sampling) == {
        "ep": {"order": "consecutive", "pairs": "triples", "skip_identical": False},
        "tp": {"order": "consecutive", "fallback": None},
        "es": {"order": "consecutive", "whole_sentence": True},
        "ts": {"order": "consecutive", "keep_last_word": True},
    }
    assert sampler_options(recipes.parse({"recipe": "paper"}).sampling) == {
        "ep": {"order": "random", "pairs": "alignments", "skip_identical": False},
        "tp": {"order": "random", "fallback": "en"},
        "es": {"order": "random", "whole_sentence": False},
        "ts": {"order": "random", "keep_last_word": False},
    }


@pytest.mark.parametrize("directions", ["both", "forward"])
@pytest.mark.parametrize("masked", [True, False])
def test_contrastive_loss_equals_a_slow_one(open_work: OpenWork, directions: str, masked: bool) -> None:
    work = open_work()
    (sampler,) = objective_samplers(work, ("tp",), "tp")
    batch = sampler.sample(8)
    known, string = batch.known.copy(), batch.string.copy()
    known[0, 3], string[5] = True, string[6]  # one more true object, and one pair of homonyms
    batch = replace(batch, known=known, string=string)
    objective = Objective(temperature=0.2, directions=directions, mask_false_negatives=masked)
    with torch.no_grad():
        found = contrastive_loss(work.encoder, batch, objective).item()
        x = work.encoder.embed(TokenBatch.concatenate([batch.anchors])).double().numpy()
        y = work.encoder.embed(TokenBatch.concatenate([batch.positives])).double().numpy()
    n = len(x)
    same = (batch.entity[:, None] == batch.entity) | (batch.string[:, None] == batch.string) | batch.known

    def one_way(a: np.ndarray, b: np.ndarray, left_out: np.ndarray) -> float:
        total = 0.0
        for i in range(n):
            cosine = [a[i] @ b[j] / np.linalg.norm(a[i]) / np.linalg.norm(b[j]) / 0.2 for j in range(n)]
            kept = [j for j in range(n) if j == i or not (masked and left_out[i, j])]
            total -= cosine[i] - np.log(np.sum(np.exp([cosine[j] for j in kept])))
        return total / n

    forward, backward = one_way(x, y, same), one_way(y, x, same.T)
    assert n == 8
    assert same.sum() == n + 3
    assert found == pytest.approx(forward if directions == "forward" else (forward + backward) / 2, rel=1e-4)
