"""A page's figure -> the same data laid out for a paper: white, one or two columns wide, small type, all scripts.

What a figure shows is never changed: its traces' values and colours stay as they are.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

from workbench.publishing.scripts import PAPER_FONT, isolated

INCHES = {1: 3.3, 2: 6.9}  # columns -> width of a figure
_POINTS = {1: 7.0, 2: 8.0}  # columns -> size of the type
_PIXELS = 96  # to the inch, as browsers count
_PAGE_FONT = 12  # px: what sizes on the pages are made for
_WEBGL_POINTS = 20_000  # as SVG these take about six seconds and 3 MB; more stay a bitmap inside the file
_ASPECT = 0.78  # height over width of a panel that had panels beside it


def for_paper(figure: go.Figure, columns: int, vector: bool) -> go.Figure:
    """A copy of a figure for one or two columns of a paper.

    Args:
        figure: Any figure of a page.
        columns: 1 or 2.
        vector: Whether WebGL traces become SVG ones, up to 20,000 points in all.

    Raises:
        ValueError: If `columns` is neither.
    """
    if columns not in INCHES:
        raise ValueError(f"A figure is 1 or 2 columns wide, not {columns}.")
    spec = figure.to_plotly_json()
    traces, layout = [_copied(trace) for trace in spec["data"]], _copied(spec["layout"])
    layout.pop("template", None)
    width, size = round(INCHES[columns] * _PIXELS), _POINTS[columns] * _PIXELS / 72
    scale = size / _PAGE_FONT
    if vector and sum(map(_points, figure.data)) <= _WEBGL_POINTS:
        for trace in traces:
            trace["type"] = str(trace.get("type", "scatter")).removesuffix("gl")
    for trace in traces:
        _shrink(trace, scale, size)
    for node, key in displayed(traces, layout):
        node[key] = _each(node[key], isolated)
    drawn = go.Figure({"data": traces, "layout": layout}, skip_invalid=True)
    height = scale * (drawn.layout.height or 450)
    if columns == 1 and (panels := _side_by_side(drawn)):
        height = panels * width * _ASPECT
        _stack(drawn, panels)
    drawn.update_layout(
        template="plotly_white",
        width=width,
        height=round(height),
        autosize=False,
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": PAPER_FONT, "size": size, "color": "#111111"},
        margin={"l": 4, "r": 6, "t": round(1.5 * size), "b": round(0.8 * size)},
        legend={"font": {"size": size}, "itemwidth": 30, "tracegroupgap": 2},
    )
    drawn.update_xaxes(automargin=True, title_standoff=6, ticklen=2)
    drawn.update_yaxes(automargin=True, title_standoff=6, ticklen=2)
    for axis in (*drawn.select_xaxes(), *drawn.select_yaxes()):
        axis.update(tickfont={"size": size}, title_font={"size": size}, zeroline=bool(axis.zeroline))
    drawn.update_annotations(font={"size": size})
    return drawn


def displayed_texts(figure: go.Figure) -> list[str]:
    """Every text that a figure draws without a pointer on it; the texts behind a pointer are in no file but HTML."""
    spec = figure.to_plotly_json()
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    for node, key in displayed(list(spec["data"]), spec["layout"]):
        _each(node[key], keep)
    return found


def displayed(traces: list[dict[str, Any]], layout: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where the texts of a figure lie: (object, key) of a text or a sequence that holds texts."""
    for trace in traces:
        shows_text = "text" in str(trace.get("mode", "")) or "texttemplate" in trace or trace.get("type") == "bar"
        keys = ("name", "x", "y", "labels", *(("text",) if shows_text else ()))
        yield from ((trace, key) for key in keys if trace.get(key) is not None)
        yield from _titles(trace.get("colorbar") or {})
        yield from _titles((trace.get("marker") or {}).get("colorbar") or {})
    yield from _titles(layout)
    yield from ((note, "text") for note in layout.get("annotations") or () if note.get("text"))
    for name, part in layout.items():
        if re.fullmatch(r"[xy]axis\d*|coloraxis\d*", name):
            yield from _titles(part.get("colorbar") or part)
            if part.get("ticktext") is not None:
                yield part, "ticktext"


def _titles(part: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    title = part.get("title")
    if isinstance(title, dict) and title.get("text"):
        yield title, "text"


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """A text, or a sequence with texts among its values, changed; numbers and packed arrays as they are."""
    if isinstance(value, str):
        return change(value)
    texts = isinstance(value, list | tuple) or getattr(getattr(value, "dtype", None), "kind", "") in "OUT"
    if texts and not isinstance(value, dict):
        return [_each(part, change) if isinstance(part, str | list | tuple) else part for part in value]
    return value


def _copied(value: Any) -> Any:
    """A copy of nested objects and lists that shares the arrays."""
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list | tuple) else value


def _points(trace: BaseTraceType) -> int:
    """Points of a WebGL trace; others have none that count."""
    return (
        max(len(trace.x), len(trace.y))
        if trace.type == "scattergl" and trace.x is not None and trace.y is not None
        else 0
    )


def _shrink(trace: dict[str, Any], scale: float, size: float) -> None:
    """Markers, lines and numbers in cells in proportion to the smaller type."""
    marker = trace.get("marker") or {}
    bars = [bar for bar in (trace.get("colorbar"), marker.get("colorbar")) if bar]
    for bar in bars:
        bar["tickfont"] = {"size": size}
        if isinstance(bar.get("title"), dict):
            bar["title"] = bar["title"] | {"font": {"size": size}}
    for part, key in (
        *((marker, "size"), (marker.get("line") or {}, "width"), (trace.get("line") or {}, "width")),
        *((trace.get(axis) or {}, "thickness") for axis in ("error_x", "error_y")),
        *((bar, "thickness") for bar in bars),
    ):
        if isinstance(part.get(key), int | float):
            part[key] = scale * part[key]
    if "texttemplate" in trace or "text" in str(trace.get("mode", "")):
        trace["textfont"] = (trace.get("textfont") or {}) | {"size": 0.85 * size}


def _side_by_side(figure: go.Figure) -> int:
    """Number of panels if a figure is one row of several, else 0."""
    axes = [axis.domain for axis in figure.select_xaxes()]
    rows = {tuple(axis.domain or (0, 1)) for axis in figure.select_yaxes()}
    return len(axes) if len(axes) > 1 and None not in axes and len(set(axes)) == len(axes) and len(rows) == 1 else 0


def _stack(figure: go.Figure, panels: int) -> None:
    """A row of panels as a column of them, each with its heading."""
    gap = 0.14
    height = (1 - gap * (panels - 1)) / panels
    tops = [1 - place * (height + gap) for place in range(panels)]
    for axis in figure.select_xaxes():
        axis.domain = (0, 1)
    for axis, top in zip(figure.select_yaxes(), tops, strict=True):
        axis.domain = (max(0.0, top - height), top)
    headings = [note for note in figure.select_annotations() if note.xref == note.yref == "paper"]
    for note, top in zip(headings, tops, strict=False):
        note.update(x=0.5, xanchor="center", y=top)
