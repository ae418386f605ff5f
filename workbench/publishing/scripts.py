"""Which scripts a figure's texts are in, and whether this machine has a font for each."""

import functools
import shutil
import subprocess
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

# TrueType first: venues refuse the Type 3 fonts that CFF fonts such as Noto Sans CJK become in a PDF.
PAPER_FONT = ", ".join(
    (
        *("Liberation Sans", "Arimo", "Helvetica", "Arial", "DejaVu Sans", "Droid Sans Fallback", "NanumGothic"),
        *(f"Noto Sans {name}" for name in ("Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil", "Telugu", "Thai")),
        *("Noto Sans CJK SC", "sans-serif"),
    )
)
_EUROPE, _CORE = "fonts-dejavu-core", "fonts-noto-core"
# First word of a character's Unicode name -> script for people, Debian package with a font of it.
_SCRIPTS = {
    **{word: (word.title(), _EUROPE) for word in ("LATIN", "GREEK", "CYRILLIC")},
    **{word: (word.title(), _CORE) for word in ("ARABIC", "HEBREW", "ARMENIAN", "GEORGIAN", "SYRIAC", "THAANA")},
    **{word: (word.title(), _CORE) for word in ("DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "SINHALA")},
    **{word: (word.title(), _CORE) for word in ("TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "THAI", "LAO", "KHMER")},
    **{word: (word.title(), _CORE) for word in ("MYANMAR", "TIBETAN", "ETHIOPIC", "MONGOLIAN", "CHEROKEE", "TIFINAGH")},
    **{"NKO": ("N'Ko", _CORE), "OL": ("Ol Chiki", _CORE), "JAVANESE": ("Javanese", _CORE), "VAI": ("Vai", _CORE)},
    **{
        "CJK": ("Chinese characters", "fonts-droid-fallback"),
        "IDEOGRAPHIC": ("Chinese characters", "fonts-droid-fallback"),
    },
    **{"HIRAGANA": ("Japanese kana", "fonts-droid-fallback"), "KATAKANA": ("Japanese kana", "fonts-droid-fallback")},
    **{"HANGUL": ("Hangul", "fonts-nanum")},
}
_RIGHT_TO_LEFT = ("R", "AL")


@dataclass(frozen=True)
class Script:
    """A script for people, the Debian package with a font of it, and a character of it that was seen."""

    name: str
    package: str
    seen: str


def scripts_in(texts: Iterable[str]) -> list[Script]:
    """The scripts of some texts, each with the first character of it."""
    found: dict[str, Script] = {}
    for character in dict.fromkeys("".join(dict.fromkeys(texts))):
        word = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
        if character.isalpha() and word in _SCRIPTS:
            name, package = _SCRIPTS[word]
            found.setdefault(name, Script(name, package, character))
    return list(found.values())


def without_font(texts: Iterable[str]) -> list[Script]:
    """The scripts of some texts that no installed font draws; none where there is no fontconfig to ask."""
    return [script for script in scripts_in(texts) if not _has_font(script.seen)]


def warning(lacking: list[Script]) -> str:
    """What to do about scripts that no font draws, or nothing."""
    if not lacking:
        return ""
    names = " and ".join(script.name for script in lacking)
    packages = " ".join(dict.fromkeys(script.package for script in lacking))
    return (
        f"No font is installed for {names}: PDF, SVG and PNG would show boxes. Debian has fonts: apt install {packages}"
    )


def isolated(text: str) -> str:
    """A text with right-to-left letters, marked to be laid out in the direction of its first letter (UAX 9, FSI)."""
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return f"\u2068{text}\u2069"
    return text


@functools.cache
def _has_font(character: str) -> bool:
    if not (program := shutil.which("fc-list")):
        return True
    query = [program, f":charset={ord(character):x}", "family"]
    try:
        return bool(subprocess.run(query, capture_output=True, check=True, timeout=10).stdout.strip())
    except (OSError, subprocess.SubprocessError):
        return True
