import json
import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from core.corpora.sources.mentions import MentionRules, find_label, first_mention

LANGUAGES = ("ar", "de", "en", "es", "ru", "zh")
CASE = MentionRules("case")


def found(label: str, text: str, match: str = "case_and_stress", whole_words: bool = True) -> str | None:
    span = find_label(label, text, match, whole_words)
    return text[slice(*span)] if span else None


def test_an_exact_place_goes_before_one_that_ignores_case() -> None:
    text = "The BANK and the bank."
    assert find_label("bank", text, "case", True) == (17, 21)
    assert find_label("Bank", text, "case", True) == (4, 8)
    assert find_label("Bank", text, "exact", True) is None


def test_stress_marks_are_ignored_only_where_asked_and_belong_to_the_span() -> None:
    text = "Слово «Компози\u0301ция» и вода\u0301."
    assert found("композиция", text) == "Компози\u0301ция"
    assert found("композиция", text, "case") is None
    assert found("вода", text, "exact") == "вода\u0301"
    assert found("вода\u0301", "вода", "case_and_stress") == "вода"


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [
        ("strasse", "Die Große Straße hier", "Straße"),  # one letter folds to two
        ("große", "İ GROSSE Straße", "GROSSE"),  # and İ before it to two as well
        ("ΟΔΟΣ", "η οδός, οδος", "οδος"),  # final sigma
        ("i", "İ i", "i"),
    ],
)
def test_offsets_hold_where_folding_changes_the_length(label: str, text: str, expected: str) -> None:
    assert found(label, text) == expected


@pytest.mark.parametrize(
    ("label", "text", "whole"),
    [
        ("Art", "Der Artikel", None),
        ("Art", "Der Artikel, eine Art", "Art"),
        ("art", "state-of-the-art", "art"),
        ("राज", "यह राजधानी है", None),
        ("दिल", "यह दिल्ली है", None),  # the next sign is a mark, not a letter
        ("مدينة", "المدينة كبيرة", None),
        ("京", "東京都", "京"),
        ("ประเทศ", "ในประเทศไทย", "ประเทศ"),
        ("서울", "서울은 도시", "서울"),
        ("Art", "艺术Artikel", None),
        ("Art", "艺术Art艺术", "Art"),
        ("C++", "C++, a language", "C++"),
        ("(x)", "f(x)", "(x)"),
    ],
)
def test_whole_words_know_the_scripts_without_spaces(label: str, text: str, whole: str | None) -> None:
    assert found(label, text) == whole
    assert (found(label, text, whole_words=False) or "").casefold() == label.casefold()


def test_a_whole_word_goes_before_a_place_inside_one() -> None:
    assert find_label("Art", "Artikel einer art", "case", whole_words=False) == (14, 17)


def test_blank_labels_are_nowhere() -> None:
    for label in ("", " ", "\n"):
        assert find_label(label, "some text\n", "case_and_stress", False) is None
        assert first_mention(label, "en", "some text\n", MentionRules()) is None


def test_the_first_sentence_that_has_the_label_is_taken() -> None:
    text = "It is old. A bank keeps money. Banks are old."
    assert first_mention("Bank", "en", text, CASE) == ("A bank keeps money.", 2, 6)
    assert first_mention("Bank", "en", text, MentionRules(sentences=1)) is None
    assert first_mention("Bank", "en", text, MentionRules(sentences=2)) == ("A bank keeps money.", 2, 6)
    assert first_mention("old A", "en", text.replace(".", ""), MentionRules("exact")) is not None
    assert first_mention("old. A", "en", text, MentionRules("exact")) is None  # across two sentences


@pytest.mark.parametrize(("field", "value"), [("match", "fuzzy"), ("splitter", "nltk"), ("sentences", 0)])
def test_rules_refuse_what_they_do_not_know(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=str(value)):
        MentionRules(**{field: value})


@pytest.fixture(scope="module")
def pages(shared_data: Path) -> list[tuple[str, str, str, str]]:
    """Language, entity, label and text of the CoDEx extracts whose type has a label."""
    rows = []
    for language in LANGUAGES:
        folder = shared_data / "codex" / "types" / language
        types = json.loads((folder / "types.json").read_text(encoding="utf-8"))
        with zipfile.ZipFile(folder / "extracts.zip") as archive:
            for name in archive.namelist():
                entity = Path(name).stem
                if name.endswith(".txt") and types.get(entity, {}).get("label"):
                    rows.append((language, entity, types[entity]["label"], archive.read(name).decode("utf-8")))
    return rows


@pytest.mark.parametrize(
    ("match", "by_language", "entities", "sentences"),
    [  # the README of CoDEx, "first sentence contains the label" and "C1 stand-in"
        ("exact", (674, 1461, 1161, 1059, 163, 983), 1546, 4856),
        ("case", (675, 1531, 1640, 1298, 585, 985), 1736, 6139),
        ("case_and_stress", (675, 1531, 1640, 1298, 1250, 985), 1783, 6810),
    ],
)
def test_counts_of_the_readme_with_the_first_sentence_by_punctuation(
    pages: list, match: str, by_language: tuple, entities: int, sentences: int
) -> None:
    rules = MentionRules(match, whole_words=False, sentences=1, splitter="punctuation")
    hits = [(lang, id) for lang, id, label, text in pages if first_mention(label, lang, text, rules)]
    counts = Counter(language for language, _ in hits)
    assert tuple(counts[language] for language in LANGUAGES) == by_language
    several = [n for n in Counter(id for _, id in hits).values() if n >= 2]
    assert (len(several), sum(several)) == (entities, sentences)


def test_every_mention_in_the_real_texts_against_a_slow_search(pages: list) -> None:
    def plain(text: str) -> str:
        return text.replace("\u0301", "").lower()

    checked = Counter()
    for language, _, label, text in pages[::5]:
        for rules in (MentionRules(), MentionRules(whole_words=True)):
            hit = first_mention(label, language, text, rules)
            assert bool(hit) <= (plain(label) in plain(text))
            if hit:
                sentence, start, end = hit
                assert sentence in text
                assert plain(sentence[start:end]) == plain(label)
                spaced = language not in ("zh",)
                whole = re.search(rf"(?<!\w){re.escape(plain(label))}(?!\w)", plain(sentence)) is not None
                at_ends = not re.match(r"\w\w", sentence[start - 1 : start + 1]) and not re.match(
                    r"\w\w", sentence[end - 1 : end + 1]
                )
                if spaced:
                    assert at_ends == whole  # a whole word is taken wherever the sentence has one
                    assert whole or not rules.whole_words
                checked[rules.whole_words, whole] += 1
    assert checked[True, True] > 1000
    assert checked[False, False] > 50
