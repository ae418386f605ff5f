"""`workbench fusion`: the fusion maps of a run, beside those of untrained fusions of the same adapters."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pandas as pd
import typer

from core import catalog
from core.evaluation.fusion_map import (
    DIGITS,
    MEASURES,
    beside_null,
    chance_outside,
    ends,
    headline,
    knock_out_metric,
    number,
)
from core.evaluation.metrics import METRICS
from core.languages import GROUPS
from core.runs import tables
from core.runs.store import RunDir
from workbench import terminal
from workbench.commands.options import require_known
from workbench.terminal import Json

out = terminal.screen()
_PLACES = {"layer": ["layer"], "group": ["group"], "language": ["language", "group"]}
_MEANS_OVER = {"layer": ["languages"], "group": ["layers", "the group's languages"], "language": ["layers"]}


def fusion(
    run: Annotated[str, typer.Argument(help="Name of a run; `workbench runs` lists them.")],
    task: Annotated[list[str] | None, typer.Option(help="A task of the map; repeatable; all if left out.")] = None,
    measure: Annotated[str, typer.Option(help=f"{', '.join(MEASURES)}.")] = "weight",
    by: Annotated[str, typer.Option(help=f"Rows: {', '.join(_PLACES)}.")] = "layer",
    group: Annotated[
        list[str] | None, typer.Option(help=f"Only languages of this group ({', '.join(GROUPS)}); repeatable.")
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only this language; repeatable.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Metric of the knock-outs, or `all` in JSON and CSV; the task's main one if left out."),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", help="Trained, untrained and their difference side by side, with their ranges.")
    ] = False,
    as_json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
) -> None:
    """What each slot of the fusion does on a task, by layer, language group or language.

    Means count each language once. In JSON and CSV, `low` and `high` are means of the languages' bootstrap intervals,
    `null_low` and `null_high` of the ranges of the untrained fusions: both are wider than those of the mean itself.

    Example: `workbench fusion 20261122-184500-five-tasks-73f6259d7434 --task ner --by group --null`
    """
    require_known("measure", [measure], MEASURES)
    require_known("by", [by], _PLACES)
    if as_json and csv:
        raise ValueError("Name one of --json and --csv.")
    if every_metric := metric == "all":
        metric = None
        if not (as_json or csv):
            raise ValueError("--metric all needs --json or --csv.")
    chosen = RunDir.open(run)
    if by == "group" or group:
        chosen.require_results()
    frame = _selected(tables.fusion_map(chosen), {"task": task or (), "group": group or (), "language": language or ()})
    metrics = _knock_out_metrics(list(dict.fromkeys(frame.task)), metric)
    frame = frame[every_metric | frame.metric.isna() | (frame.metric == frame.task.map(metrics))]
    _require_measured(chosen, frame, measure, null)
    of_measure = frame[frame.measure == measure].dropna(subset="group" if by == "group" else "task")
    shown = beside_null(of_measure, ["task", "measure", "metric", *_PLACES[by], "slot"])
    shown.insert(0, "run", chosen.name)
    if as_json:
        terminal.print_json(tables.records(shown))
    elif csv:
        print(shown.to_csv(index=False), end="")  # noqa: T201
    else:
        _print_overview(frame, metrics)
        _print_tables(shown, measure, by, null)
        _print_legend(chosen, shown, measure, null)


def _selected(frame: pd.DataFrame, chosen: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The rows of the chosen tasks, groups and languages.

    Raises:
        ValueError: If the map lacks one of them, or none of the languages is in the groups.
    """
    for column, names in chosen.items():
        if names:
            require_known(column, names, dict.fromkeys(frame[column].dropna()))
    for column, names in chosen.items():
        part = frame[frame[column].isin(names)] if names else frame
        if part.empty:
            there = ", ".join(f"{column} {name}" for name in dict.fromkeys(frame[column].dropna()))
            raise ValueError(f"--{column} {', '.join(names)} leaves nothing of the rest, which has: {there}.")
        frame = part
    return frame


def _knock_out_metrics(tasks: Sequence[str], metric: str | None) -> dict[str, str]:
    """Task -> metric of its knock-outs.

    Raises:
        ValueError: If a task has no such metric.
    """
    for task in tasks if metric else ():
        if metric not in METRICS[task]:
            raise ValueError(
                f"--metric: {task} has no {metric!r}. It has: {', '.join(METRICS[task])}. Choose tasks with --task."
            )
    return {task: metric or knock_out_metric(task) for task in tasks}


def _require_measured(run: RunDir, frame: pd.DataFrame, measure: str, null: bool) -> None:
    """Check that the map has a measure, and its null where it is asked for.

    Raises:
        ValueError: Naming the field that makes what is missing.
    """
    of_measure = frame[frame.measure == measure]
    again = f"workbench run {run.config_file} --set evaluation.fusion_map"
    if of_measure.empty:
        there = ", ".join(dict.fromkeys(frame.measure))
        raise ValueError(f"The map of {run.name} has no {measure}, only {there}. Make one: {again}.knock_out=true")
    if null and measure == "knock_out":
        others = ", ".join(name for name in MEASURES if name != "knock_out")
        raise ValueError(f"--null: knock_out is measured of the trained fusion only. These have a null: {others}.")
    if null and "null" not in set(of_measure.fusion):
        raise ValueError(f"--null: {run.name} looked into no untrained fusions. Make some: {again}.null_fusions=9")


def _print_overview(frame: pd.DataFrame, metrics: Mapping[str, str]) -> None:
    """A line on each task, and the weights of the tasks side by side where there are several."""
    for task, part in frame.groupby("task", sort=False):
        line = headline(part, metrics[str(task)])
        out.print(f"{_title(task)}: {line}", highlight=False, markup=False, soft_wrap=True)
    if len(metrics) > 1:
        out.print("\nMean weight of each slot by task: mean over layers and languages", highlight=False)
        weights = beside_null(frame[frame.measure == "weight"], ["task", "slot"])
        weights = weights.assign(task=weights.task.map(_title))
        terminal.print_rows(*_grid(weights, ["task"], "weight"), out)


def _title(task: Any) -> str:
    return catalog.item("task", str(task)).title


def _print_tables(shown: pd.DataFrame, measure: str, by: str, null: bool) -> None:
    """One table per task."""
    over = [what for what in _MEANS_OVER[by] if measure != "knock_out" or what != "layers"]
    for task, part in shown.groupby("task", sort=False):
        what = MEASURES[measure] if measure != "knock_out" else f"{part.metric.iloc[0]}, {MEASURES[measure]}"
        means = f"; mean over {' and '.join(over)}" if over else ""
        out.print(f"\n{_title(task)}: {what}{means}", highlight=False, soft_wrap=True)
        table = _beside(part, _PLACES[by], measure) if null else _grid(part, _PLACES[by], measure)
        terminal.print_rows(*table, out)


def _grid(part: pd.DataFrame, places: list[str], measure: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row per place, a column per slot."""
    named = _named(part, places)
    slots = list(dict.fromkeys(named.slot))
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in named.itertuples(index=False):
        place = tuple(str(getattr(row, column)) for column in places)
        lines.setdefault(place, {})[str(row.slot)] = _cell(row, measure)
    return [*places, *slots], [[*place, *(cells.get(s, "--") for s in slots)] for place, cells in lines.items()]


def _beside(part: pd.DataFrame, places: list[str], measure: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row per place and slot, with what the trained and the untrained fusions give."""
    rows = [
        [
            *(str(getattr(row, column)) for column in (*places, "slot")),
            _marked(number(row.value, measure), bool(row.outside)),
            ends(row.low, row.high, measure),
            number(row.null, measure),
            ends(row.null_low, row.null_high, measure),
            f"{row.difference:+.{DIGITS[measure]}f}",
        ]
        for row in _named(part, places).itertuples(index=False)
    ]
    return [*places, "slot", "trained", "interval", "untrained", "range", "difference"], rows


def _named(part: pd.DataFrame, places: list[str]) -> pd.DataFrame:
    """The rows with words where a layer, group or slot is missing."""
    words = {"layer": "all", "slot": "all slots"}
    texts = {c: part[c].astype(object).where(part[c].notna(), words.get(c, "--")) for c in (*places, "slot")}
    return part.assign(**texts)


def _cell(row: Any, measure: str) -> str:
    """`trained (untrained)`, or an effect with its interval below; marked where it is more than chance."""
    if measure == "knock_out":
        clear = row.low > 0 or row.high < 0
        return f"{_marked(number(row.value, measure), clear)}\n{ends(row.low, row.high, measure)}"
    value = _marked(number(row.value, measure), bool(row.outside))
    return value if pd.isna(row.null) else f"{value} ({number(row.null, measure)})"


def _marked(text: str, mark: bool) -> str:
    return f"[bold]{text}*[/bold]" if mark else text


def _print_legend(run: RunDir, shown: pd.DataFrame, measure: str, null: bool) -> None:
    """What the brackets and marks are, and how often chance alone makes a mark."""
    measured = run.config.evaluation
    if measure == "knock_out":
        line = f"{100 * measured.confidence:g}% intervals: paired bootstrap; of several languages, the mean of theirs. "
        line += "* the interval leaves out zero."
    elif shown.null.notna().any() and measured.fusion_map:
        fusions = measured.fusion_map.null_fusions
        line = "" if null else "In brackets: the mean of untrained fusions of the same adapters. "
        line += f"* outside the range of the {fusions} untrained fusions, where chance alone puts up to "
        line += f"{chance_outside(fusions):.0%} of the cells."
    else:
        line = "The run looked into no untrained fusions (evaluation.fusion_map.null_fusions)."
    out.print(line, highlight=False, markup=False, soft_wrap=True)
