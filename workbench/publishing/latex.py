"""LaTeX tables with booktabs: the one place that escapes text and knows the commands."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pandas as pd

ROWS_ON_A_PAGE = 48  # more make a longtable
Best = Literal["column", "row"]
_ESCAPED = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "△": r"$\triangle$"},
    **{"–": "--", "−": "$-$", "Δ": r"$\Delta$", "→": r"$\rightarrow$", "\n": " "},
}
_STAMPED = ("run", "runs")  # columns that the file's stamp names anyway
_SIGNED = re.compile(r"[+-]\d[\d.,]*")


def escape(text: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(_ESCAPED.get(c, c) for c in text).replace(r"-\textgreater{}", r"$\rightarrow$")


def cell(text: str) -> str:
    """A cell's text; signed numbers in mathematics, so that a minus is one."""
    return f"${text}$" if _SIGNED.fullmatch(text) else escape(text)


def line(cells: Iterable[str]) -> str:
    """A row of finished cells."""
    return " & ".join(cells) + r" \\"


def spanning(groups: Sequence[tuple[str, int]], first: int) -> list[str]:
    """A row of headings, each over some columns, and the rules below them.

    Args:
        groups: (heading, number of columns); an empty heading is left without a rule.
        first: Number of columns before them.
    """
    over, rules, start = [""] * first, [], first + 1
    for heading, width in groups:
        over.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(heading)}}}" if heading else " & ".join([""] * width))
        rules += [rf"\cmidrule(lr){{{start}-{start + width - 1}}}"] if heading else []
        start += width
    return [line(over), "".join(rules)]


def table(
    spec: str, head: Sequence[str], body: Sequence[str], *, caption: str, label: str, rows: int | None = None
) -> str:
    """A booktabs table over both columns of a paper; one that fills more than a page is a longtable.

    Args:
        spec: A letter for each column: l, c or r.
        head: Finished lines of the header.
        body: Finished lines of the rows, with rules among them.
        caption: Text of the caption, not yet escaped.
        label: What a reference names, after `tab:`.
        rows: Number of rows, where `body` has rules too.
    """
    long = is_long(len(body) if rows is None else rows)
    small = r"\footnotesize\setlength{\tabcolsep}{3pt}"
    named = rf"\caption{{{escape(caption)}}}\label{{tab:{label}}}"
    head = [r"\toprule", *head, r"\midrule"]
    if long:
        opening = [rf"{{{small}", rf"\begin{{longtable}}{{{spec}}}", named + r" \\", *head, r"\endfirsthead", *head]
        lines = [*opening, r"\endhead", r"\bottomrule", r"\endfoot", *body, r"\end{longtable}", "}"]
    else:
        opening = [r"\begin{table*}", r"\centering", small, named, rf"\begin{{tabular}}{{{spec}}}", *head]
        lines = [*opening, *body, r"\bottomrule", r"\end{tabular}", r"\end{table*}"]
    needs = f"% needs booktabs{' and longtable' if long else ''}"
    if foreign := sorted({c for c in "".join(lines) if ord(c) > 0x24F}):
        needs += f"; has letters such as {foreign[0]} that need XeLaTeX or LuaLaTeX and a font with them"
    return "\n".join([needs, *lines]) + "\n"


def is_long(rows: int) -> bool:
    """Whether a table of so many rows fills more than a page."""
    return rows > ROWS_ON_A_PAGE


def from_frame(frame: pd.DataFrame, *, caption: str, label: str, best: Best | None = None) -> str:
    """A frame as a table: several levels of columns become headings over groups of columns.

    Args:
        frame: Texts to the left, numbers to the right. Floats get the decimals that show three digits of the largest
            value; missing values are dashes. A named index is columns too. Columns without any value go, and
            those that say the same in every row go into the caption.
        caption: Text of the caption.
        label: What a reference names, after `tab:`.
        best: Set the largest number in bold and underline the second, in each column of floats, or in each row of them.
    """
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame, caption = _condensed(frame, caption)
    kinds = [frame.iloc[:, place].dtype.kind for place in range(frame.shape[1])]
    texts = [_texts(frame.iloc[:, place], digits) for place, digits in enumerate(_decimals(frame))]
    for row, place, command in _marks(frame, [k == "f" for k in kinds], best):
        texts[place][row] = rf"\{command}{{{texts[place][row]}}}"
    spec = "".join("r" if kind in "iuf" else "l" for kind in kinds)
    levels = [[_word(part) for part in (c if isinstance(c, tuple) else (c,))] for c in frame.columns]
    above: list[str] = []
    for level in range(frame.columns.nlevels - 1):
        above += spanning(_runs([names[: level + 1] for names in levels]), 0)
    head = [*filter(None, above), line(escape(names[-1]) for names in levels)]
    return table(spec, head, [line(cells) for cells in zip(*texts, strict=True)], caption=caption, label=label)


def _condensed(frame: pd.DataFrame, caption: str) -> tuple[pd.DataFrame, str]:
    """A frame without empty columns and, in the caption instead, without texts that are the same in every row."""
    frame = frame.dropna(axis="columns", how="all")
    same = [c for c in frame.columns if len(frame) > 1 and frame[c].dtype.kind not in "iufb" and _constant(frame[c])]
    said = [f"{column}: {frame[column].iloc[0]}" for column in same if column not in _STAMPED]
    ends = "" if not caption or caption.endswith(".") else "."
    return frame.drop(columns=same), f"{caption}{ends} {'; '.join(said)}.".strip() if said else caption


def _constant(column: pd.Series) -> bool:
    return bool(column.notna().all() and column.astype(str).nunique() == 1)


def _word(part: Any) -> str:
    return "" if pd.isna(part) else str(part)


def _runs(names: list[list[str]]) -> list[tuple[str, int]]:
    """(heading, width) of neighbours that share their names; columns with none at the end stay apart."""
    found: list[tuple[list[str], int]] = []
    for name in names:
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + 1)
        else:
            found.append((name, 1))
    return [(name[-1], width) for name, width in found]


def _texts(column: pd.Series, digits: int) -> list[str]:
    """The finished cells of a column."""
    if column.dtype.kind == "f":
        signed = "+" if (column < 0).any() and (column > 0).any() else ""
        return ["--" if pd.isna(value) else cell(f"{value:{signed}.{digits}f}") for value in column]
    return ["--" if _missing(value) else cell(str(value)) for value in column]


def _decimals(frame: pd.DataFrame) -> list[int]:
    """Decimals of each column: three digits of the largest value of all, and three decimals where all are below 1."""
    reach = [float(column.abs().max()) if column.dtype.kind == "f" else 0.0 for _, column in frame.items()]
    largest = max(reach, default=0.0)
    shared = min(2, max(1, 2 - math.floor(math.log10(largest)))) if largest >= 1 else 3
    return [shared if value >= 1 else 3 for value in reach]


def _missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _marks(frame: pd.DataFrame, floats: list[bool], best: Best | None) -> Iterable[tuple[int, int, str]]:
    """(row, column, command) of the best and second best values; ties share a rank."""
    places = [place for place, is_float in enumerate(floats) if is_float]
    if best is None or not places:
        return
    values = frame.iloc[:, places].to_numpy(float)
    ranks = pd.DataFrame(values).rank(axis=0 if best == "column" else 1, method="dense", ascending=False).to_numpy()
    for command, rank in (("textbf", 1), ("underline", 2)):
        for row, place in zip(*(ranks == rank).nonzero(), strict=True):
            yield int(row), places[place], command
