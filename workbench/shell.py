"""What surrounds every page: looks, the app's name, what a link asked for in vain, and where to read more."""

import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.runs.provenance import DISTRIBUTION
from core.runs.store import RunError
from workbench import loaders, permalink

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

STATIC = Path(__file__).with_name("static")
README = Path(__file__).resolve().parents[1] / "README.md"
ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 10 10' fill-opacity='.85'>"
    "<circle cx='3.4' cy='4' r='2.6' fill='#0072B2'/><circle cx='6.6' cy='4' r='2.6' fill='#D55E00'/>"
    "<circle cx='5' cy='6.6' r='2.6' fill='#009E73'/></svg>"
)


def begin() -> None:
    """Looks and name of the app; the first thing that its entry script does."""
    st.set_page_config(page_icon=ICON, layout="wide")  # no page_title: each page keeps its own
    st.html(STATIC / "workbench.css")
    st.logo(STATIC / "name.svg", icon_image=ICON)


def show(page: "Page") -> None:
    """Run a page between reading its selection from the URL and writing it there."""
    permalink.read_url()
    notices = st.container()
    try:
        page.run()
    except (RunError, OSError):
        if (name := _gone()) is None:
            raise
        st.info(
            f"The run {permalink.quoted(name)} was removed while it was shown. Reload the page to see what is left."
        )
    with notices:
        for sentence in permalink.unanswered():
            st.warning(sentence, icon=":material/link_off:")
    permalink.write_url()
    with st.sidebar:
        _footer()


def _gone() -> str | None:
    """The selected run, if its folder has been removed."""
    name = st.session_state.get("run")
    return name if name and name not in {run.name for run in loaders.all_runs()} else None


def _footer() -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="about"):
        st.caption(f"Version {metadata.version(DISTRIBUTION)}")
        if st.button("Guide", key="guide", type="tertiary", icon=":material/menu_book:"):
            _guide()


@st.dialog("Guide", width="large")
def _guide() -> None:
    st.markdown(_readme())


def _readme() -> str:
    """The README without what only a checkout can show: its images, and links to the files beside it."""
    text = README.read_text(encoding="utf-8") if README.is_file() else _packaged()
    without_images = re.sub(r"!\[[^\]]*\]\([^)]*\)|<(?:img|picture|source|/picture)\b[^>]*>", "", text)
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", without_images)


def _packaged() -> str:
    return str(metadata.metadata(DISTRIBUTION).json.get("description", ""))
