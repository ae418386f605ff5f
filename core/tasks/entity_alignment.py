"""Entity alignment (paper, section 5.2.2): an entity's label in the source language -> the entity in the target's.

Training pairs are labels of training entities in the source and in each training language. Known answers of a query
are the other entities with the same label in the source language: "Singapore" is a country and a city, both right.
"""

from collections.abc import Iterable

import numpy as np

from core.corpora.records import Split
from core.tasks.retrieval import Benchmark, LabelIndex, TaskPairs, sample


class EntityAlignment:
    """The task on one corpus.

    Args:
        index: Labels of the corpus.
        source_language: Language of the queries.
        train_languages: Target languages of the training pairs.
        test_entities: Number of test entities asked about, None for all; the first in the corpus's order of splits.
        candidates: `all` entities with a label in the language, or those of the benchmark: the entities asked about.
    """

    name = "entity_alignment"

    def __init__(
        self,
        index: LabelIndex,
        source_language: str = "en",
        train_languages: Iterable[str] = ("de", "fr"),
        test_entities: int | None = None,
        candidates: str = "all",
    ) -> None:
        self.index, self.source_language = index, source_language
        self.train_languages, self.test_entities, self.candidates = tuple(train_languages), test_entities, candidates
        self.source = index.rows(source_language)

    @property
    def dataset(self) -> str:
        """Name of the benchmark, with its size where it is a part of the corpus's test split."""
        size = "" if self.test_entities is None else f", {self.test_entities} test entities"
        return f"{self.index.corpus.info.name}{size}, {self.candidates} candidates"

    def languages(self) -> list[str]:
        """Every language that can be asked for."""
        return [language for language in self.index.corpus.languages if language != self.source_language]

    def benchmark(self, language: str, split: Split = "test", limit: int | None = None) -> Benchmark:
        """Queries and candidates of one target language; `limit` bounds the queries of another split than the test."""
        corpus, target = self.index.corpus, self.index.rows(language)
        asked = corpus.rows_of("entities", split)
        limit = self.test_entities if split == "test" else limit
        if limit is not None:
            asked = sample(asked, limit)
        asked = asked[self.source[asked] >= 0]
        ranked = np.arange(len(target)) if self.candidates == "all" and split == "test" else asked
        ranked = ranked[target[ranked] >= 0]
        gold = asked[target[asked] >= 0]
        return Benchmark(gold, (("labels", self.source[gold]),), gold, self._same_label(gold), ranked, target[ranked])

    def _same_label(self, entities: np.ndarray) -> tuple[np.ndarray, ...]:
        named = np.flatnonzero(self.source >= 0)
        string = self.index.exact[self.source[named]]
        order = np.argsort(string, kind="stable")
        low, high = (
            np.searchsorted(string[order], self.index.exact[self.source[entities]], s) for s in ("left", "right")
        )
        groups = (named[order[a:b]] for a, b in zip(low, high, strict=True))
        return tuple(group[group != e] for group, e in zip(groups, entities, strict=True))

    def training_pairs(self, seed: int) -> TaskPairs:
        """Labels of training entities in the source and each training language.

        Raises:
            ValueError: If there are fewer than two pairs.
        """
        train = self.index.corpus.rows_of("entities", "train")
        pairs = []
        for language in self.train_languages:
            target = self.index.rows(language)
            both = train[(self.source[train] >= 0) & (target[train] >= 0)]
            pairs.append(np.stack([self.source[both], target[both]]))
        source, target = np.concatenate(pairs, axis=1)
        if len(source) < 2:
            raise ValueError(f"No training entity has labels in {self.source_language} and {self.train_languages}.")
        return TaskPairs(self.index, (("labels", source),), target, (self.index.entity[target],), seed)
