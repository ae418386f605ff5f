"""Ragged batches of token ids, and the split of a triple."""

import numpy as np
import pytest

from core.corpora.records import SpecialTokens, TokenBatch, ragged_index, triple_split

TEXTS = [[5, 6, 7], [8], [9, 10], [11, 12, 13, 14]]


def batch(texts: list[list[int]]) -> TokenBatch:
    """A batch that pools from the second token on where there is one."""
    lengths = np.asarray([len(t) for t in texts], np.int32)
    return TokenBatch(np.asarray([i for t in texts for i in t], np.int32), lengths, np.minimum(lengths - 1, 1), lengths)


def texts_of(b: TokenBatch) -> list[list[int]]:
    ends = np.cumsum(b.lengths)
    return [b.ids[end - length : end].tolist() for end, length in zip(ends, b.lengths, strict=True)]


@pytest.mark.parametrize(
    ("subject", "object_", "split"),
    [
        ("train", "train", "train"),
        ("train", "valid", "valid"),
        ("valid", "train", "valid"),
        ("valid", "valid", "valid"),
        ("test", "train", "test"),
        ("train", "test", "test"),
        ("valid", "test", "test"),
        ("test", "valid", "test"),
        ("test", "test", "test"),
    ],
)
def test_a_triple_is_as_held_out_as_its_ends(subject: str, object_: str, split: str) -> None:
    assert triple_split(subject, object_) == split


@pytest.mark.parametrize(
    ("starts", "lengths"), [([7, 0, 3], [2, 3, 0]), ([0], [4]), ([], []), ([5, 5], [0, 0]), ([2, 2], [1, 2])]
)
def test_ragged_index(starts: list[int], lengths: list[int]) -> None:
    slow = [start + i for start, length in zip(starts, lengths, strict=True) for i in range(length)]
    assert ragged_index(np.asarray(starts, int), np.asarray(lengths, int)).tolist() == slow


def test_take_picks_repeats_and_reorders_texts() -> None:
    taken = batch(TEXTS).take(np.asarray([3, 0, 0, 1]))
    assert texts_of(taken) == [TEXTS[3], TEXTS[0], TEXTS[0], TEXTS[1]]
    assert taken.pool_start.tolist() == [1, 1, 1, 0]
    assert taken.pool_end.tolist() == [4, 3, 3, 1]
    assert len(batch(TEXTS).take(np.asarray([], int))) == 0


def test_concatenate_keeps_order_and_pooling() -> None:
    whole = TokenBatch.whole(np.asarray([1, 2], np.int32), np.asarray([2], np.int32))
    joined = TokenBatch.concatenate([batch(TEXTS), whole])
    assert len(joined) == 5
    assert texts_of(joined) == [*TEXTS, [1, 2]]
    assert joined.pool_start.tolist() == [1, 0, 1, 1, 0]
    assert joined.pool_end.tolist() == [3, 1, 2, 4, 2]


@pytest.mark.parametrize("prefix", ["", "query: "])
def test_special_tokens_surround_a_text_as_the_tokenizer_does(tiny_backbone, prefix: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_backbone)
    special = SpecialTokens.of(tokenizer, prefix)
    for text in ("a", "kale ba", "za, 7"):
        content = tokenizer(text, add_special_tokens=False).input_ids
        assert [*special.prefix, *content, *special.suffix] == tokenizer(prefix + text).input_ids
    assert tokenizer.convert_ids_to_tokens(special.mask) == "[MASK]"
