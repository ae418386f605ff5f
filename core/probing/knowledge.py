"""What the systems of a run answer when they are asked by hand: complete a triple, or align an entity.

Queries, candidates, known answers and ranks are those of the run's own task: a test query asked here has the rank that
the evaluation gives it under protocol strict, ranked by the cosine.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np
import pandas as pd

from core import task_config
from core.config import System
from core.corpora.records import SpecialTokens
from core.corpora.token_store import TokenTables
from core.probing.names import CorpusNames, Example, GraphNames, Names
from core.probing.nearest import Advance, Labels, NearestLabels, embed_tokens, name_tokens
from core.probing.queries import TASKS, Answers, Candidates, Kind, Query
from core.probing.trained import FUSED, Question, TrainedEncoder
from core.stages.task_building import build_tasks
from core.stages.workspace import open_corpus
from core.task_config import TaskName
from core.tasks.entity_alignment import BenchmarkAlignment, EntityAlignment
from core.tasks.kg_completion import BenchmarkCompletion, KGCompletion
from core.tasks.retrieval import LabelIndex, RankingTask

_MEMORY = 2**28  # bytes of label vectors that are kept
_QUERIES = 1000  # vectors of queries that are kept
_PLANS = {"kg_completion": task_config.KGCompletion, "entity_alignment": task_config.EntityAlignment}


class Knowledge:
    """A ranking task of a run, opened for questions by hand; one may serve several users.

    A run without the task is asked on its corpus.

    Args:
        encoder: The run's encoder.
        kind: What to ask.

    Raises:
        CorpusError, BenchmarkError, ValueError: If the task's data is gone or damaged.
    """

    def __init__(self, encoder: TrainedEncoder, kind: Kind) -> None:
        self.encoder, self.kind, self.task_name = encoder, kind, TASKS[kind]
        self.task = _open_task(encoder, self.task_name)
        self.names: Names
        if isinstance(self.task, KGCompletion | EntityAlignment):
            self.names = CorpusNames(self.task)
        else:
            self.names = GraphNames(cast(BenchmarkCompletion | BenchmarkAlignment, self.task))
        self._kept: OrderedDict[tuple[System, str, Candidates], NearestLabels] = OrderedDict()
        self._lock, self._vector = threading.Lock(), lru_cache(_QUERIES)(self._embedded)

    @property
    def systems(self) -> list[System]:
        """What can be asked, in the order of the paper's tables."""
        fused = self.task_name in self.encoder.fused_tasks
        return [system for system in self.encoder.systems if system != FUSED or fused]

    def test_keys(self) -> list[str]:
        """Keys of the task's test sets, those of the run's config in its order, or else all that are large enough."""
        config, sizes = self.encoder.run.config, self.task.test_sizes()
        plan = getattr(config.tasks, self.task_name)
        if plan and plan.test_languages:
            return [key for key in plan.test_languages if key in sizes]
        return [key for key, size in sizes.items() if size >= config.evaluation.min_queries] or list(sizes)

    def example(self, key: str, number: int) -> tuple[Query, int]:
        """A query of the test, never trained on, and the entity that answers it.

        Args:
            key: Key of a test set.
            number: Any number; the same gives the same query.
        """
        found = self.names.examples(key)
        chosen: Example = found[int(np.random.default_rng(0).permutation(len(found))[number % len(found)])]
        language = self.query_language(key)
        text = self.names.labels(np.asarray([chosen.entity]), language).text[0]
        return Query(language, text, chosen.relation, chosen.entity), chosen.gold

    def query_language(self, key: str) -> str:
        """Language of the queries of a test set."""
        if isinstance(self.task, BenchmarkAlignment):
            to_source = self.task.direction == "to_source" or self.task.language_of(key) != key
            return self.task.language_of(key) if to_source else self.task.source_language
        return self.task.source_language if isinstance(self.task, EntityAlignment) else key

    def answer_language(self, key: str) -> str:
        """Language of the answers of a test set."""
        language = self.task.language_of(key)
        if isinstance(self.task, BenchmarkAlignment) and self.query_language(key) == language:
            return self.task.source_language
        return language

    def test_of(self, language: str) -> str | None:
        """Key of the first test whose answers are in a language."""
        return next((key for key in self.test_keys() if self.answer_language(key) == language), None)

    def candidates(self, language: str, which: Candidates) -> Labels:
        """The labels to rank among in a language; all of them where no test answers in it."""
        key = self.test_of(language) if which == "test" else None
        asked = self.names.everyone(language) if key is None else self.task.benchmark(key).candidates
        return self.names.labels(asked, language)

    def known(self, query: Query, language: str) -> np.ndarray:
        """Every known answer to a query in a language, ascending."""
        meant = self.names.exactly(query.text, query.language)
        if query.relation is None:
            also = [] if query.entity is None else [query.entity]
            return self.names.named_in(np.union1d(meant, np.asarray(also, np.int64)), language)
        subjects = meant.tolist() if query.entity is None else [query.entity]
        objects = [self.names.objects(subject, query.relation) for subject in subjects]
        return self.names.named_in(np.unique(np.concatenate([np.zeros(0, np.int64), *objects])), language)

    def missing(self, systems: Sequence[System], languages: Sequence[str], which: Candidates) -> int:
        """Labels that an answer would have to embed first, over all systems."""
        there = [(s, language) for language in languages for s in systems if (s, language, which) in self._kept]
        sizes = {language: len(self.candidates(language, which)) for language in languages}
        return sum(sizes.values()) * len(systems) - sum(sizes[language] for _, language in there)

    def ask(
        self,
        query: Query,
        systems: Sequence[System],
        languages: Sequence[str],
        k: int = 5,
        which: Candidates = "test",
        progress: Advance | None = None,
    ) -> Answers:
        """Answers of some systems in some languages.

        Args:
            query: The question.
            systems: Systems of `systems`.
            languages: Languages of the answers.
            k: Answers of each.
            which: What to rank among.
            progress: Called with (labels done, labels in all) while labels are embedded; an error that it raises ends
                the work, and what is embedded by then is kept.
        """
        total, done, top, gold = self.missing(systems, languages, which), 0, [], []
        parts = (
            [query.text]
            if query.relation is None
            else [query.text, self.names.relations(query.language)[query.relation]]
        )
        for system in systems:
            vector = self._vector(system, *parts)
            for language in languages:
                if (system, language, which) not in self._kept and progress:
                    nearest = self.nearest(system, language, which, partial(_shifted, progress, done, total))
                    done += len(nearest.labels)
                else:
                    nearest = self.nearest(system, language, which)
                known, about = self.known(query, language), {"language": language, "system": system}
                top += [about | row for row in self._top(nearest, vector, k, known)]
                gold += [about | row for row in self._gold(nearest, vector, known, language)]
        return Answers(
            pd.DataFrame(top, columns=["language", "system", "place", "answer", "entity", "cosine", "gold"]),
            pd.DataFrame(gold, columns=["language", "system", "answer", "entity", "rank", "cosine", "candidates"]),
        )

    def question(self, system: System) -> Question:
        """How to ask the encoder for a system on this task."""
        return Question(system, self.task_name if system == FUSED else None)

    def nearest(
        self, system: System, language: str, which: Candidates, progress: Advance | None = None
    ) -> NearestLabels:
        """The candidates of a language under a system, embedded once and kept until newer ones need the room."""
        key = (system, language, which)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = NearestLabels.of(self.encoder, self.question(system), self.candidates(language, which), progress)
        with self._lock:
            self._kept[key] = found
            while sum(kept.nbytes for kept in self._kept.values()) > _MEMORY and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return found

    def _embedded(self, system: System, *parts: str) -> np.ndarray:
        """Vector of the query `[part ; part ...]` under a system, shape (1, dim)."""
        text = name_tokens(self.encoder, *([part] for part in parts))
        return embed_tokens(self.encoder, self.question(system), text)

    def _top(self, nearest: NearestLabels, vector: np.ndarray, k: int, known: np.ndarray) -> list[dict[str, Any]]:
        places, scores = nearest.search_places(vector, k)
        right = np.isin(nearest.labels.entity[places[0]], known)
        return [
            {
                "place": number,
                "answer": nearest.labels.text[place],
                "entity": self.names.entity_id(int(nearest.labels.entity[place])),
                "cosine": float(score),
                "gold": bool(is_right),
            }
            for number, (place, score, is_right) in enumerate(zip(places[0], scores[0], right, strict=True), 1)
        ]

    def _gold(
        self, nearest: NearestLabels, vector: np.ndarray, known: np.ndarray, language: str
    ) -> list[dict[str, Any]]:
        ranks, scores = nearest.ranks(np.repeat(vector, len(known), axis=0), known, [known] * len(known))
        labels = self.names.labels(known, language)
        return [
            {
                "answer": text,
                "entity": self.names.entity_id(int(entity)),
                "rank": rank,
                "cosine": score,
                "candidates": len(nearest.labels),
            }
            for entity, text, rank, score in zip(labels.entity, labels.text, ranks, scores, strict=True)
        ]


def _shifted(progress: Advance, before: int, total: int, done: int, _: int) -> None:
    progress(min(before + done, total), total)


def _open_task(encoder: TrainedEncoder, name: TaskName) -> RankingTask:
    """The run's own task, or the same on its corpus where it has none; nothing of the corpus is tokenised."""
    config = encoder.run.config
    plan = getattr(config.tasks, name) or _PLANS[name]()
    others = dict.fromkeys(config.tasks.chosen())
    config = config.model_copy(update={"tasks": config.tasks.model_copy(update=others | {name: plan})})
    special = SpecialTokens.of(encoder.backbone.tokenizer, config.backbone.prefix)
    index = LabelIndex(open_corpus(config), TokenTables(special, {}, {}))
    return cast(RankingTask, build_tasks(config, encoder.backbone, index)[name])
