"""Results: groups and languages of any set of runs, what explains them, the paper's tables, and a visitor's own table."""

import streamlit as st

from workbench.results import selection as results_selection
from workbench.results import views as results_views
from workbench.results.selection import PARTS

st.title("Results")
if runs := results_selection.pick_runs():
    part = results_selection.pick_part()
    if part == PARTS[2]:
        results_views.paper(results_selection.pick_paper(runs))
    else:
        shown = results_selection.pick_measured(runs)
        st.text(results_views.sentence(shown))
        if left_out := [run.name for run in runs if run not in shown.runs]:
            st.caption(f"Without results of this task, metric and protocol: {', '.join(left_out)}.")
        if part == PARTS[0]:
            results_views.measured(shown)
        elif part == PARTS[1]:
            results_views.explained(shown)
        else:
            results_views.own(shown)
