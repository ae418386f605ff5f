"""Sentences of a text as character spans, and texts made of tokens."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

from sentencex import get_sentence_boundaries

Span = tuple[int, int]
Splitter = Literal["sentencex", "punctuation"]
_PUNCTUATION = re.compile(r"(?<=[.!?؟])\s|(?<=[。！？])")


def _by_library(language: str, line: str) -> list[Span]:
    return [(b["start_index"], b["end_index"]) for b in get_sentence_boundaries(language, line)]


def _by_punctuation(_language: str, line: str) -> list[Span]:
    cuts = [0, *(m.end() for m in _PUNCTUATION.finditer(line)), len(line)]
    return list(pairwise(cuts))


SPLITTERS: dict[Splitter, Callable[[str, str], list[Span]]] = {
    "sentencex": _by_library,
    "punctuation": _by_punctuation,
}


def sentence_spans(language: str, text: str, splitter: Splitter = "sentencex") -> list[Span]:
    """Character spans of the sentences, without the white space around them.

    A line break always ends a sentence: texts of dumps have one per paragraph, and the library knows paragraphs only by
    empty lines.

    Args:
        language: Code of the language; the library falls back to a related language or to English for one it lacks.
        text: The text.
        splitter: `sentencex` (Wikimedia's rules and abbreviations for about 250 languages), or `punctuation`: every
            mark that ends sentences, abbreviations and all.
    """
    spans, at = [], 0
    for line in text.split("\n"):
        for start, end in SPLITTERS[splitter](language, line):
            if span := stripped(line, (start, end)):
                spans.append((at + span[0], at + span[1]))
        at += len(line) + 1
    return spans


def stripped(text: str, span: Span) -> Span | None:
    """`span` without the white space at its ends; None where nothing else is in it."""
    piece = text[slice(*span)]
    start = span[0] + len(piece) - len(piece.lstrip())
    end = span[1] - len(piece) + len(piece.rstrip())
    return (start, end) if start < end else None


def join_tokens(tokens: Sequence[str]) -> tuple[str, list[Span]]:
    """Tokens with one space between them, and the span of each; a blank token has an empty one."""
    text, spans = "", []
    for token in tokens:
        if word := token.strip():
            text += f" {word}" if text else word
        spans.append((len(text) - len(word), len(text)))
    return text, spans
