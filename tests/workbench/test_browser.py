"""Every page of the menu in a real browser: it opens, says what it is, and nothing goes wrong."""

import re

import pytest

from tests.workbench.navigation import MENU

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def test_the_menu_lists_every_page(open_page):
    page = open_page("/")
    links = page.get_by_test_id("stSidebarNav").get_by_role("link")
    expect(links).to_have_text([re.compile(f"{title}$") for title in MENU])  # an icon is text too
    addresses = [link.get_attribute("href") for link in links.all()]
    assert [f"/{address.rstrip('/').rsplit('/', 1)[1]}" for address in addresses[1:]] == [*MENU.values()][1:]


@pytest.mark.parametrize("title", MENU)
def test_a_page_opens_at_its_address(open_page, title):
    page = open_page(MENU[title])
    heading = page.get_by_test_id("stMain").get_by_role("heading", level=1)
    expect(heading).to_have_count(1)
    expect(heading).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.locator(".st-key-about")).to_contain_text("Version")


def test_every_page_opens_from_the_menu_in_one_visit(open_page):
    page = open_page("/")
    for title, path in MENU.items():
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
        page.wait_for_url(lambda url, path=path: url.split("?")[0].endswith(path))
        link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True)
        expect(link).to_have_attribute("aria-current", "page")
        expect(page.get_by_test_id("stMain").get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)


def test_nothing_of_the_framework_is_left_over(open_page):
    page = open_page("/")
    expect(page.get_by_test_id("stMain").get_by_role("heading", level=1)).to_be_visible()
    for leftover in ("stMainMenu", "stAppDeployButton", "stToolbarActions"):
        expect(page.get_by_test_id(leftover)).to_have_count(0)
    assert "streamlit" not in page.locator("body").inner_text().lower()
    assert "streamlit" not in page.title().lower()


def test_the_guide_is_the_readme_without_broken_links(open_page):
    page = open_page("/")
    page.locator(".st-key-guide button").click()
    guide = page.get_by_role("dialog")
    expect(guide.get_by_role("heading", name="What the demo does")).to_be_visible()
    assert guide.get_by_role("img").count() == 0
    addresses = [link.get_attribute("href") for link in guide.locator("p a, li a").all()]
    assert addresses
    assert all(address.startswith("http") for address in addresses)
    page.keyboard.press("Escape")
    expect(guide).to_have_count(0)


def test_the_overview_leads_to_the_run_and_its_results(open_page, finished_run_path):
    page = open_page("/")
    expect(page.get_by_text(finished_run_path.name).first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name=finished_run_path.name)).to_be_visible()
    expect(page.get_by_text("done", exact=True).first).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Results").click()
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    expect(page.locator(".scatterlayer .point").first).to_be_attached()
    page.wait_for_url(lambda url: "task=" in url and f"run={finished_run_path.name}" in url)
