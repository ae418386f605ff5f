"""SQuAD v1.1 and XQuAD: questions whose answers are spans of a paragraph (paper, section 5.3.2).

References: Rajpurkar et al. 2016, EMNLP (SQuAD); Artetxe et al. 2020, ACL (XQuAD).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.corpora.benchmarks.draft import Draft
from core.corpora.rows import DataError, RowLog, read_json, require
from core.corpora.splits import assign_splits

_SQUAD_CARD = """\
English questions on paragraphs of Wikipedia. The development set is the validation split. XQuAD's English part is a
subset of it, so nothing may be trained on it.
"""
_XQUAD_CARD = """\
240 paragraphs and 1,190 questions of SQuAD's development set, translated to 11 languages by people; one answer each.
"""


def read_squad(folder: Path, log: RowLog) -> Draft:
    """Read SQuAD v1.1: `train-v1.1.json` and `dev-v1.1.json`, or one of them.

    Args:
        folder: The folder with the files.
        log: What becomes of bad articles, paragraphs, questions and answers.

    Raises:
        DataError: If both files are missing, one is no JSON, or in strict mode a record is bad.
    """
    source, licence = "rajpurkar.github.io/SQuAD-explorer, v1.1", "CC BY-SA 4.0"
    draft = Draft("squad", "question_answering", source, licence, _SQUAD_CARD)
    files = [(folder / f"{name}-v1.1.json", split) for name, split in (("train", "train"), ("dev", "valid"))]
    if not any(file.exists() for file, _ in files):
        require(files[0][0], "SQuAD")
    for file, split in files:
        if file.exists():
            add_file(file, "en", all_in(split), draft, log)
    return draft


def read_xquad(folder: Path, log: RowLog, valid_share: float = 0.0, test_share: float = 1.0) -> Draft:
    """Read XQuAD.

    With a test share below 1, whole articles are taken for training and validation, the same ones in every language: a
    stand-in where SQuAD is not at hand, not the published setting.

    Args:
        folder: The folder with `xquad.en.json` and so on.
        log: What becomes of bad articles, paragraphs, questions and answers.
        valid_share: Share of the articles for validation.
        test_share: Share of the articles for the test.

    Raises:
        DataError: If there is no such file, or in strict mode a record is bad.
        ValueError: If the shares are no shares.
    """
    build = {"valid_share": valid_share, "test_share": test_share}
    source = "github.com/google-deepmind/xquad, 7d30520c"
    draft = Draft("xquad", "question_answering", source, "CC BY-SA 4.0", _XQUAD_CARD, build=build)
    files = sorted(folder.glob("xquad.*.json"))
    if not files:
        require(folder / "xquad.en.json", "XQuAD")
    for file in files:
        language = file.name.split(".")[1]
        add_file(file, language, _split_of_article(file, valid_share, test_share), draft, log)
    return draft


def all_in(split: str) -> Callable[[str], str]:
    """Every article is in `split`."""
    return lambda _title: split


def _split_of_article(file: Path, valid_share: float, test_share: float) -> Callable[[str], str]:
    if (valid_share, test_share) == (0.0, 1.0):
        return all_in("test")
    titles: dict[str, dict[str, str]] = {
        str(article.get("title", "")): {} for article in _articles(file) if isinstance(article, dict)
    }
    splits = assign_splits(titles, dict.fromkeys(titles, "article"), valid_share, test_share)
    return splits.__getitem__


def _articles(file: Path) -> list[Any]:
    whole = read_json(file)
    articles = whole.get("data") if isinstance(whole, dict) else None
    if not isinstance(articles, list):
        raise DataError(f"{file}: not the layout of SQuAD: there is no list `data` at the top.")
    return articles


def add_file(file: Path, language: str, split_of: Callable[[str], str], draft: Draft, log: RowLog) -> None:
    """Add the questions of a file in the layout of SQuAD v1.1.

    Bad records are reported by their path in the JSON, such as `data[3].paragraphs[0].qas[2]`. A question keeps its
    good answers; one with none is left out.

    Args:
        file: The file.
        language: Language of all its questions.
        split_of: Split of the article with a title.
        draft: What they are added to.
        log: What becomes of bad records.

    Raises:
        DataError: If the file has another layout, or in strict mode a record is bad.
    """
    seen: set[str] = set()

    def parts(record: Any, key: str, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
        found = record.get(key)
        if not isinstance(found, list):
            log.bad(file, 0, f"no list `{key}`", detail=at)
            return
        for number, part in enumerate(found):
            if isinstance(part, dict):
                yield f"{at}.{key}[{number}]".lstrip("."), part
            else:
                log.bad(file, 0, "not an object", str(part), f"{at}.{key}[{number}]")

    for at_article, article in parts({"data": _articles(file)}, "data", ""):
        title = str(article.get("title", ""))
        for at_paragraph, paragraph in parts(article, "paragraphs", at_article):
            context = paragraph.get("context")
            if not isinstance(context, str):
                log.bad(file, 0, "no text `context`", detail=at_paragraph)
                continue
            questions = [
                found
                for at, record in parts(paragraph, "qas", at_paragraph)
                if (found := _question(file, at, record, context, parts, seen, log))
            ]
            if questions:
                row = draft.add("contexts", title, context)
                for id, question, answers in questions:
                    draft.add("questions", language, split_of(title), id, row, question, answers)


def _question(
    file: Path,
    at: str,
    record: dict[str, Any],
    context: str,
    parts: Callable[[Any, str, str], Iterator[tuple[str, dict[str, Any]]]],
    seen: set[str],
    log: RowLog,
) -> tuple[str, str, list[dict[str, Any]]] | None:
    id, question = record.get("id"), record.get("question")
    if not isinstance(id, str) or not isinstance(question, str) or id in seen:
        log.bad(file, 0, "no text `question`, or no `id` of its own", str(record), at)
        return None
    seen.add(id)
    answers = []
    for at_answer, answer in parts(record, "answers", at):
        text, start = answer.get("text"), answer.get("answer_start")
        if isinstance(text, str) and text and isinstance(start, int) and start >= 0 and context.startswith(text, start):
            answers.append({"text": text, "start": start})
        else:
            elsewhere = context.find(text) if isinstance(text, str) and text else -1
            hint = f"; it stands at {elsewhere}" if elsewhere >= 0 else "; it is nowhere in the context"
            log.bad(file, 0, "the answer is not at its offset", str(answer), at_answer + hint)
    if record.get("answers") == []:
        log.bad(file, 0, "a question without an answer (SQuAD v2 is not read)", question, at)
    return (id, question, answers) if answers else None
