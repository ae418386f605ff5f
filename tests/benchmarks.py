"""Tiny benchmarks of every task, in English and German, written as the real ones are."""

from pathlib import Path

from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.rows import RowLog

SPLITS = {"train": 24, "valid": 6, "test": 8}
_ABOUT = {"source": "tests", "licence": "MIT", "card": "A tiny benchmark."}


def _write(draft: Draft, folder: Path) -> BenchmarkData:
    return draft.write(folder, RowLog(strict=True))


def _name(number: int) -> str:
    return "kltmnprs"[number % 8] + "aeiou"[number // 8 % 5] + "bdfg"[number // 40 % 4]


def _languages(split: str) -> tuple[str, ...]:
    return ("en", "de") if split == "test" else ("en",)


def write_relations(folder: Path) -> BenchmarkData:
    """Two relation types in both directions and `no_relation`; the verb says which, the word order its direction."""
    labels = ["made(e1,e2)", "made(e2,e1)", "near(e1,e2)", "near(e2,e1)", "no_relation"]
    draft = Draft("tiny-relations", "relation_classification", **_ABOUT, labels=labels)
    number = 0
    for split, count in SPLITS.items():
        for i in range(count):
            number += 1
            one, two, label = _name(number), _name(number + 7), labels[i % 5]
            for language in _languages(split):
                verb = {"m": "makes", "n": "nears"}[label[0]] if label != "no_relation" else "and"
                text = f"{one} {verb} {two} ." if "e1,e2" in label else f"{one} {verb} by {two} ."
                start = text.index(two, len(one))
                spans = (0, len(one), start, start + len(two))
                draft.add("examples", language, split, f"{split}{i}", text, *spans, label, "", "")
    return _write(draft, folder)


def write_entities(folder: Path) -> BenchmarkData:
    """Names that begin with k are persons, those that begin with p are places of two words."""
    labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    draft = Draft("tiny-entities", "ner", **_ABOUT, labels=labels)
    for split, count in SPLITS.items():
        for i in range(count):
            for language in _languages(split):
                words = [f"k{_name(i)}", "is", "in", f"p{_name(i)}", f"p{_name(i + 1)}", "."]
                draft.add("sentences", language, split, words, ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"])
    return _write(draft, folder)


def write_questions(folder: Path) -> BenchmarkData:
    """Where somebody lives; the answer is the word after `in`."""
    draft = Draft("tiny-questions", "question_answering", **_ABOUT)
    number = 0
    for split, count in SPLITS.items():
        for i in range(count):
            number += 1
            for language in _languages(split):
                place = _name(number)
                text = f"once upon a time {_name(number + 3)} was in {place} and not elsewhere ."
                context = draft.add("contexts", f"t{number}", text)
                answers = [{"text": place, "start": text.index(f" {place} ") + 1}]
                question = f"where is {_name(number + 3)} ?"
                draft.add("questions", language, split, f"{split}{i}", context, question, answers)
    return _write(draft, folder)


WRITERS = {
    "relation_classification": write_relations,
    "ner": write_entities,
    "question_answering": write_questions,
}
