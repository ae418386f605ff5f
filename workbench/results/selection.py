"""What the results page looks at: runs, the part of the page, and a task, metric, mode, protocol or table of the paper."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.evaluation.protocols import PROTOCOLS
from core.reference.comparison import NUMBERS
from core.runs import tables
from core.runs.store import RunDir
from workbench import loaders, pickers
from workbench.runs import comparison as run_comparison

PARTS = ("Measured", "What explains it", "The paper's tables", "Your table")
TITLES = {
    2: "completion, groups",
    3: "alignment, groups",
    4: "relation classification, groups",
    5: "named entities, groups",
    6: "question answering, groups",
    7: "averages beside other methods",
    9: "completion, languages",
    10: "alignment, languages",
    11: "relation classification, languages",
    12: "named entities, languages",
    13: "question answering, languages",
}


@dataclass(frozen=True)
class Measured:
    """Results to show: some runs, one task, metric, mode and protocol, and their rows."""

    runs: list[RunDir]
    task: str
    metric: str
    mode: str
    protocol: str
    rows: pd.DataFrame

    def command(self) -> list[str]:
        """The command that prints the same rows, of both modes."""
        chosen = ["--task", self.task, "--metric", self.metric, "--protocol", self.protocol]
        return ["workbench", "tables", *(run.name for run in self.runs), *chosen, "--csv"]


@dataclass(frozen=True)
class Paper:
    """A table of the paper, and the runs that ours comes from."""

    runs: list[RunDir]
    number: int
    mode: str
    protocol: str

    def command(self, style: str = "--csv") -> list[str]:
        """The command that prints the table."""
        chosen = ["--paper", str(self.number), "--protocol", self.protocol, "--mode", self.mode]
        return ["workbench", "tables", *(run.name for run in self.runs), *chosen, style]


def pick_runs() -> list[RunDir]:
    """The runs to show, the main one first; none when no run has results (and the page says so)."""
    runs = tables.finished(loaders.all_runs())
    if not runs:
        st.info("No run has results yet. Start the demo on the overview, or with: workbench demo")
        return []
    with st.sidebar:
        run = pickers.pick_run(runs)
        return [run, *run_comparison.pick_others(run, runs)]


def pick_part() -> str:
    """The part of the page."""
    pickers.fit("part", PARTS)
    st.segmented_control(
        "Part", PARTS, key="part", persist_state="session", label_visibility="collapsed", required=True
    )
    return str(st.session_state["part"])


def pick_measured(runs: Sequence[RunDir]) -> Measured:
    """Task, metric, mode and protocol among what the runs have."""
    with st.sidebar:
        found = loaders.results(list(runs))
        task = pickers.choose("Task", "task", list(dict.fromkeys(found.task)), pickers.task_title)
        rows = found[found.task == task]
        metric = pickers.choose("Metric", "metric", list(dict.fromkeys(rows.metric)))
        protocols = [p for p in PROTOCOLS if p in set(rows.protocol)]
        protocol = pickers.choose("Protocol", "protocol", protocols, help=pickers.protocol_help())
        rows = rows[(rows.metric == metric) & (rows.protocol == protocol)]
        modes = [mode for mode in ("fine-tuned", "zero-shot") if mode in set(rows["mode"])]
        mode = pickers.choose("Mode of the languages", "mode", modes)
    return Measured([r for r in runs if r.name in set(rows.run)], task, metric, mode, protocol, rows)


def pick_paper(runs: Sequence[RunDir]) -> Paper:
    """A table of the paper, and how ours is read."""
    with st.sidebar:
        numbers = [str(number) for number in NUMBERS]
        number = int(pickers.choose("Table of the paper", "paper", numbers, lambda n: f"{n}: {TITLES[int(n)]}"))
        start = list(dict.fromkeys(["released", *PROTOCOLS]))
        protocol = pickers.choose("Protocol of ours", "paper_protocol", start, help=pickers.protocol_help())
        mode = pickers.choose("Mode", "mode", ["fine-tuned", "zero-shot"])
    return Paper(list(runs), number, mode, protocol)
