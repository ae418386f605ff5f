"""Entity alignment on a corpus with missing labels and homonyms, against brute force over its tables."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from core.corpora.records import Entity, TokenBatch
from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
from core.corpora.writer import CorpusWriter
from core.encoder.backbones import load_backbone
from core.encoder.text_encoder import TextEncoder
from core.tasks.entity_alignment import EntityAlignment
from core.tasks.retrieval import LabelIndex, evaluate
from core.tasks.task import sample

ENTITIES = 40
SPLIT = ["test" if i % 5 == 0 else "valid" if i % 5 == 1 else "train" for i in range(ENTITIES)]


def labels_of(i: int) -> dict[str, str]:
    """Labels with gaps; some entities share their name in English, some in German, some in both."""
    stem = "".join("bdfgklmnprst"[(i * step) % 12] + "aeiou"[(i + step) % 5] for step in (1, 5, 7))
    english = {5: "tau", 10: "tau", 12: "tau", 20: "rho", 30: "rho"}.get(i, f"{stem}th")
    german = {0: "tor", 10: "tor", 31: "tor", 20: "rho", 30: "rho"}.get(i, f"{stem}sch")
    labels = {"en": english, "de": german, "fr": f"{stem}eau", "eo": f"{stem}oj"}
    missing = [lang for lang, gap in (("en", i % 7 == 4), ("de", i % 6 == 3), ("fr", i % 3 == 2)) if gap]
    return {lang: text for lang, text in labels.items() if lang not in missing and (lang != "eo" or i < 12)}


LABELS = [labels_of(i) for i in range(ENTITIES)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("towns") / "corpus"
    with CorpusWriter(folder, "towns", "tests", "MIT", "") as writer:
        writer.add_entities(Entity(f"t{i}", "town", SPLIT[i], LABELS[i]) for i in range(ENTITIES))
    return Corpus.open(folder)


def texts_of(batch: TokenBatch) -> list[list[int]]:
    ends = np.cumsum(batch.lengths)
    return [batch.ids[end - length : end].tolist() for end, length in zip(ends, batch.lengths, strict=True)]


def asked(split: str, language: str) -> list[int]:
    return [i for i in range(ENTITIES) if SPLIT[i] == split and {"en", language} <= set(LABELS[i])]


def same_english(i: int) -> set[int]:
    return {j for j in range(ENTITIES) if j != i and LABELS[j].get("en") == LABELS[i]["en"]}


def test_the_corpus_is_full_of_traps() -> None:
    assert same_english(10) == {5, 12}
    assert same_english(20) == {30}
    assert {i for i in range(ENTITIES) if LABELS[i].get("de") == "tor"} == {0, 10, 31}
    assert {language: len(asked("test", language)) for language in ("de", "fr", "eo")} == {"de": 6, "fr": 4, "eo": 3}
    assert any("en" not in LABELS[i] for i in range(ENTITIES) if SPLIT[i] == "test")


@pytest.mark.parametrize("language", ["de", "fr", "eo"])
def test_the_benchmark(index: LabelIndex, tokenizer, language: str) -> None:
    task = EntityAlignment(index, "en", ("de",))
    b = task.benchmark(language)
    gold = asked("test", language)
    assert len(b) == len(gold)
    assert b.gold.tolist() == b.entity.tolist() == gold
    assert [set(known.tolist()) for known in b.known] == [same_english(i) for i in gold]
    candidates = [i for i in range(ENTITIES) if language in LABELS[i]]
    assert b.candidates.tolist() == candidates
    queries = index.tokens.join(*(index.tokens.text(table, rows) for table, rows in b.parts))
    assert texts_of(queries) == tokenizer([LABELS[i]["en"] for i in gold]).input_ids
    labels = index.tokens.join(index.tokens.text("labels", b.labels))
    assert texts_of(labels) == tokenizer([LABELS[i][language] for i in candidates]).input_ids


def test_benchmark_candidates_are_the_entities_asked_about(index: LabelIndex) -> None:
    b = EntityAlignment(index, candidates="benchmark").benchmark("de")
    assert b.candidates.tolist() == b.gold.tolist() == asked("test", "de")
    everyone = EntityAlignment(index, candidates="all").benchmark("de")
    assert set(everyone.candidates.tolist()) > set(b.candidates.tolist())


def test_a_size_asks_about_the_same_entities_in_every_language(index: LabelIndex) -> None:
    task = EntityAlignment(index, test_entities=4)
    test = np.asarray([i for i in range(ENTITIES) if SPLIT[i] == "test"])
    chosen = set(sample(test, 4).tolist())
    assert len(chosen) == 4 < len(test)
    for language in ("de", "fr", "eo"):
        gold = task.benchmark(language).gold.tolist()
        assert gold == [i for i in asked("test", language) if i in chosen]
        assert task.benchmark(language).candidates.tolist() == [i for i in range(ENTITIES) if language in LABELS[i]]
    small = EntityAlignment(index, test_entities=4, candidates="benchmark").benchmark("de")
    assert small.candidates.tolist() == small.gold.tolist()


def test_validation_asks_the_validation_split(index: LabelIndex) -> None:
    task = EntityAlignment(index, test_entities=2)
    b = task.benchmark("de", "valid")
    assert b.gold.tolist() == b.candidates.tolist() == asked("valid", "de")
    assert {SPLIT[i] for i in b.gold} == {"valid"}
    few = task.benchmark("de", "valid", limit=3)
    assert 0 < len(few) <= 3
    assert set(few.gold.tolist()) <= set(asked("valid", "de"))


def test_training_pairs_are_of_training_entities_and_languages(index: LabelIndex, tokenizer) -> None:
    pairs = EntityAlignment(index, "en", ("de", "eo")).training_set(seed=3)
    allowed = {(i, lang) for lang in ("de", "eo") for i in asked("train", lang)}
    assert len(pairs) == len(allowed)
    seen = set()
    for _ in range(20):
        batch = pairs.sample(1000)
        assert sorted(batch.entity.tolist()) == sorted({i for i, _ in allowed})  # each entity once
        for i, anchor, positive in zip(batch.entity, texts_of(batch.anchors), texts_of(batch.positives), strict=True):
            assert anchor == tokenizer(LABELS[i]["en"]).input_ids
            targets = [lang for lang in ("de", "eo") if positive == tokenizer(LABELS[i].get(lang, "")).input_ids]
            assert len(targets) == 1
            seen.add((int(i), targets[0]))
        assert len(set(batch.string.tolist())) == len({tuple(p) for p in texts_of(batch.positives)})
    assert seen == allowed


def test_equal_seeds_draw_equal_pairs(index: LabelIndex) -> None:
    task = EntityAlignment(index)
    first, again, other = (task.training_set(seed) for seed in (1, 1, 2))
    for _ in range(3):
        a, b, c = (p.sample(5).entity.tolist() for p in (first, again, other))
        assert a == b
        assert a != c


def test_no_training_pair_and_no_such_language(index: LabelIndex, tokenizer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no labels in language 'xx'\. It has: de, en, eo, fr"):
        EntityAlignment(index).benchmark("xx")
    with pytest.raises(ValueError, match="has no labels in language 'xx'"):
        EntityAlignment(index, source_language="xx")
    folder = tmp_path / "held-out"
    with CorpusWriter(folder, "held-out", "tests", "MIT", "") as writer:
        writer.add_entities(Entity(f"t{i}", "town", "test", {"en": "a", "de": "b"}) for i in range(5))
    held_out = Corpus.open(folder)
    empty = LabelIndex(held_out, TokenStore.of(held_out, tokenizer, tmp_path / "tokens"))
    with pytest.raises(ValueError, match="No training entity has labels in en and"):
        EntityAlignment(empty, "en", ("de",)).training_set(0)


def test_names_and_languages(index: LabelIndex) -> None:
    assert EntityAlignment(index).dataset == "towns, all candidates"
    assert EntityAlignment(index, test_entities=4, candidates="benchmark").dataset == (
        "towns, 4 test entities, benchmark candidates"
    )
    assert list(EntityAlignment(index, source_language="fr").test_sizes()) == ["de", "en", "eo"]
    assert EntityAlignment(index).test_sizes() == {lang: len(asked("test", lang)) for lang in ("de", "eo", "fr")}


def test_local_scaling_is_said_and_changes_ranks(index: LabelIndex, tiny_backbone: Path, tmp_path: Path) -> None:
    scaled, plain = EntityAlignment(index, csls_neighbours=3), EntityAlignment(index)
    assert scaled.dataset == "towns, all candidates, CSLS with 3 neighbours"
    encoder = TextEncoder(load_backbone(str(tiny_backbone), tmp_path), index.tokens.special, torch.device("cpu"))
    ranks = [task.measure(encoder, None, ["de"])["de"].optimistic["raw"].tolist() for task in (scaled, plain)]
    assert ranks[0] != ranks[1]


def rank(gold: str, score: float, others: list[tuple[str, float]]) -> tuple[int, int]:
    """Optimistic and pessimistic rank of a string with a score among others; equal strings tie, others never do."""
    better = sum(s > score for text, s in others if text != gold)
    return 1 + better, 1 + better + sum(text == gold for text, _ in others)


@pytest.mark.parametrize("candidates", ["all", "benchmark"])
def test_ranks_against_texts_embedded_one_by_one(
    index: LabelIndex, tokenizer, tiny_backbone: Path, tmp_path: Path, candidates: str
) -> None:
    model = AutoModel.from_pretrained(tiny_backbone).eval()

    @torch.inference_mode()
    def embed(text: str) -> np.ndarray:
        vector = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].double().mean(0)
        return (vector / vector.norm()).numpy()

    task, tied, changed, gaps = EntityAlignment(index, candidates=candidates), 0, 0, []
    encoder = TextEncoder(load_backbone(str(tiny_backbone), tmp_path), index.tokens.special, torch.device("cpu"))
    found = evaluate(encoder, [(index, {language: task.benchmark(language) for language in ("de", "fr")})])
    assert list(found) == ["de", "fr"]
    for language, ranks in found.items():
        golds = asked("test", language)
        assert ranks.entity.tolist() == golds
        pool = golds if candidates == "benchmark" else [i for i in range(ENTITIES) if language in LABELS[i]]
        name = {i: LABELS[i][language] for i in pool}
        vectors = {i: embed(name[i]) for i in pool}
        for q, gold in enumerate(golds):
            query = embed(LABELS[gold]["en"])
            scored = {i: (name[i], float(query @ vectors[i])) for i in pool}
            _, score = scored[gold]
            gaps += [abs(s - score) for text, s in scored.values() if text != name[gold]]
            others = [i for i in pool if i != gold]
            strings = {name[i]: i for i in golds if name[i] != name[gold]}
            expected = {
                "raw": rank(name[gold], score, [scored[i] for i in others]),
                "filtered": rank(name[gold], score, [scored[i] for i in others if i not in same_english(gold)]),
                "released": rank(name[gold], score, [scored[i] for i in strings.values()]),
            }
            got = {key: (int(ranks.optimistic[key][q]), int(ranks.pessimistic[key][q])) for key in expected}
            assert got == expected, (language, gold)
            tied += expected["filtered"][0] < expected["filtered"][1]
            changed += expected["filtered"] != expected["raw"]
    assert min(gaps) > 1e-5  # no near tie that rounding could turn
    assert tied >= 2  # homonyms of the right answer tie exactly with it
    assert changed >= 2  # known answers were in the way
