"""Alignment on benchmark folders: tiny pairs worked by hand, a slow ranking of them, SRPRS and DBP15K."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.corpora.benchmarks import alignment
from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.corpora.records import TokenBatch
from core.corpora.rows import RowLog
from core.encoder.backbones import Backbone, load_backbone
from core.encoder.text_encoder import TextEncoder
from core.tasks.entity_alignment import BenchmarkAlignment
from tests.core.tasks.slow_ranking import Asked, embedder, slow_ranks

# Two entities are called "singapore" in English, two "lima" in German; "wien" and "vaduz" have no partner.
NAMES = {
    "en": ["singapore", "singapore", "rome", "lima", "oslo", "bern", "vaduz"],
    "de": ["singapur", "stadtstaat", "rom", "lima", "christiania", "bern", "wien", "lima"],
    "fr": ["singapour", "rome", "oslo"],
    "eo": ["romo", "oslo"],
}
# The French pairs stand the other way round, and one pair has no English end.
PAIRS = [
    *(("en", "de", "train", i, i) for i in (3, 4, 5)),
    *(("en", "de", "test", i, i) for i in (0, 1, 2)),
    ("en", "de", "test", 6, 7),
    *(("fr", "en", "train", *ends) for ends in ((1, 2), (2, 4))),
    *(("fr", "en", split, 0, 0) for split in ("valid", "test")),
    ("fr", "en", "test", 2, 5),
    ("de", "fr", "train", 2, 1),
]
OFFSET = {"en": 0, "de": 7, "fr": 15}


def write(target: Path, languages: list[str], pairs: list[tuple], name: str = "towns") -> BenchmarkData:
    draft = Draft(name, "entity_alignment", "tests", "CC0", "")
    rows = {
        (language, i): draft.add("entities", language, f"{language}{i}", town, "")
        for language in languages
        for i, town in enumerate(NAMES[language])
    }
    for a, b, split, source, target_ in pairs:
        draft.add("pairs", a, b, split, rows[a, source], rows[b, target_])
    return draft.write(target, RowLog())


@pytest.fixture(scope="module")
def backbone(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(str(tiny_backbone), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    return write(tmp_path_factory.mktemp("towns") / "towns", ["en", "de", "fr"], PAIRS)


def texts(batch: TokenBatch) -> list[list[int]]:
    ends = np.cumsum(batch.lengths)
    return [batch.ids[end - length : end].tolist() for end, length in zip(ends, batch.lengths, strict=True)]


def queries(task: BenchmarkAlignment, language: str) -> list[list[int]]:
    return texts(task.probe_texts(language, 99))


def test_from_the_source_by_hand(backbone: Backbone, towns: BenchmarkData) -> None:
    task = BenchmarkAlignment(backbone, towns)
    assert task.dataset == "towns, all candidates"
    assert task.test_sizes() == {"de": 4, "fr": 2}
    german, french = task.benchmark("de"), task.benchmark("fr")
    asked = ["singapore", "singapore", "rome", "vaduz"]
    assert queries(task, "de") == backbone.tokenizer(asked).input_ids
    assert queries(task, "fr") == backbone.tokenizer(["singapore", "bern"]).input_ids
    assert (german.gold - OFFSET["de"]).tolist() == [0, 1, 2, 7]
    assert [(known - OFFSET["de"]).tolist() for known in german.known] == [[1], [0], [], []]
    assert [known.tolist() for known in french.known] == [[], []]  # the other Singapore has no French name
    assert (german.candidates - OFFSET["de"]).tolist() == list(range(8))
    assert (french.candidates - OFFSET["fr"]).tolist() == [0, 1, 2]
    units = german.entity.tolist() + french.entity.tolist()
    assert units[4] == units[0] != units[1]  # one Singapore is asked about in both languages
    assert sorted(set(units)) == [0, 1, 2, 3, 4]
    assert task.benchmark("fr", "valid").gold.tolist() == [OFFSET["fr"]]
    assert len(task.benchmark("de", "valid")) == 0


def test_to_the_source_by_hand(backbone: Backbone, towns: BenchmarkData) -> None:
    task = BenchmarkAlignment(backbone, towns, direction="to_source")
    assert task.dataset == "towns, to en, all candidates"
    german = task.benchmark("de")
    assert queries(task, "de") == backbone.tokenizer(["singapur", "stadtstaat", "rom", "lima"]).input_ids
    assert german.gold.tolist() == [0, 1, 2, 6]
    assert [known.tolist() for known in german.known] == [[], [], [], [3]]  # the other "lima", of the training split
    assert german.candidates.tolist() == list(range(7))
    assert german.entity.tolist() == BenchmarkAlignment(backbone, towns).benchmark("de").entity.tolist()


def test_both_directions_have_keys_of_their_own(backbone: Backbone, towns: BenchmarkData) -> None:
    both = BenchmarkAlignment(backbone, towns, direction="both", test_limit=3)
    assert both.dataset == "towns, both directions, 3 test pairs a language, all candidates"
    assert both.test_sizes() == {"de": 3, "fr": 2, "de-en": 3, "fr-en": 2}
    assert [both.language_of(key) for key in both.test_sizes()] == ["de", "fr", "de", "fr"]
    for key, direction in (("de", "from_source"), ("de-en", "to_source")):
        alone = BenchmarkAlignment(backbone, towns, direction=direction, test_limit=3)
        assert alone.language_of("de") == "de"
        assert both.benchmark(key).gold.tolist() == alone.benchmark("de").gold.tolist()
        assert both.benchmark(key).candidates.tolist() == alone.benchmark("de").candidates.tolist()
        assert both.benchmark(key).entity.tolist() == alone.benchmark("de").entity.tolist()
    assert len(both.training_set(0)) == 2 * len(alone.training_set(0)) == 10


def test_benchmark_candidates_are_the_answers_of_the_test(backbone: Backbone, towns: BenchmarkData) -> None:
    task = BenchmarkAlignment(backbone, towns, candidates="benchmark", csls_neighbours=2)
    assert task.dataset == "towns, benchmark candidates, CSLS with 2 neighbours"
    assert (task.benchmark("de").candidates - OFFSET["de"]).tolist() == [0, 1, 2, 7]
    reverse = BenchmarkAlignment(backbone, towns, candidates="benchmark", direction="to_source")
    assert reverse.benchmark("de").candidates.tolist() == [0, 1, 2, 6]


def test_tests_of_another_folder(backbone: Backbone, towns: BenchmarkData, tmp_path: Path) -> None:
    pairs = [("en", "eo", "test", 2, 0), ("en", "eo", "test", 4, 1), ("en", "de", "test", 0, 0)]
    further = write(tmp_path / "further", ["eo", "en", "de"], pairs, "further")
    task = BenchmarkAlignment(backbone, towns, [further], ("de", "fr"))
    assert task.test_sizes() == {"de": 1, "eo": 2}
    assert task.dataset == "further, all candidates"
    assert len(task.benchmark("eo").candidates) == 2
    assert queries(task, "eo") == backbone.tokenizer(["rome", "oslo"]).input_ids
    assert len(task.training_set(0)) == 5
    assert set(task.benchmark("fr", "valid").candidates.tolist()) == {OFFSET["fr"]}
    first = BenchmarkAlignment(backbone, towns, [towns, further])
    assert first.test_sizes() == {"de": 4, "eo": 2, "fr": 2}
    assert first.dataset == "towns and further, all candidates"


def test_a_part_of_the_test_keeps_the_candidates(backbone: Backbone, towns: BenchmarkData) -> None:
    task = BenchmarkAlignment(backbone, towns, candidates="benchmark")
    whole, part = task.benchmark("de"), task.benchmark("de", "test", 2)
    assert len(part) == 2
    assert set(part.gold.tolist()) < set(whole.gold.tolist())
    assert part.candidates.tolist() == whole.candidates.tolist()


def test_equal_queries_stand_in_no_batch_together(backbone: Backbone, tmp_path: Path) -> None:
    pairs = [*(("en", "de", "train", i, i) for i in (0, 1, 2)), ("en", "de", "test", 3, 3)]
    homonyms = BenchmarkAlignment(backbone, write(tmp_path / "towns", ["en", "de"], pairs), train_languages=("de",))
    assert {len(homonyms.training_set(0).sample(3)) for _ in range(10)} == {2}


@pytest.mark.parametrize("direction", ["from_source", "to_source", "both"])
def test_training_pairs(backbone: Backbone, towns: BenchmarkData, direction: str) -> None:
    trained = [("lima", "lima"), ("oslo", "christiania"), ("bern", "bern"), ("rome", "rome"), ("oslo", "oslo")]
    ways = {"from_source": trained, "to_source": [pair[::-1] for pair in trained]}
    expected = ways.get(direction) or ways["from_source"] + ways["to_source"]
    ids = {tuple(tuple(backbone.tokenizer(name).input_ids) for name in pair) for pair in expected}
    pairs = BenchmarkAlignment(backbone, towns, direction=direction).training_set(1)
    assert len(pairs) == len(expected)
    drawn = set()
    for _ in range(50):
        batch = pairs.sample(10)
        assert len(batch) == 4  # Oslo stands once, with its German or its French name
        assert len(set(batch.entity.tolist())) == 4
        drawn |= set(zip(map(tuple, texts(batch.anchors)), map(tuple, texts(batch.positives)), strict=True))
    assert drawn == ids
    alone = BenchmarkAlignment(backbone, towns, train_languages=("fr",), direction=direction).training_set(1)
    assert len(alone) == (4 if direction == "both" else 2)


@pytest.mark.parametrize("csls", [None, 1, 3, 10])
@pytest.mark.parametrize("candidates", ["all", "benchmark"])
def test_ranks_against_texts_embedded_one_by_one(
    backbone: Backbone, towns: BenchmarkData, tiny_backbone: Path, candidates: str, csls: int | None
) -> None:
    task = BenchmarkAlignment(backbone, towns, direction="both", candidates=candidates, csls_neighbours=csls)
    encoder = TextEncoder(backbone, task.index.tokens.special, torch.device("cpu"))
    found, embed = task.measure(encoder, None, list(task.test_sizes())), embedder(tiny_backbone, backbone.tokenizer)
    assert list(found) == ["de", "fr", "de-en", "fr-en"]
    tied = 0
    for key, ranks in found.items():
        other = key[:2]
        ends = [(*pair[2:], pair[0] == "en") for pair in PAIRS if {pair[0], pair[1]} == {"en", other}]
        pairs = [(split, *((a, b) if from_en else (b, a))) for split, a, b, from_en in ends]
        asked_in, answered_in = ("en", other) if key == other else (other, "en")
        pairs = [(split, *(ends if key == other else ends[::-1])) for split, *ends in pairs]
        asked = []
        for split, query, gold in pairs:
            name = NAMES[asked_in][query]
            known = {str(answer) for _, q, answer in pairs if NAMES[asked_in][q] == name} - {str(gold)}
            asked += [Asked(name, str(gold), frozenset(known))] if split == "test" else []
        names = dict(zip(map(str, range(99)), NAMES[answered_in], strict=False))
        if candidates == "benchmark":
            names = {q.gold: names[q.gold] for q in asked}
        expected, gap = slow_ranks(asked, names, embed, csls)
        assert gap > 1e-6
        for name, rank in expected.items():
            assert list(zip(ranks.optimistic[name].tolist(), ranks.pessimistic[name].tolist(), strict=True)) == rank
        tied += any(low < high for low, high in expected["raw"])
    assert tied


def test_wrong_inputs(backbone: Backbone, towns: BenchmarkData, tmp_path: Path) -> None:
    no_training = r"towns has no training examples of entity_alignment in it\. It has some in: de, fr\."
    with pytest.raises(ValueError, match=no_training):
        BenchmarkAlignment(backbone, towns, train_languages=("de", "it")).training_set(0)
    with pytest.raises(ValueError, match=r"towns has no test of entity_alignment in language 'it'\. It has: de, fr\."):
        BenchmarkAlignment(backbone, towns).benchmark("it")
    with pytest.raises(ValueError, match=r"no test of entity_alignment in language 'de'\. It has: none\."):
        BenchmarkAlignment(backbone, towns, source_language="eo").benchmark("de")
    few = write(tmp_path / "few", ["en", "de"], [("en", "de", "train", 2, 2), ("en", "de", "test", 3, 3)], "few")
    with pytest.raises(
        ValueError, match=r"few has 1 training example\(s\) of entity_alignment in de; a contrast needs"
    ):
        BenchmarkAlignment(backbone, few, train_languages=("de",)).training_set(0)
    graph = Draft("graph", "kg_completion", "tests", "CC0", "")
    a, r = graph.add("entities", "en", "a", "a", ""), graph.add("relations", "en", "r", "r", "")
    graph.add("triples", "en", "test", a, r, a)
    with pytest.raises(BenchmarkError, match="graph is a benchmark of kg_completion, not of entity_alignment"):
        BenchmarkAlignment(backbone, graph.write(tmp_path / "graph", RowLog()))


@pytest.mark.slow
def test_srprs_and_dbp15k(backbone: Backbone, shared_data: Path, tmp_path: Path) -> None:
    log = RowLog()
    data = alignment.read_srprs(shared_data / "srprs", log).write(tmp_path / "srprs", log)
    task = BenchmarkAlignment(backbone, data)
    pairs = data.records("pairs")
    tested = {
        lang: [p for p in pairs if p["split"] == "test" and p["target_language"] == lang] for lang in ("de", "fr")
    }
    assert task.test_sizes() == {lang: len(found) for lang, found in tested.items()}
    assert sum(task.test_sizes().values()) + len(task.training_set(0)) == 21_000
    assert len(task.benchmark("fr").candidates) == 15_000
    names = data.texts("entities", "name")
    asked = [names[p["source"]] for p in tested["fr"]]
    ids = [[*ids[: 33 if len(ids) > 34 else -1], ids[-1]] for ids in backbone.tokenizer(asked).input_ids]
    assert texts(task.probe_texts("fr", 99_999)) == ids
    assert task.benchmark("fr").gold.tolist() == [p["target"] for p in tested["fr"]]
    sources = {p["source"] for found in tested.values() for p in found}
    units = np.concatenate([task.benchmark(lang).entity for lang in tested])
    assert sorted(set(units.tolist())) == list(range(len(sources)))
    dbp15k = alignment.read_dbp15k(shared_data / "dbp15k", log).write(tmp_path / "dbp15k", log)
    french = BenchmarkAlignment(backbone, dbp15k, train_languages=("fr",), direction="both")
    assert french.test_sizes() == {"fr": 10_500, "fr-en": 10_500}
    assert len(french.training_set(0)) == 2 * 4_500
    assert len(french.benchmark("fr").candidates) == 19_661
