"""Results of many runs as one tidy frame, read by DuckDB straight from the runs' Parquet files."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import duckdb
import pandas as pd

from core.config import SYSTEMS
from core.evaluation.metrics import MAIN_METRICS
from core.languages import GROUPS
from core.runs.store import RunDir, RunError
from core.task_config import TaskName

COLUMNS = (
    *("run", "task", "dataset", "system", "mode", "language", "group"),
    *("metric", "protocol", "value", "low", "high", "n"),
)
_FILTERS = ("task", "system", "mode", "language", "group", "metric", "protocol")


def results(runs: Sequence[RunDir], by: str | None = None, **filters: Iterable[str] | str | None) -> pd.DataFrame:
    """Results of some runs, one row per value.

    Args:
        runs: The runs.
        by: `group` for the rows of language groups, `language` for those of single languages, None for both.
        **filters: Columns and what they may be: one value, several, or None for any.

    Returns:
        Columns `COLUMNS`; `language` is missing in rows of groups. Ordered as stored, runs in the order given.

    Raises:
        RunError: If a run has no results.
        ValueError: If a filter names no column, or nothing passes the filters.
    """
    if unknown := set(filters) - set(_FILTERS):
        raise ValueError(f"No filter {', '.join(sorted(unknown))}. There are: {', '.join(_FILTERS)}.")
    for run in runs:
        run.require_results()
    if not runs:
        return pd.DataFrame(columns=list(COLUMNS))
    conditions, values = ["true"], []
    if by is not None:
        conditions.append(f"language IS {'NULL' if by == 'group' else 'NOT NULL'}")
    for column, wanted in filters.items():
        if wanted is not None:
            conditions.append(f'list_contains(?, "{column}")')
            values.append([wanted] if isinstance(wanted, str) else list(wanted))
    files = [str(run.results_file) for run in runs]
    columns = ", ".join(f'"{c}"' for c in COLUMNS[1:])
    query = (
        f"SELECT list_position(?, filename) AS place, {columns} "
        f"FROM read_parquet(?, filename=true, file_row_number=true, union_by_name=true) "
        f"WHERE {' AND '.join(conditions)} ORDER BY place, file_row_number"
    )
    with duckdb.connect() as connection:
        frame = connection.execute(query, [files, files, *values]).df()
    frame.insert(0, "run", [runs[place - 1].name for place in frame.pop("place")])
    if frame.empty:
        chosen = ", ".join(f"{k} {v}" for k, v in filters.items() if v is not None)
        raise ValueError(f"Nothing in {', '.join(run.name for run in runs)} has {chosen or 'these filters'}.")
    return frame


def group_table(frame: pd.DataFrame, metrics: Sequence[str] = ()) -> pd.DataFrame:
    """Rows of groups as a table for people.

    Args:
        frame: Rows of `results(..., by="group")` under one protocol.
        metrics: Metrics to show where there are rows of them, in order; none given: the main ones, or those there are.

    Returns:
        Index (task, mode, system), columns (group, metric), cells (value, low, high); systems and groups in the order
        of the paper.
    """
    there = list(dict.fromkeys(frame.metric))
    metrics = metrics or [metric for metric in MAIN_METRICS if metric in there] or there
    chosen = frame[frame.language.isna() & frame.metric.isin(metrics)]
    cells = {
        ((row.task, row.mode, row.system), (row.group, row.metric)): (row.value, row.low, row.high)
        for row in chosen.itertuples()
    }
    tasks = list(dict.fromkeys(chosen.task))
    rows = sorted(
        {row for row, _ in cells}, key=lambda r: (tasks.index(r[0]), r[1] != "zero-shot", SYSTEMS.index(r[2]))
    )
    order: list[str] = list(GROUPS)
    groups = sorted(dict.fromkeys(chosen.group), key=lambda g: (order.index(g) if g in order else len(order), g))
    present = [metric for metric in metrics if metric in set(chosen.metric)]
    columns = pd.MultiIndex.from_product([groups, present], names=["group", "metric"])
    index = pd.MultiIndex.from_tuples(rows, names=["task", "mode", "system"])
    values = [[cells.get((row, column)) for column in columns] for row in rows]
    return pd.DataFrame(values, index=index, columns=columns, dtype=object)


def fusion_map(run: RunDir) -> pd.DataFrame:
    """A run's fusion maps, tasks and groups in the order of the paper.

    Returns:
        The columns of `core.evaluation.fusion_map` and `group`, which the run's results tell; missing without them.

    Raises:
        RunError: If the run has no map.
    """
    frame = run.fusion_map()
    groups: dict[tuple[str, str], str] = {}
    if run.results_file.is_file():
        stored = results([run], "language")
        groups = dict(zip(zip(stored.task, stored.language, strict=True), stored.group, strict=True))
    places = zip(frame.task, frame.language, strict=True)
    named = frame.assign(group=pd.Series([groups.get(place) for place in places], frame.index, dtype=frame.task.dtype))
    order = {name: number for number, name in enumerate((*get_args(TaskName), *GROUPS))}
    return named.sort_values(["task", "group"], key=lambda column: column.map(order), ignore_index=True)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain objects for JSON, None where a value is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict("records")]


def finished(runs: Iterable[RunDir]) -> list[RunDir]:
    """Those of some runs that have results."""
    return [run for run in runs if run.results_file.is_file()]


def newest_with_results(runs: Sequence[RunDir]) -> RunDir:
    """The newest live run with results, else the first shipped one.

    Raises:
        RunError: If none has any.
    """
    if not (found := finished(runs)):
        raise RunError("No run has results yet. Start one: workbench demo.")
    return min(found, key=lambda run: run.cached)
