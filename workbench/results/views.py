"""The parts of the results page: groups and languages, what explains a score, the paper's tables, a visitor's table."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core import catalog
from core.evaluation.metrics import METRICS
from core.evaluation.protocols import PROTOCOLS
from core.languages import GROUP_MEANING, GROUPS
from core.runs.store import RunDir
from workbench import charts, figures, pickers
from workbench.commands.paper_tables import header_of
from workbench.exports import menu
from workbench.results import charts as results_charts
from workbench.results import loaders as result_loaders
from workbench.results import own_table as own_results
from workbench.results import tables as result_tables
from workbench.results.selection import Measured, Paper

_NUMBER = st.column_config.NumberColumn(format="%.1f")
_SIGNED = st.column_config.NumberColumn(format="%+.1f")
MOST_MIB = 5
_WHOLE = 60  # rows of a table that is shown whole


def sentence(shown: Measured) -> str:
    """What is shown, of which runs, under which protocol."""
    spec = METRICS[shown.task][shown.metric]
    runs = "; ".join(f"{r.name}, recipe {r.config.recipe}, seed {r.config.seed}" for r in shown.runs)
    return (
        f"{catalog.item('task', shown.task).title} on {', '.join(dict.fromkeys(shown.rows.dataset))}: {spec.label} in "
        f"{spec.unit}, {spec.better} is better. Run{'s' if len(shown.runs) > 1 else ''} {runs}. Protocol "
        f"{shown.protocol}: {PROTOCOLS[shown.protocol].meaning}."
    )


def unit_of(shown: Measured) -> str:
    """The metric and its unit, for an axis."""
    spec = METRICS[shown.task][shown.metric]
    return f"{spec.label} ({spec.unit})"


def measured(shown: Measured) -> None:
    """Groups and languages of every set-up among the runs."""
    groups = result_tables.set_ups(shown.runs)
    rows = result_tables.pooled(shown.rows, groups)
    confidence = 100 * shown.runs[0].config.evaluation.confidence
    st.caption(
        " · ".join(f"{g}: {GROUP_MEANING[g]}" for g in GROUPS)
        + f" · {confidence:.0f} % intervals: bootstrap over test items; of several seeds, the t interval of their mean"
    )
    order_column, find_column = st.columns(2)
    with order_column:
        by = pickers.choose("Order of the languages", "sort", list(result_tables.ORDERS))
    text = find_column.text_input(
        "Find languages", key="find_language", persist_state="session", placeholder="de, Cyrl, Slavic, Arabic ..."
    )
    for number, (name, runs) in enumerate(groups.items()):
        if len(groups) > 1:
            st.header(name)
        part = rows[rows.setup == name]
        _groups(number, shown, part[part.language.isna()], runs)
        _languages(number, shown, part[part.language.notna() & (part["mode"] == shown.mode)], runs, by, text)


def _groups(number: int, shown: Measured, rows: pd.DataFrame, runs: Sequence[RunDir]) -> None:
    if rows.empty:
        return
    st.header("By language group")
    figure = charts.group_dots(rows, unit_of(shown))
    about = f"{unit_of(shown)} by language group, {pickers.task_title(shown.task)}, protocol {shown.protocol}"
    st.plotly_chart(figure, key=f"group_dots_{number}", config=charts.CONFIG, alt=about)
    table = result_tables.by_group(rows)
    values = [name for name in table.columns[2:] if not name.endswith(" interval")]
    formats = dict.fromkeys(values, _NUMBER)
    st.dataframe(
        result_tables.shaded(table, values, bold=False),
        hide_index=True,
        key=f"groups_{number}",
        height="content",
        placeholder="–",
        column_config=formats,
        alt=about,
    )
    words = _figure_command(shown, runs, "group")
    menu(
        f"groups_{number}",
        figure=figure,
        table=rows,
        name=_file(shown, "groups"),
        runs=runs,
        command=words,
        caption=about,
    )


def _languages(number: int, shown: Measured, rows: pd.DataFrame, runs: Sequence[RunDir], by: str, text: str) -> None:
    if rows.empty:
        st.text(f"There are no {shown.mode} results by language.")
        return
    st.header("By language")
    order = result_tables.found_languages(result_tables.language_order(rows, by), text or "")
    if not order:
        st.info("No language of these results has such a code, name, script or family.")
        return
    st.caption(f"{len(order)} of {rows.language.nunique()} languages, {shown.mode}.")
    rows = rows[rows.language.isin(order)]
    figure = results_charts.language_dots(rows, unit_of(shown), order)
    about = f"{unit_of(shown)} by language, {pickers.task_title(shown.task)}, {shown.mode}, protocol {shown.protocol}"
    st.plotly_chart(figure, key=f"language_dots_{number}", config=charts.CONFIG, alt=about)
    table = result_tables.by_language(rows).set_index("language").loc[order].reset_index()
    values = list(table.columns[5:])
    st.dataframe(
        result_tables.shaded(table, values),
        hide_index=True,
        key=f"languages_{number}",
        height="content" if len(table) <= _WHOLE else 900,
        placeholder="–",
        column_config=dict.fromkeys(values, _NUMBER),
        alt=f"{about}; the best of each row in bold, darker is higher",
    )
    words = _figure_command(shown, runs, "language", by)
    menu(
        f"languages_{number}", figure=figure, table=table, name=_file(shown, "languages"), runs=runs, command=words,
        caption=about,
    )  # fmt: skip


def _figure_command(shown: Measured, runs: Sequence[RunDir], by: str, sort: str | None = None) -> list[str]:
    if len(runs) > 1:
        return shown.command()
    mode = shown.mode if by == "language" else None
    options = {
        "task": shown.task,
        "metric": shown.metric,
        "protocol": shown.protocol,
        "mode": mode,
        "by": by,
        "sort": sort,
    }
    return figures.command("results", runs[0].name, **options)


def _file(shown: Measured, what: str) -> str:
    return f"{shown.runs[0].name}.{shown.task}.{shown.metric}.{shown.protocol}.{what}"


def explained(shown: Measured) -> None:
    """Scores against what is known of each language without a model."""
    axes = results_charts.AXES
    by = pickers.choose("Against", "against", list(axes), axes.__getitem__)
    groups = result_tables.set_ups(shown.runs)
    rows = result_tables.pooled(shown.rows, groups)
    for number, (name, runs) in enumerate(groups.items()):
        if len(groups) > 1:
            st.header(name)
        part = rows[(rows.setup == name) & rows.language.notna() & (rows["mode"] == shown.mode)]
        known, problems = result_loaders.known_of_languages(runs[0], shown.task)
        if by in ("labels", "identical") and by not in known:
            st.info(f"The {axes[by]} are not known here. Script and family always are.")
            for problem in problems:
                st.text(problem)
            continue
        figure = results_charts.against(part, known, by, unit_of(shown))
        about = f"{unit_of(shown)} of each language against {axes[by]}, {pickers.task_title(shown.task)}, {shown.mode}"
        st.plotly_chart(figure, key=f"against_{number}", config=charts.CONFIG, alt=about)
        if by in ("labels", "identical"):
            found = results_charts.rank_correlations(part, known, by)
            st.text("Rank correlation (Spearman): " + (_listed(found) or "needs three languages at least."))
        table = results_charts.with_known(part, known)
        table = table[["language", "name", "group", "script", "family", "labels", "identical", "system", "value", "n"]]
        with st.expander("Table"):
            st.dataframe(table, hide_index=True, key=f"known_{number}", column_config={"value": _NUMBER}, alt=about)
        words = figures.command(
            "against",
            runs[0].name,
            task=shown.task,
            metric=shown.metric,
            protocol=shown.protocol,
            mode=shown.mode,
            by=by,
        )
        menu(
            f"against_{number}", figure=figure, table=table, name=_file(shown, f"against-{by}"), runs=runs, command=words,
            caption=about,
        )  # fmt: skip


def _listed(found: dict[str, float]) -> str:
    return " · ".join(f"{system} {value:+.2f}" for system, value in found.items())


def paper(shown: Paper) -> None:
    """A table of the paper: ours, released log and paper, with deltas and intervals."""
    runs = shown.runs
    try:
        cells = result_loaders.paper_cells(shown.number, runs, shown.protocol, shown.mode)
    except ValueError as error:
        runs = runs[:1]
        st.warning("These runs cannot share the table; it shows the first one alone.")
        st.text(str(error))
        cells = result_loaders.paper_cells(shown.number, runs, shown.protocol, shown.mode)
    header = header_of(shown.number, cells, runs, shown.protocol, shown.mode)
    st.text(f"{header[0]} {header[1]}")
    with st.expander("How to read it"):
        for line in header[2:]:
            st.text(line)
    table, _ = result_tables.paper_table(cells, shown.protocol)
    deltas = [name for name in table.columns if "Δ" in name or "−" in name]
    numbers = [name for name in table.columns if table[name].dtype.kind == "f"]
    table = table.drop(columns=[name for name in numbers if table[name].isna().all() and ": paper" not in name])
    deltas = [name for name in deltas if name in table]
    values = [name for name in numbers if name in table and name not in deltas]
    formats = dict.fromkeys(values, _NUMBER) | dict.fromkeys(deltas, _SIGNED)
    formats |= {name: st.column_config.TextColumn(pinned=True) for name in table.columns[:2]}
    st.dataframe(
        result_tables.shaded(table, values, deltas, bold=False),
        hide_index=True,
        key="paper_table",
        height="content" if len(table) <= _WHOLE else 900,
        column_config=formats,
        placeholder="–",
        alt=f"{header[0]} Ours, released log and paper",
    )
    command = Paper(runs, shown.number, shown.mode, shown.protocol).command("--latex")
    name = f"table{shown.number}.{shown.protocol}"
    menu("paper", table=table, name=name, runs=runs, command=command, caption=" ".join(header))


def own(shown: Measured) -> None:
    """A visitor's table of results beside ours."""
    file = st.file_uploader("Table of results, CSV, UTF-8", type="csv", key="own_results", max_upload_size=MOST_MIB)
    st.caption(
        "A value in percent a row. Needed: system (or model), language (or group: Sup, ZS-In, ZS-Un), value. task and "
        "metric may be left out; lines with # are comments. What `workbench tables --csv` prints fits."
    )
    if file is None:
        st.download_button(
            "An example", own_results.EXAMPLE, "example.csv", "text/csv", key="example", on_click="ignore"
        )
        return
    upload = result_loaders.uploaded(file.getvalue())
    st.text(f"{file.name}: {len(upload.rows):,} values read, {len(upload.problems):,} rows left out.")
    if len(upload.problems):
        st.error("These rows were left out:")
        st.dataframe(upload.problems, hide_index=True, key="problems", alt="Rows that could not be read, and why")
    if upload.rows.empty:
        return
    with st.expander("Preview"):
        st.dataframe(upload.rows.head(200), hide_index=True, key="preview", alt="The rows that were read")
    groups = result_tables.set_ups(shown.runs[:1])
    rows = result_tables.pooled(shown.rows[shown.rows.run == shown.runs[0].name], groups)
    both = own_results.beside(rows, upload.rows, shown.task, shown.metric)
    if both.empty:
        st.info(
            "No language or group of it is in these results, for this task and metric: choose others in the sidebar."
        )
        return
    here = rows[rows.language.notna() & (rows["mode"] == shown.mode)]
    theirs = upload.rows[upload.rows.language.isin(set(here.language)) & upload.rows.task.isin(["", shown.task])]
    theirs = theirs[theirs.metric.isin(["", shown.metric])]
    if len(theirs):
        order = [code for code in result_tables.language_order(here, "group") if code in set(theirs.language)]
        figure = results_charts.language_dots(here, unit_of(shown), order, theirs)
        st.plotly_chart(figure, key="own_dots", config=charts.CONFIG, alt="Your values beside ours, by language")
    formats = {"value": _NUMBER, "their_value": _NUMBER, "delta": _SIGNED}
    table = result_tables.shaded(both, ["value", "their_value"], ["delta"], bold=False)
    st.dataframe(table, hide_index=True, key="own_table", column_config=formats, alt="Ours less yours, by place")
    menu("own", table=both, name=_file(shown, "beside-yours"), runs=shown.runs[:1], command=shown.command())
