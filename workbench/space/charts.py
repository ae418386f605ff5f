"""Entity spaces -> Plotly figures; pure functions. Names are HTML to Plotly, so they are escaped."""

import html
import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.languages import GROUPS, describe
from core.runs.spaces import Space
from workbench.charts import SYSTEM_COLORS
from workbench.space.tables import by_family, in_languages, linked_entities

COLOURS: dict[str, str] = {  # what points are coloured by -> how it is called
    "language": "language",
    "script": "script",
    "family": "language family",
    "type": "entity type",
    "group": "language group",
    "rank": "rank of the translation",
}
RANKS = {"1": (0, 1), "over 1, to 3": (1, 3), "over 3, to 10": (3, 10), "over 10": (10, np.inf)}
NONE = "none"
MOST_POINTS = 100_000  # of one panel; beyond, a density and a sample
SAMPLE = 50_000
_COLORS = list(SYSTEM_COLORS.values())[1:5]
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star")
_STYLES = [(color, symbol) for symbol, color in product(_SYMBOLS, _COLORS)]
_BRIEF = 5_000  # names of a trace with more have brief hover texts
_GREY = "#7f7f7f"
_SHARED = ("pca", "aligned")  # layouts in which the systems share axes


def categories(space: Space, system: int, by: str) -> tuple[np.ndarray, list[str]]:
    """Category of each name, as a number, int, shape (names,), and the categories in the order of a legend."""
    if by == "rank":
        bounds, rank = [low for low, _ in RANKS.values()], space.rank[system]
        place = np.searchsorted(bounds, rank, side="left") - 1
        return np.where(np.isnan(rank), len(RANKS), place), [*RANKS, NONE]
    order: list[str] = []
    if by == "type":
        of_name = np.asarray(space.kinds, object)[space.entity]
    elif by == "group":
        of_name, order = np.asarray(space.groups, object)[space.language], list(GROUPS)
    elif by == "language":
        order = [space.languages[n] for n in by_family(space)]
        of_name = np.asarray(space.languages, object)[space.language]
    else:
        of_language = [getattr(describe(code), by) or "other" for code in space.languages]
        of_name = np.asarray(of_language, object)[space.language]
    found, count = np.unique(of_name, return_counts=True)
    order = [c for c in order if c in found] if order else [str(c) for c in found[np.argsort(-count, kind="stable")]]
    number = {category: place for place, category in enumerate(order)}
    return np.asarray([number[c] for c in found])[np.searchsorted(found, of_name)], order


def points(
    space: Space,
    systems: Sequence[int],
    layout: str,
    by: str,
    languages: Sequence[str] = (),
    picked: Sequence[int] = (),
    entity: int | None = None,
) -> go.Figure:
    """The names of one system or of two side by side, with linked axes where they share a layout.

    Args:
        space: The space.
        systems: Numbers of one system or two.
        layout: One of its layouts.
        by: What points are coloured by, one of `COLOURS`.
        languages: Languages to show, none for all.
        picked: Names that were selected: the others fade, and the names of their entities are linked.
        entity: Entity that was searched for: its names are linked and named.
    """
    titles = [html.escape(space.systems[system]) for system in systems]
    figure = make_subplots(1, len(systems), subplot_titles=titles, horizontal_spacing=0.02)
    shown = in_languages(space, languages)
    for column, system in enumerate(systems, 1):
        places = space.layouts[layout][system]
        drawn = np.flatnonzero(shown & np.isfinite(places).all(1))
        if len(drawn) > MOST_POINTS:
            figure.add_trace(_density(places[drawn]), row=1, col=column)
            drawn = np.sort(np.random.default_rng(0).choice(drawn, SAMPLE, replace=False))
        _add_names(figure, space, system, places, drawn, by, picked, column)
        _add_links(figure, space, places, shown, picked, entity, column)
        axis = "x" if column == 1 else f"x{column}"
        figure.update_yaxes(scaleanchor=axis, row=1, col=column)
        if column > 1 and layout in _SHARED:
            figure.update_xaxes(matches="x", row=1, col=column)
            figure.update_yaxes(matches="y", row=1, col=column)
    line = {"showline": True, "mirror": True, "linecolor": "rgba(127,127,127,0.35)"}
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "zeroline": False}
    figure.update_xaxes(**line, **bare)
    figure.update_yaxes(**line, **bare)
    figure.update_annotations(yshift=6)
    figure.layout.xaxis.domain = (0.002, figure.layout.xaxis.domain[1])  # room for the frame's left line
    return figure.update_layout(
        height=640,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        dragmode="lasso",
        hovermode="closest",
        legend={"orientation": "h", "yanchor": "top", "y": -0.025, "x": 0, "itemsizing": "constant"},
    )


def _add_names(
    figure: go.Figure,
    space: Space,
    system: int,
    places: np.ndarray,
    drawn: np.ndarray,
    by: str,
    picked: Sequence[int],
    column: int,
) -> None:
    """A trace for each category; the legend is that of the first panel that has the category."""
    of_name, order = categories(space, system, by)
    named = {trace.name for trace in figure.data}
    size = 7 if len(drawn) <= 6_000 else 5 if len(drawn) <= 20_000 else 3
    chosen = np.isin(np.arange(len(space)), np.asarray(picked, int))
    for number, category in enumerate(order):
        part = drawn[of_name[drawn] == number]
        if not len(part):
            continue
        color, symbol = (_GREY, "circle") if number >= len(_STYLES) or category == NONE else _STYLES[number]
        title = legend_title(category, by)
        figure.add_trace(
            go.Scattergl(
                x=places[part, 0],
                y=places[part, 1],
                mode="markers",
                name=title,
                legendgroup=category,
                showlegend=title not in named,
                marker={"color": color, "symbol": symbol, "size": size, "opacity": 0.8},
                customdata=part.astype(np.int32),
                hovertext=hover(space, system, part),
                hovertemplate="%{hovertext}<extra></extra>",
                selectedpoints=np.flatnonzero(chosen[part]).tolist() if len(picked) else None,
                unselected={"marker": {"opacity": 0.1}},
            ),
            row=1,
            col=column,
        )


def _add_links(
    figure: go.Figure,
    space: Space,
    places: np.ndarray,
    shown: np.ndarray,
    picked: Sequence[int],
    entity: int | None,
    column: int,
) -> None:
    """Lines from the names of an entity to their mean, and the languages of the entity that was searched for."""
    linked = linked_entities(space, picked, entity)
    x: list[float | None] = []
    y: list[float | None] = []
    for number in linked:
        of_entity = places[(space.entity == number) & shown & np.isfinite(places).all(1)]
        for place in of_entity:
            centre = of_entity.mean(0)
            x += [float(place[0]), float(centre[0]), None]
            y += [float(place[1]), float(centre[1]), None]
    if x:
        line = {"color": _GREY, "width": 1.2}
        figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False, row=1, col=column)
    if entity is not None:
        names = np.flatnonzero((space.entity == entity) & shown)
        figure.add_scatter(
            x=places[names, 0],
            y=places[names, 1],
            mode="markers+text",
            marker={"symbol": "circle-open", "size": 14, "color": _GREY, "line": {"width": 2}},
            text=[space.languages[code] for code in space.language[names]],
            textposition="top center",
            hoverinfo="skip",
            showlegend=False,
            row=1,
            col=column,
        )


def _density(places: np.ndarray) -> go.Heatmap:
    counts, x, y = np.histogram2d(places[:, 0], places[:, 1], bins=256)
    grid = np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan).T.astype(np.float32)
    scale = ((0.0, "rgba(127,127,127,0.15)"), (1.0, "rgba(127,127,127,0.9)"))
    return go.Heatmap(x=x[:-1], y=y[:-1], z=grid, colorscale=scale, showscale=False, hoverinfo="skip")


def legend_title(category: str, by: str) -> str:
    """What a legend calls a category."""
    if by == "language":
        return f"{html.escape(describe(category).name)} ({html.escape(category)})"
    return f"rank {category}" if by == "rank" and category != NONE else html.escape(category)


def hover(space: Space, system: int, names: np.ndarray) -> list[str]:
    """What is shown at each of some names: the name, its language, its entity and the rank of its translations.

    Of very many only name and language: the page would be twice as large.
    """
    titles = [html.escape(f"{describe(code).name} ({code})") for code in space.languages]
    ids, rank = [html.escape(id) for id in space.entities], space.rank[system]
    if len(names) > _BRIEF:
        pairs = zip(names.tolist(), space.language[names].tolist(), strict=True)
        return [f"{html.escape(space.text[name])} ({space.languages[language]})" for name, language in pairs]
    columns = (names.tolist(), space.language[names].tolist(), space.entity[names].tolist(), rank[names].tolist())
    return [
        f"<b>{html.escape(space.text[name])}</b><br>{titles[language]} · {ids[entity]}"
        + ("" if math.isnan(place) else f" · rank {place:g}")
        for name, language, entity, place in zip(*columns, strict=True)
    ]


def matrix(
    space: Space, system: int, measure: str, languages: Sequence[str] = (), limits: tuple[float, float] | None = None
) -> go.Figure:
    """One measure of pairs of languages as a heatmap: rows ask, columns answer, languages by family.

    Args:
        space: The space.
        system: Number of the system.
        measure: One of `MEASURES`.
        languages: Languages to show, none for all.
        limits: Ends of the colour scale; `matrix_limits` gives those of several systems.
    """
    order = by_family(space, languages)
    scale = 100.0 if measure == "hits" else 1.0
    low, high = limits or matrix_limits(space, [system], measure, languages)
    codes = [space.languages[number] for number in order]
    titles = [f"{html.escape(describe(code).name)} ({html.escape(code)})" for code in codes]
    unit = "%" if measure == "hits" else ""
    figure = go.Figure(
        go.Heatmap(
            z=(scale * space.pairs[measure][system][np.ix_(order, order)]).astype(np.float32),
            zmin=low,
            zmax=high,
            colorscale="Viridis",
            customdata=np.asarray([[f"{a} → {b}" for b in titles] for a in titles]),
            hovertemplate=f"%{{customdata}}: %{{z:.3~g}} {unit}<extra></extra>",
            colorbar={
                "title": {"text": "Hit@1 (%)" if measure == "hits" else measure, "side": "right"},
                "thickness": 12,
            },
            xgap=1,
            ygap=1,
        )
    )
    places = list(range(len(order)))
    figure.update_xaxes(
        tickvals=places, ticktext=codes, tickangle=-90, title="answers in", showgrid=False, zeroline=False
    )
    figure.update_yaxes(tickvals=places, ticktext=titles, autorange="reversed", showgrid=False, zeroline=False)
    height = 110 + 20 * len(order)
    return figure.update_layout(height=height, margin={"l": 5, "r": 5, "t": 10, "b": 40})


def matrix_limits(
    space: Space, systems: Sequence[int], measure: str, languages: Sequence[str] = ()
) -> tuple[float, float]:
    """Ends of the colour scale that some systems share: 100 at the top for Hit@1, else the largest value."""
    order = by_family(space, languages)
    values = space.pairs[measure][list(systems)][:, order][:, :, order]
    if np.isnan(values).all():
        return 0.0, 1.0
    low = float(np.nanmin(values))
    return (100 * low, 100.0) if measure == "hits" else (min(low, 0.0), float(np.nanmax(values)))


def measure_title(measure: str) -> str:
    """What a picker calls a measure of pairs of languages."""
    return {"hits": "retrieval (Hit@1)"}.get(measure, measure)
