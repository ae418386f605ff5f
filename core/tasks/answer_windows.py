"""Windows of a question and a part of its context, and the best answers over all windows of a question.

A context that is too long for the encoder is asked in several windows that overlap, as in the SQuAD code of BERT (Devlin
et al. 2019, `run_squad.py`): each window begins `stride` tokens after the one before. An answer may begin at a token in
that window alone which shows most of what stands around the token.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Self

import numpy as np

from core.corpora.records import SpecialTokens, TokenBatch, ragged_index

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_CHUNK = 1024  # texts tokenised at once; the tokenizer's own records of them are large


@dataclass(frozen=True, slots=True)
class Pieces:
    """Texts as token ids without special tokens, text after text.

    Attributes:
        ids: Token ids, int32, shape (tokens,).
        start: First character of each token in its text, int32, shape (tokens,).
        end: One past its last character, int32, shape (tokens,).
        lengths: Tokens of each text, int64, shape (texts,).
        first: Position in `ids` of the first token of each text, int64, shape (texts,).
    """

    ids: np.ndarray
    start: np.ndarray
    end: np.ndarray
    lengths: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerFast", texts: Sequence[str], limit: int | None = None) -> Self:
        """Tokenise texts, each cut to `limit` tokens."""
        encode = tokenizer.backend_tokenizer.encode_batch
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
        ids, spans, lengths = [np.zeros(0, np.int32)], [np.zeros((0, 2), np.int32)], [np.zeros(0, np.int64)]
        for at in range(0, len(texts), _CHUNK):
            encoded = encode(list(texts[at : at + _CHUNK]), add_special_tokens=False)
            ids.append(np.fromiter(chain.from_iterable(e.ids[:limit] for e in encoded), np.int32))
            flat = chain.from_iterable(chain.from_iterable(e.offsets[:limit] for e in encoded))
            spans.append(np.fromiter(flat, np.int32).reshape(-1, 2))
            lengths.append(np.fromiter((len(e.ids[:limit]) for e in encoded), np.int64))
        span, length = np.concatenate(spans), np.concatenate(lengths)
        return cls(np.concatenate(ids), span[:, 0], span[:, 1], length, np.cumsum(length) - length)

    def span(self, text: int, start: int, end: int) -> tuple[int, int]:
        """The tokens of a text that characters `start` to `end` are in: the first, and one past the last.

        Counted from the text's first token; the first is not below the other where no token holds any of them.
        """
        own = slice(self.first[text], self.first[text] + self.lengths[text])
        return int(np.searchsorted(self.end[own], start, "right")), int(np.searchsorted(self.start[own], end, "left"))


@dataclass(frozen=True)
class WindowLayout:
    """How a window is put together: `before question between context after`.

    Attributes:
        before: Token ids in front of the question; the first is the one that stands for "no answer here".
        between: Token ids between question and context.
        after: Token ids behind the context.
        max_tokens: Tokens of the longest window.
        stride: Tokens from the beginning of one window's context to that of the next.
        question_tokens: Tokens that a question is cut to.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    max_tokens: int
    stride: int
    question_tokens: int

    @classmethod
    def of(
        cls, tokenizer: "PreTrainedTokenizerFast", prefix: str, max_tokens: int, stride: int, question_tokens: int
    ) -> Self:
        """The layout of a tokenizer's own pairs; one that joins pairs without special tokens gets BERT's.

        Args:
            tokenizer: A fast tokenizer.
            prefix: Text in front of every question.
            max_tokens: Tokens of the longest window.
            stride: Tokens from one window to the next.
            question_tokens: Tokens that a question is cut to.

        Raises:
            ValueError: If a window has no room for `stride` tokens of context beside the longest question.
        """
        special, alone = SpecialTokens.of(tokenizer, prefix), SpecialTokens.of(tokenizer)
        piece, pair = tokenizer("a", add_special_tokens=False).input_ids, tokenizer("a", "a").input_ids
        inner = pair[len(alone.prefix) + len(piece) : len(pair) - len(piece) - len(alone.suffix)]
        between = tuple(inner) or alone.suffix
        least = len(special.prefix) + question_tokens + len(between) + stride + len(special.suffix)
        if stride < 1 or question_tokens < 1 or max_tokens < least:
            raise ValueError(
                f"max_tokens is {max_tokens}, stride {stride}, question_tokens {question_tokens}: a window must hold a "
                f"question, one stride of context and {least - stride - question_tokens} special tokens. Give max_tokens "
                f"of {least} or more, or a lower stride or question_tokens; none of the two may be below 1."
            )
        return cls(special.prefix, between, special.suffix, max_tokens, stride, question_tokens)


@dataclass(frozen=True)
class Windows:
    """The windows of a list of questions, question after question.

    Attributes:
        question: Number of the question, ascending, shape (windows,).
        begin: First token of the context that a window shows, counted from the context's first, shape (windows,).
        length: Tokens of the context that it shows, shape (windows,).
        offset: Place of the first of them in the window, shape (windows,).
        tokens: Tokens of the whole window, shape (windows,).
        first: First window of each question, and one past the last of all, shape (questions + 1,).
        ids: Token ids of all that windows are made of, each part once.
        parts: Where in `ids` the five parts of each window begin, shape (windows, 5).
        sizes: Tokens of these parts, shape (windows, 5).
    """

    question: np.ndarray
    begin: np.ndarray
    length: np.ndarray
    offset: np.ndarray
    tokens: np.ndarray
    first: np.ndarray
    ids: np.ndarray
    parts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, layout: WindowLayout, questions: Pieces, contexts: Pieces, context: np.ndarray) -> Self:
        """Lay windows over the contexts.

        Args:
            layout: How a window is put together.
            questions: The questions' tokens.
            contexts: Contexts, some of which several questions share.
            context: Context of each question, shape (questions,).
        """
        fixed = [np.asarray(ids, np.int32) for ids in (layout.before, layout.between, layout.after)]
        room = layout.max_tokens - sum(map(len, fixed)) - questions.lengths
        count = 1 + np.maximum(0, -(-(contexts.lengths[context] - room) // layout.stride))
        question = np.repeat(np.arange(len(context)), count)
        begin = layout.stride * ragged_index(np.zeros_like(count), count)
        of = context[question]
        length = np.minimum(room[question], contexts.lengths[of] - begin)
        at = np.cumsum([0, *map(len, fixed), len(questions.ids)])
        parts = np.stack(np.broadcast_arrays(at[0], at[3] + questions.first[question], at[1], at[4], at[2]), axis=1)
        parts[:, 3] += contexts.first[of] + begin
        sizes = [len(fixed[0]), questions.lengths[question], len(fixed[1]), length, len(fixed[2])]
        size = np.stack(np.broadcast_arrays(*sizes), axis=1)
        first = np.cumsum([0, *count.tolist()])
        ids = np.concatenate([*fixed, questions.ids, contexts.ids])
        return cls(question, begin, length, size[:, :3].sum(1), size.sum(1), first, ids, parts, size)

    def __len__(self) -> int:
        return len(self.question)

    def batch(self, windows: np.ndarray) -> TokenBatch:
        """The windows numbered `windows`, in that order."""
        at = ragged_index(self.parts[windows].ravel(), self.sizes[windows].ravel())
        return TokenBatch.whole(self.ids[at], self.tokens[windows].astype(np.int32))

    def of_questions(self, questions: np.ndarray) -> np.ndarray:
        """Numbers of all windows of some questions, question after question."""
        return ragged_index(self.first[questions], np.diff(self.first)[questions])


def widest_context(begin: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Where each token of a context has most context on its poorer side, among the windows of one question.

    A tie goes to the longer window (a hundredth of its length counts), then to the earlier one, as in BERT's code.

    Args:
        begin: First token of each window, shape (windows,).
        length: Tokens of each window, shape (windows,).

    Returns:
        Of each window's tokens, window after window, whether this is the token's window, shape (sum of lengths,).
    """
    token, first, last = ragged_index(begin, length), begin[:, None], (begin + length - 1)[:, None]
    context = 100 * np.minimum(token - first, last - token) + length[:, None]
    best = np.where((token >= first) & (token <= last), context, -1).argmax(0)
    return best == np.repeat(np.arange(len(begin)), length)


def best_answers(
    logits: np.ndarray,
    begin: np.ndarray,
    length: np.ndarray,
    text: Callable[[int, int], str],
    longest: int,
    count: int,
) -> tuple[list[str], list[float]]:
    """The best answers to one question, over all spans of all its windows.

    BERT's code looks at the 20 best starts and ends of a window only; here no span is left out. A text that stands in
    several places counts once, with its best score. Ties go to the earlier window, start and end.

    Args:
        logits: Start and end logit of each window's context tokens, window after window, shape (tokens, 2).
        begin: First token of the context that each window shows, shape (windows,).
        length: Tokens that it shows, shape (windows,).
        text: First and last token of the context -> the text from one to the other.
        longest: Tokens of the longest answer.
        count: Number of answers wanted.

    Returns:
        Different texts, the best first, and their scores: start logit + end logit. Without any span, an empty text.
    """
    left = ragged_index(np.zeros_like(length), length)
    left = np.repeat(length, length) - left  # tokens up to the end of the window, this one included
    padded = np.concatenate([logits[:, 1], np.full(longest, -np.inf, logits.dtype)])
    spans = logits[:, :1] + np.lib.stride_tricks.sliding_window_view(padded, longest)[: len(logits)]
    spans[~widest_context(begin, length)] = -np.inf
    spans[np.arange(longest) >= left[:, None]] = -np.inf
    token, scores = ragged_index(begin, length), spans.ravel()
    found: dict[str, float] = {}
    for span in _best_first(scores, 2 * count):
        start = int(token[span // longest])
        if answer := text(start, start + span % longest):
            found.setdefault(answer, float(scores[span]))
        if len(found) == count:
            break
    return (list(found), list(found.values())) if found else ([""], [0.0])


def _best_first(scores: np.ndarray, ahead: int) -> Iterator[int]:
    """Numbers of the finite scores, best first, ties in order; `ahead` of them are sorted at first, then more."""
    done, finite = 0, int(np.isfinite(scores).sum())
    while done < finite:
        wanted = min(finite, ahead)
        least = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
        chosen = np.flatnonzero(scores >= least)
        order = chosen[np.argsort(-scores[chosen], kind="stable")].tolist()
        yield from order[done:]
        done, ahead = len(order), 4 * ahead
