"""Fine-tuned weights on disk: half precision, safetensors, with the piece ids of a trimmed vocabulary beside them.

What is stored is what is measured: a stage loads its file back before it is evaluated, so the numbers belong to the
weights that are kept and not to their unrounded ancestors.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from core.encoder.backbones import Backbone

_WEIGHTS, _PIECES = "weights.safetensors", "pieces.npy"


class WeightsError(RuntimeError):
    """A weight file is missing, damaged, or of another model."""


def save_weights(backbone: Backbone, folder: Path, names: Iterable[str]) -> None:
    """Write the parameters `names` of the backbone's model (its own, adapters', fusion's) to `folder` in float16."""
    parameters = dict(backbone.model.named_parameters())
    state = {name: parameters[name].detach().to("cpu", torch.float16).contiguous() for name in names}
    save_file(state, folder / _WEIGHTS)
    if backbone.kept is not None:
        np.save(folder / _PIECES, backbone.kept)


def load_weights(backbone: Backbone, folder: Path) -> None:
    """Read weights that `save_weights` wrote, into a trimmed or a whole vocabulary.

    Raises:
        WeightsError: If the file is missing, cut short, or names parameters that the model lacks.
    """
    file = folder / _WEIGHTS
    try:
        state = load_file(file)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"The weights {file} cannot be read ({error}). Delete {folder} to train the stage again."
        ) from error
    parameters = dict(backbone.model.named_parameters())
    if foreign := sorted(set(state) - set(parameters)):
        raise WeightsError(f"{file} has weights of another model, such as {foreign[0]}.")
    embedding = backbone.model.get_input_embeddings().weight
    pieces = np.load(folder / _PIECES) if (folder / _PIECES).is_file() else None
    with torch.no_grad():
        for name, value in state.items():
            target = parameters[name]
            if target is embedding and pieces is not None:
                here = pieces if backbone.kept is None else np.searchsorted(backbone.kept, pieces)
                target[torch.from_numpy(here).long()] = value.to(target.dtype).to(target.device)
            else:
                target.copy_(value)
