"""Test sets in further languages, out of the English ones and a label store (paper, section 5.2, footnote 9).

An English name is matched to an entity of the store; its label in another language takes its place. The relation stays
English, as in the released files, or takes its own label. The authors' code is `extend_kgdataset` in
exp/preprocessing/preprocessing.py of yifan-h/Multilingual_Space; `RELEASED` are its rules. Ours differ by default:

* Theirs cut every DBpedia name at its first comma and bracket ("Washington, D.C." becomes "Washington"); we try the
  whole name first, and cut brackets only.
* A label of several entities means the last of them in completion, and all of them in alignment; here it means none. No
  rule of ours gives all.
* Theirs keep triples that become equal, and names of homonyms that were not meant; ours merge and skip.
* They replace the tests of the benchmark's own languages, English included, by translated ones; we keep those.
* For alignment they also write training pairs in every language; we make tests only, and like them leave out names
  that are trained on.

Every entity of the benchmark's English graph that has a label becomes a candidate in the language, not only the answers;
and the English training and validation triples become known ones, for a filtered rank leaves every right answer out.
"""

import csv
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from core.corpora.benchmarks.draft import write_benchmark
from core.corpora.benchmarks.name_matching import AMBIGUOUS, UNMATCHED, MatchRules, labels_in, match_names
from core.corpora.benchmarks.store import KNOWN, MAIN, SCHEMAS, BenchmarkData, BenchmarkError, Task
from core.corpora.store import Corpus

_ENGLISH = "en"
_TABLE = Path(__file__).with_name("extended_languages.csv")
_LOSSES = {  # columns of the report, which sum to `given`
    "kg_completion": ("unmatched_subject", "unmatched_object", "unmatched_both", "ambiguous", "no_label"),
    "entity_alignment": ("trained", "unmatched", "ambiguous", "no_label"),
}


@dataclass(frozen=True)
class ExtensionRules:
    """How a benchmark is extended.

    Attributes:
        match: How English names find their entity.
        relations: `english` relations, or their `label` in the language where the store has a relation with the same
            English label that has one.
        own_tests: Whether to `keep` the tests of languages that have one, or `replace` them.
    """

    match: MatchRules = field(default_factory=MatchRules)
    relations: Literal["english", "label"] = "english"
    own_tests: Literal["keep", "replace"] = "keep"


RELEASED: dict[Task, ExtensionRules] = {
    "kg_completion": ExtensionRules(MatchRules(("no_comma",), ambiguous="last"), own_tests="replace"),
    "entity_alignment": ExtensionRules(MatchRules(("whole",), ignore_case=True, ambiguous="last"), own_tests="replace"),
}


def paper_sizes(task: Task) -> dict[str, int]:
    """The paper's test languages of a task, in its order, with their test sizes (Tables 9 and 10)."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {row["language"]: int(row["n_test"]) for row in csv.DictReader(file) if row["task"] == task}


def extend(
    benchmark: BenchmarkData,
    labels: Corpus,
    target: Path,
    languages: Sequence[str] | None = None,
    rules: ExtensionRules | None = None,
) -> BenchmarkData:
    """Write a benchmark with tests in more languages; what was lost where is in its `build["extensions"]`.

    Args:
        benchmark: A benchmark of completion or alignment with English tests.
        labels: The label store: any corpus with English labels.
        target: Folder to create.
        languages: Languages to add; None adds the paper's.
        rules: The rules; None takes the defaults.

    Raises:
        BenchmarkError: If the benchmark has another task or no English test, or nothing was found.
        ValueError: If the store has no label in English, or in a language that was asked for.
    """
    info, rules = benchmark.info, rules or ExtensionRules()
    if info.task not in _LOSSES:
        raise BenchmarkError(f"{info.name} is {info.task}; {' and '.join(_LOSSES)} can be extended.")
    if missing := sorted({_ENGLISH, *(languages or ())} - set(labels.languages)):
        raise ValueError(f"{labels.path} has no labels in {', '.join(missing)}. It has: {', '.join(labels.languages)}.")
    languages = list(dict.fromkeys(languages or paper_sizes(info.task)))
    work = _Extension(benchmark, labels, rules, languages)
    report = {language: work.add(language) for language in languages}
    if not any(row["kept"] for row in report.values()):
        raise BenchmarkError(f"No test of {info.name} has names in {labels.path}: nothing to add. {work.names}")
    extension = {
        "labels": {"name": labels.info.name, "fingerprint": labels.info.fingerprint},
        "rules": asdict(rules),
        "names": work.names,
        "languages": report,
    }
    added = ", ".join(language for language, row in report.items() if row["kept"])
    about = {key: getattr(info, key) for key in ("task", "source", "licence", "labels")} | {
        "name": info.name if info.name.endswith("-extended") else f"{info.name}-extended",
        "card": f"{info.card}\nThe tests in {added} are English ones with the labels of {labels.info.name}.\n",
        "build": info.build | {"extensions": [*info.build.get("extensions", []), extension]},
    }
    return write_benchmark(target, about, work.tables())


class _Extension:
    """One extension on its way: rows to add, by table, and the languages whose tests they replace."""

    def __init__(
        self, benchmark: BenchmarkData, labels: Corpus, rules: ExtensionRules, languages: Collection[str]
    ) -> None:
        self.benchmark, self.rules, self.task = benchmark, rules, benchmark.info.task
        self.main = MAIN[self.task]
        self.new: dict[str, list[tuple[Any, ...]]] = {"entities": [], "relations": [], self.main: []}
        self.replaced: set[str] = set()
        key = "language" if self.main == "triples" else "source_language"
        self.asked = benchmark.rows(self.main, **{key: _ENGLISH, "split": "test"})
        if not len(self.asked):
            raise BenchmarkError(f"{benchmark.info.name} has no English test {self.main}.")
        self.known = benchmark.texts("entities", "name")
        self.english = benchmark.rows("entities", language=_ENGLISH)
        self.match = np.full(len(self.known), UNMATCHED, np.int64)  # entity of the benchmark -> of the store
        self.match[self.english] = match_names([self.known[row] for row in self.english], labels, rules.match)
        self.store_id = labels.table("entities")["id"]
        self.label = labels_in(labels, self.match[self.match >= 0], languages)
        self.relation_label = _relation_labels(labels) if rules.relations == "label" else {}
        names = {self.known[row]: self.match[row] for row in self.english}
        self.names = {
            "names": len(names),
            "matched": sum(int(match >= 0) for match in names.values()),
            "ambiguous": sum(int(match == AMBIGUOUS) for match in names.values()),
        }

    def add(self, language: str) -> dict[str, int]:
        """Add the test of a language; returns what became of the English one."""
        own = len(self._tests(language))
        losses = dict.fromkeys(_LOSSES[self.task], 0)
        if own and self.rules.own_tests == "keep":
            return {"given": 0, **losses, "duplicates": 0, "kept": 0, "own": own}
        if own:
            self.replaced.add(language)
        entity = self._entities(language)
        found = (self._triples if self.main == "triples" else self._pairs)(language, entity, losses)
        rows = list(dict.fromkeys(found))
        self.new[self.main] += rows
        given = sum(losses.values()) + len(found)
        return {"given": given, **losses, "duplicates": len(found) - len(rows), "kept": len(rows), "own": 0}

    def _tests(self, language: str) -> np.ndarray:
        """Rows of the benchmark's own test in a language."""
        if self.main == "triples":
            return self.benchmark.rows("triples", split="test", language=language)
        return self.benchmark.rows("pairs", split="test", source_language=_ENGLISH, target_language=language)

    def _entities(self, language: str) -> dict[int, int]:
        """Entity of the store -> row of its label in the language; known names of the language keep their row."""
        first = len(self.known) + len(self.new["entities"])
        rows = {self.known[row]: int(row) for row in self.benchmark.rows("entities", language=language)[::-1]}
        found = {}
        for entity in dict.fromkeys(self.match[self.english].tolist()):
            if entity >= 0 and (label := self.label[language].get(entity)):
                if label in rows:
                    found[entity] = rows[label]
                    continue
                self.new["entities"].append((language, self.store_id[entity].as_py(), label, ""))
                found[entity] = first
                first += 1
        return found

    def _triples(self, language: str, entity: dict[int, int], losses: dict[str, int]) -> list[tuple[Any, ...]]:
        subjects, relations, objects = self._matched(self.asked)
        no_subject, no_object = subjects == UNMATCHED, objects == UNMATCHED
        losses["unmatched_subject"] = int((no_subject & ~no_object).sum())
        losses["unmatched_object"] = int((no_object & ~no_subject).sum())
        losses["unmatched_both"] = int((no_subject & no_object).sum())
        matched = ~no_subject & ~no_object
        losses["ambiguous"] = int((matched & ((subjects == AMBIGUOUS) | (objects == AMBIGUOUS))).sum())
        further = self._matched(self._seen)
        relation = self._relations(language, np.unique(np.concatenate([relations, further[1]])))
        found = []
        for subject, r, object_ in zip(subjects, relations, objects, strict=True):
            if min(subject, object_) >= 0:
                if {subject, object_} <= entity.keys():
                    found.append((language, "test", entity[subject], relation[r], entity[object_]))
                else:
                    losses["no_label"] += 1
        self.new["triples"] += [
            (language, KNOWN, entity[subject], relation[r], entity[object_])
            for subject, r, object_ in zip(*further, strict=True)
            if {subject, object_} <= entity.keys()
        ]
        return found

    def _matched(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Subject, relation and object of triples: the ends as entities of the store, the relation as a row."""
        subject, relation, object_ = (
            self.benchmark.column("triples", c)[rows] for c in ("subject", "relation", "object")
        )
        return self.match[subject], relation, self.match[object_]

    @cached_property
    def _seen(self) -> np.ndarray:
        """Rows of the English triples that are not of the test: further right answers of the tests made of it."""
        rows = [self.benchmark.rows("triples", language=_ENGLISH, split=split) for split in ("train", "valid")]
        return np.concatenate(rows)

    def _relations(self, language: str, rows: np.ndarray) -> dict[int, int]:
        """English relation -> the row that stands for it: equal names are one, for the triples would be equal."""
        table = self.benchmark.table("relations")
        first = len(table) + len(self.new["relations"])
        by_name: dict[str, int] = {}
        for row in rows.tolist():
            id, name = table["id"][row].as_py(), table["name"][row].as_py()
            label = self.relation_label.get((language, name.casefold()))
            if name not in by_name and label:
                by_name[name] = first
                first += 1
                self.new["relations"].append((language, id, label, ""))
            by_name.setdefault(name, row)
        return {row: by_name[table["name"][row].as_py()] for row in rows.tolist()}

    def _pairs(self, language: str, entity: dict[int, int], losses: dict[str, int]) -> list[tuple[Any, ...]]:
        found = []
        for source in np.unique(self.benchmark.column("pairs", "source")[self.asked]).tolist():
            match = int(self.match[source])
            if self.known[source] in self._trained:
                losses["trained"] += 1
            elif match < 0:
                losses["unmatched" if match == UNMATCHED else "ambiguous"] += 1
            elif match not in entity:
                losses["no_label"] += 1
            else:
                found.append((_ENGLISH, language, "test", source, entity[match]))
        return found

    @cached_property
    def _trained(self) -> set[str]:
        """English names of pairs that are not of the test."""
        rows = [self.benchmark.rows("pairs", source_language=_ENGLISH, split=split) for split in ("train", "valid")]
        return {self.known[row] for row in self.benchmark.column("pairs", "source")[np.concatenate(rows)]}

    def tables(self) -> dict[str, pa.Table]:
        """The tables of the extended benchmark."""
        found = {}
        for name, schema in SCHEMAS[self.task].items():
            table = self.benchmark.table(name)
            if name == self.main and self.replaced:
                gone = [self._tests(language) for language in sorted(self.replaced)]
                table = table.take(pa.array(np.setdiff1d(np.arange(len(table)), np.concatenate(gone))))
            columns = list(zip(*self.new.get(name, []), strict=True)) or [()] * len(schema)
            added = [pa.array(column, type) for column, type in zip(columns, schema.types, strict=True)]
            found[name] = pa.concat_tables([table, pa.table(added, schema=schema)])
        return found


def _relation_labels(labels: Corpus) -> dict[tuple[str, str], str]:
    """(language, English label in lower case) -> label of the relation."""
    rows = labels.table("relation_labels").to_pylist()
    english = {row["relation"]: row["text"].casefold() for row in rows if row["language"] == _ENGLISH}
    return {
        (row["language"], english[row["relation"]]): row["text"]
        for row in rows
        if row["relation"] in english and row["language"] != _ENGLISH
    }
