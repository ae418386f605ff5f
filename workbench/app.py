"""Entry script of the app: the list of pages. Start it with `workbench up`."""

from pathlib import Path

import streamlit as st

from workbench import shell

PAGES = Path(__file__).resolve().parents[1] / "pages"

shell.begin()
page = st.navigation(
    {
        "Explore": [
            st.Page(PAGES / "overview.py", title="Overview", icon=":material/dashboard:", default=True),
            st.Page(
                PAGES / "fusion_attention.py", title="Fusion attention", icon=":material/grid_on:", url_path="fusion"
            ),
            st.Page(PAGES / "probe.py", title="Probe", icon=":material/search:", url_path="probe"),
            st.Page(PAGES / "entity_space.py", title="Entity space", icon=":material/scatter_plot:", url_path="space"),
            st.Page(PAGES / "knowledge.py", title="Knowledge", icon=":material/quiz:", url_path="knowledge"),
        ],
        "Measure": [
            st.Page(PAGES / "results.py", title="Results", icon=":material/table_chart:", url_path="results"),
            st.Page(PAGES / "ablation.py", title="Ablation", icon=":material/bar_chart:", url_path="ablation"),
            st.Page(PAGES / "audit.py", title="Audit", icon=":material/rule:", url_path="audit"),
            st.Page(PAGES / "corpus.py", title="Corpus", icon=":material/database:", url_path="corpus"),
        ],
        "Train": [
            st.Page(PAGES / "launch.py", title="Launch", icon=":material/rocket_launch:", url_path="launch"),
            st.Page(PAGES / "runs.py", title="Runs", icon=":material/play_arrow:", url_path="runs"),
        ],
    },
    expanded=True,
)
shell.show(page)
