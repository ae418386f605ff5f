"""Where a label stands in a text, and the first sentence that has it (paper, section 5.1: corpus C1)."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from core.corpora.sources.sentences import Span, Splitter, sentence_spans
from core.corpora.words import is_unspaced

Match = Literal["exact", "case", "case_and_stress"]
STRESS = "\u0301"  # combining acute accent: Russian and Ukrainian texts mark the stress of their subject with it


@dataclass(frozen=True)
class MentionRules:
    """What counts as a mention, and where it is looked for.

    Attributes:
        match: `exact`; `case` ignores case where no exact mention is in the sentence; `case_and_stress` ignores stress
            marks besides, where neither is there.
        whole_words: Whether a mention may not begin or end inside a word. Off as in the paper, whose sentence "contains
            the entity label": a text is that of the label's own page, where a longer word is as a rule the label with
            an article or ending, and of the Arabic sentences in CoDEx 29 % would go. Whole words are preferred where a
            sentence has them. Scripts without spaces, and Hangul with its particles, know no such limit.
        sentences: Sentences at the start of a text that are looked at; None takes all of them, as the paper does.
        splitter: How texts are cut into sentences.
    """

    match: Match = "case_and_stress"
    whole_words: bool = False
    sentences: int | None = None
    splitter: Splitter = "sentencex"

    def __post_init__(self) -> None:
        for value, known in ((self.match, get_args(Match)), (self.splitter, get_args(Splitter))):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}.")
        if self.sentences is not None and self.sentences < 1:
            raise ValueError(f"sentences is {self.sentences}; it must be 1 or more, or left out for all.")


def first_mention(label: str, language: str, text: str, rules: MentionRules) -> tuple[str, int, int] | None:
    """The first sentence of a text that mentions a label, with the span of the mention in it; None where none does."""
    if not any(name in folded for name, folded, _ in _versions(label, text, rules.match)):
        return None  # most texts without a mention end here, before they are cut into sentences
    for start, end in sentence_spans(language, text, rules.splitter)[: rules.sentences]:
        sentence = text[start:end]
        if span := find_label(label, sentence, rules.match, rules.whole_words):
            return sentence, *span
    return None


def find_label(label: str, text: str, match: Match, whole_words: bool) -> Span | None:
    """The place of a label in a text, as offsets into the text as it is.

    Whole words go before a place inside a word, and among those an exact mention before one that ignores case, and that
    before one that ignores stress marks too; of equals the first.
    """
    versions = list(_versions(label, text, match))
    for only_whole in (True,) if whole_words else (True, False):
        for name, folded, places in versions:
            if found := _first(name, folded, text, places, only_whole):
                return found
    return None


def _versions(label: str, text: str, match: Match) -> Iterator[tuple[str, str, list[int] | None]]:
    """Label and text as they are, without case, without stress marks; the last is where the text's characters stood."""
    if not label.strip():
        return
    yield label, text, None
    if match != "exact":
        yield label.casefold(), *_folded(text, stress=False)
    if match == "case_and_stress" and STRESS in text + label:
        yield _folded(label, stress=True)[0], *_folded(text, stress=True)


def _folded(text: str, stress: bool) -> tuple[str, list[int] | None]:
    """The text without case (and stress marks), and where each of its characters comes from; None: from its own place.

    One character can become several: `ß` becomes `ss`.
    """
    folded = text.casefold()
    if len(folded) == len(text) and not (stress and STRESS in text):
        return folded, None
    pieces = [(i, "" if stress and c == STRESS else c.casefold()) for i, c in enumerate(text)]
    return "".join(piece for _, piece in pieces), [i for i, piece in pieces for _ in piece]


def _first(label: str, folded: str, text: str, places: list[int] | None, only_whole: bool) -> Span | None:
    at = folded.find(label) if label else -1
    while at >= 0:
        last = at + len(label) - 1
        start, end = (at, last + 1) if places is None else (places[at], places[last] + 1)
        while end < len(text) and text[end] == STRESS:  # a mark belongs to the letter before it
            end += 1
        if not only_whole or not (_joined(text, start) or _joined(text, end)):
            return start, end
        at = folded.find(label, at + 1)
    return None


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after a place belong to one word."""
    return 0 < at < len(text) and _in_spaced_word(text[at - 1]) and _in_spaced_word(text[at])


def _in_spaced_word(character: str) -> bool:
    """Whether a character is a letter, mark or digit of a script with spaces around a noun and its ending."""
    if unicodedata.category(character)[0] not in "LMN":
        return False
    return not (is_unspaced(character) or "\uac00" <= character <= "\ud7a3")  # Hangul puts particles after the noun
