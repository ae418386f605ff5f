"""Figures as PDF, SVG and PNG, drawn by an installed Chrome or Chromium through Kaleido, without the network.

The browser lives as long as one figure takes (about three seconds, of which it takes two to start): nothing stays behind,
and a browser that fails cannot block the next one. One figure is drawn at a time, so visitors share the machine.
"""

import threading
from typing import Literal

import plotly.graph_objects as go

from workbench.publishing.layout import for_paper

Image = Literal["pdf", "svg", "png"]
NO_BROWSER = (
    "PDF, SVG and PNG are drawn by Chrome or Chromium, and none is installed here. Install one (Debian: apt install "
    "chromium), or set BROWSER_PATH to one. Without it: the camera button of the chart saves SVG, and HTML works always."
)
DOTS_PER_INCH = 300
_TIMEOUT = 90  # seconds for one figure
_ONE_AT_A_TIME = threading.Lock()


class ExportError(RuntimeError):
    """A figure could not be drawn; says why and what to do."""


def browser() -> str | None:
    """Path of the Chrome or Chromium that draws, or None."""
    from choreographer.browsers.chromium import Chromium

    return Chromium.find_browser(skip_local=False)


def draw(figure: go.Figure, kind: Image, columns: int) -> bytes:
    """A figure laid out for a paper.

    Args:
        figure: Any figure of a page.
        kind: PDF and SVG keep text as text; PNG has 300 dots per inch.
        columns: Width in columns of a paper, 1 or 2.

    Raises:
        ExportError: If there is no browser, or it fails.
    """
    if browser() is None:
        raise ExportError(NO_BROWSER)
    import kaleido

    drawn = for_paper(figure, columns, vector=kind != "png")
    options = {"format": kind, "width": drawn.layout.width, "height": drawn.layout.height}
    options["scale"] = DOTS_PER_INCH / 96 if kind == "png" else 1
    with _ONE_AT_A_TIME:
        try:
            # No MathJax: it would come from the network, and labels would be read as formulas.
            data: bytes = kaleido.calc_fig_sync(drawn, options, kopts={"mathjax": False, "timeout": _TIMEOUT})
        except Exception as error:  # whatever a browser may do
            raise ExportError(
                f"The browser {browser()} could not draw the figure: {error or type(error).__name__}. "
                "Try again, or export HTML."
            ) from error
    return data
