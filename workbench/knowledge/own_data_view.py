"""Own data on a page: upload a file, see its rows and what is wrong with others, evaluate it, take the results along."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import streamlit as st

from core import catalog
from core.corpora.rows import DataError
from core.evaluation.protocols import PROTOCOLS
from core.languages import LANGUAGES, describe
from core.probing.own_files import COLUMNS, MAX_BYTES, MAX_ROWS, OwnData, OwnTask, read
from core.runs.kept import fused_tasks
from core.runs.store import RunDir
from workbench import exports, model_loaders, pickers

_PREVIEW = 100  # rows
_SYSTEM = "+Fusion"


def show(run: RunDir) -> None:
    """The whole view for a run."""
    tasks = {catalog.item("task", task).title: task for task in COLUMNS}
    title = st.segmented_control("Task", list(tasks), default=next(iter(tasks)), required=True, key="own_task")
    task: OwnTask = tasks[title]
    wanted = " or ".join("`" + " ⇥ ".join(columns) + "`" for columns in COLUMNS[task])
    file = st.file_uploader(
        f"Columns {wanted}, separated by tabs (.tsv, .txt) or commas (.csv); up to {MAX_ROWS:,} rows",
        type=["tsv", "txt", "csv"],
        max_upload_size=MAX_BYTES // 2**20,
        key="own_file",
    )
    if file is None:
        st.info("Upload a file to evaluate the systems of this run on it. It is not kept.")
        return
    with TemporaryDirectory(prefix="upload-") as room:
        path = Path(room) / Path(file.name).name
        path.write_bytes(file.getvalue())
        try:
            data = read(path, task)
        except DataError as error:
            st.error("This file cannot be evaluated.")
            st.text(str(error).replace(f"{room}/", ""))
            return
    _preview(data)
    _evaluate(run, data)


def _preview(data: OwnData) -> None:
    st.text(f"{data.name}: {len(data.rows):,} rows are good, {len(data.bad):,} are left out.")
    if data.bad:
        bad = pd.DataFrame([(row.line, row.reason, row.text) for row in data.bad], columns=["line", "problem", "row"])
        st.dataframe(bad, hide_index=True, height=min(300, 38 + 35 * len(bad)), key="own_bad", alt="Rows left out")
    with st.expander(f"The first {min(_PREVIEW, len(data.rows)):,} good rows"):
        rows = pd.DataFrame(data.rows[:_PREVIEW], columns=list(data.columns))
        st.dataframe(rows, hide_index=True, key="own_rows", alt="Good rows")


def _evaluate(run: RunDir, data: OwnData) -> None:
    source, target = _languages(data)
    encoder = model_loaders.trained_encoder(run)
    able = [s for s in encoder.systems if s != _SYSTEM or data.task in fused_tasks(run)]
    systems = st.multiselect("Systems to evaluate", able, default=able, key="own_systems")
    if target == source or not systems:
        st.info("Choose two different languages and at least one system.")
        return
    key = (run.name, data.sha256, data.task, source, target, tuple(systems))
    if st.button("Evaluate", type="primary", key="own_go"):
        stop = st.container()
        bar = st.progress(0.0, "Evaluating ...")
        stop.button("Stop", key="own_stop", icon=":material/stop:")  # a click ends this script at the next step
        try:
            rows = model_loaders.own_results(
                run, data, systems, source, target, lambda done, of: bar.progress(done / max(of, 1), "Evaluating ...")
            )
        except DataError as error:
            bar.empty()
            st.error("This file cannot be evaluated with these languages.")
            st.text(str(error))
            return
        bar.empty()
        st.session_state["_own_results"] = key, rows
    found = st.session_state.get("_own_results")
    if found is None or found[0] != key:
        return
    _results(run, data, found[1], source, target, systems)


def _languages(data: OwnData) -> tuple[str, str | None]:
    """Languages of the queries and, of pairs, of the answers."""
    codes = data.languages or sorted(LANGUAGES, key=lambda code: describe(code).name)
    first, second = st.columns(2)

    def pick(label: str, key: str, start: str) -> str:
        index = codes.index(start) if start in codes else 0
        return st.selectbox(label, codes, index, key=key, format_func=lambda code: f"{describe(code).name} ({code})")

    with first:
        label = "Language of the names" if data.task == "kg_completion" else "Language of the queries"
        source = pick(label, "own_source", "en")
    if data.columns != ("source", "target"):
        return source, None
    with second:
        return source, pick("Language of the answers", "own_target", "de")


def _results(
    run: RunDir, data: OwnData, rows: pd.DataFrame, source: str, target: str | None, systems: list[str]
) -> None:
    protocols = [p for p in PROTOCOLS if p in set(rows.protocol)]
    protocol = pickers.choose("Protocol", "own_protocol", protocols, help=PROTOCOLS["strict"].meaning)
    shown = rows[(rows.protocol == protocol) & rows.language.notna()]
    st.text(
        f"{data.name} by run {run.name}, not fine-tuned, protocol {protocol}, in %, "
        f"{100 * run.config.evaluation.confidence:g} % bootstrap intervals; candidates are all names of the language."
    )
    text = [f"{r.value:.1f} [{r.low:.1f}, {r.high:.1f}]" for r in shown.itertuples()]
    wide = shown.assign(text=text).pivot(index=["language", "n", "system"], columns="metric", values="text")
    order = pd.MultiIndex.from_frame(shown[["language", "n", "system"]].drop_duplicates())
    st.dataframe(wide.loc[order, list(dict.fromkeys(shown.metric))].reset_index(), hide_index=True, alt="Results")
    words = ["workbench", "evaluate", run.name, "--task", data.task, "--data", data.name, "--language", source]
    words += ["--to", target] if target else []
    words += [word for system in systems for word in ("--system", system)]
    name = f"{run.name}.{Path(data.name).stem}"
    caption = f"{data.name} (sha256 {data.sha256[:16]}), evaluated without fine-tuning"
    exports.menu("own", table=rows, name=name, runs=[run], command=[*words, "--csv"], caption=caption)
