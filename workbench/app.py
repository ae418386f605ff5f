"""Entry script of the app: the list of pages. Start it with `workbench up`."""

from pathlib import Path

import streamlit as st

from workbench import permalink

PAGES = Path(__file__).resolve().parents[1] / "pages"
ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 10 10' fill-opacity='.85'>"
    "<circle cx='3.4' cy='4' r='2.6' fill='#0072B2'/><circle cx='6.6' cy='4' r='2.6' fill='#D55E00'/>"
    "<circle cx='5' cy='6.6' r='2.6' fill='#009E73'/></svg>"
)

st.set_page_config(page_icon=ICON, layout="wide")  # no page_title: each page keeps its own
page = st.navigation(
    [
        st.Page(PAGES / "overview.py", title="Overview", icon=":material/dashboard:", default=True),
        st.Page(PAGES / "runs.py", title="Runs", icon=":material/play_arrow:", url_path="runs"),
        st.Page(PAGES / "fusion_attention.py", title="Fusion attention", icon=":material/grid_on:", url_path="fusion"),
        st.Page(PAGES / "results.py", title="Results", icon=":material/table_chart:", url_path="results"),
        st.Page(PAGES / "ablation.py", title="Ablation", icon=":material/bar_chart:", url_path="ablation"),
        st.Page(PAGES / "audit.py", title="Audit", icon=":material/rule:", url_path="audit"),
    ]
)
permalink.read_url()
page.run()
permalink.write_url()
