"""Fusion maps of an encoder against one text at a time in loops, the null fusion, and knock-outs."""

import math

import numpy as np
import pytest
import torch
from encoder_helpers import adapters_on, encoder_of, largest_gap, load, one_by_one, random_batch, split

from core.corpora.records import TokenBatch
from core.encoder.adapter_set import SMALL, AdapterSet
from core.encoder.backbones import Backbone
from core.encoder.fusion import IDENTITY, SlotFusion, probe_fusion
from core.encoder.fusion_capture import Observations, capture, capture_null, without_each
from core.evaluation.fusion_map import MEASURES

LAYERS = 2
TEXTS = {"de": random_batch(23, 14, seed=3, spans=True), "eo": random_batch(9, 20, seed=4)}


def fused(folder, slot: bool = True) -> tuple[Backbone, AdapterSet]:
    backbone = load(folder)
    return backbone, adapters_on(backbone, identity_slot=slot)


@torch.no_grad()
def slow_capture(backbone: Backbone, batch: TokenBatch) -> Observations:
    """Each text alone in the model, then token by token and slot by slot; means over its span."""
    found: dict[str, list] = {"weight": [], "argmax_share": [], "contribution": [], "entropy": []}
    for ids, start, end in zip(split(batch), batch.pool_start, batch.pool_end, strict=True):
        with probe_fusion() as probe:
            backbone.model(input_ids=torch.tensor(ids[None], dtype=torch.long))
        layers: dict[str, list] = {measure: [] for measure in found}
        for layer in range(LAYERS):
            weights = [probe.weights[layer][0, token].tolist() for token in range(start, end)]
            norms = [probe.contributions[layer][0, token].tolist() for token in range(start, end)]
            tokens, slots = end - start, len(weights[0])
            layers["weight"].append([sum(w[n] for w in weights) / tokens for n in range(slots)])
            layers["contribution"].append([sum(c[n] for c in norms) / tokens for n in range(slots)])
            winners = [max(range(slots), key=w.__getitem__) for w in weights]
            layers["argmax_share"].append([winners.count(n) / tokens for n in range(slots)])
            entropies = [-sum(a * math.log(a) for a in w if a) / math.log(slots) for w in weights]
            layers["entropy"].append([sum(entropies) / tokens])
        for measure, values in layers.items():
            found[measure].append(values)
    return {measure: np.asarray(values) for measure, values in found.items()}


@pytest.mark.parametrize("slot", [False, True])
@pytest.mark.parametrize("options", [{"packed": True}, {"packed": False}, {"packed": True, "row_tokens": 16}])
def test_capture_is_the_slow_one(tiny_backbone, options, slot: bool) -> None:
    backbone, adapters = fused(tiny_backbone, slot)
    with adapters.active("fusion"):
        found = capture(encoder_of(backbone, **options), TEXTS, tokens_per_pass=60)
        expected = {language: slow_capture(backbone, batch) for language, batch in TEXTS.items()}
    assert list(found) == list(TEXTS)
    for language, batch in TEXTS.items():
        assert set(found[language]) == set(MEASURES) - {"knock_out"}
        for measure, values in expected[language].items():
            assert values.shape == (len(batch), LAYERS, 1 if measure == "entropy" else len(adapters.slots))
            assert values.std(0).min() > 1e-4 or measure == "argmax_share"
            np.testing.assert_allclose(found[language][measure], values, atol=2e-5, err_msg=measure)
        assert expected[language]["argmax_share"].std() > 0.1


def test_capture_is_the_same_in_any_number_of_passes(tiny_backbone) -> None:
    backbone, adapters = fused(tiny_backbone)
    encoder, seen = encoder_of(backbone), []
    with adapters.active("fusion"):
        whole = capture(encoder, TEXTS, 8192)
        parts = capture(encoder, TEXTS, 40, lambda *done: seen.append(done))
        alone = capture(encoder, {"eo": TEXTS["eo"]})
    tokens = sum(len(batch.ids) for batch in TEXTS.values())
    assert len(seen) > 5
    assert seen[-1] == (tokens, tokens)
    for measure, values in whole["eo"].items():
        assert values.std() > 0.01
        np.testing.assert_allclose(parts["eo"][measure], values, atol=1e-5)
        np.testing.assert_allclose(alone["eo"][measure], values, atol=1e-5)


def test_shares_sum_to_one(tiny_backbone) -> None:
    backbone, adapters = fused(tiny_backbone)
    with adapters.active("fusion"):
        found = capture(encoder_of(backbone), TEXTS)["de"]
    for measure in ("weight", "argmax_share"):
        assert found[measure].min() >= 0
        np.testing.assert_allclose(found[measure].sum(2), 1, atol=1e-5)
    assert 0 < found["entropy"].min() < found["entropy"].max() < 1


def test_equal_scores_give_entropy_one_and_slots_that_share_the_tokens(tiny_backbone) -> None:
    backbone, adapters = fused(tiny_backbone)
    with torch.no_grad():
        for name, parameter in adapters.parameters("fusion").items():
            if ".query." in name:
                parameter.zero_()
    with adapters.active("fusion"):
        found = capture(encoder_of(backbone), TEXTS)["eo"]
    np.testing.assert_allclose(found["entropy"], 1, atol=1e-6)
    np.testing.assert_allclose(found["weight"], 0.2, atol=1e-6)
    np.testing.assert_allclose(found["argmax_share"], 0.2, atol=1e-6)


def test_errors(tiny_backbone) -> None:
    backbone, adapters = fused(tiny_backbone)
    encoder = encoder_of(backbone)
    for part in (None, "ep"):
        with adapters.active(part), pytest.raises(ValueError, match=r"No fusion is active.*active\('fusion'\)"):
            capture(encoder, TEXTS)
    nothing = TEXTS["de"].take(np.zeros(0, np.int64))
    for texts in ({}, {"de": nothing}):
        with adapters.active("fusion"), pytest.raises(ValueError, match="no text"):
            capture(encoder, texts)
    with adapters.active("fusion"):
        found = capture(encoder, {"de": nothing, "eo": TEXTS["eo"]})
        null = capture_null(adapters, encoder, {"de": nothing, "eo": TEXTS["eo"]}, seeds=(0,))
    assert {language: len(f["weight"]) for language, f in found.items()} == {"eo": len(TEXTS["eo"])}
    assert list(null) == ["eo"]


def test_the_null_is_not_the_trained_fusion_and_leaves_everything_as_it_was(tiny_backbone) -> None:
    backbone, adapters = fused(tiny_backbone)
    encoder, batch = encoder_of(backbone), TEXTS["de"]
    before = {name: (parameter, parameter.detach().clone()) for name, parameter in backbone.model.named_parameters()}
    torch.manual_seed(5)
    upcoming = torch.rand(3)
    torch.manual_seed(5)
    with adapters.active("fusion"):
        vectors = one_by_one(backbone, batch)
        trained = capture(encoder, TEXTS)["de"]
        null = capture_null(adapters, encoder, TEXTS, seeds=(0, 1, 0))
        again = capture(encoder, TEXTS)["de"]
        assert torch.equal(one_by_one(backbone, batch), vectors)
    assert torch.equal(torch.rand(3), upcoming)
    after = dict(backbone.model.named_parameters())
    assert list(after) == list(before)
    for name, (parameter, value) in before.items():
        assert after[name] is parameter
        assert torch.equal(parameter, value)
    assert {language: len(found) for language, found in null.items()} == {"de": 3, "eo": 3}
    first, second, same = null["de"]
    for measure, values in trained.items():
        np.testing.assert_array_equal(again[measure], values)
        np.testing.assert_array_equal(first[measure], same[measure])
        assert np.abs(first[measure] - second[measure]).max() > 1e-4
    assert trained["entropy"].mean() < 0.8 < 0.9 < min(f["entropy"].mean() for f in null["de"])


@pytest.mark.parametrize("slot", [False, True])
def test_a_fresh_fusion_is_the_one_that_stage_3_would_start_from(tiny_backbone, slot: bool) -> None:
    backbone, adapters = fused(tiny_backbone, slot)
    slots = ((IDENTITY,) if slot else ()) + SMALL
    assert adapters.slots == slots
    with adapters.fresh_fusion(7), adapters.active("fusion"):
        assert adapters.slots == slots
        found = one_by_one(backbone, TEXTS["de"])
        fresh = adapters.state(list(adapters.parameters("fusion")))
    with adapters.active("fusion"):
        assert largest_gap(one_by_one(backbone, TEXTS["de"]), found) > 0.01
    torch.manual_seed(7)
    adapters.add_fusion(slot)
    with adapters.active("fusion"):
        assert torch.equal(one_by_one(backbone, TEXTS["de"]), found)
    for name, value in adapters.state(list(fresh)).items():
        assert torch.equal(fresh[name], value)


def test_the_trained_fusion_is_back_after_an_error(tiny_backbone) -> None:
    _, adapters = fused(tiny_backbone)
    before, fresh = adapters.parameters("fusion"), {}

    def stop() -> None:
        with adapters.fresh_fusion(0):
            fresh.update(adapters.parameters("fusion"))
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        stop()
    assert list(fresh) == list(before)
    assert not any(p is before[name] for name, p in fresh.items())
    after = adapters.parameters("fusion")
    assert list(after) == list(before)
    assert all(p is before[name] for name, p in after.items())


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_a_fresh_fusion_lies_where_the_backbone_lies(tiny_backbone) -> None:
    """On the meta device, which stands in for a GPU."""
    backbone, adapters = fused(tiny_backbone)
    backbone.model.to("meta")
    with adapters.fresh_fusion(0):
        assert {p.device.type for p in backbone.model.parameters()} == {"meta"}
    assert {p.device.type for p in backbone.model.parameters()} == {"meta"}


@torch.no_grad()
def test_each_slot_is_knocked_out_of_what_is_measured(tiny_backbone) -> None:
    backbone, adapters = fused(tiny_backbone)
    encoder, batch = encoder_of(backbone), TEXTS["de"]
    with adapters.active("fusion"):
        full = encoder.embed(batch)
        found = without_each(adapters.slots, lambda: encoder.embed(batch))
        assert torch.equal(encoder.embed(batch), full)
        assert list(found) == [IDENTITY, *SMALL]
        for n, (slot, vectors) in enumerate(found.items()):
            with probe_fusion(frozenset({slot})) as probe:
                assert torch.equal(encoder.embed(batch), vectors)
            assert all(w[..., n].eq(0).all() for w in probe.weights.values())
            assert len(probe.weights) == LAYERS
            assert largest_gap(vectors, full) > 0.01
            assert all(largest_gap(vectors, other) > 0.01 for s, other in found.items() if s != slot)


@torch.no_grad()
def test_knocking_out_computes_no_contributions(tiny_backbone) -> None:
    """One product with the value matrix per layer and pass: that of the mixed vectors."""
    backbone, adapters = fused(tiny_backbone)
    encoder, shapes = encoder_of(backbone), []
    for module in backbone.model.modules():
        if isinstance(module, SlotFusion):
            module.value.register_forward_hook(lambda _module, inputs, _output: shapes.append(inputs[0].ndim))
    with adapters.active("fusion"):
        without_each(["ep", "ts"], lambda: encoder.embed(TEXTS["de"]))
        assert shapes == [3] * 2 * LAYERS
        capture(encoder, TEXTS)
    assert shapes[2 * LAYERS :] == [3, 4] * LAYERS


@torch.no_grad()
def test_a_probe_records_only_when_told(tiny_backbone) -> None:
    backbone, adapters = fused(tiny_backbone)
    encoder = encoder_of(backbone)
    with adapters.active("fusion"):
        with probe_fusion(frozenset({"ep"}), record=False) as probe:
            silent = encoder.embed(TEXTS["de"])
        assert probe.weights == probe.contributions == {}
        with probe_fusion(frozenset({"ep"})) as probe:
            assert torch.equal(encoder.embed(TEXTS["de"]), silent)
        assert sorted(probe.weights) == [0, 1]
