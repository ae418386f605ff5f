"""Named entity recognition: windows, losses and predictions against slow versions, one sentence at a time."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from seqeval.metrics import f1_score
from torch import nn

from core import catalog
from core.corpora.benchmarks import wikiann
from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.corpora.records import SpecialTokens, TokenBatch
from core.corpora.rows import RowLog
from core.encoder.backbones import Backbone, load_backbone
from core.encoder.text_encoder import TextEncoder
from core.evaluation.protocols import PROTOCOLS
from core.evaluation.spans import PredictedSpans
from core.tasks.ner import NER
from core.tasks.word_windows import Sentences, split_words

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
NOTHING = "\u2003"  # the tiny tokenizer drops blanks of every kind
_PARTS = {
    "en": (["saw", "and", "the", ",", "walked"], [["anna", "lee"], ["bob"]], [["new", "york"], ["rome"]]),
    "de": (["sah", "und", "ging", ".", "dort"], [["anna"], ["uwe", "kurz"]], [["bad", "ems"], ["rom"]]),
}
Tagged = tuple[list[str], list[str]]


def sentence(language: str, pieces: int, generator: np.random.Generator) -> Tagged:
    """A sentence of `pieces` names and other words, every name with its tags."""
    words, tags = [], []
    for _ in range(pieces):
        kind = generator.integers(3)
        options = _PARTS[language][kind]
        found = options[generator.integers(len(options))]
        if kind == 0:
            words, tags = [*words, found], [*tags, "O"]
        else:
            name = ("PER", "LOC")[kind - 1]
            words, tags = [*words, *found], [*tags, f"B-{name}", *[f"I-{name}"] * (len(found) - 1)]
    return words, tags


def made(folder: Path, rows: dict[tuple[str, str], list[Tagged]], name: str = "made") -> BenchmarkData:
    """A benchmark with these sentences by language and split."""
    draft = Draft(name, "ner", "tests", "MIT", "", LABELS)
    for (language, split), sentences in rows.items():
        for words, tags in sentences:
            draft.add("sentences", language, split, words, tags)
    return draft.write(folder / name, RowLog())


def random_sentences(language: str, count: int, seed: int, most: int = 9) -> list[Tagged]:
    generator = np.random.default_rng(seed)
    return [sentence(language, int(generator.integers(1, most)), generator) for _ in range(count)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    rows = {
        ("en", "train"): random_sentences("en", 40, 1, most=20),
        ("de", "train"): random_sentences("de", 7, 2),
        ("en", "valid"): random_sentences("en", 12, 3),
        ("en", "test"): [*random_sentences("en", 20, 4), sentence("en", 60, np.random.default_rng(5))],
        ("de", "test"): [
            *random_sentences("de", 15, 6),
            (["rom", NOTHING, "uwe", NOTHING], ["B-LOC", "O", "B-PER", "I-PER"]),
            ([NOTHING], ["B-LOC"]),
            (["x" * 90, "rom", "y" * 70], ["O", "B-LOC", "I-LOC"]),
        ],
    }
    return made(tmp_path_factory.mktemp("benchmarks"), rows)


@pytest.fixture
def backbone(tiny_backbone: Path, tmp_path: Path) -> Backbone:
    return load_backbone(str(tiny_backbone), tmp_path)


@pytest.fixture
def encoder(backbone: Backbone) -> TextEncoder:
    return TextEncoder(backbone, SpecialTokens.of(backbone.tokenizer), torch.device("cpu"))


def decided_head(task: NER) -> nn.Module:
    """A head whose logits lie far apart, so that no rounding changes a prediction."""
    torch.manual_seed(0)
    head = task.new_head(32)
    nn.init.normal_(head[1].weight, std=5)
    return head


def slow_windows(lengths: list[int], room: int) -> list[tuple[range, list[int]]]:
    """Windows of a sentence as (words, words predicted), from the tokens that each word has, word by word."""
    windows, first = [], 0
    if sum(lengths) > room:
        while sum(lengths[first:]) > room:
            end = first
            while sum(lengths[first : end + 1]) <= room:
                end += 1
            windows.append(range(first, end))
            first = next(
                w for w in range(end + 1) if sum(lengths[w:end]) <= room // 2 and sum(lengths[w : end + 1]) <= room
            )
        first = next(w for w in range(len(lengths)) if sum(lengths[w:]) <= room)
    windows.append(range(first, len(lengths)))

    def context(word: int, window: range) -> int:
        return min(sum(lengths[window.start : word]), sum(lengths[word + 1 : window.stop]))

    owner = [
        max((i for i, w in enumerate(windows) if word in w), key=lambda i: (context(word, windows[i]), -i))
        for word in range(len(lengths))
    ]
    return [(w, [word for word in w if owner[word] == i and lengths[word]]) for i, w in enumerate(windows)]


def slow_logits(words: list[str], backbone: Backbone, head: nn.Module, max_tokens: int) -> dict[int, torch.Tensor]:
    """Logits of every word that has tokens, one window and one unpadded forward pass at a time."""
    tokenizer, found = backbone.tokenizer, {}
    pieces = [tokenizer([w], is_split_into_words=True, add_special_tokens=False).input_ids for w in words]
    pieces = [ids[: max_tokens - 2] for ids in pieces]
    for window, asked in slow_windows([len(ids) for ids in pieces], max_tokens - 2):
        ids, place = [tokenizer.cls_token_id], {}
        for word in window:
            place[word] = len(ids)
            ids += pieces[word]
        with torch.no_grad():
            states = backbone.model(torch.tensor([[*ids, tokenizer.sep_token_id]])).last_hidden_state[0]
            found |= {word: head(states[place[word]]) for word in asked}
    return found


def slow_tags(words: list[str], backbone: Backbone, head: nn.Module, max_tokens: int) -> list[str]:
    logits = slow_logits(words, backbone, head, max_tokens)
    return [LABELS[int(logits[w].argmax())] if w in logits else "O" for w in range(len(words))]


def tags_of(outcome: PredictedSpans, flat: np.ndarray) -> list[list[str]]:
    bounds = np.cumsum(outcome.words)[:-1]
    return [[outcome.labels[tag] for tag in tags] for tags in np.split(flat, bounds)]


# --- what is asked


def test_what_it_offers(backbone: Backbone, data: BenchmarkData) -> None:
    task = NER(backbone, data)
    assert catalog.resolve("task", task.name) is NER
    assert (task.metric, task.train_languages, task.dataset) == ("F1", ("en",), "made")
    assert task.test_sizes() == {"de": 18, "en": 21}
    assert task.test_tokens(["de", "eo"]) == task.probe_texts("de", 100).lengths.sum() > 100
    assert task.test_tokens(["de", "en"]) == task.test_tokens(["de"]) + task.test_tokens(["en"])
    assert len(task.training_set(0)) == len(task._train.windows) >= 40
    both = NER(backbone, data, train_languages=["en", "de", "en"])
    assert both.train_languages == ("en", "de")
    assert len(both.training_set(0)) == len(task.training_set(0)) + 7


def test_a_limited_test_set_says_so(backbone: Backbone, data: BenchmarkData) -> None:
    task = NER(backbone, data, test_limit=20)
    assert task.dataset == "made, 20 test sentences a language"
    assert task.test_sizes() == {"de": 18, "en": 20}
    assert NER(backbone, data, test_limit=21).dataset == "made"


def test_a_language_is_tested_in_the_first_benchmark_that_has_it(
    backbone: Backbone, data: BenchmarkData, tmp_path: Path
) -> None:
    tests = [
        made(tmp_path, {("de", "test"): [(["rom"], ["B-LOC"])] * 3, ("en", "valid"): [(["a"], ["O"])]}, "first"),
        made(tmp_path, {("de", "test"): [(["uwe"], ["O"])], ("en", "test"): [(["a"], ["O"])] * 2}, "second"),
    ]
    task = NER(backbone, data, tests)
    assert task.dataset == "first + second"
    assert task.test_sizes() == {"de": 3, "en": 2}
    assert len(task._asked["valid", "en"].words) == 12


def test_the_words_are_those_that_the_tokenizer_splits_beforehand(backbone: Backbone, data: BenchmarkData) -> None:
    task, rows = NER(backbone, data), data.records("sentences", language="en", split="valid")
    sentences = task._asked["valid", "en"]
    batch = sentences.batch(np.arange(len(rows)))
    assert len(batch) == len(rows) == 12
    encodings = [backbone.tokenizer(row["tokens"], is_split_into_words=True) for row in rows]
    assert batch.texts.ids.tolist() == [i for e in encodings for i in e.input_ids]
    assert batch.texts.lengths.tolist() == [len(e.input_ids) for e in encodings]
    starts = np.cumsum(batch.texts.lengths) - batch.texts.lengths
    first = [
        start + e.word_ids().index(w)
        for start, e, row in zip(starts, encodings, rows, strict=True)
        for w in range(len(row["tokens"]))
    ]
    assert batch.first.tolist() == first
    assert [LABELS[tag] for tag in batch.tags] == [tag for row in rows for tag in row["tags"]]
    assert batch.word.tolist() == list(range(len(first)))


def test_a_prefix_stands_before_every_window(backbone: Backbone, data: BenchmarkData, encoder: TextEncoder) -> None:
    plain, task = NER(backbone, data), NER(backbone, data, prefix="query: ")
    ids = backbone.tokenizer("query: ", add_special_tokens=False).input_ids
    a, b = (t._asked["valid", "en"].batch(np.arange(12)) for t in (plain, task))
    assert (b.texts.lengths == a.texts.lengths + len(ids)).all()
    assert (b.texts.ids[b.first] == a.texts.ids[a.first]).all()
    assert b.texts.ids[: len(ids) + 1].tolist() == [backbone.tokenizer.cls_token_id, *ids]


# --- windows


def test_windows_equal_those_found_word_by_word() -> None:
    generator, split = np.random.default_rng(0), 0
    for _ in range(400):
        room = int(generator.integers(1, 30))
        lengths = np.minimum(generator.geometric(0.3, size=int(generator.integers(1, 60))), room)
        lengths[generator.random(len(lengths)) < 0.1] = 0
        lengths[generator.random(len(lengths)) < 0.05] = room
        bounds = np.append(0, np.cumsum(lengths))
        if bounds[-1] <= room:
            continue
        found = split_words(bounds, room)
        split += len(found) > 3
        assert (bounds[found[:, 1]] - bounds[found[:, 0]] <= room).all()
        tokens = lengths.tolist()
        expected = slow_windows(tokens, room)
        assert [(bounds[a], bounds[b]) for a, b, *_ in found] == [
            (bounds[w.start], bounds[w.stop]) for w, _ in expected
        ]
        owned = [[w for w in range(a, b) if tokens[w]] for *_, a, b in found]
        assert [word for words in owned for word in words] == np.flatnonzero(lengths).tolist()  # each exactly once
        for (start, end, *_), words in zip(found, owned, strict=True):
            for word in words:  # nowhere else has it more context on its poorer side
                here = min(bounds[word] - bounds[start], bounds[end] - bounds[word + 1])
                assert here == max(
                    min(bounds[word] - bounds[a], bounds[b] - bounds[word + 1]) for a, b, *_ in found if a <= word < b
                )
    assert split > 100


def test_every_word_comes_back_once_however_small_the_windows(backbone: Backbone, data: BenchmarkData) -> None:
    words = {
        lang: sum(len(r["tokens"]) for r in data.records("sentences", language=lang, split="test")) for lang in _PARTS
    }
    for max_tokens in (3, 8, 24, 128):
        task = NER(backbone, data, max_tokens=max_tokens)
        for language, dropped in (("en", 0), ("de", 3)):
            s = task._asked["test", language]
            assert len(s.tags) == words[language]
            assert len(np.unique(s.word)) == len(s.word) == words[language] - dropped
            assert s.windows.lengths.max() <= max_tokens
            assert len(s.windows) == len(s.sentence) == len(s.asked)
            assert s.asked.min() > 0
            assert s.asked.sum() == len(s.word)
        assert len(s.windows) >= len(s.words) - 1  # one sentence has no token at all


def test_a_window_that_would_predict_nothing_is_left_out(backbone: Backbone, tmp_path: Path) -> None:
    lengths = [1] * 51 + [24, 25, 2, 49]
    found = split_words(np.append(0, np.cumsum(lengths)), 100)
    assert found.tolist() == [[0, 53, 0, 52], [50, 54, 52, 52], [51, 55, 52, 55]]
    words = ["a" * length for length in lengths]
    data = made(tmp_path, {("en", split): [(words, ["O"] * 55)] for split in ("train", "test")})
    s = NER(backbone, data, max_tokens=102)._train
    assert s.windows.lengths.tolist() == [102, 102]
    assert s.asked.tolist() == [52, 3]
    assert s.word.tolist() == list(range(55))
    assert s.first[-3:].tolist() == [1 + 24, 1 + 24 + 25, 1 + 24 + 25 + 2]


# --- training


def test_loss_is_the_mean_over_words_of_their_cross_entropy(
    backbone: Backbone, data: BenchmarkData, encoder: TextEncoder
) -> None:
    task = NER(backbone, data, max_tokens=24)
    head, stream = decided_head(task), task.training_set(0)
    rows = data.records("sentences", language="en", split="train")
    expected = [
        nn.functional.cross_entropy(logits[None], torch.tensor([LABELS.index(row["tags"][word])]))
        for row in rows
        for word, logits in slow_logits(row["tokens"], backbone, head, 24).items()
    ]
    assert len(stream) > len(rows) + 10  # some sentences have several windows
    loss = task.loss(encoder, head, stream.sample(len(stream)))
    assert loss.item() == pytest.approx(float(torch.stack(expected).mean()), rel=1e-4)


def test_training_lowers_the_loss_and_finds_the_names(
    backbone: Backbone, data: BenchmarkData, encoder: TextEncoder
) -> None:
    task = NER(backbone, data)
    torch.manual_seed(0)
    head, stream, losses = task.new_head(32), task.training_set(0), []
    before = task.measure(encoder, head, ["en"], "valid")["en"].tally(PROTOCOLS["strict"]).values()["F1"]
    optimizer = torch.optim.AdamW([*backbone.model.parameters(), *head.parameters()], lr=3e-3)
    head.train()
    for _ in range(60):
        optimizer.zero_grad()
        loss = task.loss(encoder, head, stream.sample(10))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    head.eval()
    after = task.measure(encoder, head, ["en"], "valid")["en"].tally(PROTOCOLS["strict"]).values()["F1"]
    assert np.mean(losses[-5:]) < 0.3 * losses[0]
    assert before < 50 < 80 < after


# --- measuring


@pytest.mark.parametrize(("max_tokens", "packed"), [(128, True), (24, True), (24, False), (9, True)])
def test_predictions_equal_those_of_one_sentence_at_a_time(
    tiny_backbone: Path, data: BenchmarkData, tmp_path: Path, max_tokens: int, packed: bool
) -> None:
    backbone = load_backbone(str(tiny_backbone), tmp_path)
    encoder = TextEncoder(backbone, SpecialTokens.of(backbone.tokenizer), torch.device("cpu"), packed=packed)
    task = NER(backbone, data, max_tokens=max_tokens)
    head = decided_head(task)
    found = task.measure(encoder, head, ["en", "de", "eo"], tokens_per_pass=200)
    assert list(found) == ["en", "de"]
    for language, outcome in found.items():
        rows = data.records("sentences", language=language, split="test")
        expected = [slow_tags(row["tokens"], backbone, head, max_tokens) for row in rows]
        assert tags_of(outcome, outcome.predicted) == expected
        assert tags_of(outcome, outcome.gold) == [row["tags"] for row in rows]
        assert len({tag for tags in expected for tag in tags}) > 2
        score = outcome.tally(PROTOCOLS["strict"]).values()["F1"]
        assert score == pytest.approx(100 * f1_score([row["tags"] for row in rows], expected, zero_division=0))


def test_a_word_without_tokens_is_outside_and_its_gold_tag_counts(
    backbone: Backbone, data: BenchmarkData, encoder: TextEncoder
) -> None:
    task = NER(backbone, data)
    head = decided_head(task)
    with torch.no_grad():
        head[1].bias[LABELS.index("B-PER")] = 1e4  # whatever has a vector is a person
    tags = tags_of(outcome := task.measure(encoder, head, ["de"])["de"], outcome.predicted)
    assert tags[15:] == [["B-PER", "O", "B-PER", "O"], ["O"], ["B-PER"] * 3]
    assert outcome.tally(PROTOCOLS["strict"]).counts[15:].tolist() == [[0, 2, 2], [0, 0, 1], [0, 3, 1]]


def test_a_limit_takes_the_same_sentences_and_units_as_the_whole(
    backbone: Backbone, data: BenchmarkData, encoder: TextEncoder
) -> None:
    task, progress = NER(backbone, data, max_tokens=24), []
    head = decided_head(task)
    whole = task.measure(encoder, head, ["de", "en"], progress=lambda done, total: progress.append((done, total)))
    part = task.measure(encoder, head, ["de", "en"], limit=10)
    assert progress[-1] == (task.test_tokens(["de", "en"]),) * 2
    for language in ("de", "en"):
        a, b = (PredictedSpans.tally(o[language], PROTOCOLS["strict"]).counts for o in (whole, part))
        at = np.searchsorted(whole[language].unit, part[language].unit)
        assert len(at) == 10
        assert (whole[language].unit[at] == part[language].unit).all()
        assert (a[at] == b).all()
        texts = task.probe_texts(language, 10)
        assert texts.lengths.sum() < task.test_tokens([language])
    units = np.concatenate([whole[language].unit for language in whole])
    assert sorted(units) == list(range(18 + 21))


def test_a_trimmed_vocabulary_changes_nothing(backbone: Backbone, data: BenchmarkData, encoder: TextEncoder) -> None:
    task = NER(backbone, data)
    head = decided_head(task)
    before = task.measure(encoder, head, ["en", "de"])
    backbone.trim(task.used_ids())
    after = task.measure(encoder, head, ["en", "de"])
    assert backbone.model.config.vocab_size < len(backbone.tokenizer)
    for language in ("en", "de"):
        np.testing.assert_array_equal(before[language].predicted, after[language].predicted)
    task.loss(encoder, head, task.training_set(0).sample(40))


# --- wrong inputs


def test_another_tasks_benchmark_is_refused(backbone: Backbone, data: BenchmarkData, tmp_path: Path) -> None:
    draft = Draft("questions", "question_answering", "tests", "MIT", "")
    draft.add("contexts", "t", "text")
    draft.add("questions", "en", "test", "q", 0, "what?", [{"text": "text", "start": 0}])
    other = draft.write(tmp_path / "questions", RowLog())
    for sources in ((other,), (data, [other])):
        with pytest.raises(BenchmarkError, match="questions is a benchmark of question_answering, not of ner"):
            NER(backbone, *sources)


def test_a_tag_that_is_no_label_is_refused(backbone: Backbone, data: BenchmarkData, tmp_path: Path) -> None:
    bad = made(tmp_path, {("de", "test"): [(["rom"], ["B-LOC"]), (["rom", "ist"], ["B-ORG", "O"])]}, "bad")
    message = r"test sentence 'rom ist' in de has the tag 'B-ORG', which is none of: O, B-PER, I-PER, B-LOC, I-LOC"
    with pytest.raises(BenchmarkError, match=message):
        NER(backbone, data, [bad])


def test_a_sentence_with_more_words_than_tags_is_refused(
    backbone: Backbone, data: BenchmarkData, tmp_path: Path
) -> None:
    bad = made(tmp_path, {("de", "test"): [(["rom"], ["B-LOC"]), (["rom", "ist"], ["B-LOC"])]}, "bad")
    with pytest.raises(BenchmarkError, match=r"test sentence 'rom ist' in de has 2 words and 1 tags"):
        NER(backbone, data, [bad])


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        (["en", "fr"], r"made has no training sentences in fr\. It has some in: de, en\."),
        ([], r"made has no training sentences in an empty list of languages\. It has some in: de, en\."),
    ],
)
def test_training_languages_without_sentences_are_refused(
    backbone: Backbone, data: BenchmarkData, languages: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        NER(backbone, data, train_languages=languages)


def test_training_words_that_are_no_tokens_are_refused(backbone: Backbone, tmp_path: Path) -> None:
    data = made(tmp_path, {("en", split): [([NOTHING], ["O"])] for split in ("train", "test")})
    with pytest.raises(ValueError, match="makes nothing of any training word of made"):
        NER(backbone, data)


def test_windows_without_room_and_a_missing_head_are_refused(
    backbone: Backbone, data: BenchmarkData, encoder: TextEncoder
) -> None:
    with pytest.raises(ValueError, match=r"max_tokens is 2, .* Set it to 3 or more"):
        NER(backbone, data, max_tokens=2)
    with pytest.raises(ValueError, match="with a head"):
        NER(backbone, data).measure(encoder, None, ["en"])


# --- real data


def test_real_wikiann_in_six_languages(
    backbone: Backbone, encoder: TextEncoder, shared_data: Path, tmp_path: Path
) -> None:
    languages = sorted(p.parent.name for p in (shared_data / "wikiann").glob("*/test.conllu"))
    assert languages == ["de", "en", "es", "nl", "pl", "ru"]
    for file in (shared_data / "wikiann").glob("*/*.conllu"):
        (tmp_path / "wikiann" / file.parent.name).mkdir(parents=True, exist_ok=True)
        with file.open(encoding="utf-8") as lines:  # the first 1,000 lines: about a hundred sentences
            text = "".join(islice(lines, 1000)).rpartition("\n\n")[0]
        (tmp_path / "wikiann" / file.parent.name / file.name).write_text(text + "\n\n", encoding="utf-8")
    log = RowLog(strict=False)
    data = wikiann.read(tmp_path / "wikiann", log).write(tmp_path / "built", log)
    task = NER(backbone, data, test_limit=60, max_tokens=64)
    assert task.test_sizes() == dict.fromkeys(languages, 60)
    head = decided_head(task)
    found = task.measure(encoder, head, languages)
    assert list(found) == languages
    several = 0
    for language, outcome in found.items():
        assert (outcome.words > 0).all()
        assert len(outcome.predicted) == outcome.words.sum() == len(outcome.gold)
        s = task._asked["test", language]
        several += len(s.windows) - len(np.unique(s.sentence))
        assert len(s.word) == len(s.tags)
        gold, predicted = (tags_of(outcome, flat) for flat in (outcome.gold, outcome.predicted))
        tally = outcome.tally(PROTOCOLS["strict"])
        assert tally.values()["F1"] == pytest.approx(100 * f1_score(gold, predicted, zero_division=0))
        assert tally.counts[:, 2].sum() > 60
        all_right = PredictedSpans(outcome.unit, outcome.words, outcome.gold, outcome.gold, outcome.labels)
        assert set(all_right.tally(PROTOCOLS["strict"]).values().values()) == {100.0}
    assert several > 20
    batch = task.training_set(0).sample(16)
    assert isinstance(batch.texts, TokenBatch)
    assert isinstance(task._train, Sentences)
    assert torch.isfinite(task.loss(encoder, head, batch))
