"""The probe page's strips in a real browser: mouse, keyboard, direction of reading, and visitors side by side."""

import pytest

from tests.workbench.serving import settled

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def test_a_word_is_chosen_by_keyboard_and_keeps_the_focus(visit, app_url, finished_run_path):
    page = visit(app_url, f"/probe?run={finished_run_path.name}&sentence=baba%20er%20ko&probe_beside=none")
    words = page.get_by_role("listbox").get_by_role("option")
    expect(words).to_have_text(["baba", "er", "ko"])
    words.first.focus()
    page.keyboard.press("ArrowRight")
    expect(words.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(words.nth(2)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(words.nth(1)).to_have_attribute("aria-selected", "true")
    expect(words.nth(1)).to_be_focused()
    page.wait_for_url(lambda url: "word=0.1" in url)
    settled(page)
    words.nth(2).click()
    expect(words.nth(2)).to_have_attribute("aria-selected", "true")
    expect(words.nth(1)).to_have_attribute("aria-selected", "false")


def test_right_to_left_and_unspaced_text_reads_as_typed(visit, app_url, finished_run_path):
    text = "برلين هي عاصمة%0A柏林是首都"
    page = visit(app_url, f"/probe?run={finished_run_path.name}&sentence={text}&probe_beside=none&unit=tokens")
    arabic, chinese = page.get_by_role("listbox").nth(0), page.get_by_role("listbox").nth(1)
    expect(arabic).to_have_css("direction", "rtl")
    expect(chinese).to_have_css("direction", "ltr")
    assert arabic.evaluate("e => e.textContent") == "[CLS] برلين هي عاصمة [SEP]"
    assert "柏林是首都" in chinese.evaluate("e => e.textContent")
    first, last = (arabic.get_by_role("option").nth(n).bounding_box()["x"] for n in (1, 3))
    assert first > last  # the first word stands on the right
    arabic.get_by_role("option").nth(1).focus()
    page.keyboard.press("ArrowLeft")  # on, in the direction of reading
    expect(arabic.get_by_role("option").nth(2)).to_be_focused()


def test_two_visitors_see_their_own_sentence_and_task(visit, app_url, finished_run_path):
    run = finished_run_path.name
    links = [f"/probe?run={run}&sentence=baba&task=kg_completion&probe_beside=none&layer=0",
             f"/probe?run={run}&sentence=ko%20er&task=entity_alignment&probe_beside=none&layer=1"]  # fmt: skip
    pages = [visit(app_url, link) for link in links]
    for _ in range(2):
        expect(pages[0].get_by_role("option")).to_have_text(["baba"])
        expect(pages[1].get_by_role("option")).to_have_text(["ko", "er"])
        expect(pages[0].get_by_text("Knowledge-graph completion, after fusion training")).to_be_visible()
        expect(pages[1].get_by_text("Entity alignment, after fusion training")).to_be_visible()
        for page in pages:
            page.reload()
