"""Adapter fusion with an identity slot (paper, section 3), computed with three d x d products per token.

    a_n = softmax_n( (h Q) . (A_n(h) K) )        Afusion(h) = sum_n a_n V A_n(h)        A_0(h) = h

The paper prints a Hadamard product for the score; a scalar per adapter needs its sum, the dot product, as in Pfeiffer
et al. 2021. The library's `BertFusion` makes N key and N value products per token. Two exact rewritings leave three
products whatever N is: `(h Q).(A_n K) = (h Q K^T).A_n` (the key's bias adds the same to every slot and drops out of the
softmax) and `sum_n a_n V A_n = V sum_n a_n A_n`. Parameters keep the library's names, so its file format holds them.
The residual is added outside, as in the library; without the identity slot the two agree to 1e-5 (a test).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from adapters.methods.modeling import BertFusion
from torch import Tensor, nn

IDENTITY = "identity"


@dataclass
class FusionProbe:
    """What one probed forward pass saw and what it was told to leave out.

    Attributes:
        knocked_out: Slots whose score is minus infinity, so that the others share their weight.
        record: Whether to fill the two that follow.
        weights: Layer -> attention of every token, detached, shape (rows, width, slots); slots as in `slots`.
        contributions: Layer -> norm of `a_n V A_n(h)`, shape (rows, width, slots).
    """

    knocked_out: frozenset[str] = frozenset()
    record: bool = True
    weights: dict[int, Tensor] = field(default_factory=dict)
    contributions: dict[int, Tensor] = field(default_factory=dict)


_probe: ContextVar[FusionProbe | None] = ContextVar("fusion_probe", default=None)


@contextmanager
def probe_fusion(knocked_out: frozenset[str] = frozenset(), record: bool = True) -> Iterator[FusionProbe]:
    """Knock slots out of the forward passes inside and record their weights, for this thread only.

    Args:
        knocked_out: Slots that the passes do without.
        record: Keep weights and contributions, of the latest pass only; False spares their memory and products.
    """
    probe = FusionProbe(knocked_out, record)
    token = _probe.set(probe)
    try:
        yield probe
    finally:
        _probe.reset(token)


class SlotFusion(nn.Module):
    """The fusion layer of one transformer layer; takes the place of the library's `BertFusion`.

    Args:
        library: The layer to replace; its parameters are taken over.
        slots: Names of the adapters, in the order of the fusion.
        layer: Number of the transformer layer, from 0.
        identity_slot: Whether the un-adapted vector competes as slot 0 (the paper) or not (the released code).
    """

    def __init__(self, library: BertFusion, slots: list[str], layer: int, identity_slot: bool) -> None:
        super().__init__()
        self.query: nn.Linear = library.query
        self.key: nn.Linear = library.key
        self.value: nn.Linear = library.value
        self.dropout: nn.Module = library.dropout
        self.slots = [IDENTITY, *slots] if identity_slot else slots
        self.layer, self.identity_slot = layer, identity_slot

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, residual: Tensor, output_attentions: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Fuse the adapters' outputs; the signature is the library's.

        Args:
            query: Un-adapted vectors h, shape (rows, width, dim).
            key: Adapter outputs A_n(h), shape (rows, width, adapters, dim).
            value: The same tensor as `key`.
            residual: Added to the result, shape (rows, width, dim).
            output_attentions: Return the weights too, as a tensor on the same device (the library copies to the host).
        """
        slots = torch.cat([query.unsqueeze(2), value], dim=2) if self.identity_slot else value
        mapped = self.query(query) @ self.key.weight  # h Q K^T
        scores = self.dropout((slots @ mapped.unsqueeze(-1)).squeeze(-1))
        probe = _probe.get()
        if probe is not None and probe.knocked_out:
            scores = scores.clone()
            for n, slot in enumerate(self.slots):  # a mask would be copied from the host, which waits for the device
                if slot in probe.knocked_out:
                    scores[..., n] = float("-inf")
        weights = scores.softmax(-1)
        mixed = self.value((weights.unsqueeze(2) @ slots).squeeze(2))
        if probe is not None and probe.record:
            probe.weights[self.layer] = weights.detach()
            contribution: Tensor = self.value(slots.detach())
            probe.contributions[self.layer] = weights.detach() * contribution.norm(dim=-1).detach()
        output = mixed + residual
        return (output, weights) if output_attentions else output


def install_slot_fusion(model: nn.Module, name: str, adapters: list[str], identity_slot: bool) -> None:
    """Replace the library's fusion layers called `name` by `SlotFusion` in every transformer layer of `model`."""
    for index, layer in model.iter_layers():  # type: ignore[operator]
        for module in layer.modules():
            fusions = getattr(module, "adapter_fusion_layer", {})
            if name in fusions and isinstance(fusions[name], BertFusion):
                fusions[name] = SlotFusion(fusions[name], adapters, index, identity_slot)


def value_regularisation(model: nn.Module) -> Tensor:
    """Squared distance of every trainable value matrix from the identity, summed (Pfeiffer et al. 2021), shape ()."""
    values = [m.value.weight for m in model.modules() if isinstance(m, SlotFusion) and m.value.weight.requires_grad]
    return torch.stack([(v - torch.eye(len(v), device=v.device)).pow(2).sum() for v in values]).sum()
