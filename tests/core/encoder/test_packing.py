"""Packed rows: where every token lies, and that embeddings are those of texts encoded alone."""

from collections import Counter

import numpy as np
import pytest
import torch
from encoder_helpers import CPU, adapters_on, encoder_of, largest_gap, load, one_by_one, random_batch, split

from core.corpora.records import TokenBatch
from core.encoder.backbones import Backbone
from core.encoder.packing import pack, pad, segment_mean


@pytest.mark.parametrize(
    ("texts", "longest", "width"), [(60, 30, 32), (60, 30, 48), (50, 7, 48), (30, 70, 48), (1, 5, 8)]
)
@pytest.mark.parametrize("first_position", [0, 2])
def test_layout_holds_every_token_once(texts: int, longest: int, width: int, first_position: int) -> None:
    batch = random_batch(texts, longest, seed=longest, spans=True)
    packed = pack(batch, width, pad_id=0, first_position=first_position)
    rows, columns = packed.ids.shape
    assert columns >= batch.lengths.max()
    assert columns == (width if longest + 2 <= width else 72)  # 70 pieces and two special tokens
    found = Counter()
    for row in range(rows):
        segments = packed.segment[row]
        used = int((segments > 0).sum())
        assert (segments[:used] > 0).all()  # texts lie end to end, padding behind them
        assert packed.ids[row, used:].eq(0).all()
        for number in range(1, int(segments.max()) + 1):
            at = torch.nonzero(segments == number).flatten().tolist()
            assert at == list(range(at[0], at[0] + len(at)))
            assert packed.positions[row, at].tolist() == list(range(first_position, first_position + len(at)))
            found[tuple(packed.ids[row, at].tolist())] += 1
    assert found == Counter(tuple(ids.tolist()) for ids in split(batch))
    assert int((packed.segment > 0).sum()) == batch.lengths.sum()


def test_no_two_rows_could_have_been_one() -> None:
    """Best fit never leaves two rows that are both at most half full."""
    batch = random_batch(200, 40, seed=1)
    packed = pack(batch, 48, pad_id=0)
    used = (packed.segment > 0).sum(1)
    assert len(used) < len(batch) / 1.5
    assert (used * 2 <= 48).sum() <= 1
    assert len(used) >= -(-int(batch.lengths.sum()) // 48)


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_pooled_tokens_are_those_of_the_span(layout: str) -> None:
    batch = random_batch(30, 20, seed=2, spans=True)
    assert ((batch.pool_end - batch.pool_start) < batch.lengths).any()
    laid_out = pack(batch, 48, pad_id=0) if layout == "packed" else pad(batch, pad_id=0)
    flat = laid_out.ids.flatten()
    for text, ids in enumerate(split(batch)):
        mine = laid_out.pool_token[laid_out.pool_text == text]
        assert flat[mine].tolist() == ids[batch.pool_start[text] : batch.pool_end[text]].tolist()
        assert len(laid_out.segment.flatten()[mine].unique()) == 1
    assert len(laid_out.pool_token) == (batch.pool_end - batch.pool_start).sum()


def test_segment_mean_averages_by_text() -> None:
    batch = random_batch(12, 9, seed=3, spans=True)
    packed = pack(batch, 24, pad_id=0)
    hidden = torch.randn(*packed.ids.shape, 3, generator=torch.Generator().manual_seed(0))
    found = segment_mean(hidden.bfloat16(), packed)
    assert found.dtype == torch.float32
    flat = hidden.bfloat16().double().view(-1, 3)
    for text in range(len(batch)):
        tokens = [
            t for t, owner in zip(packed.pool_token.tolist(), packed.pool_text.tolist(), strict=True) if owner == text
        ]
        assert len(tokens) == batch.pool_end[text] - batch.pool_start[text]
        expected = sum(flat[t] for t in tokens) / len(tokens)
        torch.testing.assert_close(found[text].double(), expected, atol=1e-6, rtol=1e-6)


def test_mask_is_block_diagonal() -> None:
    batch = random_batch(20, 12, seed=4)
    packed = pack(batch, 32, pad_id=0)
    mask = packed.attention_mask()
    assert packed.segment.max() > 1
    for row in range(len(mask)):
        segments = packed.segment[row].tolist()
        assert mask[row].tolist() == [[int(a == b) for b in segments] for a in segments]


def test_mask_of_one_text_per_row_hides_padding_from_all() -> None:
    batch = random_batch(5, 9, seed=5)
    mask = pad(batch, pad_id=0).attention_mask()
    for row, length in enumerate(batch.lengths.tolist()):
        assert mask[row].tolist() == [[1] * length + [0] * (mask.shape[2] - length)] * mask.shape[1]
    assert (mask == 0).any()


@pytest.mark.parametrize("part", [None, "ep", "large", "fusion"])
@pytest.mark.parametrize("spans", [False, True])
def test_embeddings_are_those_of_texts_alone(tiny_backbone, part: str | None, spans: bool) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    batch = random_batch(40, 30, seed=6, spans=spans)
    with torch.no_grad(), adapters.active(part):
        expected = one_by_one(backbone, batch)
        packed = encoder_of(backbone, row_tokens=48).embed(batch)
        padded = encoder_of(backbone, packed=False).embed(batch)
    assert largest_gap(expected, packed) < 1e-5
    assert largest_gap(expected, padded) < 1e-5
    if part:  # the adapter did something
        assert largest_gap(expected, one_by_one(backbone, batch)) > 0.01


def test_gradients_are_those_of_the_padded_batch(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    batch = random_batch(20, 20, seed=7, spans=True)
    weight = torch.randn(backbone.dim, generator=torch.Generator().manual_seed(0))
    gradients = []
    for packed in (True, False):
        with adapters.active("ep"):
            loss = (encoder_of(backbone, packed=packed).embed(batch) @ weight).tanh().sum()
        chosen = list(adapters.parameters("ep").values())
        gradients.append(torch.autograd.grad(loss, chosen))
    for x, y in zip(*gradients, strict=True):
        assert x.norm() > 1e-3
        torch.testing.assert_close(x, y, atol=1e-4, rtol=1e-4)


def xlm_r(tokenizer) -> Backbone:
    """A tiny XLM-R: it counts positions from 2, and its padding piece is 1."""
    import adapters
    from transformers import XLMRobertaConfig, XLMRobertaModel

    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=100,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        type_vocab_size=1,
    )
    model = XLMRobertaModel(config, add_pooling_layer=False).eval()
    adapters.init(model)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(1)
    return Backbone(model, tokenizer, "xlm-r", "", first_position=2)


@pytest.mark.parametrize("packed", [True, False])
def test_xlm_r_positions(tiny_backbone, packed: bool) -> None:
    """XLM-R derives positions from the ids when none are given: ours must be the same."""
    backbone = xlm_r(load(tiny_backbone).tokenizer)
    batch = random_batch(25, 20, seed=8)
    expected = one_by_one(backbone, batch)
    with torch.no_grad():
        assert largest_gap(expected, encoder_of(backbone, packed=packed).embed(batch)) < 1e-5
        backbone.first_position = 0
        assert largest_gap(expected, encoder_of(backbone, packed=packed).embed(batch)) > 1e-3


def test_architecture_without_position_ids_is_padded(tiny_backbone) -> None:
    import adapters
    from transformers import DistilBertConfig, DistilBertModel

    torch.manual_seed(0)
    model = DistilBertModel(DistilBertConfig(vocab_size=100, dim=32, n_layers=2, n_heads=2, hidden_dim=64)).eval()
    adapters.init(model)
    backbone = Backbone(model, load(tiny_backbone).tokenizer, "distilbert", "", first_position=None)
    encoder = encoder_of(backbone, packed=True)
    assert not encoder.packed
    batch = random_batch(25, 20, seed=9)
    with torch.no_grad():
        assert largest_gap(one_by_one(backbone, batch), encoder.embed(batch)) < 1e-5


@pytest.mark.parametrize("architecture", ["bert", "xlm-roberta"])
def test_padded_pooling_averages_the_padding_too(tiny_backbone, architecture: str) -> None:
    """As a plain script does that pads with the tokenizer, gives no positions, and takes the mean of the row."""
    backbone = load(tiny_backbone)
    if architecture == "xlm-roberta":
        backbone = xlm_r(backbone.tokenizer)
    batch = random_batch(8, 12, seed=10)
    encoder = encoder_of(backbone, packed=True, pool_padding=True)
    assert not encoder.packed
    width = int(batch.lengths.max())
    ids = torch.full((len(batch), width), backbone.pad_id)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(split(batch)):
        ids[row, : len(text)], mask[row, : len(text)] = torch.from_numpy(text.astype(np.int64)), 1
    with torch.no_grad():
        expected = backbone.model(input_ids=ids, attention_mask=mask).last_hidden_state.mean(1)
        found = encoder.embed(batch)
    assert largest_gap(expected, found) < 1e-5
    attended = one_by_one(backbone, batch)
    longest = batch.lengths == width
    assert longest.any()
    assert not longest.all()
    assert (found - attended)[torch.from_numpy(longest)].abs().max() < 1e-5
    assert (found - attended)[torch.from_numpy(~longest)].abs().amax(1).min() > 0.01


def test_a_copy_on_a_device_is_the_same_batch() -> None:
    batch = TokenBatch.whole(np.asarray([2, 7, 3, 2, 3], np.int32), np.asarray([3, 2], np.int32))
    packed = pack(batch, 8, pad_id=0)
    copy = packed.to(CPU)
    assert packed.ids.tolist() == copy.ids.tolist() == [[2, 7, 3, 2, 3, 0, 0, 0]]
    assert copy.segment.tolist() == [[1, 1, 1, 2, 2, 0, 0, 0]]
    assert copy.positions.tolist() == [[0, 1, 2, 0, 1, 0, 0, 0]]
    assert copy.pool_text.tolist() == [0, 0, 0, 1, 1]
    assert copy.texts == 2
