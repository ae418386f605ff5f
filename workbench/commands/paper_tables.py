"""`workbench tables --paper N`: a table of the paper beside the released logs and ours, as text, JSON, CSV or LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from core.evaluation.protocols import PROTOCOLS
from core.reference.comparison import compare, printed
from core.runs import tables
from core.runs.store import RunDir, list_runs
from workbench import terminal
from workbench.publishing import latex as tex

Style = Literal["text", "json", "csv", "latex"]
_MODES = ("fine-tuned", "zero-shot")
_ALWAYS = ("ours", "log", "paper")  # shown although no cell has a value
_WEIGHTS = {
    "reported": "with the weights that the run reports",
    "last": "with the weights after the last step",
    "best-test": "with the weights that are best on the test set, language by language, as Table 11 prints",
}


@dataclass(frozen=True)
class Layout:
    """A comparison as a grid.

    Attributes:
        rows: (language or group, model), in the order of the paper.
        spans: Heading -> the columns under it.
        cells: (row, heading, column) -> value in percent; absent where there is none.
        names: Column -> its name.
    """

    rows: list[tuple[str, str]]
    spans: dict[str, list[str]]
    cells: dict[tuple[tuple[str, str], str, str], float]
    names: dict[str, str]


def show(
    number: int,
    names: Sequence[str] = (),
    every: bool = False,
    protocol: str | None = None,
    mode: str | None = None,
    style: Style = "text",
) -> None:
    """Print one table.

    Args:
        number: Number of the table in the paper.
        names: Runs that ours comes from; the newest with results if there are none.
        every: Take every run with results instead.
        protocol: Metric protocol of ours and of the deltas; `released` if None, which is the paper's. A task without
            ranks takes what stands for it (`core.reference.comparison`).
        mode: `fine-tuned`, as in the paper, if None.
        style: What to print.

    Raises:
        ValueError: If the number, protocol or mode is unknown, or runs of several set-ups would share cells.
    """
    protocol, mode = protocol or "released", mode or _MODES[0]
    for option, value, allowed in (("--protocol", protocol, tuple(PROTOCOLS)), ("--mode", mode, _MODES)):
        if value not in allowed:
            raise ValueError(f"{option} is {' or '.join(allowed)}, not {value!r}.")
    printed(number)  # an unknown number is told before any run is read
    runs = [RunDir.open(name) for name in names] or tables.finished(list_runs())
    if not (names or every) and runs:
        runs = [tables.newest_with_results(runs)]
    cells = compare(number, ours_of(runs), protocol, mode)
    header = header_of(number, cells, runs, protocol, mode)
    if style == "csv":
        print(cells.to_csv(index=False), end="")  # noqa: T201
    elif style == "json":
        terminal.print_json({"table": number, "header": header, "cells": tables.records(cells)})
    elif style == "latex":
        command = f"workbench tables {' '.join(run.name for run in runs)} --paper {number} --protocol {protocol}"
        title = [f"{command} --mode {mode} --latex", *header]
        print(latex(number, title, layout(cells, protocol)), end="")  # noqa: T201
    else:
        _print_text(header, layout(cells, protocol), terminal.screen())


def ours_of(runs: Sequence[RunDir]) -> pd.DataFrame | None:
    """Results of the runs as `compare` takes them, less those of an alignment that is not from English."""
    frames = []
    for run in runs:
        frame, config = tables.results([run]), run.config
        alignment = config.tasks.entity_alignment
        if alignment and (alignment.source_language, alignment.direction) != ("en", "from_source"):
            frame = frame[frame.task != "entity_alignment"]
        setup = config.model_copy(update={"seed": 0}).fingerprint()
        frames.append(frame.assign(backbone=config.backbone.source, setup=setup))
    return pd.concat(frames, ignore_index=True) if frames else None


def header_of(number: int, cells: pd.DataFrame, runs: Sequence[RunDir], protocol: str, mode: str) -> list[str]:
    """What must be known to read the table, a sentence or two a line."""
    of = " / ".join(f"{task}, {data}" for task, data in cells[["task", "dataset"]].drop_duplicates().to_numpy())
    lines = [f"Table {number} of the paper: {of}; all values in percent."]
    ours = cells[cells.ours.notna()]
    if ours.empty:
        found = f"{', '.join(run.name for run in runs)} {'has' if len(runs) == 1 else 'have'} no {mode} results for it"
        lines.append(f"Ours: {found if runs else 'no run has results yet'}.")
    else:
        sources = [f"{b} on {d}" for b, d in ours[["our_backbone", "our_dataset"]].drop_duplicates().to_numpy()]
        names = dict.fromkeys(name for cell in ours.runs for name in cell.split(", "))
        lines.append(f"Ours: {', '.join(names)}; backbone and dataset: {'; '.join(sources)}; {mode}.")
        used = _used(cells, protocol)
        ranked = bool(ours.rank_convention.any())
        for protocol_of_ours in [PROTOCOLS[key] for key in dict.fromkeys((*used, "strict"))]:
            meaning = protocol_of_ours.meaning if ranked else _WEIGHTS[protocol_of_ours.weights]
            lines.append(f"Ours, {protocol_of_ours.key}: {meaning}.")
        if protocol not in used:
            lines.append(f"The task has no ranks, of which {protocol} speaks: {' or '.join(used)} stands for it.")
        lines.append(f"Deltas: ours, {' or '.join(used)}, less log or paper.")
        differing = dict.fromkeys(word for cell in ours.differs for word in cell.split(", ") if word)
        if differing:
            lines.append(
                f"Cells are comparable only where data agree; here these differ: {', '.join(differing)}. "
                "Such deltas say how far apart two set-ups are, not which system is better."
            )
    if "released" in set(cells.rank_convention):
        lines.append("Paper and log: the Hit@1 of language models is Hit@2 (rank convention released).")
    if cells.log_best_validation.notna().any():
        lines.append(
            "Log: the largest of ten test epochs, for each language, which is what the paper prints; best val.:"
        )
        lines[-1] += " the epoch with the best validation F1."
    if cells.log.isna().all():
        lines.append("There are no released logs for it.")
    return lines


def _used(cells: pd.DataFrame, protocol: str) -> list[str]:
    """The protocols that values of ours are under; the one that was asked for if there are none."""
    return list(dict.fromkeys(cells.protocol.dropna())) or [protocol]


def layout(cells: pd.DataFrame, protocol: str) -> Layout:
    """A comparison as a grid: metrics side by side, and the data sets too where a table has several."""
    several, used = cells.dataset.nunique() > 1, _used(cells, protocol)
    names = {"ours": f"ours {'/'.join(used)}", "ours_strict": "ours strict", "log": "log"}
    names |= {"log_best_validation": "log best val.", "paper": "paper", "delta_log": "Δ log", "delta_paper": "Δ paper"}
    if cells.ours.isna().all():
        names |= {"ours": "ours", "log_minus_paper": "log − paper"}
    if used == ["strict"]:
        del names["ours_strict"]
    columns = [name for name in names if name in _ALWAYS or cells[name].notna().any()]
    rows: dict[tuple[str, str], None] = {}
    spans: dict[str, list[str]] = {}
    found = {}
    for cell in cells.itertuples(index=False):
        row = ("average" if several else cell.language_or_group, cell.model)
        heading = f"{cell.dataset} {cell.metric}" if several else cell.metric
        rows[row], spans[heading] = None, columns
        for column in columns:
            if (value := getattr(cell, column)) == value:  # not NaN
                found[row, heading, column] = value
    order = list(dict.fromkeys(group for group, _ in rows))
    return Layout(sorted(rows, key=lambda row: order.index(row[0])), spans, found, names)


def _text(value: float | None, column: str) -> str:
    """One decimal, as the paper prints, and two where a log says more; signed differences; dashes for what is missing."""
    if value is None:
        return "--"
    sign = "+" if "delta" in column or "minus" in column else ""
    shown = f"{value:{sign}.{2 if column.startswith('log') else 1}f}"
    return shown if shown.strip("+-0.") else shown.lstrip("+-")


def _print_text(header: Sequence[str], grid: Layout, console: Console) -> None:
    """One table where it fits the width, else one for each heading."""
    whole = _text_table(grid, list(grid.spans))
    parts = [[heading] for heading in grid.spans]
    fits = console.measure(whole, options=console.options.update(width=10 * console.width)).maximum <= console.width
    for line in header:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for table in [whole] if fits else [_text_table(grid, part) for part in parts]:
        console.print(table)


def _text_table(grid: Layout, headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("")
    table.add_column("", no_wrap=True)
    for heading in headings:
        for column in grid.spans[heading]:
            name = grid.names[column].replace(" ", "\n", 1)
            table.add_column(f"{heading.replace(' ', chr(10))}\n{name}", justify="right", no_wrap=True)
    last = None
    for group, model in grid.rows:
        if last not in (None, group):
            table.add_section()
        values = [
            _text(grid.cells.get(((group, model), heading, column)), column)
            for heading in headings
            for column in grid.spans[heading]
        ]
        table.add_row("" if group == last else group, model, *values)
        last = group
    return table


def latex(number: int, header: Sequence[str], grid: Layout) -> str:
    """A booktabs table with a heading over each group of columns; one that fills more than a page is a longtable.

    Args:
        number: Number of the table in the paper.
        header: The command that prints the table, for a comment; then the sentences of the caption.
        grid: What it shows.
    """
    long = tex.is_long(len(grid.rows))
    columns = [(heading, column) for heading, under in grid.spans.items() for column in under]
    head = [
        *tex.spanning([(heading, len(under)) for heading, under in grid.spans.items()], 2),
        tex.line(["", "", *(_tex_name(grid.names[column]) for _, column in columns)]),
    ]
    body, last = [], None
    for group, model in grid.rows:
        if last not in (None, group):
            body.append(r"\addlinespace" if long else r"\midrule")
        values = [tex.cell(_text(grid.cells.get(((group, model), *key)), key[1])) for key in columns]
        body.append(tex.line(["" if group == last else tex.escape(group), tex.escape(model), *values]))
        last = group
    spec = "ll" + "r" * len(columns)
    named = {"caption": " ".join(header[1:]), "label": f"paper-{number}"}
    return f"% {header[0]}\n" + tex.table(spec, head, body, rows=len(grid.rows), **named)


def _tex_name(name: str) -> str:
    words = tex.escape(name).split(" ", 1)
    return words[0] if len(words) == 1 else rf"\shortstack[r]{{{words[0]}\\{words[1]}}}"
