"""Adapters and fusion: what is trained, what it weighs, and that files are AdapterHub's."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_helpers import adapters_on, encoder_of, forbid_network, largest_gap, load, one_by_one, random_batch, split
from torch import Tensor

from core.encoder.adapter_set import LARGE, SMALL, AdapterError, AdapterSet
from core.encoder.backbones import Backbone

LAYERS = (0, 1)
_LINEAR = ("weight", "bias")


def adapter_names(role: str) -> set[str]:
    return {
        f"encoder.layer.{layer}.output.adapters.{role}.{part}.{kind}"
        for layer in LAYERS
        for part in ("adapter_down.0", "adapter_up")
        for kind in _LINEAR
    }


def fusion_names() -> set[str]:
    parts = ("query.weight", "query.bias", "key.weight", "key.bias", "value.weight")
    return {
        f"encoder.layer.{layer}.output.adapter_fusion_layer.ep,tp,es,ts.{part}" for layer in LAYERS for part in parts
    }


def backbone_names(folder: Path) -> set[str]:
    names = {name for name, _ in load(folder).model.named_parameters()}
    assert len(names) == 5 + 16 * len(LAYERS)
    return names


def expected_names(folder: Path, part: str | None, everything: bool) -> set[str]:
    """What training `part` may change: itself; in stage 4 the backbone and all that `part` uses."""
    if part is None:
        return backbone_names(folder)
    if part == "fusion":
        own, used = fusion_names(), set().union(*(adapter_names(role) for role in SMALL))
    else:
        own, used = adapter_names(part), set()
    return own | used | backbone_names(folder) if everything else own


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("part", [None, *SMALL, LARGE, "fusion"])
@pytest.mark.parametrize("slot", [False, True])
def test_training_changes_what_parameters_names_and_nothing_else(tiny_backbone, part, everything, slot) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone, identity_slot=slot)
    chosen = adapters.parameters(part, everything)
    assert set(chosen) == expected_names(tiny_backbone, part, everything)
    before = {name: p.detach().clone() for name, p in backbone.model.named_parameters()}
    assert len(before) == len(backbone_names(tiny_backbone)) + 5 * 8 + 10
    optimizer = torch.optim.Adam(chosen.values(), lr=0.01)
    weight = torch.randn(backbone.dim, generator=torch.Generator().manual_seed(0))
    with adapters.active(part):
        (encoder_of(backbone).embed(random_batch(20, 20)) @ weight).tanh().sum().backward()
    optimizer.step()
    changed = {name for name, p in backbone.model.named_parameters() if not torch.equal(p, before[name])}
    # The softmax over slots cancels the key's bias: it is saved with the rest, and nothing ever trains it.
    assert changed == {name for name in chosen if not name.endswith("ep,tp,es,ts.key.bias")}


def test_named_parameters_are_the_models_own(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    parameters = dict(backbone.model.named_parameters())
    for name, parameter in adapters.parameters("fusion", everything=True).items():
        assert parameter is parameters[name]


@torch.no_grad()
def test_each_part_gives_its_own_vectors(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    batch = random_batch(10, 12)
    untouched = one_by_one(backbone, batch)
    adapters = adapters_on(backbone)
    vectors = {}
    for part in (None, *SMALL, LARGE, "fusion"):
        with adapters.active(part):
            vectors[part] = one_by_one(backbone, batch)
    assert torch.equal(vectors[None], untouched)
    parts = list(vectors)
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            assert largest_gap(vectors[first], vectors[second]) > 0.01, (first, second)
    assert torch.equal(one_by_one(backbone, batch), untouched)  # nothing stays active


@torch.no_grad()
def test_an_adapter_is_the_formula(tiny_backbone) -> None:
    """A(h) = W_up relu(W_down h + b_down) + b_up, with h the output of the layer, added before its last norm."""
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    seen = {}
    weights = dict(backbone.model.named_parameters())
    for layer in LAYERS:
        output = backbone.model.encoder.layer[layer].output

        def watch(module, arguments, result, layer=layer) -> None:
            seen[layer] = (arguments, result)

        output.register_forward_hook(watch)
    with adapters.active("tp"):
        one_by_one(backbone, random_batch(2, 6))
    assert sorted(seen) == [0, 1]
    for layer, ((hidden, residual), result) in seen.items():
        prefix = f"encoder.layer.{layer}.output"
        dense = hidden @ weights[f"{prefix}.dense.weight"].T + weights[f"{prefix}.dense.bias"]
        own, norm = f"{prefix}.adapters.tp", backbone.model.encoder.layer[layer].output.LayerNorm
        down = (
            norm(dense + residual) @ weights[f"{own}.adapter_down.0.weight"].T + weights[f"{own}.adapter_down.0.bias"]
        )
        assert (down > 0).any()
        assert (down < 0).any()
        up = down.clamp(min=0) @ weights[f"{own}.adapter_up.weight"].T + weights[f"{own}.adapter_up.bias"]
        torch.testing.assert_close(result, norm(up + dense + residual), atol=1e-5, rtol=1e-5)


def test_a_choice_is_of_one_thread(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    batch = random_batch(5, 8)
    bare, found = one_by_one(backbone, batch), {}

    def elsewhere() -> None:
        found["vectors"] = one_by_one(backbone, batch)

    with adapters.active("ep"):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert largest_gap(one_by_one(backbone, batch), bare) > 0.01
    assert torch.equal(found["vectors"], bare)


def small_backbone(dim: int, layers: int = 1) -> Backbone:
    """A backbone of some width and depth that is small in all else."""
    import adapters
    from transformers import BertConfig, BertModel

    sizes = {"num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=9, hidden_size=dim, max_position_embeddings=8, **sizes)
    model = BertModel(config, add_pooling_layer=False)
    adapters.init(model)
    return Backbone(model, None, "small", "", 0)


@pytest.mark.parametrize("dim", [384, 768, 1024])
@pytest.mark.parametrize("reduction", [16, 8])
def test_budgets(dim: int, reduction: int) -> None:
    """Counted by hand per layer; the widths are those of the backbones this is made for (PROTOCOL section 2)."""
    adapters = AdapterSet(small_backbone(dim), reduction=reduction)
    for role in (*SMALL, LARGE):
        adapters.add(role)
    adapters.add_fusion(identity_slot=True)
    bottleneck = dim // reduction
    small = dim * bottleneck + bottleneck + bottleneck * dim + dim
    fusion = (dim * dim + dim) + (dim * dim + dim) + dim * dim
    assert {adapters.budget(role) for role in SMALL} == {small}
    assert adapters.budget("fusion") == 4 * small + fusion
    assert adapters.budget(None) == 0
    assert adapters.budget(LARGE) == pytest.approx(4 * small + fusion, rel=0.01)
    assert adapters.budget(LARGE) <= 4 * small + fusion < adapters.budget(LARGE) + 2 * dim + 1  # one more would be over


@torch.no_grad()
@pytest.mark.parametrize("slot", [False, True])
def test_files_bring_back_the_same_vectors(tiny_backbone, tmp_path: Path, slot: bool) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone, identity_slot=slot)
    batch = random_batch(10, 12)
    expected = {part: vectors(backbone, adapters, part, batch) for part in (*SMALL, LARGE, "fusion")}
    for role in (*SMALL, LARGE):
        adapters.save(role, tmp_path / "deep" / role)
    adapters.save_fusion(tmp_path / "deep" / "fusion")
    said = json.loads((tmp_path / "deep" / "fusion" / "adapter_fusion_config.json").read_text())
    assert said["identity_slot"] is slot

    fresh = load(tiny_backbone)
    again = AdapterSet(fresh)
    for role in (*SMALL, LARGE):
        again.load(role, tmp_path / "deep" / role)
    again.load_fusion(tmp_path / "deep" / "fusion")
    bare = vectors(fresh, again, None, batch)
    for part, value in expected.items():
        assert torch.equal(vectors(fresh, again, part, batch), value)
        assert largest_gap(bare, value) > 0.01
    assert torch.equal(one_by_one(fresh, batch), bare)  # loading activates nothing
    assert again.budget("fusion") == adapters.budget("fusion")

    other = adapters_on(load(tiny_backbone), identity_slot=not slot, seed=50)  # over a fusion of the other kind
    for role in SMALL:
        other.load(role, tmp_path / "deep" / role)
    other.load_fusion(tmp_path / "deep" / "fusion")
    with other.active("fusion"):
        assert torch.equal(one_by_one(Backbone(other.model, None, "", "", 0), batch), expected["fusion"])


def vectors(backbone: Backbone, adapters: AdapterSet, part: str | None, batch) -> Tensor:
    with adapters.active(part):
        return one_by_one(backbone, batch)


def test_an_adapter_can_be_loaded_under_another_role(tiny_backbone, tmp_path: Path) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    adapters.save("ep", tmp_path)
    batch = random_batch(6, 8)
    expected = vectors(backbone, adapters, "ep", batch)
    assert largest_gap(vectors(backbone, adapters, "ts", batch), expected) > 0.01
    adapters.load("ts", tmp_path)
    assert torch.equal(vectors(backbone, adapters, "ts", batch), expected)


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_what_is_added_or_loaded_lies_where_the_backbone_lies(saved: Path) -> None:
    """On the meta device, which stands in for a GPU; the library makes every adapter on the CPU."""
    backbone = small_backbone(32, layers=2)
    backbone.model.to("meta")
    adapters = AdapterSet(backbone)

    def devices() -> set[str]:
        return {p.device.type for p in backbone.model.parameters()}

    adapters.load("ep", saved / "ep")
    assert devices() == {"meta"}
    for role in SMALL[1:]:
        adapters.add(role)
        assert devices() == {"meta"}
    adapters.load_fusion(saved / "fusion")
    assert devices() == {"meta"}
    adapters.add_fusion(identity_slot=True)
    assert devices() == {"meta"}


def test_the_slot_matters(tiny_backbone) -> None:
    batch, found = random_batch(6, 8), []
    for slot in (False, True):
        backbone = load(tiny_backbone)
        found.append(vectors(backbone, adapters_on(backbone, identity_slot=slot), "fusion", batch))
    assert largest_gap(*found) > 0.01


_PLAIN_SCRIPT = """
import sys
import adapters, numpy as np, torch
from adapters.composition import Fuse
from transformers import AutoModel

model_folder, files, texts, target = sys.argv[1:]
model = AutoModel.from_pretrained(model_folder)
adapters.init(model)
data = np.load(texts)
ids, mask = torch.from_numpy(data["ids"]), torch.from_numpy(data["mask"])

def embed():
    model.eval()
    with torch.no_grad():
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    return ((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)).numpy()

found = {"bare": embed()}
for role in ("ep", "tp", "es", "ts", "large"):
    model.load_adapter(f"{files}/{role}")
    model.set_active_adapters(role)
    found[role] = embed()
model.load_adapter_fusion(f"{files}/fusion")
model.set_active_adapters(Fuse("ep", "tp", "es", "ts"))
found["fusion"] = embed()
assert not any(name.split(".")[0] == "core" for name in sys.modules)
np.savez(target, **found)
"""


@pytest.mark.slow
def test_a_plain_adapters_script_reads_our_files(tiny_backbone, tmp_path: Path) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone, identity_slot=False)
    for role in (*SMALL, LARGE):
        adapters.save(role, tmp_path / "files" / role)
    adapters.save_fusion(tmp_path / "files" / "fusion")
    batch = random_batch(12, 15)
    ids = np.zeros((len(batch), batch.lengths.max()), np.int64)
    mask = np.arange(ids.shape[1]) < batch.lengths[:, None]
    ids[mask] = np.concatenate(split(batch))
    np.savez(tmp_path / "texts.npz", ids=ids, mask=mask.astype(np.int64))
    (tmp_path / "plain.py").write_text(_PLAIN_SCRIPT)
    arguments = [str(tiny_backbone), str(tmp_path / "files"), "texts.npz", "found.npz"]
    done = subprocess.run(
        [sys.executable, "plain.py", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(tmp_path / "found.npz")
    parts = {"bare": None, **{part: part for part in (*SMALL, LARGE, "fusion")}}
    assert set(found.files) == set(parts)
    for name, part in parts.items():
        with torch.no_grad(), adapters.active(part):
            ours = encoder_of(backbone).embed(batch)
        assert largest_gap(ours, torch.from_numpy(found[name])) < 1e-5, name
        if part:
            assert np.abs(found[name] - found["bare"]).max() > 0.01


@pytest.fixture
def saved(tiny_backbone, tmp_path: Path) -> Path:
    """Folder with an adapter and a fusion."""
    adapters = adapters_on(load(tiny_backbone))
    adapters.save("ep", tmp_path / "saved" / "ep")
    adapters.save_fusion(tmp_path / "saved" / "fusion")
    return tmp_path / "saved"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("what", ["ep", "fusion"])
@pytest.mark.parametrize("damage", ["missing", "empty", "no weights", "cut weights", "cut config"])
def test_damaged_files(tiny_backbone, saved: Path, what: str, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved / what
    stem = {"ep": "adapter", "fusion": "model_adapter_fusion"}[what]
    config = {"ep": "adapter_config.json", "fusion": "adapter_fusion_config.json"}[what]
    weights = folder / f"pytorch_{stem}.bin"
    assert weights.is_file()
    assert (folder / config).is_file()
    if damage in ("missing", "empty"):
        shutil.rmtree(folder)
        if damage == "empty":
            folder.mkdir()
    elif damage == "no weights":
        weights.unlink()
    else:
        cut(weights if damage == "cut weights" else folder / config)
    calls = forbid_network(monkeypatch)
    adapters = AdapterSet(load(tiny_backbone))
    kind = "adapter" if what == "ep" else "fusion"
    with pytest.raises(AdapterError, match=f"The {kind} in .*{what} cannot be read: .*cut short") as caught:
        adapters.load("ep", folder) if what == "ep" else adapters.load_fusion(folder)
    assert str(folder) in str(caught.value)
    assert calls == []


@pytest.mark.parametrize("change", ["width", "fewer layers", "more layers"])
@pytest.mark.parametrize("what", ["ep", "fusion"])
def test_files_of_another_backbone(saved: Path, what: str, change: str) -> None:
    layers, width = {"width": (2, 64), "fewer layers": (1, 32), "more layers": (3, 32)}[change]
    other = AdapterSet(small_backbone(width, layers))
    for role in SMALL if what == "fusion" else ():
        other.add(role)
    with pytest.raises(AdapterError, match="another backbone"):
        other.load("ep", saved / "ep") if what == "ep" else other.load_fusion(saved / "fusion")


def test_state_and_restore(tiny_backbone) -> None:
    backbone = load(tiny_backbone)
    adapters = adapters_on(backbone)
    names = list(adapters.parameters("ep"))
    state = adapters.state(names)
    assert set(state) == adapter_names("ep")
    batch = random_batch(6, 8)
    before = vectors(backbone, adapters, "ep", batch)
    with torch.no_grad():
        for parameter in adapters.parameters("ep").values():
            parameter.add_(0.5)
    assert largest_gap(vectors(backbone, adapters, "ep", batch), before) > 0.01  # the state is a copy, not a view
    adapters.restore(state)
    assert torch.equal(vectors(backbone, adapters, "ep", batch), before)
