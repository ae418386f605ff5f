"""The lint of a corpus, as the corpus page and the audit page show it: it runs beside the page, once for all visitors."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core.corpora.checks.finding import Finding
from core.corpora.store import CorpusError
from core.runs.store import RunDir
from workbench import pickers
from workbench.background import Background
from workbench.corpus import loaders as corpus_loaders
from workbench.corpus.selection import Selection, benchmarks, of_run
from workbench.exports import menu

_ORDER = {"error": 0, "warning": 1, "info": 2}
MOST_AT_ONCE = 2_000_000  # labels of a corpus that is looked at without being asked


def of_a_run(run: RunDir) -> None:
    """The section of the audit page: the lint of the corpus that a run was trained on, once somebody asks for it."""
    st.header("Training-data lint")
    if st.session_state.get("lint_of") == run.name:
        show(of_run(run), at_once=True)
        return
    st.text(f"The corpus that run {run.name} is trained on: leaks, repetitions, odd texts and spans.")
    st.button("Check the corpus", key="lint_open", icon=":material/rule:", on_click=_open, args=(run.name,))


def _open(name: str) -> None:
    st.session_state["lint_of"] = name


def show(selection: Selection, at_once: bool) -> None:
    """The lint of a corpus.

    Args:
        selection: The corpus.
        at_once: Begin without a click, unless the corpus is large.
    """
    try:
        found = corpus_loaders.corpus(selection.folder)
    except CorpusError as error:
        st.info("The corpus cannot be checked.")
        st.text(str(error))
        return
    there = benchmarks()
    against = _against(there)
    command = ["workbench", "corpus", "lint", *selection.words]
    command += ["--against", str(against)] if against else []
    beside = f", against the test strings of {against.name}" if against else ""
    of = f", which run {selection.run.name} is trained on" if selection.run else ""
    st.text(f"What is wrong with the corpus {found.info.name}{of}{beside}: leaks, repetitions, odd texts and spans.")
    st.code(shlex.join(command), language="shell", wrap_lines=True)
    work = corpus_loaders.linted(found, [against] if against else [])
    if at_once and not work.problem and found.info.counts["labels"] <= MOST_AT_ONCE:
        work.start()
    live = work.running
    st.fragment(_watched, run_every=0.5 if live else None)(work, live, selection, command)


def _against(there: Mapping[str, Path]) -> Path | None:
    if not there:
        st.caption(
            "With a benchmark in the data folder, its test strings are looked for too: workbench benchmark build."
        )
        return None
    with st.container(width=420):
        name = pickers.choose("Against", "benchmark", ["", *there], lambda key: key or "no benchmark")
    return there.get(name)


def _watched(work: Background, live: bool, selection: Selection, command: list[str]) -> None:
    if work.running:
        st.progress(work.share, f"Checking ... {work.share:.0%}")
        st.button("Stop", key="lint_stop", icon=":material/stop:", on_click=work.stop)
    elif live:
        st.rerun()  # one full run: switches the polling off
    elif work.result is not None:
        findings(work.result, selection, command)
    else:
        if work.problem:
            st.info("The corpus was not checked.")
            st.text(work.problem)
        st.button("Check the corpus", key="lint_start", icon=":material/rule:", on_click=work.start)
        st.caption("It takes ten seconds for 200,000 labels, and goes on while you look at something else.")


def findings(found: Sequence[Finding], selection: Selection, command: list[str]) -> None:
    """What the checks found, with an export menu."""
    rows = table(found)
    caption = f"Lint of the corpus {selection.source if selection.folder is None else selection.folder.name}"
    menu("lint", table=rows, name="corpus.lint", runs=selection.runs, command=command, caption=caption)


def table(found: Sequence[Finding]) -> pd.DataFrame:
    """Draw what the checks found, the gravest first, with samples; returns the rows drawn."""
    hits = sorted((f for f in found if f.count), key=lambda f: (_ORDER[f.severity], f.check, -f.share))
    errors, warnings = (sum(f.severity == severity for f in hits) for severity in ("error", "warning"))
    clean = len({f.check for f in found} - {f.check for f in hits})
    st.text(f"Errors: {errors}. Warnings: {warnings}. Checks that found nothing: {clean}.")
    rows = pd.DataFrame(
        [(f.severity, f.check, f.count, f.of, f.share, f.title) for f in hits],
        columns=["severity", "check", "count", "of", "share", "what"],
    )
    formats = {"share": st.column_config.NumberColumn(format="percent")}
    formats |= {name: st.column_config.NumberColumn(format="localized") for name in ("count", "of")}
    formats["what"] = st.column_config.TextColumn(width="large")
    st.dataframe(rows, hide_index=True, key="lint", alt="Findings of the corpus lint", column_config=formats)
    with st.expander("Samples"):
        for finding in hits:
            parts = [" ".join(map(str, part.values())) for part in finding.detail[:5]]
            lines = [*finding.samples, *([f"by part: {', '.join(parts)}"] if parts else [])]
            if lines:
                st.text("\n    ".join([f"{finding.check}: {finding.title}", *lines]))
    return rows
