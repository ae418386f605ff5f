"""One figure or table in any format, stamped with its provenance."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from workbench.publishing import images, latex, stamps


@dataclass(frozen=True)
class Format:
    """A kind of file: its suffix without the dot, media type, whether it shows a figure, and whether a browser draws it."""

    suffix: str
    mime: str
    figure: bool
    drawn: bool = False


FORMATS = {
    "PDF": Format("pdf", "application/pdf", figure=True, drawn=True),
    "SVG": Format("svg", "image/svg+xml", figure=True, drawn=True),
    "PNG": Format("png", "image/png", figure=True, drawn=True),
    "HTML": Format("html", "text/html", figure=True),
    "CSV": Format("csv", "text/csv", figure=False),
    "LaTeX": Format("tex", "application/x-tex", figure=False),
}


def by_suffix(name: str) -> Format:
    """The format of a file's name.

    Raises:
        ValueError: If its suffix belongs to none.
    """
    suffix = name.rpartition(".")[2].lower()
    for known in FORMATS.values():
        if known.suffix == suffix:
            return known
    allowed = ", ".join(f".{known.suffix}" for known in FORMATS.values())
    raise ValueError(f"{name}: the suffix gives the format; use one of {allowed}.")


def written(
    kind: Format,
    stamp: stamps.Stamp,
    *,
    figure: go.Figure | None = None,
    table: pd.DataFrame | None = None,
    columns: int = 1,
    best: latex.Best | None = None,
) -> bytes:
    """A file's content.

    Args:
        kind: Its format.
        stamp: What it says of where it comes from (`stamps.stamp`); its caption becomes the title.
        figure: What formats of figures show.
        table: What formats of tables hold.
        columns: Width of a figure in columns of a paper.
        best: What of a LaTeX table is marked as best.

    Raises:
        ValueError: If the format needs what is not given.
        images.ExportError: If a figure cannot be drawn.
    """
    if kind.figure and figure is not None:
        return _of_figure(kind, stamp, figure, columns)
    if kind.figure or table is None:
        raise ValueError(f"There is no {'figure' if kind.figure else 'table'} here for a .{kind.suffix} file.")
    if kind.suffix == "csv":
        return stamps.commented(_csv(table), stamp, "csv")
    text = latex.from_frame(table, caption=stamp["caption"], label=_label(stamp["caption"]), best=best)
    return stamps.commented(text, stamp, "tex")


def complete(command: Sequence[str], file: str, kind: Format, columns: int) -> list[str]:
    """A command with the file that it writes, and its width, if it is a `workbench figure`; others as they are."""
    if list(command[:2]) != ["workbench", "figure"]:
        return list(command)
    return [*command, "--out", file, *(["--columns", str(columns)] if kind.drawn else [])]


def _of_figure(kind: Format, stamp: stamps.Stamp, figure: go.Figure, columns: int) -> bytes:
    if kind.suffix == "html":
        page = go.Figure(figure).update_layout(template="plotly_white", autosize=True)
        return stamps.into_html(page.to_html(include_plotlyjs=True, config={"displaylogo": False}), stamp)
    if kind.suffix == "pdf":
        return stamps.into_pdf(images.draw(figure, "pdf", columns), stamp)
    if kind.suffix == "svg":
        return stamps.into_svg(images.draw(figure, "svg", columns), stamp)
    return stamps.into_png(images.draw(figure, "png", columns), stamp, images.DOTS_PER_INCH)


def _csv(table: pd.DataFrame) -> str:
    """A named index is columns too; several levels of column names become one."""
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    if table.columns.nlevels > 1:
        table = table.set_axis([", ".join(filter(None, map(str, name))) for name in table.columns], axis=1)
    return table.to_csv(index=False)


def _label(caption: str) -> str:
    words = re.findall(r"[a-z0-9]+", caption.lower())
    return "-".join(words[:5]) or "workbench"
