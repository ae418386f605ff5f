"""Frames -> Plotly figures; pure functions. One fixed colour and symbol per system, in every figure of the project."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.config import SYSTEMS
from core.languages import GROUPS, describe
from core.runs.checkpoints import RULES

# Okabe-Ito colours with 3:1 contrast on white and on dark; beyond four, symbols tell systems apart.
SYSTEM_COLORS = dict(
    zip(SYSTEMS, ("#7f7f7f", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#9a7d0a", "#9467bd"), strict=True)
)
SYSTEM_SYMBOLS = dict(
    zip(SYSTEMS, ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star"), strict=True)
)
RULE_SYMBOLS = dict(zip(RULES, ("circle-open", "circle", "diamond-open"), strict=True))
CONFIG = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def group_dots(rows: pd.DataFrame, unit: str) -> go.Figure:
    """Value and interval of every system in every language group.

    Args:
        rows: Rows of groups of one task, metric and protocol, with mode, system, group, value, low, high.
        unit: What the x axis counts.
    """
    figure = go.Figure()
    present = [s for s in SYSTEMS if s in set(rows.system)]
    modes = [m for m in ("zero-shot", "fine-tuned") if m in set(rows["mode"])]
    groups = [g for g in GROUPS if g in set(rows.group)]
    places = {(g, m): i * (len(modes) + 0.6) + j for i, g in enumerate(groups) for j, m in enumerate(modes)}
    for number, system in enumerate(present):
        part = rows[rows.system == system]
        shift = (number - (len(present) - 1) / 2) * 0.8 / max(1, len(present))
        figure.add_scatter(
            x=part.value,
            y=[places[g, m] + shift for g, m in zip(part.group, part["mode"], strict=True)],
            error_x={
                "type": "data",
                "array": part.high - part.value,
                "arrayminus": part.value - part.low,
                "thickness": 1.2,
                "width": 0,
            },
            mode="markers",
            name=system,
            marker={"color": SYSTEM_COLORS[system], "symbol": SYSTEM_SYMBOLS[system], "size": 9},
            customdata=part[["group", "mode", "low", "high"]],
            hovertemplate="%{customdata[0]}, %{customdata[1]}: %{x:.1f} [%{customdata[2]:.1f}, %{customdata[3]:.1f}]",
        )
    figure.update_yaxes(
        tickvals=list(places.values()), ticktext=[f"{g}, {m}" for g, m in places], autorange="reversed", showgrid=False
    )
    figure.update_xaxes(title=unit)
    return _finished(figure, 110 + 75 * len(places))


def language_dots(rows: pd.DataFrame, unit: str) -> go.Figure:
    """Value of every system in every language, languages by group and then by the first system's value.

    Args:
        rows: Rows of languages of one task, metric, mode and protocol.
        unit: What the x axis counts.
    """
    figure = go.Figure()
    best = rows.groupby("language").value.max()
    languages = sorted(
        {(GROUPS.index(g), -best[lang], lang) for lang, g in zip(rows.language, rows.group, strict=True)}
    )
    order = [language for *_, language in languages]
    group = dict(zip(rows.language, rows.group, strict=True))
    titles = {code: f"{describe(code).name} · {group[code]}" for code in order}
    for system in [s for s in SYSTEMS if s in set(rows.system)]:
        part = rows[rows.system == system]
        figure.add_scatter(
            x=part.value,
            y=[order.index(code) for code in part.language],
            mode="markers",
            name=system,
            marker={"color": SYSTEM_COLORS[system], "symbol": SYSTEM_SYMBOLS[system], "size": 8},
            customdata=part[["language", "n", "low", "high"]],
            hovertemplate="%{customdata[0]}: %{x:.1f} [%{customdata[2]:.1f}, %{customdata[3]:.1f}], n = %{customdata[1]}",
        )
    figure.update_yaxes(tickvals=list(range(len(order))), ticktext=[titles[c] for c in order], autorange="reversed")
    figure.update_xaxes(title=unit)
    return _finished(figure, 130 + 22 * len(order))


def learning_curves(steps: pd.DataFrame) -> go.Figure:
    """Loss of every stage over the share of its steps.

    Args:
        steps: Columns stage, step, steps, loss.
    """
    figure = go.Figure()
    dashes = ("solid", "dash", "dot", "dashdot")
    for number, (stage, part) in enumerate(steps.groupby("stage", sort=False)):
        color = list(SYSTEM_COLORS.values())[1 + number % 4]
        figure.add_scatter(
            x=100 * part.step / part.steps,
            y=part.loss,
            mode="lines",
            name=str(stage),
            line={"color": color, "dash": dashes[number // 4 % 4], "width": 2},
            hovertemplate="step %{customdata}: %{y:.3f} nats",
            customdata=part.step,
        )
    figure.update_xaxes(title="share of the stage's steps (%)", range=[0, 100])
    figure.update_yaxes(title="loss (nats)", rangemode="tozero")
    return _finished(figure, 380)


def ablation_panels(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Figure 5: value and interval of every system in every place, a panel per task; hollow: the authors' logs.

    Args:
        rows: Rows of `core.runs.ablation.ablation`, all of groups or all of languages, with a column `log` of the
            paper's points, missing where there is none.
        titles: Task -> heading of its panel, in the order of the panels.
    """
    figure = make_subplots(1, len(titles), subplot_titles=list(titles.values()))
    systems = [s for s in SYSTEMS if s in set(rows.system)]
    shown_first = rows.drop_duplicates("system").set_index("system").task
    column = "language" if rows.language.notna().all() else "group"
    for panel, task in enumerate(titles, 1):
        here = rows[rows.task == task]
        places = list(dict.fromkeys(here[column]))
        for number, system in enumerate(systems):
            part = here[here.system == system]
            shift = (number - (len(systems) - 1) / 2) * 0.8 / len(systems)
            x = [places.index(place) + shift for place in part[column]]
            marker = {"color": SYSTEM_COLORS[system], "symbol": SYSTEM_SYMBOLS[system], "size": 9}
            both = {
                "mode": "markers",
                "name": system,
                "legendgroup": system,
                "showlegend": shown_first.get(system) == task,
            }
            figure.add_scatter(
                x=x,
                y=part.value,
                error_y={
                    "type": "data",
                    "array": part.high - part.value,
                    "arrayminus": part.value - part.low,
                    "thickness": 1.2,
                    "width": 0,
                },
                marker=marker,
                customdata=part[[column, "low", "high", "seeds", *(["runs"] if "runs" in part else [])]],
                hovertemplate=(
                    "%{customdata[0]}: %{y:.1f} [%{customdata[1]:.1f}, %{customdata[2]:.1f}], seeds: %{customdata[3]}"
                ),
                row=1,
                col=panel,
                **both,
            )
            if part.log.notna().any():
                figure.add_scatter(
                    x=x,
                    y=part.log,
                    marker=marker | {"symbol": f"{SYSTEM_SYMBOLS[system]}-open"},
                    hovertemplate="authors' log: %{y:.1f}",
                    row=1,
                    col=panel,
                    **(both | {"showlegend": False}),
                )
        metric = ", ".join(dict.fromkeys(here.metric))
        figure.update_xaxes(tickvals=list(range(len(places))), ticktext=places, showgrid=False, row=1, col=panel)
        figure.update_yaxes(title=f"{metric} (%)", row=1, col=panel)
    return _finished(figure, 460).update_layout(legend_y=1.08)


def checkpoint_dots(rows: pd.DataFrame, unit: str) -> go.Figure:
    """Every system with its last, reported and luckiest weights: colours are systems, symbols are weights.

    Args:
        rows: Rows of one task of `core.runs.checkpoints.checkpoint_values`, all of groups or all of languages.
        unit: What the x axis counts.
    """
    figure = go.Figure()
    column = "language" if rows.language.notna().all() else "group"
    rows = rows.sort_values([column, "system"], key=lambda c: c.map(_rank), kind="stable")
    titles = [f"{place}, {system}" for place, system in zip(rows[column], rows.system, strict=True)]
    colors = [SYSTEM_COLORS[system] for system in rows.system]
    for place, values in enumerate(rows[list(RULES)].to_numpy(float)):
        figure.add_scatter(
            x=[values.min(), values.max()],
            y=[place, place],
            mode="lines",
            line={"color": "#7f7f7f", "width": 1.2},
            hoverinfo="skip",
            showlegend=False,
        )
    for rule, meaning in RULES.items():
        figure.add_scatter(
            x=rows[rule],
            y=list(range(len(rows))),
            mode="markers",
            name=meaning,
            marker={
                "color": colors,
                "symbol": RULE_SYMBOLS[rule],
                "size": 10,
                "line": {"width": 2, "color": colors},
            },
            customdata=titles,
            hovertemplate=f"%{{customdata}}, {meaning}: %{{x:.1f}}<extra></extra>",
        )
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=titles, autorange="reversed", showgrid=False)
    figure.update_xaxes(title=unit)
    return _finished(figure, 120 + 26 * len(rows))


def _rank(name: str) -> tuple[int, str]:
    """Systems and groups in the order of the paper, languages by code."""
    order = (*SYSTEMS, *GROUPS)
    return (order.index(name), "") if name in order else (len(order), name)


def _finished(figure: go.Figure, height: int) -> go.Figure:
    figure.update_yaxes(zeroline=False)
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 40},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hovermode="closest",
    )
    return figure
