"""The knowledge page through Streamlit's own test driver, on a tiny trained run."""

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
import yaml
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core import recipes
from core.runs.store import RunDir
from tests.conftest import label
from tests.workbench.shown import figures, said, table
from workbench.cli import app as cli

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")
    st.cache_resource.clear()


@pytest.fixture
def menus(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    """What the export menus were given, by key."""
    sent: dict[str, dict] = {}
    monkeypatch.setattr("workbench.exports.menu", lambda key, **given: sent.update({key: given}))
    return sent


def page(**parameters: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(ROOT / "workbench" / "app.py"), default_timeout=60)
    at.query_params.update(parameters)
    at.run()
    at.switch_page(str(ROOT / "pages" / "knowledge.py")).run()
    assert not at.exception
    return at


def url(at: AppTest) -> dict[str, list[str]]:
    return {key: values if isinstance(values, list) else [values] for key, values in at.query_params.items()}


def tables(at: AppTest) -> list[str]:
    return [element.proto.body for element in at.get("html") if "answers" in element.proto.body]


def test_an_example_of_the_test_is_answered_at_once(finished_run: RunDir, menus: dict[str, dict]) -> None:
    at = page()
    assert "Example 1 of the test split in English (en); nothing of it was trained on." in said(at)
    assert f"Run {finished_run.name}, recipe corrected, seed 0;" in said(at)
    assert url(at)["to"] == ["en", "de"]
    assert len(tables(at)) == 2
    gold = menus["ranks"]["table"]
    assert set(gold.system) == {"backbone", "+EP", "+TP", "+ES", "+TS", "+Large", "+Fusion"}
    assert len(figures(at)[0]) == 7
    pd.testing.assert_frame_equal(table(at, "rank"), gold)
    for menu in (menus["answers"], menus["ranks"]):  # the command beside an export prints the same rows
        done = CliRunner().invoke(cli, menu["command"][1:])
        assert done.exit_code == 0, done.exception
        printed = pd.read_csv(io.StringIO(done.stdout))
        pd.testing.assert_frame_equal(printed, menu["table"], check_exact=False, atol=1e-5)


def test_another_example_has_an_address_of_its_own(finished_run: RunDir, menus: dict[str, dict]) -> None:
    at = page(systems=["backbone"])
    subjects = [at.text_input(key="subject").value]
    for _ in range(3):
        at.button(key="another").click().run()
        assert not at.exception
        subjects.append(at.text_input(key="subject").value)
    assert len(set(subjects)) > 1
    there = url(at)
    assert there["example"] == ["4"]
    again = page(**there)
    assert again.text_input(key="subject").value == subjects[-1]
    assert url(again) == there
    assert tables(again) == tables(at)
    only_number = page(systems=["backbone"], example="4")
    assert only_number.text_input(key="subject").value == subjects[-1]


def test_a_typed_name_is_looked_up_and_asked_in_other_languages(finished_run: RunDir, menus: dict[str, dict]) -> None:
    at = page(kind="align", systems=["backbone", "+EP"], among="all", k="3", to=["de", "fr"])
    at.text_input(key="subject").set_value(label(5, "en")).run()
    assert not at.exception
    assert at.selectbox(key="entity").options[0] == "every one of this name (1)"
    assert f"Known: {label(5, 'de')}" in said(at)
    assert f"Known: {label(5, 'fr')}" in said(at)
    assert "Example" not in said(at)
    assert menus["ranks"]["table"].candidates.unique().tolist() == [48]
    at.selectbox(key="language").set_value("fr").run()
    assert at.text_input(key="subject").value == label(5, "fr")  # the same entity, named in French
    at.text_input(key="subject").set_value("@@").run()
    assert "No name of the corpus holds this text" in said(at)
    assert "The data knows no answer in this language." in said(at)
    assert "ranks" not in {chart.key for chart in at.get("plotly_chart")}
    at.text_input(key="subject").set_value(" ").run()
    assert "Type a name" in said(at)


def test_a_hit_can_be_chosen(finished_run: RunDir, menus: dict[str, dict]) -> None:
    at = page(kind="align", systems=["backbone"], to=["de"])
    at.text_input(key="subject").set_value(label(6, "en")[:3]).run()
    at.selectbox(key="entity").set_value("e06").run()
    assert not at.exception
    assert at.text_input(key="subject").value == label(6, "en")
    assert menus["ranks"]["table"].entity.tolist() == ["e06"]


def test_nonsense_in_the_url_is_mended(finished_run: RunDir) -> None:
    at = page(kind="guess", language="xx", subject="x", relation="far", to=["zz"], k="-3", among="some", example="-")
    assert at.segmented_control(key="kind").value == "complete"
    assert at.selectbox(key="k").value == "5"
    assert at.selectbox(key="relation").value == "near"
    assert len(tables(at)) == 1


def test_many_labels_are_embedded_only_when_asked_and_can_be_stopped(
    finished_run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.knowledge.selection.MANY_LABELS", 50)
    at = page(kind="align", systems=["backbone", "+EP"], to=["de"], among="all")
    assert "96 labels must be embedded first, once" in said(at)
    assert not tables(at)
    at.button(key="embed").click().run()
    assert not at.exception
    assert len(tables(at)) == 1
    assert not [button for button in at.button if button.key in ("embed", "stop")]


def test_runs_that_cannot_be_asked_say_why(finished_run: RunDir, tmp_path: Path) -> None:
    config = yaml.safe_load(finished_run.config_file.read_text(encoding="utf-8"))
    config["corpus"]["folder"] = str(tmp_path / "gone")
    finished_run.config_file.write_text(yaml.safe_dump(config), encoding="utf-8")
    at = page()
    assert "This run cannot be asked. Its data or weights are gone" in said(at)
    assert "There is no corpus in" in said(at)
    shutil.rmtree(finished_run.path)
    assert "No run has trained adapters to ask yet" in said(page())
    RunDir.create(recipes.parse({}, {"title": "new"}))
    assert "No run has trained adapters to ask yet" in said(page())


def upload(at: AppTest, name: str, text: str) -> AppTest:
    at.file_uploader(key="own_file").set_value((name, text.encode(), "text/plain")).run()
    assert not at.exception
    return at


def test_own_pairs_are_shown_evaluated_and_exported(
    finished_run: RunDir, menus: dict[str, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "".join(f"{label(i, 'en')}\t{label(i, 'de')}\n" for i in range(9)) + "one\n"
    at = upload(page(kind="data"), "pairs.tsv", text)
    assert "pairs.tsv: 9 rows are good, 1 are left out." in said(at)
    assert table(at, "problem").values.tolist() == [[10, "not 2 columns (has 1)", "one"]]
    at.multiselect(key="own_systems").set_value(["backbone", "+EP"]).run()
    at.button(key="own_go").click().run()
    assert not at.exception
    assert "protocol strict, in %, 95 % bootstrap intervals" in said(at)
    shown = table(at, "MRR")
    assert shown[["language", "n", "system"]].to_numpy().tolist() == [["de", 9, "backbone"], ["de", 9, "+EP"]]
    rows = menus["own"]["table"]
    monkeypatch.chdir(tmp_path)
    Path("pairs.tsv").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(cli, menus["own"]["command"][1:])
    assert done.exit_code == 0, done.exception
    printed = pd.read_csv(io.StringIO(done.stdout)).drop(columns="run")
    pd.testing.assert_frame_equal(printed, rows, check_dtype=False, check_exact=False, atol=1e-4)
    at.selectbox(key="own_source").set_value("de").run()
    assert "Choose two different languages" in said(at)


def test_a_file_that_cannot_be_read_is_a_sentence(finished_run: RunDir) -> None:
    at = upload(page(kind="data"), "pairs.csv", 'a,"b\n')
    assert "This file cannot be evaluated." in said(at)
    assert "pairs.csv:1: no CSV" in said(at)
    at.segmented_control(key="own_task").set_value("Knowledge-graph completion").run()
    at = upload(at, "facts.tsv", "a\tb\n")
    assert "facts.tsv has no good row. Columns: subject, relation, object" in said(at)
