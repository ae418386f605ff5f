"""What the command line shows: the progress of a running job, and tables."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import pandas as pd
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from core import catalog
from core.execution import launcher
from core.runs.status import Status
from core.runs.store import RunDir, RunError
from core.runs.tables import group_table

_WIDE = 110  # columns of a terminal where values and intervals stand side by side
_SIDE_BY_SIDE = 6  # columns whose intervals stand beside their values on a wide screen
_POLL_SECONDS = 0.5
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
_SECONDS_BETWEEN_LINES = 30.0


def screen(stderr: bool = False) -> Console:
    """A console as wide as the terminal, or wide enough for every table where the output is a file or a pipe."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=max(console.width, _WIDE + 20))


def duration(seconds: float | None) -> str:
    """Seconds as `1 h 05 min`, `4 min 10 s` or `8 s`; `?` for None."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def follow(run: RunDir, console: Console) -> Status:
    """Show a run's progress until it ends; returns its last status.

    Ctrl-C asks the run to stop, which leaves a checkpoint.

    Raises:
        RunError: If the run did not end well; the message says why and how to go on.
    """
    try:
        status = _watch_live(run, console) if console.is_terminal else _watch_lines(run, console)
    except KeyboardInterrupt:
        console.print("Stopping after this step ...")
        launcher.stop(run)
        status = run.status()
    if status.state == "done":
        return status
    end = {"stopped": "was stopped", "failed": "failed", "died": "died: its process is gone without a word"}
    reason = "" if status.state != "failed" else f": {status.message}"
    raise RunError(
        f"The run {run.name} {end.get(status.state, status.state)}{reason}\n"
        f"Its log: {run.log_file}. Go on with: workbench resume {run.name}"
    )


def _watch_live(run: RunDir, console: Console) -> Status:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]} left"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=None, left="?")
        while (status := run.status()).state == "running":
            total = status.total or None
            left = duration(status.seconds_left())
            progress.update(bar, description=status.stage, total=total, completed=status.done, left=left)
            time.sleep(_POLL_SECONDS)
    return status


def _watch_lines(run: RunDir, console: Console) -> Status:
    """One line per stage and every half minute, for logs and pipes."""
    said, stage = 0.0, ""
    while (status := run.status()).state == "running":
        if status.stage != stage or time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            said, stage = time.monotonic(), status.stage
            share = f"{100 * status.done / status.total:3.0f} %" if status.total else "    "
            console.print(f"{share}  {stage}  ({duration(status.seconds_left())} left)", highlight=False)
        time.sleep(_POLL_SECONDS)
    return status


def print_groups(frame: pd.DataFrame, protocol: str, console: Console) -> None:
    """One table per run and task: systems in rows, main metrics by language group in columns, intervals beside values."""
    for run, of_run in frame.groupby("run", sort=False):
        console.print(f"[italic]{run}\nprotocol {protocol}, in %, with intervals[/italic]", highlight=False)
        for task, rows in of_run.groupby("task", sort=False):
            table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
            wide = group_table(rows)
            between = " " if console.width >= _WIDE and len(wide.columns) <= _SIDE_BY_SIDE else "\n"
            table.add_column(catalog.item("task", str(task)).title, no_wrap=True)
            for group, metric in wide.columns:
                table.add_column(f"{group}\n{metric}", justify="right", no_wrap=True)
            for (_, mode, system), cells in wide.iterrows():
                table.add_row(f"{system},{between}{mode}", *(_cell(c, between) for c in cells))
            console.print(table)


def _cell(cell: tuple[float, float, float] | None, between: str) -> str:
    if cell is None:
        return "--"
    value, low, high = cell
    return f"{value:.1f}{between}[dim]{low:.1f}–{high:.1f}[/dim]"


def print_json(data: Any) -> None:
    """Plain objects as JSON, and nothing else, on standard output."""
    print(json.dumps(data, ensure_ascii=False, indent=1))  # noqa: T201


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], console: Console) -> None:
    """A plain table."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    console.print(table)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on standard error; in a file or pipe, a line twice a minute.

    Yields what a builder calls with (done, in all).
    """
    console, last = screen(stderr=True), time.monotonic()
    if not console.is_terminal:

        def say(done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last > _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                console.print(f"{title}: {done / max(total, 1):.0%}", highlight=False)

        yield say
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
