"""What is looked at: typed selections drawn in the sidebar, kept in the URL so that a copied link shows the same view.

`bind="query-params"` is not used: it makes `st.switch_page` raise and goes stale when options change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core import catalog
from core.evaluation.protocols import PROTOCOLS
from core.runs import tables
from core.runs.store import RunDir
from workbench import loaders

FIELDS = ("run", "task", "protocol", "metric")


@dataclass(frozen=True)
class Selection:
    """What the results pages show: one run, one task, one metric under one protocol."""

    run: RunDir
    task: str
    metric: str
    protocol: str


def read_url() -> None:
    """URL -> session state, unless the URL is the one written last."""
    now = {key: st.query_params[key] for key in FIELDS if key in st.query_params}
    if now and now != st.session_state.get("_url"):
        st.session_state.update(now)


def write_url() -> None:
    """Session state -> URL; other parameters stay."""
    want = {key: str(st.session_state[key]) for key in FIELDS if st.session_state.get(key)}
    st.session_state["_url"] = want
    if want != {key: st.query_params[key] for key in FIELDS if key in st.query_params}:
        rest = {key: st.query_params.get_all(key) for key in st.query_params if key not in FIELDS}
        st.query_params.from_dict({**rest, **want})


def pick_run(runs: Sequence[RunDir], label: str = "Run") -> RunDir:
    """A run, by name; the first one at the start."""
    by_name = {run.name: run for run in runs}
    _fit("run", list(by_name))
    return by_name[
        st.selectbox(label, list(by_name), key="run", persist_state="session", format_func=_run_title(by_name))
    ]


def pick_results() -> Selection | None:
    """Run, task, metric and protocol of the results to show, or None when no run has results (and the page says so)."""
    runs = tables.finished(loaders.all_runs())
    if not runs:
        st.info("No run has results yet. Start the demo on the overview, or with: workbench demo")
        return None
    with st.sidebar:
        run = pick_run(runs)
        found = loaders.results([run])
        tasks = list(dict.fromkeys(found.task))
        _fit("task", tasks)
        task = st.selectbox(
            "Task", tasks, key="task", persist_state="session", format_func=lambda t: catalog.item("task", t).title
        )
        rows = found[found.task == task]
        metrics, protocols = list(dict.fromkeys(rows.metric)), [p for p in PROTOCOLS if p in set(rows.protocol)]
        _fit("metric", metrics)
        metric = st.selectbox("Metric", metrics, key="metric", persist_state="session")
        _fit("protocol", protocols)
        protocol = st.selectbox("Protocol", protocols, key="protocol", persist_state="session", help=_protocol_help())
    return Selection(run, task, metric, protocol)


def _fit(key: str, options: Sequence[str]) -> None:
    """Before a widget: a value that its options lack becomes the first one."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]


def _run_title(by_name: dict[str, RunDir]):
    return lambda name: f"{name} (shipped)" if by_name[name].cached else name


def _protocol_help() -> str:
    return "\n\n".join(f"**{p.key}**: {p.meaning}" for p in PROTOCOLS.values())
