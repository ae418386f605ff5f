"""Completion on benchmark folders: a tiny graph worked by hand, a slow ranking of it, and DBP-5L."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.corpora.benchmarks import dbp5l
from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.corpora.records import TokenBatch
from core.corpora.rows import RowLog
from core.encoder.backbones import Backbone, load_backbone
from core.encoder.text_encoder import TextEncoder
from core.evaluation.protocols import PROTOCOLS
from core.tasks.kg_completion import BenchmarkCompletion
from tests.core.tasks.slow_ranking import Asked, embedder, slow_ranks

# Ids run per language, as in DBP-5L: `0` is Paris in English and Peru in German. Two towns are called "paris" in English.
NAMES = {
    "en": ["paris", "france", "rome", "italy", "europe", "lima", "peru", "paris"],
    "de": ["peru", "paris", "frankreich", "rom", "italien", "europa"],
}
PAIRS = [("paris", "paris"), ("france", "frankreich"), ("rome", "rom"), ("italy", "italien"), ("europe", "europa")]
RELATIONS = [("en", "r0", "capital of"), ("en", "r1", "part of"), ("de", "r1", "teil von")]
TRIPLES = {
    ("en", "train"): [(0, 0, 1), (1, 1, 4), (2, 0, 3)],
    ("en", "valid"): [(5, 0, 6)],
    ("en", "test"): [(0, 1, 4), (0, 1, 1), (3, 1, 4), (7, 0, 6)],
    ("de", "train"): [(1, 0, 2), (2, 2, 5)],
    ("de", "test"): [(3, 2, 4), (3, 1, 5)],  # "rom teil von" and "rom part of": one relation, two names
}
FURTHER = {"eo": ["pario", "francio", "limao", "peruo"], "fr": ["paris", "france"]}  # ids Q0, Q1 ... in both


def write(target: Path, further: bool = False) -> BenchmarkData:
    draft = Draft("graph-extended" if further else "graph", "kg_completion", "tests", "CC0", "")
    first = {}
    for language, names in NAMES.items():
        first[language] = len(draft.rows["entities"])
        for id, name in enumerate(names):
            draft.add("entities", language, str(id), name, "")
    for relation in RELATIONS:
        draft.add("relations", *relation, "")
    for (language, split), triples in TRIPLES.items():
        for s, r, o in triples:
            draft.add("triples", language, split, first[language] + s, r, first[language] + o)
    for en, de in PAIRS:
        ends = NAMES["en"].index(en), first["de"] + NAMES["de"].index(de)
        draft.add("pairs", "en", "de", "train", *ends)
    if further:
        for language, names in FURTHER.items():
            rows = [draft.add("entities", language, f"Q{i}", name, "") for i, name in enumerate(names)]
            for i in range(0, len(names), 2):
                draft.add("triples", language, "test", rows[i], 0, rows[i + 1])
    return draft.write(target, RowLog())


@pytest.fixture(scope="module")
def backbone(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(str(tiny_backbone), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    return write(tmp_path_factory.mktemp("graph") / "own")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    return write(tmp_path_factory.mktemp("graph") / "extended", further=True)


def texts(batch: TokenBatch) -> list[list[int]]:
    ends = np.cumsum(batch.lengths)
    return [batch.ids[end - length : end].tolist() for end, length in zip(ends, batch.lengths, strict=True)]


def queries(task: BenchmarkCompletion, language: str, **asked) -> list[list[int]]:
    tokens = task.index.tokens
    return texts(tokens.join(*(tokens.text(*part) for part in task.benchmark(language, **asked).parts)))


def test_the_tests_by_hand(backbone: Backbone, graph: BenchmarkData) -> None:
    task = BenchmarkCompletion(backbone, graph, train_languages=("en", "de"))
    assert task.dataset == "graph, all candidates"
    assert task.test_sizes() == {"de": 2, "en": 4}
    english, german = task.benchmark("en"), task.benchmark("de")
    expected = ["paris part of", "paris part of", "italy part of", "paris capital of"]
    assert queries(task, "en") == backbone.tokenizer(expected).input_ids
    assert queries(task, "de") == backbone.tokenizer(["rom teil von", "rom part of"]).input_ids
    assert english.gold.tolist() == [4, 1, 4, 6]
    # "paris capital of" -> France is a training triple of the other Paris: no answer here.
    assert [known.tolist() for known in english.known] == [[1], [4], [], []]
    assert german.gold.tolist() == [8 + 4, 8 + 5]
    assert [known.tolist() for known in german.known] == [[8 + 5], [8 + 4]]
    assert english.candidates.tolist() == list(range(8))
    assert german.candidates.tolist() == list(range(8, 14))
    labels = task.index.tokens.join(task.index.tokens.text("labels", german.labels))
    assert texts(labels) == backbone.tokenizer(NAMES["de"]).input_ids
    # Units: Paris, Italy, the other Paris, and Rome, which German asks twice; small numbers.
    units = english.entity.tolist() + german.entity.tolist()
    assert units[0] == units[1]
    assert units[4] == units[5]
    assert sorted(set(units)) == [0, 1, 2, 3]


def test_a_subject_is_one_unit_in_all_languages(backbone: Backbone, extended: BenchmarkData) -> None:
    task = BenchmarkCompletion(backbone, extended)
    esperanto, french = task.benchmark("eo").entity.tolist(), task.benchmark("fr").entity.tolist()
    assert esperanto[0] == french[0] != esperanto[1]  # Q0: equal ids of languages without pairs
    own = set(task.benchmark("en").entity.tolist()) | set(task.benchmark("de").entity.tolist())
    assert not own & {*esperanto, *french}  # `0` of German is not `0` of English, and neither is Q0
    assert sorted(own | set(esperanto)) == [0, 1, 2, 3, 4, 5]


def test_benchmark_candidates_and_validation(backbone: Backbone, graph: BenchmarkData) -> None:
    task = BenchmarkCompletion(backbone, graph, candidates="benchmark")
    assert task.benchmark("en").candidates.tolist() == [0, 1, 3, 4, 6, 7]
    valid = task.benchmark("en", "valid")
    assert (valid.gold.tolist(), valid.candidates.tolist()) == ([6], [5, 6])
    assert len(task.benchmark("de", "valid")) == 0
    assert BenchmarkCompletion(backbone, graph).benchmark("en", "valid").candidates.tolist() == [5, 6]


def test_limits_are_said_and_keep_the_candidates(backbone: Backbone, graph: BenchmarkData) -> None:
    task = BenchmarkCompletion(backbone, graph, test_limit=3)
    assert task.dataset == "graph, 3 test triples a language, all candidates"
    assert BenchmarkCompletion(backbone, graph, test_limit=4).dataset == "graph, all candidates"
    assert task.test_sizes() == {"de": 2, "en": 3}
    few = task.benchmark("en", "test", 2)
    assert len(few) == 2
    assert set(few.gold.tolist()) <= set(task.benchmark("en").gold.tolist())
    assert few.candidates.tolist() == list(range(8))
    assert len(task.benchmark("en", "test", 99)) == 3
    assert texts(task.probe_texts("en", 2)) == queries(task, "en", limit=2)


def test_tests_of_another_folder(backbone: Backbone, graph: BenchmarkData, extended: BenchmarkData) -> None:
    task = BenchmarkCompletion(backbone, graph, [extended], ("en",))
    assert task.dataset == "graph-extended, all candidates"
    assert task.test_sizes() == {"de": 2, "en": 4, "eo": 2, "fr": 1}
    assert queries(task, "eo") == backbone.tokenizer(["pario capital of", "limao capital of"]).input_ids
    alone = BenchmarkCompletion(backbone, extended)
    assert len(task.benchmark("en").candidates) == len(alone.benchmark("en").candidates) == 8
    assert [len(known) for known in task.benchmark("en").known] == [1, 1, 0, 0]
    assert len(task.training_set(0)) == 3
    assert BenchmarkCompletion(backbone, graph, [graph]).test_sizes() == {"de": 2, "en": 4}  # one folder, read once
    # The first folder that has the language: German has its tests in the first, Esperanto in the second.
    both = BenchmarkCompletion(backbone, graph, [graph, extended])
    assert both.dataset == "graph and graph-extended, all candidates"
    assert both.benchmark("de").candidates.tolist() == list(range(8, 14))
    assert both.benchmark("eo").candidates.min() >= 2 * 14


def test_training_pairs(backbone: Backbone, graph: BenchmarkData) -> None:
    pairs = BenchmarkCompletion(backbone, graph, train_languages=("en", "de")).training_set(3)
    facts = {
        **{"paris capital of": "france", "france part of": "europe", "rome capital of": "italy"},
        **{"paris capital of|de": "frankreich", "frankreich teil von": "europa"},
    }
    ids = {text: tuple(backbone.tokenizer(text.removesuffix("|de")).input_ids) for text in [*facts, *facts.values()]}
    allowed = {(ids[anchor], ids[positive]) for anchor, positive in facts.items()}
    assert len(pairs) == 5
    drawn = set()
    for _ in range(40):
        batch = pairs.sample(5)
        found = set(zip(map(tuple, texts(batch.anchors)), map(tuple, texts(batch.positives)), strict=True))
        assert len(found) == len(batch) == 3  # Paris, France and Rome stand once, in one of their languages
        assert len(set(batch.entity.tolist())) == 3
        assert batch.known.tolist() == np.eye(3, dtype=bool).tolist()
        drawn |= found
    assert drawn == allowed


def test_other_right_objects_are_masked(backbone: Backbone, tmp_path: Path) -> None:
    draft = Draft("many", "kg_completion", "tests", "CC0", "")
    rows = {
        (language, id): draft.add("entities", language, id, f"{language}{id}", "")
        for language in ("en", "fr")
        for id in "abcd"
    }
    draft.add("relations", "en", "r", "near", "")
    for language, subject, object_ in (("en", "a", "b"), ("fr", "a", "c"), ("fr", "d", "c"), ("en", "b", "d")):
        draft.add("triples", language, "train", rows[language, subject], 0, rows[language, object_])
    draft.add("triples", "en", "test", rows["en", "a"], 0, rows["en", "d"])
    pairs = BenchmarkCompletion(backbone, draft.write(tmp_path / "many", RowLog()), train_languages=("en", "fr"))
    numbers = {tuple(backbone.tokenizer(f"{lang}{id}").input_ids): id for lang in ("en", "fr") for id in "abcd"}
    true = {("a", "b"), ("a", "c"), ("d", "c"), ("b", "d")}  # in any language
    stream, masked = pairs.training_set(0), 0
    near = backbone.tokenizer(" near", add_special_tokens=False).input_ids
    for _ in range(30):
        batch = stream.sample(4)
        anchors = [numbers[(*ids[: -1 - len(near)], ids[-1])] for ids in texts(batch.anchors)]
        positives = [numbers[tuple(ids)] for ids in texts(batch.positives)]
        assert batch.known.tolist() == [[(a, p) in true for p in positives] for a in anchors]
        masked += int(batch.known.sum()) - len(batch)
    assert masked > 0


def test_code_switched_queries(backbone: Backbone, extended: BenchmarkData) -> None:
    task = BenchmarkCompletion(backbone, extended, train_languages=("en", "de"), code_switched=True)
    assert task.dataset == "graph-extended, code-switched, all candidates"
    asked = ["paris part of", "paris part of", "italien part of", "paris capital of"]  # the other Paris has no partner
    assert queries(task, "en") == backbone.tokenizer(asked).input_ids
    assert queries(task, "de") == backbone.tokenizer(["rome teil von", "rome part of"]).input_ids
    assert queries(task, "fr") == backbone.tokenizer(["pario capital of"]).input_ids
    plain = BenchmarkCompletion(backbone, extended, train_languages=("en", "de"))
    for language in ("en", "de", "eo", "fr"):
        one, other = task.benchmark(language), plain.benchmark(language)
        for field in ("gold", "candidates", "entity"):
            assert getattr(one, field).tolist() == getattr(other, field).tolist()
        assert [known.tolist() for known in one.known] == [known.tolist() for known in other.known]
    expected = {  # the subject stays, its object and where there is one its relation are in the other language
        ("paris capital of", "frankreich"),
        ("france teil von", "europa"),
        ("rome capital of", "italien"),
        ("paris capital of", "france"),
        ("frankreich part of", "europe"),
    }
    ids = {tuple(tuple(backbone.tokenizer(text).input_ids) for text in pair) for pair in expected}
    drawn, stream = set(), task.training_set(0)
    for _ in range(40):
        batch = stream.sample(5)
        drawn |= set(zip(map(tuple, texts(batch.anchors)), map(tuple, texts(batch.positives)), strict=True))
    assert drawn == ids
    alone = BenchmarkCompletion(backbone, extended, train_languages=("en",), code_switched=True).training_set(0)
    batch = alone.sample(3)  # no other training language: nothing to switch to
    assert sorted(texts(batch.positives)) == sorted(backbone.tokenizer(["france", "europe", "italy"]).input_ids)


@pytest.mark.parametrize("candidates", ["all", "benchmark"])
def test_ranks_against_texts_embedded_one_by_one(
    backbone: Backbone, graph: BenchmarkData, tiny_backbone: Path, candidates: str
) -> None:
    task = BenchmarkCompletion(backbone, graph, candidates=candidates)
    encoder = TextEncoder(backbone, task.index.tokens.special, torch.device("cpu"))
    found, embed = (
        task.measure(encoder, None, ["en", "de"], tokens_per_pass=40),
        embedder(tiny_backbone, backbone.tokenizer),
    )
    changed = 0
    for language, ranks in found.items():
        facts = [t for (lang, _), triples in TRIPLES.items() if lang == language for t in triples]
        asked, ends = [], set()
        for s, r, o in TRIPLES[language, "test"]:
            known = {str(b) for a, q, b in facts if (a, RELATIONS[q][1]) == (s, RELATIONS[r][1])} - {str(o)}
            asked.append(Asked(f"{NAMES[language][s]} {RELATIONS[r][2]}", str(o), frozenset(known)))
            ends |= {str(s), str(o)}
        names = {str(i): name for i, name in enumerate(NAMES[language]) if candidates == "all" or str(i) in ends}
        expected, gap = slow_ranks(asked, names, embed)
        assert gap > 1e-6
        for key, pairs in expected.items():
            assert list(zip(ranks.optimistic[key].tolist(), ranks.pessimistic[key].tolist(), strict=True)) == pairs
        changed += expected["raw"] != expected["filtered"]
    assert changed


def test_measuring_a_part(backbone: Backbone, graph: BenchmarkData) -> None:
    task = BenchmarkCompletion(backbone, graph)
    encoder = TextEncoder(backbone, task.index.tokens.special, torch.device("cpu"))
    whole = task.measure(encoder, None, ["en"])["en"]
    part = task.measure(encoder, None, ["en"], limit=2)["en"]
    of = dict(zip(zip(whole.entity, task.benchmark("en").gold, strict=True), whole.optimistic["raw"], strict=True))
    asked = list(zip(part.entity, task.benchmark("en", "test", 2).gold, strict=True))
    assert [of[key] for key in asked] == part.optimistic["raw"].tolist()
    assert set(task.measure(encoder, None, ["en", "de"], "valid")) == {"en"}
    assert task.measure(encoder, None, ["de"], "valid") == {}


def test_what_a_trimmed_vocabulary_must_keep(backbone: Backbone, graph: BenchmarkData) -> None:
    words = [name for names in NAMES.values() for name in names] + [name for *_, name in RELATIONS]
    special = backbone.tokenizer.mask_token_id
    expected = {special, *(i for ids in backbone.tokenizer(words).input_ids for i in ids)}
    task = BenchmarkCompletion(backbone, graph)
    assert task.used_ids().tolist() == sorted(expected)
    distinct = {*map(tuple, queries(task, "en")), *map(tuple, backbone.tokenizer(NAMES["en"]).input_ids)}
    assert task.test_tokens(["en"]) == sum(map(len, distinct))
    assert task.test_tokens([]) == 0
    cut = BenchmarkCompletion(backbone, graph, phrase_tokens=2, prefix="query: ")
    ids = backbone.tokenizer("query: ", add_special_tokens=False).input_ids
    rom = backbone.tokenizer("rom", add_special_tokens=False).input_ids[:2]
    von = backbone.tokenizer("teil", add_special_tokens=False).input_ids[:2]
    start, end = backbone.tokenizer("").input_ids
    assert queries(cut, "de")[0] == [start, *ids, *rom, *von, end]


def test_wrong_inputs(backbone: Backbone, graph: BenchmarkData, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"graph has no training examples of kg_completion in ja, xx\. It has some in: de, en\."
    ):
        BenchmarkCompletion(backbone, graph, train_languages=("en", "ja", "xx")).training_set(0)
    with pytest.raises(ValueError, match=r"graph has no test of kg_completion in language 'ja'\. It has: de, en\."):
        BenchmarkCompletion(backbone, graph).benchmark("ja")
    with pytest.raises(
        ValueError, match=r"graph has no training examples of kg_completion in an empty list of languages\."
    ):
        BenchmarkCompletion(backbone, graph, train_languages=()).training_set(0)
    words = Draft("words", "ner", "tests", "CC0", "")
    words.add("sentences", "en", "test", ["a"], ["O"])
    other = words.write(tmp_path / "words", RowLog())
    with pytest.raises(BenchmarkError, match="words is a benchmark of ner, not of kg_completion"):
        BenchmarkCompletion(backbone, graph, [other])


@pytest.mark.slow
def test_dbp5l(backbone: Backbone, shared_data: Path, tmp_path: Path) -> None:
    log = RowLog()
    data = dbp5l.read(shared_data / "dbp5l", log).write(tmp_path / "dbp5l", log)
    task = BenchmarkCompletion(backbone, data)
    sizes = {"el": 1017, "en": 7464, "es": 4810, "fr": 4171, "ja": 2162}  # the lines of kg/*-test.tsv
    assert task.test_sizes() == sizes
    assert len(task.training_set(0)) == sum(len(data.rows("triples", split="train", language=code)) for code in sizes)
    greek, names = task.benchmark("el"), data.texts("entities", "name")
    assert len(greek.candidates) == 5231
    triples = [(t["subject"], t["relation"], t["object"], t["split"]) for t in data.records("triples", language="el")]
    objects: dict[tuple[int, int], set[int]] = {}
    for s, r, o, _ in triples:
        objects.setdefault((s, r), set()).add(o)
    asked = [t for t in triples if t[3] == "test"]
    assert greek.gold.tolist() == [o for _, _, o, _ in asked]
    assert [set(known.tolist()) for known in greek.known] == [objects[s, r] - {o} for s, r, o, _ in asked]
    relations = data.texts("relations", "name")
    expected = backbone.tokenizer([f"{names[s]} {relations[r]}" for s, r, _, _ in asked[:50]]).input_ids
    assert queries(task, "el")[:50] == expected
    units = np.concatenate([task.benchmark(language).entity for language in sizes])
    subjects = {s for t in data.records("triples", split="test") for s in [t["subject"]]}
    assert sorted(set(units.tolist())) == list(range(len(set(units.tolist()))))
    assert len(set(units.tolist())) < len(subjects)  # some are asked about in several languages
    encoder = TextEncoder(backbone, task.index.tokens.special, torch.device("cpu"))
    few = BenchmarkCompletion(backbone, data, test_limit=20, candidates="benchmark")
    values = few.measure(encoder, None, ["el"])["el"].tally(PROTOCOLS["strict"]).values()
    assert 0 <= values["Hit@1"] <= values["MRR"] <= 100
