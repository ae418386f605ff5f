"""A table of results that a visitor brings, to be put beside ours: read whole, with every bad row named."""

import csv
import io
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.languages import GROUPS

NEEDED = ("system", "language", "value")
OPTIONAL = ("task", "metric")
_ALIASES = {"model": "system", "language_or_group": "language", "group": "language"}
MOST_ROWS = 20_000
_DASHES = {"", "-", "--", "–", "—"}
EXAMPLE = (
    "system,task,language,metric,value\n"
    "My model,entity_alignment,de,Hit@1,83.4\n"
    "My model,entity_alignment,ZS-In,Hit@1,71\n"
)


@dataclass(frozen=True)
class Upload:
    """What an uploaded file holds.

    Attributes:
        rows: Columns system, task, language, group, metric, value, line; `task` and `metric` are empty where the file
            lacks them, `language` is missing in rows of groups.
        problems: Columns line, text, problem: one row for everything that was left out.
    """

    rows: pd.DataFrame
    problems: pd.DataFrame


def read(data: bytes) -> Upload:
    """The rows of a CSV file.

    Columns, in any order: `system` (or `model`), `language` (or `language_or_group`, `group`; Sup, ZS-In and ZS-Un are
    groups), `value` in percent, and `task` and `metric`, which may be left out. Lines that begin with # are comments.
    Of columns with one meaning the first that is not empty counts.
    """
    rows: list[dict[str, Any]] = []
    problems: list[tuple[int, str, str]] = []
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header: list[str] = []
        for fields in lines:
            line, text = lines.line_num, ",".join(fields)
            if not "".join(fields).strip() or fields[0].startswith("#"):
                continue
            if not header:
                header = [_ALIASES.get(name.strip().lower(), name.strip().lower()) for name in fields]
                if missing := [name for name in NEEDED if name not in header]:
                    problems.append((line, text, f"no column {', no column '.join(missing)}"))
                    break
            elif len(rows) >= MOST_ROWS:
                problems.append((line, text, f"more than {MOST_ROWS:,} rows: the rest is left out"))
                break
            elif len(fields) != len(header):
                problems.append((line, text, f"{len(fields)} fields, but {len(header)} columns"))
            else:
                _take(header, [field.strip() for field in fields], line, text, rows, problems)
        if not header:
            problems.append((1, "", "the file is empty"))
    except UnicodeDecodeError as error:
        problems.append((1, "", f"no UTF-8 text ({error.reason} at byte {error.start}); save it as CSV, UTF-8"))
    except csv.Error as error:
        problems.append((lines.line_num, "", f"no CSV: {error}"))
    columns = ["system", "task", "language", "group", "metric", "value", "line"]
    return Upload(pd.DataFrame(rows, columns=columns), pd.DataFrame(problems, columns=["line", "text", "problem"]))


def _take(
    header: list[str], fields: list[str], line: int, text: str, rows: list[dict[str, Any]], problems: list[Any]
) -> None:
    values: dict[str, str] = {}
    for name, field in zip(header, fields, strict=True):
        values[name] = values.get(name) or field
    place, shown = values["language"], values["value"]
    if not values["system"] or not place:
        problems.append((line, text, f"{'system' if not values['system'] else 'language'} is empty"))
        return
    if shown in _DASHES:
        return
    try:
        value = float(shown)
        if not 0 <= value <= 100:
            raise ValueError
    except ValueError:
        problems.append((line, text, f"value {shown!r} is no number from 0 to 100 (percent)"))
        return
    group = place.split()[0].rstrip(".")
    is_group = group in GROUPS
    rows.append(
        {
            "system": values["system"],
            "task": values.get("task", ""),
            "language": None if is_group else place.rpartition("->")[2].lower(),
            "group": group if is_group else "",
            "metric": values.get("metric", ""),
            "value": value,
            "line": line,
        }
    )


def beside(rows: pd.DataFrame, upload: pd.DataFrame, task: str, metric: str) -> pd.DataFrame:
    """Ours and theirs in each place that both have.

    Args:
        rows: Our rows of one task, metric, protocol and set-up, of languages and groups.
        upload: Rows of an `Upload`; those without a task or metric are taken for every one.
        task: The task shown.
        metric: The metric shown.

    Returns:
        Columns place, mode, ours (our system), value, theirs (their system), their_value, delta (ours less theirs).
    """
    theirs = upload[upload.task.isin(["", task]) & upload.metric.isin(["", metric])]
    theirs = theirs.assign(place=theirs.language.fillna(theirs.group))[["place", "system", "value"]]
    ours = rows.assign(place=rows.language.fillna(rows.group))[["place", "mode", "system", "value"]]
    both = ours.merge(theirs.rename(columns={"system": "theirs", "value": "their_value"}), on="place")
    both = both.rename(columns={"system": "ours"})
    return both.assign(delta=both.value - both.their_value)[
        ["place", "mode", "ours", "value", "theirs", "their_value", "delta"]
    ]
