"""What a visitor types and uploads, in a real browser: sentences in three scripts, and files that are broken."""

import pytest

from core.runs.store import list_runs
from tests.workbench.serving import settled

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

SENTENCES = {  # language -> sentence, a word of it, the direction it is read in
    "ar": ("برلين هي عاصمة ألمانيا.", "ألمانيا", "rtl"),
    "zh": ("柏林是德国的首都。", "德国", "ltr"),
    "en": ("Berlin is the capital of Germany.", "Germany", "ltr"),
}


@pytest.fixture(scope="module")
def shipped() -> str:
    return next(run.name for run in list_runs() if run.cached)


@pytest.mark.slow
def test_a_sentence_is_probed_in_arabic_chinese_and_english(visit, app_url, shipped):
    page = visit(app_url, f"/probe?run={shipped}")
    typed = page.locator(".st-key-sentence textarea")
    expect(typed).to_be_visible()
    for language, (sentence, word, direction) in SENTENCES.items():
        typed.fill(sentence)
        typed.press("Control+Enter")
        strip = page.get_by_role("listbox", name="words").first
        expect(strip).to_contain_text(word)
        expect(strip).to_have_css("direction", direction)
        chosen = strip.get_by_role("option").filter(has_text=word).first
        chosen.click()
        expect(chosen).to_have_attribute("aria-selected", "true")
        assert float(chosen.get_attribute("aria-label").rsplit(" ", 1)[1]) > 0.1, language
        page.wait_for_url(lambda url: "word=" in url)


BROKEN = {
    "no table": ("x.csv", b"\x00\x01\x02\xff\xfe", "This file cannot be read as a table of results."),
    "other columns": ("y.csv", b"colour,shape\nblue,round\n", "This file cannot be read as a table of results."),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_refused_with_a_sentence_and_a_good_one_read_after_it(visit, app_url, what):
    name, data, answer = BROKEN[what]
    page = visit(app_url, "/audit?source=file")
    settled(page)
    upload = page.locator(".st-key-table input[type=file]")
    upload.set_input_files({"name": name, "mimeType": "text/csv", "buffer": data})
    expect(page.get_by_text(answer)).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    good = b"model,language_or_group,metric,value\nours,de,Hit@1,50.0\nours,de,Hit@10,40.0\n"
    upload.set_input_files({"name": "good.csv", "mimeType": "text/csv", "buffer": good})
    expect(page.get_by_text("good.csv: 2 values.")).to_be_visible()
    expect(page.get_by_text(answer)).to_have_count(0)
