"""Answers of several systems to one question -> tables in HTML and Plotly figures; pure functions of frames.

The frames are those of `core.probing.queries.Answers`.
"""

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.config import SYSTEMS
from core.languages import describe
from workbench.charts import SYSTEM_COLORS, SYSTEM_SYMBOLS

_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
_STYLE = """<style>
.answers { overflow-x: auto }
.answers table { border-collapse: collapse; width: 100%; min-width: min-content }
.answers th { text-align: start; font-weight: 600; padding: .3rem .6rem; white-space: nowrap }
.answers thead th { border-bottom: 4px solid var(--system, transparent) }
.answers td { padding: .35rem .6rem; vertical-align: top; min-width: 7.5rem; max-width: 16rem;
  border-bottom: 1px solid light-dark(#dfe5e7, #34434a) }
.answers td.gold { background: light-dark(#d8efe6, #12403a); box-shadow: inset 3px 0 0 #009E73 }
.answers .answer { overflow-wrap: anywhere; unicode-bidi: isolate }
.answers .numbers { display: block; font-size: .8rem; font-variant-numeric: tabular-nums;
  color: light-dark(#4a5b62, #a7b6bb) }
</style>"""


def ordered(systems: pd.Series) -> list[str]:
    """The systems in a column, in the order of the paper's tables."""
    return [system for system in SYSTEMS if system in set(systems)]


def answer_table(top: pd.DataFrame, language: str) -> str:
    """The first answers in one language as an HTML table: places in rows, systems in columns, known answers marked.

    Under each answer stand a tick if it is known, its cosine and how many of the systems have it among their first answers.

    Args:
        top: `Answers.top`.
        language: The language.
    """
    part = top[top.language == language]
    systems = ordered(part.system)
    shared = part.groupby(["answer", "entity"]).system.nunique()
    cells = {(row.place, row.system): row for row in part.itertuples()}
    heads = "".join(f'<th scope="col" style="--system: {SYSTEM_COLORS[s]}">{escape(s)}</th>' for s in systems)
    lines = []
    for place in sorted(set(part.place)):
        line = [f'<th scope="row">{place}</th>']
        for system in systems:
            row = cells.get((place, system))
            if row is None:
                line.append("<td></td>")
                continue
            mark = '<span role="img" aria-label="known answer">✓</span> ' if row.gold else ""
            kind = ' class="gold"' if row.gold else ""
            among = f"{shared[row.answer, row.entity]} of {len(systems)}"
            line.append(
                f'<td{kind}><span class="answer" dir="auto" lang="{escape(language)}">{escape(row.answer)}</span>'
                f'<span class="numbers">{mark}{row.cosine:.3f} · {among}</span></td>'
            )
        lines.append(f"<tr>{''.join(line)}</tr>")
    caption = escape(f"First answers in {describe(language).name}")
    return (
        f'{_STYLE}<div class="answers" role="region" tabindex="0" aria-label="{caption}"><table><thead><tr><td></td>'
        f"{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def agreement(top: pd.DataFrame, language: str) -> str:
    """How far the systems agree in one language, in a sentence."""
    part = top[top.language == language]
    systems, first = ordered(part.system), part[part.place == 1]
    if len(systems) < 2:
        return ""
    counts = first.answer.value_counts()
    depth = int(part.place.max())
    lists = [set(part[part.system == system].entity) for system in systems]
    overlaps = [len(a & b) / max(1, min(len(a), len(b))) for i, a in enumerate(lists) for b in lists[i + 1 :]]
    return (
        f"{counts.iloc[0]} of {len(systems)} systems agree on the first answer; two of them share "
        f"{100 * np.mean(overlaps):.0f} % of their first {depth} on average."
    )


def rank_dots(gold: pd.DataFrame) -> go.Figure:
    """Rank of every known answer by language and system; one is best, so the axis is logarithmic.

    Args:
        gold: `Answers.gold`; answers that are no candidates are left out.
    """
    gold = gold.dropna(subset=["rank"])
    figure, systems = go.Figure(), ordered(gold.system)
    languages = list(dict.fromkeys(gold.language))
    for number, system in enumerate(systems):
        part = gold[gold.system == system]
        shift = (number - (len(systems) - 1) / 2) * 0.8 / max(1, len(systems))
        figure.add_scatter(
            x=part["rank"],
            y=[languages.index(code) + shift for code in part.language],
            mode="markers",
            name=system,
            marker={"color": SYSTEM_COLORS[system], "symbol": SYSTEM_SYMBOLS[system], "size": 10},
            customdata=np.stack(
                [part.answer.map(escape), part.cosine, part.candidates, part.language.map(_title)], axis=1
            ),
            hovertemplate="%{customdata[3]}: %{customdata[0]}<br>rank %{x} of %{customdata[2]}, "
            "cosine %{customdata[1]:.3f}",
        )
    top = float(gold["rank"].max()) if len(gold) else 1.0
    shown = [tick for tick in _TICKS if tick <= max(top, 10) * 1.2]
    figure.update_xaxes(
        type="log",
        title="rank of the known answer (1 is best)",
        tickvals=shown,
        ticktext=[f"{tick:,}" for tick in shown],
        range=[-0.12, np.log10(max(top, 10) * 1.25)],
    )
    figure.update_yaxes(
        tickvals=list(range(len(languages))),
        ticktext=[_title(code) for code in languages],
        range=[len(languages) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    return figure.update_layout(
        height=130 + 90 * max(1, len(languages)),
        margin={"l": 10, "r": 10, "t": 40, "b": 40},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hovermode="closest",
    )


def _title(code: str) -> str:
    return f"{describe(code).name} ({code})"
