"""Where backbones come from, what is said when one cannot be had, and trimmed vocabularies."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from encoder_helpers import adapters_on, encoder_of, forbid_network, largest_gap, load, one_by_one, random_batch

from core.corpora.records import TokenBatch
from core.encoder import backbones, embedded
from core.encoder.backbones import Backbone, BackboneError, load_backbone, parameter_count, save_trimmed

KEPT = np.asarray([2, 3, 5, 8, 13, 21, 34, 55, 89], np.int32)


def batch_of(pieces: np.ndarray, texts: int = 20) -> TokenBatch:
    """Random texts of these pieces alone, averaged over random spans."""
    batch = random_batch(texts, 12, spans=True)
    ids = np.random.default_rng(1).choice(pieces, len(batch.ids))
    return TokenBatch(ids.astype(np.int32), batch.lengths, batch.pool_start, batch.pool_end)


def word_embeddings(backbone: Backbone) -> torch.Tensor:
    return backbone.model.get_input_embeddings().weight.detach()


# --- a folder


def test_a_folder_gives_a_model_ready_for_adapters(tiny_backbone: Path) -> None:
    backbone = load(tiny_backbone)
    assert backbone.title == str(tiny_backbone)
    assert backbone.dim == 32
    assert backbone.first_position == 0
    assert backbone.kept is None
    assert backbone.tokenizer.is_fast
    assert backbone.pad_id == 0
    assert not backbone.model.training
    assert backbone.model.pooler is None
    assert backbone.model.adapters_config is not None
    batch = random_batch(5)
    assert backbone.rows(batch) is batch
    per_layer = 4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 4 * 32
    expected = (97 + 160 + 2) * 32 + 2 * 32 + 2 * per_layer
    assert parameter_count(list(backbone.model.parameters())) == expected


def test_its_vectors_are_those_of_transformers_alone(tiny_backbone: Path) -> None:
    from transformers import AutoModel

    backbone, batch = load(tiny_backbone), random_batch(8)
    plain = Backbone(AutoModel.from_pretrained(tiny_backbone).eval(), backbone.tokenizer, "", "", 0)
    assert largest_gap(one_by_one(plain, batch), one_by_one(backbone, batch)) < 1e-5


def test_digest_is_of_the_weights(tiny_backbone: Path, tmp_path: Path) -> None:
    first = load(tiny_backbone).digest
    assert len(first) == 64
    copy = Path(shutil.copytree(tiny_backbone, tmp_path / "copy"))
    (copy / "notes.txt").write_text("no weights")
    assert load(copy).digest == first
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert load(copy).digest != first


@pytest.mark.parametrize("source", ["/no/such/folder", "./no-such-folder", "~/no-such-folder"])
def test_missing_folder(source: str, tmp_path: Path, no_network: list[str]) -> None:
    with pytest.raises(BackboneError, match=f"{source} does not exist.*embedded.*config.json"):
        load_backbone(source, tmp_path)
    assert no_network == []


def test_folder_without_config(tmp_path: Path) -> None:
    with pytest.raises(
        BackboneError, match=r"is no model folder: it has no config\.json\. A backbone is one of: embedded"
    ):
        load_backbone(str(tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("file", "keep"),
    [("model.safetensors", 0.5), ("model.safetensors", 0.0), ("config.json", 0.5), ("tokenizer.json", 0.5)],
)
def test_truncated_files(tiny_backbone: Path, tmp_path: Path, file: str, keep: float, no_network: list[str]) -> None:
    copy = Path(shutil.copytree(tiny_backbone, tmp_path / "copy"))
    data = (copy / file).read_bytes()
    assert len(data) > 100
    (copy / file).write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(BackboneError, match=r"cannot be read: .*\. Copy or fetch it again\.") as caught:
        load_backbone(str(copy), tmp_path)
    assert str(copy) in str(caught.value)
    assert no_network == []


def test_missing_weights(tiny_backbone: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_backbone, tmp_path / "copy"))
    (copy / "model.safetensors").unlink()
    with pytest.raises(BackboneError, match="cannot be read"):
        load_backbone(str(copy), tmp_path)


def test_slow_tokenizer(tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SimpleNamespace(from_pretrained=lambda *_, **__: SimpleNamespace(is_fast=False))
    monkeypatch.setattr(backbones, "AutoTokenizer", slow)
    with pytest.raises(BackboneError, match=r"no fast tokenizer; spans need one\. Add its tokenizer\.json"):
        load_backbone(str(tiny_backbone), tmp_path)


# --- a hub id


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return forbid_network(monkeypatch)


def test_hub_id_that_is_not_here(tmp_path: Path, no_network: list[str]) -> None:
    name = "no-such-owner/no-such-model-of-the-workbench"
    with pytest.raises(
        BackboneError, match=f"not on this machine and downloads are off.*workbench backbone get {name}"
    ):
        load_backbone(name, tmp_path)
    assert no_network == []


def test_hub_id_that_is_here(tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = {}

    def snapshot(name: str, allow_patterns: list[str], local_files_only: bool) -> str:
        asked[name] = local_files_only
        return str(tiny_backbone)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert load_backbone("owner/model", tmp_path).title == "owner/model"
    assert asked == {"owner/model": True}
    load_backbone("owner/model", tmp_path, allow_download=True)
    assert asked == {"owner/model": False}


def test_failed_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*_arguments, **_options) -> str:
        raise ConnectionError("the line\n is dead")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(BackboneError, match="owner/model could not be downloaded: the line is dead"):
        load_backbone("owner/model", tmp_path, allow_download=True)


# --- the embedded one, but for its conversion, which test_embedded.py does


def fake_conversion(tiny_backbone: Path, calls: list[Path]):
    def convert(target: Path) -> None:
        calls.append(target)
        shutil.copytree(tiny_backbone, target, dirs_exist_ok=True)
        (target / "source.json").write_text("{}")

    return convert


def test_embedded_is_converted_once(tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    monkeypatch.setattr(embedded, "convert", fake_conversion(tiny_backbone, calls))
    for _ in range(2):
        assert load_backbone("embedded", tmp_path).title == embedded.TITLE
    assert len(calls) == 1
    (folder,) = (tmp_path / "backbones").iterdir()
    assert folder.name == f"multilingual-e5-small-q4-v{embedded.FORMAT_VERSION}"
    monkeypatch.setattr(embedded, "FORMAT_VERSION", embedded.FORMAT_VERSION + 1)  # another format is never read
    load_backbone("embedded", tmp_path)
    assert len(calls) == 2


def test_interrupted_conversion_is_done_again(
    tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(target: Path) -> None:
        (target / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(embedded, "convert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_backbone("embedded", tmp_path)
    assert list((tmp_path / "backbones").iterdir()) == []
    calls: list[Path] = []
    monkeypatch.setattr(embedded, "convert", fake_conversion(tiny_backbone, calls))
    assert load_backbone("embedded", tmp_path).dim == 32
    assert len(calls) == 1


def test_damaged_conversion(tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "convert", fake_conversion(tiny_backbone, []))
    folder = backbones.embedded_folder(tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BackboneError, match=r"cannot be read.*Delete that folder: it is converted again") as caught:
        load_backbone("embedded", tmp_path)
    assert str(folder) in str(caught.value)
    shutil.rmtree(folder)
    assert load_backbone("embedded", tmp_path).dim == 32


# --- trimming


@pytest.mark.parametrize("part", [None, "ep", "fusion"])
def test_trimming_changes_no_vector(tiny_backbone: Path, part: str | None) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    batch = batch_of(KEPT)
    with torch.no_grad(), adapters.active(part):
        before = encoder_of(backbone).embed(batch), encoder_of(backbone, packed=False).embed(batch)
        backbone.trim(KEPT)
        after = encoder_of(backbone).embed(batch), encoder_of(backbone, packed=False).embed(batch)
    assert largest_gap(before[0], after[0]) < 1e-6
    assert largest_gap(before[1], after[1]) < 1e-6


def test_trimming_frees_the_other_rows(tiny_backbone: Path) -> None:
    """Of every holder of the matrix: `adapters` has a second one."""
    backbone = load(tiny_backbone)
    whole, matrix = parameter_count(list(backbone.model.parameters())), word_embeddings(backbone).clone()
    names = [name for name, _ in backbone.model.named_parameters()]
    backbone.trim(KEPT)
    assert backbone.kept.tolist() == [0, 1, *KEPT]  # with the padding and unknown pieces
    assert torch.equal(word_embeddings(backbone), matrix[backbone.kept])
    assert parameter_count(list(backbone.model.parameters())) == whole - (97 - 11) * 32
    assert [name for name, _ in backbone.model.named_parameters()] == names
    assert all(p.requires_grad for p in backbone.model.parameters())
    assert backbone.model.config.vocab_size == 11


def test_lost_pieces(tiny_backbone: Path) -> None:
    backbone = load(tiny_backbone)
    backbone.trim(KEPT)
    known = batch_of(KEPT)
    rows = backbone.rows(known)
    assert backbone.kept[rows.ids].tolist() == known.ids.tolist()
    assert rows.ids.max() < 11 < known.ids.max()
    for name in ("lengths", "pool_start", "pool_end"):
        assert getattr(rows, name) is getattr(known, name)
    lost = TokenBatch.whole(np.asarray([2, 5, 6, 7, 6, 96, 3], np.int32), np.asarray([7], np.int32))
    pieces = backbone.tokenizer.convert_ids_to_tokens([6, 7, 96])
    with pytest.raises(BackboneError, match=r"3 piece.*not in the trimmed vocabulary.*without trimming") as caught:
        backbone.rows(lost)
    assert " ".join(pieces) in str(caught.value)
    with pytest.raises(BackboneError, match="trimmed vocabulary"):
        encoder_of(backbone).embed(lost)


def test_trimming_again(tiny_backbone: Path) -> None:
    backbone = load(tiny_backbone)
    fewer = KEPT[[0, 1, 3, 4, 8]]
    batch = batch_of(fewer)
    expected = one_by_one(backbone, batch)
    matrix = word_embeddings(backbone).clone()
    backbone.trim(KEPT)
    backbone.trim(fewer)
    assert backbone.kept.tolist() == [0, 1, *fewer]
    assert torch.equal(word_embeddings(backbone), matrix[backbone.kept])
    with torch.no_grad():
        assert largest_gap(expected, encoder_of(backbone).embed(batch)) < 1e-5
    with pytest.raises(BackboneError, match="not in the trimmed vocabulary"):
        backbone.trim(KEPT)
    assert backbone.kept.tolist() == [0, 1, *fewer]  # nothing happened
    assert len(word_embeddings(backbone)) == 7


def test_padding_and_unknown_pieces_that_are_not_the_first(tiny_backbone: Path) -> None:
    backbone = load(tiny_backbone)
    backbone.tokenizer = SimpleNamespace(pad_token_id=50, unk_token_id=30)
    matrix = word_embeddings(backbone).clone()
    assert backbone.pad_id == 50
    backbone.trim(KEPT)
    assert backbone.kept.tolist() == sorted([30, 50, *KEPT])
    assert torch.equal(word_embeddings(backbone)[backbone.pad_id], matrix[50])


def test_saved_trimmed_backbone(tiny_backbone: Path, tmp_path: Path) -> None:
    backbone, batch = load(tiny_backbone), batch_of(KEPT)
    with torch.no_grad():
        expected = encoder_of(backbone).embed(batch)
    backbone.trim(KEPT)
    folder = tmp_path / "deep" / "trimmed"
    save_trimmed(backbone, folder)
    assert [p.name for p in folder.parent.iterdir()] == ["trimmed"]
    assert np.load(folder / "pieces.npy").tolist() == [0, 1, *KEPT]
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == 11
    assert (folder / "model.safetensors").stat().st_size < (tiny_backbone / "model.safetensors").stat().st_size

    again = load(folder)
    assert again.kept.tolist() == [0, 1, *KEPT]
    assert again.tokenizer.get_vocab() == backbone.tokenizer.get_vocab()
    assert len(again.tokenizer.get_vocab()) == 97
    assert again.digest != load(tiny_backbone).digest
    with torch.no_grad():
        assert largest_gap(expected, encoder_of(again).embed(batch)) < 1e-6
    adapters_on(again)
    again.trim(KEPT[:5])
    fewer = batch_of(KEPT[:5])
    assert largest_gap(one_by_one(load(tiny_backbone), fewer), one_by_one(again, again.rows(fewer))) < 1e-6


def test_save_trimmed_is_whole_or_not_at_all(
    tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load(tiny_backbone)
    backbone.trim(KEPT)

    def fail(*_arguments) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(backbone.tokenizer, "save_pretrained", fail)
    with pytest.raises(OSError, match="disk full"):
        save_trimmed(backbone, tmp_path / "trimmed")
    assert list(tmp_path.iterdir()) == []
