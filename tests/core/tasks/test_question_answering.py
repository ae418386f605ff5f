"""Question answering: windows, n best spans, loss and measure against slow versions, on a tiny benchmark and XQuAD."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.corpora.benchmarks import squad
from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.corpora.records import SpecialTokens, TokenBatch
from core.corpora.rows import RowLog
from core.encoder.backbones import Backbone, load_backbone
from core.encoder.text_encoder import TextEncoder
from core.evaluation.metrics import METRICS
from core.evaluation.protocols import PROTOCOLS
from core.folders import cache_root
from core.tasks.answer_windows import Pieces, WindowLayout, Windows, best_answers, widest_context
from core.tasks.question_answering import QuestionAnswering

TEXTS = {  # context, and for each question its answer, in five scripts; the last answer stands twice
    "en": (
        "Ada Lovelace, born in London, wrote programs for an engine that was never built in London.",
        "London, wrote",
    ),
    "ru": (
        "Ада Лавлейс родилась в Лондоне и писала программы для машины, которую не построили в Лондоне.",
        "Лондоне и",
    ),
    "ar": ("ولدت آدا لوفلايس في لندن وكتبت برامج لآلة لم تُبنَ قط في لندن.", "لندن وكتبت"),
    "zh": ("阿达·洛芙莱斯出生于伦敦，她为一台从未造成的机器写程序。那台机器也在伦敦。", "伦敦，她为"),
    "hi": ("एडा लवलेस का जन्म लंदन में हुआ और उन्होंने कभी न बनी मशीन के लिए प्रोग्राम लिखे, लंदन में।", "लंदन में हुआ"),
}
WINDOW = {"max_tokens": 60, "stride": 15, "question_tokens": 8}


def places(language: str) -> list[tuple[int, int]]:
    """Where the answers to the five questions stand; the questions' ids count down."""
    text, late = TEXTS[language]
    middle = len(text) // 2
    spans = [(0, 3), (middle, middle + 9), (len(text) - 6, len(text))]
    return [*spans, (text.index(late), text.index(late) + len(late)), (0, len(text))]


def tiny_benchmark(
    target: Path, name: str = "tiny-qa", splits: Sequence[str] = ("train", "valid", "test")
) -> BenchmarkData:
    """In each language one context with five questions, the same ids in every language; training in English."""
    draft = Draft(name, "question_answering", "tests", "MIT", "A tiny benchmark.")
    for language, (text, _) in TEXTS.items():
        for split in splits:
            if split != "test" and language != "en":
                continue
            context = draft.add("contexts", "Ada", text)
            for number, (start, end) in enumerate(places(language)):
                answers = [{"text": text[start:end], "start": start}, {"text": text[:5], "start": 0}]
                draft.add("questions", language, split, f"{split}{4 - number}", context, f"who {number}", answers)
    return draft.write(target / name, RowLog())


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkData:
    return tiny_benchmark(tmp_path_factory.mktemp("qa"))


@pytest.fixture(scope="module")
def backbone(tiny_backbone: Path) -> Backbone:
    return load_backbone(str(tiny_backbone), tiny_backbone / "no-cache")


@pytest.fixture(scope="module")
def scripts(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """A backbone whose tokenizer knows every character of the five texts, and has a pair template."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    characters = sorted(set("".join(text for text, _ in TEXTS.values()) + "who 01234.,"))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *characters, *(f"##{c}" for c in characters)]
    inner = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    return Backbone(backbone.model, PreTrainedTokenizerFast(tokenizer_object=inner, **names), "scripts", "", 0)


@pytest.fixture(scope="module")
def task(backbone: Backbone, benchmark: BenchmarkData) -> QuestionAnswering:
    return QuestionAnswering(backbone, benchmark, [], answer_tokens=7, n_best=5, **WINDOW)


@pytest.fixture(scope="module")
def encoder(backbone: Backbone) -> TextEncoder:
    return TextEncoder(backbone, SpecialTokens.of(backbone.tokenizer), torch.device("cpu"))


def head_of(task: QuestionAnswering, scale: float = 20.0) -> nn.Module:
    torch.manual_seed(1)
    head = task.new_head(32)
    with torch.no_grad():
        head.weight.mul_(scale)
    return head


def split(batch: TokenBatch) -> list[list[int]]:
    return [part.tolist() for part in np.split(batch.ids, np.cumsum(batch.lengths)[:-1])]


# --- windows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_tokens", "stride"), [(30, 3), (40, 12), (60, 29), (200, 50)])
def test_windows_are_those_of_the_tokenizer_with_its_own_pair_template(
    scripts: Backbone, max_tokens: int, stride: int
) -> None:
    tokenizer = scripts.tokenizer
    contexts, questions = [text for text, _ in TEXTS.values()], ["who who who", "who", "who who who who who", "who 1"]
    of = np.array([0, 1, 2, 3, 4, 4, 0, 1])
    asked = [questions[i % 4] for i in range(8)]
    layout = WindowLayout.of(tokenizer, "", max_tokens, stride, 15)
    windows = Windows.of(layout, Pieces.of(tokenizer, asked), Pieces.of(tokenizer, contexts), of)
    found, wanted = split(windows.batch(np.arange(len(windows)))), []
    for question, context in zip(asked, of, strict=True):
        room = max_tokens - 4 - len(tokenizer(question, add_special_tokens=False).input_ids)
        cut = tokenizer(  # its `stride` is what two windows share
            question,
            contexts[context],
            truncation="only_second",
            max_length=max_tokens,
            stride=room - stride,
            return_overflowing_tokens=True,
        )
        wanted += cut.input_ids
    assert found == wanted
    assert (len(found) > 8) == (max_tokens < 200)
    assert all(len(ids) <= max_tokens for ids in found)
    assert windows.first.tolist() == np.searchsorted(windows.question, np.arange(9)).tolist()
    some = np.array([5, 0, len(windows) - 1])
    assert split(windows.batch(some)) == [wanted[i] for i in some]


@pytest.mark.parametrize("tokens", [0, 1, 19, 20, 21, 25, 26, 63])
def test_windows_cover_every_token_of_a_context(tokens: int) -> None:
    layout = WindowLayout((2,), (3,), (3,), max_tokens=25, stride=5, question_tokens=8)
    ids = np.arange(100, 100 + tokens, dtype=np.int32)
    context = Pieces(ids, ids, ids, np.array([tokens]), np.array([0]))
    question = Pieces(np.array([7, 8], np.int32), ids[:0], ids[:0], np.array([2]), np.array([0]))
    windows = Windows.of(layout, question, context, np.array([0]))
    shown = [ids[b : b + n].tolist() for b, n in zip(windows.begin, windows.length, strict=True)]
    assert set().union(*shown) == set(ids.tolist())
    texts = split(windows.batch(np.arange(len(windows))))
    assert texts == [[2, 7, 8, 3, *part, 3] for part in shown]
    assert len(windows) == 1 + max(0, -(-(tokens - 20) // 5))  # 20 tokens fit beside the question
    assert (windows.begin == 5 * np.arange(len(windows))).all()
    assert all(
        text[o : o + n] == part for text, o, n, part in zip(texts, windows.offset, windows.length, shown, strict=True)
    )


def test_a_tokenizer_without_a_pair_template_gets_that_of_bert(backbone: Backbone, scripts: Backbone) -> None:
    assert backbone.tokenizer("a", "a").input_ids == [backbone.tokenizer.convert_tokens_to_ids("a")] * 2
    layout = WindowLayout.of(backbone.tokenizer, "", 60, 15, 8)
    assert (layout.before, layout.between, layout.after) == ((2,), (3,), (3,))
    layout = WindowLayout.of(scripts.tokenizer, "who", 60, 15, 8)
    who = scripts.tokenizer("who", add_special_tokens=False).input_ids
    assert (layout.before, layout.between, layout.after) == ((2, *who), (3, 3), (3,))


def test_the_answers_of_five_scripts_are_found_to_the_character(scripts: Backbone, benchmark: BenchmarkData) -> None:
    task = QuestionAnswering(scripts, benchmark, [], **WINDOW)
    seen = 0
    for (_, language), asked in task._sets.items():
        context = TEXTS[language][0]
        assert asked.texts == [context]
        ids = scripts.tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)
        assert ids.offset_mapping == list(zip(asked.pieces.start.tolist(), asked.pieces.end.tolist(), strict=True))
        assert scripts.tokenizer.unk_token_id not in ids.input_ids
        windows, targets = asked.windows, asked.targets()
        for window in np.flatnonzero(targets[:, 0]):
            first, last = targets[window] - windows.offset[window] + windows.begin[window]
            question = int(windows.question[window])
            assert asked.text(question, first, last) == asked.gold[question][0].strip()
            seen += 1
        in_some = np.unique(windows.question[targets[:, 0] > 0])
        fits = [q for q in range(5) if len(asked.gold[q][0]) < 30]
        assert set(fits) <= set(in_some.tolist())
    assert seen > 40


def test_a_window_without_the_whole_answer_points_to_the_first_token(task: QuestionAnswering) -> None:
    asked = task._sets["train", "en"]
    context, windows, targets = TEXTS["en"][0], asked.windows, asked.targets()
    outside = 0
    for window in range(len(windows)):
        first, last = places("en")[4 - int(windows.question[window])]
        start, end = (len(context[:at].replace(" ", "")) for at in (first, last))  # one token per character
        begin, stop = windows.begin[window], windows.begin[window] + windows.length[window]
        inside = begin <= start and end <= stop
        offset = windows.offset[window] - begin
        assert targets[window].tolist() == ([start + offset, end - 1 + offset] if inside else [0, 0])
        outside += not inside
    assert 5 < outside < len(windows) - 5


def test_spaces_in_a_piece_are_no_part_of_an_answer() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "▁Ada", "▁wrote", "▁code", "▁"]
    inner = Tokenizer(models.Unigram([(p, -1.0) for p in pieces], unk_id=0))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    context = "Ada wrote code"
    found = Pieces.of(PreTrainedTokenizerFast(tokenizer_object=inner), [context])
    assert found.start.tolist() == [0, 3, 9]  # a piece holds the space before it
    assert found.span(0, 4, 9) == (1, 2)
    assert found.span(0, 0, 9) == (0, 2)


# --- the best answers --------------------------------------------------------------------------------------------


def is_max_context(spans: list[tuple[int, int]], index: int, position: int) -> bool:
    """`_check_is_max_context` of BERT's run_squad.py (Devlin et al. 2019), spans as (start, length)."""
    best_score, best_index = None, None
    for i, (start, length) in enumerate(spans):
        end = start + length - 1
        if start <= position <= end:
            score = min(position - start, end - position) + 0.01 * length
            if best_score is None or score > best_score:
                best_score, best_index = score, i
    return index == best_index


@pytest.mark.parametrize("spans", [[(0, 7)], [(0, 10), (4, 10), (8, 10), (12, 5)], [(0, 8), (3, 8), (6, 2)], [(0, 0)]])
def test_each_token_counts_in_the_window_where_it_has_most_context(spans: list[tuple[int, int]]) -> None:
    found = widest_context(*np.array(spans).T)
    wanted = [is_max_context(spans, i, p) for i, (start, n) in enumerate(spans) for p in range(start, start + n)]
    assert found.tolist() == wanted
    assert found.sum() == max(start + n for start, n in spans)  # every token once


def brute_force(
    logits: list[np.ndarray], spans: list[tuple[int, int]], words: list[str], longest: int, count: int
) -> list[tuple[str, float]]:
    """Every span of every window, one by one."""
    found: list[tuple[float, int, int, int, str]] = []
    for i, ((begin, length), of_window) in enumerate(zip(spans, logits, strict=True)):
        for start in range(length):
            for end in range(start, length):
                if end - start < longest and is_max_context(spans, i, begin + start):
                    score = float(of_window[start, 0] + of_window[end, 1])
                    found.append((-score, i, start, end, " ".join(words[begin + start : begin + end + 1]).strip()))
    best: dict[str, float] = {}
    for score, *_, text in sorted(found):
        if text:
            best.setdefault(text, -score)
    return list(best.items())[:count]


@pytest.mark.parametrize("seed", range(12))
def test_the_best_answers_are_those_of_all_spans(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = int(rng.integers(1, 40))
    stride, room = 5, 11
    begins = range(0, max(1, tokens - room + stride), stride)
    spans = [(b, min(room, tokens - b)) for b in begins]
    words = rng.choice(["x", "y", "z", ""], tokens).tolist()  # few words, so that texts repeat
    logits = [rng.integers(-3, 4, (n, 2)).astype(np.float32) for _, n in spans]  # small integers, so that scores tie
    longest, count = int(rng.integers(1, 15)), int(rng.integers(1, 30))
    begin, length = np.array(spans).T
    texts, scores = best_answers(
        np.concatenate(logits), begin, length, lambda a, b: " ".join(words[a : b + 1]).strip(), longest, count
    )
    wanted = brute_force(logits, spans, words, longest, count) or [("", 0.0)]
    assert list(zip(texts, scores, strict=True)) == wanted


def test_the_best_answers_worked_by_hand() -> None:
    # Two windows over the words a b c d: [a b c] and [b c d]. a and b begin in the first, the others in the second.
    logits = np.array([[1, 0], [5, 2], [9, 3], [9, 9], [2, 1], [0, 4]], np.float32)
    words = "abcd"
    found = best_answers(logits, np.array([0, 1]), np.array([3, 3]), lambda a, b: words[a : b + 1], 2, 20)
    # b: 5 + 2, bc: 5 + 3, cd: 2 + 4, a: 1 + 0, ab: 1 + 2, c: 2 + 1, d: 0 + 4; abc and bcd are too long
    assert found == (["bc", "b", "cd", "d", "ab", "c", "a"], [8, 7, 6, 4, 3, 3, 1])
    assert best_answers(logits[:0], np.array([0]), np.array([0]), lambda a, b: "?", 2, 20) == ([""], [0.0])


# --- training ----------------------------------------------------------------------------------------------------


def slow_loss(backbone: Backbone, head: nn.Module, ids: list[int], start: int, end: int) -> Tensor:
    """Loss of one window alone in the model."""
    logits = head(backbone.model(input_ids=torch.tensor([ids])).last_hidden_state[0])
    chances = torch.log_softmax(logits, dim=0)
    return -(chances[start, 0] + chances[end, 1]) / 2


def test_the_loss_is_that_of_one_window_at_a_time(
    task: QuestionAnswering, backbone: Backbone, encoder: TextEncoder
) -> None:
    head, batch = head_of(task), task.training_set(seed=3).sample(9)
    assert len(batch) == 9
    assert len(set(batch.texts.lengths.tolist())) > 1
    loss = task.loss(encoder, head, batch)
    parts = [
        slow_loss(backbone, head, *window) for window in zip(split(batch.texts), batch.start, batch.end, strict=True)
    ]
    assert loss.item() == pytest.approx(torch.stack(parts).mean().item(), abs=1e-5)
    assert len({round(part.item(), 3) for part in parts}) > 3
    (fast,) = torch.autograd.grad(loss, head.weight)
    (slow,) = torch.autograd.grad(torch.stack(parts).mean(), head.weight)
    assert fast.abs().max() > 1e-3
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-4)


def test_a_pass_of_the_training_set_holds_every_window_with_its_answer_once(
    scripts: Backbone, benchmark: BenchmarkData, tmp_path: Path
) -> None:
    other = Draft("two", "question_answering", "tests", "MIT", "Two training languages.")
    for language, questions in (("hi", 4), ("en", 2)):
        text, _ = TEXTS[language]
        row = other.add("contexts", "Ada", text)
        for question, (start, end) in enumerate(places(language)[:questions]):
            answers = [{"text": text[start:end], "start": start}]
            other.add("questions", language, "train", f"{language}{question}", row, f"who {question}", answers)
    data = other.write(tmp_path / "two", RowLog())
    task = QuestionAnswering(scripts, data, [benchmark], ("en", "hi"), **WINDOW)
    stream = task.training_set(seed=0)
    batches = [stream.sample(7) for _ in range(-(-len(stream) // 7))]
    drawn = [
        (tuple(ids), int(start), int(end))
        for batch in batches
        for ids, start, end in zip(split(batch.texts), batch.start, batch.end, strict=True)
    ]
    wanted = []
    for language in ("en", "hi"):
        windows, targets = task._sets["train", language].windows, task._sets["train", language].targets()
        texts = split(windows.batch(np.arange(len(windows))))
        wanted += [(tuple(ids), *answer) for ids, answer in zip(texts, targets.tolist(), strict=True)]
    assert len(wanted) == len(stream)
    over = len(drawn) - len(wanted)  # the beginning of the next pass
    assert 0 <= over < 7
    assert set(drawn) == set(wanted)
    answers = [TEXTS[lang][0][start:end] for lang, n in (("hi", 4), ("en", 2)) for start, end in places(lang)[:n]]
    spelled = {
        "".join(scripts.tokenizer.convert_ids_to_tokens(ids[start : end + 1])).replace("##", "")
        for ids, start, end in drawn
        if start
    }
    assert spelled == {answer.replace(" ", "") for answer in answers}


def test_training_lowers_the_loss_and_finds_the_answers(
    benchmark: BenchmarkData, tiny_backbone: Path, tmp_path: Path
) -> None:
    backbone = load_backbone(str(tiny_backbone), tmp_path)
    task = QuestionAnswering(backbone, benchmark, [], max_tokens=120, stride=60, question_tokens=8, answer_tokens=20)
    encoder = TextEncoder(backbone, SpecialTokens.of(backbone.tokenizer), torch.device("cpu"))
    torch.manual_seed(0)
    head, stream = task.new_head(32), task.training_set(0)
    parameters = [*backbone.model.parameters(), *head.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    before = task.measure(encoder, head, ["en"], "valid")["en"].values["F1"].mean()
    optimizer, losses = torch.optim.Adam(parameters, lr=3e-3), []
    for _ in range(80):
        loss = task.loss(encoder, head, stream.sample(5))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    after = task.measure(encoder, head, ["en"], "valid")["en"].values["F1"].mean()
    assert after > before + 20


# --- measuring ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def slow_answers(task: QuestionAnswering, backbone: Backbone, head: nn.Module, language: str) -> dict[str, list]:
    """Every question alone, window after window alone in the model, then every span one by one."""
    tokenizer, found = backbone.tokenizer, {}
    context = TEXTS[language][0]
    pieces = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)
    for number in range(5):
        question = tokenizer(f"who {number}", add_special_tokens=False).input_ids
        room = WINDOW["max_tokens"] - 3 - len(question)
        spans, at = [], 0
        while True:
            spans.append((at, min(room, len(pieces.input_ids) - at)))
            if at + room >= len(pieces.input_ids):
                break
            at += WINDOW["stride"]
        logits = []
        for begin, length in spans:
            ids = [2, *question, 3, *pieces.input_ids[begin : begin + length], 3]
            states = backbone.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
            logits.append(head(states)[len(question) + 2 : -1].numpy())
        best: dict[str, float] = {}
        spaced = []
        for i, ((begin, length), of_window) in enumerate(zip(spans, logits, strict=True)):
            for start in range(length):
                for end in range(start, min(length, start + task.answer_tokens)):
                    if is_max_context(spans, i, begin + start):
                        text = context[pieces.offset_mapping[begin + start][0] : pieces.offset_mapping[begin + end][1]]
                        spaced.append((float(of_window[start, 0] + of_window[end, 1]), text))
        for score, text in sorted(spaced, reverse=True):
            best.setdefault(text, score)
        found[f"test{4 - number}"] = list(best.items())[: task.n_best]
    return found


@pytest.mark.parametrize("language", TEXTS)
def test_measuring_gives_the_answers_of_one_window_at_a_time(
    task: QuestionAnswering, backbone: Backbone, encoder: TextEncoder, language: str
) -> None:
    head, seen = head_of(task), []
    outcome = task.measure(
        encoder, head, ["en", "xx", language], tokens_per_pass=150, progress=lambda *at: seen.append(at)
    )[language]
    wanted = slow_answers(task, backbone, head, language)
    assert outcome.ids == tuple(sorted(wanted))
    for id, texts, scores in zip(outcome.ids, outcome.answers, outcome.scores, strict=True):
        assert scores == pytest.approx([score for _, score in wanted[id]], abs=1e-4)
        assert texts[0] == wanted[id][0][0]
        assert set(texts) == {text for text, _ in wanted[id]}
        assert all(text in TEXTS[language][0] for text in texts)
    assert seen[-1] == (task.test_tokens({"en", language}), task.test_tokens({"en", language}))
    assert len(seen) > 2
    assert tuple(outcome.tally(PROTOCOLS["strict"]).metrics) == tuple(METRICS["question_answering"])
    assert outcome.gold[0][0] == TEXTS[language][0]  # test0 asks for the whole context


def test_questions_are_one_unit_in_all_languages_and_a_limit_keeps_them_parallel(
    task: QuestionAnswering, backbone: Backbone, benchmark: BenchmarkData, encoder: TextEncoder
) -> None:
    assert task.test_sizes() == dict.fromkeys(TEXTS, 5)
    assert task.dataset == "tiny-qa"
    limited = QuestionAnswering(backbone, benchmark, [], test_limit=3, answer_tokens=7, n_best=5, **WINDOW)
    assert limited.test_sizes() == dict.fromkeys(TEXTS, 3)
    assert limited.dataset == "tiny-qa, 3 test questions a language"
    assert QuestionAnswering(backbone, benchmark, [], test_limit=5, **WINDOW).dataset == "tiny-qa"
    head = head_of(task)
    for asked, options, size in ((task, {}, 5), (limited, {}, 3), (task, {"limit": 2}, 2)):
        found = asked.measure(encoder, head, list(TEXTS), **options)
        assert list(found) == list(TEXTS)
        assert len({outcome.ids for outcome in found.values()}) == 1
        assert len({tuple(outcome.unit) for outcome in found.values()}) == 1
        assert {len(set(outcome.unit.tolist())) for outcome in found.values()} == {size}
    assert limited.measure(encoder, head, ["en"])["en"].unit.tolist() == [0, 1, 2]
    whole = task.measure(encoder, head, ["en"])["en"]
    part = limited.measure(encoder, head, ["en"])["en"]
    rows = [whole.ids.index(id) for id in part.ids]
    assert part.answers == tuple(whole.answers[row] for row in rows)
    assert task.measure(encoder, head, ["ru"], "valid") == {}
    assert task.measure(encoder, head, ["en"], "valid")["en"].ids[0] == "valid0"


def test_a_language_is_tested_on_the_first_benchmark_that_has_it(
    backbone: Backbone, benchmark: BenchmarkData, tmp_path: Path
) -> None:
    draft = Draft("more", "question_answering", "tests", "MIT", "More.")
    row = draft.add("contexts", "Ada", "ada")
    for language in ("en", "tr"):
        draft.add("questions", language, "test", "t", row, "who", [{"text": "ada", "start": 0}])
    more = draft.write(tmp_path / "more", RowLog())
    task = QuestionAnswering(backbone, benchmark, [benchmark, more], **WINDOW)
    assert task.test_sizes() == dict.fromkeys(sorted(TEXTS), 5) | {"tr": 1}
    assert task.dataset == "tiny-qa + more"
    assert QuestionAnswering(backbone, benchmark, [more], **WINDOW).test_sizes() == {"en": 1, "tr": 1}


def test_used_ids_are_those_of_every_window(task: QuestionAnswering, encoder: TextEncoder) -> None:
    texts = [task.probe_texts(language, 5) for language in TEXTS]
    stream = task.training_set(0)
    texts += [stream.sample(len(stream)).texts]
    used = set(task.used_ids().tolist())
    assert used == set(np.concatenate([batch.ids for batch in texts]).tolist())
    assert {2, 3} < used
    assert task.test_tokens(list(TEXTS)) == sum(len(batch.ids) for batch in texts[:-1])
    few = task.probe_texts("en", 2)
    seen = []
    task.measure(encoder, head_of(task), ["en"], limit=2, progress=lambda *at: seen.append(at))
    assert seen[-1] == (len(few.ids), len(few.ids))


# --- errors ------------------------------------------------------------------------------------------------------


def one_question(target: Path, answer: str, start: int, text: str = "Ada was in London.") -> BenchmarkData:
    draft = Draft("bad", "question_answering", "tests", "MIT", "Bad.")
    row = draft.add("contexts", "Ada", text)
    answers = [{"text": answer, "start": start}] if answer else []
    draft.add("questions", "en", "train", "q7", row, "where", answers)
    draft.add("questions", "en", "test", "q8", row, "who", [{"text": text[:3], "start": 0}])
    return draft.write(target, RowLog())


@pytest.mark.parametrize(
    ("answer", "start", "message"),
    [
        ("London", 10, r"question 'q7' \(en, train\): the answer 'London' is not at character 10 .*; it stands at 11"),
        ("Paris", 0, "the answer 'Paris' is not at character 0 of its context; it is nowhere in the context"),
        ("Ada", -18, "the answer 'Ada' is not at character -18 of its context; it stands at 0"),
        ("", 0, r"question 'q7' \(en, train\) has no answer"),
    ],
)
def test_an_answer_that_is_not_in_its_context_is_named(
    backbone: Backbone, tmp_path: Path, answer: str, start: int, message: str
) -> None:
    with pytest.raises(BenchmarkError, match=message):
        QuestionAnswering(backbone, one_question(tmp_path / "bad", answer, start), [], **WINDOW)


def test_what_cannot_be_asked_is_said(backbone: Backbone, benchmark: BenchmarkData, tmp_path: Path) -> None:
    draft = Draft("names", "ner", "tests", "MIT", "Names.")
    draft.add("sentences", "en", "test", ["Ada"], ["B-PER"])
    names = draft.write(tmp_path / "names", RowLog())
    with pytest.raises(BenchmarkError, match="names is a benchmark of ner, not of question_answering"):
        QuestionAnswering(backbone, benchmark, [names], **WINDOW)
    with pytest.raises(ValueError, match=r"tiny-qa has no training questions in ru\. It has some in: en"):
        QuestionAnswering(backbone, benchmark, [], ("en", "ru"), **WINDOW)
    with pytest.raises(ValueError, match=r"max_tokens is 25, .*Give max_tokens of 26 or more"):
        QuestionAnswering(backbone, benchmark, [], max_tokens=25, stride=15, question_tokens=8)
    assert QuestionAnswering(backbone, benchmark, [], max_tokens=26, stride=15, question_tokens=8).test_sizes()
    with pytest.raises(ValueError, match=r"max_tokens is 384, but .* reads 160 tokens at most"):
        QuestionAnswering(backbone, benchmark, [])


def test_questions_that_were_trained_on_are_no_test(
    backbone: Backbone, benchmark: BenchmarkData, tmp_path: Path
) -> None:
    """XQuAD split in itself as training set, and whole as test set, would ask what was taught."""
    draft = Draft("whole", "question_answering", "tests", "MIT", "The training questions as test questions.")
    text, _ = TEXTS["en"]
    context = draft.add("contexts", "Ada", text)
    for number in (1, 7):
        draft.add("questions", "en", "test", f"train{number}", context, "who", [{"text": text[:5], "start": 0}])
    with pytest.raises(ValueError, match=r"1 test questions in 'en' are training questions too, such as 'train1'"):
        QuestionAnswering(backbone, benchmark, [draft.write(tmp_path / "whole", RowLog())], **WINDOW)


def test_measuring_needs_a_head_and_probing_a_language_with_questions(
    task: QuestionAnswering, encoder: TextEncoder
) -> None:
    with pytest.raises(ValueError, match="question_answering is measured with a head"):
        task.measure(encoder, None, ["en"])
    with pytest.raises(ValueError, match=r"no test questions in language 'tr'. It has some in: ar, en"):
        task.probe_texts("tr", 3)


# --- real data ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_real_xquad_is_laid_out_whole(shared_data: Path, tmp_path: Path) -> None:
    draft = squad.read_xquad(shared_data / "xquad", RowLog(), 0.125, 0.5)
    data = draft.write(tmp_path / "xquad", RowLog())
    backbone = load_backbone("embedded", cache_root())
    task = QuestionAnswering(backbone, data, [], ("en",), test_limit=50)
    assert task.test_sizes() == dict.fromkeys(
        ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"), 50
    )
    assert len({asked.ids for (split, _), asked in task._sets.items() if split == "test"}) == 1
    longest = 0
    for asked in task._sets.values():
        windows, targets = asked.windows, asked.targets()
        longest = max(longest, int(windows.tokens.max()))
        assert set(windows.question[targets[:, 0] > 0].tolist()) == set(range(len(asked)))  # none is lost
        exact = 0
        for window in np.flatnonzero(targets[:, 0]):
            question = int(windows.question[window])
            first, last = targets[window] - windows.offset[window] + windows.begin[window]
            found = asked.text(question, first, last)
            assert asked.gold[question][0].strip() in found
            exact += found == asked.gold[question][0]
        assert exact > 0.9 * (targets[:, 0] > 0).sum()  # a piece may hold a sign beside the answer
    assert longest == 384
