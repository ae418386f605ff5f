"""Where a file's numbers come from, inside the file: run, config, data, commit, versions and the command.

The stamp is JSON: in a PDF's document information, an SVG's `<metadata>`, a PNG's text chunk, an HTML page's `<meta>`, and
a comment line of CSV and LaTeX files, under lines for people.
"""

import html
import io
import json
import re
import shlex
from collections.abc import Sequence
from importlib import metadata
from typing import Any
from xml.sax.saxutils import escape, unescape

from core.runs import provenance
from core.runs.store import RunDir

Stamp = dict[str, Any]
_NAME = "provenance"
_KEY = f"/{_NAME.title()}"  # in a PDF's document information
_COMMENTS = {"csv": "# ", "tex": "% "}


def stamp(runs: Sequence[RunDir], command: Sequence[str], caption: str = "") -> Stamp:
    """What a file says of itself: its runs (`core.runs.provenance.facts`), what made it, and how to make it again."""
    made = {name: metadata.version(name) for name in (provenance.DISTRIBUTION, "plotly", "pandas")}
    return {
        "caption": caption,
        "runs": [provenance.facts(run) for run in runs],
        "command": shlex.join(command),
        "made_with": made | provenance.commit(),
    }


def comments(stamp: Stamp) -> list[str]:
    """The stamp in lines: a run each, the command, and all of it as JSON."""
    runs = [provenance.sentence(run) for run in stamp["runs"]]
    return [*runs, f"again: {stamp['command']}", f"{_NAME}: {_json(stamp)}"]


def commented(text: str, stamp: Stamp, kind: str) -> bytes:
    """A CSV (`csv`) or LaTeX (`tex`) text under its stamp."""
    return ("".join(f"{_COMMENTS[kind]}{line}\n" for line in comments(stamp)) + text).encode()


def into_pdf(data: bytes, stamp: Stamp) -> bytes:
    """A PDF with the stamp in its document information."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    said = comments(stamp)
    writer.add_metadata(
        {"/Title": stamp["caption"], "/Subject": "; ".join(said[:-2]), "/Keywords": said[-2], _KEY: _json(stamp)}
        | {"/Creator": _maker(stamp)}
    )
    with io.BytesIO() as file:
        writer.write(file)
        return file.getvalue()


def into_svg(data: bytes, stamp: Stamp) -> bytes:
    """An SVG file with the stamp as its metadata, and a title."""
    title, record = escape(_printable(stamp["caption"])), escape(_json(stamp))
    added = f'<title>{title}</title><metadata id="{_NAME}">{record}</metadata>'
    return re.sub(rb"<svg\b[^>]*>", lambda start: start[0] + added.encode(), data, count=1)


def into_png(data: bytes, stamp: Stamp, dots_per_inch: int) -> bytes:
    """A PNG with the stamp in its text chunks, and its true size on paper."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_itxt("Title", stamp["caption"])
    texts.add_text("Software", _maker(stamp))
    texts.add_text(_NAME, _json(stamp))
    with Image.open(io.BytesIO(data)) as image, io.BytesIO() as file:
        image.save(file, "PNG", pnginfo=texts, dpi=(dots_per_inch, dots_per_inch), optimize=True)
        return file.getvalue()


def into_html(page: str, stamp: Stamp) -> bytes:
    """A page with the stamp in its head, and a title."""
    head = f"<title>{html.escape(stamp['caption'])}</title>"
    head += f'<meta name="{_NAME}" content="{html.escape(_json(stamp))}">'
    return page.replace("<head>", f"<head>{head}", 1).encode()


def read_stamp(data: bytes, kind: str) -> Stamp:
    """The stamp of a file that the workbench wrote.

    Args:
        data: The file.
        kind: Its suffix: pdf, svg, png, html, csv or tex.

    Raises:
        ValueError: If it has none.
    """
    found = _READERS[kind](data) if kind in _READERS else None
    if not found:
        raise ValueError(f"This {kind} file has no stamp of the workbench.")
    return json.loads(found)


def _from_pdf(data: bytes) -> str | None:
    from pypdf import PdfReader

    said = PdfReader(io.BytesIO(data)).metadata
    return said.get(_KEY) if said else None


def _from_png(data: bytes) -> str | None:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return image.info.get(_NAME)


def _from_svg(data: bytes) -> str | None:
    found = re.search(rf'<metadata id="{_NAME}">(.*?)</metadata>'.encode(), data, re.DOTALL)
    return unescape(found[1].decode()) if found else None


def _from_html(data: bytes) -> str | None:
    found = re.search(rf'<meta name="{_NAME}" content="([^"]*)">'.encode(), data)
    return html.unescape(found[1].decode()) if found else None


def _from_comments(data: bytes) -> str | None:
    found = re.search(rf"^[#%] {_NAME}: (.*)$".encode(), data, re.MULTILINE)
    return found[1].decode() if found else None


_READERS = {
    **{"pdf": _from_pdf, "png": _from_png, "svg": _from_svg, "html": _from_html},
    **dict.fromkeys(_COMMENTS, _from_comments),
}


def _json(stamp: Stamp) -> str:
    return json.dumps(stamp)  # ASCII: fits every format


def _printable(text: str) -> str:
    """A text without the control characters that XML forbids."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def _maker(stamp: Stamp) -> str:
    return f"{provenance.DISTRIBUTION} {stamp['made_with'][provenance.DISTRIBUTION]}"
