"""A run's encoder, asked by hand, says what the library, the run's own workspace and the fusion maps say."""

import shutil
import threading
from pathlib import Path

import adapters
import numpy as np
import pytest
import torch
from adapters import AdapterSetup
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertModel

from core.encoder.adapter_set import FUSION
from core.encoder.fusion_capture import capture
from core.encoder.packing import segment_mean
from core.probing.trained import FUSED, Question, TrainedEncoder
from core.runs import kept
from core.runs.journal import Journal
from core.runs.store import RunDir, RunError
from core.stages.workspace import prepare

TEXTS = ["berlin is near", "a", "çé ba. x", "the whole (of it), and more of it than before", "ba"]
COMPLETION, ALIGNMENT = Question(FUSED, "kg_completion"), Question(FUSED, "entity_alignment")


@pytest.fixture(scope="module")
def run(finished_run_path: Path) -> RunDir:
    return RunDir(finished_run_path)


@pytest.fixture(scope="module")
def encoder(run: RunDir) -> TrainedEncoder:
    return TrainedEncoder(run)


@pytest.mark.parametrize(("system", "role"), [("backbone", None), ("+EP", "ep"), ("+TS", "ts"), ("+Large", "large")])
def test_an_adapter_embeds_as_in_a_plain_script_of_its_library(
    system, role, run: RunDir, encoder: TrainedEncoder, tiny_backbone: Path
) -> None:
    model = BertModel.from_pretrained(tiny_backbone, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_backbone)
    adapters.init(model)
    if role is not None:
        model.load_adapter(str(run.checkpoint_dir(role)), load_as=role)
    expected = []
    for text in TEXTS:  # one by one, without padding
        with torch.no_grad(), AdapterSetup(role):
            states = model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).last_hidden_state
        mean = states[0].mean(0)
        expected.append((mean / mean.norm()).numpy())
    np.testing.assert_allclose(encoder.embed(TEXTS, Question(system)), expected, atol=1e-5)


@pytest.fixture(scope="module")
def measured(run: RunDir, tmp_path_factory: pytest.TempPathFactory) -> dict[Question, np.ndarray]:
    """What the run's own workspace gives, with its trimmed vocabulary, for labels of its corpus."""
    copy = RunDir(shutil.copytree(run.path, tmp_path_factory.mktemp("copy") / run.name))
    work = prepare(copy, Journal(copy))
    for role in kept.trained_adapters(run):
        work.adapters.add(role)
        work.adapters.load(role, run.checkpoint_dir(role))
    found = {}
    rows = work.corpus.texts("labels").text.to_pylist()[:40]
    for question in (COMPLETION, ALIGNMENT):
        work.adapters.load_fusion(run.checkpoint_dir(kept.fusion_stage(question.task)))
        with work.adapters.active(FUSION), torch.inference_mode():
            found[question] = torch.nn.functional.normalize(work.encoder.embed(work.encoder.tokens(rows))).numpy()
    found["labels"] = rows
    return found


def test_a_fusion_embeds_as_in_the_workspace_of_its_run(encoder: TrainedEncoder, measured) -> None:
    first, second = (encoder.embed(measured["labels"], question) for question in (COMPLETION, ALIGNMENT))
    np.testing.assert_allclose(first, measured[COMPLETION], atol=1e-5)
    np.testing.assert_allclose(second, measured[ALIGNMENT], atol=1e-5)
    assert np.abs(first - second).max() > 1e-4  # trained for three steps each


def test_observed_weights_are_those_of_the_fusion_maps(encoder: TrainedEncoder) -> None:
    seen = encoder.observe(TEXTS, ALIGNMENT, tokens_per_pass=20)  # several passes, texts by length
    with encoder.asked(ALIGNMENT) as (text_encoder, _):
        mapped = capture(text_encoder, {"x": encoder.tokens(TEXTS)})["x"]
    assert [one.text for one in seen] == TEXTS
    means = np.stack([one.weights.mean(1) for one in seen])
    np.testing.assert_allclose(means, mapped["weight"], atol=1e-5)
    assert np.ptp(means) > 0.01
    entropies = np.stack([one.entropies.mean(1) for one in seen])
    np.testing.assert_allclose(entropies, mapped["entropy"][:, :, 0], atol=1e-4)
    wins = np.stack([(one.weights == one.weights.max(-1, keepdims=True)).mean(1) for one in seen])
    np.testing.assert_allclose(wins, mapped["argmax_share"], atol=1e-5)
    np.testing.assert_allclose(np.stack([one.vector for one in seen]), encoder.embed(TEXTS, ALIGNMENT), atol=1e-5)


def test_a_knocked_out_slot_has_no_weight_and_the_others_share_it(encoder: TrainedEncoder) -> None:
    without = Question(FUSED, "kg_completion", frozenset({"ep", "identity"}))
    (full,), (less,) = (encoder.observe(TEXTS[:1], question) for question in (COMPLETION, without))
    assert full.slots == ("identity", "ep", "tp", "es", "ts")
    assert (less.weights[..., :2] == 0).all()
    np.testing.assert_allclose(less.weights.sum(-1), 1, atol=1e-5)
    rest = full.weights[0, :, 2:]  # of the first layer, whose input is the same
    np.testing.assert_allclose(less.weights[0, :, 2:], rest / rest.sum(-1, keepdims=True), atol=1e-5)
    assert np.abs(less.vector - full.vector).max() > 1e-4
    np.testing.assert_allclose(encoder.embed(TEXTS[:1], without)[0], less.vector, atol=1e-5)


def test_pieces_and_offsets_are_those_of_the_tokens(encoder: TrainedEncoder) -> None:
    (one,) = encoder.observe(["Ba çé"], COMPLETION)
    assert one.pieces == ["[CLS]", "b", "##a", "ç", "##é", "[SEP]"]
    assert one.offsets == [None, (0, 1), (1, 2), (3, 4), (4, 5), None]
    assert one.weights.shape == (2, 6, 5)
    (cut,) = encoder.observe(["abcdefgh"], COMPLETION, limit=3)
    assert cut.offsets[-2] == (2, 3)
    assert encoder.observe([], COMPLETION) == []


def test_visitors_with_different_questions_get_their_own_answers(encoder: TrainedEncoder) -> None:
    out = Question(FUSED, "kg_completion", frozenset({"tp"}))
    questions = [COMPLETION, ALIGNMENT, out, Question("+EP"), Question("backbone"), Question("+Large")]
    alone = [encoder.embed(TEXTS, question) for question in questions]
    looked = {question: encoder.observe(TEXTS, question) for question in questions[:3]}
    assert all(np.abs(a - b).max() > 1e-4 for n, a in enumerate(alone) for b in alone[:n])
    wrong, done, start = [], [], threading.Barrier(len(questions))

    def visitor(number: int) -> None:
        question = questions[number]
        start.wait()
        for turn in range(25):
            try:
                limit = 3 + turn  # the tokenizer's limit is a state that visitors must not share
                same = np.abs(encoder.embed(TEXTS, question) - alone[number]).max() < 1e-5
                same &= [len(b) for b in (encoder.tokens(["abcdefgh" * 9], limit).ids,)] == [limit + 2]
                if question in looked:
                    seen = encoder.observe(TEXTS, question)
                    pairs = zip(seen, looked[question], strict=True)
                    same &= all(np.abs(a.weights - b.weights).max() < 1e-5 for a, b in pairs)
                wrong.extend([] if same else [(number, turn)])
            except Exception as error:  # whatever it is, the test has to see it
                wrong.append((number, error))
            done.append(number)

    threads = [threading.Thread(target=visitor, args=(number,)) for number in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(done) == 25 * len(questions)


def test_fine_tuned_weights_are_those_of_the_file(run: RunDir, encoder: TrainedEncoder) -> None:
    assert kept.fine_tuned_tasks(run) == ["kg_completion", "entity_alignment"]
    tuned = TrainedEncoder(run, "entity_alignment")
    assert tuned.systems == [FUSED]
    assert tuned.fused_tasks == ["entity_alignment"]
    folder = run.checkpoint_dir(kept.fine_tuned_stage("entity_alignment", FUSED))
    state = load_file(folder / "weights.safetensors")
    parameters = dict(tuned.backbone.model.named_parameters())
    layers = [name for name in state if "embeddings.word" not in name]
    assert any("adapter_fusion_layer" in name for name in layers)
    for name in layers:
        np.testing.assert_array_equal(parameters[name].detach().numpy(), state[name].float().numpy())
    assert np.abs(tuned.embed(TEXTS, ALIGNMENT) - encoder.embed(TEXTS, ALIGNMENT)).max() > 2e-5
    with tuned.asked(ALIGNMENT) as (text_encoder, _):
        hidden, laid_out = text_encoder.forward(tuned.tokens(TEXTS))
    mean = segment_mean(hidden, laid_out).numpy()
    np.testing.assert_allclose(
        tuned.embed(TEXTS, ALIGNMENT), mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5
    )


def test_questions_that_a_run_cannot_answer_are_refused(run: RunDir, encoder: TrainedEncoder) -> None:
    for question, words in (
        (Question(FUSED, "ner"), "no fusion of task ner. It has those of: kg_completion, entity_alignment"),
        (Question(FUSED), "no fusion of task None"),
        (Question("+Nothing"), "has no system [+]Nothing. It has: backbone, [+]EP"),
        (Question(FUSED, "kg_completion", frozenset({"large"})), "no slot large. Slots: identity, ep"),
        (Question(FUSED, "kg_completion", frozenset(encoder.slots)), "leave at least one in"),
    ):
        with pytest.raises(RunError, match=words):
            encoder.embed(TEXTS, question)
    with pytest.raises(RunError, match="has no fusion to look into"):
        encoder.observe(TEXTS, Question("+EP"))
    with pytest.raises(RunError, match=r"kept no fine-tuned [+]Fusion of ner"):
        TrainedEncoder(run, "ner")
    tuned = TrainedEncoder(run, "kg_completion")
    with pytest.raises(RunError, match=r"It has: [+]Fusion"):
        tuned.embed(TEXTS, Question("+EP"))
    assert encoder.embed([], COMPLETION).shape == (0, 32)


def test_a_run_without_adapters_says_what_to_do(finished_run: RunDir) -> None:
    shutil.rmtree(finished_run.path / "checkpoints")
    with pytest.raises(RunError, match="no trained adapter to ask: its state is done"):
        TrainedEncoder(finished_run)
