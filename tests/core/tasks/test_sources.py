"""Which rows of which benchmarks a task with a head reads."""

from pathlib import Path

import numpy as np
import pytest

from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.corpora.rows import RowLog
from core.tasks.sources import Sources


def questions(folder: Path, name: str, ids: dict[tuple[str, str], list[str]]) -> BenchmarkData:
    """A benchmark with these questions by language and split, in the order given."""
    draft = Draft(name, "question_answering", "tests", "MIT", "")
    row = draft.add("contexts", "t", "text")
    for (language, split), of_language in ids.items():
        for id in of_language:
            draft.add("questions", language, split, id, row, "what?", [{"text": "text", "start": 0}])
    return draft.write(folder / name, RowLog())


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    ids = {
        ("en", "train"): ["b", "a"],
        ("de", "train"): ["c"],
        ("de", "valid"): ["y"],
        ("en", "test"): [f"q{i}" for i in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)],
    }
    return questions(tmp_path_factory.mktemp("sources"), "first", ids)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    ids = {("de", "test"): [f"q{i}" for i in range(10)], ("en", "test"): ["other"]}
    return questions(tmp_path_factory.mktemp("sources"), "second", ids)


def asked(sources: Sources, split: str) -> dict[str, tuple[str, list[str]]]:
    """Benchmark and ids of every language."""
    return {
        language: (benchmark.info.name, [benchmark.texts("questions", "id")[row] for row in rows])
        for language, benchmark, rows in sources.parts(split)  # type: ignore[arg-type]
    }


def test_each_split_comes_from_where_it_should(first: BenchmarkData, second: BenchmarkData) -> None:
    sources = Sources("question_answering", first, [first, second], ["en", "en"], None, "questions")
    assert sources.train_languages == ("en",)
    assert asked(sources, "train") == {"en": ("first", ["b", "a"])}
    assert asked(sources, "valid") == {"de": ("first", ["y"])}
    tested = asked(sources, "test")
    assert {language: name for language, (name, _) in tested.items()} == {"en": "first", "de": "second"}
    assert tested["en"][1] == [f"q{i}" for i in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)]
    assert sources.title == "first + second"
    alone = Sources("question_answering", first, [], ["de", "en"], None, "questions")
    assert asked(alone, "train") == {"de": ("first", ["c"]), "en": ("first", ["b", "a"])}
    assert list(asked(alone, "test")) == ["en"]
    assert alone.title == "first"
    unused = Sources("question_answering", first, [second, first], ["en"], None, "questions")
    assert unused.title == "second"  # the first has no language that the second lacks


def test_a_limit_takes_a_fixed_sample_in_order_and_says_so(first: BenchmarkData, second: BenchmarkData) -> None:
    benchmarks = (first, [first, second], ["en"])
    limited = asked(Sources("question_answering", *benchmarks, 4, "questions"), "test")
    order = [f"q{i}" for i in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)]
    chosen = sorted(np.random.default_rng(0).permutation(10)[:4].tolist())
    assert limited["en"][1] == [order[i] for i in chosen]
    assert limited["de"][1] == [f"q{i}" for i in chosen]
    by_id = Sources("question_answering", *benchmarks, 4, "questions", order="id")
    assert {tuple(ids) for _, ids in asked(by_id, "test").values()} == {tuple(f"q{i}" for i in chosen)}
    assert asked(by_id, "train")["en"][1] == ["a", "b"]
    assert by_id.title == "first + second, 4 test questions a language"
    assert Sources("question_answering", *benchmarks, 10, "questions").title == "first + second"


def test_what_is_refused(first: BenchmarkData, second: BenchmarkData, tmp_path: Path) -> None:
    with pytest.raises(
        BenchmarkError, match=r"second is a benchmark of question_answering, not of ner\. Name one of ner"
    ):
        Sources("ner", second, [], ["en"], None, "sentences")
    for languages, named in ((["en", "fr", "tr"], "fr, tr"), ([], "an empty list of languages")):
        with pytest.raises(ValueError, match=rf"first has no training questions in {named}\. It has some in: de, en\."):
            Sources("question_answering", first, [second], languages, None, "questions")
    with pytest.raises(ValueError, match=r"second has no training questions in en\. It has some in: no language\."):
        Sources("question_answering", second, [], ["en"], None, "questions")
    untested = questions(tmp_path, "untested", {("en", "train"): ["a"]})
    with pytest.raises(
        BenchmarkError, match=r"There are no test questions in untested\. Name a benchmark that has some"
    ):
        Sources("question_answering", untested, [], ["en"], None, "questions")
