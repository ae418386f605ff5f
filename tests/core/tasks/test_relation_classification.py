"""Relation classification: from a benchmark's sentences to predictions by language."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from core import catalog
from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.relation_sentences import LABELS, add_example, read_kbp37, read_relx
from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.corpora.records import SpecialTokens
from core.corpora.rows import RowLog
from core.encoder.backbones import Backbone, load_backbone
from core.encoder.text_encoder import TextEncoder
from core.evaluation.outcomes import from_arrays, to_arrays
from core.evaluation.protocols import PROTOCOLS
from core.tasks.relation_classification import MARKERS, RelationClassification, cut, weights_of_classes

CLASSES = ["likes(e1,e2)", "likes(e2,e1)", "owns(e1,e2)", "owns(e2,e1)", "no_relation"]
_VERBS = {"en": ["likes", "liked by", "owns", "owned by", "sees"], "de": ["mag", "gemocht von", "hat", "von", "sieht"]}
_NAMES = ["anna", "bob", "cleo", "dirk", "emma", "fritz", "gina"]
_WHERE = (Path("made"), 1)


def sentence(number: int, language: str) -> tuple[str, str]:
    """A marked sentence and its label; in German the second mention stands first."""
    label = number % 5
    first, second = (_NAMES[(number * step + shift) % 7] for step, shift in ((1, 0), (3, 2)))
    marks = ("e2", "e1") if language == "de" else ("e1", "e2")
    verb = _VERBS[language][label]
    return f"so <{marks[0]}>{first}</{marks[0]}> {verb} <{marks[1]}>{second}</{marks[1]}> .", CLASSES[label]


def write(folder: Path, splits: dict[str, dict[str, int]], name: str = "made", first: int = 0) -> BenchmarkData:
    """A benchmark with so many sentences per split and language, numbered alike in every language."""
    draft, log = Draft(name, "relation_classification", "tests", "MIT", "", list(CLASSES)), RowLog()
    for split, sizes in splits.items():
        for language, count in sizes.items():
            for number in range(first, first + count):
                add_example(draft, _WHERE, language, split, f"s{number}", *sentence(number, language), CLASSES, log)
    return draft.write(folder / name, log)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    sizes = {"train": {"en": 60, "de": 10}, "valid": {"en": 15}, "test": {"en": 12}}
    return write(tmp_path_factory.mktemp("benchmarks"), sizes)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    sizes = {"test": {"de": 20, "en": 25}}
    return write(tmp_path_factory.mktemp("benchmarks"), sizes, "other", first=100)


@pytest.fixture
def backbone(tiny_backbone: Path) -> Backbone:
    return load_backbone(str(tiny_backbone), Path("unused"))


@pytest.fixture
def task(backbone: Backbone, data: BenchmarkData, asked: BenchmarkData) -> RelationClassification:
    return RelationClassification(backbone, data, [asked])


def encoder_of(backbone: Backbone) -> TextEncoder:
    return TextEncoder(backbone, SpecialTokens.of(backbone.tokenizer), torch.device("cpu"))


def texts_of(backbone: Backbone, batch) -> list[str]:
    """The tokens of every text, joined."""
    ends = np.cumsum(batch.lengths)
    texts = [batch.ids[end - length : end] for end, length in zip(ends, batch.lengths, strict=True)]
    return [" ".join(backbone.tokenizer.convert_ids_to_tokens(ids.tolist())).replace(" ##", "") for ids in texts]


# --- what is asked


def test_what_it_offers(task: RelationClassification, asked: BenchmarkData) -> None:
    assert catalog.resolve("task", task.name) is RelationClassification
    assert task.metric == "F1"
    assert task.train_languages == ("en",)
    assert task.dataset == "other"
    assert task.test_sizes() == {"de": 20, "en": 25}
    assert task.test_tokens(["de"]) == task.probe_texts("de", 100).lengths.sum() > 100
    assert task.test_tokens(["de", "en"]) == task.test_tokens(["de"]) + task.test_tokens(["en"])


def test_sentences_are_marked_by_tokens_of_their_own(backbone: Backbone, task: RelationClassification) -> None:
    batch = task.probe_texts("de", 3)
    assert len(batch) == 3
    assert (batch.pool_start == 0).all()
    assert (batch.pool_end == 1).all()
    assert texts_of(backbone, task._texts.take(task._rows["train", "en"][:1])) == [
        "[CLS] so <e1> anna </e1> likes <e2> cleo </e2> . [SEP]"
    ]
    for text in texts_of(backbone, batch):
        assert text.startswith("[CLS] so <e2> ")
        assert text.endswith(" </e1> . [SEP]")
    assert set(backbone.tokenizer.convert_tokens_to_ids(list(MARKERS))) <= set(task.used_ids().tolist())
    assert task.used_ids().tolist() == sorted(set(task._texts.ids.tolist()))


def test_a_vocabulary_trimmed_to_its_ids_is_enough(backbone: Backbone, task: RelationClassification) -> None:
    batch, encoder = task.probe_texts("en", 20), encoder_of(backbone)
    with torch.no_grad():
        before = encoder.embed(batch)
        backbone.trim(task.used_ids())
        assert len(backbone.kept) < len(backbone.tokenizer)
        assert torch.allclose(encoder.embed(batch), before, atol=1e-5)


def test_the_prefix_stands_before_the_sentence(backbone: Backbone, data: BenchmarkData) -> None:
    task = RelationClassification(backbone, data, prefix="query: ")
    text = texts_of(backbone, task.probe_texts("en", 1))[0]
    assert text.startswith("[CLS] query : so <e1> ")
    assert task.dataset == "made"  # without tests of their own, the training benchmark's
    assert task.test_sizes() == {"en": 12}


def test_a_limit_takes_a_sample_and_says_so(backbone: Backbone, data: BenchmarkData, asked: BenchmarkData) -> None:
    task = RelationClassification(backbone, data, [asked, data], test_limit=22)
    assert task.test_sizes() == {"de": 20, "en": 22}
    assert task.dataset == "other, 22 test sentences a language"
    assert RelationClassification(backbone, data, [asked], test_limit=25).dataset == "other"
    whole = RelationClassification(backbone, data, [asked])
    everything = texts_of(backbone, whole.probe_texts("en", 25))
    some = texts_of(backbone, task.probe_texts("en", 22))
    assert [text for text in everything if text in some] == some


def test_training_goes_through_every_sentence(backbone: Backbone, task: RelationClassification) -> None:
    stream = task.training_set(3)
    assert len(stream) == 60
    drawn = stream.sample(60)
    sentences, gold = drawn.sentences, drawn.gold
    assert len(drawn) == 60
    assert Counter(gold.tolist()) == dict.fromkeys(range(5), 12)
    verbs = [_VERBS["en"][label] for label in gold.tolist()]
    assert all(f" {verb} " in text for text, verb in zip(texts_of(backbone, sentences), verbs, strict=True))
    assert (
        gold.tolist() == task.training_set(3).sample(60).gold.tolist() != task.training_set(4).sample(60).gold.tolist()
    )


def test_training_languages(backbone: Backbone, data: BenchmarkData, asked: BenchmarkData) -> None:
    task = RelationClassification(backbone, data, [asked], train_languages=["en", "de"])
    assert len(task.training_set(0)) == 70
    with pytest.raises(ValueError, match=r"made has no training sentences in fr, tr\. It has some in: de, en\."):
        RelationClassification(backbone, data, train_languages=["en", "fr", "tr"])
    with pytest.raises(ValueError, match=r"other has no training sentences in en\. It has some in: no language\."):
        RelationClassification(backbone, asked)
    with pytest.raises(ValueError, match="made has no training sentences in an empty list of languages"):
        RelationClassification(backbone, data, train_languages=[])


# --- wrong inputs


def test_a_benchmark_of_another_task(backbone: Backbone, data: BenchmarkData, tmp_path: Path) -> None:
    draft = Draft("names", "ner", "tests", "MIT", "", ["O"])
    draft.add("sentences", "en", "train", ["a"], ["O"])
    names = draft.write(tmp_path / "names", RowLog())
    for wrong in ((names, []), (data, [names])):
        with pytest.raises(BenchmarkError, match=r"names is a benchmark of ner, not of relation_classification"):
            RelationClassification(backbone, *wrong)


def test_a_test_label_outside_the_set(backbone: Backbone, data: BenchmarkData, tmp_path: Path) -> None:
    draft = Draft("strange", "relation_classification", "tests", "MIT", "", ["hates(e1,e2)"])
    draft.add("examples", "tr", "test", "s7", "a b", 0, 1, 2, 3, "hates(e1,e2)", "", "")
    strange = draft.write(tmp_path / "strange", RowLog())
    with pytest.raises(
        BenchmarkError,
        match=r"strange/examples\.parquet: the test sentence s7 in tr has the label 'hates\(e1,e2\)'.*none of the 5 .*owns",
    ):
        RelationClassification(backbone, data, [strange])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"class_weights": "equal"}, "class_weights is 'equal'; it can be direction_counts, balanced, none"),
        ({"max_tokens": 5}, "max_tokens is 5: too few for the markers"),
        ({"dropout": 1.0}, r"dropout is 1\.0; it must be in \[0, 1\)"),
    ],
)
def test_arguments_out_of_range(backbone: Backbone, data: BenchmarkData, option: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RelationClassification(backbone, data, **option)


# --- long sentences


@pytest.mark.parametrize(
    ("places", "room", "expected"),
    [
        ((2, 4, 6, 8), 20, range(20)),  # it fits
        ((2, 4, 6, 8), 10, range(1, 11)),  # 7 tokens with mentions; 3 more, of which 1 before
        ((0, 1, 3, 5), 10, range(10)),  # at the beginning
        ((13, 15, 17, 19), 10, range(10, 20)),  # at the end
        ((5, 7, 12, 14), 10, range(5, 15)),  # just these
        ((1, 3, 15, 17), 9, [*range(1, 6), *range(14, 18)]),  # far apart
    ],
)
def test_cutting_keeps_the_mentions(places: tuple[int, ...], room: int, expected) -> None:
    ids = np.arange(100, 120)
    ids[list(places)] = [1, 2, 3, 4]
    kept = cut(ids, np.arange(1, 5), room)
    assert kept.tolist() == ids[list(expected)].tolist()
    assert len(kept) == room
    assert [i for i in kept if i < 5] == [1, 2, 3, 4]


def test_long_sentences_keep_their_mentions(backbone: Backbone, tmp_path: Path) -> None:
    """200 tokens, of which the backbone takes 160."""
    draft, log = Draft("long", "relation_classification", "tests", "MIT", "", list(CLASSES)), RowLog()
    for number, (before, between) in enumerate([(180, 1), (5, 180), (90, 20)]):
        text = f"{'. ' * before}<e1>anna</e1> {', ' * between}<e2>bob</e2> {'. ' * 5}"
        for split in ("train", "test"):
            add_example(draft, _WHERE, "en", split, str(number), text, CLASSES[0], CLASSES, log)
    data = draft.write(tmp_path / "long", log)
    for max_tokens, longest in ((256, 160), (40, 40)):
        task = RelationClassification(backbone, data, max_tokens=max_tokens)
        sentences = task.training_set(0).sample(3).sentences
        assert sentences.lengths.max() == longest
        for text in texts_of(backbone, sentences):
            assert text.startswith("[CLS] ")
            assert text.endswith(" [SEP]")
            assert "<e1> anna </e1>" in text
            assert "<e2> bob </e2>" in text
        with torch.no_grad():
            assert encoder_of(backbone).embed(sentences).isfinite().all()


# --- class weights


def test_direction_counts_are_those_of_the_released_code() -> None:
    """Its loop: 1 for `no_relation`, the first of the sorted classes, then shares within each pair."""
    generator = np.random.default_rng(0)
    share = generator.dirichlet(np.ones(37))
    gold = np.concatenate([np.arange(37), generator.choice(37, 2000, p=share)])
    names = sorted(LABELS)
    counter = Counter(names.index(LABELS[i]) for i in gold)
    counts = np.array([counter[i] for i in range(37)])
    expected = [1.0]
    for i in range(1, 37, 2):
        expected += [counts[i] / (counts[i] + counts[i + 1]), counts[i + 1] / (counts[i] + counts[i + 1])]
    found = weights_of_classes(gold, LABELS, "direction_counts")
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([expected[names.index(label)] for label in LABELS], rel=1e-6)
    assert len(set(found.tolist())) > 20


def test_balanced_and_no_weights() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    gold = np.asarray([0] * 6 + [1] * 2 + [2] * 3 + [3] + [4] * 9)
    expected = compute_class_weight("balanced", classes=np.arange(5), y=gold)
    assert weights_of_classes(gold, CLASSES, "balanced").tolist() == pytest.approx(expected.tolist())
    assert weights_of_classes(gold, CLASSES, "none").tolist() == [1] * 5


def test_classes_without_sentences_or_direction() -> None:
    labels = ["a(e1,e2)", "a(e2,e1)", "b(e1,e2)", "b(e2,e1)", "owns", "no_relation"]
    gold = np.asarray([0, 0, 4, 4, 4, 5])
    assert weights_of_classes(gold, labels, "direction_counts").tolist() == [1] * 6
    assert weights_of_classes(gold, labels, "balanced").tolist() == pytest.approx([0.5, 1, 1, 1, 1 / 3, 1])


def test_the_loss_weighs_classes(backbone: Backbone, task: RelationClassification) -> None:
    head, encoder = task.new_head(32).eval(), encoder_of(backbone)
    task.weight = torch.tensor([0.1, 0.2, 0.3, 0.4, 1.0])
    batch = task.training_set(0).sample(10)
    sentences, gold = batch.sentences, batch.gold
    with torch.no_grad():
        logs = torch.log_softmax(head(encoder.embed(sentences)), -1)
        expected = -sum(float(task.weight[g] * logs[i, g]) for i, g in enumerate(gold)) / float(task.weight[gold].sum())
        assert float(task.loss(encoder, head, batch)) == pytest.approx(expected, rel=1e-5)


# --- training and measuring


def test_it_learns_and_measures(backbone: Backbone, task: RelationClassification) -> None:
    torch.manual_seed(0)
    encoder, head = encoder_of(backbone), task.new_head(32)
    untrained = task.measure(encoder, head, ["en"])["en"].tally(PROTOCOLS["strict"]).values()
    markers = backbone.tokenizer.convert_tokens_to_ids(list(MARKERS))
    rows = backbone.model.get_input_embeddings().weight.detach()[markers].clone()
    optimizer = torch.optim.Adam([*backbone.model.parameters(), *head.parameters()], 3e-3)
    stream, losses = task.training_set(0), []
    for _ in range(60):
        loss = task.loss(encoder, head, stream.sample(20))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert loss.shape == ()
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    changed = (backbone.model.get_input_embeddings().weight.detach()[markers] - rows).abs().amax(1)
    assert (changed > 0).all()  # the markers are trained
    assert head.training

    seen: list[tuple[int, int]] = []
    found = task.measure(
        encoder, head, ["en", "de", "fr"], tokens_per_pass=200, progress=lambda *done: seen.append(done)
    )
    assert head.training  # as it was before
    assert list(found) == ["en", "de"]
    assert len(seen) > 3
    assert seen[-1] == (task.test_tokens(["en", "de"]),) * 2
    values = found["en"].tally(PROTOCOLS["strict"]).values()
    assert values["F1"] > max(60, untrained["F1"] + 20)
    assert found["en"].gold.tolist() == [number % 5 for number in range(100, 125)]
    assert found["en"].probability.min() > 0.2
    assert found["en"].probability.max() <= 1
    again = from_arrays(task.name, to_arrays(found))
    assert again["de"].tally(PROTOCOLS["strict"]).values() == found["de"].tally(PROTOCOLS["strict"]).values()
    valid = task.measure(encoder, head, ["en", "de"], "valid", limit=8)
    assert {language: len(outcome.gold) for language, outcome in valid.items()} == {"en": 8}


def test_dropout_is_off_and_passes_do_not_matter(backbone: Backbone, task: RelationClassification) -> None:
    torch.manual_seed(1)
    encoder, head = encoder_of(backbone), task.new_head(32)
    found = [task.measure(encoder, head, ["de"], tokens_per_pass=n)["de"] for n in (10, 8192)]
    assert np.allclose(found[0].probability, found[1].probability, atol=1e-5)
    texts = task.probe_texts("de", 20)
    vectors = torch.stack(
        [
            backbone.model(input_ids=torch.tensor(texts.take(np.asarray([i])).ids[None])).last_hidden_state[0, 0]
            for i in range(20)
        ]
    )
    expected = torch.softmax(vectors @ head[1].weight.T + head[1].bias, -1).max(-1)  # no dropout, [CLS] alone
    assert found[1].predicted.tolist() == expected.indices.tolist()
    assert np.allclose(found[1].probability, expected.values.detach().numpy(), atol=1e-5)
    assert not torch.allclose(head(vectors), head(vectors))  # in training there is


def test_an_interrupted_measurement_leaves_the_head_as_it_was(backbone: Backbone, task: RelationClassification) -> None:
    head = task.new_head(32)

    def stop(*_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        task.measure(encoder_of(backbone), head, ["de"], progress=stop)
    assert head.training
    with pytest.raises(ValueError, match="measured with a head"):
        task.measure(encoder_of(backbone), None, ["de"])


def test_translations_are_one_unit(backbone: Backbone, task: RelationClassification, data: BenchmarkData) -> None:
    found = task.measure(encoder_of(backbone), task.new_head(32), ["de", "en"])
    number = {language: [int(i) for i in outcome.unit] for language, outcome in found.items()}
    assert number["de"] == number["en"][:20]  # s100 to s119 in both
    assert sorted(number["en"]) == list(range(25))
    limited = RelationClassification(backbone, data, [data], test_limit=5)
    units = limited.measure(encoder_of(backbone), limited.new_head(32), ["en"])["en"].unit
    assert sorted(units.tolist()) == list(range(5))  # no gaps, which a bootstrap would draw


# --- the real data


def test_kbp37_and_relx(shared_data: Path, backbone: Backbone, tmp_path: Path) -> None:
    log = RowLog()
    relx = read_relx(shared_data / "relx", log).write(tmp_path / "relx", log)
    draft, kept = read_kbp37(shared_data / "kbp37", log), Counter()
    rows = draft.rows["examples"]
    draft.rows["examples"] = [r for r in rows if r[1] == "train" and not kept.update([r[-3]]) and kept[r[-3]] <= 4]
    kbp37 = draft.write(tmp_path / "kbp37", log)
    task = RelationClassification(backbone, kbp37, [relx])
    assert task.test_sizes() == dict.fromkeys(("de", "en", "es", "fr", "tr"), 502)
    assert len(task.labels) == len(kept) == 37
    assert len(task.training_set(0)) == 4 * 37
    assert task.weight.tolist() == pytest.approx([0.5] * 36 + [1])
    head = task.new_head(32)
    assert head(torch.zeros(2, 32)).shape == (2, 37)
    found = task.measure(encoder_of(backbone), head, ["en", "tr"], limit=50)
    assert (found["en"].unit == found["tr"].unit).all()
    differ = found["en"].gold != found["tr"].gold
    assert 0 < differ.mean() < 0.5  # directions turn with the order of the mentions
    assert (found["en"].gold[differ] == found["tr"].gold[differ] ^ 1).all()
    assert 0 <= found["tr"].tally(PROTOCOLS["strict"]).values()["F1"] < 50
