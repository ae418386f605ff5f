"""The adapters of a run on one backbone: add, activate, save and load them, and say which parameters a stage trains.

Files are AdapterHub's: a plain `adapters` script loads an adapter, and a fusion without the identity slot, with the
library's own calls. A fusion with the slot says so in its `adapter_fusion_config.json` and loads through
`AdapterSet.load_fusion`. Adapters are switched with a context manager that holds for the calling thread only, so
that two users of one model never see each other's choice.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from adapters import AdapterSetup, SeqBnConfig
from adapters.composition import Fuse
from adapters.loading import AdapterFusionLoader
from torch import nn

from core.encoder.backbones import Backbone, parameter_count
from core.encoder.fusion import SlotFusion, install_slot_fusion

SMALL: tuple[str, ...] = ("ep", "tp", "es", "ts")
LARGE = "large"
FUSION = "fusion"
_FUSION_NAME = ",".join(SMALL)
_FUSION_CONFIG = "adapter_fusion_config.json"


class AdapterError(RuntimeError):
    """An adapter or fusion is missing, damaged, or made for another backbone."""


class AdapterSet:
    """Adapters and fusion on a backbone.

    Args:
        backbone: The backbone; its model must have been prepared by `adapters.init`.
        reduction: Hidden size over bottleneck size of the four small adapters.
        non_linearity: Activation of the bottleneck.
    """

    def __init__(self, backbone: Backbone, reduction: float = 16, non_linearity: str = "relu") -> None:
        logging.getLogger("adapters").setLevel(logging.ERROR)  # it warns on every forward of the bare backbone
        self.model, self.reduction, self.non_linearity = backbone.model, reduction, non_linearity

    def add(self, role: str) -> None:
        """Add a fresh adapter (`seq_bn`: after the feed-forward of each layer) called `role`."""
        reduction = self._large_reduction() if role == LARGE else self.reduction
        self.model.add_adapter(role, config=SeqBnConfig(reduction_factor=reduction, non_linearity=self.non_linearity))
        self._to_its_device()

    def add_fusion(self, identity_slot: bool) -> None:
        """Add a fresh fusion of the four small adapters, or start the present one anew."""
        if _FUSION_NAME in self.model.adapters_config.fusions:
            self.model.delete_adapter_fusion(_FUSION_NAME)
        self.model.add_adapter_fusion(list(SMALL))
        install_slot_fusion(self.model, _FUSION_NAME, list(SMALL), identity_slot)
        self._to_its_device()

    @property
    def slots(self) -> tuple[str, ...]:
        """Slots of the present fusion, in the order of its weights: `identity`, if it has that, and the adapters."""
        return tuple(next(self._fusions()).slots)

    @contextmanager
    def fresh_fusion(self, seed: int) -> Iterator[None]:
        """Context with an untrained fusion, drawn from `seed`, in place of the present one, which comes back untouched.

        It is as `add_fusion` makes it, for every thread; torch's random state stays as it is.
        """
        slot = next(self._fusions()).identity_slot
        homes = [m for m in self.model.modules() if isinstance(m, nn.ModuleDict) and _FUSION_NAME in m]
        trained = [home[_FUSION_NAME] for home in homes]
        try:
            with torch.random.fork_rng(devices=[]):  # the library draws on the CPU
                torch.default_generator.manual_seed(seed)
                self.model.apply_to_adapter_layers(lambda _, layer: layer.add_fusion_layer(_FUSION_NAME))
            install_slot_fusion(self.model, _FUSION_NAME, list(SMALL), slot)
            self._to_its_device()
            yield
        finally:
            for home, fusion in zip(homes, trained, strict=True):
                home[_FUSION_NAME] = fusion

    def _large_reduction(self) -> float:
        """Reduction that gives one adapter the parameters of the four small ones and the fusion (paper, section 5.5)."""
        dim = self.model.config.hidden_size
        small = int(dim // self.reduction)
        budget = len(SMALL) * (2 * dim * small + small + dim) + 3 * dim * dim + 2 * dim
        return dim / ((budget - dim) // (2 * dim + 1) + 0.5)

    def active(self, part: str | None) -> AdapterSetup:
        """Context in which forward passes of this thread use `part`: a role, `fusion`, or None for the bare backbone."""
        return AdapterSetup(Fuse(*SMALL) if part == FUSION else part)

    def parameters(self, part: str | None, everything: bool = False) -> dict[str, nn.Parameter]:
        """The parameters that training `part` updates, by name.

        Args:
            part: A role, `fusion`, or None for the bare backbone.
            everything: Stage 4: the backbone, and all that `part` uses, rather than `part` alone.
        """
        used = {FUSION: SMALL, None: ()}.get(part, (part,))
        chosen = {}
        for name, parameter in self.model.named_parameters():
            role = _role_of(name)
            if role is None:
                wanted = everything or part is None
            elif role == FUSION:
                wanted = part == FUSION
            else:
                wanted = role in used and (everything or part != FUSION)
            if wanted:
                chosen[name] = parameter
        return chosen

    def budget(self, part: str | None) -> int:
        """Parameters that `part` adds to the backbone."""
        added = self.parameters(part, everything=True)
        return parameter_count([p for name, p in added.items() if _role_of(name) is not None])

    def save(self, role: str, folder: Path) -> None:
        """Write an adapter to `folder` in AdapterHub's format."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_adapter(str(folder), role)

    def load(self, role: str, folder: Path) -> None:
        """Read an adapter from `folder` under the name `role`.

        Raises:
            AdapterError: If it is missing, damaged, or of another width or depth.
        """
        info: dict[str, list[str]] = {}
        try:
            if not folder.is_dir():  # the library would look for a missing folder on the internet
                raise FileNotFoundError("there is no such folder")
            self.model.load_adapter(str(folder), load_as=role, loading_info=info)
            _check_complete(info)
        except Exception as error:  # the library raises what its file readers raise
            raise AdapterError(_unreadable("adapter", folder, error)) from error
        self._to_its_device()

    def save_fusion(self, folder: Path) -> None:
        """Write the fusion to `folder` in AdapterHub's format, with `identity_slot` in its config."""
        folder.mkdir(parents=True, exist_ok=True)
        slot = next(self._fusions()).identity_slot
        self.model.save_adapter_fusion(str(folder), _FUSION_NAME, meta_dict={"identity_slot": slot})

    def load_fusion(self, folder: Path) -> None:
        """Read a fusion from `folder`, with or without the identity slot as its config says.

        Raises:
            AdapterError: If it is missing, damaged, or of another width or depth.
        """
        info: dict[str, list[str]] = {}
        try:
            config = json.loads((folder / _FUSION_CONFIG).read_text(encoding="utf-8"))
            if _FUSION_NAME in self.model.adapters_config.fusions:
                self.model.delete_adapter_fusion(_FUSION_NAME)
            AdapterFusionLoader(self.model).load(str(folder), loading_info=info, set_active=False)
            _check_complete(info)
        except Exception as error:  # as in `load`
            raise AdapterError(_unreadable("fusion", folder, error)) from error
        install_slot_fusion(self.model, _FUSION_NAME, list(SMALL), bool(config.get("identity_slot", False)))
        self._to_its_device()

    def state(self, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """Copies of the parameters `names`, on the CPU."""
        wanted = set(names)
        return {n: p.detach().cpu().clone() for n, p in self.model.named_parameters() if n in wanted}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Write parameters back that `state` copied."""
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in state.items():
                parameters[name].copy_(value)

    def _to_its_device(self) -> None:
        """Move what the library added, which it makes on the CPU, to where the backbone lies."""
        self.model.to(next(self.model.parameters()).device)

    def _fusions(self) -> Iterator[SlotFusion]:
        return (m for m in self.model.modules() if isinstance(m, SlotFusion))


def _role_of(parameter: str) -> str | None:
    """The adapter that a parameter belongs to, `fusion`, or None for the backbone's own."""
    if ".adapter_fusion_layer." in parameter:
        return FUSION
    _, found, rest = parameter.partition(".adapters.")
    return rest.split(".")[0] if found else None


def _check_complete(info: Mapping[str, Sequence[str]]) -> None:
    """Refuse what the library only notes: layers without weights in the file, and weights without a layer."""
    if stray := [*info["missing_keys"], *info["unexpected_keys"]]:
        raise ValueError(f"{len(stray)} weights are in the model or in the file alone, such as {stray[0]}")


def _unreadable(what: str, folder: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    return f"The {what} in {folder} cannot be read: {reason}. It may be cut short, or made for another backbone."
