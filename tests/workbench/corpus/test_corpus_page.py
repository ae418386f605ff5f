"""The corpus page through Streamlit's own test driver, on the tiny corpus, and the lint on the audit page."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from core.corpora import statistics
from core.corpora.lint import lint
from core.corpora.store import Corpus
from tests.workbench.shown import said, table
from tests.workbench.test_pages import app
from workbench.corpus import samples as corpus_samples
from workbench.corpus import selection as corpus_selection


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "corpora"


def page(**parameters: str) -> AppTest:
    return app("corpus", **parameters)


def html(at: AppTest) -> str:
    return " ".join(element.proto.body for element in at.get("html"))


def test_counts_of_a_runs_corpus_beside_the_paper(finished_run, tiny_corpus: Corpus):
    at = page()
    assert finished_run.name in said(at)
    assert tiny_corpus.info.fingerprint[:12] in said(at)
    expected = statistics.count(tiny_corpus)
    assert {m.label: m.value for m in at.metric}["Labels"] == f"{expected.totals['labels']:,}" == "192"
    rows = table(at, "paper_entity_share").set_index("language")
    assert rows.labels[["de", "en", "eo", "fr"]].tolist() == [48] * 4
    assert rows.paper_entity_share["de"] > 0
    assert "here" in table(at, "quantity")
    at.selectbox(key="counted").set_value("entity_share").run()
    assert at.query_params["counted"] == "entity_share"
    groups = table(at, "paper_entity_share").set_index("language").group
    assert groups["eo"] == "ZS-Un"
    assert groups["af"] == "not trained on"


def test_an_entity_is_found_and_shown_in_every_language(finished_run, tiny_corpus: Corpus):
    names = tiny_corpus.table("labels").to_pandas()
    wanted = names[(names.entity == 7) & (names.language == "de")].text.item()
    at = page(section="Entities", corpus_find=wanted, corpus_language="de")
    shown = table(at, "label").set_index("language").label
    assert shown["de"] == wanted
    assert set(shown.index) == {"de", "en", "eo", "fr"}
    assert "Deutsch · de" in html(at)
    assert "No label holds" in said(page(section="Entities", corpus_find="qqqqq"))


def test_samples_have_a_seed_in_the_url(finished_run):
    at = page(section="Facts", corpus_language="de", draw="3")
    first = table(at, "subject").to_numpy().tolist()
    assert "seed 3" in said(at)
    at.button(key="another").click().run()
    assert at.query_params["draw"] == "4"
    assert table(at, "subject").to_numpy().tolist() != first
    again = page(section="Facts", corpus_language="de", draw="3")
    assert table(again, "subject").to_numpy().tolist() == first
    assert "seed 0" in said(page(section="Facts", draw="-1; DROP"))


def test_sentences_mark_their_span(finished_run):
    at = page(section="Sentences", sentences="mention", corpus_language="en")
    rows = table(at, "about")
    assert set(rows.language) == {"en"}
    for row in rows.itertuples():
        assert f"<mark>{row.text[row.start : row.end]}</mark>" in html(at)
    assert "<p dir='auto'" in html(at)


@pytest.mark.parametrize("role", ["ep", "tp", "es", "ts"])
def test_what_each_adapter_sees(role, finished_run):
    at = page(section="Training pairs", role=role)
    assert f"Batch 0 of {role.upper()} as run {finished_run.name} draws it" in said(at)
    rows = table(at, "anchor")
    assert len(rows) == 8
    at.button(key="another").click().run()
    assert table(at, "anchor").anchor.tolist() != rows.anchor.tolist()


def linted(at: AppTest) -> AppTest:
    for _ in range(200):
        if "Errors:" in said(at):
            return at
        time.sleep(0.1)
        at.run()
    raise AssertionError(said(at))


def test_lint_runs_beside_the_page(finished_run, tiny_corpus: Corpus):
    at = linted(page(section="Lint"))
    expected = [finding for finding in lint(tiny_corpus) if finding.count]
    rows = table(at, "what")
    assert len(expected) > 3
    assert sorted(zip(rows.check, rows["count"], strict=True)) == sorted((f.check, f.count) for f in expected)
    assert any("workbench corpus lint" in code.value for code in at.code)


def test_the_audit_page_checks_the_training_data_when_asked(finished_run):
    at = app("audit")
    assert "Training-data lint" in [s.value for s in at.header]
    at.button(key="lint_open").click().run()
    assert len(table(linted(at), "what")) > 3


def test_any_corpus_folder_and_nothing_else(finished_run, tiny_corpus: Corpus, tmp_path, data):
    at = page(corpus="path", corpus_folder=str(tiny_corpus.path))
    assert "This is the corpus tiny" in said(at)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "corpus.json").write_text("not json")
    for path, words in {
        "": "Name the folder",
        "tiny": "whole path",
        str(tmp_path): "holds no corpus",
        str(tmp_path / "nowhere"): "no such folder",
        "/etc/passwd": "no such folder",
        str(secret): "cannot be read as a corpus",
        "/" + "x" * 5000: "no path",
    }.items():
        at = page(corpus="path", corpus_folder=path)
        assert words in said(at), path
        assert not at.metric
    assert corpus_selection.problem("/a\0b") == "This is no path."
    (data / "mine").parent.mkdir(parents=True)
    (data / "mine").symlink_to(tiny_corpus.path)
    assert list(corpus_selection.corpora()) == ["mine"]
    assert "This is the corpus tiny" in said(page(corpus="mine"))
    assert not page(corpus="../../etc").exception


def test_a_damaged_corpus_is_a_sentence(finished_run, tmp_path, tiny_corpus: Corpus):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(tiny_corpus.path, broken)
    (broken / "labels.parquet").write_bytes(b"PAR1")
    for file, text in ((broken / "corpus.json", (broken / "corpus.json").read_text()),):
        file.write_text(text.replace(tiny_corpus.info.fingerprint, "0" * 64))
    for section in ("Counts", "Training pairs", "Facts"):
        at = page(corpus="path", corpus_folder=str(broken), section=section)
        assert "cannot be" in said(at), section


def upload(at: AppTest, name: str, content: bytes) -> AppTest:
    at.file_uploader(key="own_files").upload(name, content, "text/plain").run()
    assert not at.exception
    return at


def test_own_data_is_previewed_and_built(finished_run, data):
    at = upload(page(section="Own data"), "labels.tsv", b"entity\tlanguage\ttext\na\ten\tone\na\tde\teins\nb\t?\tx\n")
    assert table(at, "problem").line.tolist() == [4]
    assert {m.label: m.value for m in at.metric}["Labels"] == "2"
    at.text_input(key="own_name").set_value("../mine").run()
    assert "A name has" in said(at)
    assert not any(button.key == "own_build" for button in at.button)
    at.text_input(key="own_name").set_value("mine").run()
    assert any("corpus build own --from FOLDER --out" in code.value for code in at.code)
    at.button(key="own_build").click().run()
    assert Corpus.open(data / "mine").info.counts["labels"] == 2
    assert "The corpus is built" in said(at)
    assert "mine" in at.selectbox(key="corpus").options
    at.text_input(key="own_name").set_value("mine").run()
    at.button(key="own_build").click().run()
    assert "already" in said(at)


def test_a_broken_upload_is_a_sentence(finished_run):
    at = upload(page(section="Own data"), "labels.tsv", b"\x00\xff\xfe\n\n")
    assert "No corpus can be built" in said(at)
    assert not at.metric


def test_nothing_in_a_text_is_markup():
    assert corpus_samples.marked("<b>&x</b>", 3, 5) == "&lt;b&gt;<mark>&amp;x</mark>&lt;/b&gt;"
