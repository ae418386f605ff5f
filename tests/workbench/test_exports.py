"""The export menu through Streamlit's own test driver; its files are made on the click, outside the page's script."""

import io

import pandas as pd
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.shown import said
from workbench.publishing import images, stamps

TABLE = pd.DataFrame({"language": ["de", "ar"], "value": [1.5, 20.25]})


@pytest.fixture
def clicked(monkeypatch):
    """Label of every download button -> what a click on it runs."""
    found = {}

    def button(label, data, file_name, mime, **options):
        assert callable(data)
        assert options["on_click"] == "ignore"
        found[label] = (data, file_name, mime)

    monkeypatch.setattr("streamlit.download_button", button)
    return found


def menu(run: str, figure: bool = True, table: bool = True, command: tuple = ("workbench", "figure", "x")) -> None:
    """A page with one menu."""
    import plotly.graph_objects as go

    from core.runs.store import RunDir
    from tests.workbench.test_exports import TABLE
    from workbench.exports import menu

    menu(
        "here",
        figure=go.Figure(go.Bar(x=["中文", "de"], y=[1, 2])) if figure else None,
        table=TABLE if table else None,
        name="chart",
        runs=[RunDir.open(run)],
        command=command,
        caption="Two languages",
    )


def opened(run, **options) -> AppTest:
    at = AppTest.from_function(menu, default_timeout=30, kwargs={"run": run.name, **options})
    at.session_state["here_export"] = True
    at.run()
    assert not at.exception
    return at


def test_a_closed_menu_has_nothing_in_it_and_asks_no_browser(finished_run, clicked, monkeypatch):
    monkeypatch.setattr(images, "browser", lambda: pytest.fail("looked for a browser"))
    at = AppTest.from_function(menu, default_timeout=30, kwargs={"run": finished_run.name}).run()
    assert not at.exception
    assert clicked == {}
    assert len(at.code) == 0


def test_only_formats_that_apply_are_offered(finished_run, clicked, monkeypatch):
    monkeypatch.setattr(images, "browser", lambda: "/usr/bin/chromium")
    offered = {
        (figure, table): opened(finished_run, figure=figure, table=table).segmented_control(key="here_format").options
        for figure, table in ((True, True), (True, False), (False, True))
    }
    drawn = ["PDF", "SVG", "PNG", "HTML"]
    assert offered == {(True, True): [*drawn, "CSV", "LaTeX"], (True, False): drawn, (False, True): ["CSV", "LaTeX"]}


def test_the_command_names_the_file_and_width(finished_run, clicked, monkeypatch):
    monkeypatch.setattr(images, "browser", lambda: "/usr/bin/chromium")
    at = opened(finished_run)
    assert at.code[0].value == "workbench figure x --out chart.pdf --columns 1"
    at.segmented_control(key="here_columns").set_value(2).run()
    assert at.code[0].value == "workbench figure x --out chart.pdf --columns 2"
    at.segmented_control(key="here_format").set_value("CSV").run()
    assert at.code[0].value == "workbench figure x --out chart.csv"
    assert opened(finished_run, command=("workbench", "tables", "a b")).code[0].value == "workbench tables 'a b'"


def test_a_click_makes_the_file_with_its_stamp(finished_run, clicked):
    at = opened(finished_run, figure=False)
    data, name, mime = clicked["Download CSV"]
    assert (name, mime) == ("chart.csv", "text/csv")
    file = data()
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(file), comment="#"), TABLE)
    stamp = stamps.read_stamp(file, "csv")
    assert stamp["runs"][0]["run"] == finished_run.name
    assert stamp["command"] == "workbench figure x --out chart.csv"
    at.segmented_control(key="here_format").set_value("LaTeX").run()
    at.selectbox(key="here_best").set_value("in each column").run()
    text = clicked["Download LaTeX"][0]()
    assert rb"ar & \textbf{20.2} \\" in text
    assert stamps.read_stamp(text, "tex")["caption"] == "Two languages"


def test_html_needs_no_browser_and_holds_the_figure(finished_run, clicked, monkeypatch):
    monkeypatch.setattr(images, "browser", lambda: None)
    at = opened(finished_run)
    assert "none is installed here" in said(at)
    assert "camera button" in said(at)
    assert clicked == {}
    at.segmented_control(key="here_format").set_value("HTML").run()
    page = clicked["Download HTML"][0]()
    assert b"plotly.js v" in page
    assert b"<script src=" not in page
    assert stamps.read_stamp(page, "html")["command"] == "workbench figure x --out chart.html"


def test_a_script_without_a_font_is_named_before_the_download(finished_run, clicked, monkeypatch):
    monkeypatch.setattr(images, "browser", lambda: "/usr/bin/chromium")
    monkeypatch.setattr("workbench.publishing.scripts._has_font", lambda character: character != "中")
    assert "No font is installed for Chinese characters" in said(opened(finished_run))


def test_a_file_that_fails_says_why_in_the_menu(finished_run, clicked, monkeypatch):
    def fail(figure: go.Figure, kind: str, columns: int) -> bytes:
        raise images.ExportError("The browser could not draw the figure: out of paper.")

    monkeypatch.setattr(images, "browser", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(images, "draw", fail)
    at = opened(finished_run)
    assert "out of paper" not in said(at)
    with pytest.raises(images.ExportError):
        clicked["Download PDF"][0]()
    assert "There is no file." in said(at.run())
    assert "out of paper" in said(at)
