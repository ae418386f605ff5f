"""Sub-words to words in many scripts: by hand, with the tiny tokenizer, and with that of the embedded backbone."""

import math
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from core.folders import cache_root
from core.probing.sentences import (
    COLUMNS,
    UNITS,
    Observation,
    at_layer,
    cut_off,
    sub_words,
    table,
    units,
    weights_of,
    words,
)

SLOTS = ("identity", "ep", "tp")


def observation(text: str, offsets: list[tuple[int, int] | None], weights: np.ndarray | None = None) -> Observation:
    pieces = ["<s>" if at is None else text[slice(*at)] for at in offsets]
    if weights is None:
        weights = np.full((2, len(offsets), 3), 1 / 3)
    return Observation(text, pieces, offsets, SLOTS, weights, np.eye(4)[0])


def read(seen: Observation) -> list[str]:
    return [word.text for word in words(seen)]


def typed_again(seen: Observation, unit: str = "words") -> str:
    """The text as a strip shows it."""
    return "".join(word.text if word.joined or n == 0 else f" {word.text}" for n, word in enumerate(units(seen, unit)))


def test_words_by_hand() -> None:
    seen = observation(
        "don't go, Ann!", [None, (0, 3), (3, 4), (4, 5), (6, 8), (8, 9), (10, 12), (12, 13), (13, 14), None]
    )
    assert [(w.text, w.tokens, w.joined) for w in words(seen)] == [
        ("don't", (1, 2, 3), False),
        ("go", (4,), False),
        (",", (5,), True),
        ("Ann", (6, 7), False),
        ("!", (8,), True),
    ]
    assert [(w.text, w.joined) for w in sub_words(seen)][:4] == [
        ("don", False),
        ("'", True),
        ("t", True),
        ("go", False),
    ]
    special = sub_words(seen, special=True)
    assert [w.text for w in special if w.special] == ["<s>", "<s>"]
    assert [special[0].tokens, special[-1].tokens] == [(0,), (9,)]
    assert [(w.start, w.end) for w in words(seen)][-2:] == [(10, 13), (13, 14)]


@pytest.mark.parametrize(
    ("text", "offsets", "expected"),
    [
        ("北京是", [(0, 1), (0, 2), (2, 3)], ["北京", "是"]),  # a lone ▁ stands for the first character too
        ("ﷺ x", [(0, 1), (0, 1), (0, 1), (2, 3)], ["ﷺ", "x"]),  # a ligature of three words
        ("น้ำ", [(0, 1), (1, 3)], ["น้ำ"]),  # the tone mark stays with its consonant, and so does the vowel
        ("ทำ", [(0, 1), (1, 2)], ["ทำ"]),
        ("की", [(0, 1), (1, 2)], ["की"]),
        ("می\u200cخواهم", [(0, 2), (3, 8)], ["می\u200cخواهم"]),  # the tokenizer drops the joiner; the text keeps it
        ("👩\u200d👧 x", [(0, 1), (2, 3), (4, 5)], ["👩\u200d👧", "x"]),
        ("3.5 U.S. a-b", [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7), (7, 8), (9, 10), (10, 11), (11, 12)],
         ["3.5", "U.S", ".", "a-b"]),
        ('"ja" (x)', [(0, 1), (1, 3), (3, 4), (5, 6), (6, 7), (7, 8)], ['"', "ja", '"', "(", "x", ")"]),
        ("  a b", [(1, 3), (3, 5)], ["a", "b"]),  # offsets that count the space before
        ("a b", [(0, 1), (1, 1), (2, 3)], ["a", "b"]),  # a token of nothing
        ("ab", [(0, 0), (0, 2)], ["ab"]),
        (" \u00a0", [(0, 1), (1, 2)], []),
        ("東京タワー", [(0, 2), (2, 5)], ["東京", "タワー"]),
        ("서울은", [(0, 2), (2, 3)], ["서울은"]),
        ("中a国", [(0, 1), (1, 2), (2, 3)], ["中", "a", "国"]),
    ],
)  # fmt: skip
def test_words_of_many_scripts(text: str, offsets: list, expected: list[str]) -> None:
    seen = observation(text, [None, *offsets, None])
    assert read(seen) == expected
    told = sorted(token for word in words(seen) for token in word.tokens)
    assert told == (list(range(1, len(offsets) + 1)) if expected else [])  # every token is in one word
    assert "".join(expected).replace(" ", "") == "".join(text.split())


def test_a_text_that_was_cut_says_what_was_not_seen() -> None:
    seen = observation("ab cd ef", [None, (0, 2), (3, 4), None])
    assert read(seen) == ["ab", "c"]
    assert cut_off(seen) == "d ef"
    assert cut_off(observation("ab ", [None, (0, 2), None])) == ""


def test_weights_of_a_word_are_the_mean_of_its_tokens() -> None:
    weights = np.array([[[1, 0, 0], [0.5, 0.5, 0], [0.1, 0.3, 0.6], [0, 1, 0]], [[0, 0, 1]] * 4], float)
    seen = observation("ab c", [None, (0, 1), (1, 2), (3, 4)], weights)
    found, entropies = weights_of(seen, words(seen))
    np.testing.assert_allclose(found[0], [[0.3, 0.4, 0.3], [0, 1, 0]])
    first, second = math.log(2), -(0.1 * math.log(0.1) + 0.3 * math.log(0.3) + 0.6 * math.log(0.6))
    np.testing.assert_allclose(entropies[0], [(first + second) / 2 / math.log(3), 0], atol=1e-9)
    np.testing.assert_allclose(entropies[1], [0, 0], atol=1e-9)
    np.testing.assert_allclose(at_layer(found, None)[0], [0.15, 0.2, 0.65])
    np.testing.assert_array_equal(at_layer(found, 1)[1], [0, 0, 1])
    empty, none = weights_of(seen, [])
    assert empty.shape == (2, 0, 3)
    assert none.shape == (2, 0)


def test_the_table_is_tidy() -> None:
    weights = np.arange(18, dtype=float).reshape(2, 3, 3) / 100
    one, other = observation("ab c", [(0, 1), (1, 2), (3, 4)], weights), observation("x", [None, (0, 1)])
    rows = table([one, other], ["de", ""], numbers=[4, 7])
    assert tuple(rows.columns) == COLUMNS
    assert len(rows) == 2 * 2 * 3 + 2 * 1 * 3
    assert not rows.duplicated(["sentence", "position", "layer", "slot"]).any()
    assert rows.sentence.unique().tolist() == [4, 7]
    found = rows[(rows.sentence == 4) & (rows.word == "ab") & (rows.layer == 1) & (rows.slot == "tp")]
    assert found.weight.tolist() == [pytest.approx((0.11 + 0.14) / 2)]
    assert found[["language", "position"]].iloc[0].tolist() == ["de", 1]
    by_word = rows[rows.sentence == 4].groupby(["position", "layer"]).entropy.nunique()
    assert (by_word == 1).all()
    assert table([other], [""], "tokens").word.unique().tolist() == ["<s>", "x"]
    assert table([], []).columns.tolist() == list(COLUMNS)


TEXTS = {
    "en": ("Don't go to U.S. Steel, Ann!", "Don't|go|to|U.S|.|Steel|,|Ann|!"),
    "ar": ("القاهرة، هي عاصمة مصر.", "القاهرة|،|هي|عاصمة|مصر|."),
    "hi": ("नई दिल्ली राजधानी है।", "नई|दिल्ली|राजधानी|है|।"),
    "fa": ("می\u200cخواهم بروم", "می\u200cخواهم|بروم"),
    "he": ("תל אביב", "תל|אביב"),
}


def encoded(tokenizer, text: str) -> Observation:
    content = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = [None, *content.offset_mapping, None]
    pieces = ["<s>", *tokenizer.convert_ids_to_tokens(content.input_ids), "</s>"]
    return Observation(text, pieces, offsets, SLOTS, np.full((1, len(offsets), 3), 1 / 3), np.eye(4)[0])


@pytest.fixture(scope="module")
def tiny(tiny_backbone: Path):
    return AutoTokenizer.from_pretrained(tiny_backbone)


@pytest.fixture(scope="module")
def embedded():
    from core.encoder import embedded as package

    folder = Path.home() / ".cache"  # the conversion takes long: where a cache has it, this is tested
    found = [
        *cache_root().glob("backbones/multilingual-e5-small-*"),
        *folder.glob("*/backbones/multilingual-e5-small-*"),
    ]
    if not found:
        pytest.skip(f"{package.TITLE} is in no cache")
    return AutoTokenizer.from_pretrained(found[0], local_files_only=True, fix_mistral_regex=False)


@pytest.mark.parametrize("language", list(TEXTS))
@pytest.mark.parametrize("which", ["tiny", "embedded"])
def test_real_tokenizers_give_the_words_of_spaced_scripts(language: str, which: str, request) -> None:
    seen = encoded(request.getfixturevalue(which), TEXTS[language][0])
    assert read(seen) == TEXTS[language][1].split("|")
    for unit in UNITS:
        if unit != "tokens":
            assert typed_again(seen, unit) == TEXTS[language][0]


@pytest.mark.parametrize(
    "text", ["北京是中华人民共和国的首都。", "東京は日本の首都です。", "กรุงเทพมหานครเป็นเมืองหลวง", "ทำน้ำแข็ง"]
)
@pytest.mark.parametrize("which", ["tiny", "embedded"])
def test_real_tokenizers_put_no_space_into_unspaced_scripts(text: str, which: str, request) -> None:
    seen = encoded(request.getfixturevalue(which), text)
    assert typed_again(seen) == typed_again(seen, "sub-words") == text
    assert all(word.joined for word in words(seen)[1:])
    if which == "embedded":
        assert len(words(seen)) > 1


def test_the_embedded_tokenizer_cuts_chinese_into_its_pieces(embedded) -> None:
    assert read(encoded(embedded, "北京是中华人民共和国的首都。")) == [
        "北京",
        "是",
        "中华人民共和国",
        "的",
        "首都",
        "。",
    ]
