"""What can be audited, as the rows that `core.evaluation.audit` takes: the paper's tables, a run, a CSV file."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from core.evaluation.audit import ALL, Row
from core.languages import GROUPS
from core.reference.tables import load
from core.runs import tables
from core.runs.store import RunDir

_TABLES = range(2, 14)  # Table 1 counts a corpus
_GROUPS, _LANGUAGES = range(2, 7), range(9, 14)  # tables of language groups, and of single languages
_SAME_SYSTEM = {"MLKG": "AFusion", "DisMult": "DistMult"}  # names in the tables of languages -> in those of groups
_EVERY_LANGUAGE = {"average", "ave", "ave.", "avg", "avg.", "mean", "all"}
_DASHES = {"", "-", "--", "–", "—"}
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.(?P<decimals>\d*))?|\.(?P<bare>\d+))(?:[eE](?P<exponent>[+-]?\d{1,2}))?")
_SYSTEM = ("run", "dataset", "backbone", "model", "system", "mode", "seed")  # columns that tell systems apart
_NAMED = ("model", "system", "mode")  # those of them that findings show
KNOWN_COLUMNS = (
    *("table", "task", *_SYSTEM, "protocol", "language_or_group", "language", "group", "metric", "value"),
    *("n_languages", "low", "high", "n", "n_test", "printed", "note"),  # common; all but the first have no meaning here
)


def paper_rows() -> pd.DataFrame:
    """The paper's Tables 2 to 13, as printed: `Hit@1` as what it says, and no rank protocol.

    Tables 9 to 13 list the languages group after group, in the order in which Tables 2 to 6 print the groups with their
    sizes: hence the group of a language. A group as large as the list is that of all languages. Table 7 averages over
    languages that it does not name, those of XQuAD excepted.
    """
    printed = pd.concat([load(f"table{number}") for number in _TABLES], ignore_index=True)
    printed[["model", "backbone", "system"]] = printed[["model", "backbone", "system"]].fillna("")
    details = printed[printed.table.isin(_LANGUAGES)]
    place = {dataset: f"table{part.table.iloc[0]}" for dataset, part in details.groupby("dataset")}
    alone = details[details.n_languages == 1].groupby("dataset").language_or_group.unique()
    group_of: dict[tuple[str, str], str] = {}
    sizes = printed[printed.table.isin(_GROUPS)].drop_duplicates(["dataset", "language_or_group"])
    for dataset, part in sizes.groupby("dataset"):
        start = 0
        for name, size in zip(part.language_or_group, part.n_languages, strict=True):
            if size < len(alone[dataset]):
                group_of |= dict.fromkeys(((dataset, one) for one in alone[dataset][start : start + size]), name)
                start += size
    rows = []
    for _, part in printed.groupby("table"):
        rounding = half_unit(str(text) for text in part.printed.dropna())
        for cell in part.itertuples():
            name, table, is_group = cell.language_or_group, f"table{cell.table}", False
            group = group_of.get((cell.dataset, name), "")
            if cell.table in _GROUPS or cell.n_languages > 1:
                group, is_group = (ALL if cell.n_languages == len(alone[cell.dataset]) else name), True
            rows_in = place[cell.dataset] if is_group else table
            system = f"{cell.backbone} {_SAME_SYSTEM.get(cell.system, cell.system)}"
            where = (table, rows_in, cell.task, cell.model, system, "", name, group, is_group)
            rows.append(Row(*where, cell.metric, cell.value, rounding))
    return pd.DataFrame(rows)


def run_rows(name: str) -> pd.DataFrame:
    """The results of a run, which are not rounded.

    Raises:
        RunError: If there is no such run, or it has no results.
    """
    found = tables.results([RunDir.open(name)])
    texts = found[["task", "dataset", "system", "mode", "protocol", "group"]].fillna("").astype(str)
    is_group = found.language.isna()
    model = (texts["system"] + " " + texts["mode"]).str.strip()
    columns = {
        "table": name,
        "rows_in": name,
        "task": texts.task,
        "model": model,
        "system": texts.dataset + " " + model,
        "protocol": texts.protocol,
        "language": found.language.fillna(texts.group),
        "group": texts.group,
        "is_group": is_group,
        "metric": found.metric,
        "value": found.value,
        "rounding": 0.0,
    }
    return pd.DataFrame(columns)


def csv_rows(file: Path) -> pd.DataFrame:
    """The values of a CSV file; `workbench audit --help` names its columns.

    A value is taken as rounded to the most decimals that its table shows for its system: `83` among `82.5` is 83.0.

    Raises:
        ValueError: If a column is missing or unknown, or a row is wrong; the message has the line.
        OSError: If the file cannot be read.
    """
    with file.open(encoding="utf-8-sig", newline="") as handle:
        try:
            lines = list(_csv_lines(file, handle))
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is no UTF-8 text ({error}); save it as CSV, UTF-8.") from error
    if not lines:
        raise ValueError(f"{file}, line 1: nothing below the header; a row has one value.")
    groups = {line["group"] for _, line in lines} - {""}
    rows, texts = [], []
    for number, line in lines:
        label = line["language_or_group"] or line["language"] or line["group"]
        model = " ".join(line[name] for name in _NAMED if line[name])
        for column, text in (("model or system", model), ("language_or_group", label), ("metric", line["metric"])):
            if not text:
                raise ValueError(f"{file}, line {number}: {column} is empty.")
        text = "" if line["value"] in _DASHES else line["value"]
        if text and not _NUMBER.fullmatch(text):
            raise ValueError(f"{file}, line {number}: value {text!r} is no number; write 12.3, or nothing for a dash.")
        table, group, is_group = line["table"] or file.name, line["group"], False
        if label.casefold() in _EVERY_LANGUAGE:
            group, is_group = ALL, True
        elif label in groups or _is_group(label, line["n_languages"]):
            group, is_group = label, True
        system = " ".join(f"{name}={line[name]}" for name in _SYSTEM)
        where = (table, table, line["task"], model, system, line["protocol"].lower(), label, group, is_group)
        rows.append(Row(*where, line["metric"], float(text or "nan"), 0.0))
        texts.append(text)
    frame = pd.DataFrame(rows).assign(text=texts)
    frame["rounding"] = frame.groupby(["table", "system"]).text.transform(half_unit).astype(float)
    return frame.drop(columns="text")


def _is_group(label: str, languages: str) -> bool:
    """Whether a row is a group's, by the paper's names of groups (`Sup. (En)` too) or by its number of languages."""
    return label.split()[0].rstrip(".") in GROUPS or (languages.isdecimal() and int(languages) > 1)


def _csv_lines(file: Path, handle: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, column -> text) of every row that is not blank; every known column is there."""
    reader = csv.reader(handle)
    header = [name.strip().lower() for name in next(reader, [])]
    if unknown := [name for name in header if name not in KNOWN_COLUMNS]:
        raise ValueError(
            f"{file}, line 1: unknown column(s) {', '.join(map(repr, unknown))}. There are: {', '.join(KNOWN_COLUMNS)}."
        )
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise ValueError(f"{file}, line 1: column(s) {', '.join(twice)} stand twice.")
    needed = {"model or system", "language_or_group or language", "metric", "value"}
    if missing := sorted(need for need in needed if not set(need.split(" or ")) & set(header)):
        raise ValueError(f"{file}, line 1: no column {', no column '.join(missing)}. It has: {', '.join(header)}.")
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(header):
            raise ValueError(f"{file}, line {reader.line_num}: {len(fields)} fields, but {len(header)} columns.")
        texts = (field.strip() for field in fields)
        yield reader.line_num, dict.fromkeys(KNOWN_COLUMNS, "") | dict(zip(header, texts, strict=True))


def half_unit(texts: Iterable[str]) -> float:
    """Half a unit of the last digit that any of some printed numbers shows: 0.05 for `83` and `82.5`."""
    places = [0]
    for text in texts:
        if found := _NUMBER.fullmatch(text):
            places.append(len(found["decimals"] or found["bare"] or "") - int(found["exponent"] or 0))
    return float(0.5 * 10.0 ** -max(places))
