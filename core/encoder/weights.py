"""Fine-tuned weights on disk: half precision, safetensors, with the piece ids of a trimmed vocabulary beside them.

Tokens that a task added are named in the file's header, so that an embedding is read into the row of its own token.

What is stored is what is measured: a stage loads its file back before it is evaluated, so the numbers belong to the
weights that are kept and not to their unrounded ancestors.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from core.encoder.backbones import Backbone

_WEIGHTS, _PIECES = "weights.safetensors", "pieces.npy"
_ADDED = "added_tokens"  # key in the header


class WeightsError(RuntimeError):
    """A weight file is missing, damaged, or of another model."""


def save_weights(backbone: Backbone, folder: Path, names: Iterable[str]) -> None:
    """Write the parameters `names` of the backbone's model (its own, adapters', fusion's) to `folder` in float16."""
    parameters = dict(backbone.model.named_parameters())
    state = {name: parameters[name].detach().to("cpu", torch.float16).contiguous() for name in names}
    room = folder / f".{_WEIGHTS}.tmp"  # a kill leaves the old weights or the new ones
    save_file(state, room, {_ADDED: json.dumps(backbone.added)})
    os.replace(room, folder / _WEIGHTS)
    if backbone.kept is not None:
        np.save(folder / _PIECES, backbone.kept)


def load_weights(backbone: Backbone, folder: Path) -> None:
    """Read weights that `save_weights` wrote, out of and into a trimmed or a whole vocabulary.

    Pieces and added tokens that the file lacks keep the embeddings they have.

    Raises:
        WeightsError: If the file is missing, cut short, or has parameters that the model lacks or has in another shape.
    """
    file = folder / _WEIGHTS
    try:
        with safe_open(file, "pt") as opened:
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no mapping
            added = json.loads((opened.metadata() or {}).get(_ADDED, "{}"))
        pieces = np.load(folder / _PIECES) if (folder / _PIECES).is_file() else None
    except (OSError, ValueError, EOFError, SafetensorError) as error:
        raise WeightsError(
            f"The weights {file} cannot be read ({error}). Delete {folder} to train the stage again."
        ) from error
    parameters = dict(backbone.model.named_parameters())
    embedding = backbone.model.get_input_embeddings().weight

    def fits(name: str, value: torch.Tensor) -> bool:
        rows = 1 if parameters.get(name) is embedding else 0  # the number of embeddings may differ
        return name in parameters and value.shape[rows:] == parameters[name].shape[rows:]

    if foreign := sorted(name for name, value in state.items() if not fits(name, value)):
        raise WeightsError(f"{file} has weights of another model, such as {foreign[0]}.")
    with torch.no_grad():
        for name, value in state.items():
            target = parameters[name]
            if target is embedding:
                there = _ids_here(backbone, np.arange(len(value)) if pieces is None else pieces, added)
                here = np.arange(len(target)) if backbone.kept is None else backbone.kept
                _, stored, rows = np.intersect1d(there, here, return_indices=True)
                value = value[torch.from_numpy(stored)].to(target.device, target.dtype)
                target[torch.from_numpy(rows).to(target.device)] = value
            else:
                target.copy_(value)


def _ids_here(backbone: Backbone, pieces: np.ndarray, added: Mapping[str, int]) -> np.ndarray:
    """Ids in this backbone of the file's `pieces`, of which `added` are added tokens; -1 where it has none.

    The file's piece at the id of a token that was added here is another one, or a spare row.
    """
    ids = np.where(np.isin(pieces, list(backbone.added.values())), -1, pieces)
    for token, i in added.items():
        known = backbone.tokenizer.backend_tokenizer.token_to_id(token)
        ids[pieces == i] = -1 if known is None else known
    return ids
