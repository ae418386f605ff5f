"""Labels and identical strings by language, counted by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.naming import label_counts, shared_in_benchmark, shared_in_corpus
from core.corpora.records import Entity
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    entities = [
        Entity("Q1", "thing", "test", {"en": "Rome", "de": "Rom", "fr": "Rome"}),
        Entity("Q2", "thing", "test", {"en": "Paris", "de": "Paris", "fr": "Paris"}),
        Entity("Q3", "thing", "test", {"en": "Oslo", "de": "Oslo"}),
        Entity("Q4", "thing", "test", {"de": "Ohne"}),
        Entity("Q5", "thing", "train", {"en": "Bonn", "de": "Bonn"}),
    ]
    with CorpusWriter(tmp_path / "c", name="c", source="tests", licence="MIT", card="Five.") as writer:
        writer.add_entities(entities)
    return Corpus.open(tmp_path / "c")


def test_labels_by_language(corpus: Corpus) -> None:
    assert label_counts(corpus).to_dict("list") == {"language": ["de", "en", "fr"], "labels": [5, 4, 2]}


def test_of_three_german_test_labels_with_an_english_one_two_are_it(corpus: Corpus) -> None:
    found = shared_in_corpus(corpus).set_index("language")
    assert found.names.to_dict() == {"de": 3, "fr": 2}
    assert found.identical.to_dict() == pytest.approx({"de": 200 / 3, "fr": 100.0})


class Tables:
    """As much of a benchmark as is read."""

    def __init__(self, task: str, counts: dict[str, int], **tables: pa.Table) -> None:
        self.info = type("Info", (), {"task": task, "counts": counts, "name": "b"})
        self.tables = tables

    def table(self, name: str) -> pa.Table:
        return self.tables[name]


def graph(task: str) -> BenchmarkData:
    names = [("en", "Rome"), ("en", "Paris"), ("de", "Rom"), ("de", "Paris"), ("fr", "Rome"), ("fr", "Oslo")]
    entities = pa.table({"language": [x for x, _ in names], "name": [x for _, x in names]})
    pairs = [
        ("en", "de", "test", 0, 2),
        ("en", "de", "test", 1, 3),
        ("fr", "en", "test", 4, 0),
        ("en", "de", "train", 1, 3),
    ]
    columns = ("source_language", "target_language", "split", "source", "target")
    triples = pa.table({"split": ["test", "test", "train"], "object": [3, 5, 2]})
    return Tables(
        task,
        {"entities": 6, "pairs": 4, "triples": 3},
        entities=entities,
        pairs=pa.table(dict(zip(columns, map(list, zip(*pairs, strict=True)), strict=True))),
        triples=triples,
    )  # type: ignore[return-value]


def test_alignment_counts_its_test_pairs_in_both_directions() -> None:
    found = shared_in_benchmark(graph("entity_alignment")).set_index("language")
    assert found.names.to_dict() == {"de": 2, "fr": 1}
    assert found.identical.to_dict() == {"de": 50.0, "fr": 100.0}


def test_completion_counts_the_right_answers_that_a_pair_names() -> None:
    found = shared_in_benchmark(graph("kg_completion"))
    assert found.language.tolist() == ["de"]  # of the asked names 3 (Paris) and 5 (Oslo), no pair has the latter
    assert np.allclose(found.identical, 100.0)


def test_texts_have_no_names() -> None:
    with pytest.raises(ValueError, match="no graph"):
        shared_in_benchmark(Tables("ner", {"sentences": 3}))  # type: ignore[arg-type]
