"""The contrastive objectives (paper, section 4; PROTOCOL section 2) as pure functions of tensors."""

import torch
from torch import Tensor
from torch.nn import functional as F


def info_nce(anchor: Tensor, positive: Tensor, temperature: float, ignore: Tensor | None = None) -> Tensor:
    """Contrast each anchor with its positive against the other positives of the batch.

    Args:
        anchor: Embeddings, shape (batch, dim); need not be unit length.
        positive: Embeddings of the same facts, shape (batch, dim); row i belongs to anchor i.
        temperature: Divisor of the cosine similarity, > 0.
        ignore: True where a candidate is a known false negative, shape (batch, batch); its diagonal is False.

    Returns:
        Mean loss in nats, shape ().

    Raises:
        ValueError: If the shapes differ or the batch has fewer than two rows.

    Reference: Hou et al. 2022, section 4; van den Oord et al. 2018, eq. 4. The paper prints the ratio without the
        exponential.
    """
    if anchor.shape != positive.shape or len(anchor) < 2:
        raise ValueError(
            f"Anchors {tuple(anchor.shape)} and positives {tuple(positive.shape)} must have one shape (batch, dim) "
            "with at least two rows: the other rows are the negatives."
        )
    if temperature <= 0:
        raise ValueError(f"The temperature must be positive, not {temperature}.")
    logits = F.normalize(anchor.float(), dim=-1) @ F.normalize(positive.float(), dim=-1).T / temperature
    if ignore is not None:
        logits = logits.masked_fill(ignore, float("-inf"))
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def symmetric_info_nce(anchor: Tensor, positive: Tensor, temperature: float, ignore: Tensor | None = None) -> Tensor:
    """Mean of `info_nce` in both directions; `ignore` is transposed for the second. Shapes as there."""
    backward = None if ignore is None else ignore.T
    forward_loss = info_nce(anchor, positive, temperature, ignore)
    return (forward_loss + info_nce(positive, anchor, temperature, backward)) / 2


def false_negatives(entity: Tensor, string: Tensor, known: Tensor | None = None) -> Tensor:
    """Which candidates y_j are no negatives of x_i (PROTOCOL section 2).

    Args:
        entity: Entity of each positive, shape (batch,).
        string: Number of each positive's normalised string, equal for equal strings, shape (batch,).
        known: True where positive j is another true object of anchor i's subject and relation, shape (batch, batch).

    Returns:
        True where entities or strings agree or the fact is known, shape (batch, batch); the diagonal is False.
    """
    same = (entity[:, None] == entity[None, :]) | (string[:, None] == string[None, :])
    if known is not None:
        same = same | known
    return same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
