"""What surrounds the pages, under Streamlit's test driver."""

import shutil
from importlib import metadata

import pytest
from streamlit.testing.v1 import AppTest

from workbench import shell


def script() -> None:
    import streamlit as st

    from core.runs.store import RunDir, RunError
    from workbench import shell

    class Page:
        def run(self) -> None:
            if st.session_state.get("page") == "broken":
                raise RunError("no results")
            st.title("A page")
            st.text(len(RunDir.open(st.session_state["run"]).results()))

    shell.begin()
    shell.show(Page())


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


def test_a_run_removed_while_a_page_shows_it_gives_a_sentence(finished_run):
    at = AppTest.from_function(script, default_timeout=30)
    at.query_params["run"] = finished_run.name
    at.run()
    assert at.text[0].value == str(len(finished_run.results()))
    assert at.info.len == 0
    shutil.rmtree(finished_run.path)
    at.run()
    assert not at.exception
    name = finished_run.name.replace("-", r"\-")
    assert at.info[0].value == f"The run {name} was removed while it was shown. Reload the page to see what is left."


def test_a_fault_of_a_page_is_not_hidden(finished_run):
    at = AppTest.from_function(script, default_timeout=30)
    at.query_params["run"] = finished_run.name
    at.session_state["page"] = "broken"
    at.run()
    assert at.exception.len == 1
    assert at.info.len == 0


def test_the_guide_has_neither_images_nor_links_to_files(monkeypatch, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# T\n![shot](a.webp)<img src='b.webp'>\n[how](CONTRIBUTING.md), [paper](https://arxiv.org/x)\n")
    monkeypatch.setattr(shell, "README", readme)
    assert shell._readme() == "# T\n\nhow, [paper](https://arxiv.org/x)\n"


def test_without_a_checkout_the_guide_is_the_packages_description(monkeypatch, tmp_path):
    monkeypatch.setattr(shell, "README", tmp_path / "none")
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.4\nName: x\n\n# T\n\n![shot](a.webp)words\n")
    packaged = metadata.PathDistribution(tmp_path).metadata
    monkeypatch.setattr(shell.metadata, "metadata", lambda name: packaged)
    assert shell._readme().split() == ["#", "T", "words"]
