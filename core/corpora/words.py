"""Words for matching strings in sentences: runs of letters, marks and numbers; where no spaces are put, characters."""

import re

_UNSPACED = (
    r"\u0E00-\u0EFF\u0F00-\u0FFF\u1000-\u109F\u1780-\u17FF"  # Thai, Lao, Tibetan, Burmese, Khmer
    r"\u3005\u3007\u3040-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF"  # kana and Han
)
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_RE2 = re.sub(r"\\[uU](0*)([0-9A-F]+)", r"\\x{\2}", _UNSPACED)


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script that puts no spaces between words."""
    return bool(_UNSPACED_CHARACTER.match(character))


def words_sql(text: str) -> str:
    """SQL for the list of words of the expression `text`."""
    return rf"regexp_extract_all(regexp_replace({text}, '([{_RE2}])', ' \1 ', 'g'), '[\p{{L}}\p{{N}}\p{{M}}]+')"
