"""What can be audited, as the rows that `core.evaluation.audit` takes: the paper's tables, a run, a CSV file."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from core.evaluation.audit import ALL, CHECKS, Audit, Row, audit
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


def run_rows(run: RunDir) -> pd.DataFrame:
    """The results of a run, which are not rounded.

    Raises:
        RunError: If it has no results.
    """
    found = tables.results([run])
    texts = found[["task", "dataset", "system", "mode", "protocol", "group"]].fillna("").astype(str)
    is_group = found.language.isna()
    model = (texts["system"] + " " + texts["mode"]).str.strip()
    columns = {
        "table": run.name,
        "rows_in": run.name,
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


def csv_rows(data: bytes, file: str) -> pd.DataFrame:
    """The values of a CSV file; `workbench audit --help` names its columns.

    A value is taken as rounded to the most decimals that its table shows for its system: `83` among `82.5` is 83.0.

    Args:
        data: What the file holds.
        file: Its name or path: the name is that of the table where no column says it.

    Raises:
        ValueError: If a column is missing or unknown, or a row is wrong; the message has the line.
    """
    try:
        lines = list(_csv_lines(file, io.StringIO(data.decode("utf-8-sig"), newline="")))
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is no UTF-8 text ({error}); save it as CSV, UTF-8.") from error
    except csv.Error as error:
        raise ValueError(f"{file} is no CSV: {error}; save it as CSV, UTF-8.") from error
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
        table, group, is_group = line["table"] or Path(file).name, line["group"], False
        if label.casefold() in _EVERY_LANGUAGE:
            group, is_group = ALL, True
        elif label in groups or _is_group(label, line["n_languages"]):
            group, is_group = label, True
        system = " ".join(f"{name}={line[name]}" for name in _SYSTEM)
        where = (table, table, line["task"], model, system, line["protocol"].lower(), label, group, is_group)
        rows.append(Row(*where, line["metric"], float(text or "nan"), 0.0))
        texts.append(text)
    shown: dict[tuple[str, str], list[str]] = {}
    for row, text in zip(rows, texts, strict=True):
        shown.setdefault((row.table, row.system), []).append(text)
    rounding = {key: half_unit(values) for key, values in shown.items()}
    return pd.DataFrame([row._replace(rounding=rounding[row.table, row.system]) for row in rows])


def _is_group(label: str, languages: str) -> bool:
    """Whether a row is a group's, by the paper's names of groups (`Sup. (En)` too) or by its number of languages."""
    return label.split()[0].rstrip(".") in GROUPS or (languages.isdecimal() and int(languages) > 1)


def _csv_lines(file: str, handle: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, column -> text) of every row that is not blank, below comments with #; every known column is there."""
    reader = csv.reader(handle)
    first = next((fields for fields in reader if not "".join(fields[:1]).startswith("#")), [])
    header, line = [name.strip().lower() for name in first], max(reader.line_num, 1)
    if unknown := [name for name in header if name not in KNOWN_COLUMNS]:
        names, known = ", ".join(map(repr, unknown)), ", ".join(KNOWN_COLUMNS)
        raise ValueError(f"{file}, line {line}: unknown column(s) {names}. There are: {known}.")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise ValueError(f"{file}, line {line}: column(s) {', '.join(twice)} stand twice.")
    needed = {"model or system", "language_or_group or language", "metric", "value"}
    if missing := sorted(need for need in needed if not set(need.split(" or ")) & set(header)):
        raise ValueError(f"{file}, line {line}: no column {', no column '.join(missing)}. It has: {', '.join(header)}.")
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


def counts(found: Audit) -> pd.DataFrame:
    """How much each check compared and found: columns check, compared, errors, warnings, what holds."""
    errors, warnings = (Counter(f.check for f in found.findings if f.severity == s) for s in ("error", "warning"))
    rows = [(check, found.compared[check], errors[check], warnings[check], title) for check, title in CHECKS.items()]
    return pd.DataFrame(rows, columns=["check", "compared", "errors", "warnings", "what holds"])


def verdict(found: Audit, frame: pd.DataFrame) -> list[str]:
    """The outcome of an audit of some rows in plain words, a sentence or two a line."""
    warnings = len(found.findings) - found.errors
    orders = sum(found.compared[check] for check in ("mrr-below-hits", "hits-decrease", "em-above-f1", "group-mean"))
    lines = [f"Errors: {found.errors}. Warnings: {warnings}."]
    if found.errors:
        lines.append("Some of these numbers cannot be true as they are labelled.")
    elif orders:
        lines.append(f"Nothing impossible in {orders:,} comparisons between values.")
    else:
        lines.append("No two values could be compared, so this says little: nothing is out of range, no more.")
    impossible = sum(f.check == "mrr-below-hits" and f.severity == "error" for f in found.findings)
    if impossible and (frame.protocol == "").any():
        read = audit(frame.assign(protocol=frame.protocol.replace("", "released")))
        left = sum(f.check == "mrr-below-hits" and f.severity == "error" for f in read.findings)
        lines.append(
            f"MRR is below what Hit@k demands {impossible} times; if values without a protocol were counted as under "
            f"`released` (Hit@1 is Hit@2), {left} of these would remain."
        )
    if (frame.protocol == "released").any():
        lines.append("Under `released` Hit@k counts ranks up to k + 1: MRR was compared with Hit@k / (k + 1).")
    if found.groups_without_rows:
        lines.append(f"Values of groups with no rows of languages to compare with: {found.groups_without_rows:,}.")
    return lines
