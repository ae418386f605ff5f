"""The app in a real browser."""

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def test_the_three_pages_show_the_run(open_page, finished_run_path):
    page = open_page("/")
    expect(page.get_by_role("heading", name="Multilingual knowledge workbench")).to_be_visible()
    expect(page.get_by_text(finished_run_path.name).first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name=finished_run_path.name)).to_be_visible()
    expect(page.get_by_text("done", exact=True).first).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Results").click()
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    expect(page.locator(".scatterlayer .point").first).to_be_attached()
    page.wait_for_url(lambda url: "task=" in url and f"run={finished_run_path.name}" in url)


def test_a_copied_link_shows_the_same_view_and_the_csv_says_where_it_is_from(open_page, finished_run_path):
    page = open_page(f"/results?run={finished_run_path.name}&task=entity_alignment&metric=MRR&protocol=released")
    expect(page.get_by_text("Mean reciprocal rank in %").first).to_be_visible()
    expect(page.get_by_text("as the released code counts").first).to_be_visible()
    with page.expect_download() as started:
        page.locator(".st-key-csv button").click()
    lines = started.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# run {finished_run_path.name}, config ")
    assert lines[1].endswith("--task entity_alignment --metric MRR --protocol released --csv")
    assert lines[2].startswith("run,task,dataset")
    assert len(lines) > 20
