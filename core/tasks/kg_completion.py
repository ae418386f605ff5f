"""Knowledge-graph completion (paper, section 5.2.1): subject and relation -> object, in one language.

The query is the text `[s ; r]`. Training triples are those of the training split in each training language. Known
answers are the other objects of the same subject and relation in any split.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.draws import KnownAnswers, KnownFacts, relation_label_rows
from core.corpora.records import Split
from core.encoder.backbones import Backbone
from core.tasks.graph_examples import GraphExamples
from core.tasks.name_index import Graphs, compact, in_another_language
from core.tasks.retrieval import Benchmark, LabelIndex, RankingTask
from core.tasks.task import sample
from core.tasks.training_pairs import TaskPairs


class KGCompletion(RankingTask):
    """The task on one corpus; a relation without a label in the language falls back to English.

    Args:
        index: Labels of the corpus.
        train_languages: Languages of the training triples.
        test_triples: Number of test triples asked, None for all; the same in every language.
        candidates: `all` entities with a label in the language, or those of the benchmark: subjects and objects of the
            triples asked.
    """

    name = "kg_completion"
    index: LabelIndex

    def __init__(
        self,
        index: LabelIndex,
        train_languages: Iterable[str] = ("el", "en", "es", "fr", "ja"),
        test_triples: int | None = None,
        candidates: str = "all",
    ) -> None:
        super().__init__(index, tuple(train_languages))
        corpus = index.corpus
        self.test_triples, self.candidates = test_triples, candidates
        self.subject, self.relation, self.object = (
            corpus.column("triples", c) for c in ("subject", "relation", "object")
        )
        self.relation_label = relation_label_rows(corpus, index.languages, fallback="en")
        self._query = self.subject.astype(np.int64) * corpus.info.counts["relations"] + self.relation
        self._known = KnownAnswers(self._query, self.object, corpus.info.counts["entities"])

    @property
    def dataset(self) -> str:
        """Name of the benchmark, with its size where it is a part of the corpus's test split."""
        size = "" if self.test_triples is None else f", {self.test_triples} test triples"
        return f"{self.index.corpus.info.name}{size}, {self.candidates} candidates"

    def _languages(self) -> list[str]:
        return self.index.corpus.languages

    def _benchmark(self, language: str, split: Split, limit: int | None) -> Benchmark:
        corpus, label = self.index.corpus, self.index.rows(language)
        asked = sample(corpus.rows_of("triples", split), self.test_triples if split == "test" else limit)
        if self.candidates == "all" and split == "test":
            ranked = np.arange(len(label))
        else:
            ranked = np.unique(np.concatenate([self.subject[asked], self.object[asked]]))
        ranked = ranked[label[ranked] >= 0]
        asked = sample(asked[(label[self.subject[asked]] >= 0) & (label[self.object[asked]] >= 0)], limit)
        relation = self.relation_label[self.relation[asked], self.index.languages.index(language)]
        parts = (("labels", label[self.subject[asked]]), ("relation_labels", relation))
        known = self._known.others(self._query[asked], self.object[asked])
        return Benchmark(self.subject[asked], parts, self.object[asked], known, ranked, label[ranked])

    def training_set(self, seed: int) -> TaskPairs:
        """Training triples with all labels in one training language.

        Raises:
            ValueError: If there are fewer than two.
        """
        facts, chosen = KnownFacts(self.index.corpus), []
        for language in self.train_languages:
            label = self.index.rows(language)
            t = facts.rows[(label[self.subject[facts.rows]] >= 0) & (label[self.object[facts.rows]] >= 0)]
            relation = self.relation_label[self.relation[t], self.index.languages.index(language)]
            chosen.append(np.stack([label[self.subject[t]], relation, label[self.object[t]], t]))
        subject, relation, object_, triple = np.concatenate(chosen, axis=1)
        if len(triple) < 2:
            raise ValueError(f"No training triple has its labels in one of {self.train_languages}.")
        entity = self.object[triple]
        anchors = (("labels", subject), ("relation_labels", relation))
        keys = (entity, self.subject[triple])
        return TaskPairs(self.index, anchors, object_, entity, keys, seed, lambda drawn: facts.matrix(triple[drawn]))


class BenchmarkCompletion(RankingTask):
    """The task on benchmark folders. The unit of the bootstrap is the subject, whatever language it is named in.

    Args:
        backbone: Whose tokenizer is used.
        data: Benchmark with the training and validation triples, and without `tests` the test triples.
        tests: Benchmarks with tests; a language's test, candidates and known answers are those of the first that has
            one.
        train_languages: Languages of the training triples.
        test_limit: Test triples asked per language, None for all.
        candidates: `all` entities of the language in the benchmark, or those of the `benchmark`: subjects and objects
            of the triples asked.
        code_switched: Whether texts of one example come from two languages, where the benchmark has a further one.
            A test query names the subject in another language, the same at every call; candidates stay in the language
            that is asked. A training pair keeps its subject, and has relation and object in other training languages,
            drawn once per seed. Which names are one entity's, `Graphs.same` says.
        phrase_tokens: Names are cut to this many tokens.
        prefix: Text put before every text.

    Raises:
        BenchmarkError: If a folder is for another task.
    """

    name = "kg_completion"

    def __init__(
        self,
        backbone: Backbone,
        data: BenchmarkData,
        tests: Sequence[BenchmarkData] = (),
        train_languages: Iterable[str] = ("el", "en", "es", "fr", "ja"),
        test_limit: int | None = None,
        candidates: Literal["all", "benchmark"] = "all",
        code_switched: bool = False,
        phrase_tokens: int = 32,
        prefix: str = "",
    ) -> None:
        self.graphs = graphs = Graphs("kg_completion", data, tests, backbone.tokenizer, phrase_tokens, prefix)
        super().__init__(graphs.index, tuple(train_languages))
        self.candidates, self.code_switched = candidates, code_switched
        triples = graphs.table("triples", ("language",), ("subject", "relation", "object"))
        self.subject, self.relation, self.object = (triples[c] for c in ("subject", "relation", "object"))
        self.triples = GraphExamples(graphs, triples["folder"], triples["split"], triples["language"], test_limit)
        self._same = graphs.same()
        self._unit = compact(self._same[self.subject], self.triples.all_asked)
        self._query = self._query_numbers(self.subject)
        self._known = KnownAnswers(self._query, self.object, len(self._same))
        everyone = np.arange(len(self._same))
        self._asked_as = everyone
        if code_switched:
            everywhere, fixed = np.ones(len(everyone), bool), np.random.default_rng(0)
            self._asked_as = in_another_language(everyone, self._same, graphs.entity_language, everywhere, fixed)

    def _query_numbers(self, subject: np.ndarray) -> np.ndarray:
        """A number per triple, equal where subject number and relation are."""
        return subject.astype(np.int64) * len(self.graphs.relation) + self.graphs.relation[self.relation]

    @property
    def dataset(self) -> str:
        """Name of the benchmark, and what is not asked in the usual way or not in full."""
        switched = ", code-switched" if self.code_switched else ""
        return f"{self.graphs.title}{switched}{self.triples.size('triples')}, {self.candidates} candidates"

    def _languages(self) -> list[str]:
        return list(self.triples.tested)

    def _benchmark(self, language: str, split: Split, limit: int | None) -> Benchmark:
        asked, text = self.triples.asked(language, split, limit), self.graphs.entity_text
        if self.candidates == "all" and split == "test":
            ranked = self.graphs.candidates(self.triples.folder_of(language, split), language)
        else:
            ranked = np.unique(np.concatenate([self.subject[asked], self.object[asked]]))
        asked = sample(asked, limit)
        subject = text[self._asked_as[self.subject[asked]]]
        parts = (("labels", subject), ("labels", self.graphs.relation_text[self.relation[asked]]))
        known = self._known.others(self._query[asked], self.object[asked])
        return Benchmark(self._unit[asked], parts, self.object[asked], known, ranked, text[ranked])

    def training_set(self, seed: int) -> TaskPairs:
        """Training triples of the training languages; no two of a batch have subjects or objects that are one entity.

        Raises:
            ValueError: If a training language has no triples, or there are fewer than two.
        """
        graphs, chosen = self.graphs, self.triples.train(self.train_languages)
        subject, relation, object_ = (column[chosen] for column in (self.subject, self.relation, self.object))
        same = self._same[object_]
        if self.code_switched:
            draws = np.random.default_rng(seed)
            first = (graphs.entity_folder == 0, graphs.relation_folder == 0)
            spoken = (graphs.entity_language, graphs.relation_language)
            entities, relations = (f & np.isin(s, self.train_languages) for f, s in zip(first, spoken, strict=True))
            object_ = in_another_language(object_, self._same, graphs.entity_language, entities, draws)
            relation = in_another_language(relation, graphs.relation, graphs.relation_language, relations, draws)
        anchors = (("labels", graphs.entity_text[subject]), ("labels", graphs.relation_text[relation]))
        query = self._query_numbers(self._same[self.subject])[chosen]
        known, keys = KnownAnswers(query, same, len(self._same)), (same, self._same[subject])
        return TaskPairs(
            self.index,
            anchors,
            graphs.entity_text[object_],
            same,
            keys,
            seed,
            lambda drawn: known.matrix(query[drawn], same[drawn]),
        )
