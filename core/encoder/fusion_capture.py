"""What the fusion of an encoder does with texts: weights, entropy, winners, contributions, per text, layer and slot.

Every text counts once: a text's number is the mean over its pooled tokens, those that its embedding averages over. The
means are taken on the device, pass by pass, so that what is kept does not grow with the tokens.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from core.corpora.records import TokenBatch
from core.encoder.adapter_set import AdapterSet
from core.encoder.fusion import probe_fusion
from core.encoder.packing import segment_mean
from core.encoder.text_encoder import TextEncoder

Observations = dict[str, np.ndarray]
T = TypeVar("T")


def capture(
    encoder: TextEncoder,
    texts: Mapping[str, TokenBatch],
    tokens_per_pass: int = 8192,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Observations]:
    """Observe the active fusion on texts of several languages, no gradients.

    Args:
        encoder: The encoder, with the fusion active.
        texts: Texts by language; a language without any is left out.
        tokens_per_pass: Tokens per forward pass, which bounds the memory.
        progress: Called with (tokens done, tokens in all).

    Returns:
        By language: measure -> value of every text, float32, shape (texts, layers, slots). `weight`: attention, from 0
        to 1. `argmax_share`: share of the tokens whose largest weight is the slot's; slots that tie share a token.
        `contribution`: norm of `a_n V A_n(h)`, in the unit of the hidden vectors. `entropy`, shape (texts, layers, 1):
        that of the weights over its maximum, log(slots), from 0 to 1.

    Raises:
        ValueError: If there is no text, or no fusion is active.
    """
    texts = {language: batch for language, batch in texts.items() if len(batch)}
    if not texts:
        raise ValueError("There is no text to observe the fusion on; give at least one.")
    whole = TokenBatch.concatenate(list(texts.values()))
    order, found = [], []
    with torch.inference_mode():
        for part in encoder.passes(whole, tokens_per_pass, progress):
            order.append(part)
            found.append(_observe(encoder, whole.take(part)).cpu().numpy())
    values = np.concatenate(found)[np.argsort(np.concatenate(order))]
    slots = values.shape[2] // 3
    measures = ("weight", "argmax_share", "contribution", "entropy")
    split = dict(zip(measures, np.split(values, [slots, 2 * slots, 3 * slots], axis=2), strict=True))
    ends = np.cumsum([len(batch) for batch in texts.values()])
    return {
        language: {measure: every[end - len(texts[language]) : end] for measure, every in split.items()}
        for language, end in zip(texts, ends, strict=True)
    }


def capture_null(
    adapters: AdapterSet,
    encoder: TextEncoder,
    texts: Mapping[str, TokenBatch],
    seeds: Sequence[int] = (0, 1, 2),
    tokens_per_pass: int = 8192,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[Observations]]:
    """What `capture` finds under untrained fusions of the same adapters, one per seed, by language.

    The trained fusion is in its place again afterwards.
    """
    found: dict[str, list[Observations]] = {}
    for seed in seeds:
        with adapters.fresh_fusion(seed):
            for language, observed in capture(encoder, texts, tokens_per_pass, progress).items():
                found.setdefault(language, []).append(observed)
    return found


def without_each(slots: Iterable[str], measure: Callable[[], T]) -> dict[str, T]:
    """What `measure` gives with each of `slots` knocked out of every forward pass, one at a time."""
    found = {}
    for slot in slots:
        with probe_fusion(frozenset({slot}), record=False):
            found[slot] = measure()
    return found


def _observe(encoder: TextEncoder, batch: TokenBatch) -> Tensor:
    """All measures of a batch in one forward pass, side by side, shape (texts, layers, 3 * slots + 1)."""
    with probe_fusion() as probe:
        _, laid_out = encoder.forward(batch)
    if not probe.weights:
        raise ValueError("No fusion is active, so there is nothing to observe. Use `with adapters.active('fusion')`.")
    layers = [_measures(probe.weights[layer], probe.contributions[layer]) for layer in sorted(probe.weights)]
    tokens = torch.stack(layers, dim=2)
    return segment_mean(tokens.flatten(2), laid_out).view(-1, *tokens.shape[2:])


def _measures(weights: Tensor, contributions: Tensor) -> Tensor:
    """Weights, argmax shares, contributions and entropy of every token of a layer, shape (rows, width, measures)."""
    weights = weights.float()
    wins = (weights == weights.amax(-1, keepdim=True)).float()
    entropy = torch.special.entr(weights).sum(-1, keepdim=True) / math.log(weights.shape[-1])
    return torch.cat([weights, wins / wins.sum(-1, keepdim=True), contributions.float(), entropy], dim=-1)
