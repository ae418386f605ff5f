"""A visitor exports a figure in a real browser, and opens the PDF."""

import io

import pytest
from pypdf import PdfReader

from workbench.publishing import images, stamps

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


@pytest.mark.slow
@pytest.mark.skipif(images.browser() is None, reason="no Chrome or Chromium that Kaleido finds")
def test_a_pdf_from_a_page_has_text_and_says_where_it_is_from(open_page, finished_run_path):
    page = open_page(f"/ablation?runs={finished_run_path.name}")
    page.locator(".st-key-panels_0_export button").first.click()
    button = page.get_by_role("button", name="Download PDF")
    expect(button).to_be_visible()
    with page.expect_download(timeout=120_000) as started:
        button.click()
    data = started.value.path().read_bytes()
    (drawn,) = PdfReader(io.BytesIO(data)).pages
    assert float(drawn.mediabox.width) / 72 == pytest.approx(3.3, abs=0.02)
    assert {"Hit@1", "Sup", "backbone", "+Fusion"} <= set(drawn.extract_text().split())
    stamp = stamps.read_stamp(data, "pdf")
    assert [run["run"] for run in stamp["runs"]] == [finished_run_path.name]
    assert stamp["command"].startswith(f"workbench figure ablation {finished_run_path.name} --task ")
    page.get_by_role("radio", name="CSV").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download CSV").click()
    assert stamps.read_stamp(started.value.path().read_bytes(), "csv")["runs"] == stamp["runs"]
