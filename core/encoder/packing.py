"""Many short texts in one row: no compute is spent on padding.

Entity labels average 6 to 7 tokens, and a padded batch is as wide as its longest label, so most of a padded batch is
padding. Packing lays texts end to end in rows of a fixed width; positions restart at every text, a block-diagonal mask
keeps texts from seeing each other, and an embedding is the mean over its text's own tokens. The embeddings are those of
the padded batch (a test holds them to 1e-5 in fp32).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.corpora.records import TokenBatch, ragged_index


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Texts laid out in rows.

    Attributes:
        ids: Token ids, int64, shape (rows, width).
        positions: Position ids, restarting at every text, int64, shape (rows, width).
        segment: Number of the text inside its row that a token belongs to, 0 for padding, int64, shape (rows, width).
        pool_token: Positions in the flattened rows of the tokens to average over, int64, shape (pooled,).
        pool_text: Text that each of them belongs to, int64, shape (pooled,).
        texts: Number of texts.
    """

    ids: Tensor
    positions: Tensor
    segment: Tensor
    pool_token: Tensor
    pool_text: Tensor
    texts: int

    def attention_mask(self) -> Tensor:
        """1 where a token (row of the matrix) may attend to another, int64, shape (rows, width, width).

        Padding of a packed row sees padding only. In a batch of one text per row (`pad`), padding sees the text, as it
        does in any padded batch.
        """
        same = self.segment[:, :, None] == self.segment[:, None, :]
        if bool((self.segment.amax(1) == 1).all()):
            same = (self.segment == 1)[:, None, :].expand_as(same)
        return same.long()

    def to(self, device: torch.device) -> "PackedBatch":
        """The batch on another device, copied without waiting where the host's memory is pinned."""
        tensors = (self.ids, self.positions, self.segment, self.pool_token, self.pool_text)
        ids, positions, segment, token, text = (t.to(device, non_blocking=True) for t in tensors)
        return PackedBatch(ids, positions, segment, token, text, self.texts)


def pack(batch: TokenBatch, width: int, pad_id: int, first_position: int = 0) -> PackedBatch:
    """Lay texts out in rows of `width` tokens, the longest first into the fullest row that has room (best fit).

    Args:
        batch: The texts.
        width: Tokens per row; a batch with a longer text gets rows as wide as that text, rounded up to 8.
        pad_id: Token id of padding.
        first_position: Position id of a text's first token (0 for BERT, 2 for XLM-R).
    """
    longest = int(batch.lengths.max(initial=1))
    width = max(width, -(-longest // 8) * 8)
    row, column, segment, rows = _best_fit(batch.lengths, width)
    return _lay_out(batch, row, column, segment, (rows, width), pad_id, first_position)


def pad(batch: TokenBatch, pad_id: int, first_position: int = 0, pool_padding: bool = False) -> PackedBatch:
    """Lay texts out one per row, as wide as the longest: the plain way, kept for comparison and for `released` pooling.

    Args:
        batch: The texts.
        pad_id: Token id of padding.
        first_position: Position id of a text's first token.
        pool_padding: Average over the whole row, `[PAD]` included, as the released code does.
    """
    texts, width = len(batch), int(batch.lengths.max(initial=1))
    order, zeros = np.arange(texts), np.zeros(texts, np.int64)
    packed = _lay_out(batch, order, zeros, zeros + 1, (texts, width), pad_id, first_position)
    if not pool_padding:
        return packed
    # Padding counts here, so it stands where the model would put it: BERT counts on, XLM-R has one position for it.
    own = torch.arange(width).expand(texts, width) if first_position == 0 else torch.tensor(first_position - 1)
    positions = torch.where(packed.segment == 0, own, packed.positions)
    everything = torch.arange(texts * width)
    return PackedBatch(packed.ids, positions, packed.segment, everything, everything // width, texts)


def _best_fit(lengths: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Row, first column and number inside its row of every text, and the number of rows."""
    texts = len(lengths)
    row, column, segment = (np.empty(texts, np.int64) for _ in range(3))
    with_room: list[list[int]] = [[] for _ in range(width + 1)]  # open rows by free tokens
    members: list[int] = []  # texts per row
    for text in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[text])
        free = next((f for f in range(length, width + 1) if with_room[f]), None)
        if free is None:
            free, at = width, len(members)
            members.append(0)
        else:
            at = with_room[free].pop()
        members[at] += 1
        row[text], column[text], segment[text] = at, width - free, members[at]
        with_room[free - length].append(at)
    return row, column, segment, len(members)


def _lay_out(
    batch: TokenBatch,
    row: np.ndarray,
    column: np.ndarray,
    segment: np.ndarray,
    shape: tuple[int, int],
    pad_id: int,
    first_position: int,
) -> PackedBatch:
    start = row * shape[1] + column
    lengths = batch.lengths.astype(np.int64)
    at = ragged_index(start, lengths)
    ids = np.full(shape[0] * shape[1], pad_id, np.int64)
    positions = np.full(shape[0] * shape[1], first_position, np.int64)
    segments = np.zeros(shape[0] * shape[1], np.int64)
    ids[at] = batch.ids
    positions[at] = first_position + at - np.repeat(start, lengths)
    segments[at] = np.repeat(segment, lengths)
    pooled = (batch.pool_end - batch.pool_start).astype(np.int64)
    return PackedBatch(
        torch.from_numpy(ids).view(shape),
        torch.from_numpy(positions).view(shape),
        torch.from_numpy(segments).view(shape),
        torch.from_numpy(ragged_index(start + batch.pool_start, pooled)),
        torch.from_numpy(np.repeat(np.arange(len(batch)), pooled)),
        len(batch),
    )


def segment_mean(hidden: Tensor, packed: PackedBatch) -> Tensor:
    """Mean of the pooled tokens of each text.

    Args:
        hidden: Token vectors, shape (rows, width, dim).
        packed: The layout they were computed in.

    Returns:
        Embeddings in float32, shape (texts, dim).
    """
    tokens = hidden.flatten(0, 1).index_select(0, packed.pool_token).float()
    sums = tokens.new_zeros(packed.texts, tokens.shape[1]).index_add(0, packed.pool_text, tokens)
    counts = torch.bincount(packed.pool_text, minlength=packed.texts).clamp(min=1)
    return sums / counts[:, None]
