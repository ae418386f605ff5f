"""Scripts of texts, and fonts as fontconfig tells them: a program of that name is faked at its one seam."""

import os
import shutil
import stat

import pytest

from workbench.publishing import scripts


@pytest.fixture
def fonts(tmp_path, monkeypatch):
    """A machine with a font for everything but Chinese characters and Thai."""
    program = tmp_path / "fc-list"
    program.write_text('#!/bin/sh\ncase "$1" in\n:charset=4e2d|:charset=e40) ;;\n*) echo "Some Font" ;;\nesac\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    scripts._has_font.cache_clear()
    yield
    scripts._has_font.cache_clear()


def test_scripts_are_told_apart():
    texts = ["Berlin 12 %", "برلين", "中文", "カナ", "한국", "हिन्दी", "ไทย", "עברית", "Αθήνα", "Москва", "ქართული"]
    names = [script.name for script in scripts.scripts_in(texts)]
    expected = ["Latin", "Arabic", "Chinese characters", "Japanese kana", "Hangul", "Devanagari", "Thai", "Hebrew"]
    assert names == [*expected, "Greek", "Cyrillic", "Georgian"]
    assert scripts.scripts_in(["12 % · → ★"]) == []


@pytest.mark.usefixtures("fonts")
def test_what_no_font_draws_is_named_with_its_package():
    lacking = scripts.without_font(["Berlin", "中文", "برلين", "แท"])
    assert [script.name for script in lacking] == ["Chinese characters"]
    lacking = scripts.without_font(["中", "เก"])
    said = scripts.warning(lacking)
    assert "No font is installed for Chinese characters and Thai" in said
    assert said.endswith("apt install fonts-droid-fallback fonts-noto-core")
    assert scripts.warning(scripts.without_font(["Berlin برلين"])) == ""


def test_without_fontconfig_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    scripts._has_font.cache_clear()
    assert scripts.without_font(["中文"]) == []
    scripts._has_font.cache_clear()


def test_only_right_to_left_texts_are_isolated():
    assert scripts.isolated("Berlin") == "Berlin"
    assert scripts.isolated("برلين (ar)") == "\u2068برلين (ar)\u2069"
    assert scripts.isolated("דג") == "\u2068דג\u2069"
