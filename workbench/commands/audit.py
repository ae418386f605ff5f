"""`workbench audit`: the paper's tables, a run, or a CSV file put through the checks of `core.evaluation.audit`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from core.evaluation import audit as checks
from core.runs.store import RunDir
from workbench import terminal
from workbench.commands import audited
from workbench.terminal import Json

out = terminal.screen()
_COLOURS = {"error": "red", "warning": "yellow"}


def audit(
    source: Annotated[
        str | None, typer.Argument(metavar="RUN|FILE.csv", help="Name of a run, or a CSV file.", show_default=False)
    ] = None,
    paper: Annotated[bool, typer.Option("--paper", help="Audit Tables 2 to 13 of Hou et al. 2022.")] = False,
    as_json: Json = False,
) -> None:
    """Look for numbers that cannot be true: in the paper's tables, a run's results, a table of your own.

    MRR below Hit@1, Hit@k that falls as k grows, EM above F1, a group's value that is not the mean of its languages,
    percentages outside 0 to 100, a cell that stands twice, ranks whose protocol is not named. A printed value may be
    off by half a unit of its last decimal. Under the protocol `released` Hit@k counts ranks up to k + 1, so there MRR
    is compared with Hit@k / (k + 1). The checks of training data are those of `workbench corpus lint`.

    A CSV file has a value a row and the columns `model` or `system`, `language_or_group` (or `language`, empty in a
    group's row, and `group`), `metric` (Hit@k, MRR, F1, EM, Acc. and others) and `value`. It may have `table`, `task`,
    `protocol` (strict, released, ...), `group` (of a language: a row named like it is that group's, one named
    `average` is that of all languages), `run`, `dataset`, `backbone`, `mode` and `seed`. Any other row is a language's,
    but for those named Sup., ZS-In or ZS-Un and those with `n_languages` above 1. What `workbench tables --csv` prints
    fits, and so do lines with # above the header.

    The exit code is 1 where something cannot be true, else 0: warnings do not count.

    Example: `workbench audit --paper`

    Example: `workbench audit my-table.csv --json`
    """
    if paper == (source is not None):
        raise ValueError("Name one thing to audit: --paper, a run (`workbench runs` lists them), or a CSV file.")
    if source is None:
        frame = audited.paper_rows()
    elif source.lower().endswith(".csv"):
        frame = audited.csv_rows(Path(source).read_bytes(), source)
    else:
        frame = audited.run_rows(RunDir.open(source))
    found = checks.audit(frame)
    verdict = audited.verdict(found, frame)
    if as_json:
        terminal.print_json(
            {
                "audited": source or "paper",
                "errors": found.errors,
                "warnings": len(found.findings) - found.errors,
                "compared": found.compared,
                "groups_without_rows": found.groups_without_rows,
                "verdict": " ".join(verdict),
                "findings": [finding.record() for finding in found.findings],
            }
        )
    else:
        _print(found)
        for line in verdict:
            out.print(line, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if found.errors else 0)


def _print(found: checks.Audit) -> None:
    """Every finding, why, and how much each check compared."""
    if found.findings:
        rows = [(f"[{_COLOURS[f.severity]}]{f.severity}[/]", f.check, *map(escape, _where(f))) for f in found.findings]
        terminal.print_rows(("", "check", "table", "model", "language", "metric", "protocol", "found"), rows, out)
    reasons = Counter((f.check, f.reason) for f in found.findings)
    for (check, reason), count in reasons.items():
        out.print(f"{check} ({count}): {reason}", markup=False, highlight=False, soft_wrap=True)
    counted = audited.counts(found)
    terminal.print_rows(counted.columns, counted.to_numpy().tolist(), out)


def _where(finding: checks.Finding) -> tuple[str, ...]:
    return (finding.table, finding.model, finding.language, finding.metric, finding.protocol or "--", finding.found)
