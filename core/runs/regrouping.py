"""The results of a run over other groups or fewer languages than it was measured with, from its stored outcomes."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal, get_args

import pandas as pd

from core.evaluation.estimates import result_rows
from core.evaluation.outcomes import from_arrays
from core.evaluation.protocols import PROTOCOLS
from core.languages import describe
from core.runs import tables
from core.runs.store import RunDir

Grouping = Literal["seen", "script", "family", "all"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)


def regrouped(
    runs: Sequence[RunDir],
    grouping: Grouping = "seen",
    languages: Collection[str] = (),
    by: str | None = None,
    **filters: str | None,
) -> pd.DataFrame:
    """Results of some runs with groups of another kind, or over chosen languages.

    Args:
        runs: Runs with results.
        grouping: `seen` for the groups of the run (Sup, ZS-In, ZS-Un), `script` for ISO 15924 codes, `family` for
            language families, `all` for one group of every language. A language outside the table of
            `core.languages` is of the script and family `other`.
        languages: Languages to keep; none keeps all.
        by: `group` for the rows of groups, `language` for those of single languages, None for both.
        **filters: Columns and the value that they must have, or None for any; as in `tables.results`.

    Returns:
        Columns `tables.COLUMNS`; values of single languages are those of the run, means and intervals are new.

    Raises:
        RunError: If a run has no results.
        ValueError: If no run has one of the languages, or nothing passes the filters.
    """
    stored = tables.results(runs, "language", **filters)
    if unknown := sorted(set(languages) - set(stored.language)):
        raise ValueError(f"No results in {', '.join(unknown)}. There are: {', '.join(sorted(set(stored.language)))}.")
    rows = [row for run in runs for row in _rows(run, stored[stored.run == run.name], grouping, languages)]
    found = pd.DataFrame(rows, columns=list(tables.COLUMNS))
    for column in ("metric", "protocol"):
        if filters.get(column) is not None:
            found = found[found[column] == filters[column]]
    if by is not None:
        found = found[found.language.isna() == (by == "group")]
    return found.reset_index(drop=True)


def _rows(
    run: RunDir, stored: pd.DataFrame, grouping: Grouping, languages: Collection[str]
) -> Iterator[dict[str, Any]]:
    measured = run.config.evaluation
    for place, part in stored.groupby(["task", "dataset", "system", "mode"], sort=False):
        task, dataset, system, mode = map(str, place)
        seen = {
            lang: g for lang, g in zip(part.language, part.group, strict=True) if not languages or lang in languages
        }
        groups = {lang: _group(lang, group, grouping) for lang, group in seen.items()}
        about = {"run": run.name, "task": task, "dataset": dataset, "system": system, "mode": mode}
        for weights in dict.fromkeys(PROTOCOLS[key].weights for key in part.protocol):
            outcomes = from_arrays(task, run.read_outcomes(task, system, mode, weights))
            kept = {lang: o for lang, o in outcomes.items() if lang in groups}
            if kept:
                found = result_rows(kept, groups, measured.bootstrap_samples, measured.confidence, weights=weights)
                yield from (about | row for row in found)


def _group(language: str, seen: str, grouping: Grouping) -> str:
    if grouping in ("seen", "all"):
        return seen if grouping == "seen" else "all"
    return getattr(describe(language), grouping) or "other"
