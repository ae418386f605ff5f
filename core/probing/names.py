"""The names that a ranking task knows: entities and relations by language, found by text, with their known answers.

A task on a corpus numbers an entity once for all languages; one on benchmark folders numbers every name of it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.corpora.draws import relation_label_rows
from core.probing.nearest import LIMIT, Labels
from core.tasks.entity_alignment import BenchmarkAlignment, EntityAlignment
from core.tasks.kg_completion import BenchmarkCompletion, KGCompletion
from core.tasks.task import sample


@dataclass(frozen=True)
class Example:
    """A test query of a task: the entity asked about, the relation of a triple, and the entity that answers."""

    entity: int
    relation: str | None
    gold: int


class Names(ABC):
    """Names of entities and relations.

    Attributes:
        title: Name of the data.
        languages: Languages with names of entities.
    """

    title: str
    languages: list[str]

    def __init__(self) -> None:
        self._found: dict[str, tuple[np.ndarray, pa.Array]] = {}

    @abstractmethod
    def _names(self, language: str) -> tuple[np.ndarray, pa.Array]:
        """Entities with a name in a language, and the names."""

    @abstractmethod
    def entity_id(self, entity: int) -> str:
        """The source's identifier of an entity."""

    @abstractmethod
    def relations(self, language: str) -> dict[str, str]:
        """Identifier of every relation -> its name in a language, as a test query in it has it."""

    @abstractmethod
    def objects(self, subject: int, relation: str) -> np.ndarray:
        """Objects of all facts of a subject and relation, ascending, of every split."""

    @abstractmethod
    def named_in(self, entities: np.ndarray, language: str) -> np.ndarray:
        """The numbers under which entities go in a language, ascending."""

    @abstractmethod
    def everyone(self, language: str) -> np.ndarray:
        """Every entity that can answer in a language, ascending."""

    @abstractmethod
    def examples(self, key: str) -> list[Example]:
        """The test queries of a task under a key of its `test_sizes`."""

    def names(self, language: str) -> tuple[np.ndarray, pa.Array]:
        """Entities with a name in a language, shape (names,), and the names, in the same order."""
        if language not in self._found:
            self._found[language] = self._names(language)
        return self._found[language]

    def labels(self, entities: np.ndarray, language: str, limit: int | None = LIMIT) -> Labels:
        """Names of some entities in a language; of more than `limit` an even draw, always the same."""
        numbers, texts = self.names(language)
        rows = sample(np.flatnonzero(np.isin(numbers, entities)), limit)
        rows = rows[np.argsort(numbers[rows], kind="stable")]
        return Labels(numbers[rows], texts.take(pa.array(rows)).to_pylist())

    def exactly(self, text: str, language: str) -> np.ndarray:
        """Entities with this very name in a language, ascending."""
        numbers, texts = self.names(language)
        return np.unique(numbers[pc.equal(texts, text).to_numpy(zero_copy_only=False)])

    def find(self, text: str, language: str, limit: int = 20) -> Labels:
        """Names that hold a text, whatever its case: first equal ones, then those that begin with it, short ones first."""
        numbers, texts = self.names(language)
        rows = np.flatnonzero(pc.match_substring(texts, text, ignore_case=True).to_numpy(zero_copy_only=False))
        found, low = texts.take(pa.array(rows)).to_pylist(), text.casefold()
        order = sorted(
            range(len(rows)),
            key=lambda i: (found[i] != text, not found[i].casefold().startswith(low), len(found[i]), found[i]),
        )[:limit]
        return Labels(numbers[rows[order]], [found[i] for i in order])


class CorpusNames(Names):
    """The names of a corpus, for a task on it."""

    def __init__(self, task: KGCompletion | EntityAlignment) -> None:
        super().__init__()
        self.task, self.corpus = task, task.index.corpus
        self.title, self.languages = self.corpus.info.name, self.corpus.languages
        self._relations = self.corpus.table("relations")["id"].to_pylist()
        self._ids = self.corpus.table("entities")["id"].combine_chunks()

    def _names(self, language: str) -> tuple[np.ndarray, pa.Array]:
        label = self.task.index.rows(language)
        entities = np.flatnonzero(label >= 0)
        return entities, self.corpus.texts("labels").text.take(pa.array(label[entities]))

    def entity_id(self, entity: int) -> str:
        """The source's identifier of an entity."""
        return str(self._ids[int(entity)].as_py())

    def relations(self, language: str) -> dict[str, str]:
        """Identifier of every relation -> its name in a language, English where it has none."""
        index = self.task.index
        rows = relation_label_rows(self.corpus, index.languages, fallback="en")[:, index.languages.index(language)]
        texts = self.corpus.texts("relation_labels").text
        return {id: texts[int(row)].as_py() for id, row in zip(self._relations, rows, strict=True) if row >= 0}

    def objects(self, subject: int, relation: str) -> np.ndarray:
        """Objects of all facts of a subject and relation, ascending, of every split."""
        subjects, relations, objects = (self.corpus.column("triples", c) for c in ("subject", "relation", "object"))
        return np.unique(objects[(subjects == subject) & (relations == self._relations.index(relation))])

    def named_in(self, entities: np.ndarray, language: str) -> np.ndarray:
        """The entities with a name in a language, ascending."""
        return np.intersect1d(entities, self.everyone(language))

    def everyone(self, language: str) -> np.ndarray:
        """Every entity with a name in the language, ascending."""
        return self.names(language)[0]

    def examples(self, key: str) -> list[Example]:
        """The test queries of a key."""
        asked = self.task.benchmark(key)
        ids: list[str | None] = [None] * len(asked)
        if isinstance(self.task, KGCompletion):
            rows = self.corpus.column("relation_labels", "relation")[asked.parts[1][1]]
            ids = [self._relations[row] for row in rows]
        return [Example(*found) for found in zip(asked.entity.tolist(), ids, asked.gold.tolist(), strict=True)]


class GraphNames(Names):
    """The names of benchmark folders, for a task on them."""

    def __init__(self, task: BenchmarkCompletion | BenchmarkAlignment) -> None:
        super().__init__()
        self.task, self.graphs = task, task.graphs
        graphs = self.graphs
        self.title, self.languages = graphs.title, sorted(set(graphs.entity_language.tolist()))
        self._examples = task.triples if isinstance(task, BenchmarkCompletion) else task.pairs
        self._entities = [name for folder in graphs.folders for name in folder.texts("entities", "name")]
        self._entity_ids = [id for folder in graphs.folders for id in folder.texts("entities", "id")]
        self._relation_names = [name for folder in graphs.folders for name in folder.texts("relations", "name")]
        self._relation_ids = [id for folder in graphs.folders for id in folder.texts("relations", "id")]
        self._same = graphs.same()

    def _names(self, language: str) -> tuple[np.ndarray, pa.Array]:
        entities = np.flatnonzero(self.graphs.entity_language == language)
        return entities, pa.array([self._entities[entity] for entity in entities], pa.large_string())

    def entity_id(self, entity: int) -> str:
        """The source's identifier of an entity."""
        return self._entity_ids[int(entity)]

    def relations(self, language: str) -> dict[str, str]:
        """Identifier of every relation -> its name in a language, English where it has none."""
        graphs, found = self.graphs, dict[str, tuple[int, str]]()
        for row in np.flatnonzero(graphs.relation_folder == self._folder(language)).tolist():
            preference = (
                [language, "en"].index(code) if (code := graphs.relation_language[row]) in (language, "en") else 2
            )
            known = found.get(self._relation_ids[row])
            if known is None or preference < known[0]:
                found[self._relation_ids[row]] = preference, self._relation_names[row]
        return {id: name for id, (_, name) in found.items()}

    def objects(self, subject: int, relation: str) -> np.ndarray:
        """Objects of all facts of a subject and relation, ascending, of every split."""
        task = self.task
        if not isinstance(task, BenchmarkCompletion):
            return np.zeros(0, np.int64)
        asked = task.subject == subject
        ids = np.asarray([self._relation_ids[row] == relation for row in task.relation[asked].tolist()], bool)
        return np.unique(task.object[asked][ids])

    def named_in(self, entities: np.ndarray, language: str) -> np.ndarray:
        """The entities themselves in their own language, and those that are the same in it, ascending."""
        spoken, everyone = self.graphs.entity_language, self.everyone(language)
        own = entities[spoken[entities] == language]
        others = everyone[np.isin(self._same[everyone], self._same[entities[spoken[entities] != language]])]
        return np.union1d(own, others)

    def everyone(self, language: str) -> np.ndarray:
        """Every entity of the language in the folder that asks in it, ascending."""
        return self.graphs.candidates(self._folder(language), language)

    def examples(self, key: str) -> list[Example]:
        """The test queries of a key, in the order of the evaluation."""
        task = self.task
        if isinstance(task, BenchmarkCompletion):
            asked = task.triples.asked(key, "test")
            rows = zip(task.subject[asked], task.relation[asked], task.object[asked], strict=True)
            return [Example(int(s), self._relation_ids[int(r)], int(o)) for s, r, o in rows]
        other = task.language_of(key)
        asked = task.pairs.asked(other, "test")
        ends = [task.source[asked].tolist(), task.target[asked].tolist()]
        if task.direction == "to_source" or other != key:
            ends.reverse()
        return [Example(query, None, gold) for query, gold in zip(*ends, strict=True)]

    def _folder(self, language: str) -> int:
        """The folder whose test asks in a language, else the first with names in it."""
        if language in self._examples.tested:
            return self._examples.tested[language]
        there = set(self.graphs.entity_folder[self.graphs.entity_language == language].tolist())
        return min(there & set(self.graphs.test_folders) or there)
