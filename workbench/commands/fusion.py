"""`workbench fusion`: the fusion maps of a run, beside those of untrained fusions of the same adapters."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args

import pandas as pd
import typer

from core import catalog
from core.evaluation.fusion_map import MEASURES, averaged, beside_null
from core.evaluation.metrics import MAIN_METRICS, METRICS
from core.languages import GROUPS
from core.runs import tables
from core.runs.store import RunDir
from core.task_config import TaskName
from workbench import terminal
from workbench.commands.options import require_known
from workbench.terminal import Json

out = terminal.screen()
_PLACES = {"layer": ["layer"], "group": ["group"], "language": ["language", "group"]}
_MEANS_OVER = {"layer": ["languages"], "group": ["layers", "the group's languages"], "language": ["layers"]}
_MEANING = {
    "weight": "mean weight of each slot",
    "argmax_share": "share of the tokens where the slot has the largest weight",
    "entropy": "entropy of the weights, 0 to 1",
    "contribution": "norm of each slot's contribution, in the unit of the hidden vectors",
    "knock_out": "what is gained without the slot, in percentage points",
}
_DIGITS = {"contribution": 2, "knock_out": 1}  # of weights, shares and entropies: 3


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
        str | None, typer.Option(help="Metric of the knock-outs; the task's main one if left out.")
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
    chosen = RunDir.open(run)
    if by == "group" or group:
        chosen.require_results()
    frame = _selected(_in_order(chosen), {"task": task or (), "group": group or (), "language": language or ()})
    metrics = _knock_out_metrics(list(dict.fromkeys(frame.task)), metric)
    frame = frame[frame.metric.isna() | (frame.metric == frame.task.map(metrics))]
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


def _in_order(run: RunDir) -> pd.DataFrame:
    """The run's map with the column `group`, which its results tell; tasks and groups in the order of the paper."""
    frame = run.fusion_map()
    groups: dict[tuple[str, str], str] = {}
    if run.results_file.is_file():
        stored = tables.results([run], "language")
        groups = dict(zip(zip(stored.task, stored.language, strict=True), stored.group, strict=True))
    places = zip(frame.task, frame.language, strict=True)
    named = frame.assign(group=pd.Series([groups.get(place) for place in places], frame.index, dtype=frame.task.dtype))
    order = {name: number for number, name in enumerate((*get_args(TaskName), *GROUPS))}
    return named.sort_values(["task", "group"], key=lambda column: column.map(order), ignore_index=True)


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
    return {task: metric or next(m for m in MAIN_METRICS if m in METRICS[task]) for task in tasks}


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
        line = _headline(part, metrics[str(task)])
        out.print(f"{_title(task)}: {line}", highlight=False, markup=False, soft_wrap=True)
    if len(metrics) > 1:
        out.print("\nMean weight of each slot by task: mean over layers and languages", highlight=False)
        weights = beside_null(frame[frame.measure == "weight"], ["task", "slot"])
        weights = weights.assign(task=weights.task.map(_title))
        terminal.print_rows(*_grid(weights, ["task"], "weight"), out)


def _title(task: Any) -> str:
    return catalog.item("task", str(task)).title


def _headline(part: pd.DataFrame, metric: str) -> str:
    """What a task's fusion attends to most, against chance, and which slot it needs most."""
    weights = beside_null(part[part.measure == "weight"], ["slot"])
    most = weights.loc[weights.value.idxmax()]
    shares = averaged(part[(part.measure == "argmax_share") & (part.fusion == "trained")], ["slot"])
    wins = shares.set_index("slot").value[most.slot]
    chance = ""
    if not pd.isna(most.null):
        chance = f" (untrained {most.null:.3f}, {most.null_low:.3f} to {most.null_high:.3f}; {most.difference:+.3f})"
    line = f"{most.slot} has the largest mean weight, {most.value:.3f}{chance}, and wins {wins:.0%} of the tokens."
    knock_outs = averaged(part[part.measure == "knock_out"], ["slot"])
    if knock_outs.empty:
        return line
    worst = knock_outs.loc[knock_outs.value.idxmin()]
    if worst.value >= 0:
        return f"{line} No knock-out lowers {metric}."
    effect = f"{_number(worst.value, 'knock_out')} ({_ends(worst.low, worst.high, 'knock_out')})"
    return f"{line} Knocking out {worst.slot} hurts most: {metric} {effect}."


def _print_tables(shown: pd.DataFrame, measure: str, by: str, null: bool) -> None:
    """One table per task."""
    over = [what for what in _MEANS_OVER[by] if measure != "knock_out" or what != "layers"]
    for task, part in shown.groupby("task", sort=False):
        what = _MEANING[measure] if measure != "knock_out" else f"{part.metric.iloc[0]}, {_MEANING[measure]}"
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
            _marked(_number(row.value, measure), bool(row.outside)),
            _ends(row.low, row.high, measure),
            _number(row.null, measure),
            _ends(row.null_low, row.null_high, measure),
            f"{row.difference:+.{_DIGITS.get(measure, 3)}f}",
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
        return f"{_marked(_number(row.value, measure), clear)}\n{_ends(row.low, row.high, measure)}"
    value = _marked(_number(row.value, measure), bool(row.outside))
    return value if pd.isna(row.null) else f"{value} ({_number(row.null, measure)})"


def _marked(text: str, mark: bool) -> str:
    return f"[bold]{text}*[/bold]" if mark else text


def _number(value: float, measure: str) -> str:
    """A value with the measure's decimals; an effect has a sign unless it is zero."""
    shown = f"{value:{'+' if measure == 'knock_out' else ''}.{_DIGITS.get(measure, 3)}f}"
    return shown if shown.strip("+-0.") else shown.lstrip("+-")


def _ends(low: float, high: float, measure: str) -> str:
    return f"{_number(low, measure)} to {_number(high, measure)}"


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
        line += f"{2 / (fusions + 1):.0%} of the cells."
    else:
        line = "The run looked into no untrained fusions (evaluation.fusion_map.null_fusions)."
    out.print(line, highlight=False, markup=False, soft_wrap=True)
