"""`workbench ablation`: Figure 5 for any systems and tasks, with the parameters that each system adds."""

from typing import Annotated, Any, get_args

import pandas as pd
import typer

from core import catalog
from core.config import SYSTEMS, Mode
from core.evaluation.metrics import METRICS
from core.evaluation.protocols import PROTOCOLS
from core.reference import figure5
from core.runs import ablation as stored
from core.runs import tables
from core.runs.store import RunDir, list_runs
from core.task_config import TaskName
from workbench import terminal
from workbench.commands.options import require_known
from workbench.publishing import latex as tex
from workbench.terminal import Json

out = terminal.screen()


def ablation(
    run: Annotated[
        list[str] | None,
        typer.Argument(help="Runs of several tasks or systems, or several seeds; the newest with results if left out."),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="A task, such as ner; repeatable; all if left out.")] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="backbone, +EP, ... or +Fusion; repeatable; all if left out.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Metric; each task's first if left out: Hit@1, or F1.")] = None,
    protocol: Annotated[str, typer.Option(help=f"{', '.join(PROTOCOLS)}.")] = "strict",
    mode: Annotated[str, typer.Option(help="zero-shot or fine-tuned.")] = "fine-tuned",
    by: Annotated[str, typer.Option(help="group or language.")] = "group",
    as_json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print booktabs tables and nothing else.")] = False,
) -> None:
    """Every system on every task, with intervals, beside the authors' logs of Figure 5 and the parameters it adds.

    Several seeds of one set-up are averaged; their intervals are over seeds. The figure: `workbench figure ablation`.

    Example: `workbench ablation --task kg_completion --task entity_alignment --protocol released`
    """
    known = dict.fromkeys(key for metrics in METRICS.values() for key in metrics)
    for option, values, allowed in (
        ("task", task or (), get_args(TaskName)),
        ("system", system or (), SYSTEMS),
        ("metric", [metric] if metric else (), list(known)),
        ("protocol", [protocol], list(PROTOCOLS)),
        ("mode", [mode], get_args(Mode)),
        ("by", [by], ("group", "language")),
    ):
        require_known(option, values, allowed)
    if sum((as_json, csv, latex)) > 1:
        raise ValueError("Name one of --json, --csv and --latex.")
    runs = [RunDir.open(name) for name in run or []] or [tables.newest_with_results(list_runs())]
    found = stored.ablation(runs, task or (), system or (), metric, protocol, by, mode)
    frame = figure5.beside(found, by)
    if as_json:
        terminal.print_json(tables.records(frame))
    elif csv:
        print(frame.to_csv(index=False), end="")  # noqa: T201
    elif latex:
        print(_latex(frame, by), end="")  # noqa: T201
    else:
        _print(frame, stored.budget(runs), by)


def _about(part: pd.DataFrame) -> str:
    """What the rows of one task are, in a line."""
    data, metric, protocol = (" and ".join(dict.fromkeys(part[c])) for c in ("dataset", "metric", "protocol"))
    title = catalog.item("task", part.task.iloc[0]).title
    return f"{title} ({data}): {metric} in %, {part['mode'].iloc[0]}, protocol {protocol}"


def _grid(part: pd.DataFrame, by: str, folded: bool = False) -> tuple[list[str], list[list[str]]]:
    """One task as header and rows: systems by language group, or languages by system.

    Args:
        part: Rows of the task.
        by: `group` or `language`.
        folded: Whether intervals stand under the values, or in columns of their own.
    """
    places = list(dict.fromkeys(part[by]))
    systems = list(dict.fromkeys(part.system))
    cells = {(row.system, getattr(row, by)): row for row in part.itertuples(index=False)}
    if by == "language":
        group = dict(zip(part.language, part.group, strict=True))
        lines = [
            [place, group[place], *(_number(getattr(cells.get((s, place)), "value", None)) for s in systems)]
            for place in places
        ]
        return ["language", "group", *systems], lines
    columns = ["value"] + ["interval"] * (not folded) + ["gain"] + ["log"] * bool(part.log.notna().any())
    lines = []
    for system in systems:
        line = [system]
        for place in places:
            row = cells.get((system, place))
            texts = dict.fromkeys(columns, "--") if row is None else _texts(row)
            if folded and row is not None:
                texts["value"] += f"\n{texts['interval']}"
            line += [texts[column] for column in columns]
        lines.append(line)
    header = [f"{place} {column}" for place in places for column in columns]
    return ["system", *header], lines


def _texts(row: Any) -> dict[str, str]:
    """A cell of Figure 5 in words."""
    gain = "" if row.system == "backbone" else _number(row.gain, "+")
    interval = f"{row.low:.1f}–{row.high:.1f}"
    return {"value": _number(row.value), "interval": interval, "gain": gain, "log": _number(row.log)}


def _number(value: float | None, sign: str = "") -> str:
    """One decimal, no sign before zero; dashes for what is missing."""
    if value is None or pd.isna(value):
        return "--"
    shown = f"{value:{sign}.1f}"
    return shown if shown.strip("+-0.") else "0.0"


def _print(frame: pd.DataFrame, budget: pd.DataFrame, by: str) -> None:
    for _, part in frame.groupby("task", sort=False):
        out.print(_about(part), highlight=False, markup=False, soft_wrap=True)
        terminal.print_rows(*_grid(part, by, folded=True), out)
    names = ", ".join(dict.fromkeys(name for cell in frame.runs for name in cell.split(", ")))
    seeds = " Several seeds: mean and t interval over them." if (frame.seeds > 1).any() else ""
    gain = " Gain: less the backbone." if by == "group" else ""
    out.print(f"Runs: {names}.{seeds}{gain}", highlight=False, soft_wrap=True)
    if frame.log.notna().any() and by == "group":
        note = "Log: mBERT in the authors' logs, the points of Figure 5; their Hit@1 is Hit@2 (protocol released)."
        out.print(note, highlight=False, soft_wrap=True)
    paper = f"The paper says about {figure5.SHARE:g} % for all adapters together."
    if budget.empty:
        out.print(f"Parameters that a system adds: not stored by these runs. {paper}", highlight=False, soft_wrap=True)
        return
    shown = budget[budget.system.isin(frame.system)]
    rows = [(r.system, f"{r.parameters:,}", f"{r.share:.2f} %", r.backbone) for r in shown.itertuples(index=False)]
    terminal.print_rows(("system", "adds parameters", "of the backbone", "backbone"), rows, out)
    out.print(paper, highlight=False, soft_wrap=True)


def _latex(frame: pd.DataFrame, by: str) -> str:
    """A booktabs table per task."""
    return "\n".join(_latex_table(part, by) for _, part in frame.groupby("task", sort=False))


def _latex_table(part: pd.DataFrame, by: str) -> str:
    header, rows = _grid(part, by)
    task, names, texts = part.task.iloc[0], list(dict.fromkeys(part.runs)), 2 if by == "language" else 1
    return f"% runs: {'; '.join(names)}\n" + tex.table(
        "l" * texts + "r" * (len(header) - texts),
        [tex.line(map(tex.escape, header))],
        [tex.line(map(tex.cell, row)) for row in rows],
        caption=_about(part),
        label=f"ablation-{task.replace('_', '-')}",
    )
