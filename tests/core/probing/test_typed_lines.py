"""What is typed: a language, a marked entity, a script."""

import pytest

from core.probing.sentences import Word
from core.probing.typed_lines import Line, marked_words, read_line, script_of


@pytest.mark.parametrize(
    ("typed", "text", "marked", "language", "label"),
    [
        ("Berlin ist groß.", "Berlin ist groß.", None, "", "Latin script"),
        ("de | Das ist [[Berlin]].", "Das ist Berlin.", (8, 14), "de", "German"),
        ("  zh|[[柏林]]很大  ", "柏林很大", (0, 2), "zh", "Chinese"),
        ("xx | a", "xx | a", None, "", "Latin script"),
        ("no | ", "no |", None, "", "Latin script"),
        ("[[a]] and [[b]]", "a and [[b]]", (0, 1), "", "Latin script"),
        ("[[]] [[a", "[[]] [[a", None, "", "Latin script"),
        ("برلين", "برلين", None, "", "Arabic script"),
        ("12", "12", None, "", ""),
    ],
)
def test_lines(typed, text, marked, language, label) -> None:
    line = read_line(typed)
    assert line == Line(text, marked, language)
    assert line.label == label
    if marked:
        assert f"[[{text[slice(*marked)]}]]" in typed


def test_marked_words_are_those_that_the_mark_touches() -> None:
    found = [Word("<s>", (0,)), Word("New", (1,), 0, 3), Word("York", (2,), 4, 8), Word(",", (3,), 8, 9, joined=True)]
    assert marked_words(found, Line("New York,", (0, 8))) == [1, 2]
    assert marked_words(found, Line("New York,", (6, 8))) == [2]
    assert marked_words(found, Line("New York,")) == []


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("北京", "Han"),
        ("東京は", "Japanese"),
        ("Москва a", "Cyrillic"),
        ("ไทย", "Thai"),
        ("서울", "Hangul"),
        ("?!", ""),
    ],
)
def test_scripts(text: str, script: str) -> None:
    assert script_of(text) == script
