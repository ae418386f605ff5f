"""Texts -> embeddings: packed or padded forward passes of a backbone, with whatever adapters are active."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.corpora.records import SpecialTokens, TokenBatch
from core.encoder.backbones import Backbone
from core.encoder.packing import PackedBatch, pack, pad, segment_mean


def pick_device(name: str) -> torch.device:
    """The device called `name`; `auto` takes CUDA where there is one.

    Raises:
        ValueError: If CUDA is asked for and missing.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"compute.device is {name}, but torch {torch.__version__} sees no CUDA device. Use cpu or auto."
        )
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """bf16 or fp32; `auto` takes bf16 where the hardware multiplies it natively (on other CPUs it is 5 times slower)."""
    if name != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16}[name]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


class TextEncoder:
    """Embeds texts with a backbone.

    Args:
        backbone: The backbone.
        special: What surrounds every text.
        device: Where the backbone lies.
        precision: Type of the matrix products; embeddings and losses are float32 whatever it is.
        packed: Lay many texts in one row; ignored where the architecture or the pooling cannot.
        row_tokens: Tokens per packed row while training; evaluation, which has no backward pass, uses longer rows.
        pool_padding: Average over the padded length, as the released code does.
    """

    def __init__(
        self,
        backbone: Backbone,
        special: SpecialTokens,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        packed: bool = True,
        row_tokens: int = 48,
        pool_padding: bool = False,
    ) -> None:
        self.backbone, self.special, self.device, self.precision = backbone, special, device, precision
        self.packed = packed and not pool_padding and backbone.first_position is not None
        self.row_tokens, self.pool_padding = row_tokens, pool_padding

    def embed(self, batch: TokenBatch) -> Tensor:
        """Embeddings of a batch in one forward pass, differentiable, float32, shape (texts, dim)."""
        return segment_mean(*self.forward(batch))

    def states(self, batch: TokenBatch) -> Tensor:
        """Vectors of the pooled tokens of a batch in one forward pass, text after text, differentiable.

        Returns:
            Float32, shape (tokens, dim); of a batch made by `TokenBatch.whole`, one vector for each of `batch.ids`.
        """
        hidden, laid_out = self.forward(batch)
        return hidden.flatten(0, 1).index_select(0, laid_out.pool_token).float()

    def forward(self, batch: TokenBatch) -> tuple[Tensor, PackedBatch]:
        """Last hidden states of a batch, shape (rows, width, dim), and the layout that they were computed in."""
        backbone = self.backbone
        rows = backbone.rows(batch)
        if self.packed:
            laid_out = pack(rows, self.row_tokens, backbone.pad_id, backbone.first_position or 0)
        else:
            laid_out = pad(rows, backbone.pad_id, backbone.first_position or 0, self.pool_padding)
        laid_out = laid_out.to(self.device)
        inputs = {"input_ids": laid_out.ids, "attention_mask": laid_out.attention_mask()}
        if backbone.first_position is None:
            inputs["attention_mask"] = laid_out.segment  # one text per row: 1 for its tokens, 0 for padding
        else:
            inputs["position_ids"] = laid_out.positions
        with self._autocast():
            return backbone.model(**inputs).last_hidden_state, laid_out

    def embed_all(
        self, batch: TokenBatch, tokens_per_pass: int = 8192, progress: Callable[[int, int], None] | None = None
    ) -> Tensor:
        """Embeddings of any number of texts, no gradients, texts of like length together.

        Args:
            batch: The texts.
            tokens_per_pass: Tokens per forward pass, which bounds the memory.
            progress: Called with (tokens done, tokens in all).

        Returns:
            Float32 on the CPU, shape (texts, dim).
        """
        result = torch.empty(len(batch), self.backbone.dim)
        with torch.inference_mode():
            for texts in self.passes(batch, tokens_per_pass, progress):
                result[torch.from_numpy(texts)] = self.embed(batch.take(texts)).cpu()
        return result

    @staticmethod
    def passes(
        batch: TokenBatch, tokens_per_pass: int = 8192, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[np.ndarray]:
        """Split a batch into forward passes, texts of like length together.

        Args:
            batch: The texts.
            tokens_per_pass: Tokens per forward pass, which bounds the memory.
            progress: Called with (tokens done, tokens in all) after every pass.

        Yields:
            Numbers of the texts of a pass, shape (texts of the pass,).
        """
        order = np.argsort(batch.lengths, kind="stable")
        ends = np.cumsum(batch.lengths[order])
        start = done = 0
        while start < len(order):
            end = max(start + 1, int(np.searchsorted(ends, done + tokens_per_pass, "right")))
            yield order[start:end]
            start, done = end, int(ends[end - 1])
            if progress:
                progress(done, int(ends[-1]))

    def tokens(self, texts: Sequence[str], limit: int = 128) -> TokenBatch:
        """Token ids of texts, each cut to `limit` tokens, with the special tokens around it."""
        tokenizer = self.backbone.tokenizer
        content = tokenizer(list(texts), add_special_tokens=False, truncation=True, max_length=limit).input_ids
        ids = [[*self.special.prefix, *c, *self.special.suffix] for c in content]
        return TokenBatch.whole(
            np.asarray([i for text in ids for i in text], np.int32), np.asarray([len(text) for text in ids], np.int32)
        )

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)
