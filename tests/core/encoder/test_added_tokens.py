"""Tokens that a task adds: real tokens with real embeddings on every kind of backbone and vocabulary."""

from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_helpers import adapters_on, encoder_of, largest_gap, load, one_by_one

from core.corpora.records import SpecialTokens, TokenBatch
from core.encoder.backbones import Backbone, load_backbone, save_trimmed
from core.encoder.weights import load_weights, save_weights

MARKERS = ["<e1>", "</e1>", "<e2>", "</e2>"]
PLAIN = ["abc def, ghi.", "x (yz) 12", "e1 e2 / < >"]
EMBEDDINGS = "embeddings.word_embeddings.weight"


def write_xlm_roberta(target: Path, spare: int = 0) -> Path:
    """A tiny XLM-R: <s>, <pad>, </s>, <unk> are pieces 0 to 3, <mask> the last; `spare` rows are no piece's."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,()/"
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters, *(f"▁{c}" for c in letters), "▁the", "▁of"]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(i)) for i, piece in enumerate(pieces)], unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", "<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = XLMRobertaTokenizerFast(tokenizer_object=tokenizer)
    fast.save_pretrained(target)
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(fast) + spare,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=130,
        pad_token_id=1,
    )
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(target)
    return target


@pytest.fixture(scope="module")
def xlm_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_xlm_roberta(tmp_path_factory.mktemp("xlmr") / "tiny")


@pytest.fixture(scope="module")
def xlm_roberta_with_spare_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_xlm_roberta(tmp_path_factory.mktemp("xlmr") / "spare", spare=6)


@pytest.fixture(params=["tiny_backbone", "xlm_roberta", "xlm_roberta_with_spare_rows"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def matrix(backbone: Backbone) -> torch.Tensor:
    return backbone.model.get_input_embeddings().weight.detach()


def tokenised(backbone: Backbone, texts: list[str]) -> TokenBatch:
    ids = backbone.tokenizer(texts).input_ids
    flat = np.asarray([i for text in ids for i in text], np.int32)
    return TokenBatch.whole(flat, np.asarray([len(text) for text in ids], np.int32))


def check_new_rows(found: torch.Tensor, old: torch.Tensor) -> None:
    """Near the mean of the old matrix, none like another, none like any old row."""
    spread = old.std()
    assert ((found - old.mean(0)).std(1) / spread).tolist() == pytest.approx([0.1] * len(found), rel=0.5)
    distances = torch.cdist(found, torch.cat([found, old]))
    distances[torch.arange(len(found)), torch.arange(len(found))] = torch.inf
    assert distances.min() > 0.05 * spread * found.shape[1] ** 0.5


def test_markers_are_tokens_and_nothing_else_changes(folder: Path) -> None:
    backbone = load(folder)
    before, special = backbone.tokenizer(PLAIN).input_ids, SpecialTokens.of(backbone.tokenizer)
    vocabulary, old, vectors = backbone.tokenizer.get_vocab(), matrix(backbone).clone(), None
    vectors = one_by_one(backbone, tokenised(backbone, PLAIN))
    ids = backbone.add_tokens(MARKERS)
    assert ids == list(range(len(vocabulary), len(vocabulary) + 4))
    assert backbone.tokenizer.get_vocab() == vocabulary | dict(zip(MARKERS, ids, strict=True))
    assert backbone.tokenizer(PLAIN).input_ids == before
    assert SpecialTokens.of(backbone.tokenizer) == special
    pieces = backbone.tokenizer.tokenize("abc <e1> de </e1>,<e2>f</e2> .")
    assert [p for p in pieces if p in MARKERS] == MARKERS
    plain = backbone.tokenizer.tokenize("abc de") + backbone.tokenizer.tokenize(", f .")
    assert [p for p in pieces if p not in MARKERS] == plain
    assert torch.equal(matrix(backbone)[: len(vocabulary)], old[: len(vocabulary)])
    assert len(matrix(backbone)) == max(len(old), ids[-1] + 1) == backbone.model.config.vocab_size
    assert torch.equal(matrix(backbone)[ids[-1] + 1 :], old[ids[-1] + 1 :])  # spare rows that stay spare
    check_new_rows(matrix(backbone)[ids], old)
    assert backbone.kept is None
    assert largest_gap(one_by_one(backbone, tokenised(backbone, PLAIN)), vectors) < 1e-6


def test_on_xlm_r_they_are_none_of_the_pieces_that_the_released_code_takes(xlm_roberta: Path) -> None:
    backbone = load(xlm_roberta)
    assert backbone.tokenizer.convert_ids_to_tokens([1, 2, 3, 0]) == ["<pad>", "</s>", "<unk>", "<s>"]
    ids = backbone.add_tokens(MARKERS)
    assert not {0, 1, 2, 3} & set(ids)
    text = backbone.tokenizer("<e1> a </e1> b <e2> c </e2>").input_ids
    assert text[0] == 0
    assert text[-1] == 2
    assert not {0, 1, 2, 3} & set(text[1:-1])
    assert [i for i in text if i in ids] == ids


def test_each_marker_has_its_own_effect(folder: Path) -> None:
    backbone = load(folder)
    backbone.add_tokens(MARKERS)
    vectors = one_by_one(backbone, tokenised(backbone, [f"abc {marker} def" for marker in MARKERS]))
    assert torch.pdist(vectors).min() > 1e-3
    batch = tokenised(backbone, [*PLAIN, "<e1> a"])
    with torch.no_grad():
        assert largest_gap(encoder_of(backbone).embed(batch), one_by_one(backbone, batch)) < 1e-5


def test_twice_is_once_and_every_load_starts_alike(folder: Path) -> None:
    backbone, other = load(folder), load(folder)
    ids = backbone.add_tokens(MARKERS)
    with torch.no_grad():
        matrix(backbone)[ids] += 1  # trained since
    trained = matrix(backbone).clone()
    assert backbone.add_tokens(MARKERS) == ids
    assert torch.equal(matrix(backbone), trained)
    assert other.add_tokens(MARKERS) == ids
    assert torch.equal(matrix(other)[ids] + 1, trained[ids])
    third, state = load(folder), torch.get_rng_state()
    third.add_tokens(MARKERS)
    assert torch.equal(torch.get_rng_state(), state)  # no draw of anyone else's changes


def test_a_piece_that_exists_keeps_its_embedding(tiny_backbone: Path) -> None:
    backbone = load(tiny_backbone)
    old = matrix(backbone).clone()
    assert backbone.add_tokens(["[MASK]", "q"]) == [4, backbone.tokenizer.get_vocab()["q"]]
    assert torch.equal(matrix(backbone), old)


# --- trimmed vocabularies


def test_added_before_trimming(folder: Path) -> None:
    backbone = load(folder)
    ids = backbone.add_tokens(MARKERS)
    batch = tokenised(backbone, ["abc <e1> de </e1> f", "<e2> gh </e2>", "ij"])
    expected, rows = one_by_one(backbone, batch), matrix(backbone)[ids].clone()
    adapters_on(backbone)
    backbone.trim(np.unique(batch.ids))
    assert set(ids) <= set(backbone.kept.tolist())
    assert torch.equal(matrix(backbone)[np.searchsorted(backbone.kept, ids)], rows)
    with torch.no_grad():
        assert largest_gap(encoder_of(backbone).embed(batch), expected) < 1e-5
    assert backbone.add_tokens(MARKERS) == ids
    assert torch.equal(matrix(backbone)[np.searchsorted(backbone.kept, ids)], rows)


def test_added_to_a_trimmed_vocabulary(folder: Path) -> None:
    backbone = load(folder)
    adapters_on(backbone)
    batch = tokenised(backbone, PLAIN)
    expected = one_by_one(backbone, batch)
    backbone.trim(np.unique(batch.ids))
    old, kept = matrix(backbone).clone(), backbone.kept.copy()
    ids = backbone.add_tokens(MARKERS)
    assert backbone.kept.tolist() == sorted({*kept.tolist(), *ids})
    assert backbone.kept.dtype == np.int32
    assert len(matrix(backbone)) == len(backbone.kept) == backbone.model.config.vocab_size
    assert torch.equal(matrix(backbone)[np.searchsorted(backbone.kept, kept)], old)
    check_new_rows(matrix(backbone)[np.searchsorted(backbone.kept, ids)], old)
    with torch.no_grad():
        assert largest_gap(encoder_of(backbone).embed(batch), expected) < 1e-5
        encoder_of(backbone).embed(tokenised(backbone, ["<e1> abc </e1>", "<e2> d </e2>"]))


def test_spare_rows_that_trimming_kept_are_taken(xlm_roberta_with_spare_rows: Path) -> None:
    backbone = load(xlm_roberta_with_spare_rows)
    spare = len(backbone.tokenizer)
    backbone.trim(np.asarray([0, 2, 5, spare + 1, spare + 5]))
    old = matrix(backbone).clone()
    ids = backbone.add_tokens(MARKERS)
    assert ids == [spare, spare + 1, spare + 2, spare + 3]
    assert backbone.kept.tolist() == [0, 1, 2, 3, 5, *ids, spare + 5]
    assert torch.equal(matrix(backbone)[[0, 1, 2, 3, 4, 9]], old[[0, 1, 2, 3, 4, 6]])
    check_new_rows(matrix(backbone)[5:9], old)


def test_a_marker_that_was_trimmed_away_comes_back(folder: Path) -> None:
    backbone = load(folder)
    ids = backbone.add_tokens(MARKERS)
    backbone.trim(np.unique(tokenised(backbone, PLAIN).ids))
    assert not set(ids) & set(backbone.kept.tolist())
    assert backbone.add_tokens(MARKERS) == ids
    assert set(ids) <= set(backbone.kept.tolist())
    check_new_rows(matrix(backbone)[np.searchsorted(backbone.kept, ids)], matrix(backbone)[:-4])


def test_saved_trimmed_backbone_keeps_its_markers(folder: Path, tmp_path: Path) -> None:
    backbone = load(folder)
    ids = backbone.add_tokens(MARKERS)
    batch = tokenised(backbone, ["abc <e1> de </e1> f", "<e2> gh </e2>"])
    expected = one_by_one(backbone, batch)
    backbone.trim(np.unique(batch.ids))
    save_trimmed(backbone, tmp_path / "trimmed")
    again = load(tmp_path / "trimmed")
    before = matrix(again).clone()
    assert again.add_tokens(MARKERS) == ids
    assert torch.equal(matrix(again), before)
    assert tokenised(again, ["abc <e1> de </e1> f", "<e2> gh </e2>"]).ids.tolist() == batch.ids.tolist()
    with torch.no_grad():
        assert largest_gap(encoder_of(again).embed(batch), expected) < 1e-5


# --- weights on the disk


def save(backbone: Backbone, folder: Path) -> None:
    save_weights(backbone, folder, [name for name, _ in backbone.model.named_parameters()])


def trained(folder: Path, tokens: list[str]) -> Backbone:
    backbone = load(folder)
    backbone.add_tokens(tokens)
    with torch.no_grad():
        matrix(backbone).add_(torch.randn(matrix(backbone).shape, generator=torch.Generator().manual_seed(3)))
    return backbone


def rows_of(backbone: Backbone, tokens: list[str]) -> torch.Tensor:
    return matrix(backbone)[backbone.tokenizer.convert_tokens_to_ids(tokens)]


def test_weights_reach_their_own_token_whatever_its_number(folder: Path, tmp_path: Path) -> None:
    source, target = trained(folder, MARKERS), load(folder)
    target.add_tokens(["<other>", *reversed(MARKERS)])
    fresh = rows_of(target, ["<other>"]).clone()
    save(source, tmp_path)
    load_weights(target, tmp_path)
    assert torch.equal(rows_of(target, MARKERS), rows_of(source, MARKERS).half().float())
    assert torch.equal(rows_of(target, ["<other>"]), fresh)
    assert torch.equal(rows_of(target, ["a"]), rows_of(source, ["a"]).half().float())


def test_weights_without_markers_leave_the_markers(folder: Path, tmp_path: Path) -> None:
    """Above all where they took spare rows, which the file has as well."""
    source, target = trained(folder, []), load(folder)
    target.add_tokens(MARKERS)
    fresh = rows_of(target, MARKERS).clone()
    save(source, tmp_path)
    load_weights(target, tmp_path)
    assert torch.equal(rows_of(target, MARKERS), fresh)
    assert torch.equal(rows_of(target, ["a"]), rows_of(source, ["a"]).half().float())


def test_weights_with_markers_into_a_backbone_without(folder: Path, tmp_path: Path) -> None:
    source, target = trained(folder, MARKERS), load(folder)
    spare = matrix(target)[len(target.tokenizer) :].clone()
    save(source, tmp_path)
    load_weights(target, tmp_path)
    assert torch.equal(rows_of(target, ["a"]), rows_of(source, ["a"]).half().float())
    assert torch.equal(matrix(target)[len(target.tokenizer) :][:4], spare[:4])


@pytest.mark.parametrize("trim_source", [False, True])
@pytest.mark.parametrize("trim_target", [False, True])
def test_weights_in_and_out_of_trimmed_vocabularies(folder, tmp_path, trim_source: bool, trim_target: bool) -> None:
    source, target = trained(folder, MARKERS), load(folder)
    target.add_tokens(MARKERS)
    batch = tokenised(source, ["abc <e1> de </e1> f", "<e2> gh </e2>"])
    for backbone, trimmed in ((source, trim_source), (target, trim_target)):
        if trimmed:
            backbone.trim(np.unique(batch.ids))
    save(source, tmp_path)
    load_weights(source, tmp_path)
    load_weights(target, tmp_path)
    with torch.no_grad():
        assert largest_gap(encoder_of(source).embed(batch), encoder_of(target).embed(batch)) < 1e-6


# --- the embedded backbone


@pytest.mark.slow
def test_the_embedded_backbone(shared_cache: Path) -> None:
    backbone = load_backbone("embedded", shared_cache)
    texts = ["Thom Yorke of Radiohead", "ラジオヘッド", "Ἀθῆναι, the city ."]
    before, spare = backbone.tokenizer(texts).input_ids, matrix(backbone)[len(backbone.tokenizer) :].clone()
    rows = len(matrix(backbone))
    ids = backbone.add_tokens(MARKERS)
    assert ids == [250002, 250003, 250004, 250005]
    assert len(matrix(backbone)) == rows == 250037  # e5's spare rows are enough
    assert backbone.tokenizer(texts).input_ids == before
    assert not torch.isclose(matrix(backbone)[ids], spare[:4]).all(1).any()
    assert torch.equal(matrix(backbone)[ids[-1] + 1 :], spare[4:])
    assert torch.pdist(matrix(backbone)[ids]).min() > 0.05
    pieces = backbone.tokenizer.tokenize("<e1> Thom Yorke </e1> of <e2> Radiohead </e2>")
    assert [p for p in pieces if p not in MARKERS] == backbone.tokenizer.tokenize("Thom Yorke of Radiohead")
    assert [p for p in pieces if p in MARKERS] == MARKERS
