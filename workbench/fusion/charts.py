"""Fusion maps -> Plotly figures; pure functions. Every task is drawn on one shared scale, small or large.

What lies inside the range of the untrained fusions is faded (heatmap) or hollow (points): chance gives that much too.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.config import SYSTEM_PARTS
from core.evaluation.fusion_map import beside_null, knock_out_metric, number
from core.evaluation.metrics import METRICS
from core.languages import GROUPS
from workbench.charts import SYSTEM_COLORS, SYSTEM_SYMBOLS

VIEWS = {"trained": "value", "null": "null", "difference": "difference"}  # view -> column that it shows
ALL_LANGUAGES = "all"
SLOT_COLORS = {"identity": SYSTEM_COLORS["backbone"]} | {p: SYSTEM_COLORS[s] for s, p in SYSTEM_PARTS.items() if p}
SEQUENTIAL = "Viridis"
DIVERGING = ((0.0, "#0072B2"), (0.5, "#d9d9d9"), (1.0, "#D55E00"))  # blue: less than chance; vermilion: more
_FADED = 0.22
_LINE, _CHANCE = "#0072B2", "rgba(127,127,127,0.3)"


def among(frame: pd.DataFrame, languages: str) -> pd.DataFrame:
    """Rows of a map with the column `group` in all languages, in one group of them, or in one."""
    if languages == ALL_LANGUAGES:
        return frame
    return frame[frame["group" if languages in GROUPS else "language"] == languages]


def cells(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    """What `workbench fusion` tells of a measure, by layer.

    Args:
        frame: Rows of a map.
        measure: One of `MEASURES`.

    Returns:
        What `beside_null` gives for task, measure, metric, layer and slot, and `clear`: whether the value lies outside
        the range of the untrained fusions, or the interval of a knock-out leaves out zero.
    """
    found = beside_null(frame[frame.measure == measure], ["task", "measure", "metric", "layer", "slot"])
    if measure == "knock_out":
        return found.assign(clear=(found.low > 0) | (found.high < 0))
    return found.assign(clear=found.outside | found.null.isna())


def limits(found: pd.DataFrame, measure: str, view: str) -> tuple[float, float]:
    """Ends of the scale that all tasks and runs share.

    Args:
        found: Rows of `cells` of all that is shown.
        measure: Their measure.
        view: One of `VIEWS`.

    Returns:
        From 0 for what has no sign, else symmetric about 0; the same for `trained` and `null`. Contributions differ by
        orders of magnitude, so their scale ends at the 90th percentile.
    """
    if measure == "knock_out":
        reach = 1.05 * max(1.0, float(found[["low", "high"]].abs().to_numpy().max()))
        return -reach, reach
    shown = found[["difference"] if view == "difference" else ["value", "null"]].abs().to_numpy()
    end = float(np.nanquantile(shown, 0.9) if measure == "contribution" else np.nanmax(shown)) or 1.0
    if view == "difference":
        return -end, end
    return 0.0, 1.0 if measure == "entropy" else end


def draw(found: pd.DataFrame, measure: str, view: str, scale: tuple[float, float], large: bool) -> go.Figure:
    """One task's figure: a heatmap of layer x slot, a line of entropies by layer, or dots of knock-outs by slot.

    Args:
        found: Rows of `cells` of one task.
        measure: Their measure.
        view: One of `VIEWS`.
        scale: Ends of the shared scale.
        large: With numbers, a colour bar and every metric, or a thumbnail.
    """
    if measure == "knock_out":
        return _knock_outs(found, scale, large)
    return (_entropies if measure == "entropy" else _heatmap)(found, measure, view, scale, large)


def _heatmap(found: pd.DataFrame, measure: str, view: str, scale: tuple[float, float], large: bool) -> go.Figure:
    figure = go.Figure()
    slots, layers = list(dict.fromkeys(found.slot)), sorted(found.layer.astype(int).unique())
    row, column = np.searchsorted(layers, found.layer.to_numpy(int)), found.slot.map(slots.index).to_numpy(int)
    z = np.full((len(layers), len(slots)), np.nan)
    z[row, column] = found[VIEWS[view]]
    solid, told, texts = np.zeros(z.shape, bool), np.full(z.shape, "", object), np.full(z.shape, "", object)
    solid[row, column] = found.clear | (view == "null")
    told[row, column], texts[row, column] = _told(found, measure), _texts(found, measure, view)
    for where, opacity in ((solid, 1.0), (~solid, _FADED)):
        numbered = large and opacity == 1.0
        figure.add_heatmap(
            x=list(range(len(slots))),
            y=layers,
            z=np.where(where, z, np.nan),
            zmin=scale[0],
            zmax=scale[1],
            colorscale=DIVERGING if view == "difference" else SEQUENTIAL,
            opacity=opacity,
            showscale=numbered,
            colorbar={"title": {"text": view}, "thickness": 12},
            text=np.where(where, texts, "") if numbered else None,
            texttemplate="%{text}" if numbered else None,
            hovertext=told,
            hovertemplate="layer %{y}, %{hovertext}<extra></extra>",
            hoverongaps=False,
            xgap=1,
            ygap=1,
        )
    if large:  # the numbers of faded cells in the page's own text colour
        y, x = np.nonzero(~solid)
        y_layers = [layers[place] for place in y]
        figure.add_scatter(x=x, y=y_layers, text=texts[y, x], mode="text", hoverinfo="skip", showlegend=False)
    figure.update_xaxes(tickvals=list(range(len(slots))), ticktext=slots, range=[-0.5, len(slots) - 0.5])
    figure.update_yaxes(range=[layers[0] - 0.5, layers[-1] + 0.5], dtick=1 if large else 2)
    return _finished(figure, 130 + 30 * len(layers) if large else 240, "layer" if large else "")


def _texts(part: pd.DataFrame, measure: str, view: str) -> list[str]:
    """The numbers in the cells; a star where the value is more than chance."""
    sign = "+" if view == "difference" else ""
    places = 1 if measure == "contribution" else 2
    star = part.clear & part.null.notna() & (view != "null")
    return [f"{v:{sign}.{places}f}{'*' if s else ''}" for v, s in zip(part[VIEWS[view]], star, strict=True)]


def _told(part: pd.DataFrame, measure: str) -> list[str]:
    """What a pointer is told of each row: the value and its interval, the untrained fusions and theirs."""
    told = []
    for row in part.itertuples():
        value, low, high = (number(v, measure) for v in (row.value, row.low, row.high))
        line = f"{'' if pd.isna(row.slot) else row.slot + ': '}{value} [{low}, {high}]"
        if not pd.isna(row.null):
            null, low, high = (number(v, measure) for v in (row.null, row.null_low, row.null_high))
            where = "outside" if row.clear else "inside"
            line += f"<br>untrained {null} [{low}, {high}]: {where} their range"
        told.append(f"{line}<br>languages: {row.languages}, n = {row.n}")
    return told


def _entropies(found: pd.DataFrame, measure: str, view: str, scale: tuple[float, float], large: bool) -> go.Figure:
    figure = go.Figure()
    rows = found.sort_values("layer")
    layer, origin = rows.layer.astype(int), rows.null if view == "difference" else 0.0
    if rows.null.notna().any():
        figure.add_scatter(
            x=[*layer, *layer[::-1]],
            y=[*(rows.null_high - origin), *(rows.null_low - origin)[::-1]],
            fill="toself",
            fillcolor=_CHANCE,
            line={"width": 0},
            name="range of the untrained",
            hoverinfo="skip",
        )
        dashed = {"dash": "dash", "color": SYSTEM_COLORS["backbone"]}
        figure.add_scatter(x=layer, y=rows.null - origin, mode="lines", line=dashed, name="untrained")
    if view != "null":
        figure.add_scatter(
            x=layer,
            y=rows.value - origin,
            error_y=_interval(rows),
            mode="lines+markers",
            name="trained",
            line={"color": _LINE},
            marker={"symbol": np.where(rows.clear, "circle", "circle-open"), "size": 9 if large else 6},
            hovertext=_told(rows, measure),
            hovertemplate="layer %{x}, %{hovertext}<extra></extra>",
        )
    figure.update_yaxes(range=[scale[0] - 0.02, scale[1] + 0.02])
    figure.update_xaxes(title="layer" if large else None, dtick=1 if large else 2)
    return _finished(figure, 420 if large else 220, f"entropy, {view}" if large else "", large)


def _knock_outs(found: pd.DataFrame, scale: tuple[float, float], large: bool) -> go.Figure:
    figure = go.Figure()
    task = found.task.iloc[0]
    slots = list(dict.fromkeys(found.slot))
    metrics = [m for m in METRICS[task] if m in set(found.metric)] if large else [knock_out_metric(task)]
    symbols = list(SYSTEM_SYMBOLS.values())
    for place, metric in enumerate(metrics):
        part = found[found.metric == metric]
        shift = (place - (len(metrics) - 1) / 2) * 0.8 / len(metrics)
        for row, told in zip(part.itertuples(), _told(part, "knock_out"), strict=True):
            color = SLOT_COLORS[row.slot]
            figure.add_scatter(
                x=[row.value],
                y=[slots.index(row.slot) + shift],
                error_x=_interval(part.loc[[row.Index]]),
                mode="markers",
                marker={
                    "color": color,
                    "symbol": symbols[place] + ("" if row.clear else "-open"),
                    "size": 9,
                    "line": {"color": color, "width": 1.5},
                },
                hovertemplate=f"{metric}, {told}<extra></extra>",
                showlegend=False,
            )
        neutral = {"color": SYSTEM_COLORS["backbone"], "symbol": symbols[place], "size": 9}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=neutral, name=metric, showlegend=large)
    figure.add_vline(x=0, line={"color": SYSTEM_COLORS["backbone"], "width": 1})
    figure.update_yaxes(tickvals=list(range(len(slots))), ticktext=slots, range=[len(slots) - 0.5, -0.5])
    figure.update_xaxes(range=list(scale), title="change without the slot (percentage points)" if large else None)
    return _finished(figure, 130 + 75 * len(slots) if large else 220, "", large)


def _interval(rows: pd.DataFrame) -> dict[str, object]:
    """Error bars from the values to both ends."""
    ends = {"array": rows.high - rows.value, "arrayminus": rows.value - rows.low}
    return {"type": "data", **ends, "thickness": 1.2, "width": 0}


def _finished(figure: go.Figure, height: int, vertical: str, legend: bool = False) -> go.Figure:
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False, title=vertical or None)
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30 if legend else 10, "b": 40},
        showlegend=legend,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hovermode="closest",
    )
