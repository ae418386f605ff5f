"""A file of sentences that somebody uploads: one per line, with a language before a tab where there is one."""

import re
import unicodedata
from dataclasses import dataclass, field

ROWS, CHARACTERS = 500, 1000
_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True)
class SentenceFile:
    """What a file holds.

    Attributes:
        lines: Number of the line of each sentence, from 1.
        languages: Language of each, or an empty string.
        texts: The sentences.
        problems: Number of a line that was left out -> why.
    """

    lines: list[int] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


def read_sentences(data: bytes, rows: int = ROWS, characters: int = CHARACTERS) -> SentenceFile:
    """The sentences of a file, and what is wrong with the lines that were left out; empty lines are passed over.

    Args:
        data: Text in UTF-8, a sentence or `language<TAB>sentence` a line.
        rows: Sentences at most.
        characters: Characters of a sentence at most.
    """
    found = SentenceFile()
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            found.problems[number] = f"byte {error.start + 1} is not UTF-8: save the file as UTF-8"
            continue
        if not line.strip():
            continue
        if len(found.texts) == rows:
            found.problems[number] = f"this line and what follows is left out: a file may have {rows} sentences"
            break
        *before, text = (part.strip() for part in line.split("\t"))
        if problem := _problem(before, text, characters):
            found.problems[number] = problem
            continue
        found.lines.append(number)
        found.languages.append(before[0] if before else "")
        found.texts.append(text)
    return found


def _problem(before: list[str], text: str, characters: int) -> str:
    """What is wrong with a line, empty where nothing is."""
    if len(before) > 1:
        return f"{len(before) + 1} columns: give a sentence, or a language, a tab and a sentence"
    if before and not _CODE.fullmatch(before[0]):
        return f"{before[0][:20]!r} is no language code, such as de or zh"
    if len(text) > characters:
        return f"{len(text)} characters: a sentence may have {characters}"
    if any(unicodedata.category(c) == "Cc" for c in text):
        return "a control character: is this a text file?"
    if not any(c.isalnum() for c in text):
        return "no letter or digit"
    return ""
