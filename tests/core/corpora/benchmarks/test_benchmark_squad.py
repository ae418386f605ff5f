"""SQuAD and XQuAD: the counts of the real files, and every kind of bad record."""

import json
from collections import Counter
from pathlib import Path

import pytest

from core.corpora.benchmarks import squad
from core.corpora.rows import DataError, RowLog


def test_xquad_has_the_counts_of_its_readme(shared_data: Path, built, sizes) -> None:
    benchmark, log = built(squad.read_xquad, shared_data / "xquad")
    assert not log.counts
    codes = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
    assert sizes(benchmark, "questions") == {(code, "test"): 1190 for code in codes}
    assert benchmark.info.counts["contexts"] == 240 * 12
    context = benchmark.texts("contexts", "text")
    found = {code: benchmark.records("questions", language=code) for code in codes}
    for code, mean in zip(codes, (684, 894, 894, 785, 884, 765, 878, 850, 737, 788, 804, 252), strict=True):
        texts = {q["context"] for q in found[code]}
        assert round(sum(len(context[row]) for row in texts) / 240) == mean
        assert {q["id"] for q in found[code]} == {q["id"] for q in found["en"]}
        for question in found[code]:
            (answer,) = question["answers"]
            assert context[question["context"]][answer["start"] :][: len(answer["text"])] == answer["text"]
    zh = next(q for q in found["zh"] if q["id"] == "56beb4343aeaaa14008c925b")
    assert (zh["question"], zh["answers"]) == ("黑豹队的防守丢了多少分？", [{"text": "308", "start": 10}])
    assert benchmark.path.joinpath("contexts.parquet").stat().st_size < 2e6  # 14 MB of JSON


def test_xquad_splits_whole_articles_the_same_way_in_every_language(shared_data: Path, built) -> None:
    benchmark, _ = built(squad.read_xquad, shared_data / "xquad", valid_share=0.125, test_share=0.5)
    title = benchmark.texts("contexts", "title")
    splits: dict[str, set[str]] = {}
    for question in benchmark.records("questions"):
        splits.setdefault(title[question["context"]], set()).add(question["split"])
    assert Counter(next(iter(found)) for found in splits.values()) == {"train": 18, "valid": 6, "test": 24}
    assert all(len(found) == 1 for found in splits.values())


CONTEXT = "Ada wrote programs. 😀 Ada died in London."


def paragraph(*questions: dict) -> dict:
    return {"context": CONTEXT, "qas": list(questions)}


def question(id: str, *answers: tuple[str, int]) -> dict:
    return {"id": id, "question": f"{id}?", "answers": [{"text": text, "answer_start": at} for text, at in answers]}


def squad_file(*paragraphs: object) -> str:
    return json.dumps({"version": "1.1", "data": [{"title": "Ada", "paragraphs": list(paragraphs)}]})


def test_squad_keeps_several_answers_and_each_context_once(files, built, sizes) -> None:
    london = ("London", CONTEXT.index("London"))  # after a character of two UTF-16 units
    train = squad_file(paragraph(question("a", ("Ada", 0), ("Ada wrote", 0)), question("b", london)))
    benchmark, _ = built(
        squad.read_squad,
        files({"train-v1.1.json": train, "dev-v1.1.json": squad_file(paragraph(question("a", london)))}),
    )
    assert sizes(benchmark, "questions") == {("en", "train"): 2, ("en", "valid"): 1}
    assert benchmark.info.counts["contexts"] == 2
    assert benchmark.records("questions")[0]["answers"] == [
        {"text": "Ada", "start": 0},
        {"text": "Ada wrote", "start": 0},
    ]


@pytest.mark.parametrize(
    ("bad", "message", "questions"),
    [
        (question("b", ("Ada", 1)), r"the answer is not at its offset .*qas\[1\].answers\[0\]; it stands at 0", 2),
        (question("b", ("Bob", 0)), r"the answer is not at its offset .*it is nowhere in the context", 2),
        (question("b", ("Ada", -3)), r"the answer is not at its offset", 2),
        (question("b", ("", 0)), r"the answer is not at its offset", 2),
        (question("b", ("Ada", 0), ("Ada", 5)), r"the answer is not at its offset .*answers\[1\]", 3),
        (question("b"), r"a question without an answer .*data\[0\].paragraphs\[0\].qas\[1\]", 2),
        (question("a", ("Ada", 0)), r"no text `question`, or no `id` of its own .*qas\[1\]", 2),
        ({"id": "b", "question": "?"}, r"no list `answers` \(data\[0\].paragraphs\[0\].qas\[1\]\)", 2),
        ({"id": "b", "question": "?", "answers": ["Ada"]}, r"not an object .*answers\[0\]", 2),
        ("b", r"not an object .*qas\[1\]", 2),
    ],
)
def test_squad_names_the_path_of_a_bad_record(files, built, bad: object, message: str, questions: int) -> None:
    text = squad_file(paragraph(question("a", ("Ada", 0)), bad, question("c", ("Ada", 0))))
    source = files({"train-v1.1.json": text})
    with pytest.raises(DataError, match=rf"train-v1.1.json: {message}"):
        squad.read_squad(source, RowLog())
    benchmark, log = built(squad.read_squad, source, lenient=True)
    assert sum(log.counts.values()) == 1
    assert benchmark.info.counts["questions"] == questions
    assert all(q["answers"] for q in benchmark.records("questions"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "not the layout of SQuAD: there is no list `data`"),
        ('{"data": [', r"train-v1.1.json:1: not JSON"),
        ('{"data": [{"title": "x"}]}', r"no list `paragraphs` \(data\[0\]\)"),
        (squad_file({"qas": []}), r"no text `context` \(data\[0\].paragraphs\[0\]\)"),
        (squad_file({"context": "x"}), r"no list `qas` \(data\[0\].paragraphs\[0\]\)"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_squad_names_a_broken_file(files, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        squad.read_squad(files({"train-v1.1.json": text}), RowLog())


def test_squad_and_xquad_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no .*train-v1.1.json"):
        squad.read_squad(tmp_path, RowLog())
    with pytest.raises(DataError, match=r"there is no .*xquad.en.json"):
        squad.read_xquad(tmp_path, RowLog())
