"""Audit: the paper's tables, a run or an uploaded table put through every check, and what the choice of weights decides."""

import pandas as pd
import streamlit as st

from core.evaluation.audit import Audit
from core.evaluation.metrics import METRICS
from core.evaluation.protocols import PROTOCOLS
from core.runs import tables
from core.runs.checkpoints import RULES
from core.runs.store import RunDir
from workbench import charts, figures, loaders, pickers
from workbench.commands.audited import KNOWN_COLUMNS, counts, verdict
from workbench.corpus import lint_view
from workbench.exports import menu
from workbench.pickers import task_title

MOST_MIB = 2
COLUMNS = ("severity", "model", "language", "metric", "found", "reason", "table", "task", "protocol", "check")
SOURCES = {"run": "A run", "paper": "The paper's tables", "file": "A table of your own"}
NUMBER, SIGNED = (st.column_config.NumberColumn(format=f) for f in ("%.1f", "%+.1f"))


def findings(found: Audit, rows: pd.DataFrame, source: str, runs: list[RunDir]) -> None:
    """What cannot be true or is doubtful, why, and how much each check looked at."""
    for line in verdict(found, rows):
        st.text(line)
    if found.findings:
        listed = pd.DataFrame([finding.record() for finding in found.findings])[list(COLUMNS)]
        checks = list(dict.fromkeys(listed.check))
        kept = st.pills("Checks", checks, selection_mode="multi", key="checks", help="None chosen shows all.")
        shown = listed[listed.check.isin(kept)] if kept else listed
        wide = {"reason": st.column_config.TextColumn(width="large")}
        filled = shown.loc[:, (shown != "").any()]
        st.dataframe(filled, hide_index=True, key="findings", alt="Findings", column_config=wide)
        name = f"audit.{source.lstrip('-')}"
        command = ["workbench", "audit", source, "--json"]
        menu(
            "findings", table=filled, name=name, runs=runs, command=command, caption=f"Findings in {source.lstrip('-')}"
        )
    else:
        st.success("Nothing found: no check objects to any of these numbers.")
    st.dataframe(counts(found), hide_index=True, key="counts", alt="What each check compared and found")
    st.caption(
        "A printed value may be off by half a unit of its last decimal; more is an error, which cannot be true, and less a "
        "warning. Training data has checks of its own: workbench corpus lint."
    )


def of_paper() -> None:
    found, rows = loaders.audit_of_paper()
    st.text(
        f"Tables 2 to 13 of Hou et al. 2022 as printed, {len(rows):,} values; Hit@1 is read as what it says, and no "
        "table names its rank protocol."
    )
    findings(found, rows, "--paper", [])


def of_run(run: RunDir) -> None:
    found, rows = loaders.audit_of_run(run)
    st.text(
        f"Run {run.name}, recipe {run.config.recipe}, seed {run.config.seed}: {len(rows):,} unrounded values under the "
        f"protocols {', '.join(dict.fromkeys(rows.protocol))}."
    )
    findings(found, rows, run.name, [run])


def of_file() -> None:
    file = st.file_uploader("CSV file, UTF-8", type="csv", key="table", max_upload_size=MOST_MIB)
    needed = "model or system, language_or_group (or language), metric, value"
    st.caption(f"A value a row. Needed: {needed}. Known columns: {', '.join(KNOWN_COLUMNS)}.")
    if file is None:
        st.info(f"Upload a table of results, {MOST_MIB} MiB at most; what `workbench tables --csv` prints fits.")
        return
    try:
        found, rows = loaders.audit_of_csv(file.getvalue(), file.name)
    except ValueError as error:
        st.error("This file cannot be read as a table of results.")
        st.text(str(error))
        return
    st.text(f"{file.name}: {len(rows):,} values.")
    findings(found, rows, file.name, [])


def checkpoints(run: RunDir) -> None:
    """How far apart a system's last, reported and luckiest weights are."""
    st.header("Which weights are reported")
    by = pickers.pick_by()
    found = loaders.checkpoint_values(run, by)
    if found.empty:
        st.info(
            f"{run.name} measured only the weights that it reports. A run with tasks.<task>.all_checkpoints, the default, "
            "measures its last ones and the best per language on the test set too."
        )
        return
    meanings = "; ".join(f"{rule}: {PROTOCOLS[rule].meaning}" for rule in RULES)
    st.text(f"Run {run.name}, fine-tuned systems, strict ranks, one metric a task. Protocol {meanings}.")
    for task, part in found.groupby("task", sort=False):
        spec, reported = METRICS[task][part.metric.iloc[0]], part.reported.iloc[0]
        st.markdown(f"**{task_title(task)}**")
        last, luck = part.last_gap.abs().max(), part.best_test_gap.max()
        st.text(
            f"Reported is {reported}. The last weights are up to {last:.1f} points away from it; choosing on the test set "
            f"adds up to {luck:.1f}."
        )
        figure = charts.checkpoint_dots(part, f"{spec.label} ({spec.unit})")
        alt = f"Values by choice of weights, {task_title(task)}"
        st.plotly_chart(figure, key=f"checkpoints_{task}", config=charts.CONFIG, alt=alt)
        command = figures.command("checkpoints", run.name, task=str(task), by=by)
        name = f"{run.name}.checkpoints.{task}.{by}"
        menu(f"checkpoints_{task}", figure=figure, table=part, name=name, runs=[run], command=command, caption=alt)
    formats = dict.fromkeys(RULES, NUMBER) | dict.fromkeys(("last_gap", "best_test_gap"), SIGNED)
    shown = found.dropna(axis="columns", how="all").assign(task=found.task.map(task_title))
    st.dataframe(shown, hide_index=True, key="checkpoints", alt="Values by choice of weights", column_config=formats)
    command = ["workbench", "tables", run.name, "--mode", "fine-tuned", "--by", by, "--csv"]
    menu("rules", table=found, name=f"{run.name}.checkpoints", runs=[run], command=command, caption=meanings)


st.title("Audit")
runs = tables.finished(loaders.all_runs())
if not runs:
    st.info("No run has results yet. Start the demo on the overview, or with: workbench demo. The rest is ready.")
with st.sidebar:
    source = pickers.pick_source({key: title for key, title in SOURCES.items() if runs or key != "run"})
    run = pickers.pick_run(runs) if source == "run" else None
if run is not None:
    of_run(run)
    checkpoints(run)
    lint_view.of_a_run(run)
elif source == "paper":
    of_paper()
else:
    of_file()
