"""Stage 3: which weights it changes, what it starts from, and that a kept fusion is not trained again."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from core import recipes
from core.config import RunConfig
from core.encoder.adapter_set import FUSION, SMALL
from core.stages.adapter_training import train_adapter
from core.stages.fusion_training import CORPUS_STAGE, train_corpus_fusion, train_task_fusion
from core.stages.workspace import Workspace

OpenWork = Callable[..., Workspace]
TASK = "entity_alignment"
BUDGET = {"steps": 3, "batch_size": 8}


@pytest.fixture
def open_adapted(open_work: OpenWork) -> OpenWork:
    """A workspace after stage 2 (one step for each small adapter), with one task."""

    def make(run: object = None, **changes: object) -> Workspace:
        one = {"steps": 1, "batch_size": 4}
        plain = {f"adapters__{role}": one for role in SMALL} | {"adapters__large": None, "tasks__kg_completion": None}
        work = open_work(run, **(plain | {"fusion__corpus": BUDGET} | changes))
        for role in SMALL:
            train_adapter(work, role, getattr(work.config.adapters, role))
        work.remember()
        return work

    return make


def weights(work: Workspace) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in work.backbone.model.named_parameters()}


def fusion_weights(work: Workspace) -> dict[str, Tensor]:
    """By name, without the residues of the key's bias, which the fusion does not use."""
    return {n: p.detach().clone() for n, p in work.adapters.parameters(FUSION).items() if not n.endswith("key.bias")}


def differing(first: dict[str, Tensor], second: dict[str, Tensor]) -> set[str]:
    assert first.keys() == second.keys()
    return {n for n in first if not torch.equal(first[n], second[n])}


def steps(work: Workspace, stage: str) -> list[dict]:
    return [e for e in work.run.events() if e["event"] == "step" and e["stage"] == stage]


def test_only_the_fusion_is_trained(open_adapted: OpenWork) -> None:
    work = open_adapted()
    before = weights(work)
    train_task_fusion(work, TASK)
    after = weights(work)
    assert [n for n in before if not torch.equal(before[n], after[n])] == []
    added = set(after) - set(before)
    assert added == set(work.adapters.parameters(FUSION))
    assert len(added) == 2 * 5  # two layers: query and key with bias, value without
    torch.manual_seed(0)
    work.adapters.add_fusion(identity_slot=True)  # its value matrices are always born the same
    born = {n: p for n, p in fusion_weights(work).items() if ".value." in n}
    assert len(born) == 2
    assert all(not torch.equal(after[n], born[n]) for n in born)
    assert len(steps(work, f"fusion.{TASK}")) == 3


def test_everything_is_trained_where_the_config_says_so(open_adapted: OpenWork) -> None:
    budget = {"steps": 2, "batch_size": 8, "learning_rate": 1e-2}
    work = open_adapted(
        tasks__entity_alignment__fusion_stage_trains="everything", tasks__entity_alignment__fusion_training=budget
    )
    before = weights(work)
    train_task_fusion(work, TASK)
    after = weights(work)
    # Half precision is what is kept, so compare at half precision: a mere rounding is no training.
    moved = {n for n in before if not torch.equal(before[n].half(), after[n].half())}
    assert any(n.startswith("embeddings.") for n in moved)
    assert any(".attention." in n for n in moved)
    assert {role for role in SMALL if any(f".adapters.{role}." in n for n in moved)} == set(SMALL)
    assert {n for n in before if n.endswith("weight") and "LayerNorm" not in n} <= moved
    # What is loaded is what is stored, and a later attempt loads the same.
    rounded = {n: p.half().float() for n, p in after.items()}
    assert differing(after, rounded) == set()
    again = open_adapted(work.run)
    train_task_fusion(again, TASK)
    assert differing(after, weights(again)) == set()
    assert len(steps(work, f"fusion.{TASK}")) == 2


def test_a_kept_fusion_is_loaded_and_not_trained_again(open_adapted: OpenWork) -> None:
    work = open_adapted()
    train_task_fusion(work, TASK)
    again = open_adapted(work.run)
    train_task_fusion(again, TASK)
    assert differing(fusion_weights(work), fusion_weights(again)) == set()
    assert len(steps(work, f"fusion.{TASK}")) == 3


def test_stage_three_starts_from_the_weights_of_stage_two(open_adapted: OpenWork) -> None:
    """Whatever a fine-tuning before it did to the backbone and the adapters."""
    clean, spoiled = open_adapted(), open_adapted()
    with torch.no_grad():
        for p in spoiled.backbone.model.parameters():
            p.add_(0.5)
    for work in (clean, spoiled):
        train_task_fusion(work, TASK)
    assert differing(weights(clean), weights(spoiled)) == set()


@pytest.mark.parametrize("slot", [True, False])
def test_the_identity_slot_is_in_the_kept_config(open_adapted: OpenWork, slot: bool) -> None:
    work = open_adapted(fusion__identity_slot=slot)
    train_task_fusion(work, TASK)
    said = json.loads((work.run.checkpoint_dir(f"fusion.{TASK}") / "adapter_fusion_config.json").read_text())
    assert said["identity_slot"] is slot
    again = open_adapted(work.run)
    train_task_fusion(again, TASK)
    fusions = [m for m in again.backbone.model.modules() if type(m).__name__ == "SlotFusion"]
    assert [m.identity_slot for m in fusions] == [slot, slot]


def test_value_matrices_have_a_rate_of_their_own(open_adapted: OpenWork) -> None:
    budget = BUDGET | {"learning_rate": 1e-2, "value_learning_rate": 0.0, "warmup_steps": 0}
    work = open_adapted(tasks__entity_alignment__fusion_training=budget)
    train_task_fusion(work, TASK)
    after = fusion_weights(work)
    torch.manual_seed(0)
    work.adapters.add_fusion(identity_slot=True)
    born = fusion_weights(work)
    values, queries = ([n for n in born if f".{part}.weight" in n] for part in ("value", "query"))
    assert len(values) == len(queries) == 2
    assert all(torch.equal(after[n], born[n]) for n in values)
    assert all((after[n] - born[n]).abs().max() > 1e-3 for n in queries)


def test_regularisation_holds_the_value_matrices_at_the_identity(open_adapted: OpenWork) -> None:
    budget = {"steps": 12, "batch_size": 8, "learning_rate": 1e-2, "value_learning_rate": 1e-2}
    distance = {}
    for weight in (0.0, 100.0):
        work = open_adapted(fusion__regularisation=weight, tasks__entity_alignment__fusion_training=budget)
        train_task_fusion(work, TASK)
        values = [p for n, p in fusion_weights(work).items() if ".value." in n]
        distance[weight] = sum((v - torch.eye(len(v))).pow(2).sum().item() for v in values)
    assert distance[0.0] > 1e-2
    assert distance[100.0] < 0.2 * distance[0.0]


# Training on the integration corpus first


def test_a_discarded_corpus_fusion_changes_nothing(open_adapted: OpenWork) -> None:
    none, discard = open_adapted(), open_adapted(fusion__corpus_training="discard")
    train_corpus_fusion(discard)
    for work in (none, discard):
        train_task_fusion(work, TASK)
    assert differing(fusion_weights(none), fusion_weights(discard)) == set()
    assert len(steps(discard, CORPUS_STAGE)) == 3
    assert discard.is_done(CORPUS_STAGE)


def test_a_corpus_fusion_that_initialises_is_what_the_task_starts_from(open_adapted: OpenWork) -> None:
    """With a vanishing rate, stage 3 ends where it starts."""
    still = BUDGET | {"learning_rate": 1e-12, "value_learning_rate": 0.0, "weight_decay": 0.0}
    far = BUDGET | {"learning_rate": 1e-2}
    options = {"fusion__corpus": far, "tasks__entity_alignment__fusion_training": still}
    work = open_adapted(fusion__corpus_training="initialise", **options)
    train_corpus_fusion(work)
    corpus = fusion_weights(work)
    train_task_fusion(work, TASK)
    task = fusion_weights(work)
    assert max((task[n] - corpus[n]).abs().max().item() for n in corpus) < 1e-9
    fresh = open_adapted(fusion__corpus_training="discard", **options)
    train_corpus_fusion(fresh)
    train_task_fusion(fresh, TASK)
    other = fusion_weights(fresh)
    assert all((other[n] - corpus[n]).abs().max() > 1e-3 for n in corpus if "query" in n and n.endswith("weight"))


def test_a_kept_corpus_fusion_is_loaded_and_only_fusion_was_trained(open_adapted: OpenWork) -> None:
    work = open_adapted(fusion__corpus_training="initialise")
    before = weights(work)
    train_corpus_fusion(work)
    after = weights(work)
    assert [n for n in before if not torch.equal(before[n], after[n])] == []
    again = open_adapted(work.run)
    train_corpus_fusion(again)
    assert differing(after, weights(again)) == set()
    assert len(steps(work, CORPUS_STAGE)) == 3


def test_only_a_fusion_that_initialises_is_measured_zero_shot(tiny_config: RunConfig) -> None:
    systems = {}
    for choice in ("none", "discard", "initialise"):
        config = recipes.parse(tiny_config.model_dump(mode="json"), {"fusion.corpus_training": choice})
        systems[choice] = "+Fusion" in config.systems("zero-shot")
        assert "+Fusion" in config.systems("fine-tuned")
    assert systems == {"none": False, "discard": False, "initialise": True}
