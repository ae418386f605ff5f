"""What the tests of the encoder share: random texts, random weights, and the plainest forward pass there is."""

import socket
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.corpora.records import SpecialTokens, TokenBatch
from core.encoder.adapter_set import LARGE, SMALL, AdapterSet
from core.encoder.backbones import Backbone, load_backbone
from core.encoder.text_encoder import TextEncoder

CPU = torch.device("cpu")


def load(folder: Path) -> Backbone:
    """A fresh copy of the backbone in a folder, in eval mode; the folder of conversions is never used."""
    return load_backbone(str(folder), folder / "no-cache")


def encoder_of(backbone: Backbone, **options) -> TextEncoder:
    return TextEncoder(backbone, SpecialTokens.of(backbone.tokenizer), CPU, **options)


def random_batch(texts: int = 40, longest: int = 30, vocabulary: int = 90, seed: int = 0, spans: bool = False):
    """Texts of 1 to `longest` random pieces between [CLS] and [SEP], averaged over the whole or over a random span."""
    rng = np.random.default_rng(seed)
    content = rng.integers(1, longest + 1, texts)
    content[0], content[-1] = longest, 1
    ids = [np.concatenate([[2], rng.integers(5, vocabulary, n), [3]]) for n in content]
    batch = TokenBatch.whole(np.concatenate(ids).astype(np.int32), (content + 2).astype(np.int32))
    if not spans:
        return batch
    start = rng.integers(0, batch.lengths)
    return TokenBatch(batch.ids, batch.lengths, start, rng.integers(start + 1, batch.lengths + 1))


def split(batch: TokenBatch) -> list[np.ndarray]:
    """The token ids of each text."""
    return np.split(batch.ids, np.cumsum(batch.lengths)[:-1])


@torch.no_grad()
def one_by_one(backbone: Backbone, batch: TokenBatch) -> Tensor:
    """Each text alone through the model, without mask, positions or padding; mean over its span by slicing."""
    vectors = []
    for ids, start, end in zip(split(batch), batch.pool_start, batch.pool_end, strict=True):
        hidden = backbone.model(input_ids=torch.tensor(ids[None], dtype=torch.long)).last_hidden_state[0]
        vectors.append(hidden[start:end].mean(0))
    return torch.stack(vectors)


@torch.no_grad()
def randomise(backbone: Backbone, names: Iterable[str], seed: int = 0, scale: float = 0.3) -> None:
    """Normal numbers for parameters that start near zero or near the identity."""
    generator = torch.Generator().manual_seed(seed)
    parameters = dict(backbone.model.named_parameters())
    for name in names:
        parameters[name].normal_(0, scale, generator=generator)


def adapters_on(backbone: Backbone, identity_slot: bool = True, seed: int = 0) -> AdapterSet:
    """All five adapters and the fusion, each with weights that matter."""
    adapters = AdapterSet(backbone)
    for role in (*SMALL, LARGE):
        adapters.add(role)
    adapters.add_fusion(identity_slot)
    for shift, part in enumerate((*SMALL, LARGE, "fusion")):
        randomise(backbone, adapters.parameters(part), seed + shift)
    return adapters


def largest_gap(x: Tensor, y: Tensor) -> float:
    """Largest absolute difference; refuses to compare vectors that carry nothing."""
    assert x.shape == y.shape
    assert len(x) > 1
    assert x.std(0).min() > 1e-3, "these vectors are all the same"
    return (x - y).abs().max().item()


def forbid_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make every look-up and connection fail; the list fills with those tried."""
    calls: list[str] = []

    def refuse(*arguments, **_options) -> None:
        calls.append(str(arguments))
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return calls
