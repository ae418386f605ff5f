"""Embeddings -> one-based ranks: exact, chunked, ties and known answers counted, never a sort.

A rank is one plus the number of better candidates, so a comparison per candidate is all it takes. Candidates with the
same string share one column (homonyms tie exactly, whatever the rounding of the matrix product), and a column's weight
says how many candidates it stands for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Queries:
    """Queries of one language against its candidate columns.

    Attributes:
        gold: Column of the right answer of each query, shape (queries,).
        known_query: Query of each further right answer, shape (known,); a query may have none or many.
        known_column: Column of each further right answer, shape (known,).
    """

    gold: np.ndarray
    known_query: np.ndarray
    known_column: np.ndarray


@dataclass(frozen=True)
class Counts:
    """How many candidates beat and how many equal the right answer, itself not counted, int, shape (queries,)."""

    better: np.ndarray
    equal: np.ndarray

    @property
    def optimistic(self) -> np.ndarray:
        """One-based rank with ties resolved in favour of the right answer."""
        return 1 + self.better

    @property
    def pessimistic(self) -> np.ndarray:
        """One-based rank with ties resolved against it."""
        return 1 + self.better + self.equal


def count_better(scores: Tensor, queries: Queries, weight: Tensor) -> tuple[Counts, Counts]:
    """Raw and filtered counts from a score matrix.

    Args:
        scores: Score of every query and column, larger is better, shape (queries, columns).
        queries: Right and known answers.
        weight: Candidates that each column stands for, shape (columns,); a gold column stands for one at least.

    Returns:
        Raw counts, and counts without the known answers.
    """
    gold = torch.as_tensor(queries.gold, device=scores.device)
    score = scores.gather(1, gold[:, None])
    weight = weight.to(scores.dtype)
    better, equal = (scores > score).to(scores.dtype) @ weight, (scores == score).to(scores.dtype) @ weight - 1
    raw = Counts(*(c.long().cpu().numpy() for c in (better, equal)))
    query, column = (torch.as_tensor(x, device=scores.device) for x in (queries.known_query, queries.known_column))
    known = scores[query, column]
    fewer_better = np.bincount(query[known > score[query, 0]].cpu().numpy(), minlength=len(scores))
    fewer_equal = np.bincount(query[known == score[query, 0]].cpu().numpy(), minlength=len(scores))
    return raw, Counts(raw.better - fewer_better, raw.equal - fewer_equal)


def rank_queries(
    query: Tensor,
    candidate: Tensor,
    queries: Queries,
    weights: list[Tensor],
    chunk_bytes: int = 2**27,
    csls: int | None = None,
) -> list[tuple[Counts, Counts]]:
    """Counts for queries and candidates given as embeddings, by cosine similarity, in bounded memory.

    Cross-domain similarity local scaling (CSLS, Lample et al. 2018, "Word Translation Without Parallel Data", section
    2.3) takes from a candidate its closeness to all queries, so that hubs rank lower:

        csls(x, y) = 2 cos(x, y) - r(y) - r(x)      r(y): mean cosine of y and the k queries nearest to it

    r(x) is the same for all candidates of a query and changes no rank, so it is left out.

    Args:
        query: Query embeddings, shape (queries, dim).
        candidate: Embeddings of the candidate columns, shape (columns, dim).
        queries: Right and known answers.
        weights: Candidate sets to rank among: candidates per column, each of shape (columns,).
        chunk_bytes: Largest score matrix held at once.
        csls: k of CSLS, at most all queries are taken; None ranks by cosine. The paper of CSLS takes 10.

    Returns:
        Raw and filtered counts for each of `weights`.
    """
    query, candidate = F.normalize(query, dim=-1), F.normalize(candidate, dim=-1)
    closeness = None if csls is None else _closeness(candidate, query, csls, chunk_bytes)
    step = max(1, chunk_bytes // (4 * max(1, len(candidate))))
    found: list[list[tuple[Counts, Counts]]] = [[] for _ in weights]
    order = np.argsort(queries.known_query, kind="stable")
    known_query, known_column = queries.known_query[order], queries.known_column[order]
    for start in range(0, len(query), step):
        end = min(start + step, len(query))
        low, high = np.searchsorted(known_query, [start, end])
        part = Queries(queries.gold[start:end], known_query[low:high] - start, known_column[low:high])
        scores = query[start:end] @ candidate.T
        if closeness is not None:
            scores.mul_(2).sub_(closeness)
        for results, weight in zip(found, weights, strict=True):
            results.append(count_better(scores, part, weight))
    return [(_joined([raw for raw, _ in parts]), _joined([filtered for _, filtered in parts])) for parts in found]


def _closeness(candidate: Tensor, query: Tensor, neighbours: int, chunk_bytes: int) -> Tensor:
    """Mean cosine of every candidate and the `neighbours` queries nearest to it, shape (columns,); unit rows."""
    step, neighbours = max(1, chunk_bytes // (4 * len(query))), min(neighbours, len(query))
    return torch.cat([(part @ query.T).topk(neighbours, dim=1).values.mean(1) for part in torch.split(candidate, step)])


def _joined(parts: list[Counts]) -> Counts:
    return Counts(np.concatenate([p.better for p in parts]), np.concatenate([p.equal for p in parts]))
