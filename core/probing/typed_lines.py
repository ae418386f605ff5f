"""Typed lines: a sentence each, with its language before it and an entity marked in it, where there are such."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.languages import LANGUAGES
from core.probing.sentences import Word

_MARKED = re.compile(r"\[\[(.+?)\]\]")
_LANGUAGE = re.compile(rf"\s*({'|'.join(LANGUAGES)})\s*\|\s*(?=\S)")


@dataclass(frozen=True)
class Line:
    """A typed line.

    Attributes:
        text: The line without language and marks.
        marked: Characters [start, end) of the entity that was marked by `[[...]]`.
        language: The language that was put before it, or an empty string.
    """

    text: str
    marked: tuple[int, int] | None = None
    language: str = ""

    @property
    def label(self) -> str:
        """The language, or the script it seems to be in."""
        if self.language:
            return LANGUAGES[self.language].name
        return f"{script} script" if (script := script_of(self.text)) else ""


def read_line(typed: str) -> Line:
    """A line such as `de | Das ist [[Berlin]]`; a second `[[...]]` is taken as typed."""
    language = ""
    if named := _LANGUAGE.match(typed):
        language, typed = named.group(1), typed[named.end() :]
    typed = typed.strip()
    if (found := _MARKED.search(typed)) is None:
        return Line(typed, None, language)
    inside = found.group(1)
    text = typed[: found.start()] + inside + typed[found.end() :]
    return Line(text, (found.start(), found.start() + len(inside)), language)


def marked_words(found: Sequence[Word], line: Line) -> list[int]:
    """Numbers of the words that the marked entity reaches into."""
    if line.marked is None:
        return []
    first, last = line.marked
    spans = [(number, word.start, word.end) for number, word in enumerate(found)]
    return [n for n, start, end in spans if start is not None and end is not None and start < last and end > first]


def script_of(text: str) -> str:
    """Name of the script that most letters of a text belong to, such as `Arabic`; empty without letters."""
    names = [unicodedata.name(c, "").split(" ")[0] for c in text if c.isalpha()]
    if not names:
        return ""
    found = Counter({"CJK": "Han", "HIRAGANA": "Japanese", "KATAKANA": "Japanese"}.get(n, n.title()) for n in names)
    return "Japanese" if "Japanese" in found else found.most_common(1)[0][0]
