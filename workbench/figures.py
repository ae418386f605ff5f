"""The figures of the pages, by name: `workbench figure NAME` writes the same ones.

To add one: a function of typed options that returns `Drawn`, and its row in `FIGURES`. Its docstring ends in an example;
`workbench.commands.figure` makes a command of it and adds `--out` and `--columns`. A page builds its menu's command with
`command`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from core import catalog
from core.evaluation.fusion_map import MEASURES
from core.evaluation.metrics import METRICS
from core.evaluation.protocols import PROTOCOLS
from core.reference import figure5
from core.runs import ablation as stored
from core.runs import tables
from core.runs.checkpoints import checkpoint_values
from core.runs.store import RunDir
from workbench.commands.options import require_known

if TYPE_CHECKING:  # Plotly takes half a second, which no other command should pay
    import plotly.graph_objects as go

RunName = Annotated[str, typer.Argument(help="Name of a run; `workbench runs` lists them.")]
Protocol = Annotated[str, typer.Option(help=f"{', '.join(PROTOCOLS)}.")]
By = Annotated[str, typer.Option(help="group or language.")]


@dataclass(frozen=True)
class Drawn:
    """A figure, the rows behind it, the runs that they are from, and what it shows in a sentence."""

    figure: "go.Figure"
    table: pd.DataFrame
    runs: list[RunDir]
    caption: str


def fusion(
    run: RunName,
    task: Annotated[str | None, typer.Option(help="A task of the map; its first one if left out.")] = None,
    measure: Annotated[str, typer.Option(help=f"{', '.join(MEASURES)}.")] = "weight",
    view: Annotated[str, typer.Option(help="trained, null (untrained fusions) or difference.")] = "trained",
    languages: Annotated[str, typer.Option(help="all, a group (Sup, ZS-In, ZS-Un) or a language.")] = "all",
    beside: Annotated[str | None, typer.Option(help="A run whose figure shares the scale of this one.")] = None,
) -> Drawn:
    """What each slot does in a task's fusion, layer by layer.

    Example: `workbench figure fusion RUN --task entity_alignment --view difference --out fusion.pdf`
    """
    from workbench.fusion import charts as fusion_charts

    require_known("measure", [measure], MEASURES)
    require_known("view", [view], fusion_charts.VIEWS)
    runs = [RunDir.open(name) for name in (run, beside) if name]
    cells = [fusion_charts.cells(fusion_charts.among(tables.fusion_map(r), languages), measure) for r in runs]
    if cells[0].empty:
        raise ValueError(f"The fusion map of {run} has no {measure} for {languages}. See: workbench fusion {run}")
    task = task or cells[0].task.iloc[0]
    require_known("task", [task], list(dict.fromkeys(cells[0].task)))
    if view != "trained" and cells[0].null.isna().all():
        raise ValueError(f"--view {view}: {run} looked into no untrained fusions for {measure}.")
    part = cells[0][cells[0].task == task]
    scale = fusion_charts.limits(pd.concat(cells), measure, view)
    drawn = fusion_charts.draw(part, measure, view, scale, large=True)
    return Drawn(drawn, part, runs[:1], fusion_caption(task, measure, view, languages))


def fusion_caption(task: str, measure: str, view: str, languages: str) -> str:
    """What a figure of a fusion map shows."""
    return f"{_title(task)}: {MEASURES[measure]}, {view}, languages: {languages}"


def ablation(
    run: Annotated[list[str], typer.Argument(help="Runs of several tasks or systems, or several seeds of one set-up.")],
    task: Annotated[list[str] | None, typer.Option(help="A task; repeatable; all if left out.")] = None,
    system: Annotated[list[str] | None, typer.Option(help="backbone, +EP, ... or +Fusion; repeatable.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric; each task's first if left out.")] = None,
    protocol: Protocol = "strict",
    mode: Annotated[str, typer.Option(help="zero-shot or fine-tuned.")] = "fine-tuned",
    by: By = "group",
) -> Drawn:
    """Figure 5: every system on every task, with intervals, beside the authors' logs.

    Example: `workbench figure ablation RUN --task kg_completion --by language --out figure5.pdf --columns 2`
    """
    from workbench import charts

    runs = [RunDir.open(name) for name in run]
    rows = figure5.beside(stored.ablation(runs, task or (), system or (), metric, protocol, by, mode), by)
    titles = {name: _title(name) for name in dict.fromkeys(rows.task)}
    caption = f"{', '.join(titles.values())}: every system by {by}, {mode}, protocol {protocol}"
    return Drawn(charts.ablation_panels(rows, titles), rows, runs, caption)


def results(
    run: RunName,
    task: Annotated[str | None, typer.Option(help="A task of the run; its first one if left out.")] = None,
    metric: Annotated[str | None, typer.Option(help="The task's first one if left out.")] = None,
    protocol: Protocol = "strict",
    mode: Annotated[str, typer.Option(help="zero-shot or fine-tuned; of languages only.")] = "fine-tuned",
    by: By = "language",
    sort: Annotated[str, typer.Option(help="Order of the languages: group, value, family, script, name.")] = "group",
) -> Drawn:
    """Every system in every language, or in every language group, with intervals.

    Example: `workbench figure results RUN --task ner --by group --out results.svg`
    """
    from workbench import charts
    from workbench.results import charts as results_charts
    from workbench.results import tables as result_tables

    chosen = RunDir.open(run)
    rows = tables.results([chosen], by, protocol=protocol)
    task, rows = _only(rows, "task", task)
    metric, rows = _only(rows, "metric", metric)
    if by == "language":
        _, rows = _only(rows, "mode", mode)
    unit = f"{METRICS[task][metric].label} ({METRICS[task][metric].unit})"
    caption = f"{_title(task)}: {METRICS[task][metric].label} of every system by {by}, protocol {protocol}"
    if by == "group":
        return Drawn(charts.group_dots(rows, unit), rows, [chosen], caption)
    require_known("sort", [sort], result_tables.ORDERS)
    order = result_tables.language_order(rows, sort)
    return Drawn(results_charts.language_dots(rows, unit, order), rows, [chosen], caption)


def against(
    run: RunName,
    task: Annotated[str | None, typer.Option(help="A task of the run; its first one if left out.")] = None,
    metric: Annotated[str | None, typer.Option(help="The task's first one if left out.")] = None,
    protocol: Protocol = "strict",
    mode: Annotated[str, typer.Option(help="zero-shot or fine-tuned.")] = "fine-tuned",
    by: Annotated[str, typer.Option(help="labels, identical, script or family.")] = "script",
) -> Drawn:
    """The score of every language against its labels, its identical strings, its script or its family.

    Example: `workbench figure against RUN --task entity_alignment --by identical --out against.pdf`
    """
    from workbench.results import charts as results_charts
    from workbench.results import loaders as result_loaders

    require_known("by", [by], results_charts.AXES)
    chosen = RunDir.open(run)
    rows = tables.results([chosen], "language", protocol=protocol)
    for column, value in (("task", task), ("metric", metric), ("mode", mode)):
        _, rows = _only(rows, column, value)
    task, metric = rows.task.iloc[0], rows.metric.iloc[0]
    known, problems = result_loaders.known_of_languages(chosen, task)
    if by in ("labels", "identical") and by not in known:
        raise ValueError(" ".join(problems))
    figure = results_charts.against(rows, known, by, f"{METRICS[task][metric].label} ({METRICS[task][metric].unit})")
    caption = (
        f"{_title(task)}: {METRICS[task][metric].label} against {results_charts.AXES[by]}, {mode}, protocol {protocol}"
    )
    return Drawn(figure, results_charts.with_known(rows, known), [chosen], caption)


def curves(
    run: Annotated[list[str], typer.Argument(help="One run or several, up to twenty.")],
    stage: Annotated[list[str] | None, typer.Option(help="A stage such as ep; repeatable; all if left out.")] = None,
    smooth: Annotated[str, typer.Option(help="Steps that a point is the mean of.")] = "1",
) -> Drawn:
    """The loss of every stage, a panel a stage and a line a run.

    Example: `workbench figure curves RUN --stage ep --smooth 5 --out curves.pdf`
    """
    from workbench.runs import charts as run_charts
    from workbench.runs import tables as run_tables

    runs = [RunDir.open(name) for name in run]
    rows = pd.concat([run_tables.steps(one) for one in runs], ignore_index=True)
    stages = list(dict.fromkeys(rows.stage))
    require_known("stage", stage or [], stages)
    if not smooth.isdecimal() or int(smooth) < 1:
        raise ValueError(f"--smooth is a number of steps from 1 on, not {smooth!r}.")
    rows = rows[rows.stage.isin(stage or stages)]
    figure = run_charts.curves_by_stage(rows, run_tables.short_names(runs), stage or stages, int(smooth))
    return Drawn(figure, rows, runs, f"Loss of {', '.join(map(run_charts.stage_title, stage or stages))} by step")


def checkpoints(
    run: RunName,
    task: Annotated[str | None, typer.Option(help="A task of the run; its first one if left out.")] = None,
    by: By = "group",
) -> Drawn:
    """Every fine-tuned system with its last, reported and luckiest weights.

    Example: `workbench figure checkpoints RUN --task ner --by language --out checkpoints.pdf`
    """
    from workbench import charts

    chosen = RunDir.open(run)
    rows = checkpoint_values(chosen, by)
    if rows.empty:
        raise ValueError(f"{run} measured only the weights that it reports (tasks.<task>.all_checkpoints).")
    task, rows = _only(rows, "task", task)
    spec = METRICS[task][rows.metric.iloc[0]]
    caption = f"{_title(task)}: last, reported and luckiest weights by {by}"
    return Drawn(charts.checkpoint_dots(rows, f"{spec.label} ({spec.unit})"), rows, [chosen], caption)


def space(
    run: RunName,
    name: Annotated[str | None, typer.Option(help="Name of the space; the run's first if left out.")] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="Repeatable, side by side; the first and the last if left out.")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="pca, umap or aligned.")] = None,
    colour: Annotated[str, typer.Option(help="language, script, family, type, group or rank.")] = "language",
    language: Annotated[list[str] | None, typer.Option(help="Only this language; repeatable.")] = None,
    entity: Annotated[str | None, typer.Option(help="Id of an entity whose names are linked.")] = None,
) -> Drawn:
    """Where the names of entities lie in many languages, before and after.

    Example: `workbench figure space RUN --system backbone --system +Fusion --colour script --out space.pdf --columns 2`
    """
    from workbench.space import figures as space_figures

    return Drawn(*space_figures.points(run, name, system or (), layout, colour, language or (), entity))


def matrix(
    run: RunName,
    name: Annotated[str | None, typer.Option(help="Name of the space; the run's first if left out.")] = None,
    system: Annotated[str | None, typer.Option(help="The space's first one if left out.")] = None,
    beside: Annotated[str | None, typer.Option(help="A system whose figure shares the scale of this one.")] = None,
    measure: Annotated[str, typer.Option(help="hits (Hit@1), alignment or hubness.")] = "hits",
    language: Annotated[list[str] | None, typer.Option(help="Only this language; repeatable.")] = None,
) -> Drawn:
    """Retrieval between every two languages, their alignment or the hubs among their names.

    Example: `workbench figure matrix RUN --system +Fusion --out matrix.pdf`
    """
    from workbench.space import figures as space_figures

    return Drawn(*space_figures.matrix(run, name, system, beside, measure, language or ()))


FIGURES: dict[str, Callable[..., Drawn]] = {
    "fusion": fusion,
    "ablation": ablation,
    "results": results,
    "against": against,
    "curves": curves,
    "checkpoints": checkpoints,
    "space": space,
    "matrix": matrix,
}


def command(figure: str, run: str | Sequence[str] = (), **options: str | Sequence[str] | None) -> list[str]:
    """The words of the command that draws one of `FIGURES`; options that are None or empty are left out.

    The export menu adds `--out` and `--columns`.
    """
    words = ["workbench", "figure", figure, *([run] if isinstance(run, str) else run)]
    for name, value in options.items():
        for one in [value] if isinstance(value, str) else value or ():
            words += [f"--{name.replace('_', '-')}", one] if one else []
    return words


def _only(rows: pd.DataFrame, column: str, value: str | None) -> tuple[str, pd.DataFrame]:
    """The rows of one task, metric or mode, which is the first one if none is named."""
    there = list(dict.fromkeys(rows[column]))
    if value is None and there:
        value = there[0]
    require_known(column, [value or ""], there)
    return str(value), rows[rows[column] == value]


def _title(task: str) -> str:
    return catalog.item("task", task).title
