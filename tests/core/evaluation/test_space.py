"""Measures of a space against slow loops and cases worked by hand; layouts by what they must keep."""

import math

import numpy as np
import pytest

from core.evaluation import space


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_two_points_by_hand() -> None:
    east, north, west = np.eye(2, dtype=np.float32)[:1], np.eye(2, dtype=np.float32)[1:], np.float32([[-1, 0]])
    assert space.alignment(east, east) == 0
    assert space.alignment(east, north) == pytest.approx(2)
    assert space.alignment(np.concatenate([east, east]), np.concatenate([west, north])) == pytest.approx(3)
    # Uniformity of two points at squared distance d is -2 d.
    assert space.uniformity(np.concatenate([east, north])) == pytest.approx(-4)
    assert space.uniformity(np.concatenate([east, west])) == pytest.approx(-8, abs=1e-5)
    assert space.uniformity(np.concatenate([east, east])) == pytest.approx(0, abs=1e-6)
    assert math.isnan(space.uniformity(east))
    assert math.isnan(space.alignment(east[:0], east[:0]))


def test_measures_are_those_of_slow_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "_CHUNK", 100)  # several chunks
    first, second = unit(40, 6), unit(30, 6, seed=1)
    pairs = [(i, j) for i in range(40) for j in range(40) if i != j]
    kernel = [
        math.exp(-2 * sum((float(a) - float(b)) ** 2 for a, b in zip(first[i], first[j], strict=True)))
        for i, j in pairs
    ]
    assert space.uniformity(first) == pytest.approx(math.log(sum(kernel) / len(kernel)), rel=1e-5)
    counts = [0] * 30
    for row in first:
        for j in sorted(range(30), key=lambda j: -float(row @ second[j]))[:10]:
            counts[j] += 1
    mean = sum(counts) / 30
    variance, third = (sum((c - mean) ** p for c in counts) / 30 for p in (2, 3))
    assert space.hubness(first, second) == pytest.approx(third / variance**1.5)
    assert space.hubness(first, second) != 0
    for i, near in enumerate(space.nearest(first, 5)):
        assert near.tolist() == sorted((j for j in range(40) if j != i), key=lambda j: -float(first[i] @ first[j]))[:5]


def test_hubness_has_a_sign_and_needs_more_candidates_than_neighbours() -> None:
    query = unit(50, 8)
    assert math.isnan(space.hubness(query, query[:10]))
    assert space.hubness(np.tile(query[:1], (50, 1)), unit(12, 8, seed=1)) < 0  # 10 of 12 get all, 2 get none
    hub = np.concatenate([query.mean(0, keepdims=True) * 1000, -np.tile(query.mean(0), (40, 1)) + 0.01 * unit(40, 8)])
    assert space.hubness(query, hub, k=1) > 1
    assert space.hubness(query, query, k=1) == 0  # each is nearest once: even


def test_ranks_count_ties_against_the_translation_and_leave_out_right_answers() -> None:
    query = np.float32([[1, 0], [1, 0]])
    candidate = np.float32([[1, 0], [0, 1], [1, 0], [-1, 0]])
    gold = np.asarray([1, 0])
    right = np.zeros((2, 4), bool)
    right[[0, 1], gold] = True
    assert space.translation_ranks(query, candidate, gold, right).tolist() == [3, 2]
    right[1, 2] = True  # a homonym
    assert space.translation_ranks(query, candidate, gold, right).tolist() == [3, 1]


def slow_pairs(vectors: np.ndarray, rows: np.ndarray, names: np.ndarray) -> dict[str, np.ndarray]:
    """What `pair_measures` gives of hits, alignment and rank, one name at a time."""
    entities, languages = rows.shape
    hits, distance = np.full((languages, languages), np.nan), np.full((languages, languages), np.nan)
    ranks: dict[int, list[int]] = {name: [] for name in range(len(vectors))}
    for a in range(languages):
        for b in range(languages):
            asked = [e for e in range(entities) if a != b and rows[e, a] >= 0 and rows[e, b] >= 0]
            found, squared = [], []
            for e in asked:
                query, gold = rows[e, a], rows[e, b]
                score, rank = float(vectors[query] @ vectors[gold]), 1
                for other in range(entities):
                    candidate = rows[other, b]
                    if candidate < 0 or names[candidate] == names[gold]:
                        continue
                    if rows[other, a] >= 0 and names[rows[other, a]] == names[query]:
                        continue
                    rank += float(vectors[query] @ vectors[candidate]) >= score
                found.append(rank)
                squared.append(float(np.square(vectors[query] - vectors[gold]).sum()))
                ranks[query].append(rank)
            if asked:
                hits[a, b], distance[a, b] = np.mean([r == 1 for r in found]), np.mean(squared)
    median = [np.median(ranks[name]) if ranks[name] else np.nan for name in range(len(vectors))]
    return {"hits": hits, "alignment": distance, "rank": np.asarray(median)}


def test_pairs_of_languages_are_those_of_slow_loops() -> None:
    random = np.random.default_rng(3)
    there = random.random((25, 4)) < 0.7
    there[:, 3] = False  # a language without a name
    rows = np.full((25, 4), -1)
    rows[there] = np.arange(there.sum())
    names = np.arange(there.sum())
    names[random.integers(0, len(names), 12)] = names[random.integers(0, len(names), 12)]  # homonyms
    vectors = (unit(25, 5)[np.nonzero(there)[0]] + 0.6 * unit(int(there.sum()), 5, seed=1)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors[names]  # equal strings have equal vectors
    found, expected = space.pair_measures(vectors, rows, names), slow_pairs(vectors, rows, names)
    assert 0 < np.nanmean(expected["hits"]) < 1
    assert np.isnan(expected["rank"]).any()
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-5, err_msg=key)
    assert found["hubness"].shape == (4, 4)
    assert np.isnan(np.diag(found["hubness"])).all()
    a, b = np.flatnonzero(there[:, 0] & there[:, 1]), np.flatnonzero(there[:, 1])
    assert found["hubness"][0, 1] == space.hubness(vectors[rows[a, 0]], vectors[rows[b, 1]])


def test_homonyms_are_one_answer() -> None:
    """Two entities with one name in each language: each is the other's right answer."""
    rows = np.asarray([[0, 2], [1, 3]])
    vectors = np.float32([[1, 0], [1, 0], [1, 0], [1, 0]])
    assert space.pair_measures(vectors, rows, np.asarray([0, 0, 1, 1]))["hits"][0, 1] == 1
    assert space.pair_measures(vectors, rows, np.asarray([0, 5, 1, 6]))["hits"][0, 1] == 0  # a tie of strangers


def test_principal_components_are_those_of_a_singular_value_decomposition() -> None:
    spaces = np.random.default_rng(0).normal(size=(3, 40, 8)).astype(np.float32) * np.linspace(
        3, 0.5, 8, dtype=np.float32
    )
    spaces += np.arange(3, dtype=np.float32)[:, None, None]  # a shift of a whole system
    found = space.pca(spaces, 4)
    centred = spaces.astype(float) - spaces.astype(float).mean(1, keepdims=True)
    _, _, basis = np.linalg.svd(centred.reshape(-1, 8), full_matrices=False)
    basis = basis[:4] * np.sign(np.take_along_axis(basis[:4], np.abs(basis[:4]).argmax(1)[:, None], axis=1))
    np.testing.assert_allclose(found, centred @ basis.T, atol=1e-4)
    assert found.shape == (3, 40, 4)
    assert found.dtype == np.float32
    assert space.pca(spaces, 50).shape == (3, 40, 8)


@pytest.mark.slow  # compiles numba code the first time
def test_umap_layouts_keep_neighbours_and_are_the_same_with_the_same_seed() -> None:
    centres = np.random.default_rng(0).normal(size=(4, 10)) * 5
    group = np.arange(40) % 4
    one = (centres[group] + np.random.default_rng(1).normal(size=(40, 10))).astype(np.float32)
    reduced = np.stack([one, one + 0.1 * unit(40, 10), one[:, ::-1].copy()])
    aligned = space.aligned_umap(reduced, seed=1)
    assert aligned.shape == (3, 40, 2)
    assert aligned.dtype == np.float32
    np.testing.assert_array_equal(aligned, space.aligned_umap(reduced, seed=1))
    assert not np.array_equal(aligned, space.aligned_umap(reduced, seed=2))
    single = list(space.umap_layouts(reduced, seed=1))
    assert [layout.shape for layout in single] == [(40, 2)] * 3
    np.testing.assert_array_equal(single[0], next(space.umap_layouts(reduced[:1], seed=1)))
    for layout in (*aligned, *single):
        distances = np.linalg.norm(layout[:, None] - layout[None], axis=2) + 1e9 * np.eye(40)
        assert (group[distances.argmin(1)] == group).mean() > 0.9
    # One layout for all: a name moves less between systems than names lie apart.
    moved = np.linalg.norm(aligned[0] - aligned[1], axis=1).mean()
    assert moved < 0.5 * np.linalg.norm(aligned[0] - aligned[0].mean(0), axis=1).mean()
