"""Every page for eyes, keyboards and screen readers: axe, both colour schemes, narrow windows and 200 % zoom."""

import pytest

from tests.workbench.navigation import MENU, ONE_PAGE_FAST
from tests.workbench.serving import settled

expect = pytest.importorskip("playwright.sync_api").expect
Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
pytestmark = pytest.mark.browser

# What Streamlit itself does: rule -> the part of the page where it is let be.
STREAMLITS_OWN = {
    "list": '[data-testid="stSidebarNavItems"]',  # the sections of the menu are <div>s in its <ul>
    "listitem": '[data-testid="stSidebarNavItems"]',
    "presentation-role-conflict": '[data-testid="stFileUploader"]',
}


def faults(page) -> list[str]:
    """What axe objects to in the whole page, without what Streamlit does."""
    found = []
    for rule in Axe().run(page).response["violations"]:
        part = STREAMLITS_OWN.get(rule["id"])
        for node in rule["nodes"]:
            inside = "([target, part]) => document.querySelector(target)?.closest(part) !== null"
            if part is None or not page.evaluate(inside, [node["target"][0], part]):
                found.append(f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("title", ONE_PAGE_FAST)
def test_axe_finds_nothing_of_ours_and_charts_have_alternatives(visit, app_url, title, scheme):
    page = visit(app_url, MENU[title], color_scheme=scheme, viewport={"width": 1400, "height": 1000})
    settled(page)
    assert faults(page) == []
    for drawn in ("stPlotlyChart", "stDataFrame"):
        for element in page.get_by_test_id(drawn).all():
            named = element.evaluate("e => Boolean(e.closest('[aria-label]') || e.querySelector('[aria-label]'))")
            assert named, f"{drawn} without alt: {element.inner_text()[:100]}"


def test_axe_is_awake(visit, app_url):
    page = visit(app_url)
    settled(page)
    page.evaluate(
        "document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"data:,\"><button></button>')"
    )
    assert {fault.split()[0] for fault in faults(page)} >= {"image-alt", "button-name"}


@pytest.mark.parametrize("title", ONE_PAGE_FAST)
def test_a_narrow_or_zoomed_window_never_scrolls_sideways(visit, app_url, title):
    page = visit(app_url, MENU[title], viewport={"width": 700, "height": 800}, device_scale_factor=2)
    main = page.get_by_test_id("stMain")
    for width in (700, 640):  # 640: a window of 1280 pixels at 200 %
        page.set_viewport_size({"width": width, "height": 800})
        settled(page)
        expect(main.get_by_role("heading", level=1)).to_be_in_viewport()
        page.wait_for_function(
            "() => (main => main.scrollWidth <= main.clientWidth)(document.querySelector('[data-testid=stMain]'))"
        )
        outside = main.evaluate(
            """(main, width) => [...main.querySelectorAll('h1, h2, h3, p, button, label, [data-testid="stText"]')]
                .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > width + 1
                    && !e.closest('[data-testid="stDataFrame"], [data-testid="stMultiSelectTagsContainer"], pre'))
                .map(e => e.outerHTML.slice(0, 200))""",
            width,
        )
        assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_browser(visit, app_url, scheme):
    page = visit(app_url, color_scheme=scheme)
    background = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 25, 28)"}[scheme]
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", background)


def tab_to(page, target, most: int = 80) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{most} times Tab do not reach {target}")


def test_the_keyboard_reaches_menu_selection_and_guide(open_page, finished_run_path):
    page = open_page(f"/?run={finished_run_path.name}")
    settled(page)
    link = page.get_by_test_id("stSidebarNav").get_by_role("link", name="Audit")
    tab_to(page, link)
    assert link.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Audit", level=1)).to_be_visible()
    source = page.locator(".st-key-source").get_by_role("combobox")
    expect(source).to_have_value("A run")
    tab_to(page, source)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(source).not_to_have_value("A run")
    settled(page)
    tab_to(page, page.locator(".st-key-guide button"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
