"""The training pairs of a ranking task: a query's text and the name of its answer."""

from collections.abc import Callable
from typing import Any

import numpy as np

from core.corpora.draws import PairBatch, RowStream
from core.tasks.retrieval import Parts, TextIndex


class TaskPairs:
    """The training pairs of a task, drawn without putting two equal keys into one batch.

    Args:
        index: The texts.
        anchors: The texts that an anchor joins.
        positives: Row of the label of each positive, shape (pairs,).
        entity: Entity of each positive, shape (pairs,).
        keys: Arrays of shape (pairs,); no value of any stands twice in a batch.
        seed: Seed of the draws.
        known: Pair numbers -> matrix that is True where a positive is another right answer of an anchor, or None.
    """

    def __init__(
        self,
        index: TextIndex,
        anchors: Parts,
        positives: np.ndarray,
        entity: np.ndarray,
        keys: tuple[np.ndarray, ...],
        seed: int,
        known: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.index, self.anchors, self.positives, self.entity, self.known = index, anchors, positives, entity, known
        self.stream = RowStream(np.arange(len(positives)), "distinct", seed, keys)

    def __len__(self) -> int:
        return len(self.positives)

    def sample(self, pairs: int) -> PairBatch:
        """Draw `pairs` pairs."""
        drawn, tokens = self.stream.next(pairs), self.index.tokens
        labels = self.positives[drawn]
        return PairBatch(
            tokens.join(*(tokens.text(table, rows[drawn]) for table, rows in self.anchors)),
            tokens.join(tokens.text("labels", labels)),
            self.entity[drawn],
            self.index.normalised[labels],
            None if self.known is None else self.known(drawn),
        )

    def state(self) -> dict[str, Any]:
        """State of the draws."""
        return self.stream.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.stream.restore(state)
