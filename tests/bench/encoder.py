"""`make bench`: what packing and the rewritten fusion gain, as ratios of one run on this machine.

Each pair is timed in turns, so that a noisy neighbour slows both; the ratio of the medians is reported.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
from adapters.composition import Fuse
from adapters.methods.modeling import BertFusion

from core.corpora.draws import LabelTable
from core.corpora.records import TokenBatch
from core.corpora.sampler import EntityPairs
from core.corpora.sources import cldr
from core.corpora.token_store import TokenStore
from core.encoder.adapter_set import FUSION, SMALL, AdapterSet
from core.encoder.backbones import load_backbone
from core.encoder.text_encoder import TextEncoder
from core.folders import cache_root

PAIRS, ROUNDS = 96, 7


def ratio(slow: Callable[[], None], fast: Callable[[], None]) -> float:
    """Median time of `slow` over that of `fast`, called in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS + 1):
        for kept, call in zip(times, (slow, fast), strict=True):
            start = time.perf_counter()
            call()
            if turn:  # the first round warms up
                kept.append(time.perf_counter() - start)
    return statistics.median(times[0]) / statistics.median(times[1])


def main() -> None:
    corpus = cldr.cached(cache_root())
    backbone = load_backbone("embedded", cache_root())
    tokens = TokenStore.of(corpus, backbone.tokenizer, cache_root() / "tokens")
    backbone.trim(tokens.used_ids())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    backbone.model.to(device)
    packed, padded = (TextEncoder(backbone, tokens.special, device, packed=p) for p in (True, False))
    adapters = AdapterSet(backbone)
    for role in SMALL:
        adapters.add(role)
    sampler = EntityPairs(corpus, tokens, LabelTable(corpus, corpus.languages), seed=0)
    pairs = sampler.sample(PAIRS)
    batch = TokenBatch.concatenate([pairs.anchors, pairs.positives])

    def step(encoder: TextEncoder, part: str) -> Callable[[], None]:
        trained = adapters.parameters(part)
        for name, parameter in backbone.model.named_parameters():
            parameter.requires_grad_(name in trained)

        def run() -> None:
            with adapters.active(part):
                encoder.embed(batch).square().sum().backward()

        return run

    def forward(part: str) -> Callable[[], None]:
        def run() -> None:
            with adapters.active(part), torch.inference_mode():
                packed.embed(batch)

        return run

    say = sys.stdout.write
    say(f"{len(batch)} CLDR labels, {len(batch.ids)} tokens, {device}, {torch.get_num_threads()} threads\n")
    say(f"EP step, padded over packed: {ratio(step(padded, 'ep'), step(packed, 'ep')):.2f}\n")
    adapters.add_fusion(identity_slot=True)
    ours = forward(FUSION)
    plain = ratio(ours, forward("ep"))
    say(f"forward, our fusion with identity slot over one adapter: {plain:.2f}\n")

    reference = load_backbone("embedded", cache_root())
    reference.trim(tokens.used_ids())
    reference.model.to(device)
    library = AdapterSet(reference)
    for role in SMALL:
        library.add(role)
    reference.model.add_adapter_fusion(Fuse(*SMALL))
    assert any(isinstance(m, BertFusion) for m in reference.model.modules())
    encoder = TextEncoder(reference, tokens.special, device)

    def theirs() -> None:
        with library.active(FUSION), torch.inference_mode():
            encoder.embed(batch)

    say(f"forward, the library's fusion (no identity slot) over ours (with it): {ratio(theirs, ours):.2f}\n")


if __name__ == "__main__":
    main()
