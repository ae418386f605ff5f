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
from core.tasks.entity_alignment import EntityAlignment
from core.tasks.kg_completion import KGCompletion
from core.tasks.retrieval import Benchmark, LabelIndex, evaluate, measure_together

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
    found = evaluate(encoder, [(angles, {"de": b})])["de"]
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
    found = evaluate(AngleEncoder(tokenizer), [(angles, {"de": b})])["de"]
    assert found.optimistic["raw"].tolist() == [2, 1]
    assert found.pessimistic["filtered"].tolist() == [2, 1]  # a known answer outside the candidates takes nothing away


def test_benchmarks_together_are_as_one_by_one(tiny: LabelIndex, tiny_backbone: Path, tmp_path: Path) -> None:
    encoder = TextEncoder(load_backbone(str(tiny_backbone), tmp_path), tiny.tokens.special, torch.device("cpu"))
    completion, alignment = KGCompletion(tiny, ("en",)), EntityAlignment(tiny, "en", ("de",))
    benchmarks = {("kg", lang): completion.benchmark(lang) for lang in ("en", "fr")}
    benchmarks |= {("ea", lang): alignment.benchmark(lang) for lang in ("de", "eo")}
    steps: list[tuple[int, int]] = []
    together = evaluate(encoder, [(tiny, benchmarks)], 256, lambda done, total: steps.append((done, total)))
    assert list(together) == list(benchmarks)
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert len(steps) > 3
    for key, b in benchmarks.items():
        alone = evaluate(encoder, [(tiny, {key: b})])[key]
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


def test_tasks_measured_together_are_as_alone(
    tiny: LabelIndex, angles: LabelIndex, tiny_backbone: Path, tmp_path: Path
) -> None:
    encoder = TextEncoder(load_backbone(str(tiny_backbone), tmp_path), tiny.tokens.special, torch.device("cpu"))
    tasks = {
        "kg": KGCompletion(tiny, ("en",)),
        "other": EntityAlignment(angles, "en", ("de",)),
        "ea": EntityAlignment(tiny, "en", ("de",)),
        "none": EntityAlignment(tiny, "en", ("de",), test_entities=0),
    }
    languages = {"kg": ["en", "fr"], "other": ["de"], "ea": ["de", "eo"], "none": ["de"]}
    batches: list[TokenBatch] = []
    embed_all = encoder.embed_all

    def watched(batch: TokenBatch, *others):
        batches.append(batch)
        return embed_all(batch, *others)

    encoder.embed_all = watched  # type: ignore[method-assign]
    steps: list[tuple[int, int]] = []
    together = measure_together(encoder, tasks, languages, 256, lambda done, total: steps.append((done, total)))
    texts = [
        tuple(b.ids[end - n : end]) for b in batches for end, n in zip(np.cumsum(b.lengths), b.lengths, strict=True)
    ]
    assert len(batches) == 2  # one for each corpus
    assert {total for _, total in steps} == {sum(len(text) for text in texts)}
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert steps[-1][0] == steps[-1][1]
    assert {key: list(found) for key, found in together.items()} == languages | {"none": []}
    for key, task in tasks.items():
        alone = task.measure(encoder, None, languages[key])
        assert list(alone) == list(together[key])
        for language, ranks in alone.items():
            assert len(ranks.entity) > 5
            for name in ("raw", "filtered", "released"):
                assert together[key][language].optimistic[name].tolist() == ranks.optimistic[name].tolist()
                assert together[key][language].pessimistic[name].tolist() == ranks.pessimistic[name].tolist()
    first = texts[: len(batches[0])]
    assert len(first) == len(set(first))  # languages of a task share queries, and tasks share names: each text once


def test_nothing_to_measure(tiny: LabelIndex) -> None:
    task = EntityAlignment(tiny, "en", ("de",), test_entities=0)
    assert task.test_sizes() == {}
    assert task.measure(None, None, ["de"]) == {}  # type: ignore[arg-type]
    assert measure_together(None, {"ea": task}, {"ea": ["de"]}) == {"ea": {}}  # type: ignore[arg-type]


def test_a_benchmark_is_made_once_and_a_part_of_it_keeps_its_candidates(tiny: LabelIndex) -> None:
    for task in (KGCompletion(tiny, ("en",)), EntityAlignment(tiny, "en", ("de",), candidates="benchmark")):
        whole, part = task.benchmark("de"), task.benchmark("de", "test", 3)
        assert task.benchmark("de") is whole
        assert len(part) == 3 < len(whole)
        assert set(part.gold.tolist()) <= set(whole.gold.tolist())
        assert part.candidates.tolist() == whole.candidates.tolist()
        assert len(task.probe_texts("de", 3)) == 3
        assert task.used_ids().tolist() == tiny.tokens.used_ids().tolist()
