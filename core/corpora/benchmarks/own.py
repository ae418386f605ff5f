"""Own data as a benchmark: tab-separated files whose first line names the columns, or JSON lines with the same keys.

One folder is one benchmark; the file that it holds says which task it is.

| task | file | columns |
| --- | --- | --- |
| entity_alignment | pairs | language_a, text_a, language_b, text_b (one entity; a is the query) |
| kg_completion | triples | language, subject, relation, object (names) |
| kg_completion | triples and labels | subject, relation, object (ids); labels: entity, language, text |
| relation_classification | sentences | language, sentence (with `<e1> </e1> <e2> </e2>`), label |
| ner | words | language, tokens, tags (IOB2; lists in JSON, else with blanks between) |
| question_answering | questions/{language}.{split}.json | the layout of SQuAD v1.1 |

Rows may have a `split`: train, valid (or dev, val) or test, which is meant where it is missing. Where there are training
rows, the labels of other rows must be among theirs. With `labels`, a triple is asked in every language that has a label
for both ends. `relations` (relation, language, text) may give the labels of all relations, which otherwise go by their
id. `about.json` may hold name, source, licence and card.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from core.corpora.benchmarks import relation_sentences, squad, wikiann
from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import Task
from core.corpora.rows import DataError, RowLog, read_json, read_table

_ABOUT = {"name": "own", "source": "own data", "licence": "not stated", "card": "Own data."}
_FACT = ("subject", "relation", "object")
_QUESTIONS = "questions"
Where = tuple[Path, int]


def read(folder: Path, log: RowLog) -> Draft:
    """Read own data.

    Args:
        folder: The folder, as above.
        log: What becomes of bad rows.

    Raises:
        DataError: If the folder holds no file of the table, or those of two tasks; in strict mode if a row is bad.
    """
    found = [name for name in _READERS if _files(folder, name) or (name == _QUESTIONS and (folder / name).is_dir())]
    if len(found) != 1:
        one_of = ", ".join(f"{name}/" if name == _QUESTIONS else f"{name}.tsv" for name in _READERS)
        raise DataError(f"{folder} holds {' and '.join(found) or 'no data'}: it must hold one of {one_of} (or .jsonl).")
    about = dict(_ABOUT)
    if (folder / "about.json").exists():
        given = read_json(folder / "about.json")
        if not isinstance(given, dict) or not all(k in _ABOUT and isinstance(v, str) for k, v in given.items()):
            raise DataError(f"{folder / 'about.json'}: it may hold {', '.join(_ABOUT)}, each a text.")
        about |= given
    task, fill = _READERS[found[0]]
    draft = Draft(about["name"], task, about["source"], about["licence"], about["card"])
    fill(folder, draft, log)
    return draft


def _pairs(folder: Path, draft: Draft, log: RowLog) -> None:
    row_of = _Rows(draft)
    seen = set()
    for where, row, split in _rows(folder, "pairs", log, ("language_a", "text_a", "language_b", "text_b")):
        a, b = row["language_a"], row["language_b"]
        if a == b:
            log.bad(*where, "a pair in one language", str(row))
            continue
        pair = (row_of("entities", a, row["text_a"]), row_of("entities", b, row["text_b"]))
        if pair in seen:
            log.bad(*where, "a repeated pair", str(row))
            continue
        seen.add(pair)
        draft.add("pairs", a, b, split, *pair)


def _triples(folder: Path, draft: Draft, log: RowLog) -> None:
    row_of = _Rows(draft)
    by_id = bool(_files(folder, "labels"))
    labels = _labels(folder, "labels", "entity", log)
    relations = _labels(folder, "relations", "relation", log)
    seen = set()
    for where, row, split in _rows(folder, "triples", log, _FACT if by_id else ("language", *_FACT)):
        subject, relation, object_ = (row[column] for column in _FACT)
        if relations and relation not in relations:
            log.bad(*where, "unknown relation", str(row), f"relations have {', '.join(sorted(relations)[:20])}")
            continue
        both = labels.get(subject, {}).keys() & labels.get(object_, {}).keys() if by_id else {row["language"]}
        if not both:
            unknown = [end for end in (subject, object_) if end not in labels]
            log.bad(*where, "no language has a label for both ends", str(row), f"without any: {', '.join(unknown)}")
        for language in sorted(both):
            ends = [
                row_of("entities", language, end, labels.get(end, {}).get(language, end)) for end in (subject, object_)
            ]
            named = relations.get(relation, {})
            spoken = language if language in named else "en"
            fact = (language, ends[0], row_of("relations", spoken, relation, named.get(spoken, relation)), ends[1])
            if fact in seen:
                log.bad(*where, "a repeated triple", str(row), f"in {language}")
                continue
            seen.add(fact)
            draft.add("triples", language, split, *fact[1:])


def _sentences(folder: Path, draft: Draft, log: RowLog) -> None:
    rows = list(_rows(folder, "sentences", log, ("language", "sentence", "label")))
    trained = {row["label"] for _, row, split in rows if split == "train"}
    for where, row, split in rows:
        id, text = str(row.get("id") or where[1]), (row["sentence"], row["label"])
        relation_sentences.add_example(draft, where, row["language"], split, id, *text, trained or None, log)
    draft.labels = sorted({example[8] for example in draft.rows["examples"]})


def _words(folder: Path, draft: Draft, log: RowLog) -> None:
    rows = list(_rows(folder, "words", log, ("language",), ("tokens", "tags")))
    for _, row, _ in rows:
        row |= {column: row[column].split() for column in ("tokens", "tags") if isinstance(row[column], str)}
    tagged = [row["tags"] for _, row, split in rows if split == "train" and isinstance(row["tags"], list)]
    trained = {str(tag)[2:] for tags in tagged for tag in tags}
    for where, row, split in rows:
        tokens, tags = row["tokens"], row["tags"]
        if problem := _problem(tokens, tags, trained):
            log.bad(*where, problem[0], str(row), problem[1])
        else:
            draft.add("sentences", row["language"], split, tokens, tags)
    kinds = {tag[2:] for *_, tags in draft.rows["sentences"] for tag in tags} - {""}
    draft.labels = ["O", *(f"{way}-{kind}" for kind in sorted(kinds) for way in "BI")]


def _problem(tokens: Any, tags: Any, trained: set[str]) -> tuple[str, str] | None:
    """What is wrong with a tagged sentence, and the particulars; `trained` are the kinds of the training rows."""
    for words in (tokens, tags):
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            return "tokens and tags must be texts", ""
    if not tokens or len(tokens) != len(tags):
        return "not as many tags as tokens", f"{len(tokens)} tokens, {len(tags)} tags"
    for at, tag in enumerate(tags):
        if tag != "O" and (tag[:2] not in ("B-", "I-") or not wikiann.follows(tag, tags[:at])):
            return "tags are not IOB2", f"{tag!r} at {at}"
        if trained and tag[2:] not in trained | {""}:
            return "unknown label", f"{tag!r}; the training rows have {', '.join(sorted(trained - {''}))}"
    return None


def _questions(folder: Path, draft: Draft, log: RowLog) -> None:
    files = sorted((folder / _QUESTIONS).glob("*.json"))
    for file in files:
        language, _, split = file.stem.partition(".")
        if not language or split not in wikiann.SPLITS:
            raise DataError(f"{file}: name it {{language}}.{{split}}.json; splits: {', '.join(wikiann.SPLITS)}.")
        squad.add_file(file, language, squad.all_in(wikiann.SPLITS[split]), draft, log)
    if not files:
        raise DataError(f"{folder / _QUESTIONS} holds no file such as en.test.json.")


class _Rows:
    """Row numbers of entities and relations in a draft, which are added when first asked for."""

    def __init__(self, draft: Draft) -> None:
        self._draft, self._known = draft, dict[tuple[str, str, str], int]()

    def __call__(self, table: str, language: str, id: str, name: str | None = None) -> int:
        key = (table, language, id)
        if key not in self._known:
            self._known[key] = self._draft.add(table, language, id, name or id, "")
        return self._known[key]


def _files(folder: Path, name: str) -> list[Path]:
    return [file for suffix in (".tsv", ".jsonl") if (file := folder / f"{name}{suffix}").exists()]


def _rows(
    folder: Path, name: str, log: RowLog, texts: Collection[str], others: Collection[str] = ()
) -> Iterator[tuple[Where, dict[str, Any], str]]:
    """Rows of a table with the columns `texts`, all filled, and `others`; each with where it stands and its split."""
    for file in _files(folder, name):
        for number, row in read_table(file, log, (*texts, *others)):
            empty = [column for column in texts if not isinstance(row[column], str) or not row[column].strip()]
            split = row.get("split") or "test"
            if empty:
                log.bad(file, number, "an empty column, or one that is no text", str(row), ", ".join(empty))
            elif split not in wikiann.SPLITS:
                log.bad(file, number, "unknown split", str(row), f"{split!r}; allowed: {', '.join(wikiann.SPLITS)}")
            else:
                yield (file, number), row, wikiann.SPLITS[split]


def _labels(folder: Path, name: str, key: str, log: RowLog) -> dict[str, dict[str, str]]:
    labels: dict[str, dict[str, str]] = {}
    for where, row, _ in _rows(folder, name, log, (key, "language", "text")):
        if labels.setdefault(row[key], {}).setdefault(row["language"], row["text"]) != row["text"]:
            log.bad(*where, "a second label in a language", str(row))
    return labels


_READERS: dict[str, tuple[Task, Callable[[Path, Draft, RowLog], None]]] = {
    "pairs": ("entity_alignment", _pairs),
    "triples": ("kg_completion", _triples),
    "sentences": ("relation_classification", _sentences),
    "words": ("ner", _words),
    _QUESTIONS: ("question_answering", _questions),
}
