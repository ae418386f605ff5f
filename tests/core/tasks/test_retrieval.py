"""What the tasks share: label index, exact evaluation of designed embeddings, drawing of pairs."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoTokenizer

from core.corpora.records import Entity, TokenBatch
from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
from core.corpora.writer import CorpusWriter
from core.encoder.backbones import load_backbone
from core.encoder.text_encoder import TextEncoder
from core.evaluation.outcomes import LanguageRanks
from core.tasks.entity_alignment import EntityAlignment
from core.tasks.kg_completion import KGCompletion
from core.tasks.retrieval import Benchmark, LabelIndex, TaskPairs, evaluate, mean_reciprocal_rank, sample

# Six entities; in `de` three of them are called "x". A text's embedding is the angle after its letter.
NAMES = [("q1", "x0"), ("q2", "x0"), ("q3", "y30"), ("q4", "z60"), ("q5", "x0"), ("q6", "w90")]
ANGLES = {"q1": 10, "q2": 40, "q3": 80, "q4": 44, "q5": 0, "q6": 90, "x0": 0, "y30": 30, "z60": 60, "w90": 90}


class AngleEncoder:
    """Stands in for the encoder: embeds a text as the direction that `ANGLES` says, and counts what it embeds."""

    device = torch.device("cpu")

    def __init__(self, tokenizer) -> None:
        self.texts = {tuple(tokenizer(text).input_ids): text for text in ANGLES}
        self.embedded: list[str] = []

    def embed_all(self, batch: TokenBatch, tokens_per_pass: int, progress=None) -> torch.Tensor:
        ends = np.cumsum(batch.lengths)
        ids = [tuple(batch.ids[end - n : end].tolist()) for end, n in zip(ends, batch.lengths, strict=True)]
        self.embedded = [self.texts[i] for i in ids]
        angles = torch.deg2rad(torch.tensor([float(ANGLES[text]) for text in self.embedded]))
        return torch.stack([angles.cos(), angles.sin()], dim=1) * 3


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone: Path):
    return AutoTokenizer.from_pretrained(tiny_backbone)


@pytest.fixture(scope="module")
def angles(tokenizer, tmp_path_factory: pytest.TempPathFactory) -> LabelIndex:
    folder = tmp_path_factory.mktemp("angles")
    with CorpusWriter(folder / "corpus", "angles", "tests", "MIT", "") as writer:
        for i, (en, de) in enumerate(NAMES):
            writer.add_entities([Entity(f"a{i}", "point", "test", {"en": en, "de": de})])
    corpus = Corpus.open(folder / "corpus")
    return LabelIndex(corpus, TokenStore.of(corpus, tokenizer, folder / "tokens"))


@pytest.fixture(scope="module")
def tiny(tiny_corpus: Corpus, tokenizer, tmp_path_factory: pytest.TempPathFactory) -> LabelIndex:
    return LabelIndex(tiny_corpus, TokenStore.of(tiny_corpus, tokenizer, tmp_path_factory.mktemp("tokens")))


def benchmark(index: LabelIndex, gold: list[int], known: list[list[int]], candidates: list[int]) -> Benchmark:
    return Benchmark(
        np.asarray(gold),
        (("labels", index.rows("en")[gold]),),
        np.asarray(gold),
        tuple(np.asarray(k, int) for k in known),
        np.asarray(candidates),
        index.rows("de")[candidates],
    )


def test_ranks_by_hand(angles: LabelIndex, tokenizer) -> None:
    # Query 1 (10 degrees) wants x0: two more are called that. Query 2 (40) wants x0 as well: y30 and z60 are nearer.
    # Query 3 (80) wants y30: z60 and w90 are nearer. Query 4 (44) wants z60: y30 is nearer and known to be right.
    b = benchmark(angles, [0, 1, 2, 3], [[], [4], [3, 5], [2]], [0, 1, 2, 3, 4, 5])
    encoder = AngleEncoder(tokenizer)
    found = evaluate(encoder, angles, {"de": b})["de"]
    assert found.entity.tolist() == [0, 1, 2, 3]
    # Raw: every entity. Filtered: without the known answers. Released: the strings x0, y30, z60, each once.
    assert {k: v.tolist() for k, v in found.optimistic.items()} == {
        **{"raw": [1, 3, 3, 2], "filtered": [1, 3, 1, 1], "released": [1, 3, 2, 2]}
    }
    assert {k: v.tolist() for k, v in found.pessimistic.items()} == {
        **{"raw": [3, 5, 3, 2], "filtered": [3, 4, 1, 1], "released": [1, 3, 2, 2]}
    }
    assert sorted(encoder.embedded) == ["q1", "q2", "q3", "q4", "w90", "x0", "y30", "z60"]  # each string once


def test_fewer_candidates_rank_better(angles: LabelIndex, tokenizer) -> None:
    b = benchmark(angles, [1, 2], [[4], []], [1, 2])
    found = evaluate(AngleEncoder(tokenizer), angles, {"de": b})["de"]
    assert found.optimistic["raw"].tolist() == [2, 1]
    assert found.pessimistic["filtered"].tolist() == [2, 1]  # a known answer outside the candidates takes nothing away


def test_benchmarks_together_are_as_one_by_one(tiny: LabelIndex, tiny_backbone: Path, tmp_path: Path) -> None:
    encoder = TextEncoder(load_backbone(str(tiny_backbone), tmp_path), tiny.tokens.special, torch.device("cpu"))
    completion, alignment = KGCompletion(tiny, ("en",)), EntityAlignment(tiny, "en", ("de",))
    benchmarks = {("kg", lang): completion.benchmark(lang) for lang in ("en", "fr")}
    benchmarks |= {("ea", lang): alignment.benchmark(lang) for lang in ("de", "eo")}
    steps: list[tuple[int, int]] = []
    together = evaluate(encoder, tiny, benchmarks, 256, lambda done, total: steps.append((done, total)))
    assert list(together) == list(benchmarks)
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert len(steps) > 3
    for key, b in benchmarks.items():
        alone = evaluate(encoder, tiny, {key: b})[key]
        assert len(alone.entity) > 5
        for name in ("raw", "filtered", "released"):
            assert together[key].optimistic[name].tolist() == alone.optimistic[name].tolist()
            assert together[key].pessimistic[name].tolist() == alone.pessimistic[name].tolist()
            assert (alone.optimistic[name] >= 1).all()
            assert (alone.optimistic["filtered"] <= alone.optimistic["raw"]).all()


def test_rows_lead_to_the_labels(tiny: LabelIndex) -> None:
    labels = pq.read_table(tiny.corpus.path / "labels.parquet").to_pylist()
    for language in ("de", "en", "eo", "fr"):
        rows = tiny.rows(language)
        assert len(rows) == 48
        assert [(labels[r]["entity"], labels[r]["language"]) for r in rows] == [(e, language) for e in range(48)]
    texts = [label["text"] for label in labels]
    for number in (tiny.exact, tiny.normalised):  # all labels are lower-case ones
        assert len(set(number.tolist())) == len(set(texts)) < len(texts)
        assert len({(n, t) for n, t in zip(number.tolist(), texts, strict=True)}) == len(set(texts))


def test_a_missing_label_is_minus_one(tokenizer, tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus", "gaps", "tests", "MIT", "") as writer:
        writer.add_entities([Entity("a", "x", "test", {"en": "a"}), Entity("b", "x", "test", {"de": "b", "en": "B"})])
    corpus = Corpus.open(tmp_path / "corpus")
    index = LabelIndex(corpus, TokenStore.of(corpus, tokenizer, tmp_path / "tokens"))
    assert index.rows("de").tolist() == [-1, 1]
    assert index.rows("en").tolist() == [0, 2]
    assert index.exact[1] != index.exact[2]
    assert index.normalised[1] == index.normalised[2]
    with pytest.raises(ValueError, match=r"The corpus gaps has no labels in language 'fr'\. It has: de, en\."):
        index.rows("fr")


def test_a_sample_is_the_same_for_every_run_and_in_order() -> None:
    rows = np.asarray([3, 5, 8, 13, 21, 34, 55])
    drawn = sample(rows, 4).tolist()
    assert drawn == sorted(set(drawn))
    assert set(drawn) < set(rows.tolist())
    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    assert sample(rows, 4).tolist() == drawn
    assert sample(rows, 99).tolist() == rows.tolist()
    assert sample(rows, 0).tolist() == []
    assert sample(np.arange(1000), 300).mean() == pytest.approx(500, abs=60)  # spread over the rows


def test_the_validation_score_is_the_macro_mean_over_languages() -> None:
    def ranks(optimistic: list[int], pessimistic: list[int]) -> LanguageRanks:
        nothing = np.full(len(optimistic), 99)
        return LanguageRanks(
            np.arange(len(optimistic)),
            {"filtered": np.asarray(optimistic), "raw": nothing, "released": nothing},
            {"filtered": np.asarray(pessimistic), "raw": nothing, "released": nothing},
        )

    # de: ranks 1 and 2 (a tie of 1 and 3); fr: rank 4 alone.
    score = mean_reciprocal_rank([ranks([1, 1], [1, 3]), ranks([4], [4])])
    assert score == pytest.approx(((1 + 1 / 2) / 2 + 1 / 4) / 2)


def test_pairs_join_their_parts_and_keep_keys_apart(tiny: LabelIndex, tokenizer) -> None:
    english, german = tiny.rows("en"), tiny.rows("de")
    labels = pq.read_table(tiny.corpus.path / "labels.parquet")["text"].to_pylist()
    keys = (np.arange(48) // 2, np.arange(48) % 20)
    asked: list[np.ndarray] = []

    def known(drawn: np.ndarray) -> np.ndarray:
        asked.append(drawn)
        return np.eye(len(drawn), dtype=bool)

    pairs = TaskPairs(tiny, (("labels", english), ("labels", german[::-1])), german, keys, 4, known)
    assert len(pairs) == 48
    for _ in range(10):
        batch = pairs.sample(12)
        drawn = batch.entity  # row i of the pairs answers with entity i
        assert asked.pop().tolist() == drawn.tolist()
        assert len(set(keys[0][drawn])) == len(set(keys[1][drawn])) == len(drawn) > 6
        texts = [f"{labels[english[i]]} {labels[german[47 - i]]}" for i in drawn]
        assert batch.anchors.ids.tolist() == [i for ids in tokenizer(texts).input_ids for i in ids]
        answers = [labels[german[i]] for i in drawn]
        assert batch.positives.ids.tolist() == [i for ids in tokenizer(answers).input_ids for i in ids]
    state = pairs.state()
    expected = [pairs.sample(5).entity.tolist() for _ in range(3)]
    pairs.restore(state)
    assert [pairs.sample(5).entity.tolist() for _ in range(3)] == expected
    assert TaskPairs(tiny, (("labels", english),), german, keys, 4).sample(3).known is None
