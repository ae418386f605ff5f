"""Ranks by the definitions, text by text: what the tasks on benchmark folders are compared with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import AutoModel


@dataclass(frozen=True)
class Asked:
    """A query: its text, the entity that answers, and further right ones."""

    text: str
    gold: str
    known: frozenset[str] = frozenset()


def embedder(backbone, tokenizer) -> Callable[[str], np.ndarray]:
    """Text -> unit vector: mean over all tokens of the last hidden states, one text a pass, in double precision."""
    model = AutoModel.from_pretrained(backbone).eval()

    @torch.inference_mode()
    def embed(text: str) -> np.ndarray:
        vector = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].double().mean(0)
        return (vector / vector.norm()).numpy()

    return embed


def slow_ranks(
    asked: Sequence[Asked], names: Mapping[str, str], embed: Callable[[str], np.ndarray], csls: int | None = None
) -> tuple[dict[str, list[tuple[int, int]]], float]:
    """Rank set -> optimistic and pessimistic rank of every query; and how near a wrong score came to the right one.

    Args:
        asked: The queries.
        names: Candidate -> name; equal names tie.
        embed: Text -> unit vector.
        csls: Neighbours of CSLS, None for cosine.
    """
    queries, vectors = [embed(q.text) for q in asked], {e: embed(name) for e, name in names.items()}

    def score(query: np.ndarray, entity: str) -> float:
        cosine = float(query @ vectors[entity])
        if csls is None:
            return cosine
        near = sorted((float(q @ vectors[entity]) for q in queries), reverse=True)[:csls]
        return 2 * cosine - sum(near) / len(near)

    first_with_name = {names[q.gold]: q.gold for q in asked}
    found: dict[str, list[tuple[int, int]]] = {"raw": [], "filtered": [], "released": []}
    gap = np.inf
    for query, q in zip(queries, asked, strict=True):
        scores = {e: score(query, e) for e in names}
        gap = min([gap, *(abs(s - scores[q.gold]) for e, s in scores.items() if names[e] != names[q.gold])])
        pools = {
            "raw": set(names) - {q.gold},
            "filtered": set(names) - {q.gold} - q.known,
            "released": {e for name, e in first_with_name.items() if name != names[q.gold]},
        }
        for key, pool in pools.items():
            better = sum(scores[e] > scores[q.gold] for e in pool if names[e] != names[q.gold])
            found[key].append((1 + better, 1 + better + sum(names[e] == names[q.gold] for e in pool)))
    return found, gap
