"""Frames of results: seeds pooled, languages with what is known of them, the paper's tables as wide tables, shading."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.config import SYSTEMS
from core.evaluation.comparison import over_seeds
from core.languages import GROUPS, describe
from core.reference.comparison import compare
from core.runs.store import RunDir
from workbench.commands.paper_tables import Layout, layout, ours_of
from workbench.runs.tables import short_names

_PLACE = ["setup", "task", "dataset", "system", "mode", "language", "group", "metric", "protocol"]
ORDERS = ("group", "value", "family", "script", "name")
_BLUE, _VERMILION = "0, 114, 178", "213, 94, 0"  # Okabe-Ito; told apart by every kind of colour vision
_STRONGEST = 0.45  # alpha: text keeps its contrast on white and on dark


def set_ups(runs: Sequence[RunDir]) -> dict[str, list[RunDir]]:
    """Name of a set-up -> its runs, which differ in nothing but their seeds."""
    found: dict[str, list[RunDir]] = {}
    for run in runs:
        found.setdefault(run.config.model_copy(update={"seed": 0, "title": ""}).fingerprint(), []).append(run)
    names = short_names([group[0] for group in found.values()])
    return {_set_up_name(names[group[0].name], group): group for group in found.values()}


def _set_up_name(name: str, runs: Sequence[RunDir]) -> str:
    if len(runs) == 1:
        return name
    return f"{runs[0].config.title or runs[0].config.recipe}, {len(runs)} seeds: {runs[0].name}"


def pooled(rows: pd.DataFrame, groups: dict[str, list[RunDir]]) -> pd.DataFrame:
    """Results with the seeds of one set-up averaged.

    Args:
        rows: Rows of `core.runs.tables.results`.
        groups: Set-up -> its runs.

    Returns:
        The same columns, and `setup` and `seeds`; of several seeds, `value` is their mean and `low` and `high` the t
        interval of it, which replaces the intervals over test examples.
    """
    of = {run.name: name for name, runs in groups.items() for run in runs}
    rows = rows.assign(setup=rows.run.map(of), seeds=1)
    several = {name for name, runs in groups.items() if len(runs) > 1}
    parts = [rows[~rows.setup.isin(several)]]
    for key, part in rows[rows.setup.isin(several)].groupby(_PLACE, sort=False, dropna=False):
        measured = groups[str(key[0])][0].config.evaluation
        seeds = over_seeds(part.value.tolist(), measured.confidence)
        low, high = (part.low.iloc[0], part.high.iloc[0]) if seeds.low is None else (seeds.low, seeds.high)
        one = part.iloc[:1].assign(run=", ".join(part.run), value=seeds.mean, low=low, high=high, seeds=len(part))
        parts.append(one)
    return pd.concat(parts, ignore_index=True)


def by_language(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a language, one column a system and mode, with the language's name, group, script and family.

    Args:
        rows: Rows of languages of one set-up, task, metric and protocol.
    """
    ordered = rows.assign(column=_columns(rows))
    wide = ordered.pivot_table("value", "language", "column", sort=False, aggfunc="first")
    order = sorted(ordered[["mode", "system", "column"]].drop_duplicates().itertuples(index=False), key=_column_place)
    wide = wide[[place.column for place in order]]
    group = dict(zip(rows.language, rows.group, strict=True))
    about = pd.DataFrame(
        {
            "language": wide.index,
            "name": [describe(code).name for code in wide.index],
            "group": [group[code] for code in wide.index],
            "script": [describe(code).script for code in wide.index],
            "family": [describe(code).family for code in wide.index],
        }
    )
    wide.columns.name = None
    return about.merge(wide.reset_index(), on="language")


def by_group(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a system and mode, and three columns a group: its value, and the ends of the interval.

    Args:
        rows: Rows of groups of one set-up, task, metric and protocol.
    """
    groups = [*(g for g in GROUPS if g in set(rows.group)), *(g for g in dict.fromkeys(rows.group) if g not in GROUPS)]
    places = sorted(rows[["mode", "system"]].drop_duplicates().itertuples(index=False), key=_column_place)
    cells = {(row.mode, row.system, row.group): row for row in rows.itertuples()}
    found: list[dict[str, Any]] = []
    for place in places:
        line: dict[str, Any] = {"mode": place.mode, "system": place.system}
        for group in groups:
            row = cells.get((place.mode, place.system, group))
            line[group] = np.nan if row is None else row.value
            line[f"{group} interval"] = "" if row is None else f"{row.low:.1f} to {row.high:.1f}"
        found.append(line)
    return pd.DataFrame(found)


def _columns(rows: pd.DataFrame) -> pd.Series:
    one_mode = rows["mode"].nunique() == 1
    return rows.system if one_mode else rows.system + ", " + rows["mode"]


def _column_place(place: Any) -> tuple[bool, int]:
    return place.mode != "zero-shot", SYSTEMS.index(place.system) if place.system in SYSTEMS else len(SYSTEMS)


def language_order(rows: pd.DataFrame, by: str) -> list[str]:
    """Languages in the order of their group, best value, family, script or name; the best value breaks ties.

    Args:
        rows: Rows of languages, with group and value.
        by: One of `ORDERS`.
    """
    best = rows.groupby("language").value.max()
    group = dict(zip(rows.language, rows.group, strict=True))

    def place(code: str) -> tuple[Any, ...]:
        about = describe(code)
        first = {
            "group": (GROUPS.index(group[code]) if group[code] in GROUPS else len(GROUPS), group[code]),
            "value": (),
            "family": (about.family or "~",),
            "script": (about.script or "~",),
            "name": (about.name,),
        }[by]
        return *first, -best[code], code

    return sorted(best.index, key=place)


def found_languages(codes: Sequence[str], text: str) -> list[str]:
    """The languages whose code, name, own name, script or family have one of the words of a text; all without words."""
    words = text.casefold().replace(",", " ").split()
    kept = []
    for code in codes:
        one = describe(code)
        said = " ".join((one.name, one.own_name, one.script, one.family)).casefold()
        if not words or any(word == code or (len(word) > 2 and word in said) for word in words):
            kept.append(code)
    return kept


def shaded(frame: pd.DataFrame, columns: Sequence[str], signed: Sequence[str] = (), bold: bool = True) -> Any:
    """A table with a background that grows with the value, and the best of every row in bold.

    Args:
        frame: The table; its index is unique.
        columns: Columns of values, which share one scale from the smallest to the largest.
        signed: Columns of differences: blue above zero, vermilion below, one scale around zero.
        bold: Whether to mark the best of `columns` in each row.
    """
    styler = frame.style
    values = frame[list(columns)].to_numpy(float)
    if columns and np.isfinite(values).any():
        low, high = np.nanmin(values), np.nanmax(values)
        styler = styler.map(lambda v: _shade(_BLUE, (v - low) / (high - low or 1)), subset=list(columns))
        if bold and len(columns) > 1:
            styler = styler.apply(_best, axis=1, subset=list(columns))
    if signed and np.isfinite(frame[list(signed)].to_numpy(float)).any():
        reach = np.nanmax(np.abs(frame[list(signed)].to_numpy(float))) or 1
        styler = styler.map(lambda v: _shade(_BLUE if v > 0 else _VERMILION, abs(v) / reach), subset=list(signed))
    return styler


def _shade(color: str, share: float) -> str:
    return "" if share != share else f"background-color: rgba({color}, {_STRONGEST * share:.2f})"


def _best(row: pd.Series) -> list[str]:
    shown = row.astype(float).round(1)  # as the table prints them
    return ["font-weight: bold" if value == shown.max() else "" for value in shown]


def paper_cells(number: int, runs: Sequence[RunDir], protocol: str, mode: str) -> pd.DataFrame:
    """A table of the paper beside the logs and ours (`core.reference.comparison.compare`).

    Raises:
        ValueError: If runs of different set-ups would fill the same cells.
    """
    return compare(number, ours_of(runs), protocol, mode)


def paper_table(cells: pd.DataFrame, protocol: str) -> tuple[pd.DataFrame, Layout]:
    """The comparison as a wide table: a row a language or group and model, `metric: column` a column, and intervals.

    Returns:
        The table and the layout behind it; interval columns follow the values of ours, where there are some.
    """
    grid = layout(cells, protocol)
    bounds = {
        (cell.language_or_group, cell.model, cell.metric): (float(cell.ours_low), float(cell.ours_high))
        for cell in cells.dropna(subset=["ours_low"]).itertuples()
    }
    rows = []
    for group, model in grid.rows:
        line: dict[str, Any] = {"language or group": group, "model": model}
        for heading, columns in grid.spans.items():
            for column in columns:
                line[f"{heading}: {grid.names[column]}"] = grid.cells.get(((group, model), heading, column), np.nan)
                if column == "ours" and bounds:
                    found = bounds.get((group, model, heading))
                    line[f"{heading}: interval"] = "" if found is None else f"{found[0]:.1f} to {found[1]:.1f}"
        rows.append(line)
    return pd.DataFrame(rows), grid
