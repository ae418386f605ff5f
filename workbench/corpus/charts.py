"""Counts of a corpus -> frames and Plotly figures; pure functions. What the paper's corpus has stands beside, hollow."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.languages import GROUPS, describe

COUNTS = {
    "labels": "Labels",
    "entities": "Entities with a label",
    "triples": "Facts with both ends labelled",
    "relations": "Relations with a label",
    "aliases": "Aliases",
    "mention_sentences": "Sentences that mention an entity (C1)",
    "triple_sentences": "Sentences that state a fact (C2)",
}
SHARES = {
    "entity_share": "Share of the entities with a label",
    "relation_share": "Share of the relations with a label",
    "triple_share": "Share of the facts with both ends labelled",
}
MEASURES = COUNTS | SHARES
NOT_TESTED, NOT_TRAINED = "trained on, not tested", "not trained on"
# Okabe-Ito as elsewhere, with 3:1 on white and on dark; what is not tested is grey.
PLACE_COLORS = dict(
    zip((*GROUPS, NOT_TESTED, NOT_TRAINED), ("#0072B2", "#009E73", "#D55E00", "#9a7d0a", "#7f7f7f"), strict=True)
)
_PATTERNS = dict(zip(PLACE_COLORS, ("", "/", "x", ".", "-"), strict=True))
_ONE, _PAPER = "#0072B2", "#D55E00"
NO_SCRIPT = "not known"


def described(languages: pd.DataFrame, groups: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Languages of a corpus beside Table 8, with what they are.

    Args:
        languages: As `core.reference.tables.beside_table8` makes it.
        groups: Language -> its place in a run, one of `PLACE_COLORS`; None where there is no run.

    Returns:
        The same, with `name`, `own_name`, `script`, `family` and, with `groups`, `group` after the code, most entities
        first.
    """
    found = [describe(code) for code in languages.language]
    about = {"name": [f.name for f in found], "own_name": [f.own_name for f in found]}
    about["script"] = [f.script or NO_SCRIPT for f in found]
    about["family"] = [f.family or NO_SCRIPT for f in found]
    if groups is not None:
        about["group"] = [groups.get(code, NOT_TRAINED) for code in languages.language]
    frame = languages.copy()
    for place, (name, values) in enumerate(about.items(), 1):
        frame.insert(place, name, values)
    return frame.sort_values(["entities", "language"], ascending=[False, True], ignore_index=True)


def places(results: pd.DataFrame, task: str, trained: list[str]) -> dict[str, str]:
    """Every language's place in a run: its group in a task, or whether adapters were trained on it.

    Args:
        results: A run's results.
        task: The task.
        trained: Languages of adapter training.
    """
    rows = results[(results.task == task) & results.language.notna()]
    return dict.fromkeys(trained, NOT_TESTED) | dict(zip(rows.language, rows.group, strict=True))


def languages_bars(rows: pd.DataFrame, measure: str, log: bool = False) -> go.Figure:
    """A measure of every language, largest first, coloured by `group` where the rows have it.

    Args:
        rows: Rows of `described`.
        measure: One of `MEASURES`; a share has the paper's beside it.
        log: Whether the axis is logarithmic; zeros are not drawn then.
    """
    share = measure in SHARES
    rows = rows[(rows[measure] > 0) | rows.get(f"paper_{measure}", pd.Series(np.nan, rows.index)).notna()]
    rows = rows.sort_values([measure, "language"], ascending=[False, True], ignore_index=True)
    values = 100 * rows[measure] if share else rows[measure]
    group = rows["group"] if "group" in rows else pd.Series("", rows.index)
    figure = go.Figure()
    for name in dict.fromkeys([*(p for p in PLACE_COLORS if p in set(group)), *group.unique()]):
        part = rows[group == name]
        figure.add_bar(
            x=part.index,
            y=values[part.index],
            name=name or "this corpus",
            marker={"color": PLACE_COLORS.get(name, _ONE), "pattern": {"shape": _PATTERNS.get(name, ""), "size": 4}},
            customdata=part[["name", "language", "script", "family"]],
            hovertemplate="%{customdata[0]} (%{customdata[1]}), %{customdata[2]}, %{customdata[3]}: %{y:,.6~g}"
            + ("%<extra></extra>" if share else "<extra></extra>"),
        )
    if share:
        paper = rows[rows[f"paper_{measure}"].notna()]
        figure.add_scatter(
            x=paper.index,
            y=100 * paper[f"paper_{measure}"],
            mode="markers",
            name="the paper's corpus (Table 8)",
            marker={"color": _PAPER, "symbol": "diamond-open", "size": 7, "line": {"width": 1.8}},
            customdata=paper[["name", "language"]],
            hovertemplate="%{customdata[0]} (%{customdata[1]}), paper: %{y:.1f}%<extra></extra>",
        )
    figure.update_xaxes(
        tickvals=list(rows.index),
        ticktext=list(rows.language),
        tickangle=-90,
        tickfont={"size": 10},
        ticklabelstep=1 + len(rows) // 95,
        range=[-0.7, len(rows) - 0.3],
        showgrid=False,
    )
    figure.update_yaxes(title=f"{MEASURES[measure]}{' (%)' if share else ''}", type="log" if log else "linear")
    return _finished(figure, 420).update_layout(bargap=0.15, barmode="overlay")


def by_kind(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Coverage by script or family.

    Args:
        rows: Rows of `described`.
        kind: `script` or `family`.

    Returns:
        Columns `kind` (by its name), `languages` (with a label), `labels`, and the mean shares of the languages, here and
        in the paper over its own languages; most labels first.
    """
    here = rows[rows.labels > 0]
    mean = {share: (share, "mean") for share in SHARES}
    frame = here.groupby(kind).agg(languages=("language", "size"), labels=("labels", "sum"), **mean)
    paper = rows.groupby(kind)[[f"paper_{share}" for share in SHARES]].mean()
    frame = (
        frame.join(paper, how="outer").fillna({"languages": 0, "labels": 0}).astype({"languages": int, "labels": int})
    )
    return frame.reset_index().sort_values(["labels", kind], ascending=[False, True], ignore_index=True)


def kind_bars(rows: pd.DataFrame, kind: str, share: str) -> go.Figure:
    """Mean coverage of the languages of a script or family, and the paper's.

    Args:
        rows: Rows of `by_kind`.
        kind: `script` or `family`.
        share: One of `SHARES`.
    """
    order = rows.sort_values([share, kind], ascending=[False, True], na_position="last", ignore_index=True)
    titles = [f"{name} · {count}" for name, count in zip(order[kind], order.languages, strict=True)]
    figure = go.Figure()
    figure.add_bar(
        x=100 * order[share],
        y=list(order.index),
        orientation="h",
        name="this corpus",
        marker={"color": _ONE},
        customdata=np.stack([order[kind], order.languages, order.labels], axis=1),
        hovertemplate="%{customdata[0]}, %{customdata[1]} languages, %{customdata[2]:,} labels: %{x:.1f}%<extra></extra>",
    )
    figure.add_scatter(
        x=100 * order[f"paper_{share}"],
        y=list(order.index),
        mode="markers",
        name="the paper's corpus (Table 8)",
        marker={"color": _PAPER, "symbol": "diamond-open", "size": 9, "line": {"width": 2}},
        customdata=order[kind],
        hovertemplate="%{customdata}, paper: %{x:.1f}%<extra></extra>",
    )
    figure.update_yaxes(tickvals=list(order.index), ticktext=titles, autorange="reversed", showgrid=False)
    figure.update_xaxes(title=f"{SHARES[share]}, mean of the languages (%)", range=[0, 105])
    return _finished(figure, 110 + 24 * len(order))


def table1_bars(rows: pd.DataFrame) -> go.Figure:
    """Table 1: what the corpus holds, and what the paper's does, on a logarithmic axis.

    Args:
        rows: Rows of `core.reference.tables.beside_table1`.
    """
    names = [name.replace("_", " ") for name in rows.quantity]
    figure = go.Figure()
    for column, name, color, symbol in (
        ("corpus", "this corpus", _ONE, "circle"),
        ("paper", "the paper's corpus (Table 1)", _PAPER, "diamond-open"),
    ):
        values = rows[column].where(rows[column] > 0)
        figure.add_scatter(
            x=values,
            y=list(range(len(rows))),
            mode="markers",
            name=name,
            marker={"color": color, "symbol": symbol, "size": 11, "line": {"width": 2}},
            customdata=names,
            hovertemplate="%{customdata}: %{x:,}<extra></extra>",
        )
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=names, autorange="reversed")
    figure.update_xaxes(title="count", type="log", dtick=1)
    return _finished(figure, 110 + 30 * len(rows))


def _finished(figure: go.Figure, height: int) -> go.Figure:
    figure.update_yaxes(zeroline=False)
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 40},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hovermode="closest",
    )
