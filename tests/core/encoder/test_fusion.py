"""The fusion layer against the library's, against the formula written as loops, and its probe."""

import math
import threading

import pytest
import torch
from adapters import DynamicAdapterFusionConfig
from adapters.methods.modeling import BertFusion
from encoder_helpers import adapters_on, encoder_of, largest_gap, load, one_by_one, random_batch
from torch import Tensor

from core.encoder.adapter_set import SMALL
from core.encoder.fusion import IDENTITY, SlotFusion, probe_fusion, value_regularisation

DIM, ROWS, WIDTH = 12, 3, 5
SLOTS = ["ep", "tp", "es", "ts"]


def layers(identity_slot: bool, dtype: torch.dtype = torch.float64) -> tuple[BertFusion, SlotFusion]:
    """The library's layer with random weights, biases included, and ours made of it."""
    torch.manual_seed(0)
    library = BertFusion(DynamicAdapterFusionConfig(), DIM, attention_probs_dropout_prob=0.1).to(dtype).eval()
    with torch.no_grad():
        for parameter in library.parameters():
            parameter.normal_(0, 0.4)
    assert {name for name, _ in library.named_parameters()} == {
        "query.weight", "query.bias", "key.weight", "key.bias", "value.weight"
    }  # fmt: skip
    return library, SlotFusion(library, SLOTS, layer=3, identity_slot=identity_slot).eval()


def inputs(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Un-adapted vectors, the adapters' outputs, and a residual."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((ROWS, WIDTH, DIM), (ROWS, WIDTH, len(SLOTS), DIM), (ROWS, WIDTH, DIM))
    return tuple(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)


def slow_fusion(layer: BertFusion, h: Tensor, outputs: Tensor, residual: Tensor, slot: bool) -> tuple[Tensor, Tensor]:
    """a_n = softmax_n((h Q + b_q) . (A_n K + b_k)), sum_n a_n V A_n + residual, token by token and slot by slot."""
    result, attention = torch.empty_like(h), torch.empty(*h.shape[:2], outputs.shape[2] + slot, dtype=h.dtype)
    for row in range(h.shape[0]):
        for token in range(h.shape[1]):
            vector = h[row, token]
            choices = ([vector] if slot else []) + list(outputs[row, token])
            query = layer.query.weight @ vector + layer.query.bias
            scores = [float(query @ (layer.key.weight @ a + layer.key.bias)) for a in choices]
            total = sum(math.exp(s) for s in scores)
            shares = [math.exp(s) / total for s in scores]
            mixed = sum(share * (layer.value.weight @ a) for share, a in zip(shares, choices, strict=True))
            result[row, token] = mixed + residual[row, token]
            attention[row, token] = torch.tensor(shares, dtype=h.dtype)
    return result, attention


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@torch.no_grad()
def test_without_slot_it_is_the_librarys(dtype: torch.dtype, tolerance: float) -> None:
    library, ours = layers(False, dtype)
    h, outputs, residual = inputs(dtype)
    expected, attention = library(h, outputs.clone(), outputs.clone(), residual, output_attentions=True)
    found, weights = ours(h, outputs, outputs, residual, output_attentions=True)
    assert (expected - residual).abs().mean() > 0.1
    assert attention.max() - attention.min() > 0.5  # far from uniform
    assert (found - expected).abs().max() < tolerance
    assert (weights - torch.from_numpy(attention)).abs().max() < tolerance
    assert torch.equal(found, ours(h, outputs, outputs, residual))


@pytest.mark.parametrize("slot", [False, True])
@torch.no_grad()
def test_it_is_the_formula(slot: bool) -> None:
    library, ours = layers(slot)
    h, outputs, residual = inputs()
    expected, attention = slow_fusion(library, h, outputs, residual, slot)
    found, weights = ours(h, outputs, outputs, residual, output_attentions=True)
    assert weights.shape == (ROWS, WIDTH, len(SLOTS) + slot)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(weights, attention, atol=1e-12, rtol=1e-12)
    if slot:
        assert weights[..., 0].max() > 0.1  # the un-adapted vector takes a share
        assert (found - slow_fusion(library, h, outputs, residual, False)[0]).abs().max() > 0.1


def test_gradients_are_the_librarys() -> None:
    """Of every parameter but the key's bias, which the softmax cancels: nobody's gradient, or rounding."""
    library, ours = layers(False)
    h, outputs, residual = inputs()
    library(h, outputs.clone(), outputs.clone(), residual).tanh().sum().backward()
    expected = {name: p.grad.clone() for name, p in library.named_parameters()}
    library.zero_grad()
    ours(h, outputs, outputs, residual).tanh().sum().backward()
    assert expected.pop("key.bias").abs().max() < 1e-12
    assert ours.key.bias.grad is None
    for name, gradient in expected.items():
        assert gradient.abs().max() > 0.01
        torch.testing.assert_close(ours.get_parameter(name).grad, gradient, atol=1e-12, rtol=1e-10)


@torch.no_grad()
def test_probe_sees_the_weights_and_contributions() -> None:
    library, ours = layers(True)
    h, outputs, residual = inputs()
    with probe_fusion() as probe:
        ours(h, outputs, outputs, residual)
    _, attention = slow_fusion(library, h, outputs, residual, True)
    assert list(probe.weights) == [3]
    torch.testing.assert_close(probe.weights[3], attention, atol=1e-12, rtol=1e-12)
    for row in range(ROWS):
        for token in range(WIDTH):
            for slot, vector in enumerate([h[row, token], *outputs[row, token]]):
                expected = (attention[row, token, slot] * (library.value.weight @ vector)).norm()
                assert probe.contributions[3][row, token, slot].item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("gone", [{IDENTITY}, {"tp"}, {"ep", "ts"}])
@torch.no_grad()
def test_a_knocked_out_slot_leaves_its_weight_to_the_others(gone: set[str]) -> None:
    library, ours = layers(True)
    h, outputs, residual = inputs()
    with probe_fusion(frozenset(gone)) as probe:
        found = ours(h, outputs, outputs, residual)
    _, whole = slow_fusion(library, h, outputs, residual, True)
    out = [ours.slots.index(slot) for slot in gone]
    rest = [n for n in range(5) if n not in out]
    assert whole[..., out].min() > 0
    assert probe.weights[3][..., out].eq(0).all()
    expected = whole[..., rest] / whole[..., rest].sum(-1, keepdim=True)
    torch.testing.assert_close(probe.weights[3][..., rest], expected, atol=1e-12, rtol=1e-10)
    values = torch.cat([h.unsqueeze(2), outputs], 2)[:, :, rest] @ library.value.weight.T
    torch.testing.assert_close(found, (expected.unsqueeze(-1) * values).sum(2) + residual, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("slot", [False, True])
@torch.no_grad()
def test_probe_of_a_model(tiny_backbone, slot: bool) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone, identity_slot=slot)
    encoder, batch = encoder_of(backbone), random_batch(20, 15, seed=3)
    with adapters.active("fusion"), probe_fusion() as probe:
        encoder.embed(batch)
    slots = ([IDENTITY] if slot else []) + list(SMALL)
    found = [m.slots for m in backbone.model.modules() if isinstance(m, SlotFusion)]
    assert found == [slots, slots]
    assert sorted(probe.weights) == sorted(probe.contributions) == [0, 1]
    for layer in (0, 1):
        weights = probe.weights[layer]
        assert weights.shape[1:] == (encoder.row_tokens, len(slots))
        assert probe.contributions[layer].shape == weights.shape
        assert weights.std() > 0.01
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]), atol=1e-5, rtol=0)
    assert not torch.allclose(probe.weights[0], probe.weights[1], atol=0.01)


@torch.no_grad()
def test_knocking_out_an_adapter_of_a_model(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    batch = random_batch(20, 15, seed=3)
    with adapters.active("fusion"):
        whole = one_by_one(backbone, batch)
        with probe_fusion(frozenset({"es"})) as probe:
            without = encoder_of(backbone).embed(batch)
        again = one_by_one(backbone, batch)
    assert largest_gap(whole, without) > 0.01
    assert torch.equal(whole, again)
    es = [IDENTITY, *SMALL].index("es")
    for weights in probe.weights.values():
        assert weights[..., es].eq(0).all()
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]), atol=1e-5, rtol=0)
    with torch.no_grad():  # what the adapter says no longer reaches the output
        for name, parameter in adapters.parameters("es").items():
            if name.endswith("adapter_up.weight"):
                parameter.add_(1)
    with adapters.active("fusion"):
        with probe_fusion(frozenset({"es"})):
            torch.testing.assert_close(encoder_of(backbone).embed(batch), without, atol=1e-5, rtol=0)
        assert largest_gap(whole, one_by_one(backbone, batch)) > 0.01


@torch.no_grad()
def test_probe_is_of_this_thread_and_ends_with_its_block() -> None:
    _, ours = layers(True)
    h, outputs, residual = inputs()
    found = {}

    def elsewhere() -> None:
        found["output"] = ours(h, outputs, outputs, residual)

    plain = ours(h, outputs, outputs, residual)
    with probe_fusion(frozenset({"ep"})) as probe:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert probe.weights == {}
        assert not torch.allclose(ours(h, outputs, outputs, residual), plain, atol=0.01)
        assert list(probe.weights) == [3]
    assert torch.equal(found["output"], plain)
    probe.weights.clear()
    assert torch.equal(ours(h, outputs, outputs, residual), plain)
    assert probe.weights == {}


def test_value_regularisation_by_hand(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    values = [p for name, p in adapters.parameters("fusion").items() if name.endswith("value.weight")]
    assert len(values) == 2
    distances = []
    for value in values:
        entries = value.tolist()
        distances.append(sum((x - (i == j)) ** 2 for i, row in enumerate(entries) for j, x in enumerate(row)))
    assert min(distances) > 1
    assert value_regularisation(backbone.model).item() == pytest.approx(sum(distances), rel=1e-5)
    values[0].requires_grad_(False)
    assert value_regularisation(backbone.model).item() == pytest.approx(distances[1], rel=1e-5)
    (gradient,) = torch.autograd.grad(value_regularisation(backbone.model), values[1])
    torch.testing.assert_close(gradient, 2 * (values[1].detach() - torch.eye(backbone.dim)))


def test_a_fresh_fusion_starts_at_the_identity(tiny_backbone) -> None:
    """As the library's: the value matrix is the identity but for 1e-6 beside the diagonal."""
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    assert value_regularisation(backbone.model).item() > 1
    adapters.add_fusion(identity_slot=True)
    expected = 2 * 32 * 31 * 1e-12
    assert value_regularisation(backbone.model).item() == pytest.approx(expected, rel=1e-4)
