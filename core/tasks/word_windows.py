"""Tagged sentences as windows of tokens, so that every word of a long sentence is predicted, and once.

A sentence longer than a window is laid out as several, cut between words, that share about half of their tokens. Two
neighbours split what they share in the middle, so a word is predicted in the window where the smaller of its two
contexts is larger than elsewhere. Of a word longer than a window, the first tokens are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.corpora.records import SpecialTokens, TokenBatch, ragged_index
from core.corpora.token_store import Pieces, TokenTables

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class WordBatch:
    """Windows and the words that they predict.

    Attributes:
        texts: The windows.
        first: Place of the first sub-word of each predicted word in `texts.ids`, shape (words,).
        word: Number of each predicted word among the words of its sentences, shape (words,).
        tags: Number of its gold tag, shape (words,).
    """

    texts: TokenBatch
    first: np.ndarray
    word: np.ndarray
    tags: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Sentences:
    """Tagged sentences, tokenised and laid out in windows.

    Attributes:
        tags: Number of every word's tag, sentence after sentence, int16, shape (words,).
        words: Words of every sentence, shape (sentences,).
        windows: The windows, sentence after sentence.
        sentence: Sentence of each window, shape (windows,).
        asked: Words that each window predicts, shape (windows,).
        word: Number of each of these among all words, window after window, ascending, shape (predicted words,).
        first: Place of its first sub-word in its window, shape (predicted words,).
    """

    tags: np.ndarray
    words: np.ndarray
    windows: TokenBatch
    sentence: np.ndarray
    asked: np.ndarray
    word: np.ndarray
    first: np.ndarray

    def batch(self, windows: np.ndarray) -> WordBatch:
        """The windows numbered `windows` and what they predict."""
        texts, asked = self.windows.take(windows), self.asked[windows]
        chosen = ragged_index((np.cumsum(self.asked) - self.asked)[windows], asked)
        begin = np.repeat(np.cumsum(texts.lengths) - texts.lengths, asked)
        return WordBatch(texts, begin + self.first[chosen], self.word[chosen], self.tags[self.word[chosen]])

    def windows_of(self, sentences: np.ndarray) -> np.ndarray:
        """Numbers of the windows of some sentences, ascending."""
        return np.flatnonzero(np.isin(self.sentence, sentences))


def lay_out(
    data: BenchmarkData,
    rows: np.ndarray,
    labels: Sequence[str],
    tokenizer: "PreTrainedTokenizerFast",
    special: SpecialTokens,
    room: int,
) -> Sentences:
    """Tokenise sentences of a benchmark and lay them out in windows.

    Args:
        data: The benchmark.
        rows: Rows of its sentences, shape (sentences,).
        labels: The tags there are.
        tokenizer: Cuts each word.
        special: What surrounds every window.
        room: Tokens of a window without those.

    Raises:
        BenchmarkError: If a word's tag is none of the labels, or a sentence has not as many tags as words.
    """
    table = data.table("sentences").take(rows)
    words, tags = pc.list_value_length(table["tokens"]).to_numpy(), _tag_numbers(data, table, labels)
    tokens, pieces = _tokenise(table["tokens"], tokenizer, room)
    bounds, begin = np.append(0, np.cumsum(pieces)), np.append(0, np.cumsum(words))
    length = bounds[begin[1:]] - bounds[begin[:-1]]
    short, long = np.flatnonzero((length > 0) & (length <= room)), np.flatnonzero(length > room)
    parts = [np.stack([begin[short], begin[short + 1]] * 2, axis=1)]
    parts += [begin[i] + split_words(bounds[begin[i] : begin[i + 1] + 1], room) for i in long]
    sentence = np.concatenate([short, np.repeat(long, [len(part) for part in parts[1:]])])
    order = np.argsort(sentence, kind="stable")
    start, end, own, own_end = np.concatenate(parts)[order].T
    word = ragged_index(own, own_end - own)
    window = np.repeat(np.arange(len(own)), own_end - own)
    window, word = window[pieces[word] > 0], word[pieces[word] > 0]
    first = len(special.prefix) + bounds[word] - bounds[start[window]]
    asked = np.bincount(window, minlength=len(own))
    used = np.flatnonzero(asked)  # between giant words there may be windows that predict nothing
    texts = Pieces(tokens, bounds[start[used]], bounds[end[used]] - bounds[start[used]])
    windows = TokenTables(special, {}, {}).join(texts)
    return Sentences(tags, words, windows, sentence[order][used], asked[used], word, first)


def _tokenise(words: pa.ChunkedArray, tokenizer: "PreTrainedTokenizerFast", room: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids of all words one after the other, at most `room` of each, and how many each has, shape (words,)."""
    # Each distinct word is tokenised once: of words split beforehand, none depends on its neighbours.
    flat = pc.list_flatten(words).combine_chunks().dictionary_encode()
    distinct, split = flat.indices.to_numpy(zero_copy_only=False), [[word] for word in flat.dictionary.to_pylist()]
    only_ids = {"add_special_tokens": False, "return_attention_mask": False, "return_token_type_ids": False}
    ids = tokenizer(split, is_split_into_words=True, **only_ids).input_ids if split else []
    ids = [word[:room] for word in ids]
    length = np.fromiter(map(len, ids), np.int64, len(ids))
    tokens = np.fromiter(chain.from_iterable(ids), np.int32, length.sum())
    return tokens[ragged_index((np.cumsum(length) - length)[distinct], length[distinct])], length[distinct]


def split_words(bounds: np.ndarray, room: int) -> np.ndarray:
    """Windows over a long sentence, every one as full as whole words make it, the last one too.

    Args:
        bounds: Tokens before each word, and of all words, shape (words + 1,); no word has more than `room`.
        room: Tokens of a window.

    Returns:
        First word of each window, one past its last, and the same of the words that it predicts, shape (windows, 4).
    """
    spans, last, start = [], len(bounds) - 1, 0
    while (end := int(np.searchsorted(bounds, bounds[start] + room, "right")) - 1) < last:
        spans.append((start, end))
        # Half of a window is shared, or less where the next word would not fit.
        start = int(np.searchsorted(bounds, max(bounds[end] - room // 2, bounds[end + 1] - room)))
    spans.append((int(np.searchsorted(bounds, bounds[last] - room)), last))
    starts, ends = np.asarray(spans).T
    middle = bounds[starts[1:]] + bounds[ends[:-1]]  # twice the middle of what neighbours share
    cut = np.searchsorted(bounds[:-1] + bounds[1:], middle, "right")
    return np.stack([starts, ends, np.append(0, cut), np.append(cut, last)], axis=1)


def _tag_numbers(data: BenchmarkData, table: pa.Table, labels: Sequence[str]) -> np.ndarray:
    """Number of every word's tag among the labels, int16, shape (words,)."""
    words, tags = (pc.list_value_length(table[column]).to_numpy() for column in ("tokens", "tags"))
    flat = pc.list_flatten(table["tags"]).combine_chunks()
    numbers = pc.index_in(flat, value_set=pa.array(labels, pa.string())).fill_null(-1).to_numpy()
    sentence = np.repeat(np.arange(len(tags)), tags)

    def refuse(row: int, problem: str) -> BenchmarkError:
        language, split, words = (table[column][row].as_py() for column in ("language", "split", "tokens"))
        where = f"{data.path / 'sentences.parquet'}: the {split} sentence {' '.join(words)[:80]!r} in {language}"
        return BenchmarkError(f"{where} has {problem}. Correct it and build the benchmark again.")

    if len(uneven := np.flatnonzero(words != tags)):
        raise refuse(uneven[0], f"{words[uneven[0]]} words and {tags[uneven[0]]} tags")
    if len(unknown := np.flatnonzero(numbers < 0)):
        tag = flat[unknown[0]].as_py()
        raise refuse(sentence[unknown[0]], f"the tag {tag!r}, which is none of: {', '.join(labels)}")
    return numbers.astype(np.int16)
