"""The export menu of every chart and table: nothing is drawn until it is asked for."""

import shlex
import threading
from collections.abc import Callable, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.runs.store import RunDir
from workbench.publishing import files, images, layout, scripts, stamps
from workbench.publishing.latex import Best

_HEIGHT = 350  # px
_MARKS: dict[str, Best | None] = {"none": None, "in each column": "column", "in each row": "row"}


@st.fragment
def menu(
    key: str,
    *,
    figure: go.Figure | None = None,
    table: pd.DataFrame | None = None,
    name: str,
    runs: Sequence[RunDir],
    command: Sequence[str],
    caption: str = "",
) -> None:
    """A popover with a download of a figure, of the table behind it, or of both.

    It runs by itself: opening it or changing its choices leaves the page as it is.

    Args:
        key: Key of the menu among the page's widgets.
        figure: What is drawn, if anything.
        table: The numbers behind it, if there are any.
        name: Name of the file, without a suffix.
        runs: Where the numbers come from.
        command: The command that draws it again; `--out` and `--columns` of a `workbench figure` are added.
        caption: What is shown: caption of a LaTeX table, title of the other files.
    """
    popover = st.popover("Export", icon=":material/download:", key=f"{key}_export", on_change="rerun", type="tertiary")
    # An empty box of the final height even while it is closed: the browser decides by it on which side there is room.
    box = popover.container(height=_HEIGHT if figure is not None else _HEIGHT - 80, border=False)
    if not popover.open:
        return
    with box:
        there = {n: f for n, f in files.FORMATS.items() if (figure if f.figure else table) is not None}
        chosen = st.segmented_control(
            "Format", list(there), default=next(iter(there)), required=True, key=f"{key}_format"
        )
        kind = there[chosen]
        columns = _columns(key) if kind.drawn else 1
        best = st.selectbox("Largest in bold", list(_MARKS), key=f"{key}_best") if kind.suffix == "tex" else "none"
        words = files.complete(command, f"{name}.{kind.suffix}", kind, columns)
        if kind.drawn and images.browser() is None:
            st.text(images.NO_BROWSER)
            st.code(shlex.join(words), language="shell", wrap_lines=True)
            return
        shown = layout.displayed_texts(figure) if figure is not None and kind.drawn else []
        if told := scripts.warning(scripts.without_font(shown)):
            st.text(told)

        def make() -> bytes:
            stamp = stamps.stamp(runs, words, caption or name)
            return files.written(kind, stamp, figure=figure, table=table, columns=columns, best=_MARKS[best])

        progress = _Progress.of(key)
        st.download_button(
            f"Download {chosen}",
            progress.watched(make),
            f"{name}.{kind.suffix}",
            kind.mime,
            key=f"{key}_download",
            on_click="ignore",
            icon=":material/download:",
        )
        st.fragment(progress.show, run_every=1.0)() if kind.drawn else progress.show()
        st.caption("The same from the command line; the file names its runs, config, data and commit.")
        st.code(shlex.join(words), language="shell", wrap_lines=True)


def _columns(key: str) -> int:
    titles = {1: f"one column ({layout.INCHES[1]} in)", 2: f"two columns ({layout.INCHES[2]} in)"}
    return st.segmented_control(
        "Width", list(titles), default=1, required=True, format_func=titles.__getitem__, key=f"{key}_columns"
    )


class _Progress:
    """How the last file of a menu fares: a download runs outside the page's script and cannot tell the page."""

    def __init__(self) -> None:
        self.drawing, self.problem, self.lock = 0, "", threading.Lock()

    @classmethod
    def of(cls, key: str) -> "_Progress":
        return st.session_state.setdefault(f"{key}_progress", cls())

    def watched(self, make: Callable[[], bytes]) -> Callable[[], bytes]:
        """The same function, which tells when it works and why it failed."""

        def run() -> bytes:
            with self.lock:
                self.drawing, self.problem = self.drawing + 1, ""
            try:
                return make()
            except Exception as error:
                self.problem = str(error) or type(error).__name__
                raise
            finally:
                with self.lock:
                    self.drawing -= 1

        return run

    def show(self) -> None:
        """Whether a file is being drawn, or why there is none."""
        if self.problem:
            st.error("There is no file.")
            st.text(self.problem)
        elif self.drawing:
            st.caption("Drawing ... a browser takes about three seconds.")
