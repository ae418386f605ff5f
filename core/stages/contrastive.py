"""The contrastive loss of a batch of pairs (paper, section 4): how adapters, and the ranking tasks, are trained."""

import torch
from torch import Tensor

from core.config import Objective
from core.corpora.draws import PairBatch
from core.corpora.records import TokenBatch
from core.encoder.text_encoder import TextEncoder
from core.objectives import false_negatives, info_nce, symmetric_info_nce


def contrastive_loss(encoder: TextEncoder, batch: PairBatch, objective: Objective) -> Tensor:
    """InfoNCE of a batch, both sides embedded in one forward pass, shape ()."""
    pairs = len(batch)
    both = encoder.embed(TokenBatch.concatenate([batch.anchors, batch.positives]))
    ignore = None
    if objective.mask_false_negatives:
        entity, string = (torch.from_numpy(c).to(both.device) for c in (batch.entity, batch.string))
        known = None if batch.known is None else torch.from_numpy(batch.known).to(both.device)
        ignore = false_negatives(entity, string, known)
    loss = symmetric_info_nce if objective.directions == "both" else info_nce
    return loss(both[:pairs], both[pairs:], objective.temperature, ignore)
