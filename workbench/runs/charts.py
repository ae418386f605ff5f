"""Learning curves of one run or of many: frames -> Plotly figures, pure functions."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core import catalog
from workbench.fusion.charts import SLOT_COLORS

LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # 3:1 on white and on dark; dashes tell twenty runs apart
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_WIDE = 3  # panels in a row


def smoothed(loss: pd.Series, steps: int) -> pd.Series:
    """Mean over a window of `steps` values up to each one; the first values over those there are."""
    return loss.rolling(max(1, steps), min_periods=1).mean()


def stage_title(stage: str) -> str:
    """A stage's name for people: `EP`, `Fusion, knowledge graph completion`, `+Fusion fine-tuned on ...`."""
    kind, _, rest = stage.partition(".")
    task, _, system = rest.partition(".")
    if kind == "fusion" and rest:
        return f"Fusion: {_task(rest)}"
    if kind in ("fine-tuned", "head") and system:
        name = system if system == "backbone" else f"+{system.upper() if len(system) == 2 else system.title()}"
        return f"{name} {'fine-tuned' if kind == 'fine-tuned' else 'head alone'}: {_task(task)}"
    return stage.upper() if len(stage) == 2 else stage


def _task(task: str) -> str:
    try:
        return catalog.item("task", task).title
    except (KeyError, ValueError):
        return task


def curves_by_stage(steps: pd.DataFrame, names: dict[str, str], stages: Sequence[str], window: int = 1) -> go.Figure:
    """The loss of every stage in a panel of its own, a line a run.

    Args:
        steps: Columns run, stage, step, steps, loss.
        names: Run -> its name in the legend, in the order of the colours.
        stages: The stages to draw, in order.
        window: Values that a point is the mean of (`smoothed`); the raw line stays behind it, faint.
    """
    columns = min(_WIDE, max(1, len(stages)))
    height = -(-len(stages) // columns)
    figure = make_subplots(
        height,
        columns,
        subplot_titles=[stage_title(stage) for stage in stages],
        vertical_spacing=0.28 / height,
        horizontal_spacing=0.07,
    )
    shown: set[str] = set()
    for number, stage in enumerate(stages):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        for position, run in enumerate(names):
            part = steps[(steps.run == run) & (steps.stage == stage)]
            if part.empty:
                continue
            color = LINE_COLORS[position % len(LINE_COLORS)]
            if len(names) == 1:
                color = SLOT_COLORS.get(stage, color)
            line = {"color": color, "dash": DASHES[position // len(LINE_COLORS) % len(DASHES)], "width": 2}
            if window > 1:
                figure.add_scatter(
                    x=part.step, y=part.loss, mode="lines", line=line | {"width": 1}, opacity=0.25, hoverinfo="skip",
                    showlegend=False, legendgroup=run, **place,
                )  # fmt: skip
            figure.add_scatter(
                x=part.step,
                y=smoothed(part.loss, window),
                mode="lines" if len(part) > 1 else "markers",
                name=names[run],
                legendgroup=run,
                showlegend=len(names) > 1 and run not in shown,
                line=line,
                marker={"color": color},
                hovertemplate="step %{x}: %{y:.3f} nats",
                **place,
            )
            shown.add(run)
    figure.update_xaxes(title="step", title_standoff=4)
    figure.update_yaxes(rangemode="tozero", zeroline=False)
    for row in range(1, height + 1):
        figure.update_yaxes(title="loss (nats)", row=row, col=1)
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.0 + 0.16 / height, "x": 0}
    return figure.update_layout(
        height=90 + 250 * height + (22 * (len(names) // 3) if len(names) > 1 else 0),
        margin={"l": 10, "r": 10, "t": 60 if len(names) == 1 else 80, "b": 40},
        legend=legend,
        hovermode="closest",
    )


def curve_table(steps: pd.DataFrame) -> pd.DataFrame:
    """What the curves end at: run, stage, steps, first and last loss, the lowest, and the mean rate."""
    found = steps.groupby(["run", "stage"], sort=False).agg(
        steps=("step", "last"),
        first_loss=("loss", "first"),
        last_loss=("loss", "last"),
        lowest_loss=("loss", "min"),
        pairs_per_second=("pairs_per_second", "median"),
    )
    return found.reset_index()
