"""Test strings that are trained on, planted by hand and against a slow version."""

import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from lint_corpora import entity, one, rows_of, write, write_cldr

from core.corpora.benchmarks.draft import write_benchmark
from core.corpora.benchmarks.store import SCHEMAS as BENCHMARK_SCHEMAS
from core.corpora.lint import lint
from core.corpora.records import Triple
from core.corpora.rows import DataError
from core.corpora.store import Corpus
from core.corpora.words import is_unspaced


@pytest.fixture(scope="module")
def small_cldr(tmp_path_factory) -> Corpus:
    return write_cldr(tmp_path_factory.mktemp("cldr") / "small")


def test_held_out_names(tmp_path: Path) -> None:
    entities = [
        entity("a", en="Ann", de="Anna"),
        entity("b", "test", en="Old Rome", de="Rom", ja="東京"),
        entity("c", "valid", en="ann", de="Paris"),  # the name of a, but for case
        entity("d", de="Old Rome"),  # in another language: no leak
    ]
    triple = Triple("a", "r", "a", "train")
    corpus = write(
        tmp_path / "corpus",
        entities,
        [triple, Triple("a", "r", "b", "test")],
        [(triple, "en", "Old Rome and [Ann]"), (triple, "de", "Romulus und [Anna]"),
         (Triple("a", "r", "b", "test"), "de", "Anna in [Rom]")],
        [("a", "ja", "[アン]は東京にいる", "train"), ("c", "de", "in [Paris]", "valid")],
    )  # fmt: skip
    label, sentence = one(corpus, "held-out-label"), one(corpus, "held-out-in-sentence")
    assert (label.severity, label.count, label.of) == ("error", 1, 5)
    assert label.samples == ["[en] 'ann' in 'Ann'"]
    assert label.detail == [{"language": "en", "count": 1}]
    assert (sentence.severity, sentence.count, sentence.of) == ("warning", 2, 5)
    assert {part["language"]: part["count"] for part in sentence.detail} == {"en": 1, "ja": 1}
    assert any("'東京' in 'アンは東京にいる'" in sample for sample in sentence.samples)


def slow_held_out_in_sentences(corpus: Corpus) -> set[tuple[str, str]]:
    """Held-out names that stand in training sentences, by their lists of words."""

    def words(text: str) -> list[str]:
        parts, run = [], ""
        for c in text + " ":
            word = unicodedata.category(c)[0] in "LNM"
            if run and (not word or is_unspaced(c)):
                parts.append(run)
                run = ""
            if word and is_unspaced(c):
                parts.append(c)
            elif word:
                run += c
        return parts

    split = [r["split"] for r in rows_of(corpus, "entities")]
    names = {(r["language"], r["text"]) for r in rows_of(corpus, "labels") if split[r["entity"]]}
    triples = rows_of(corpus, "triples")
    texts = {(r["language"], r["text"]) for r in rows_of(corpus, "mention_sentences") if r["split"] == 0}
    for r in rows_of(corpus, "triple_sentences"):
        if triples[r["triple"]]["split"] == 0:
            texts.add((r["language"], r["text"]))
    sentences: dict[str, str] = {}
    for language, text in texts:
        sentences[language] = sentences.get(language, "") + "\n " + " ".join(words(text)) + " "
    return {
        (language, name)
        for language, name in names
        if words(name) and len(name) > 1 and f" {' '.join(words(name))} " in sentences.get(language, "")
    }


def test_held_out_names_against_the_slow_version(small_cldr: Corpus) -> None:
    expected = slow_held_out_in_sentences(small_cldr)
    assert len(expected) > 10
    assert one(small_cldr, "held-out-in-sentence").count == len(expected)


def test_against_a_list_a_corpus_and_benchmarks(tmp_path: Path) -> None:
    triple = Triple("a", "r", "b", "train")
    long = "this sentence of the test set is one that has more than ten words"
    corpus = write(
        tmp_path / "corpus",
        [entity("a", en="Ann"), entity("b", en="Rome", de="Rom")],
        [triple],
        [(triple, "en", "Ann likes [Rome] and Lake Como"), (triple, "en", f"{long} [Rome]")],
    )  # fmt: skip
    (tmp_path / "names.txt").write_bytes("\ufeffrome\r\nLake Como\r\n\r\nBerlin\r\n".encode())
    write(tmp_path / "other", [entity("x", "test", en="Rome", fr="Rom"), entity("y", en="Ann")])
    tables = {name: pa.Table.from_pylist([], schema=s) for name, s in BENCHMARK_SCHEMAS["kg_completion"].items()}
    names = [("en", "1", "Ann", ""), ("en", "2", "Rome", ""), ("en", "3", "Berlin", "")]
    tables["entities"] = pa.Table.from_pylist(
        [dict(zip(("language", "id", "name", "uri"), row, strict=True)) for row in names],
        schema=BENCHMARK_SCHEMAS["kg_completion"]["entities"],
    )
    tables["relations"] = pa.Table.from_pylist(
        [{"language": "en", "id": "r", "name": "near", "uri": ""}], schema=tables["relations"].schema
    )
    tables["triples"] = pa.Table.from_pylist(
        [
            {"language": "en", "split": "train", "subject": 0, "relation": 0, "object": 1},
            {"language": "en", "split": "test", "subject": 2, "relation": 0, "object": 1},
        ],
        schema=tables["triples"].schema,
    )
    about = {"name": "b", "source": "tests", "licence": "MIT", "card": "", "labels": []}
    write_benchmark(tmp_path / "graph", about | {"task": "kg_completion"}, tables)
    schema = BENCHMARK_SCHEMAS["relation_classification"]["examples"]
    blank = {
        name: 0 if pa.types.is_integer(type) else "" for name, type in zip(schema.names, schema.types, strict=True)
    }
    examples = [blank | {"language": "en", "split": "test", "text": f"{long} Rome"},
                blank | {"language": "en", "split": "train", "text": "Ann"}]  # fmt: skip
    write_benchmark(
        tmp_path / "texts",
        about | {"task": "relation_classification"},
        {"examples": pa.Table.from_pylist(examples, schema=schema)},
    )
    paths = [tmp_path / name for name in ("names.txt", "other", "graph", "texts")]
    findings = lint(corpus, against=paths)
    labels = [(f.count, f.of, f.severity) for f in findings if f.check == "test-string-label"]
    sentences = [(f.count, f.of, f.severity) for f in findings if f.check == "test-string-in-sentence"]
    # Of the list: rome (any case) is a label, Lake Como is in a sentence; a string without a language fits every one.
    assert labels == [(1, 3, "error"), (1, 2, "error"), (1, 2, "error"), (0, 1, "error")]
    assert sentences == [(1, 3, "error"), (1, 2, "error"), (1, 2, "error"), (1, 1, "error")]


def test_against_nothing(tiny_corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is nothing to check against.*corpus\.json"):
        lint(tiny_corpus, against=[tmp_path / "nowhere"])
    write(tmp_path / "no-test", [entity("a", en="Ann")])
    with pytest.raises(DataError, match="no test strings"):
        lint(tiny_corpus, against=[tmp_path / "no-test"])
    (tmp_path / "bad.txt").write_bytes(b"fine\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"bad\.txt:2: not UTF-8"):
        lint(tiny_corpus, against=[tmp_path / "bad.txt"])
