"""What the fusion does with a sentence -> Plotly figures; pure functions of `core.probing.sentences.table` and the like.

Words are rows, top to bottom, so that a map reads the same in every script; layers are columns.
"""

import html

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.fusion.charts import SEQUENTIAL, SLOT_COLORS

WINNER, ENTROPY = "winner", "entropy"
_PATTERNS = dict(zip(SLOT_COLORS, (".", "", "/", "x", "\\", "-"), strict=False))


def layer_map(rows: pd.DataFrame, measure: str) -> go.Figure:
    """A sentence's words by layer: who wins, the weight of one slot, or the entropy.

    Args:
        rows: Rows of one sentence.
        measure: `winner`, `entropy`, or a slot.
    """
    names, layers = _names(rows), sorted(rows.layer.unique())
    figure = go.Figure()
    if measure == WINNER:
        slots = list(dict.fromkeys(rows.slot))
        weights = np.stack([_grid(rows[rows.slot == slot], "weight") for slot in slots])
        won = weights.argmax(0)
        for number, slot in enumerate(slots):
            figure.add_heatmap(
                x=layers,
                y=list(range(len(names))),
                z=np.where(won == number, weights[number], np.nan),
                zmin=0.0,
                zmax=1.0,
                colorscale=[[0, _pale(SLOT_COLORS[slot])], [1, SLOT_COLORS[slot]]],
                showscale=False,
                name=slot,
                texttemplate="%{z:.2f}" if len(names) <= 60 else None,
                customdata=np.array(names, object)[:, None].repeat(len(layers), 1),
                hovertemplate=f"%{{customdata}}, layer %{{x}}: {slot} %{{z:.2f}}<extra></extra>",
                hoverongaps=False,
                xgap=1,
                ygap=1,
            )
            marker = {"color": SLOT_COLORS[slot], "symbol": "square", "size": 11}
            figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, name=slot, showlegend=True)
    else:
        part = rows[rows.slot == (rows.slot.iloc[0] if measure == ENTROPY else measure)]
        figure.add_heatmap(
            x=layers,
            y=list(range(len(names))),
            z=_grid(part, "entropy" if measure == ENTROPY else "weight"),
            zmin=0.0,
            zmax=1.0,
            colorscale=SEQUENTIAL,
            colorbar={"thickness": 12, "title": {"text": measure}},
            texttemplate="%{z:.2f}" if len(names) <= 60 else None,
            customdata=np.array(names, object)[:, None].repeat(len(layers), 1),
            hovertemplate=f"%{{customdata}}, layer %{{x}}: {measure} %{{z:.2f}}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    figure.update_xaxes(title="layer", dtick=1, showgrid=False)
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.5, -0.5], showgrid=False
    )
    return _finished(figure, 120 + 26 * len(names))


def word_bars(rows: pd.DataFrame) -> go.Figure:
    """The weights of every slot on one word, stacked to one, by layer.

    Args:
        rows: Rows of one word of one sentence.
    """
    figure = go.Figure()
    for slot, part in rows.groupby("slot", sort=False):
        figure.add_bar(
            x=part.layer,
            y=part.weight,
            name=str(slot),
            marker=_fill(str(slot)),
            hovertemplate=f"layer %{{x}}: {slot} %{{y:.3f}}<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="layer", dtick=1)
    figure.update_yaxes(title="weight", range=[0, 1])
    return _finished(figure, 340)


def slot_bars(rows: pd.DataFrame) -> go.Figure:
    """Mean weights of every slot in several places, such as sentences in several languages, a row per place.

    Args:
        rows: Columns place, slot, weight; places in the order to show them in.
    """
    figure = go.Figure()
    places = list(dict.fromkeys(rows.place))
    for slot, part in rows.groupby("slot", sort=False):
        figure.add_bar(
            x=part.weight,
            y=[places.index(place) for place in part.place],
            orientation="h",
            name=str(slot),
            marker=_fill(str(slot)),
            text=[f"{value:.2f}" if value >= 0.06 else "" for value in part.weight],
            textposition="inside",
            insidetextanchor="middle",
            customdata=[html.escape(place) for place in part.place],
            hovertemplate=f"%{{customdata}}: {slot} %{{x:.3f}}<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="mean weight", range=[0, 1])
    names = [html.escape(place) for place in places]
    figure.update_yaxes(tickvals=list(range(len(places))), ticktext=names, autorange="reversed", showgrid=False)
    return _finished(figure, 130 + 36 * len(places))


def _names(rows: pd.DataFrame) -> list[str]:
    """The words of a sentence in its order, safe for Plotly, which reads tags."""
    return [html.escape(str(word)) for word in rows.drop_duplicates("position").sort_values("position").word]


def _grid(rows: pd.DataFrame, column: str) -> np.ndarray:
    """A column as an array, shape (words, layers)."""
    grid: np.ndarray = rows.pivot(index="position", columns="layer", values=column).to_numpy(float)
    return grid


def _fill(slot: str) -> dict[str, object]:
    """Colour and pattern of a slot."""
    return {
        "color": SLOT_COLORS[slot],
        "pattern": {
            "shape": _PATTERNS[slot],
            "fgcolor": "#ffffff",
            "fgopacity": 0.25,
            "fillmode": "overlay",
            "size": 6,
        },
    }


def _pale(color: str) -> str:
    """A colour mixed with white; a transparent one would hide the numbers on a dark page."""
    red, green, blue = (round(255 - 0.3 * (255 - int(color[i : i + 2], 16))) for i in (1, 3, 5))
    return f"rgb({red},{green},{blue})"


def _finished(figure: go.Figure, height: int) -> go.Figure:
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 40},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "traceorder": "normal"},
        hovermode="closest",
    )
