"""Backbones: the embedded default, a Hugging Face hub id, or a local model folder; and vocabulary trimming.

Nothing is ever downloaded unless the caller allows it: a hub id that is not on this machine gives an error at once,
with the command that fetches it.
"""

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import adapters
import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from core.corpora.records import TokenBatch
from core.encoder import embedded
from core.folders import made_whole

# Position id of a text's first token, for the architectures whose position ids and 3-D masks packing relies on.
_FIRST_POSITION = {"bert": 0, "xlm-roberta": 2, "roberta": 2, "camembert": 2}
_NOISE = 0.1  # of a new token's embedding, as a share of the spread of the whole matrix
_PIECES = "pieces.npy"  # original ids of the rows of a trimmed embedding matrix
_KNOWN = "embedded, bert-base-multilingual-cased, xlm-roberta-base, xlm-roberta-large, or a folder with config.json"


class BackboneError(RuntimeError):
    """A backbone cannot be had or cannot be read."""


@dataclass
class Backbone:
    """A pretrained encoder, ready for adapters.

    Attributes:
        model: The encoder without a head; `adapters.init` has been called on it.
        tokenizer: Its fast tokenizer; always over the whole vocabulary.
        title: What to call it wherever it is shown.
        digest: SHA-256 over its weight files, for provenance.
        first_position: Position id of a text's first token, or None where texts cannot be packed.
        kept: Original ids of the rows of a trimmed embedding matrix, sorted, or None when it is whole.
        added: Ids of the tokens that `add_tokens` was asked for.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    title: str
    digest: str
    first_position: int | None
    kept: np.ndarray | None = None
    added: dict[str, int] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Width of the hidden states."""
        return int(self.model.config.hidden_size)

    @property
    def pad_id(self) -> int:
        """Row of the embedding matrix that pads."""
        pad = self.tokenizer.pad_token_id
        return int(pad if self.kept is None else np.searchsorted(self.kept, pad))

    def rows(self, batch: TokenBatch) -> TokenBatch:
        """The batch with token ids as rows of this backbone's embedding matrix.

        Raises:
            BackboneError: If a text uses a piece that was trimmed away.
        """
        if self.kept is None:
            return batch
        rows = np.minimum(np.searchsorted(self.kept, batch.ids), len(self.kept) - 1)
        if (lost := np.unique(batch.ids[self.kept[rows] != batch.ids])).size:
            pieces = self.tokenizer.convert_ids_to_tokens(lost[:5].tolist())
            raise BackboneError(
                f"{lost.size} piece(s) of these texts are not in the trimmed vocabulary, such as {' '.join(pieces)}. "
                "Load the backbone without trimming to encode texts from outside the corpus."
            )
        return TokenBatch(rows.astype(np.int32), batch.lengths, batch.pool_start, batch.pool_end)

    def trim(self, kept: np.ndarray) -> None:
        """Keep only the embedding rows of the pieces `kept` (sorted ids); outputs on texts of these stay the same.

        The padding and unknown pieces are kept as well. The embedding matrix is most of a multilingual backbone: 82 %
        of multilingual-e5-small.
        """
        special = [self.tokenizer.pad_token_id, self.tokenizer.unk_token_id]
        kept = np.union1d(kept, [i for i in special if i is not None]).astype(np.int32)
        rows = self.rows(TokenBatch.whole(kept, np.asarray([len(kept)], np.int32))).ids
        weight = self._embeddings()[torch.from_numpy(rows).long()].clone()
        self.kept = kept
        self._replace_embeddings(weight)

    def add_tokens(self, tokens: Sequence[str]) -> list[int]:
        """Make each of `tokens` a token with an embedding of its own, and return their ids; other texts stay as tokenised.

        An embedding starts as the mean of the matrix with noise that follows from the token's name, so that no two are
        alike and every run starts alike. It takes a spare row of the matrix, or a further one. A token that is there
        already is left alone.
        """
        pieces = self.tokenizer.backend_tokenizer
        known = {token for token in tokens if pieces.token_to_id(token) is not None}
        self.tokenizer.add_tokens(list(tokens), special_tokens=True)
        ids = [int(pieces.token_to_id(token)) for token in tokens]
        self.added |= dict(zip(tokens, ids, strict=True))
        weight = self._embeddings()
        here = np.arange(len(weight)) if self.kept is None else self.kept
        present = np.isin(ids, here)
        new = {i: t for i, t, row in zip(ids, tokens, present, strict=True) if not (row and t in known)}
        if not new:
            return ids
        mean, noise = weight.mean(0), _NOISE * weight.std()
        if not present.all():
            wider = np.arange(max(ids) + 1) if self.kept is None else np.union1d(here, ids).astype(np.int32)
            matrix = mean.repeat(len(wider), 1)
            matrix[torch.from_numpy(np.searchsorted(wider, here))] = weight
            here, self.kept = wider, None if self.kept is None else wider
            self._replace_embeddings(matrix)
        for i, token in new.items():
            seed = int.from_bytes(hashlib.sha256(token.encode()).digest()[:7])
            normal = torch.randn(len(mean), generator=torch.Generator().manual_seed(seed)).to(mean)
            self._embeddings()[int(np.searchsorted(here, i))] = mean + noise * normal
        return ids

    def _embeddings(self) -> Tensor:
        """The embedding matrix, without gradients, shape (rows, dim)."""
        embedding: nn.Embedding = self.model.get_input_embeddings()
        return embedding.weight.detach()

    def _replace_embeddings(self, weight: Tensor) -> None:
        self.model.set_input_embeddings(nn.Embedding(len(weight), weight.shape[1], _weight=weight))
        self.model.config.vocab_size = len(weight)
        if hasattr(self.model, "prompt_tuning"):  # the library's second hold on the matrix would keep it whole
            self.model.prompt_tuning.base_model_embeddings = self.model.get_input_embeddings()


def load_backbone(source: str, cache: Path, allow_download: bool = False) -> Backbone:
    """Load a backbone.

    Args:
        source: `embedded`, a hub id, or a local folder.
        cache: Folder where the embedded backbone is converted to, once.
        allow_download: Let `transformers` fetch a hub id that is not on this machine.

    Raises:
        BackboneError: If it is not here, is damaged, or has no fast tokenizer.
    """
    folder = embedded_folder(cache) if source == "embedded" else _find(source, allow_download)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        options: dict[str, Any] = {"local_files_only": True, "attn_implementation": "sdpa"}
        model_class = AutoModel._model_mapping[type(config)]
        if "add_pooling_layer" in inspect.signature(model_class.__init__).parameters:
            options["add_pooling_layer"] = False
        model = model_class.from_pretrained(folder, **options)
        # transformers 4.57.6 takes any large local vocabulary for a mistral tokenizer with a broken pattern; it is none.
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, fix_mistral_regex=False)
    except Exception as error:  # every loader has its own errors; each means that the folder cannot be read
        reason = " ".join(str(error).split())[:300]
        raise BackboneError(f"The backbone {source} in {folder} cannot be read: {reason}. {_remedy(source)}") from error
    if not tokenizer.is_fast:
        raise BackboneError(f"{source} has no fast tokenizer; spans need one. Add its tokenizer.json to {folder}.")
    adapters.init(model)
    title = embedded.TITLE if source == "embedded" else source
    kept = np.load(folder / _PIECES, allow_pickle=False) if (folder / _PIECES).is_file() else None
    return Backbone(
        model.eval(), tokenizer, title, weights_digest(folder), _FIRST_POSITION.get(config.model_type), kept
    )


def save_trimmed(backbone: Backbone, folder: Path) -> None:
    """Write a trimmed backbone as a model folder that `load_backbone` reads, whole or not at all."""
    with made_whole(folder) as room:
        PreTrainedModel.save_pretrained(backbone.model, room)
        backbone.tokenizer.save_pretrained(room)
        if backbone.kept is not None:
            np.save(room / _PIECES, backbone.kept)


def embedded_folder(cache: Path) -> Path:
    """Folder of the embedded backbone, converted on first use.

    Raises:
        BackboneError: If the package that carries it is missing or damaged.
    """
    folder = cache / "backbones" / f"multilingual-e5-small-q4-v{embedded.FORMAT_VERSION}"
    if not (folder / "source.json").is_file():
        try:
            with made_whole(folder) as room:
                embedded.convert(room)
        except embedded.EmbeddedBackboneError as error:
            raise BackboneError(str(error)) from error
    return folder


def _find(source: str, allow_download: bool) -> Path:
    if Path(source).is_dir():
        if not (Path(source) / "config.json").is_file():
            raise BackboneError(f"{source} is no model folder: it has no config.json. A backbone is one of: {_KNOWN}.")
        return Path(source)
    if source.startswith((".", "/", "~")):
        raise BackboneError(f"The folder {source} does not exist. A backbone is one of: {_KNOWN}.")
    from huggingface_hub import snapshot_download

    try:
        wanted = ["*.json", "*.txt", "*.model", "*.safetensors", "pytorch_model.bin"]
        return Path(snapshot_download(source, allow_patterns=wanted, local_files_only=not allow_download))
    except Exception as error:  # the hub client raises a dozen types; offline and unknown names are the common ones
        if allow_download:
            raise BackboneError(f"{source} could not be downloaded: {' '.join(str(error).split())[:200]}") from error
        raise BackboneError(
            f"The backbone {source} is not on this machine and downloads are off. Fetch it once with: "
            f"workbench backbone get {source}; or name one of: {_KNOWN}."
        ) from None


def _remedy(source: str) -> str:
    if source == "embedded":
        return "Delete that folder: it is converted again on the next start."
    return "Copy or fetch it again."


def weights_digest(folder: Path) -> str:
    """SHA-256 over the weight files of a folder, in hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in {".safetensors", ".bin", ".npy"}):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def parameter_count(parameters: list[Tensor]) -> int:
    """Number of scalars in these parameters."""
    return sum(p.numel() for p in parameters)
