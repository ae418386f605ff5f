"""A sentence as the fusion saw it: sub-words merged to words for reading, and the weights of every word by layer.

A word is what stands between spaces; punctuation stands alone. In scripts without spaces (Chinese, Japanese, Thai, ...)
each sub-word is a word of its own, unless it would tear a character from its marks. Words tile the text: nothing that
was typed is lost, and no space is added.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from core.corpora.words import is_unspaced

COLUMNS = ("sentence", "language", "position", "word", "layer", "slot", "weight", "entropy")
UNITS = {
    "words": "sub-words put together; special tokens left out",
    "sub-words": "as the tokenizer cuts them",
    "tokens": "sub-words, and the special tokens around them",
}
_IN_WORDS = frozenset("'’ʼ-‐·._@/&")  # keep their word whole between letters or digits, as in don't, U.S or 3.5
_SARA_AM = frozenset("\u0e33\u0eb3")  # Thai and Lao vowels that unicodedata calls letters, drawn on the one before
_JOINERS = frozenset("\u200c\u200d")


@dataclass(frozen=True)
class Observation:
    """One text under one fusion.

    Attributes:
        text: The text.
        pieces: The tokenizer's names of the tokens, special tokens included.
        offsets: Characters [start, end) of the text that each token stands for; None for special tokens.
        slots: Slots of the fusion, in the order of the weights.
        weights: Attention, from 0 to 1, shape (layers, tokens, slots).
        vector: Embedding of the text, of unit length, shape (dim,).
    """

    text: str
    pieces: list[str]
    offsets: list[tuple[int, int] | None]
    slots: tuple[str, ...]
    weights: np.ndarray
    vector: np.ndarray

    @cached_property
    def entropies(self) -> np.ndarray:
        """Entropy of the weights over its maximum, log(slots), from 0 to 1, shape (layers, tokens)."""
        weights = np.clip(self.weights, 1e-12, 1)
        found: np.ndarray = -(weights * np.log(weights)).sum(-1) / math.log(max(2, len(self.slots)))
        return found

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.weights)


@dataclass(frozen=True)
class Word:
    """Some tokens of a text that are shown as one.

    Attributes:
        text: What is shown.
        tokens: Numbers of its tokens.
        start: First character in the text; None for a special token.
        end: One past the last.
        joined: Whether it follows what is before it without a space.
    """

    text: str
    tokens: tuple[int, ...]
    start: int | None = None
    end: int | None = None
    joined: bool = False

    @property
    def special(self) -> bool:
        """Whether it is a special token, or a part of the backbone's prefix."""
        return self.start is None


def words(seen: Observation) -> list[Word]:
    """The words of a text; what the model did not see, because the text was cut, is in none."""
    found: list[Word] = []
    for piece in sub_words(seen):
        if found and piece.joined and not _begins_word(seen.text, found[-1], piece):
            before = found.pop()
            text, tokens = before.text + piece.text, before.tokens + piece.tokens
            found.append(Word(text, tokens, before.start, piece.end, before.joined))
        else:
            found.append(piece)
    return found


def sub_words(seen: Observation, special: bool = False) -> list[Word]:
    """The sub-words of a text, each with the characters it stands for, and its special tokens where asked for.

    Tokens that stand for the same characters (a lone `▁`, the parts of a ligature) are one.
    """
    spans: list[_Span] = []
    for token, offset in _content(seen):
        start, end = _stripped(seen.text, offset)
        if spans and (start >= end or spans[-1].start >= spans[-1].end or start < spans[-1].end):
            before = spans.pop()  # nothing, or the same characters again
            start = start if before.start >= before.end else before.start
            spans.append(_Span((*before.tokens, token), start, max(end, before.end)))
        else:
            spans.append(_Span((token,), start, end))
    found = _tiled(seen.text, [span for span in spans if span.start < span.end])
    if special:
        found += [Word(seen.pieces[token], (token,)) for token, at in enumerate(seen.offsets) if at is None]
    return sorted(found, key=lambda word: word.tokens)


def cut_off(seen: Observation) -> str:
    """The rest of a text that was too long to be seen, without the space before it."""
    ends = [end for _, (_, end) in _content(seen)]
    return seen.text[max(ends, default=0) :].strip()


def _begins_word(text: str, before: Word, piece: Word) -> bool:
    """Whether a sub-word that follows without a space begins a word of its own."""
    start, last = piece.start or 0, before.text[-1]
    first = text[start]
    if unicodedata.category(first)[0] == "M" or first in _SARA_AM or last in _JOINERS or first in _JOINERS:
        return False
    if is_unspaced(first) or is_unspaced(last):
        return True
    if last in _IN_WORDS and len(before.text) > 1:
        return not first.isalnum()
    if first in _IN_WORDS and last.isalnum():
        after = start + len(piece.text)
        inside = text[start + 1 : after] or text[after : after + 1]
        return not inside[:1].isalnum()
    return _is_mark(first) or _is_mark(last)


def _is_mark(character: str) -> bool:
    """Whether a character is punctuation or a symbol."""
    return unicodedata.category(character)[0] in "PS"


def _content(seen: Observation) -> list[tuple[int, tuple[int, int]]]:
    """Number and offset of the tokens that stand for a part of the text."""
    return [(token, offset) for token, offset in enumerate(seen.offsets) if offset is not None]


def _stripped(text: str, offset: tuple[int, int]) -> tuple[int, int]:
    """An offset without the spaces that some tokenizers count into a token."""
    start, end = offset
    while start < end and text[start].isspace():
        start += 1
    return start, end


@dataclass(frozen=True)
class _Span:
    """Tokens that stand for the same characters [start, end)."""

    tokens: tuple[int, ...]
    start: int
    end: int


def _tiled(text: str, spans: Sequence[_Span]) -> list[Word]:
    """Give every character to the word it follows, but for spaces; the last ends where the tokenizer's text ends."""
    tiled: list[Word] = []
    for number, span in enumerate(spans):
        start = span.start if number else len(text) - len(text.lstrip())
        end = spans[number + 1].start if number + 1 < len(spans) else span.end
        shown = text[start:end].rstrip()
        joined = number > 0 and not text[start - 1].isspace()
        tiled.append(Word(shown, span.tokens, start, start + len(shown), joined))
    return tiled


def weights_of(seen: Observation, found: Sequence[Word]) -> tuple[np.ndarray, np.ndarray]:
    """Weights and entropies of words, each the mean over its tokens.

    Returns:
        Weights, shape (layers, words, slots), and entropies, shape (layers, words).
    """
    if not found:
        return np.zeros((seen.layers, 0, len(seen.slots))), np.zeros((seen.layers, 0))
    weights = np.stack([seen.weights[:, list(word.tokens)].mean(1) for word in found], axis=1)
    entropies = np.stack([seen.entropies[:, list(word.tokens)].mean(1) for word in found], axis=1)
    return weights, entropies


def at_layer(values: np.ndarray, layer: int | None) -> np.ndarray:
    """Values of one layer, or their mean over the layers, of values with the layers first."""
    found: np.ndarray = values.mean(0) if layer is None else values[layer]
    return found


def units(seen: Observation, unit: str) -> list[Word]:
    """What a sentence is shown as: one of `UNITS`."""
    return words(seen) if unit == "words" else sub_words(seen, special=unit == "tokens")


def table(
    seen: Sequence[Observation], languages: Sequence[str], unit: str = "words", numbers: Sequence[int] | None = None
) -> pd.DataFrame:
    """The weights of sentences as tidy rows: one for each sentence, word, layer and slot.

    Args:
        seen: The sentences.
        languages: Language of each, or an empty string.
        unit: One of `UNITS`.
        numbers: What to call the sentences; from 1 if left out.

    Returns:
        Columns `COLUMNS`; positions count from 1, layers from 0. `entropy` is that of the word in the layer.
    """
    parts = []
    for number, one, language in zip(numbers or range(1, len(seen) + 1), seen, languages, strict=True):
        found = units(one, unit)
        weights, entropies = weights_of(one, found)
        layers, count, slots = weights.shape
        layer, position, slot = (axis.ravel() for axis in np.indices(weights.shape))
        columns = {
            "sentence": np.full(layers * count * slots, number),
            "language": language,
            "position": position + 1,
            "word": np.array([word.text for word in found], object)[position],
            "layer": layer,
            "slot": np.array(one.slots, object)[slot],
            "weight": weights.ravel(),
            "entropy": np.repeat(entropies.ravel(), slots),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
