"""Extractive question answering (paper, section 5.3): SQuAD -> XQuAD, in the settings of XTREME.

The encoder reads a question and a window of its context as one text; a linear layer gives every token a start and an end
logit, and the answer is the span with the largest sum of the two. In training, a window that does not hold the whole
answer points to the first token. Backbones with segment embeddings (BERT) get no token types here: question and context
both have the first, where the published settings give the context the second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.records import SPLITS, Split, TokenBatch, ragged_index
from core.encoder.backbones import Backbone
from core.encoder.text_encoder import TextEncoder
from core.evaluation.answers import PredictedAnswers
from core.tasks.answer_windows import WindowLayout, best_answers
from core.tasks.question_set import QuestionSet
from core.tasks.sources import Sources
from core.tasks.task import Advance, ExampleStream, require_head, sample


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows with their answers.

    Attributes:
        texts: The windows.
        start: Place of the answer's first token in its window, 0 where the window does not hold it, shape (windows,).
        end: Place of its last token.
    """

    texts: TokenBatch
    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


class QuestionAnswering:
    """The task on one training benchmark and the test sets of others.

    Args:
        backbone: The backbone whose tokenizer splits the texts.
        data: Training and validation questions, and test questions where `tests` is empty.
        tests: Benchmarks with test questions; a language's are those of the first that has some.
        train_languages: Languages of the training questions.
        test_limit: Test questions per language, None for all: the same ones in languages that have the same ids.
        max_tokens: Tokens of the longest window.
        stride: Tokens from the beginning of one window to that of the next (`doc_stride` of BERT's code and XTREME).
        question_tokens: Tokens that a question is cut to.
        answer_tokens: Tokens of the longest answer that is predicted.
        n_best: Answers that are kept of each question.
        prefix: Text in front of every question, such as "query: ".

    Raises:
        BenchmarkError: If a benchmark is of another task, there are no test questions, or an answer does not stand in
            its context where it should.
        ValueError: If a training language has no training questions, or windows of `max_tokens` are too short for the
            question and the stride or too long for the backbone; or if a test question is a training question too.
    """

    name = "question_answering"
    metric = "F1"

    def __init__(
        self,
        backbone: Backbone,
        data: BenchmarkData,
        tests: Sequence[BenchmarkData],
        train_languages: Sequence[str] = ("en",),
        test_limit: int | None = None,
        max_tokens: int = 384,
        stride: int = 128,
        question_tokens: int = 64,
        answer_tokens: int = 30,
        n_best: int = 20,
        prefix: str = "",
    ) -> None:
        sources = Sources("question_answering", data, tests, train_languages, test_limit, "questions", order="id")
        self.train_languages, self.dataset = sources.train_languages, sources.title
        self.answer_tokens, self.n_best = answer_tokens, n_best
        _require_positions(backbone, max_tokens)
        layout = WindowLayout.of(backbone.tokenizer, prefix, max_tokens, stride, question_tokens)
        self._sets = {
            (split, language): QuestionSet.read(benchmark, rows, backbone.tokenizer, layout)
            for split in SPLITS
            for language, benchmark, rows in sources.parts(split)
        }
        self._refuse_trained_questions()

    def _refuse_trained_questions(self) -> None:
        trained = {id for (split, _), asked in self._sets.items() if split == "train" for id in asked.ids}
        for (split, language), asked in self._sets.items():
            if split == "test" and (seen := trained.intersection(asked.ids)):
                raise ValueError(
                    f"{len(seen)} test questions in {language!r} are training questions too, such as {min(seen)!r}. "
                    "Test on a benchmark of other questions; one that was split in itself needs no `test_data`."
                )

    def test_sizes(self) -> dict[str, int]:
        """Test questions of every language, by code."""
        return {language: len(asked) for (split, language), asked in self._sets.items() if split == "test"}

    def test_tokens(self, languages: Sequence[str]) -> float:
        """Tokens of all windows of the test questions of these languages."""
        found = (self._sets.get(("test", language)) for language in languages)
        return float(sum(asked.windows.tokens.sum() for asked in found if asked))

    def used_ids(self) -> np.ndarray:
        """Token ids of all windows, sorted, none twice."""
        return np.unique(np.concatenate([asked.windows.ids for asked in self._sets.values()]))

    def training_set(self, seed: int) -> ExampleStream:
        """The windows of the training questions; its batches are `WindowBatch`es."""
        sets = [self._sets["train", language].windows for language in self.train_languages]
        targets = np.concatenate([self._sets["train", language].targets() for language in self.train_languages])
        ends = np.cumsum([len(windows) for windows in sets])

        def batch(chosen: np.ndarray) -> WindowBatch:
            # language by language: a batch's order does not matter to its loss
            parts = np.split(np.sort(chosen), np.searchsorted(np.sort(chosen), ends[:-1]))
            texts = [w.batch(part - end + len(w)) for w, part, end in zip(sets, parts, ends, strict=True)]
            answer = targets[np.concatenate(parts)]
            return WindowBatch(TokenBatch.concatenate(texts), answer[:, 0], answer[:, 1])

        return ExampleStream(int(ends[-1]), seed, batch)

    def new_head(self, dim: int) -> nn.Linear:
        """A linear layer from token vectors to start and end logits, its weights drawn as BERT's are."""
        head = nn.Linear(dim, 2)
        nn.init.normal_(head.weight, std=0.02)
        nn.init.zeros_(head.bias)
        return head

    def loss(self, encoder: TextEncoder, head: nn.Module, batch: WindowBatch) -> Tensor:
        """Mean of the cross-entropies of start and end over the tokens of each window, in nats, shape ()."""
        lengths = torch.from_numpy(batch.texts.lengths).long()
        inside = torch.arange(int(lengths.max())) < lengths[:, None]
        logits: Tensor = head(encoder.states(batch.texts))
        padded = logits.new_full((*inside.shape, 2), -torch.inf)
        padded[inside.to(logits.device)] = logits
        answer = torch.from_numpy(np.stack([batch.start, batch.end], axis=1)).to(logits.device)
        return F.cross_entropy(padded.transpose(1, 2).flatten(0, 1), answer.flatten())

    def measure(
        self,
        encoder: TextEncoder,
        head: nn.Module | None,
        languages: Sequence[str],
        split: Split = "test",
        limit: int | None = None,
        tokens_per_pass: int = 8192,
        progress: Advance | None = None,
    ) -> dict[str, PredictedAnswers]:
        """The best answers by language; see `Task.measure`.

        Raises:
            ValueError: If there is no head.
        """
        head = require_head(head, self.name)
        asked = {lang: self._questions(split, lang, limit) for lang in languages if (split, lang) in self._sets}
        if not asked:
            return {}
        windows = [(questions.windows, questions.windows.of_questions(rows)) for questions, rows in asked.values()]
        logits = _logits(encoder, head, [w.batch(chosen) for w, chosen in windows], tokens_per_pass, progress)
        ids = sorted({id for (of, _), questions in self._sets.items() if of == split for id in questions.ids})
        number = {id: n for n, id in enumerate(ids)}
        return {
            language: self._predicted(questions, rows, part, number)
            for (language, (questions, rows)), part in zip(asked.items(), logits, strict=True)
        }

    def probe_texts(self, language: str, limit: int) -> TokenBatch:
        """The windows that `measure` with this limit asks of the test questions in a language.

        Raises:
            ValueError: If there are no test questions in the language.
        """
        if ("test", language) not in self._sets:
            known = ", ".join(self.test_sizes())
            raise ValueError(f"{self.dataset} has no test questions in language {language!r}. It has some in: {known}.")
        questions, rows = self._questions("test", language, limit)
        return questions.windows.batch(questions.windows.of_questions(rows))

    def _questions(self, split: Split, language: str, limit: int | None) -> tuple[QuestionSet, np.ndarray]:
        """The questions of a split in a language, and the numbers of those that a limit leaves."""
        questions = self._sets[split, language]
        return questions, sample(np.arange(len(questions)), limit)

    def _predicted(
        self, asked: QuestionSet, rows: np.ndarray, logits: np.ndarray, number: Mapping[str, int]
    ) -> PredictedAnswers:
        """The answers to some questions, from the logits of all tokens of all their windows, shape (tokens, 2)."""
        windows, chosen = asked.windows, asked.windows.of_questions(rows)
        ends = np.cumsum(windows.tokens[chosen])
        first = ends - windows.tokens[chosen] + windows.offset[chosen]
        of_contexts = logits[ragged_index(first, windows.length[chosen])]
        answers, done = [], 0
        for question in rows.tolist():
            own = slice(windows.first[question], windows.first[question + 1])
            begin, length = windows.begin[own], windows.length[own]
            part = of_contexts[done : done + int(length.sum())]
            text = partial(asked.text, question)
            answers.append(best_answers(part, begin, length, text, self.answer_tokens, self.n_best))
            done += len(part)
        ids = tuple(asked.ids[row] for row in rows)
        return PredictedAnswers(
            np.asarray([number[id] for id in ids], np.int64),
            ids,
            tuple(asked.gold[row] for row in rows),
            tuple(tuple(texts) for texts, _ in answers),
            tuple(tuple(scores) for _, scores in answers),
        )


def _logits(
    encoder: TextEncoder,
    head: nn.Module,
    batches: Sequence[TokenBatch],
    tokens_per_pass: int,
    progress: Advance | None,
) -> list[np.ndarray]:
    """Start and end logits of every token of some batches, windows of like length together, shapes (tokens, 2)."""
    batch = TokenBatch.concatenate(batches)
    found = np.empty((len(batch.ids), 2), np.float32)
    first = np.cumsum(batch.lengths, dtype=np.int64) - batch.lengths
    with torch.inference_mode():
        for chosen in encoder.passes(batch, tokens_per_pass, progress):
            logits = head(encoder.states(batch.take(chosen)))
            found[ragged_index(first[chosen], batch.lengths[chosen])] = logits.float().cpu().numpy()
    return np.split(found, np.cumsum([len(part.ids) for part in batches])[:-1])


def _require_positions(backbone: Backbone, max_tokens: int) -> None:
    """Check that a backbone has a position for every token of a window."""
    positions = getattr(backbone.model.config, "max_position_embeddings", None)
    if positions is not None and max_tokens > (room := positions - (backbone.first_position or 0)):
        raise ValueError(f"max_tokens is {max_tokens}, but {backbone.title} reads {room} tokens at most: lower it.")
