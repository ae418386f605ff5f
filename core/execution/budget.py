"""The parameter budget of a config, from the dimensions of its backbone; no model is loaded.

backbone     V d + P d + T d + 2 d  +  L (4 (d d + d) + 2 d m + m + d + 4 d)        (BERT and RoBERTa, no pooler)
an adapter   L (2 d s + s + d)                                                       s = floor(d / reduction)
the fusion   L (3 d d + 2 d)                                                         query, key, value
Large        one adapter with the parameters of the four small ones and the fusion   (paper, section 5.5)
"""

import json
from dataclasses import dataclass
from pathlib import Path

from core.config import ADAPTERS, SYSTEM_PARTS, RunConfig, System

_SMALL, _LARGE, _FUSION = ADAPTERS[:4], "large", "fusion"
_LAID_OUT_LIKE_BERT = ("bert", "roberta", "xlm-roberta", "camembert")


@dataclass(frozen=True)
class Dimensions:
    """The dimensions of a backbone: `hidden` is d, `intermediate` m, `vocabulary` V, `positions` P, `types` T."""

    hidden: int
    layers: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int

    @property
    def embeddings(self) -> int:
        """Parameters of the embedding matrix of the vocabulary."""
        return self.vocabulary * self.hidden

    @property
    def in_layers(self) -> int:
        """Parameters that every token is multiplied with."""
        d, m = self.hidden, self.intermediate
        return self.layers * (4 * (d * d + d) + 2 * d * m + m + d + 4 * d)

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.embeddings + (self.positions + self.types + 2) * self.hidden + self.in_layers


KNOWN = {
    "embedded": Dimensions(384, 12, 1536, 250_037, 512, 2),
    "bert-base-multilingual-cased": Dimensions(768, 12, 3072, 119_547, 512, 2),
    "xlm-roberta-base": Dimensions(768, 12, 3072, 250_002, 514, 1),
    "xlm-roberta-large": Dimensions(1024, 24, 4096, 250_002, 514, 1),
}


def dimensions(source: str) -> Dimensions | None:
    """The dimensions of a backbone: one of `KNOWN`, a folder, or a hub id on this machine; None where they are unknown."""
    if source in KNOWN:
        return KNOWN[source]
    if (file := _config_file(source)) is None:
        return None
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if said["model_type"] not in _LAID_OUT_LIKE_BERT:
            return None
        return Dimensions(
            *(int(said[key]) for key in ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")),
            *(int(said[key]) for key in ("max_position_embeddings", "type_vocab_size")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_here(source: str) -> bool:
    """Whether a backbone is on this machine, so that a run can load it; the embedded one is a part of the project."""
    return source == "embedded" or _config_file(source) is not None


def _config_file(source: str) -> Path | None:
    """The `config.json` of a model folder, or of a hub id that was fetched before."""
    file = Path(source).expanduser() / "config.json"
    if file.is_file():
        return file
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(source, "config.json")
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def adapter_size(size: Dimensions, role: str, reduction: float) -> int:
    """Parameters of one adapter."""
    d = size.hidden
    small = int(d // reduction)
    if role == _LARGE:
        budget = len(_SMALL) * (2 * d * small + small + d) + 3 * d * d + 2 * d
        small = (budget - d) // (2 * d + 1)
    return size.layers * (2 * d * small + small + d)


def fusion_size(size: Dimensions) -> int:
    """Parameters of the fusion alone, without the adapters that it mixes."""
    return size.layers * (3 * size.hidden**2 + 2 * size.hidden)


def added(size: Dimensions, part: str | None, reduction: float) -> int:
    """Parameters that `part` adds to the backbone: a role, `fusion` with its four adapters, or nothing for None."""
    if part is None:
        return 0
    if part == _FUSION:
        return sum(adapter_size(size, role, reduction) for role in _SMALL) + fusion_size(size)
    return adapter_size(size, part, reduction)


def budget(config: RunConfig, size: Dimensions) -> dict[System, int]:
    """System -> parameters that it adds to the backbone, for the systems that the run measures."""
    systems = dict.fromkeys((*config.systems("zero-shot"), *config.systems("fine-tuned")))
    return {s: added(size, part, config.adapters.reduction) for s, part in SYSTEM_PARTS.items() if s in systems}
