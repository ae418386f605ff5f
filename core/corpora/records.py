"""The records of a knowledge integration corpus (paper, section 2): what every builder yields and every store holds.

Spans are character offsets into `text`, end exclusive. Languages are the codes of `core.languages`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
Progress = Callable[[int, int], object]  # called with (done, in all), in any unit, while something long is built


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity with one label per language, `e^l`; other names are aliases."""

    id: str
    kind: str
    split: Split
    labels: Mapping[str, str]
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation with one label per language, `r^l`; some languages have none."""

    id: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Triple:
    """A fact (subject, relation, object), by id."""

    subject: str
    relation: str
    object: str
    split: Split


@dataclass(frozen=True, slots=True)
class MentionSentence:
    """A sentence of C1: it mentions an entity by its label, at `text[start:end]`.

    `split` is that of everything the sentence names, so that a training sentence names no test entity.
    """

    entity: str
    language: str
    text: str
    start: int
    end: int
    split: Split


@dataclass(frozen=True, slots=True)
class TripleSentence:
    """A sentence of C2: it states a triple; the object stands at `text[object_start:object_end]`."""

    triple: Triple
    language: str
    text: str
    object_start: int
    object_end: int


def triple_split(subject: Split, object_: Split) -> Split:
    """The split of a triple whose ends are in these splits.

    A test triple has at least one test entity and a training triple none, so that no test entity is trained on (the
    semi-inductive setting of Ali et al. 2021, "Improving Inductive Link Prediction Using Hyper-Relational Facts").
    """
    if "test" in (subject, object_):
        return "test"
    return "valid" if "valid" in (subject, object_) else "train"


@dataclass(frozen=True)
class SpecialTokens:
    """What surrounds and masks a text: `prefix + text + suffix`, with `mask` in place of a hidden object."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    mask: int

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerFast", prefix: str = "") -> Self:
        """The special tokens of a tokenizer; `prefix` is text put before every text, such as "query: "."""
        probe = tokenizer("a", add_special_tokens=False).input_ids
        whole = tokenizer("a").input_ids
        at = next(i for i in range(len(whole)) if whole[i : i + len(probe)] == probe)
        before = whole[:at] + tokenizer(prefix, add_special_tokens=False).input_ids
        return cls(tuple(before), tuple(whole[at + len(probe) :]), tokenizer.mask_token_id)


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Texts as token ids, ragged: what a sampler draws and an encoder embeds.

    Attributes:
        ids: Token ids of all texts one after the other, special tokens included, int32, shape (tokens,).
        lengths: Tokens per text, int32, shape (texts,).
        pool_start: First token of each text that its embedding averages over, int32, shape (texts,).
        pool_end: One past the last such token, int32, shape (texts,).
    """

    ids: np.ndarray
    lengths: np.ndarray
    pool_start: np.ndarray
    pool_end: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def whole(cls, ids: np.ndarray, lengths: np.ndarray) -> Self:
        """A batch whose embeddings average over all tokens."""
        return cls(ids, lengths, np.zeros_like(lengths), lengths)

    @classmethod
    def concatenate(cls, batches: Sequence[Self]) -> Self:
        """The texts of several batches, in order."""
        columns = ("ids", "lengths", "pool_start", "pool_end")
        return cls(*(np.concatenate([getattr(b, c) for b in batches]) for c in columns))

    def take(self, rows: np.ndarray) -> Self:
        """The texts numbered `rows`, in that order."""
        lengths = self.lengths[rows]
        starts = (np.cumsum(self.lengths) - self.lengths)[rows]
        return type(self)(self.ids[ragged_index(starts, lengths)], lengths, self.pool_start[rows], self.pool_end[rows])


def ragged_index(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Positions `starts[i], starts[i] + 1, ...`, `lengths[i]` of them for each i, shape (sum of lengths,)."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total)
