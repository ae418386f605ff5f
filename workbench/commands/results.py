"""`workbench tables`: results with intervals, under any protocol, over any groups; and the paper's tables beside ours."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, cast

import pandas as pd
import typer

from core.evaluation.protocols import PROTOCOLS
from core.runs import tables
from core.runs.regrouping import GROUPINGS, Grouping, regrouped
from core.runs.store import RunDir, list_runs
from workbench import terminal
from workbench.commands import paper_tables
from workbench.commands.options import require_known
from workbench.terminal import Json

out = terminal.screen()


def show(
    run: Annotated[list[str] | None, typer.Argument(help="Names of runs; the newest with results if left out.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run with results.")] = False,
    task: Annotated[str | None, typer.Option(help="A task, such as kg_completion or ner.")] = None,
    system: Annotated[str | None, typer.Option(help="backbone, +EP, +TP, +ES, +TS, +Large or +Fusion.")] = None,
    mode: Annotated[str | None, typer.Option(help="zero-shot or fine-tuned.")] = None,
    metric: Annotated[str | None, typer.Option(help="A metric, such as Hit@1, MRR, F1 or EM.")] = None,
    protocol: Annotated[str | None, typer.Option(help=f"One of {', '.join(PROTOCOLS)}.")] = None,
    language: Annotated[str | None, typer.Option(help="A language code.")] = None,
    by: Annotated[str | None, typer.Option(help="group or language; JSON and CSV have both if left out.")] = None,
    groups: Annotated[
        str, typer.Option(help=f"What groups languages: {', '.join(GROUPINGS)}; seen is Sup, ZS-In and ZS-Un.")
    ] = "seen",
    among: Annotated[
        list[str] | None, typer.Option(help="A language to keep in the groups; repeatable; all if left out.")
    ] = None,
    as_json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
    paper: Annotated[
        int | None, typer.Option(help="A table of the paper, 2 to 7 or 9 to 13: ours, released log and paper.")
    ] = None,
    latex: Annotated[bool, typer.Option("--latex", help="With --paper: print a booktabs table.")] = False,
) -> None:
    """Results with intervals: a table by language group, or every row as JSON or CSV.

    Other groups (--groups), fewer languages (--among) and other protocols are read from what the run stored; nothing is
    run again. With --paper, a table of the paper beside ours; of the filters it takes --protocol (released if left out)
    and --mode.

    Example: `workbench tables --task entity_alignment --protocol strict --json`

    Example: `workbench tables --groups script --among de --among ru --among zh`

    Example: `workbench tables --paper 3 --latex`
    """
    if sum((as_json, csv, latex)) > 1 or (latex and paper is None):
        raise ValueError("Name one of --json, --csv and --latex; --latex needs --paper N.")
    if paper is not None:
        filters = {"task": task, "system": system, "metric": metric, "language": language, "by": by, "among": among}
        filters["groups"] = None if groups == "seen" else groups
        if unused := [f"--{name}" for name, value in filters.items() if value is not None]:
            raise ValueError(f"--paper N prints the whole table: leave out {', '.join(unused)}.")
        style: paper_tables.Style = "json" if as_json else "csv" if csv else "latex" if latex else "text"
        paper_tables.show(paper, run or [], every, protocol, mode, style)
        return
    require_known("groups", [groups], GROUPINGS)
    if by not in (None, "group", "language"):
        raise ValueError(f"--by is group or language, not {by!r}.")
    chosen = [RunDir.open(name) for name in run or []]
    if not chosen:
        chosen = tables.finished(list_runs()) if every else [tables.newest_with_results(list_runs())]
    read: Callable[..., pd.DataFrame] = tables.results
    if groups != "seen" or among:
        read = partial(regrouped, grouping=cast(Grouping, groups), languages=among or ())
    filters = {"task": task, "system": system, "mode": mode, "metric": metric, "language": language}
    if as_json or csv:
        frame = read(chosen, by=by, protocol=protocol, **filters)
        terminal.print_json(tables.records(frame)) if as_json else print(frame.to_csv(index=False), end="")  # noqa: T201
    elif by == "language" or language:
        frame = read(chosen, by="language", protocol=protocol or "strict", **filters)
        columns = ("run", "task", "system", "mode", "language", "group", "metric", "value", "low", "high", "n")
        rows = [[f"{c:.1f}" if isinstance(c, float) else c for c in row] for row in frame[list(columns)].to_numpy()]
        terminal.print_rows(columns, rows, out)
    else:
        protocol = protocol or "strict"
        terminal.print_groups(read(chosen, by="group", protocol=protocol, **filters), protocol, out)
