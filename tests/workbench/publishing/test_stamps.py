"""Every format keeps its stamp, and the stamp says what the run's own files say."""

import io

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from workbench.publishing import stamps

COMMAND = ["workbench", "figure", "fusion", "a run", "--languages", "Sup", "--out", "f.pdf"]
CAPTION = 'Gewicht & <Maß> "ق" 中 %_\\'


@pytest.fixture
def stamp(finished_run):
    return stamps.stamp([finished_run], COMMAND, CAPTION)


def blank(kind: str) -> bytes:
    with io.BytesIO() as file:
        if kind == "pdf":
            writer = PdfWriter()
            writer.add_blank_page(72, 72)
            writer.write(file)
        else:
            Image.new("RGB", (3, 2), "#0072B2").save(file, "PNG")
        return file.getvalue()


SVG = b'<svg class="main" width="3" viewBox="0 0 3 2"><rect/><svg width="1"></svg></svg>'


def written(kind: str, stamp: stamps.Stamp) -> bytes:
    match kind:
        case "pdf":
            return stamps.into_pdf(blank("pdf"), stamp)
        case "png":
            return stamps.into_png(blank("png"), stamp, 300)
        case "svg":
            return stamps.into_svg(SVG, stamp)
        case "html":
            return stamps.into_html("<html><head><meta charset='utf-8'></head><body>x</body></html>", stamp)
        case _:
            return stamps.commented("a,b\n1,2\n", stamp, kind)


def test_a_stamp_says_what_the_run_is(stamp, finished_run):
    (run,) = stamp["runs"]
    record = finished_run.provenance()
    assert run["run"] == finished_run.name
    assert run["config"] == finished_run.config.fingerprint() == record["fingerprint"]
    assert run["corpus"] == record["data"]["corpus"]["sha256"]
    assert run["backbone"] == record["data"]["backbone"]["sha256"]
    assert run["versions"]["torch"] == record["attempts"][-1]["versions"]["torch"]
    assert run["seed"] == finished_run.config.seed
    assert stamp["command"] == "workbench figure fusion 'a run' --languages Sup --out f.pdf"
    assert stamp["made_with"]["plotly"]


@pytest.mark.parametrize("kind", ["pdf", "png", "svg", "html", "csv", "tex"])
def test_every_format_keeps_its_stamp(kind, stamp):
    data = written(kind, stamp)
    assert stamps.read_stamp(data, kind) == stamp
    unstamped = {"pdf": blank("pdf"), "png": blank("png"), "svg": SVG}.get(kind, b"a,b\n1,2\n")
    with pytest.raises(ValueError, match=f"This {kind} file has no stamp"):
        stamps.read_stamp(unstamped, kind)


def test_the_content_stays_and_people_can_read_where_it_is_from(stamp, finished_run):
    pdf = PdfReader(io.BytesIO(written("pdf", stamp)))
    assert len(pdf.pages) == 1
    assert pdf.metadata.title == CAPTION
    assert pdf.metadata.subject.startswith(f"run {finished_run.name}, config ")
    with Image.open(io.BytesIO(written("png", stamp))) as png:
        assert png.getpixel((1, 1)) == (0, 0x72, 0xB2)
        assert png.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert png.info["Title"] == CAPTION
    svg = written("svg", stamp)
    assert svg.count(b"<metadata") == 1
    assert svg.endswith(b'<rect/><svg width="1"></svg></svg>')
    assert b"&lt;Ma\xc3\x9f&gt;" in svg
    page = written("html", stamp).decode()
    assert "<title>Gewicht &amp; &lt;Maß&gt;" in page
    assert page.endswith("<body>x</body></html>")
    lines = written("csv", stamp).decode().splitlines()
    assert lines[0].startswith(f"# run {finished_run.name}, config ")
    assert lines[1] == "# again: workbench figure fusion 'a run' --languages Sup --out f.pdf"
    assert lines[-2:] == ["a,b", "1,2"]
    assert all(line.startswith("% ") for line in written("tex", stamp).decode().splitlines()[:3])


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="This docx file has no stamp"):
        stamps.read_stamp(b"", "docx")
