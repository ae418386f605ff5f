"""Figures drawn by the installed browser, the one real outside program here."""

import io
import re
from concurrent.futures import ThreadPoolExecutor

import plotly.graph_objects as go
import pytest
from PIL import Image
from pypdf import PdfReader

from workbench.publishing import files, images, stamps

needs_browser = pytest.mark.skipif(images.browser() is None, reason="no Chrome or Chromium that Kaleido finds")


@pytest.fixture
def figure() -> go.Figure:
    drawn = go.Figure(go.Scattergl(x=["Berlin", "برلين"], y=[1, 2], mode="markers", name="dots"))
    return drawn.update_layout(template="plotly_dark", xaxis_title="Entity")


@needs_browser
@pytest.mark.browser
@pytest.mark.slow
def test_two_visitors_at_once_get_their_own_files(figure, finished_run):
    stamp = stamps.stamp([finished_run], ["workbench", "figure"], "Both")
    with ThreadPoolExecutor(2) as pool:
        kinds = [files.FORMATS["PDF"], files.FORMATS["PNG"]]
        pdf, png = pool.map(lambda kind: files.written(kind, stamp, figure=figure, columns=1), kinds)
    (page,) = PdfReader(io.BytesIO(pdf)).pages
    assert float(page.mediabox.width) / 72 == pytest.approx(3.3, abs=0.02)
    assert {"Berlin", "Entity"} <= set(page.extract_text().split())
    assert "/Image" not in str(page["/Resources"].get("/XObject", {}))
    assert stamps.read_stamp(pdf, "pdf") == stamps.read_stamp(png, "png") == stamp
    with Image.open(io.BytesIO(png)) as image:
        assert image.width / image.info["dpi"][0] == pytest.approx(3.3, abs=0.02)
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)


@needs_browser
@pytest.mark.browser
@pytest.mark.slow
def test_svg_keeps_text_as_text(figure, finished_run):
    stamp = stamps.stamp([finished_run], ["workbench", "figure"], "Vector")
    svg = files.written(files.FORMATS["SVG"], stamp, figure=figure, columns=2)
    text = svg.decode()
    assert "<image" not in text
    assert re.findall(r">([^<>]*برلين[^<>]*)</text>", text)
    assert stamps.read_stamp(svg, "svg") == stamp


def test_without_a_browser_it_is_said_what_to_do(figure, monkeypatch):
    monkeypatch.setattr(images, "browser", lambda: None)
    with pytest.raises(images.ExportError, match=r"apt install chromium.*camera button.*HTML"):
        images.draw(figure, "pdf", 1)


@needs_browser
@pytest.mark.browser
def test_a_browser_that_fails_says_why(figure, monkeypatch, tmp_path):
    broken = tmp_path / "chrome"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr("choreographer.browsers.chromium.Chromium.find_browser", lambda **_: str(broken))
    with pytest.raises(images.ExportError, match=f"{broken} could not draw the figure: .+ Try again, or export HTML"):
        images.draw(figure, "pdf", 1)
