"""Search among label vectors, and ranks of right answers, against sorting by hand."""

import numpy as np
import pytest

from core.corpora.store import Corpus
from core.probing.nearest import Labels, NearestLabels, corpus_labels
from tests.conftest import ENTITIES, label


def of(*cosines: float) -> np.ndarray:
    """Unit vectors of two dimensions with these cosines to (1, 0)."""
    found = np.asarray(cosines, np.float32)
    return np.stack([found, np.sqrt(1 - found**2)], axis=1)


@pytest.fixture
def nearest() -> NearestLabels:
    """Entities 10, 11, 12 and 13; 11 and 13 share the name `b`."""
    labels = Labels(np.asarray([10, 11, 12, 13]), ["a", "b", "c", "b"])
    return NearestLabels(labels, np.asarray([0, 1, 2, 1]), of(0.5, 0.9, 0.7))


QUERY = of(1.0)


def test_search_puts_the_nearest_first_and_equal_names_in_the_order_of_the_entities(nearest: NearestLabels) -> None:
    entities, cosines = nearest.search(QUERY, 3)
    assert entities.tolist() == [[11, 13, 12]]
    assert cosines[0] == pytest.approx([0.9, 0.9, 0.7])
    assert nearest.search(QUERY, 1)[0].tolist() == [[11]]
    assert nearest.search(QUERY, 99)[0].tolist() == [[11, 13, 12, 10]]


def test_search_is_a_stable_sort() -> None:
    draws = np.random.default_rng(3)
    vectors, queries = (draws.integers(-1, 2, (n, 3)).astype(np.float32) for n in (40, 7))
    column = draws.integers(0, 40, 60)
    nearest = NearestLabels(Labels(np.arange(60), ["x"] * 60), column, vectors)
    for k in (1, 5, 59, 60):
        found, cosines = nearest.search(queries, k)
        for query, entities, scores in zip(queries, found, cosines, strict=True):
            every = [float(query @ vectors[c]) for c in column]
            expected = sorted(range(60), key=lambda entity: (-every[entity], entity))[:k]
            assert entities.tolist() == expected
            assert scores.tolist() == [every[entity] for entity in expected]


def test_ranks_take_the_mean_over_ties_and_pass_over_known_answers(nearest: NearestLabels) -> None:
    query = np.repeat(QUERY, 5, axis=0)
    gold = np.asarray([10, 10, 11, 12, 99])
    known = [np.asarray(others, np.int64) for others in ([], [12, 10], [], [11], [10])]
    ranks, cosines = nearest.ranks(query, gold, known)
    assert ranks[:4].tolist() == [4.0, 3.0, 1.5, 2.0]  # of 12: 13 is better still
    assert np.isnan(ranks[4])
    assert cosines[:4] == pytest.approx([0.5, 0.5, 0.9, 0.7])


def test_labels_of_a_corpus(tiny_corpus: Corpus) -> None:
    labels = corpus_labels(tiny_corpus, "fr")
    assert dict(zip(labels.entity.tolist(), labels.text, strict=True)) == {e: label(e, "fr") for e in range(ENTITIES)}
    few = corpus_labels(tiny_corpus, "fr", 5)
    assert len(few) == 5
    assert few.entity.tolist() == corpus_labels(tiny_corpus, "fr", 5).entity.tolist()
    with pytest.raises(ValueError, match="no labels in language 'xx'"):
        corpus_labels(tiny_corpus, "xx")
