"""Links, the back button, runs that are gone, and visitors who do not see each other, in a real browser."""

import shutil

import pytest

from core.runs.store import list_runs
from tests.workbench.navigation import MENU, ONE_PAGE_FAST
from tests.workbench.serving import served, settled

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
pytestmark = pytest.mark.browser


def sidebar_choices(page) -> dict[str, str]:
    """Label of every select box of the sidebar -> what it shows."""
    boxes = page.get_by_test_id("stSidebarUserContent").get_by_role("combobox").all()
    return {box.get_attribute("aria-label") or box.get_attribute("id"): box.input_value() for box in boxes}


def choose(page, key: str, option: str) -> None:
    """Choose from a list; a list closes when its page is drawn again, and is opened once more."""
    wanted = page.get_by_role("option", name=option, exact=True)
    for _ in range(5):
        settled(page)
        page.locator(f".st-key-{key}").get_by_role("combobox").click()
        try:
            return wanted.click(timeout=4000)
        except playwright.TimeoutError:
            page.keyboard.press("Escape")
    raise AssertionError(f"The list {key} did not stay open.")


def shows(page, key: str, value: str) -> None:
    expect(page.locator(f".st-key-{key}").get_by_role("combobox")).to_have_value(value)


@pytest.mark.parametrize("title", ONE_PAGE_FAST)
def test_the_address_of_a_view_shows_the_same_view_to_somebody_else(visit, app_url, finished_run_path, title):
    link = f"{MENU[title]}?run={finished_run_path.name}&task=entity_alignment&protocol=released"
    first = visit(app_url, link)
    settled(first)
    chosen = sidebar_choices(first)
    address = first.url.removeprefix(app_url)
    assert f"run={finished_run_path.name}" in address
    second = visit(app_url, address)
    settled(second)
    second.wait_for_url(app_url + address)
    assert sidebar_choices(second) == chosen


def test_a_choice_goes_into_the_address_and_back_takes_it_back(visit, app_url, finished_run_path):
    page = visit(app_url, f"/results?run={finished_run_path.name}&task=entity_alignment")
    page.wait_for_url(lambda url: "metric=Hit%401&" in f"{url}&")
    choose(page, "metric", "MRR")
    expect(page.get_by_text("Mean reciprocal rank in %").first).to_be_visible()
    page.wait_for_url(lambda url: "metric=MRR" in url)
    page.go_back()
    shows(page, "metric", "Hit@1")
    expect(page.get_by_text("Mean reciprocal rank in %")).to_have_count(0)
    page.go_forward()
    shows(page, "metric", "MRR")


def test_back_takes_back_a_choice_that_the_address_did_not_name(visit, app_url, finished_run_path):
    page = visit(app_url, f"/ablation?runs={finished_run_path.name}")
    page.wait_for_url(lambda url: "baseline=" in url)
    page.locator(".st-key-systems").get_by_role("combobox").click()
    page.get_by_role("option", name="+EP", exact=True).click()
    page.wait_for_url(lambda url: "systems=%2BEP" in url)
    page.go_back()
    expect(page.locator(".st-key-systems [data-tag]")).to_have_count(0)
    page.wait_for_url(lambda url: "systems=" not in url)


def test_back_leads_to_the_page_before(visit, app_url, finished_run_path):
    page = visit(app_url, f"/results?run={finished_run_path.name}")
    page.wait_for_url(lambda url: "metric=" in url)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Audit").click()
    expect(page.get_by_role("heading", name="Audit", level=1)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Results", level=1)).to_be_visible()
    shows(page, "run", finished_run_path.name)


def test_a_copied_link_shows_the_view(open_page, finished_run_path):
    page = open_page(f"/results?run={finished_run_path.name}&task=entity_alignment&metric=MRR&protocol=released")
    expect(page.get_by_text("Mean reciprocal rank in %").first).to_be_visible()
    expect(page.get_by_text("as the released code counts").first).to_be_visible()
    expect(page.get_by_text(f"Run {finished_run_path.name}, recipe").first).to_be_visible()


def test_a_link_to_a_run_that_is_not_here_says_so(visit, app_url, finished_run_path):
    page = visit(app_url, "/results?run=20200101-000000-never-was&metric=<b>nonsense</b>")
    notices = page.get_by_test_id("stAlert")
    expect(notices.filter(has_text="The run 20200101-000000-never-was is not here")).to_be_visible()
    expect(notices.filter(has_text="the metric <b>nonsense</b>, which is no choice here")).to_be_visible()
    expect(notices.first).to_contain_text(f"Shown instead: {finished_run_path.name}")
    choose(page, "metric", "Hit@10")
    page.wait_for_url(lambda url: "metric=Hit%4010" in url)
    expect(notices).to_have_count(0)


@pytest.fixture(scope="module")
def changing(finished_run_path, shared_cache, tmp_path_factory):
    """An app whose runs a test may change, and the folder of its runs."""
    room = tmp_path_factory.mktemp("changing")
    runs = room / "runs"
    runs.mkdir()
    with served(room, WORKBENCH_RUNS=str(runs), WORKBENCH_CACHE=str(shared_cache)) as url:
        yield url, runs


@pytest.mark.parametrize("title", ONE_PAGE_FAST)
def test_a_run_that_is_removed_under_an_open_page_gives_a_message(visit, changing, finished_run_path, title):
    url, runs = changing
    name = f"removed-under-{MENU[title].strip('/') or 'overview'}"
    shutil.copytree(finished_run_path, runs / name)
    page = visit(url, f"{MENU[title]}?run={name}")
    settled(page)
    asks_for_a_run = page.locator(".st-key-run").count() > 0
    shutil.rmtree(runs / name)
    page.keyboard.press("r")  # Streamlit's own key: run the page again
    if asks_for_a_run:
        said = page.get_by_test_id("stAlert").filter(has_text=f"The run {name} is not here")
        expect(said).to_be_visible()
    expect(page.get_by_test_id("stMain").get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_two_visitors_never_see_each_others_state(visit, app_url, finished_run_path):
    (shipped, *_) = [run.name for run in list_runs() if run.cached]
    one = visit(app_url, f"/results?run={finished_run_path.name}&task=entity_alignment&metric=MRR")
    two = visit(app_url, f"/results?run={shipped}&task=entity_alignment&metric=Hit@10")
    shows(one, "run", finished_run_path.name)
    shows(two, "run", f"{shipped} (shipped)")
    shows(two, "metric", "Hit@10")
    choose(one, "metric", "Hit@1")
    one.wait_for_url(lambda url: "metric=Hit%401" in url)
    choose(two, "task", "Knowledge-graph completion")
    two.wait_for_url(lambda url: "task=kg_completion" in url)
    one.get_by_test_id("stSidebarNav").get_by_role("link", name="Fusion attention").click()
    expect(one.get_by_role("heading", name="Fusion attention", level=1)).to_be_visible()
    shows(one, "run", finished_run_path.name)
    expect(two.get_by_role("heading", name="Results", level=1)).to_be_visible()
    shows(two, "run", f"{shipped} (shipped)")
    shows(two, "metric", "Hit@10")
    two.reload()
    shows(two, "run", f"{shipped} (shipped)")
    shows(two, "task", "Knowledge-graph completion")
    expect(two.get_by_text(finished_run_path.name, exact=True)).to_have_count(0)
