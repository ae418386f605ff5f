"""Knowledge-graph completion (paper, section 5.2.1): subject and relation -> object, in one language.

The query is the text `[s ; r]`; a relation without a label in the language falls back to English. Training triples are
those of the training split in each training language. Known answers are the other objects of the same subject and
relation in any split.
"""

from collections.abc import Iterable

import numpy as np

from core.corpora.draws import KnownFacts, relation_label_rows
from core.corpora.records import Split
from core.tasks.retrieval import Benchmark, LabelIndex, TaskPairs, sample


class KGCompletion:
    """The task on one corpus.

    Args:
        index: Labels of the corpus.
        train_languages: Languages of the training triples.
        test_triples: Number of test triples asked, None for all.
        candidates: `all` entities with a label in the language, or those of the benchmark: subjects and objects of the
            triples asked.
    """

    name = "kg_completion"

    def __init__(
        self,
        index: LabelIndex,
        train_languages: Iterable[str] = ("el", "en", "es", "fr", "ja"),
        test_triples: int | None = None,
        candidates: str = "all",
    ) -> None:
        corpus = index.corpus
        self.index, self.train_languages = index, tuple(train_languages)
        self.test_triples, self.candidates = test_triples, candidates
        self.subject, self.relation, self.object = (
            corpus.column("triples", c) for c in ("subject", "relation", "object")
        )
        self.relation_label = relation_label_rows(corpus, index.languages, fallback="en")
        pair = self.subject.astype(np.int64) * corpus.info.counts["relations"] + self.relation
        self._order = np.argsort(pair, kind="stable")
        self._pair, self._sorted_pair = pair, pair[self._order]

    @property
    def dataset(self) -> str:
        """Name of the benchmark, with its size where it is a part of the corpus's test split."""
        size = "" if self.test_triples is None else f", {self.test_triples} test triples"
        return f"{self.index.corpus.info.name}{size}, {self.candidates} candidates"

    def languages(self) -> list[str]:
        """Every language that can be asked in."""
        return self.index.corpus.languages

    def benchmark(self, language: str, split: Split = "test", limit: int | None = None) -> Benchmark:
        """Queries and candidates of one language; `limit` bounds the queries of another split than the test."""
        corpus, label = self.index.corpus, self.index.rows(language)
        asked = corpus.rows_of("triples", split)
        limit = self.test_triples if split == "test" else limit
        if limit is not None:
            asked = sample(asked, limit)
        if self.candidates == "all" and split == "test":
            ranked = np.arange(len(label))
        else:
            ranked = np.unique(np.concatenate([self.subject[asked], self.object[asked]]))
        ranked = ranked[label[ranked] >= 0]
        asked = asked[(label[self.subject[asked]] >= 0) & (label[self.object[asked]] >= 0)]
        relation = self.relation_label[self.relation[asked], self.index.languages.index(language)]
        parts = (("labels", label[self.subject[asked]]), ("relation_labels", relation))
        known = tuple(self._other_objects(asked))
        return Benchmark(self.subject[asked], parts, self.object[asked], known, ranked, label[ranked])

    def _other_objects(self, triples: np.ndarray) -> Iterable[np.ndarray]:
        low, high = (np.searchsorted(self._sorted_pair, self._pair[triples], side) for side in ("left", "right"))
        for a, b, triple in zip(low, high, triples, strict=True):
            objects = np.unique(self.object[self._order[a:b]])
            yield objects[objects != self.object[triple]]

    def training_pairs(self, seed: int) -> TaskPairs:
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
        keys = (self.object[triple], self.subject[triple])
        anchors = (("labels", subject), ("relation_labels", relation))
        return TaskPairs(self.index, anchors, object_, keys, seed, lambda drawn: facts.matrix(triple[drawn]))
