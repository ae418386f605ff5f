"""Entity alignment (paper, section 5.2.2): an entity's label in the source language -> the entity in the target's.

Training pairs are labels of training entities in the source and in each training language. Known answers of a query
are those of the other entities with the same label: "Singapore" is a country and a city, both right.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.draws import KnownAnswers
from core.corpora.records import Split
from core.encoder.backbones import Backbone
from core.tasks.graph_examples import GraphExamples
from core.tasks.name_index import Graphs, compact, joined
from core.tasks.retrieval import Benchmark, LabelIndex, RankingTask
from core.tasks.task import sample
from core.tasks.training_pairs import TaskPairs


class EntityAlignment(RankingTask):
    """The task on one corpus.

    Args:
        index: Labels of the corpus.
        source_language: Language of the queries.
        train_languages: Target languages of the training pairs.
        test_entities: Number of test entities asked about, None for all; the same in every language.
        candidates: `all` entities with a label in the language, or those of the benchmark: the entities asked about.
        csls_neighbours: Neighbours of cross-domain similarity local scaling (10 in Lample et al. 2018); None ranks by
            cosine.
    """

    name = "entity_alignment"
    index: LabelIndex

    def __init__(
        self,
        index: LabelIndex,
        source_language: str = "en",
        train_languages: Iterable[str] = ("de", "fr"),
        test_entities: int | None = None,
        candidates: str = "all",
        csls_neighbours: int | None = None,
    ) -> None:
        super().__init__(index, tuple(train_languages))
        self.source_language, self.test_entities = source_language, test_entities
        self.candidates, self.csls_neighbours = candidates, csls_neighbours
        self.source = index.rows(source_language)
        named = np.flatnonzero(self.source >= 0)
        self._known = KnownAnswers(index.exact[self.source[named]], named, len(self.source))

    @property
    def dataset(self) -> str:
        """Name of the benchmark, with its size where it is a part of the corpus's test split."""
        size = "" if self.test_entities is None else f", {self.test_entities} test entities"
        return f"{self.index.corpus.info.name}{size}, {self.candidates} candidates{_scaling(self.csls_neighbours)}"

    def _languages(self) -> list[str]:
        return [language for language in self.index.corpus.languages if language != self.source_language]

    def _benchmark(self, language: str, split: Split, limit: int | None) -> Benchmark:
        target = self.index.rows(language)
        asked = sample(self.index.corpus.rows_of("entities", split), self.test_entities if split == "test" else limit)
        asked = asked[self.source[asked] >= 0]
        ranked = np.arange(len(target)) if self.candidates == "all" and split == "test" else asked
        ranked = ranked[target[ranked] >= 0]
        gold = sample(asked[target[asked] >= 0], limit)
        known = self._known.others(self.index.exact[self.source[gold]], gold)
        parts = (("labels", self.source[gold]),)
        return Benchmark(gold, parts, gold, known, ranked, target[ranked], self.csls_neighbours)

    def training_set(self, seed: int) -> TaskPairs:
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
        entity = self.index.entity[target]
        return TaskPairs(self.index, (("labels", source),), target, entity, (entity,), seed)


def _scaling(csls_neighbours: int | None) -> str:
    return f", CSLS with {csls_neighbours} neighbours" if csls_neighbours else ""


class BenchmarkAlignment(RankingTask):
    """The task on benchmark folders: pairs of a source language with others, in any order of their ends.

    A language is asked under its code: `de` for en -> de, and for de -> en where `direction` is `to_source`. Asked in
    both directions, de -> en has the key `de-en`. The unit of the bootstrap is the entity of the source language.

    Args:
        backbone: Whose tokenizer is used.
        data: Benchmark with the training pairs, the validation pairs, and without `tests` the test pairs.
        tests: Benchmarks with tests; a language's test is that of the first that has one.
        train_languages: Languages whose pairs with the source language are trained on.
        test_limit: Test pairs asked per language, None for all.
        source_language: One end of every pair that is asked or trained on.
        direction: Whether names of the source language are asked (`from_source`), names of the others (`to_source`),
            or both. Training pairs have the same direction.
        candidates: `all` entities of the answers' language in the benchmark, or those of the `benchmark`: the answers
            of the pairs asked.
        csls_neighbours: Neighbours of cross-domain similarity local scaling (10 in Lample et al. 2018); None ranks by
            cosine.
        phrase_tokens: Names are cut to this many tokens.
        prefix: Text put before every text.

    Raises:
        BenchmarkError: If a folder is for another task.
    """

    name = "entity_alignment"

    def __init__(
        self,
        backbone: Backbone,
        data: BenchmarkData,
        tests: Sequence[BenchmarkData] = (),
        train_languages: Iterable[str] = ("de", "fr"),
        test_limit: int | None = None,
        source_language: str = "en",
        direction: Literal["from_source", "to_source", "both"] = "from_source",
        candidates: Literal["all", "benchmark"] = "all",
        csls_neighbours: int | None = None,
        phrase_tokens: int = 32,
        prefix: str = "",
    ) -> None:
        self.graphs = Graphs("entity_alignment", data, tests, backbone.tokenizer, phrase_tokens, prefix)
        super().__init__(self.graphs.index, tuple(train_languages))
        self.source_language, self.direction = source_language, direction
        self.candidates, self.csls_neighbours = candidates, csls_neighbours
        pairs = self.graphs.table("pairs", ("source_language", "target_language"), ("source", "target"))
        turned = pairs["target_language"] == source_language
        kept = turned | (pairs["source_language"] == source_language)
        self.source = np.where(turned, pairs["target"], pairs["source"])[kept]
        self.target = np.where(turned, pairs["source"], pairs["target"])[kept]
        language = np.where(turned, pairs["source_language"], pairs["target_language"])[kept]
        self.pairs = GraphExamples(self.graphs, pairs["folder"][kept], pairs["split"][kept], language, test_limit)
        self._unit = compact(self.source, self.pairs.all_asked)

    @property
    def dataset(self) -> str:
        """Name of the benchmark, and what is not asked in the usual way or not in full."""
        way = {"from_source": "", "to_source": f", to {self.source_language}", "both": ", both directions"}
        asked = f"{self.graphs.title}{way[self.direction]}{self.pairs.size('pairs')}"
        return f"{asked}, {self.candidates} candidates{_scaling(self.csls_neighbours)}"

    def language_of(self, key: str) -> str:
        """The end of a key of `test_sizes` that is not the source language: what the language groups go by."""
        return key.removesuffix(f"-{self.source_language}") if self.direction == "both" else key

    def _languages(self) -> list[str]:
        further = [f"{language}-{self.source_language}" for language in self.pairs.tested]
        return [*self.pairs.tested, *(further if self.direction == "both" else ())]

    def _benchmark(self, language: str, split: Split, limit: int | None) -> Benchmark:
        other = self.language_of(language)
        to_source = self.direction == "to_source" or other != language
        query, answer = (self.target, self.source) if to_source else (self.source, self.target)
        asked, here, text = (
            self.pairs.asked(other, split, limit),
            self.pairs.known(other, split),
            self.graphs.entity_text,
        )
        if self.candidates == "all" and split == "test":
            folder = self.pairs.folder_of(other, split)
            ranked = self.graphs.candidates(folder, self.source_language if to_source else other)
        else:
            ranked = np.unique(answer[asked])
        asked = sample(asked, limit)
        known = KnownAnswers(text[query[here]], answer[here], len(text)).others(text[query[asked]], answer[asked])
        parts = (("labels", text[query[asked]]),)
        return Benchmark(self._unit[asked], parts, answer[asked], known, ranked, text[ranked], self.csls_neighbours)

    def training_set(self, seed: int) -> TaskPairs:
        """Training pairs of the training languages; no two of a batch have an equal query or entities that are one.

        Raises:
            ValueError: If a training language has no pairs, or there are fewer than two.
        """
        chosen, text = self.pairs.train(self.train_languages), self.graphs.entity_text
        source, target = self.source[chosen], self.target[chosen]
        entity = joined(source, target, len(text))
        if self.direction == "both":
            query, answer = np.concatenate([source, target]), np.concatenate([target, source])
        else:
            query, answer = (source, target) if self.direction == "from_source" else (target, source)
        keys = (entity[answer], text[query])
        return TaskPairs(self.index, (("labels", text[query]),), text[answer], entity[answer], keys, seed)
