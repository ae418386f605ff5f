"""Results: every system by language group and by language, with intervals, under any protocol, of what is stored."""

import pandas as pd
import streamlit as st

from core import catalog
from core.evaluation.metrics import METRICS
from core.evaluation.protocols import PROTOCOLS
from core.languages import GROUP_MEANING, GROUPS, describe
from core.runs.tables import group_table
from workbench import charts, loaders, pickers
from workbench.downloads import stamped_csv


def groups_table(rows: pd.DataFrame, metric: str) -> None:
    wide = group_table(rows, [metric])
    shown = pd.DataFrame(
        [["–" if c is None else f"{c[0]:.1f}  [{c[1]:.1f}, {c[2]:.1f}]" for c in cells] for cells in wide.to_numpy()],
        index=pd.MultiIndex.from_tuples([(mode, system) for _, mode, system in wide.index], names=["mode", "system"]),
        columns=[group for group, _ in wide.columns],
    )
    st.dataframe(shown.reset_index(), hide_index=True, key="groups", alt="Values by group")


def languages_table(rows: pd.DataFrame) -> pd.DataFrame:
    wide = rows.pivot_table("value", ["group", "language"], ["mode", "system"], sort=False)
    wide.columns = [f"{system}, {mode}" for mode, system in wide.columns]
    wide = wide.reset_index()
    wide.insert(2, "name", [describe(code).name for code in wide.language])
    wide["group"] = pd.Categorical(wide.group, GROUPS, ordered=True)
    return wide.sort_values(["group", "language"])


def command(selection: pickers.Selection) -> list[str]:
    chosen = ["--task", selection.task, "--metric", selection.metric, "--protocol", selection.protocol]
    return ["workbench", "tables", selection.run.name, *chosen, "--csv"]


st.title("Results")
selection = pickers.pick_results()
if selection is not None:
    found = loaders.results([selection.run])
    rows = found[
        (found.task == selection.task) & (found.metric == selection.metric) & (found.protocol == selection.protocol)
    ]
    by_group, by_language = rows[rows.language.isna()], rows[rows.language.notna()]
    spec = METRICS[selection.task][selection.metric]
    title = catalog.item("task", selection.task).title
    st.text(
        f"{title} on {rows.dataset.iloc[0]}: {spec.label} in {spec.unit}, {spec.better} is better. "
        f"Run {selection.run.name}, recipe {selection.run.config.recipe}, seed {selection.run.config.seed}; "
        f"protocol {selection.protocol}: {PROTOCOLS[selection.protocol].meaning}."
    )
    st.caption(
        " · ".join(f"{g}: {GROUP_MEANING[g]}" for g in GROUPS)
        + f" · {100 * selection.run.config.evaluation.confidence:.0f} % intervals from a bootstrap over test items"
    )
    unit = f"{spec.label} ({spec.unit})"
    st.plotly_chart(charts.group_dots(by_group, unit), key="group_dots", config=charts.CONFIG, alt="Values by group")
    groups_table(by_group, selection.metric)
    st.subheader("By language")
    modes = list(dict.fromkeys(by_language["mode"]))
    if st.session_state.get("mode") not in modes:
        st.session_state["mode"] = modes[-1]
    mode = st.segmented_control("Mode", modes, key="mode", persist_state="session") or modes[-1]
    figure = charts.language_dots(by_language[by_language["mode"] == mode], unit)
    st.plotly_chart(figure, key="language_dots", config=charts.CONFIG, alt="Values by language")
    table = languages_table(by_language)
    numbers = {c: st.column_config.NumberColumn(format="%.1f") for c in table.columns[3:]}
    st.dataframe(table, hide_index=True, key="languages", alt="Values by language", column_config=numbers)
    name = f"{selection.run.name}.{selection.task}.{selection.metric}.{selection.protocol}.csv"
    st.download_button(
        "Download CSV",
        stamped_csv(rows, [selection.run], command(selection)),
        name,
        "text/csv",
        key="csv",
        on_click="ignore",
    )
