"""Texts -> embeddings: tokens, order, devices and precisions. That packing changes nothing is in test_packing.py."""

import numpy as np
import pytest
import torch
from encoder_helpers import CPU, adapters_on, encoder_of, largest_gap, load, one_by_one, random_batch, split

from core.corpora.records import SpecialTokens, TokenBatch
from core.encoder import text_encoder
from core.encoder.text_encoder import TextEncoder, pick_device, pick_precision


def test_tokens_are_the_tokenizers(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    texts = ["klan", "", "près de l'eau", "x" * 50]
    batch = encoder_of(backbone).tokens(texts, limit=20)
    found = [ids.tolist() for ids in split(batch)]
    assert found[:3] == [backbone.tokenizer(text).input_ids for text in texts[:3]]
    assert found[1] == [2, 3]
    assert found[3] == [2, *backbone.tokenizer("x" * 50).input_ids[1:21], 3]  # 20 pieces of the text itself
    assert batch.pool_start.tolist() == [0] * 4
    assert batch.pool_end.tolist() == batch.lengths.tolist() == [len(ids) for ids in found]
    assert batch.ids.dtype == np.int32


def test_prefix_stands_before_every_text(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    encoder = TextEncoder(backbone, SpecialTokens.of(backbone.tokenizer, "query: "), CPU)
    assert split(encoder.tokens(["near"]))[0].tolist() == backbone.tokenizer("query: near").input_ids


@torch.no_grad()
def test_vectors_of_texts_are_those_of_transformers(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    encoder = encoder_of(backbone)
    texts = ["klan", "motich near", "a long text about nothing in particular", "é"]
    expected = []
    for text in texts:
        given = backbone.tokenizer(text, return_tensors="pt")
        expected.append(backbone.model(**given).last_hidden_state[0].mean(0))
    assert largest_gap(torch.stack(expected), encoder.embed(encoder.tokens(texts))) < 1e-5


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("tokens_per_pass", [1, 60, 8192])
def test_embed_all_keeps_the_order(tiny_backbone, packed: bool, tokens_per_pass: int) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    batch = random_batch(40, 25, spans=True)
    encoder, seen = encoder_of(backbone, packed=packed), []
    with adapters.active("tp"):
        expected = one_by_one(backbone, batch)
        found = encoder.embed_all(batch, tokens_per_pass, lambda done, total: seen.append((done, total)))
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert largest_gap(expected, found) < 1e-5
    done = [d for d, _ in seen]
    assert done == sorted(set(done))
    assert done[-1] == batch.lengths.sum()
    assert {total for _, total in seen} == {batch.lengths.sum()}
    assert len(seen) == {1: 40, 8192: 1}.get(tokens_per_pass, len(seen))
    if tokens_per_pass == 60:  # as many texts as fit
        passes = np.diff([0, *done])
        assert passes.max() <= 60
        assert (passes[1:] + passes[:-1]).min() > 60


def test_embed_all_of_nothing(tiny_backbone) -> None:
    nothing = np.zeros(0, np.int32)
    assert encoder_of(load(tiny_backbone)).embed_all(TokenBatch.whole(nothing, nothing)).shape == (0, 32)


def test_embed_is_differentiable(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    with adapters.active("ep"):
        vectors = encoder_of(backbone).embed(random_batch(6, 8))
    gradients = torch.autograd.grad(vectors.tanh().sum(), list(adapters.parameters("ep").values()))
    assert all(g.abs().max() > 0 for g in gradients)


def test_half_precision_is_close_and_gives_single_precision(tiny_backbone) -> None:
    backbone, batch = load(tiny_backbone), random_batch(20, 20)
    with torch.no_grad():
        exact = encoder_of(backbone).embed(batch)
        half = encoder_of(backbone, precision=torch.bfloat16).embed(batch)
    assert half.dtype == torch.float32
    assert 1e-5 < largest_gap(exact, half) < 0.1
    assert torch.nn.functional.cosine_similarity(exact, half).min() > 0.999


def test_pick_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(
        ValueError, match=r"compute\.device is cuda:1, but torch .* sees no CUDA device\. Use cpu or auto"
    ):
        pick_device("cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device("cuda:1") == torch.device("cuda:1")
    assert pick_device("cpu") == torch.device("cpu")


def test_pick_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_precision("fp32", CPU) == torch.float32
    assert pick_precision("bf16", CPU) == torch.bfloat16
    for avx512, amx, expected in (
        (False, False, torch.float32),
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
    ):
        monkeypatch.setattr(text_encoder.torch.cpu, "_is_avx512_bf16_supported", lambda answer=avx512: answer)
        monkeypatch.setattr(text_encoder.torch.cpu, "_is_amx_tile_supported", lambda answer=amx: answer)
        assert pick_precision("auto", CPU) == expected
    for native, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, answer=native: answer)
        assert pick_precision("auto", torch.device("cuda")) == expected
