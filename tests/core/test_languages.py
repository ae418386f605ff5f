"""The language table against Table 8 of the paper and against CLDR."""

import pytest
from babel import Locale
from babel.core import get_global

from core.languages import GROUP_MEANING, GROUPS, LANGUAGES, PAPER_LANGUAGES, describe, group_of

# Table 8 of Hou et al. 2022, in its order.
TABLE_8 = """
af an ar ast az bar be bg bn br bs ca ceb cs cy da de el en es et eu fa fi fr fy ga gl
gu he hi hr hu hy id is it ja jv ka kk kn ko la lb lt lv mk ml mn mr ms my nds ne nl
nn no oc pl pt ro ru scn sco sh sk sl sq sr sv sw ta te th tl tr tt uk ur uz vi war zh
"""
NOT_IN_CLDR = {"bar", "sco", "sh", "war"}


def test_the_languages_of_table_8() -> None:
    paper = TABLE_8.split()
    assert len(paper) == len(set(paper)) == 84
    assert list(PAPER_LANGUAGES) == paper
    assert set(LANGUAGES) - set(paper) == {"eo", "vo", "nb", "fo"}


def test_scripts_and_directions_are_those_of_cldr() -> None:
    likely, compared = get_global("likely_subtags"), 0
    for code, language in LANGUAGES.items():
        if code not in NOT_IN_CLDR:
            assert language.script == likely[code].split("_")[1], code
            assert language.own_name == Locale.parse(code).languages[code]
            compared += 1
        if code not in NOT_IN_CLDR | {"tl"}:
            assert language.direction == ("rtl" if Locale.parse(code).text_direction == "rtl" else "ltr"), code
    assert compared == 84
    assert {code for code, language in LANGUAGES.items() if language.direction == "rtl"} == {"ar", "fa", "he", "ur"}


def test_english_names_are_those_of_cldr_or_of_the_paper() -> None:
    names = Locale("en").languages
    differing = {code: language.name for code, language in LANGUAGES.items() if names[code] != language.name}
    assert differing == {"bn": "Bengali", "nds": "Low Saxon"}  # Table 8's words


def test_every_row_is_filled() -> None:
    for code, language in LANGUAGES.items():
        assert language.code == code
        assert all((language.name, language.own_name, language.script, language.family)), code
    assert describe("sw") is LANGUAGES["sw"]


def test_a_language_outside_the_table_carries_its_code() -> None:
    unknown = describe("zu")
    assert (unknown.code, unknown.name, unknown.own_name, unknown.direction) == ("zu", "zu", "zu", "ltr")


@pytest.mark.parametrize(
    ("language", "group"),
    [("de", "Sup"), ("eo", "Sup"), ("fr", "ZS-In"), ("ja", "ZS-In"), ("vo", "ZS-Un"), ("", "ZS-Un")],
)
def test_the_group_of_a_language_follows_from_the_run(language: str, group: str) -> None:
    assert group_of(language, adapter_languages={"de", "fr", "ja"}, task_languages=["de", "eo"]) == group


def test_the_same_language_is_in_another_group_in_another_run() -> None:
    runs = ((["de"], ["de"]), (["de"], []), ([], []), ([], ["de"]))
    assert [group_of("de", *run) for run in runs] == ["Sup", "ZS-In", "ZS-Un", "Sup"]
    assert list(GROUP_MEANING) == list(GROUPS) == ["Sup", "ZS-In", "ZS-Un"]
