"""Fine-tuned weights on disk: half precision, of a trimmed or a whole vocabulary."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_helpers import adapters_on, largest_gap, load, one_by_one, random_batch
from safetensors.torch import load_file, save_file

from core.encoder.backbones import Backbone
from core.encoder.weights import WeightsError, load_weights, save_weights

EMBEDDINGS = "embeddings.word_embeddings.weight"
EVEN, FEW = np.arange(0, 98, 2), np.arange(0, 40)


def trained(folder: Path, kept: np.ndarray | None = None, seed: int = 1) -> Backbone:
    """A backbone with an adapter set, trimmed or not, whose every weight differs from the pretrained one."""
    backbone = load(folder)
    if kept is not None:
        backbone.trim(kept)
    adapters_on(backbone, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in backbone.model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return backbone


def names_of(backbone: Backbone) -> list[str]:
    return [name for name, _ in backbone.model.named_parameters()]


def embeddings(backbone: Backbone) -> torch.Tensor:
    return backbone.model.get_input_embeddings().weight.detach()


def test_round_trip_rounds_to_half_precision(tiny_backbone, tmp_path: Path) -> None:
    source, target = trained(tiny_backbone), trained(tiny_backbone, seed=7)
    names = names_of(source)
    assert len(names) > 80
    save_weights(source, tmp_path, names)
    stored = load_file(tmp_path / "weights.safetensors")
    assert set(stored) == set(names)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    assert not (tmp_path / "pieces.npy").exists()
    load_weights(target, tmp_path)
    before, after = dict(source.model.named_parameters()), dict(target.model.named_parameters())
    rounded = 0
    for name in names:
        expected = torch.from_numpy(before[name].detach().numpy().astype(np.float16).astype(np.float32))
        assert torch.equal(after[name].detach(), expected), name
        rounded += int((expected != before[name]).sum())
    assert rounded > 1000  # it is the rounded weights that are read, not the ones in memory
    batch = random_batch(10, 12)
    assert largest_gap(one_by_one(source, batch), one_by_one(target, batch)) < 0.02


def test_only_the_names_asked_for_are_written_and_read(tiny_backbone, tmp_path: Path) -> None:
    source, target = trained(tiny_backbone), trained(tiny_backbone, seed=7)
    chosen = [name for name in names_of(source) if ".adapters.ep." in name]
    assert chosen
    before = {name: p.detach().clone() for name, p in target.model.named_parameters()}
    save_weights(source, tmp_path, chosen)
    load_weights(target, tmp_path)
    changed = {name for name, p in target.model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == set(chosen)


@pytest.mark.parametrize("there", [None, EVEN, FEW], ids=["whole", "even", "few"])
@pytest.mark.parametrize("here", [None, EVEN, FEW], ids=["whole", "even", "few"])
def test_each_piece_gets_its_own_embedding(tiny_backbone, tmp_path: Path, there, here) -> None:
    """Out of and into any vocabulary; a piece that the file lacks keeps what it had."""
    source, target = trained(tiny_backbone, there), trained(tiny_backbone, here, seed=7)
    save_weights(source, tmp_path, names_of(source))
    untouched = embeddings(target).clone()
    load_weights(target, tmp_path)
    whole = range(len(embeddings(load(tiny_backbone))))
    stored = {int(piece): row for row, piece in enumerate(whole if source.kept is None else source.kept)}
    read = 0
    for row, piece in enumerate(whole if target.kept is None else target.kept):
        found = embeddings(target)[row]
        if int(piece) in stored:
            assert torch.equal(found, embeddings(source)[stored[int(piece)]].half().float())
            assert not torch.equal(found, untouched[row])
            read += 1
        else:
            assert torch.equal(found, untouched[row])
    assert read >= len(set(EVEN) & set(FEW))


def test_a_trimmed_model_gives_the_same_vectors_whole(tiny_backbone, tmp_path: Path) -> None:
    source, target = trained(tiny_backbone, FEW), trained(tiny_backbone, seed=7)
    save_weights(source, tmp_path, names_of(source))
    assert np.load(tmp_path / "pieces.npy").tolist() == source.kept.tolist() == FEW.tolist()
    load_weights(target, tmp_path)
    load_weights(source, tmp_path)  # what is stored is what is measured
    batch = random_batch(10, 12, vocabulary=len(FEW))
    assert torch.equal(one_by_one(source, source.rows(batch)), one_by_one(target, batch))


def saved(folder: Path, tiny_backbone: Path, names: Sequence[str] | None = None) -> Backbone:
    backbone = trained(tiny_backbone, FEW)
    save_weights(backbone, folder, names or names_of(backbone))
    return backbone


@pytest.mark.parametrize("damage", ["missing", "empty", "header", "middle", "last byte", "cut pieces", "empty pieces"])
def test_damaged_files(tiny_backbone, tmp_path: Path, damage: str) -> None:
    saved(tmp_path, tiny_backbone)
    file = tmp_path / ("pieces.npy" if damage.endswith("pieces") else "weights.safetensors")
    data = file.read_bytes()
    keep = {"empty": 0, "header": 20, "middle": len(data) // 2, "last byte": len(data) - 1, "cut pieces": 150}.get(
        damage, 0
    )
    assert keep < len(data)
    file.write_bytes(data[:keep])
    if damage == "missing":
        file.unlink()
    target = trained(tiny_backbone, seed=7)
    before = {name: p.detach().clone() for name, p in target.model.named_parameters()}
    with pytest.raises(WeightsError, match=r"weights\.safetensors cannot be read .*Delete .* to train the stage again"):
        load_weights(target, tmp_path)
    assert all(torch.equal(p, before[name]) for name, p in target.model.named_parameters())


def test_foreign_names(tiny_backbone, tmp_path: Path) -> None:
    saved(tmp_path, tiny_backbone)
    bare = load(tiny_backbone)
    before = embeddings(bare).clone()
    with pytest.raises(WeightsError, match=r"weights of another model, such as encoder\.layer\.0\.output\.adapter"):
        load_weights(bare, tmp_path)
    assert torch.equal(embeddings(bare), before)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("encoder.layer.0.output.dense.bias", (1,)),
        ("encoder.layer.0.output.dense.weight", (64, 32)),
        (EMBEDDINGS, (98, 16)),
    ],
)
def test_foreign_shapes(tiny_backbone, tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    """One number would otherwise be spread over a whole bias."""
    save_file({name: torch.ones(shape)}, tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError, match=f"weights of another model, such as {name}"):
        load_weights(load(tiny_backbone), tmp_path)
