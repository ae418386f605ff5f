"""Results by language: dots with intervals, and scores against what is known of the languages; pure functions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.languages import describe
from workbench.charts import SYSTEM_COLORS, SYSTEM_SYMBOLS

_OTHER_COLORS, _OTHER_SYMBOLS = ("#7f7f7f", "#0072B2"), ("x", "asterisk-open", "hexagram", "pentagon")
_ROW = 26  # pixels of one language
# Vermilion: below the backbone; blue: above; pale enough at both ends for dark numbers.
LOSS_AND_GAIN = ((0.0, "#e8894a"), (0.5, "#eeeeee"), (1.0, "#6db3e0"))
AXES = {
    "labels": "labels in the corpus of the adapters (logarithmic)",
    "identical": "test names that are the English string (%)",
    "script": "script (ISO 15924)",
    "family": "language family",
}


def look(system: str, others: Sequence[str] = ()) -> dict[str, object]:
    """Colour and symbol of one of our systems, or of one that a visitor brought (grey and blue crosses and stars)."""
    if system in SYSTEM_COLORS:
        return {"color": SYSTEM_COLORS[system], "symbol": SYSTEM_SYMBOLS[system]}
    number = list(others).index(system) if system in others else 0
    return {"color": _OTHER_COLORS[number % 2], "symbol": _OTHER_SYMBOLS[number % len(_OTHER_SYMBOLS)]}


def language_dots(rows: pd.DataFrame, unit: str, order: Sequence[str], theirs: pd.DataFrame | None = None) -> go.Figure:
    """Value and interval of every system in every language, a line a language, systems side by side on it.

    Args:
        rows: Rows of languages of one set-up, task, metric, mode and protocol, with low, high and n.
        unit: What the x axis counts.
        order: Languages from top to bottom; the others are left out.
        theirs: Values that a visitor brought: system, language, value.
    """
    figure = go.Figure()
    places = {code: number for number, code in enumerate(order)}
    present = [system for system in SYSTEM_COLORS if system in set(rows.system)]
    brought = pd.DataFrame({"system": [], "language": [], "value": []}) if theirs is None else theirs
    others = list(dict.fromkeys(brought.system))
    for number, system in enumerate(present):
        part = rows[(rows.system == system) & rows.language.isin(order)]
        shift = (number - (len(present) - 1) / 2) * 0.72 / max(1, len(present))
        figure.add_scatter(
            x=part.value,
            y=[places[code] + shift for code in part.language],
            error_x={
                "type": "data",
                "array": part.high - part.value,
                "arrayminus": part.value - part.low,
                "thickness": 1,
                "width": 0,
            },
            mode="markers",
            name=system,
            marker={**look(system), "size": 8},
            customdata=np.column_stack(
                [[describe(code).name for code in part.language], part.low, part.high, part.n, part.group]
            )
            if len(part)
            else None,
            hovertemplate=(
                f"%{{customdata[0]}}, %{{customdata[4]}}, {system}: %{{x:.1f}} "
                "[%{customdata[1]:.1f}, %{customdata[2]:.1f}], n = %{customdata[3]}<extra></extra>"
            ),
        )
    for system in others:
        part = brought[(brought.system == system) & brought.language.isin(order)]
        figure.add_scatter(
            x=part.value,
            y=[places[code] for code in part.language],
            mode="markers",
            name=f"{system} (yours)",
            marker={**look(system, others), "size": 9},
            hovertemplate=f"yours: %{{x:.1f}}<extra>{len(part)} languages</extra>",
        )
    for number in range(0, len(order), 2):
        figure.add_hrect(
            y0=number - 0.5, y1=number + 0.5, fillcolor="rgba(127,127,127,0.08)", line_width=0, layer="below"
        )
    group = dict(zip(rows.language, rows.group, strict=True))
    figure.update_yaxes(
        tickvals=list(range(len(order))),
        ticktext=[f"{describe(code).name} · {group.get(code, '')}" for code in order],
        range=[len(order) - 0.5, -0.5],
        showgrid=False,
    )
    figure.update_xaxes(title=unit)
    return _finished(figure, 130 + max(_ROW, 9 * len(present)) * len(order))


def against(rows: pd.DataFrame, known: pd.DataFrame, by: str, unit: str) -> go.Figure:
    """The score of every language and system against one of `AXES`.

    Args:
        rows: Rows of languages of one set-up, task, metric, mode and protocol.
        known: One row a language: language, and `labels` or `identical` where `by` is one of them.
        by: A key of `AXES`.
        unit: What the y axis counts.
    """
    figure, joined = go.Figure(), with_known(rows, known)
    joined = joined[joined[by].notna() & (joined[by] != "")]
    titles = sorted(set(joined[by])) if by in ("script", "family") else []
    for number, system in enumerate([system for system in SYSTEM_COLORS if system in set(joined.system)]):
        part = joined[joined.system == system]
        x = part[by]
        if titles:
            x = part[by].map(titles.index) + (number - (joined.system.nunique() - 1) / 2) * 0.1
        figure.add_scatter(
            x=x,
            y=part.value,
            mode="markers",
            name=system,
            marker={**look(system), "size": 9, "opacity": 0.85},
            cliponaxis=False,
            customdata=np.column_stack([part["name"], part.group, part[by]]) if len(part) else None,
            hovertemplate=f"%{{customdata[0]}}, %{{customdata[1]}}, %{{customdata[2]}}: %{{y:.1f}}<extra>{system}</extra>",
        )
    figure.update_xaxes(title=AXES[by], zeroline=False)
    if titles:
        figure.update_xaxes(tickvals=list(range(len(titles))), ticktext=titles, showgrid=False)
    elif by == "labels":
        figure.update_xaxes(type="log")
    figure.update_yaxes(title=unit, rangemode="tozero", zeroline=False)
    return _finished(figure, 480)


def with_known(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Rows of languages with their name, script and family, and what else is known of them; missing where it is not."""
    described = rows.assign(
        name=[describe(code).name for code in rows.language],
        script=[describe(code).script for code in rows.language],
        family=[describe(code).family for code in rows.language],
    )
    joined = described.merge(known, on="language", how="left")
    for column in ("labels", "identical"):
        if column not in joined:
            joined[column] = np.nan
    return joined


def rank_correlations(rows: pd.DataFrame, known: pd.DataFrame, by: str) -> dict[str, float]:
    """Spearman's rank correlation of the score with a number known of the language, by system; three languages at least."""
    found = {}
    joined = with_known(rows, known).dropna(subset=[by])
    for system, part in joined.groupby("system", sort=False):
        if part[by].nunique() > 2 and part.value.nunique() > 1:
            found[str(system)] = float(part.value.rank().corr(part[by].rank()))
    return found


def gain_heat(grid: pd.DataFrame, metric: str) -> go.Figure:
    """What each system gains over the backbone in each language group, as a grid with the numbers in it.

    Args:
        grid: Points gained, a row a system and a column a group.
        metric: What the points are of.
    """
    reach = float(np.nanmax(np.abs(grid.to_numpy(float)))) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(float),
            x=list(grid.columns),
            y=list(grid.index),
            zmin=-reach,
            zmax=reach,
            colorscale=LOSS_AND_GAIN,
            texttemplate="%{z:+.1f}",
            textfont={"size": 14, "color": "#111111"},
            xgap=3,
            ygap=3,
            showscale=False,
            hovertemplate=f"%{{y}} in %{{x}}: %{{z:+.1f}} points of {metric}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_xaxes(side="top", showgrid=False)
    return figure.update_layout(height=70 + 38 * len(grid), margin={"l": 10, "r": 10, "t": 34, "b": 6})


def _finished(figure: go.Figure, height: int) -> go.Figure:
    figure.update_yaxes(zeroline=False)
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 50, "b": 40},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hovermode="closest",
    )
