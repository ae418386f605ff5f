"""`workbench compare`: how two systems differ, with paired bootstrap intervals, in one run or over several seeds."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Annotated, Any, get_args

import pandas as pd
import typer

from core import catalog, recipes
from core.config import SYSTEMS, Mode
from core.evaluation.metrics import MAIN_METRICS, METRICS, RANKING_METRICS
from core.evaluation.outcomes import Outcome, from_arrays
from core.evaluation.protocols import PROTOCOLS
from core.runs import tables
from core.runs.store import RunDir, list_runs
from core.task_config import TaskName
from workbench import terminal
from workbench.commands.options import require_known
from workbench.terminal import Json

out = terminal.screen()
_PLACE = ("language", "group", "metric")


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
    _require_only_seeds_differ(chosen)
    chosen.sort(key=lambda one: one.config.seed)
    about = {"task": task, "mode": mode, "protocol": protocol, "baseline_system": systems[0], "system": systems[1]}
    frame = _differences(chosen, about, metrics, by)
    if len(chosen) > 1:
        summary = _over_seeds(frame, chosen[0].config.evaluation.confidence)
        frame = pd.concat([frame.astype(object), summary.astype(object)], ignore_index=True)
    if as_json:
        terminal.print_json(tables.records(frame))
    elif csv:
        print(frame.to_csv(index=False), end="")  # noqa: T201
    else:
        _print(frame, chosen, about, by)


def _require_only_seeds_differ(runs: Sequence[RunDir]) -> None:
    """Check that runs are of one config, each with a seed of its own.

    Raises:
        ValueError: Naming the fields in which a run differs from the first, or the runs with one seed.
    """
    first, seeds = runs[0], {runs[0].config.seed: runs[0].name}
    fields = _fields(first)
    for other in runs[1:]:
        theirs = _fields(other)
        if differing := sorted(k for k in fields.keys() | theirs.keys() if fields.get(k) != theirs.get(k)):
            raise ValueError(
                f"{other.name} differs from {first.name} in more than the seed: {', '.join(differing)}. "
                f"Only runs of one config are seeds of it; train another: workbench run {first.config_file} --seed 1"
            )
        if same := seeds.get(other.config.seed):
            raise ValueError(f"{same} and {other.name} have the same seed, {other.config.seed}; name one run per seed.")
        seeds[other.config.seed] = other.name


def _fields(run: RunDir) -> dict[str, Any]:
    """The recipe, and what the config sets differently from it, the title and the seed left out."""
    changed = recipes.deviations(run.config)
    return {"recipe": run.config.recipe} | {k: v for k, v in changed.items() if k not in ("title", "seed")}


def _differences(runs: Sequence[RunDir], about: dict[str, str], metrics: Sequence[str], by: str) -> pd.DataFrame:
    """One row per run and difference, in the order of `runs`.

    Raises:
        ValueError: If a run did not measure a system, or two of the ranks are of different queries.
    """
    from core.evaluation.comparison import paired_differences, require_same_queries

    rows, first = [], None
    for run in runs:
        baseline, system = (_outcomes(run, about, about[name]) for name in ("baseline_system", "system"))
        first = first or baseline
        stored = tables.results([run], "language", task=about["task"])
        groups = dict(zip(stored.language, stored.group, strict=True))
        protocol, measured = PROTOCOLS[about["protocol"]], run.config.evaluation
        pair = f"{about['baseline_system']} and {about['system']} of {run.name}"
        try:
            found = list(
                paired_differences(baseline, system, groups, protocol, measured.bootstrap_samples, measured.confidence)
            )
            pair = f"{runs[0].name} and {run.name}"
            require_same_queries(first, baseline)
        except ValueError as error:
            raise ValueError(f"{pair} cannot be compared. {error} Evaluate both on the same benchmark.") from None
        rows += [
            {"run": run.name, "seed": run.config.seed} | about | asdict(d) | {"interval": "entities"}
            for d in found
            if d.metric in metrics and (d.language is None) == (by == "group")
        ]
    return pd.DataFrame(rows)


def _outcomes(run: RunDir, about: dict[str, str], system: str) -> dict[str, Outcome]:
    """Outcomes of a system.

    Raises:
        ValueError: If the run did not measure it, naming what it did.
    """
    task, mode, weights = about["task"], about["mode"], PROTOCOLS[about["protocol"]].weights
    if not run.outcome_file(task, system, mode, weights).is_file():
        measured = [
            f"{', '.join(present)} ({m}, {t})"
            for t in get_args(TaskName)
            for m in get_args(Mode)
            if (present := [s for s in SYSTEMS if run.outcome_file(t, s, m, weights).is_file()])
        ]
        raise ValueError(
            f"{run.name} measured no {system} ({mode}, {task}) with the weights of protocol {about['protocol']}. "
            f"It measured: {'; '.join(measured) or 'nothing'}."
        )
    return from_arrays(task, run.read_outcomes(task, system, mode, weights))


def _over_seeds(frame: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """One row per place and metric: means over the runs, and the t interval, sd, min and max of the difference."""
    from core.evaluation.comparison import over_seeds

    same_everywhere = ["task", "mode", "protocol", "baseline_system", "system", *_PLACE, "n"]
    rows = []
    for _, part in frame.groupby(list(_PLACE), sort=False, dropna=False):
        baseline, value, difference = (
            over_seeds(part[column].tolist(), confidence) for column in ("baseline", "value", "difference")
        )
        same = part.iloc[0][same_everywhere].to_dict()
        means = {"baseline": baseline.mean, "value": value.mean, "difference": difference.mean}
        spread = {"baseline_sd": baseline.sd, "value_sd": value.sd, "sd": difference.sd}
        ends = {"low": difference.low, "high": difference.high, "min": difference.min, "max": difference.max}
        rows.append(same | means | spread | ends | {"seeds": difference.n, "interval": "seeds"})
    return pd.DataFrame(rows)


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
        f"Intervals and two-sided p: paired bootstrap, {measured.bootstrap_samples} resamples of the test entities.",
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
