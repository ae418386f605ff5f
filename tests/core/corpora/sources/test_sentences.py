import json
import zipfile
from pathlib import Path

import pytest

from core.corpora.sources.sentences import join_tokens, sentence_spans, stripped


def pieces(language: str, text: str, splitter: str = "sentencex") -> list[str]:
    return [text[start:end] for start, end in sentence_spans(language, text, splitter)]


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["The U.S. has states, e.g. Ohio.", "Dr. Smith went.", "Really?"]),
        ("ar", ["هذا كتاب.", "هل هذا قلم؟", "نعم!"]),
        ("hi", ["दिल्ली भारत की राजधानी है।", "यह बड़ा है।"]),
        ("ru", ["Компози́ция (лат. compositio) — категория.", "В г. Москве живут люди."]),
        ("th", ["กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย"]),
    ],
)
def test_sentences_of_scripts_with_spaces_between_them(language: str, sentences: list[str]) -> None:
    assert pieces(language, " ".join(sentences)) == sentences


@pytest.mark.parametrize(
    ("language", "sentences"),
    [("zh", ["北京是中国的首都。", "它很大！", "好吗？"]), ("ja", ["東京は日本の首都です。", "とても大きい。"])],
)
def test_sentences_of_scripts_without_spaces(language: str, sentences: list[str]) -> None:
    assert pieces(language, "".join(sentences)) == sentences
    assert pieces(language, "".join(sentences), "punctuation") == sentences


def test_a_line_break_ends_a_sentence_and_white_space_belongs_to_none() -> None:
    text = "  A heading \n\n It is big.  It is old. \n"
    assert pieces("en", text) == ["A heading", "It is big.", "It is old."]
    assert sentence_spans("en", text) == [(2, 11), (15, 25), (27, 37)]
    assert pieces("en", " \n ") == []
    assert pieces("en", "") == []


def test_every_abbreviation_ends_a_sentence_by_punctuation_alone() -> None:
    assert pieces("ru", "Слово (лат. verbum) — слово.", "punctuation") == ["Слово (лат.", "verbum) — слово."]


def test_spans_of_real_texts_are_in_order_and_lose_only_white_space(shared_data: Path) -> None:
    texts = 0
    for language in ("ar", "de", "en", "es", "ru", "zh"):
        with zipfile.ZipFile(shared_data / "codex" / "types" / language / "extracts.zip") as archive:
            for name in [n for n in archive.namelist() if n.endswith(".txt")][:200]:
                text = archive.read(name).decode("utf-8")
                spans = sentence_spans(language, text)
                flat = [0, *(i for span in spans for i in span), len(text)]
                assert flat == sorted(flat)
                assert "".join("".join(text[s:e] for s, e in spans).split()) == "".join(text.split())
                texts += 1
    assert texts == 1200


def test_stripped() -> None:
    assert stripped("a  b c ", (1, 7)) == (3, 6)
    assert stripped("a   b", (1, 4)) is None


def test_tokens_keep_their_place() -> None:
    text, spans = join_tokens(["Wilton", " ", "Bridge", "\u00a0", "of", "x y"])
    assert text == "Wilton Bridge of x y"
    assert [text[s:e] for s, e in spans] == ["Wilton", "", "Bridge", "", "of", "x y"]
    assert join_tokens([]) == ("", [])
    assert join_tokens([" ", "a"]) == ("a", [(0, 0), (0, 1)])


def test_tokens_of_real_sentences_keep_their_place(shared_data: Path) -> None:
    relations = json.loads((shared_data / "fewrel" / "val_wiki.json").read_text(encoding="utf-8"))
    blank = 0
    for instance in relations["P177"]:
        text, spans = join_tokens(instance["tokens"])
        assert [text[s:e] for s, e in spans] == [t.strip() for t in instance["tokens"]]
        assert text == " ".join(text.split())
        blank += sum(not t.strip() for t in instance["tokens"])
    assert blank
