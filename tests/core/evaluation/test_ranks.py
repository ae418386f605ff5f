"""Ranks against PyKEEN and a slow loop, on scores with many ties."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from core.evaluation.metrics import realistic_rank
from core.evaluation.ranks import Counts, Queries, count_better, rank_queries

QUERIES, ENTITIES, COLUMNS = 60, 50, 35


@pytest.fixture(scope="module")
def pykeen_ranks(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:  # PyKEEN makes a data folder when it is imported
        patch.setenv("PYSTOW_HOME", str(tmp_path_factory.mktemp("pystow")))
        from pykeen.evaluation.ranks import Ranks
    return Ranks


@dataclass
class Problem:
    """Entities with homonyms, scored by column; each query has a right entity and some known ones."""

    column: np.ndarray  # of each entity
    scores: np.ndarray  # of each query and column
    gold: np.ndarray  # entity of each query
    known: list[list[int]]  # further right entities of each query

    @property
    def queries(self) -> Queries:
        pairs = [(i, self.column[e]) for i, others in enumerate(self.known) for e in others]
        np.random.default_rng(1).shuffle(pairs)
        query, column = np.asarray(pairs).T
        return Queries(self.column[self.gold], query, column)

    @property
    def weight(self) -> torch.Tensor:
        return torch.from_numpy(np.bincount(self.column, minlength=COLUMNS))


def problem(seed: int, levels: int) -> Problem:
    rng = np.random.default_rng(seed)
    column = np.concatenate([np.arange(COLUMNS), rng.integers(COLUMNS, size=ENTITIES - COLUMNS)])
    gold = rng.integers(ENTITIES, size=QUERIES)
    known = [[int(e) for e in rng.permutation(ENTITIES)[: rng.integers(8)] if e != g] for g in gold]
    return Problem(column, rng.integers(levels, size=(QUERIES, COLUMNS)).astype(np.float32), gold, known)


PROBLEMS = [problem(seed, levels) for seed, levels in ((0, 3), (1, 6), (2, 1000), (3, 1))]


def slow_ranks(p: Problem, filtered: bool) -> tuple[list[int], list[int]]:
    """Optimistic and pessimistic ranks, entity by entity."""
    optimistic, pessimistic = [], []
    for i, gold in enumerate(p.gold):
        left_out = {gold, *(p.known[i] if filtered else ())}
        others = [p.scores[i, p.column[e]] for e in range(ENTITIES) if e not in left_out]
        better = sum(s > p.scores[i, p.column[gold]] for s in others)
        optimistic.append(1 + better)
        pessimistic.append(1 + better + sum(s == p.scores[i, p.column[gold]] for s in others))
    return optimistic, pessimistic


def assert_equal(counts: Counts, optimistic, pessimistic) -> None:
    assert counts.optimistic.tolist() == list(optimistic)
    assert counts.pessimistic.tolist() == list(pessimistic)


def test_the_problems_are_hard() -> None:
    """Ties, homonyms of the right answer, known answers that tie with it, and queries without any."""
    p = PROBLEMS[0]
    optimistic, pessimistic = (np.asarray(r) for r in slow_ranks(p, filtered=True))
    assert (pessimistic > optimistic + 5).any()
    assert any(p.column[e] == p.column[g] for g, others in zip(p.gold, p.known, strict=True) for e in others)
    assert [] in p.known
    assert p.weight.max() >= 3


@pytest.mark.parametrize("p", PROBLEMS)
def test_counts_against_a_slow_loop(p: Problem) -> None:
    raw, filtered = count_better(torch.from_numpy(p.scores), p.queries, p.weight)
    assert_equal(raw, *slow_ranks(p, filtered=False))
    assert_equal(filtered, *slow_ranks(p, filtered=True))


@pytest.mark.parametrize("p", PROBLEMS)
def test_ranks_against_pykeen(p: Problem, pykeen_ranks) -> None:
    by_entity = torch.from_numpy(p.scores[:, p.column])
    true = by_entity.gather(1, torch.from_numpy(p.gold)[:, None])
    masked = by_entity.clone()
    for i, others in enumerate(p.known):
        masked[i, others] = torch.nan  # as PyKEEN's evaluator does with known answers
    counts = count_better(torch.from_numpy(p.scores), p.queries, p.weight)
    for found, scores in zip(counts, (by_entity, masked), strict=True):
        expected = pykeen_ranks.from_scores(true, scores)
        assert_equal(found, expected.optimistic.tolist(), expected.pessimistic.tolist())
        assert realistic_rank(found.optimistic, found.pessimistic).tolist() == expected.realistic.tolist()


def exact_embeddings(rng: np.random.Generator, rows: int) -> torch.Tensor:
    """Rows of norm 1 or 2 with entries -1, 0, 1: cosines are exact in floating point, and tie often."""
    x = np.zeros((rows, 8), np.float32)
    for row in x:
        places = rng.permutation(8)[: rng.choice([1, 4])]
        row[places] = rng.choice([-1.0, 1.0], size=len(places))
    return torch.from_numpy(x)


@pytest.fixture
def embedded() -> tuple[torch.Tensor, torch.Tensor, Problem]:
    rng = np.random.default_rng(7)
    query, candidate, p = exact_embeddings(rng, QUERIES), exact_embeddings(rng, COLUMNS), problem(7, 2)
    cosine = query.double() @ candidate.double().T / (query.norm(dim=1)[:, None] * candidate.norm(dim=1)[None]).double()
    p.scores = cosine.numpy()
    return query, candidate, p


def test_queries_are_ranked_by_cosine_in_every_candidate_set(embedded) -> None:
    query, candidate, p = embedded
    strings = (p.weight > 0).long()  # every string once
    (raw, filtered), (once, _) = rank_queries(3 * query, 0.5 * candidate, p.queries, [p.weight, strings])
    assert_equal(raw, *slow_ranks(p, filtered=False))
    assert_equal(filtered, *slow_ranks(p, filtered=True))
    gold = p.scores[np.arange(QUERIES), p.column[p.gold]][:, None]
    better, as_good = (p.scores > gold).sum(1), (p.scores >= gold).sum(1)
    assert_equal(once, 1 + better, as_good)
    assert (np.asarray(slow_ranks(p, filtered=True)[0]) < np.asarray(slow_ranks(p, filtered=False)[0])).any()


def test_a_candidate_set_may_leave_columns_out(embedded) -> None:
    query, candidate, p = embedded
    asked = np.bincount(p.column[p.gold], minlength=COLUMNS) > 0
    assert 0 < asked.sum() < COLUMNS
    ((raw, _),) = rank_queries(query, candidate, p.queries, [torch.from_numpy(asked).long()])
    gold = p.scores[np.arange(QUERIES), p.column[p.gold]][:, None]
    assert_equal(raw, 1 + ((p.scores > gold) & asked).sum(1), ((p.scores >= gold) & asked).sum(1))


@pytest.mark.parametrize("chunk_bytes", [1, 4 * COLUMNS, 4 * COLUMNS * 7, 4 * COLUMNS * QUERIES, 2**27])
def test_chunks_change_nothing(embedded, chunk_bytes: int) -> None:
    query, candidate, p = embedded
    ((raw, filtered),) = rank_queries(query, candidate, p.queries, [p.weight], chunk_bytes)
    assert_equal(raw, *slow_ranks(p, filtered=False))
    assert_equal(filtered, *slow_ranks(p, filtered=True))


def test_no_known_answers(embedded) -> None:
    query, candidate, p = embedded
    nobody = Queries(p.column[p.gold], np.zeros(0, int), np.zeros(0, int))
    ((raw, filtered),) = rank_queries(query, candidate, nobody, [p.weight])
    assert raw.better.tolist() == filtered.better.tolist()
    assert raw.equal.tolist() == filtered.equal.tolist()
    assert_equal(raw, *slow_ranks(p, filtered=False))


def test_a_right_answer_alone_ranks_first() -> None:
    queries = Queries(np.zeros(2, int), np.zeros(0, int), np.zeros(0, int))
    ((raw, _),) = rank_queries(torch.ones(2, 3), torch.ones(1, 3), queries, [torch.ones(1)])
    assert raw.optimistic.tolist() == raw.pessimistic.tolist() == [1, 1]


def test_metrics_against_pykeen(pykeen_ranks) -> None:
    """Hits and mean reciprocal rank of `RankBasedEvaluator`'s metrics on its own ranks, and ours on ours."""
    from pykeen.metrics.ranking import HitsAtK, InverseHarmonicMeanRank

    from core.evaluation.metrics import RANKING_METRICS

    p = PROBLEMS[1]
    _, filtered = count_better(torch.from_numpy(p.scores), p.queries, p.weight)
    ranks = realistic_rank(filtered.optimistic, filtered.pessimistic)
    assert (ranks % 1 == 0.5).any()
    for k in (1, 3, 5, 10):
        assert RANKING_METRICS[f"Hit@{k}"].per_query(ranks).mean() == pytest.approx(100 * HitsAtK(k)(ranks))
    assert RANKING_METRICS["MRR"].per_query(ranks).mean() == pytest.approx(100 * InverseHarmonicMeanRank()(ranks))


def slow_csls(query: np.ndarray, candidate: np.ndarray, k: int) -> np.ndarray:
    """Lample et al. 2018, section 2.3, both terms, pair by pair, in double precision, shape (queries, columns)."""
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (query.astype(float), candidate.astype(float))]
    cosine = np.array([[float(x @ y) for y in unit[1]] for x in unit[0]])
    near_query = [np.mean(sorted(row)[::-1][:k]) for row in cosine]
    near_candidate = [np.mean(sorted(column)[::-1][:k]) for column in cosine.T]
    return np.array(
        [
            [2 * c - a - b for c, b in zip(r, near_candidate, strict=True)]
            for r, a in zip(cosine, near_query, strict=True)
        ]
    )


@pytest.mark.parametrize("k", [1, 10, QUERIES, 1000])
@pytest.mark.parametrize("chunk_bytes", [1, 4 * QUERIES * 9, 2**27])
def test_csls_against_a_slow_version(k: int, chunk_bytes: int) -> None:
    rng, p = np.random.default_rng(5), problem(5, 2)
    hub = rng.normal(size=6)
    query, candidate = (rng.normal(size=(rows, 6)) + hub for rows in (QUERIES, COLUMNS))
    p.scores = slow_csls(query, candidate, k)
    apart = np.abs(p.scores - p.scores[np.arange(QUERIES), p.column[p.gold]][:, None])
    assert apart[apart > 0].min() > 1e-6  # no near tie that rounding could turn
    tensors = [torch.from_numpy(x.astype(np.float32)) for x in (query, candidate)]
    ((raw, filtered),) = rank_queries(*tensors, p.queries, [p.weight], chunk_bytes, csls=k)
    assert_equal(raw, *slow_ranks(p, filtered=False))
    assert_equal(filtered, *slow_ranks(p, filtered=True))
    ((cosine, _),) = rank_queries(*tensors, p.queries, [p.weight], chunk_bytes)
    assert (cosine.better != raw.better).mean() > 0.3


def test_csls_by_hand() -> None:
    # Candidate 0 is the hub: nearest to every query by cosine. Query 2 means candidate 1, the only query near to it.
    angles = torch.deg2rad(torch.tensor([0.0, 10.0, 28.0])), torch.deg2rad(torch.tensor([15.0, 45.0]))
    query, candidate = (torch.stack([a.cos(), a.sin()], dim=1) for a in angles)
    queries = Queries(np.array([0, 0, 1]), np.zeros(0, int), np.zeros(0, int))
    for csls, ranks in ((None, [1, 1, 2]), (2, [1, 1, 1])):
        ((raw, _),) = rank_queries(query, candidate, queries, [torch.ones(2)], csls=csls)
        assert raw.optimistic.tolist() == raw.pessimistic.tolist() == ranks
