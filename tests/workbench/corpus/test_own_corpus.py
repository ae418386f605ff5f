"""Own files as a corpus: what they would make, what is wrong with them, and that nothing else is ever written."""

import pytest
from typer.testing import CliRunner

from core.corpora.rows import DataError
from core.corpora.store import Corpus
from workbench.cli import app as cli
from workbench.corpus import own as own_corpus
from workbench.corpus.own import OwnFile

LABELS = OwnFile("labels", ".tsv", b"entity\tlanguage\ttext\na\ten\tone\na\tde\teins\nb\ten\ttwo\n")
TRIPLES = OwnFile("triples", ".jsonl", b'{"subject": "a", "relation": "next", "object": "b"}\n')
ABOUT = {"name": "mine", "source": "a test", "licence": "CC0"}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "corpora"


def test_a_preview_counts_what_a_build_would_make(data):
    found = own_corpus.preview([LABELS, TRIPLES])
    assert found.problem == ""
    assert found.bad.empty
    totals = found.statistics.totals
    assert (totals["entities"], totals["labels"], totals["triples"], totals["languages"]) == (2, 3, 1, 2)
    assert found.statistics.languages.set_index("language").labels.to_dict() == {"de": 1, "en": 2}
    assert {f.check for f in found.findings if f.count} >= {"small-language"}
    assert not data.exists()


def test_bad_rows_are_named_by_line_and_left_out():
    broken = OwnFile("labels", ".tsv", LABELS.data + b"c\tEnglish!\tx\nd\ten\n\xff\ta\tb\n")
    found = own_corpus.preview([broken])
    assert found.bad[["file", "line", "problem"]].iloc[:, :2].to_numpy().tolist() == [
        ["labels.tsv", n] for n in (5, 6, 7)
    ]
    assert sum(found.bad_counts.values()) == 3
    assert found.statistics.totals["labels"] == 3


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (OwnFile("labels", ".tsv", b"a,b\n1,2\n"), "first line must name the columns"),
        (OwnFile("labels", ".tsv", b""), "first line must name the columns"),
        (TRIPLES, "would be empty"),
        (OwnFile("labels", ".tsv", b"\x00\x01\x02\xff\xfe"), "first line must name the columns"),
    ],
)
def test_files_that_make_no_corpus_say_why(file, words):
    found = own_corpus.preview([file])
    assert words in found.problem
    assert "own-corpus-" not in found.problem  # no temporary folder
    assert found.statistics is None


def test_too_much_and_two_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(own_corpus, "MOST_ROWS", 3)
    with pytest.raises(DataError, match="lines"):
        own_corpus.preview([LABELS])
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"labels\.tsv"):
        own_corpus.preview([LABELS, LABELS])
    with pytest.raises(DataError, match="MiB"):
        own_corpus.check([OwnFile("labels", ".tsv", b"x" * ((20 << 20) + 1))])


def test_what_a_file_holds_is_guessed_by_its_name():
    assert own_corpus.guessed("My-Triples.TSV") == ("triples", ".tsv")
    assert own_corpus.guessed("x.jsonl") == ("labels", ".jsonl")
    with pytest.raises(DataError, match="ends in neither"):
        own_corpus.guessed("labels.tsv.exe")


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", "/tmp/x", ".hidden", "a.b", "A", "a\n", "a\0", "é", "x" * 49, "~", "-a", "a b"]
)
def test_names_that_could_leave_the_folder_are_refused(name, data):
    with pytest.raises(ValueError, match="A name has"):
        own_corpus.build([LABELS], name, ABOUT, lambda *_: None)
    assert not data.exists()


def test_a_build_is_what_the_command_builds_and_never_replaces(data, tmp_path):
    said = []
    built = own_corpus.build([LABELS, TRIPLES], "mine", ABOUT, lambda share, what: said.append(share))
    assert said == sorted(said)
    assert said[-1] == 1.0
    assert built.path == data / "mine"
    assert (built.info.name, built.info.source, built.info.licence) == ("mine", "a test", "CC0")
    before = {file: file.read_bytes() for file in built.path.iterdir()}
    with pytest.raises(ValueError, match="already"):
        own_corpus.build([LABELS], "mine", ABOUT, lambda *_: None)
    assert {file: file.read_bytes() for file in built.path.iterdir()} == before
    source = tmp_path / "source"
    source.mkdir()
    for file in (LABELS, TRIPLES):
        (source / f"{file.kind}{file.suffix}").write_bytes(file.data)
    words = own_corpus.command("again", lenient=False)
    assert words[:2] == ["workbench", "corpus"]
    arguments = [str(source) if word == "FOLDER" else word for word in words[1:]]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert Corpus.open(data / "again").info.fingerprint == built.info.fingerprint


def test_a_build_that_fails_leaves_nothing(data):
    with pytest.raises(DataError, match="would be empty"):
        own_corpus.build([TRIPLES], "mine", ABOUT, lambda *_: None)
    assert not (data / "mine").exists()
