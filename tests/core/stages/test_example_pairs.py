"""What an adapter sees, as texts: the same draws as the samplers of its training, worked back from their tokens."""

import numpy as np
import pytest
import torch

from core import catalog, recipes
from core.config import RunConfig
from core.corpora.draws import LabelTable
from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
from core.encoder.backbones import load_backbone
from core.objectives import false_negatives
from core.stages.adapter_training import sampler_options
from core.stages.example_pairs import MASK, ExampleBatches, ExampleText
from core.stages.sampling import adapter_languages, stage_seed

ROLES = ("ep", "tp", "es", "ts")


@pytest.fixture(scope="module")
def batches(tiny_corpus: Corpus, tiny_config: RunConfig) -> ExampleBatches:
    return ExampleBatches(tiny_corpus, tiny_config)


@pytest.fixture(scope="module")
def tokens(tiny_corpus, tiny_config, tmp_path_factory):
    backbone = load_backbone(tiny_config.backbone.source, tmp_path_factory.mktemp("cache"))
    return backbone.tokenizer, TokenStore.of(tiny_corpus, backbone.tokenizer, tmp_path_factory.mktemp("tokens"))


@pytest.mark.parametrize("recipe", ["corrected", "released"])
@pytest.mark.parametrize("role", ROLES)
def test_the_texts_are_those_that_training_draws(role, recipe, tiny_corpus, tiny_config, tokens):
    tokenizer, store = tokens
    sampling = recipes.parse({"recipe": recipe}).sampling
    config = tiny_config.model_copy(update={"sampling": sampling})
    labels = LabelTable(tiny_corpus, adapter_languages(config, tiny_corpus))
    options = sampler_options(sampling)[role]
    seed = stage_seed(config.seed, f"{role}.{role}")
    sampler = catalog.resolve("sampler", role)(tiny_corpus, store, labels, seed, **options)
    shown = ExampleBatches(tiny_corpus, config)
    for number in range(3):
        drawn, batch = sampler.sample(8), shown.batch(role, number)
        assert len(drawn) == len(batch.pairs) > 2
        for side, got in (
            ("anchors", [p.anchor for p in batch.pairs]),
            ("positives", [p.positive for p in batch.pairs]),
        ):
            expected = getattr(drawn, side)
            at = np.cumsum(expected.lengths) - expected.lengths
            for text, start, length in zip(got, at, expected.lengths, strict=True):
                ids = expected.ids[start : start + length].tolist()
                assert tokenizer(text.text.replace(MASK, f" {MASK} ")).input_ids == ids


def test_the_mask_is_the_loss_own(batches: ExampleBatches):
    entity, string = np.array([3, 3, 5, 6]), np.array([0, 1, 1, 2])
    known = np.zeros((4, 4), bool)
    known[3, 0] = known[0, 0] = True
    from core.stages.example_pairs import _left_out

    found = _left_out(entity, string, known)
    assert found == [
        [(1, "same entity")],
        [(0, "same entity"), (2, "same string")],
        [(1, "same string")],
        [(0, "true as well")],
    ]
    masked = false_negatives(*(torch.from_numpy(a) for a in (entity, string, known))).numpy()
    assert [[j for j, _ in row] for row in found] == [np.flatnonzero(row).tolist() for row in masked]


def test_a_batch_is_the_same_whenever_it_is_asked_for(batches: ExampleBatches):
    late = batches.batch("ep", 3)
    assert batches.batch("ep", 0) == batches.batch("ep", 0) != late
    assert batches.batch("ep", 3) == late
    assert late.languages == ("de", "en", "fr")
    assert {code for p in late.pairs for code in p.anchor.languages} <= {"de", "en", "fr"}
    assert all(p.anchor.text.casefold() != p.positive.text.casefold() for p in late.pairs)


def test_a_mention_is_marked_and_an_object_hidden(batches: ExampleBatches):
    for pair in batches.batch("es").pairs:
        mention = pair.anchor.text[pair.anchor.start : pair.anchor.end]
        assert pair.anchor.text.startswith(f"{mention} is ")
    stated = [pair.anchor for pair in batches.batch("ts").pairs]
    assert all(anchor.text.endswith(f" is {MASK} .") for anchor in stated)
    assert ExampleText("x", ("en",), 0, 1) not in stated


def test_the_share_of_identical_pairs_is_counted(batches: ExampleBatches, tiny_corpus: Corpus):
    rows = tiny_corpus.table("labels").to_pandas()
    train = set(tiny_corpus.rows_of("entities", "train").tolist())
    rows = rows[rows.entity.isin(train) & rows.language.isin(["de", "en", "fr"])]
    same = pairs = 0
    for _, part in rows.groupby("entity"):
        texts = part.text.str.casefold().tolist()
        pairs += len(texts) * (len(texts) - 1)
        same += sum(a == b for i, a in enumerate(texts) for j, b in enumerate(texts) if i != j)
    assert same > 0
    assert batches.batch("ep").identical == pytest.approx(same / pairs)
