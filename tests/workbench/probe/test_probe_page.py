"""The probe page through Streamlit's own test driver, on a tiny trained run."""

import io
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core.runs.store import RunDir
from tests.workbench.shown import figures, said, table
from workbench.cli import app as cli
from workbench.probe.selection import CHARACTERS, EXAMPLES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


@pytest.fixture
def strips(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What the strips were given, latest last."""
    sent: list[dict] = []
    monkeypatch.setattr("workbench.probe.tokens._STRIP", lambda **given: sent.append(given))
    return sent


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
    at.switch_page(str(ROOT / "pages" / "probe.py")).run()
    assert not at.exception
    return at


def shown_words(strip: dict) -> list[list[str]]:
    return [[word["text"] for word in line["words"]] for line in strip["data"]["lines"]]


def test_two_tasks_side_by_side_from_the_start(finished_run: RunDir, strips, menus) -> None:
    at = page()
    assert f"Run {finished_run.name}, recipe corrected, seed 0." in said(at)
    assert [given["key"] for given in strips[-2:]] == ["strips_0", "strips_1"]
    assert shown_words(strips[-1]) == shown_words(strips[-2])
    assert shown_words(strips[-1])[0][:3] == ["Marie", "Curie", "was"]
    headings = " ".join(m.value for m in at.markdown)
    assert "Knowledge-graph completion, after fusion training" in headings
    assert "Entity alignment, after fusion training" in headings
    assert strips[-1]["data"]["lines"] != strips[-2]["data"]["lines"]  # other weights
    assert len(figures(at)) == 4  # map and bars of each


def test_strip_map_and_table_show_the_weights_of_the_encoder(finished_run: RunDir, strips, menus) -> None:
    from core.probing.trained import FUSED, Question, TrainedEncoder

    page(sentence="baba er", layer="1", probe_beside="none", without=["ep"], word="0.1", task="entity_alignment")
    encoder = TrainedEncoder(finished_run)
    (seen,) = encoder.observe(["baba er"], Question(FUSED, "entity_alignment", frozenset({"ep"})))
    expected = np.stack([seen.weights[:, 1:5].mean(1), seen.weights[:, 5:7].mean(1)], axis=1)  # of its two words
    shown = strips[-1]["data"]["lines"][0]["words"]
    assert [word["slot"] for word in shown] == [seen.slots[i] for i in expected[1].argmax(-1)]
    np.testing.assert_allclose([word["weight"] for word in shown], expected[1].max(-1), atol=1e-5)
    assert strips[-1]["data"]["picked"] == "0.1"
    rows = menus["map_0"]["table"]
    grid = rows.set_index(["layer", "position", "slot"]).weight.unstack()[list(seen.slots)]
    np.testing.assert_allclose(grid.to_numpy().reshape(2, 2, 5), expected, atol=1e-5)
    assert menus["bars_0"]["table"].word.unique().tolist() == ["er"]


@pytest.mark.parametrize("unit", ["words", "tokens"])
def test_the_command_of_the_menu_prints_the_same_rows(unit: str, finished_run: RunDir, strips, menus) -> None:
    page(sentence="de | [[baba]] er", unit=unit, without=["ts"], stage="fine-tuned", probe_beside="none")
    given = menus["map_0"]
    assert given["runs"][0].name == finished_run.name
    done = CliRunner().invoke(cli, given["command"][1:])
    assert done.exit_code == 0, done.exception
    printed = pd.read_csv(io.StringIO(done.stdout)).drop(columns=["run", "task"])
    pd.testing.assert_frame_equal(printed, given["table"].reset_index(drop=True), check_dtype=False, atol=1e-5)
    assert ("[SEP]" in set(printed.word)) == (unit == "tokens")
    assert "--fine-tuned" in shlex.join(given["command"])


def test_the_url_keeps_the_whole_view(finished_run: RunDir, strips, menus) -> None:
    asked = {"sentence": "ba ç", "layer": "1", "unit": "sub-words", "word": "0.2", "probe_view": "knock-out"}
    at = page(**asked, without=["tp", "es"], task="entity_alignment", stage="fine-tuned", probe_beside="none")
    kept = {key: at.query_params[key] for key in at.query_params}
    for key, value in asked.items():
        assert np.ravel(kept[key]).tolist() == [value]
    assert kept["without"] == ["tp", "es"]
    assert np.ravel(kept["task"]).tolist() == ["entity_alignment"]
    assert np.ravel(kept["probe_beside"]).tolist() == ["none"]
    assert shown_words(strips[-1]) == [["b", "a", "ç"]]


def test_nonsense_in_the_url_is_mended(finished_run: RunDir, strips, menus) -> None:
    slots = ["identity", "ep", "tp", "es", "ts"]
    at = page(layer="99", unit="x", word="7.x", probe_view="y", without=slots, stage="z", sentence="a " * 4000)
    assert at.selectbox(key="layer").value == "mean"
    assert at.multiselect(key="without").value == slots[:4]
    assert len(at.text_area(key="sentence").value) == CHARACTERS
    assert "(not seen by the model: " in strips[-1]["data"]["lines"][0]["cut"]


def test_examples_type_themselves_and_parallel_lines_are_compared(finished_run: RunDir, strips, menus) -> None:
    at = page(probe_view="lines", probe_beside="none")
    at.button(key="example_parallel").click().run()
    assert not at.exception
    lines = strips[-1]["data"]["lines"]
    assert [line["label"] for line in lines] == ["English", "German", "Arabic", "Chinese", "Hindi", "Thai", "Russian"]
    marked = ["".join(word["text"] for word in line["words"] if word["marked"]) for line in lines]
    assert marked[:2] == ["Germany", "Deutschland"]
    assert "德国" in "".join(marked[3])
    rows = menus["entity_0"]["table"]
    np.testing.assert_allclose(rows.groupby("place").weight.sum(), 1, atol=1e-5)
    assert rows.place.nunique() == 7
    at.button(key="example_ar").click().run()
    assert shown_words(strips[-1]) == [[*EXAMPLES["ar"].removesuffix(".").split(" "), "."]]


def test_a_knock_out_is_told_as_cosines_and_weights(finished_run: RunDir, strips, menus) -> None:
    at = page(sentence="baba er", probe_view="knock-out", without=["ep", "tp"], probe_beside="none")
    rows = table(at, "cosine").set_index("without")
    assert list(rows.index) == ["(nothing)", "ep and tp", "identity", "ep", "tp", "es", "ts"]
    assert rows.cosine["(nothing)"] == 1
    assert rows.loc["ep and tp", ["ep", "tp"]].tolist() == [0, 0]
    assert (rows.cosine.iloc[1:] < 1).all()
    np.testing.assert_allclose(rows.drop(columns="cosine").sum(axis=1), 1, atol=1e-5)


def test_the_nearest_answer_to_a_label_is_the_label(finished_run: RunDir, strips, menus, tiny_corpus) -> None:
    from core.probing.nearest import corpus_labels

    label = corpus_labels(tiny_corpus, "fr").text[5]
    page(sentence=label, probe_view="answers", answers=["fr", "de"], probe_beside="none", without=["es"])
    rows = menus["answers_0"]["table"]
    assert set(rows.fusion) == {"every slot in", "without es"}
    first = rows[(rows.place == 1) & (rows.language == "French")]
    assert first.answer.tolist() == [label, label]
    np.testing.assert_allclose(first.cosine, 1, atol=1e-5)
    at = page(sentence=label, probe_view="answers", answers=["zh"], probe_beside="none")
    assert "has no labels in language 'zh'" in said(at)


def test_a_file_is_previewed_probed_and_exported(finished_run: RunDir, strips, menus) -> None:
    at = page(probe_view="file", probe_beside="none")
    at.file_uploader(key="sentence_file").set_value(
        ("own.tsv", b"de\tbaba er\nbad\tx\ty\nko\n\xff", "text/plain")
    ).run()
    assert not at.exception
    assert table(at, "problem").line.tolist() == [2, 4]
    assert table(at, "sentence").sentence.tolist() == ["baba er", "ko"]
    at.button(key="probe_file").click().run()
    assert not at.exception
    rows = menus["probed_file"]["table"]
    assert rows.drop_duplicates(["sentence", "word"])[["sentence", "language", "word"]].to_numpy().tolist() == [
        *([1, "de", "baba"], [1, "de", "er"], [3, "", "ko"])
    ]
    assert len(rows) == 3 * 2 * 5
    np.testing.assert_allclose(table(at, "identity").iloc[:, 3:].sum(axis=1), 1, atol=1e-5)


def test_an_empty_text_and_a_file_without_sentences_are_sentences(finished_run: RunDir, strips, menus) -> None:
    at = page(sentence="?!")
    assert "Type a sentence" in at.info[0].value
    at = page(probe_view="file")
    at.file_uploader(key="sentence_file").set_value(("own.txt", b"\n?!\n", "text/plain")).run()
    assert "no sentence to probe" in said(at)


def test_damaged_weights_are_a_sentence_with_the_next_step(finished_run: RunDir, strips, menus) -> None:
    file = next(finished_run.checkpoint_dir("ep").glob("*.safetensors"), None) or next(
        finished_run.checkpoint_dir("ep").glob("*.bin")
    )
    file.write_bytes(b"no weights")
    at = page()
    assert "Choose another run" in said(at)
    assert "cannot be read" in said(at)
    shutil.rmtree(finished_run.path / "checkpoints")
    assert "workbench demo" in said(page())


def test_markup_in_a_sentence_is_text(finished_run: RunDir, strips, menus) -> None:
    at = page(sentence="<b>ba</b> :red[x] $y$", probe_beside="none", word="0.1")
    assert "<b>" not in " ".join(m.value for m in at.markdown)
    assert json.dumps(figures(at)).count("<b>") == 0
    assert "".join(shown_words(strips[-1])[0]).startswith("<b>ba</b>:red[x]")
