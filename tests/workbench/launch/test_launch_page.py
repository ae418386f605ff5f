"""The Launch page through Streamlit's own test driver: form, command, files, grid, submission and queue."""

import json
from pathlib import Path

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from core.config import RunConfig
from core.execution.queue import Queue
from core.runs.status import Status
from core.runs.store import RunDir, list_runs, runs_root
from tests.workbench.shown import said, table

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have started a queue process."""
    calls: list[str] = []
    monkeypatch.setattr(Queue, "wake", lambda queue: calls.append(str(queue.root)))
    return calls


def page(**parameters: str | list[str]) -> AppTest:
    at = AppTest.from_file(str(ROOT / "workbench" / "app.py"), default_timeout=60)
    at.query_params.update(parameters)
    at.run()
    at.switch_page(str(ROOT / "pages" / "launch.py")).run()
    assert not at.exception
    return at


def command(at: AppTest) -> str:
    return at.code[0].value.replace(" \\\n ", "")


def files(at: AppTest) -> list[dict]:
    return [yaml.safe_load(code.value) for code in at.code[1:3]]


def live_runs() -> list[RunDir]:
    return list_runs([runs_root()])


def test_the_demo_is_submitted_with_one_click_and_only_once(woken: list[str]) -> None:
    at = page()
    assert at.selectbox(key="preset").value == "demo"
    assert command(at) == "workbench run demo"
    assert "There is nothing to compare with" not in said(at)
    at.button(key="submit").click().run()
    assert not at.exception
    (run,) = live_runs()
    assert run.config.title == "demo"
    assert Queue().position(run) == 1
    assert woken == [str(runs_root())]
    assert f"Submitted: {run.name}" in said(at)
    assert at.button(key="submit").disabled
    other = page()  # another tab knows it too
    assert other.button(key="submit").disabled
    assert "waits or runs already" in said(other)
    other.checkbox(key="again").check().run()
    other.button(key="submit").click().run()
    assert len(live_runs()) == 2
    assert other.button(key="submit").disabled


def test_a_second_click_before_the_page_came_back_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    at = page()
    button = at.button(key="submit").click()
    button.run()
    button.click().run()  # the old button, as a double click sends it
    assert len(live_runs()) == 1


def test_a_changed_field_changes_command_and_files() -> None:
    at = page()
    at.text_input(key="field:seed").set_value("3").run()
    assert command(at) == "workbench run demo --set seed=3"
    small, whole = files(at)
    assert small == {"extends": "demo", "seed": 3}
    assert whole["seed"] == 3
    assert at.query_params["edit"] in ("seed=3", ["seed=3"])
    assert at.text_input(key="field:seed").label == ":orange[●] **seed**"
    assert at.text_input(key="field:title").label == "title"
    at.toggle(key="field:adapters.ts").set_value(False).run()
    at.multiselect(key="field:corpus.adapter_languages").set_value(["de", "no"]).run()
    assert files(at)[0] == {
        "extends": "demo",
        "seed": 3,
        "adapters": {"ts": None},
        "corpus": {"adapter_languages": ["de", "no"]},
    }
    at.text_input(key="field:seed").set_value("0").run()  # as it was
    assert "seed" not in command(at)


def test_a_bad_value_stays_typed_says_why_at_its_field_and_blocks() -> None:
    at = page()
    at.text_input(key="field:title").set_value("mine").run()
    at.text_input(key="field:adapters.ep.steps").set_value("many").run()
    assert at.text_input(key="field:adapters.ep.steps").value == "many"
    assert at.text_input(key="field:title").value == "mine"
    messages = [caption.value for caption in at.caption if caption.value.startswith(":red[")]
    assert len(messages) == 1
    assert "valid integer" in messages[0]
    assert "many" in messages[0]
    assert at.button(key="submit").disabled
    assert "Nothing that you typed is lost" in at.error[0].value
    at.text_input(key="field:adapters.ep.steps").set_value("5").run()
    assert not at.button(key="submit").disabled
    assert files(at)[0] == {"extends": "demo", "title": "mine", "adapters": {"ep": {"steps": 5}}}


def test_a_link_restores_the_form_and_unknown_edits_are_passed_over() -> None:
    at = page(preset="paper-mbert", form_part="Objective", edit=["objective.temperature=0.2", "colour=red", "seed=[0"])
    assert at.text_input(key="field:objective.temperature").value == "0.2"
    assert command(at) == "workbench run paper-mbert --set objective.temperature=0.2"
    assert "is not on this machine" in said(at)  # the backbone; said before anything is submitted
    assert "workbench backbone get bert-base-multilingual-cased" in said(at)
    assert at.button(key="submit").disabled


@pytest.mark.parametrize(
    "part", ["Backbone", "Corpus", "Sampling", "Objective", "Adapters", "Fusion", "Tasks", "Evaluation", "Compute"]
)
def test_every_part_of_the_config_opens(part: str) -> None:
    at = page(form_part=part, preset="table2-mbert")
    assert sum(len(kind) for kind in (at.text_input, at.selectbox, at.toggle, at.multiselect)) > 4
    for name in ("kg_completion", "ner", "ep", "large"):
        for pills in ("form_tasks", "form_adapters"):
            if any(widget.key == pills and name in widget.options for widget in at.pills):
                at.pills(key=pills).set_value(name).run()
                assert not at.exception


def test_a_field_is_found_by_its_words() -> None:
    at = page()
    at.text_input(key="field_find").set_value("false negatives").run()
    assert [toggle.key for toggle in at.toggle] == ["field:objective.mask_false_negatives"]
    at.toggle(key="field:objective.mask_false_negatives").set_value(False).run()
    assert command(at) == "workbench run demo --set objective.mask_false_negatives=false"
    at.text_input(key="field_find").set_value("colour of the sky").run()
    assert "No field has these words" in said(at)


def test_a_section_that_was_left_out_starts_from_its_defaults() -> None:
    at = page(form_part="Adapters")
    at.pills(key="form_adapters").set_value("large").run()
    assert [w.key for w in at.text_input if w.key.startswith("field:")] == []
    at.toggle(key="field:adapters.large").set_value(True).run()
    assert at.text_input(key="field:adapters.large.steps").value == "100"
    assert files(at)[0]["adapters"] == {"large": {"steps": 100, "learning_rate": 0.001}}


def test_the_budget_is_shown_without_loading_a_model() -> None:
    budget = table(page(), "adds (M)").set_index("system")["adds (M)"]
    assert budget.to_dict() == {
        **dict.fromkeys(("+EP", "+TP", "+ES", "+TS"), 0.22608),
        "+Fusion": 6.221952,
    }


def test_the_estimate_names_the_run_that_it_compares_with(finished_run: RunDir) -> None:
    at = page(start="run", like=finished_run.name)
    assert f"Compared with {finished_run.name}, by pairs" in said(at)


def test_without_any_run_it_says_that_there_is_nothing_to_compare_with() -> None:
    assert "there is nothing to compare with" in page().info[0].value


def test_a_grid_is_shown_submitted_and_limited(tiny_config: RunConfig) -> None:
    at = page()
    at.multiselect(key="grid_fields").set_value(["seed", "sampling.order"]).run()
    at.text_input(key="grid:seed").set_value("0, 1").run()
    at.pills(key="grid:sampling.order").set_value(["distinct", "random"]).run()
    grid = table(at, "seed")
    assert grid.seed.tolist() == ["0", "0", "1", "1"]
    assert grid["sampling.order"].tolist() == ["distinct", "random"] * 2
    assert grid.config.nunique() == 4
    assert "4 runs, at most 64" in said(at)
    assert command(at) == "workbench submit demo --grid 'seed=[0, 1]' --grid 'sampling.order=[distinct, random]'"
    at.button(key="submit").click().run()
    waiting = Queue().waiting()
    assert [run.config.title for run in waiting] == grid.title.tolist()
    at.text_input(key="grid:seed").set_value(", ".join(map(str, range(40)))).run()
    assert "80 runs; a grid has at most 64" in said(at)
    assert at.button(key="submit").disabled
    at.text_input(key="grid:seed").set_value("0, [").run()
    assert "no list of values" in said(at)


def test_a_run_is_a_start_with_its_own_values(finished_run: RunDir) -> None:
    at = page(start="run", like=finished_run.name)
    assert at.text_input(key="field:title").value == "tiny"
    assert command(at) == f"workbench run {finished_run.config_file}"
    assert files(at)[1] == json.loads(json.dumps(finished_run.config.model_dump(mode="json")))
    assert not at.button(key="submit").disabled


def test_an_uploaded_file_is_a_start_or_says_all_that_is_wrong_with_it() -> None:
    at = page(start="file")
    assert "Choose a file" in said(at)
    at.file_uploader(key="config_file").upload("bad.yaml", b"seed: -1\nadaptors: {}\n", "text/yaml").run()
    assert not at.exception
    assert "bad.yaml: 2 bad field(s)" in said(at)
    assert "did you mean `adapters`?" in said(at)
    assert not [button for button in at.button if button.key == "submit"]
    at.file_uploader(key="config_file").upload("mine.yaml", b"extends: demo\nseed: 4\n", "text/yaml").run()
    assert at.text_input(key="field:seed").value == "4"
    assert command(at) == "workbench run mine.yaml"
    assert files(at)[0]["seed"] == 4


def test_nothing_is_submitted_when_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    at = page()
    monkeypatch.setattr("core.runs.store.write_atomic", full)
    at.button(key="submit").click().run()
    assert not at.exception
    assert "Nothing was submitted." in [error.value for error in at.error]
    assert "No space left" in said(at)


def test_the_queue_is_paused_widened_and_taken_up_again(tiny_config: RunConfig, woken: list[str]) -> None:
    run = RunDir.create(tiny_config)
    Queue().add([run])
    at = page()
    assert "0 running, 1 waiting" in said(at)
    assert table(at, "place").run.tolist() == [run.name]
    assert "the queue's process is gone" in said(at)  # none was really started
    at.number_input(key="slots").set_value(3).run()
    assert Queue().plan().slots == 3
    woken.clear()
    at.button(key="queue_resume").click().run()
    assert len(woken) == 1
    Queue().pause()
    at.run()
    assert "paused" in said(at)
    at.button(key="queue_resume").click().run()
    assert not Queue().plan().paused
    Queue().plan_file.write_text("{")
    at.run()
    assert "The queue cannot be read." in [error.value for error in at.error]
    run.write_status(Status("done"))
