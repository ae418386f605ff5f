"""Knowledge-graph completion with several right objects and missing labels, against brute force over its tables."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from core.corpora.records import Entity, Relation, TokenBatch, Triple, triple_split
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter
from core.encoder.backbones import load_backbone
from core.encoder.text_encoder import TextEncoder
from core.tasks.kg_completion import KGCompletion
from core.tasks.retrieval import LabelIndex, evaluate

ENTITIES = 36
SPLIT = ["test" if i % 6 == 5 else "valid" if i % 6 == 2 else "train" for i in range(ENTITIES)]
RELATION_LABELS = [{"en": "near", "de": "nahe"}, {"en": "part of"}, {}]
RANK = {"train": 0, "valid": 1, "test": 2}


def labels_of(i: int) -> dict[str, str]:
    stem = "".join("bdfgklmnprst"[(i * step) % 12] + "aeiou"[(i + step) % 5] for step in (1, 5, 7))
    labels = {"en": f"{stem}th", "de": f"{stem}sch", "fr": f"{stem}eau"}
    if i in (4, 11):
        labels["de"] = "tor"  # a train and a test entity of the same name
    missing = {lang for lang, gap in (("de", i % 8 == 1), ("fr", i % 5 in (1, 3))) if gap}
    return {lang: text for lang, text in labels.items() if lang not in missing}


LABELS = [labels_of(i) for i in range(ENTITIES)]
# Three objects for (subject, near), two for (subject, part of), one for the relation that has no label.
STEPS = ((0, 1), (1, 3), (0, 7), (2, 4), (0, 13), (1, 9))
TRIPLES = [(s, r, (s + step) % ENTITIES) for r, step in STEPS for s in range(ENTITIES)]


def split_of(triple: tuple[int, int, int]) -> str:
    return max(SPLIT[triple[0]], SPLIT[triple[2]], key=RANK.__getitem__)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("facts") / "corpus"
    with CorpusWriter(folder, "facts", "tests", "MIT", "") as writer:
        writer.add_entities(Entity(f"e{i}", "thing", SPLIT[i], LABELS[i]) for i in range(ENTITIES))
        writer.add_relations(Relation(f"r{i}", labels) for i, labels in enumerate(RELATION_LABELS))
        writer.add_triples(Triple(f"e{s}", f"r{r}", f"e{o}", triple_split(SPLIT[s], SPLIT[o])) for s, r, o in TRIPLES)
    return Corpus.open(folder)


def texts_of(batch: TokenBatch) -> list[list[int]]:
    ends = np.cumsum(batch.lengths)
    return [batch.ids[end - length : end].tolist() for end, length in zip(ends, batch.lengths, strict=True)]


def asked(split: str, language: str) -> list[tuple[int, int, int]]:
    return [t for t in TRIPLES if split_of(t) == split and language in LABELS[t[0]] and language in LABELS[t[2]]]


def query_text(triple: tuple[int, int, int], language: str) -> str:
    relation = RELATION_LABELS[triple[1]]
    return f"{LABELS[triple[0]][language]} {relation.get(language) or relation.get('en', '')}"


def other_objects(triple: tuple[int, int, int]) -> set[int]:
    return {o for s, r, o in TRIPLES if (s, r) == triple[:2]} - {triple[2]}


def test_the_corpus_is_full_of_traps() -> None:
    assert {len(other_objects(t)) for t in TRIPLES} == {0, 1, 2}
    for language in ("en", "de", "fr"):
        assert {r for _, r, _ in asked("test", language)} == {0, 1, 2}
        across = [t for t in asked("test", language) if any(SPLIT[o] != "test" for o in other_objects(t))]
        assert len(across) > 5  # known answers out of the training split
    assert len(asked("test", "de")) < len(asked("test", "en"))


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize("split", ["test", "valid"])
def test_the_benchmark(index: LabelIndex, tokenizer, language: str, split: str) -> None:
    b = KGCompletion(index, ("en",)).benchmark(language, split)
    expected = asked(split, language)
    assert len(b) == len(expected) > 10
    assert b.entity.tolist() == [s for s, _, _ in expected]
    assert b.gold.tolist() == [o for _, _, o in expected]
    assert [set(known.tolist()) for known in b.known] == [other_objects(t) for t in expected]
    queries = index.tokens.join(*(index.tokens.text(table, rows) for table, rows in b.parts))
    assert texts_of(queries) == tokenizer([query_text(t, language) for t in expected]).input_ids
    # The test ranks among every entity of the language, validation among those of its triples.
    ends = {e for t in TRIPLES if split_of(t) == split for e in (t[0], t[2])}
    candidates = [i for i in range(ENTITIES) if language in LABELS[i] and (split == "test" or i in ends)]
    assert b.candidates.tolist() == candidates
    labels = index.tokens.join(index.tokens.text("labels", b.labels))
    assert texts_of(labels) == tokenizer([LABELS[i][language] for i in candidates]).input_ids


def test_only_test_triples_are_asked(index: LabelIndex) -> None:
    b = KGCompletion(index).benchmark("en")
    assert all("test" in (SPLIT[s], SPLIT[o]) for s, o in zip(b.entity, b.gold, strict=True))
    valid = KGCompletion(index).benchmark("en", "valid")
    assert all("test" not in (SPLIT[s], SPLIT[o]) for s, o in zip(valid.entity, valid.gold, strict=True))


def test_a_size_asks_the_same_triples_in_every_language(index: LabelIndex) -> None:
    task, few = KGCompletion(index, test_triples=20), KGCompletion(index, test_triples=20, candidates="benchmark")
    chosen = list(zip(task.benchmark("en").entity.tolist(), task.benchmark("en").gold.tolist(), strict=True))
    assert len(chosen) == 20 < len(asked("test", "en"))  # every entity has an English label
    for language in ("de", "fr"):
        b = task.benchmark(language)
        expected = [(s, o) for s, o in chosen if language in LABELS[s] and language in LABELS[o]]
        assert list(zip(b.entity.tolist(), b.gold.tolist(), strict=True)) == expected
        assert b.candidates.tolist() == [i for i in range(ENTITIES) if language in LABELS[i]]
        ends = sorted({e for pair in chosen for e in pair if language in LABELS[e]})
        assert few.benchmark(language).candidates.tolist() == ends
        assert few.benchmark(language).gold.tolist() == b.gold.tolist()
        assert len(ends) < len(b.candidates)
    limited = task.benchmark("en", "valid", limit=7)
    assert len(limited) == 7
    assert set(zip(limited.entity.tolist(), limited.gold.tolist(), strict=True)) <= {
        (s, o) for s, _, o in asked("valid", "en")
    }


def test_training_pairs_are_training_facts_in_training_languages(index: LabelIndex, tokenizer) -> None:
    languages = ("de", "fr")
    pairs = KGCompletion(index, languages).training_set(seed=0)
    allowed: dict[tuple, set] = {}
    for language in languages:
        for t in asked("train", language):
            sides = (tuple(tokenizer(text).input_ids) for text in (query_text(t, language), LABELS[t[2]][language]))
            allowed.setdefault(tuple(sides), set()).add((t, language))
    assert len(pairs) == sum(len(facts) for facts in allowed.values()) > 30
    true, seen, known = {t for t in TRIPLES if split_of(t) == "train"}, set(), 0
    for _ in range(60):
        batch = pairs.sample(12)
        triples = []
        for anchor, positive in zip(texts_of(batch.anchors), texts_of(batch.positives), strict=True):
            ((fact, language),) = allowed[tuple(anchor), tuple(positive)]
            triples.append(fact)
            seen.add((fact, language))
        assert batch.entity.tolist() == [o for _, _, o in triples]
        assert len({s for s, _, _ in triples}) == len({o for _, _, o in triples}) == len(triples) > 4
        expected = [[(*a[:2], b[2]) in true for b in triples] for a in triples]
        assert batch.known.tolist() == expected
        known += int(batch.known.sum()) - len(triples)
    assert known > 20  # other right objects did stand in the batches
    assert len(seen) > 0.9 * len(pairs)
    assert {SPLIT[e] for (s, _, o), _ in seen for e in (s, o)} == {"train"}


def test_no_training_pair_and_no_such_language(index: LabelIndex) -> None:
    with pytest.raises(ValueError, match="has no labels in language 'xx'"):
        KGCompletion(index).benchmark("xx")
    with pytest.raises(ValueError, match="has no labels in language 'ja'"):
        KGCompletion(index, ("en", "ja")).training_set(0)


def test_names_and_languages(index: LabelIndex) -> None:
    assert KGCompletion(index).dataset == "facts, all candidates"
    small = KGCompletion(index, test_triples=20, candidates="benchmark")
    assert small.dataset == "facts, 20 test triples, benchmark candidates"
    assert small.test_sizes() == {language: len(small.benchmark(language)) for language in ("de", "en", "fr")}
    assert KGCompletion(index).test_sizes() == {lang: len(asked("test", lang)) for lang in ("de", "en", "fr")}


@pytest.mark.parametrize("candidates", ["all", "benchmark"])
def test_ranks_against_texts_embedded_one_by_one(
    index: LabelIndex, tokenizer, tiny_backbone: Path, tmp_path: Path, candidates: str
) -> None:
    model = AutoModel.from_pretrained(tiny_backbone).eval()

    @torch.inference_mode()
    def embed(text: str) -> np.ndarray:
        vector = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].double().mean(0)
        return (vector / vector.norm()).numpy()

    language, changed, gaps = "de", 0, []
    task = KGCompletion(index, test_triples=30, candidates=candidates)
    encoder = TextEncoder(load_backbone(str(tiny_backbone), tmp_path), index.tokens.special, torch.device("cpu"))
    b = task.benchmark(language)
    ranks = evaluate(encoder, [(index, {"only": b})], tokens_per_pass=100)["only"]
    pairs = list(zip(b.entity.tolist(), b.gold.tolist(), strict=True))
    queries = [t for t in asked("test", language) if (t[0], t[2]) in pairs]
    assert [(s, o) for s, _, o in queries] == pairs
    pool = b.candidates.tolist()
    name = {i: LABELS[i][language] for i in pool}
    vectors = {i: embed(name[i]) for i in pool}
    golds = {name[o] for _, o in pairs}
    for q, triple in enumerate(queries):
        query, gold = embed(query_text(triple, language)), triple[2]
        score = {i: float(query @ vectors[i]) for i in pool}
        gaps += [abs(score[i] - score[gold]) for i in pool if name[i] != name[gold]]
        pools = {
            "raw": [i for i in pool if i != gold],
            "filtered": [i for i in pool if i != gold and i not in other_objects(triple)],
            "released": [next(i for i in pool if name[i] == text) for text in golds - {name[gold]}],
        }
        for key, others in pools.items():
            better = sum(score[i] > score[gold] for i in others if name[i] != name[gold])
            same = sum(name[i] == name[gold] for i in others)
            assert (ranks.optimistic[key][q], ranks.pessimistic[key][q]) == (1 + better, 1 + better + same), (
                triple,
                key,
            )
        changed += ranks.optimistic["filtered"][q] < ranks.optimistic["raw"][q]
    assert min(gaps) > 1e-6  # no near tie that rounding could turn
    assert changed > 2
