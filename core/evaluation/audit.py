"""Checks that any table of results can be put through: what cannot be true, whatever the model.

Tolerances. A printed value is rounded to the nearest, so it lies within r, half a unit of its last digit, of the number
behind it. For "a is never below f * b" the printed sides can be off by r_a + f * r_b (0.05 + 0.05 for one decimal and
f = 1), and only more is an error. With f = 1 a smaller excess is a warning: rounding keeps order, so two cells rounded
by one rule never change places. A group's value is off by its own r, and the mean of n values, each off by r_i, by the
mean of the r_i whatever n is (the errors may all have one sign): again 0.05 + 0.05. Rounding cannot explain a value
outside 0 to 100.

Rank protocols. An answer that Hit@k counts has a rank of at most k + o and adds 1 / (k + o) or more to the sum of the
reciprocal ranks, so MRR >= Hit@k / (k + o). The offset o is 0 where Hit@k means what it says, which gives MRR >= Hit@1;
it is 1 under `released`, where the printed Hit@1 is Hit@2 and may well exceed MRR. A protocol that is unknown or not
named is read as its words say, o = 0.

Reference: PROTOCOL.md, section 7.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import pandas as pd

from core.evaluation.protocols import PROTOCOLS

ALL = "all languages"
Severity = Literal["error", "warning"]
CHECKS = {
    "mrr-below-hits": "MRR is at least Hit@k / k (released protocol: / (k + 1)); so Hit@1 never exceeds MRR",
    "hits-decrease": "Hit@k does not fall as k grows",
    "em-above-f1": "F1 is at least EM",
    "group-mean": "a group's value is the mean of its languages",
    "out-of-range": "percentages lie in 0 to 100",
    "repeated-cell": "no cell stands twice",
    "protocol-not-named": "values of Hit@k and MRR name their rank protocol",
}
_SAME_NAMES = {
    **{"mrr": "MRR", "f1": "F1", "em": "EM", "exactmatch": "EM", "exact": "EM"},
    **{"acc": "Acc.", "accuracy": "Acc.", "precision": "Precision", "recall": "Recall"},
}
_HITS = re.compile(r"(?:h|hit|hits)@?([1-9]\d*)")
_FLOAT_ERROR = 1e-6  # of unrounded values, percent


class Row(NamedTuple):
    """One value of a table; the fields are the columns of the frame that `audit` takes.

    Attributes:
        table: Where the value stands.
        rows_in: Of a group's row, the table that holds the rows of its languages; else as `table`.
        task: The task, empty where the table does not say.
        model: The name as the table has it.
        system: The one name of the same system in every table; rows are compared by it.
        protocol: The rank protocol, empty where the table does not name one.
        language: The language or group as the table has it.
        group: Of a language, its group, empty where unknown; of a group's row, which one, `ALL` for all languages.
        is_group: Whether the row is a group's.
        metric: Hit@k, MRR, F1, EM, Acc. or another, in any spelling that `canonical_metric` knows.
        value: The number, NaN where the table has a dash.
        rounding: The farthest that rounding can have moved it: 0.05 for one decimal, 0 if unrounded.
    """

    table: str
    rows_in: str
    task: str
    model: str
    system: str
    protocol: str
    language: str
    group: str
    is_group: bool
    metric: str
    value: float
    rounding: float


@dataclass(frozen=True)
class Finding:
    """Something that a table cannot or should not hold.

    Attributes:
        check: Key of `CHECKS`.
        severity: `error` for what cannot be true, `warning` for what leaves doubt.
        table: Where it stands.
        task: The task, empty where not given.
        model: The name as the table has it, empty if it concerns the whole table.
        language: Language or group, empty if it concerns the whole table.
        metric: The metric or the two that are compared.
        protocol: The rank protocol, empty where not named.
        found: The numbers.
        reason: Why it is impossible or doubtful.
    """

    check: str
    severity: Severity
    table: str
    task: str
    model: str
    language: str
    metric: str
    protocol: str
    found: str
    reason: str

    def record(self) -> dict[str, Any]:
        """As a plain object."""
        return asdict(self)


@dataclass(frozen=True)
class Audit:
    """What the checks found.

    Attributes:
        findings: In the order of the checks, then of the table.
        compared: Check -> values, rows or tables that it looked at.
        groups_without_rows: Values of groups that have no rows of languages to be compared with.
    """

    findings: tuple[Finding, ...]
    compared: dict[str, int]
    groups_without_rows: int

    @property
    def errors(self) -> int:
        """Findings that cannot be true."""
        return sum(finding.severity == "error" for finding in self.findings)


def canonical_metric(name: str) -> str:
    """One spelling of a metric: `hits@10`, `H@10` -> `Hit@10`, `exact_match` -> `EM`; others as they are."""
    plain = re.sub(r"[\s_.\-]", "", name).lower()
    if found := _HITS.fullmatch(plain):
        return f"Hit@{int(found[1])}"
    return _SAME_NAMES.get(plain, name)


def audit(frame: pd.DataFrame) -> Audit:
    """Put a table through every check of `CHECKS`.

    Args:
        frame: The table, a value a row, with a column for each field of `Row`.

    Raises:
        ValueError: If a column is missing.
    """
    if missing := [column for column in Row._fields if column not in frame]:
        raise ValueError(f"The table lacks the column(s) {', '.join(missing)}; it needs {', '.join(Row._fields)}.")
    every = [Row(*values) for values in frame[list(Row._fields)].itertuples(index=False, name=None)]
    every = [row._replace(metric=canonical_metric(row.metric)) for row in every]
    rows = [row for row in every if not math.isnan(row.value)]
    cells: dict[tuple[str | bool, ...], dict[str, Row]] = {}
    found: list[Finding] = []
    compared: Counter[str] = Counter(dict.fromkeys(CHECKS, 0))
    for row in rows:
        cell = cells.setdefault((row.table, row.task, row.system, row.protocol, row.language, row.is_group), {})
        compared["repeated-cell"] += 1
        if row.metric in cell:
            found.append(_repeated(cell[row.metric], row))
        else:
            cell[row.metric] = row
        if _is_percentage(row.metric):
            compared["out-of-range"] += 1
            if not -_FLOAT_ERROR <= row.value <= 100 + _FLOAT_ERROR:
                reason = f"{row.metric} is a percentage: 0 to 100."
                found.append(_finding("out-of-range", "error", row, f"{row.value:.10g}", reason))
    for cell in cells.values():
        for check, low, high, factor, reason in _orders(cell):
            compared[check] += 1
            found.extend(_order(check, low, high, factor, reason))
    means, without = _group_means(every)
    compared["group-mean"] = len(means)
    found.extend(finding for finding in means if finding is not None)
    ranked = [row for row in rows if _is_ranking(row.metric)]
    for table in dict.fromkeys(row.table for row in ranked):
        compared["protocol-not-named"] += 1
        if nameless := [row for row in ranked if row.table == table and not row.protocol]:
            found.append(_nameless(nameless))
    order = list(CHECKS)
    return Audit(tuple(sorted(found, key=lambda finding: order.index(finding.check))), dict(compared), without)


def _is_ranking(metric: str) -> bool:
    return metric == "MRR" or _hits_at(metric) is not None


def _hits_at(metric: str) -> int | None:
    """The k of Hit@k, None for other metrics."""
    found = re.fullmatch(r"Hit@([1-9]\d*)", metric)
    return int(found[1]) if found else None


def _is_percentage(metric: str) -> bool:
    return _is_ranking(metric) or metric in _SAME_NAMES.values() or "%" in metric


def _finding(check: str, severity: Severity, row: Row, found: str, reason: str, metric: str = "") -> Finding:
    where = (row.table, row.task, row.model, row.language, metric or row.metric, row.protocol)
    return Finding(check, severity, *where, found, reason)


def _orders(cell: dict[str, Row]) -> Iterator[tuple[str, Row, Row, float, str]]:
    """(check, row b, row a, f, reason) for every rule a >= f * b that applies to the metrics of one row."""
    hits = {k: metric for metric in cell if (k := _hits_at(metric))}
    for k, metric in sorted(hits.items()):
        if "MRR" in cell:
            protocol = PROTOCOLS.get(cell[metric].protocol)
            worst = k + (protocol.hit_offset if protocol else 0)
            bound = metric if worst == 1 else f"{metric} / {worst}"
            reason = (
                f"An answer that {metric} counts has rank {worst} at most and adds {1 / worst:.3g} or more to the sum "
                f"of reciprocal ranks: MRR is never below {bound}."
            )
            yield "mrr-below-hits", cell[metric], cell["MRR"], 1 / worst, reason
    for k, more in pairwise(sorted(hits)):
        reason = f"Whatever {hits[k]} counts, {hits[more]} counts too."
        yield "hits-decrease", cell[hits[k]], cell[hits[more]], 1.0, reason
    if "F1" in cell and "EM" in cell:
        yield "em-above-f1", cell["EM"], cell["F1"], 1.0, "An exact match has an F1 of 1: F1 is never below EM."


def _order(check: str, low: Row, high: Row, factor: float, reason: str) -> Iterator[Finding]:
    """The finding where a row breaks `high >= factor * low`, if it does."""
    excess = factor * low.value - high.value
    allowed = high.rounding + factor * low.rounding
    found, metrics = f"{low.value:.10g} > {high.value:.10g}", f"{low.metric} vs {high.metric}"
    if factor != 1:
        found = f"{low.value:.10g} x {factor:.3g} > {high.value:.10g}"
    if excess > allowed + _FLOAT_ERROR:
        if check == "mrr-below-hits" and factor == 1 and low.value / 2 <= high.value + allowed:
            reason += f" Possible if {low.metric} counts ranks up to 2, as the released code does."
        yield _finding(check, "error", low, found, reason, metrics)
    elif factor == 1 and excess > _FLOAT_ERROR:
        reason += " The excess is within rounding: possible only if the two were rounded by different rules."
        yield _finding(check, "warning", low, found, reason, metrics)


def _group_means(rows: list[Row]) -> tuple[list[Finding | None], int]:
    """A finding or None for every group's value that could be compared, and how many could not."""
    members: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        for group in () if row.is_group else {row.group, ALL}:
            key = (row.table, row.task, row.system, row.protocol, group, row.metric)
            members.setdefault(key, []).append(row)
    compared: list[Finding | None] = []
    without = 0
    for row in rows:
        if not row.is_group or math.isnan(row.value):
            continue
        every = members.get((row.rows_in, row.task, row.system, row.protocol, row.group, row.metric), [])
        part = [member for member in every if not math.isnan(member.value)]
        if not part:
            without += 1
            continue
        mean = sum(member.value for member in part) / len(part)
        allowed = row.rounding + sum(member.rounding for member in part) / len(part)
        compared.append(None)
        shown = f"{mean:.4g}" if allowed else f"{mean:.10g}"
        if abs(row.value - mean) > allowed + _FLOAT_ERROR:
            source = "its" if row.rows_in == row.table else f"{row.rows_in}'s"
            reason = f"The mean of {source} {len(part)} rows is {shown}; rounding explains {allowed:.2g} at most."
            if lacking := len(every) - len(part):
                reason += f" {lacking} more have no value, so it may cover others."
            found = f"{row.value:.10g}, not {shown} ({row.value - mean:+.2g})"
            compared[-1] = _finding("group-mean", "warning" if lacking else "error", row, found, reason)
    return compared, without


def _repeated(first: Row, again: Row) -> Finding:
    same = first.value == again.value
    reason = "One cell has one value." + (" The first is used." if not same else "")
    found = f"{first.value:.10g} and {again.value:.10g}"
    return _finding("repeated-cell", "warning" if same else "error", again, found, reason)


def _nameless(rows: list[Row]) -> Finding:
    tasks, metrics = ({getattr(row, field): None for row in rows} for field in ("task", "metric"))
    reason = (
        "Ranks may start at 0 or 1, candidates and known answers may be left out: without the protocol such values "
        "compare with nothing."
    )
    where = (rows[0].table, ", ".join(tasks), "", "", ", ".join(metrics), "")
    return Finding("protocol-not-named", "warning", *where, f"{len(rows)} values", reason)
