"""What a downstream task offers to the stages, and the stream of training examples that tasks with a head share.

The two ranking tasks have no head: a system is measured by its embeddings, before and after fine-tuning, and trained by
the contrastive loss. The other three put a head on the encoder's token vectors, so they exist fine-tuned only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from core.corpora.draws import Sampler
from core.corpora.records import Split, TokenBatch
from core.encoder.text_encoder import TextEncoder
from core.evaluation.outcomes import Outcome

Advance = Callable[[int, int], None]  # called with (tokens done, tokens in all)


class Task(Protocol):
    """A downstream task on one benchmark, tokenised for one backbone.

    Attributes:
        name: Key in the config.
        metric: The metric that validation goes by; larger is better.
        train_languages: Languages of the training set.
    """

    name: str
    metric: str
    train_languages: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """Name of the benchmark, saying so where only a part of its test set is asked."""
        ...

    def test_sizes(self) -> dict[str, int]:
        """Test examples of every language that can be asked, by code."""
        ...

    def test_tokens(self, languages: Sequence[str]) -> float:
        """Tokens that measuring the test set of these languages passes forward, roughly."""
        ...

    def used_ids(self) -> np.ndarray:
        """Token ids of all its texts, sorted, none twice: what a trimmed vocabulary must keep."""
        ...

    def training_set(self, seed: int) -> Sampler:
        """The training set; its batches are pairs (`PairBatch`), or what the task's own `loss` takes.

        Raises:
            ValueError: If there is none in the training languages.
        """
        ...

    def measure(
        self,
        encoder: TextEncoder,
        head: nn.Module | None,
        languages: Sequence[str],
        split: Split = "test",
        limit: int | None = None,
        tokens_per_pass: int = 8192,
        progress: Advance | None = None,
    ) -> Mapping[str, Outcome]:
        """Outcomes under the encoder's active adapters, by language; a language without examples is left out.

        Args:
            encoder: The encoder.
            head: What `new_head` made; None for a ranking task.
            languages: Languages to measure.
            split: Split to measure.
            limit: Examples per language, a sample that is the same for every system and seed; None takes all. For the
                test split, at most those that the task was made with.
            tokens_per_pass: Tokens per forward pass.
            progress: Called as the work goes on.
        """
        ...

    def probe_texts(self, language: str, limit: int) -> TokenBatch:
        """The texts that `measure` with this limit gives the encoder to look at, of the test split: queries, sentences."""
        ...


class HeadTask(Task, Protocol):
    """A task with a head on the encoder."""

    def new_head(self, dim: int) -> nn.Module:
        """A fresh head on vectors of `dim` dimensions, from torch's random state, on the CPU."""
        ...

    def loss(self, encoder: TextEncoder, head: nn.Module, batch: Any) -> Tensor:
        """Loss of a batch of the training set, shape ()."""
        ...


class ExampleStream:
    """Training examples in passes over the whole set, each pass in a new order.

    Args:
        examples: Number of examples.
        seed: Seed of the orders.
        batch: Example numbers, shape (batch,) -> what the task's loss takes.
    """

    def __init__(self, examples: int, seed: int, batch: Callable[[np.ndarray], Any]) -> None:
        self.examples, self.batch = examples, batch
        self.generator = np.random.default_rng(seed)
        self._order, self._next = np.zeros(0, np.int64), 0

    def __len__(self) -> int:
        return self.examples

    def sample(self, count: int) -> Any:
        """The next `count` examples; a batch may hold the end of one pass and the beginning of the next."""
        chosen = self._order[self._next : self._next + count]
        self._next += len(chosen)
        while len(chosen) < count:
            self._before = self.generator.bit_generator.state
            self._order, self._next = self.generator.permutation(self.examples), min(count - len(chosen), self.examples)
            chosen = np.concatenate([chosen, self._order[: self._next]])
        return self.batch(chosen)

    def state(self) -> dict[str, Any]:
        """Generator before the present pass, and the place in it."""
        before = self._before if len(self._order) else self.generator.bit_generator.state
        return {"generator": before, "started": bool(len(self._order)), "next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.generator.bit_generator.state = state["generator"]
        self._order, self._next = np.zeros(0, np.int64), 0
        if state["started"]:
            self._before = state["generator"]
            self._order, self._next = self.generator.permutation(self.examples), state["next"]


def require_head(head: nn.Module | None, task: str) -> nn.Module:
    """The head that a task is measured with.

    Raises:
        ValueError: If there is none.
    """
    if head is None:
        raise ValueError(f"{task} is measured with a head on the encoder: give what `new_head` made, trained.")
    return head


def sample(rows: np.ndarray, count: int | None) -> np.ndarray:
    """`count` of `rows` (all if there are fewer, or for None), the same for every run and seed, in order."""
    return rows if count is None else np.sort(np.random.default_rng(0).permutation(rows)[:count])
