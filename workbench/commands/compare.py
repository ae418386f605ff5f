"""`workbench compare`: how two systems differ, with paired bootstrap intervals, in one run or over several seeds."""

from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, get_args

import pandas as pd
import typer

from core import catalog
from core.config import SYSTEMS, Mode
from core.evaluation.metrics import MAIN_METRICS, METRICS, RANKING_METRICS
from core.evaluation.protocols import PROTOCOLS
from core.runs import tables
from core.runs.differences import differences
from core.runs.store import RunDir, list_runs
from core.task_config import TaskName
from workbench import terminal
from workbench.commands.options import require_known
from workbench.terminal import Json

out = terminal.screen()


def compare(
    task: Annotated[str, typer.Option(help="A task of the run, such as entity_alignment.")],
    systems: Annotated[
        tuple[str, str], typer.Option(help="Two systems, such as `backbone +Fusion`; the difference is second - first.")
    ],
    run: Annotated[
        list[str] | None,
        typer.Argument(
            help="One run, or runs of one config with different seeds; the newest with results if left out."
        ),
    ] = None,
    mode: Annotated[str, typer.Option(help="zero-shot or fine-tuned.")] = "fine-tuned",
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A metric of the task, such as MRR or F1; repeatable; the main ones if left out."),
    ] = None,
    protocol: Annotated[str, typer.Option(help=f"One of {', '.join(PROTOCOLS)}.")] = "strict",
    by: Annotated[str, typer.Option(help="group or language.")] = "group",
    as_json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
) -> None:
    """How two systems differ on the same test examples, from the stored ranks or predictions.

    Each difference has the interval of a paired bootstrap over test entities (questions, sentences) and its two-sided
    p. Several runs, one per seed, add the mean over seeds with its standard deviation and t interval. In JSON and CSV
    `interval` says which of the two a row's `low` and `high` are: `entities` or `seeds`.

    Example: `workbench compare --task entity_alignment --systems backbone +Fusion --metric MRR --by language`
    """
    allowed: dict[str, Collection[str]]
    allowed = {"task": get_args(TaskName), "mode": get_args(Mode), "protocol": PROTOCOLS, "by": ("group", "language")}
    for option, value in {"task": task, "mode": mode, "protocol": protocol, "by": by}.items():
        require_known(option, [value], allowed[option])
    require_known("systems", systems, SYSTEMS)
    metrics = list(dict.fromkeys(metric or [m for m in MAIN_METRICS if m in METRICS[task]]))
    require_known("metric", metrics, METRICS[task])
    if PROTOCOLS[protocol].ranks_only and METRICS[task] is not RANKING_METRICS:
        raise ValueError(f"--protocol {protocol} reads ranks, and {task} has none. Take strict, last or best-test.")
    chosen = [RunDir.open(name) for name in run or []] or [tables.newest_with_results(list_runs())]
    frame = differences(chosen, task, systems, metrics, protocol, by, mode)
    chosen.sort(key=lambda one: one.config.seed)
    about = {"task": task, "mode": mode, "protocol": protocol, "baseline_system": systems[0], "system": systems[1]}
    if as_json:
        terminal.print_json(tables.records(frame))
    elif csv:
        print(frame.to_csv(index=False), end="")  # noqa: T201
    else:
        _print(frame, chosen, about, by)


def _print(frame: pd.DataFrame, runs: Sequence[RunDir], about: dict[str, str], by: str) -> None:
    measured = runs[0].config.evaluation
    baseline, system = about["baseline_system"], about["system"]
    places = ("language", "group") if by == "language" else ("group",)
    out.print(
        f"{catalog.item('task', about['task']).title}, {about['mode']}, protocol {about['protocol']}: "
        f"{system} - {baseline}, in percentage points",
        *[f"seed {run.config.seed}: {run.name}" for run in runs],
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )
    level = f"{100 * measured.confidence:g}% interval"
    each = frame[frame.interval == "entities"]
    columns = (*places, "metric", "seed", baseline, system, "difference", level, "p", "n")
    _print_rows(
        each,
        columns,
        lambda r: (r.metric, r.seed, f"{r.baseline:.1f}", f"{r.value:.1f}", *_difference(r), f"{r.p:.3f}", r.n),
        places,
    )
    out.print(
        f"Intervals and two-sided p: paired bootstrap, {measured.bootstrap_samples} resamples of what is tested.",
        highlight=False,
    )
    if len(runs) > 1:
        columns = (*places, "metric", "seeds", baseline, system, "difference", level, "sd", "min", "max")
        _print_rows(
            frame[frame.interval == "seeds"],
            columns,
            lambda r: (
                *(r.metric, r.seeds, f"{r.baseline:.1f} ±{r.baseline_sd:.1f}", f"{r.value:.1f} ±{r.value_sd:.1f}"),
                *(*_difference(r), f"{r.sd:.1f}", f"{r.min:+.1f}", f"{r.max:+.1f}"),
            ),
            places,
        )
        out.print("Over seeds: mean ± standard deviation, and the t interval of the mean difference.", highlight=False)


def _print_rows(
    frame: pd.DataFrame, columns: Sequence[str], cells: Callable[[Any], tuple[Any, ...]], places: Sequence[str]
) -> None:
    rows = [(*(getattr(row, p) for p in places), *cells(row)) for row in frame.itertuples(index=False)]
    terminal.print_rows(columns, rows, out)


def _difference(row: Any) -> tuple[str, str]:
    return f"{row.difference:+.1f}", f"{row.low:+.1f} to {row.high:+.1f}"
