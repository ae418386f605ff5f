"""The questions of a benchmark in one language: tokenised, laid out in windows, with their answers' places."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.tasks.answer_windows import Pieces, WindowLayout, Windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class QuestionSet:
    """Questions of one split in one language.

    Attributes:
        ids: Id of each question.
        gold: Its right answers.
        answer: First character of its first answer, and one past the last, shape (questions, 2).
        context: Number of its context, shape (questions,).
        texts: The contexts.
        pieces: Their tokens.
        windows: The windows of all questions.
    """

    ids: tuple[str, ...]
    gold: tuple[tuple[str, ...], ...]
    answer: np.ndarray
    context: np.ndarray
    texts: list[str]
    pieces: Pieces
    windows: Windows

    @classmethod
    def read(
        cls, data: BenchmarkData, rows: np.ndarray, tokenizer: "PreTrainedTokenizerFast", layout: WindowLayout
    ) -> Self:
        """Questions of a benchmark, of one split and language, tokenised; each context once.

        Args:
            data: The benchmark.
            rows: Rows of the questions, shape (questions,).
            tokenizer: Tokenizer of the backbone.
            layout: How windows are put together.

        Raises:
            BenchmarkError: If a question has no answer, or one that does not stand in its context where it should.
        """
        records = data.table("questions").take(rows).to_pylist()
        context_rows, context = np.unique([record["context"] for record in records], return_inverse=True)
        texts = data.table("contexts")["text"].take(context_rows).to_pylist()
        for record, number in zip(records, context, strict=True):
            _require_answers(record, texts[number], data)
        first = [record["answers"][0] for record in records]
        pieces = Pieces.of(tokenizer, texts)
        asked = Pieces.of(tokenizer, [record["question"].strip() for record in records], layout.question_tokens)
        return cls(
            tuple(record["id"] for record in records),
            tuple(tuple(answer["text"] for answer in record["answers"]) for record in records),
            np.asarray([(answer["start"], answer["start"] + len(answer["text"])) for answer in first]),
            context,
            texts,
            pieces,
            Windows.of(layout, asked, pieces, context),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def text(self, question: int, first: int, last: int) -> str:
        """What stands in a question's context from one token to another."""
        at = self.pieces.first[self.context[question]]
        context = self.texts[self.context[question]]
        return context[self.pieces.start[at + first] : self.pieces.end[at + last]].strip()

    def targets(self) -> np.ndarray:
        """Place of the answer's first and last token in every window, 0 where it is not whole, shape (windows, 2)."""
        spans = [self.pieces.span(int(c), *a) for c, a in zip(self.context, self.answer.tolist(), strict=True)]
        windows, span = self.windows, np.asarray(spans, np.int64).reshape(-1, 2)[self.windows.question]
        first, end = span[:, 0] - windows.begin, span[:, 1] - windows.begin
        whole = (first >= 0) & (end <= windows.length) & (first < end)
        return np.where(whole[:, None], np.stack([first, end - 1], axis=1) + windows.offset[:, None], 0)


def _require_answers(record: Mapping[str, Any], context: str, data: BenchmarkData) -> None:
    """Check that the answers to a question stand in its context where the benchmark says."""
    where = f"{data.path}: question {record['id']!r} ({record['language']}, {record['split']})"
    if not record["answers"]:
        raise BenchmarkError(f"{where} has no answer. Leave it out of the source and build the benchmark again.")
    for answer in record["answers"]:
        text, start = answer["text"], answer["start"]
        if not text or start < 0 or not context.startswith(text, start):
            at = context.find(text) if text else -1
            hint = f"it stands at {at}" if at >= 0 else "it is nowhere in the context"
            raise BenchmarkError(
                f"{where}: the answer {text!r} is not at character {start} of its context; {hint}. Mend the source and "
                "build the benchmark again."
            )
