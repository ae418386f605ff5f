"""Parameter budgets by hand, and against the model that has them."""

import json
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from core import recipes
from core.encoder.adapter_set import FUSION, AdapterSet
from core.encoder.backbones import load_backbone, parameter_count
from core.execution.budget import KNOWN, Dimensions, adapter_size, added, budget, dimensions, fusion_size, is_here

TINY = Dimensions(hidden=32, layers=2, intermediate=64, vocabulary=125, positions=160, types=2)


def test_sizes_by_hand() -> None:
    """Of d = 32, m = 64, two layers: every matrix and bias counted one by one."""
    attention, norms, feed_forward = 4 * (32 * 32 + 32), 2 * 2 * 32, 32 * 64 + 64 + 64 * 32 + 32
    assert TINY.in_layers == 2 * (attention + norms + feed_forward) == 17_088
    assert TINY.parameters == 17_088 + (125 + 160 + 2) * 32 + 2 * 32 == 26_336
    assert adapter_size(TINY, "ep", 16) == 2 * (32 * 2 + 2 + 2 * 32 + 32) == 324
    assert fusion_size(TINY) == 2 * (3 * 32 * 32 + 2 * 32) == 6272
    assert added(TINY, FUSION, 16) == 4 * 324 + 6272 == 7568
    # Large: the widest bottleneck s with s (2 d + 1) + d within 7568 / 2 by layer: (3784 - 32) // 65 = 57
    assert adapter_size(TINY, "large", 16) == 2 * (57 * 65 + 32) == 7474
    assert added(TINY, None, 16) == 0


def test_the_multilingual_bert_has_the_parameters_that_are_published() -> None:
    """177,853,440 with the pooler (Hugging Face's model card), which is one matrix and its bias."""
    assert KNOWN["bert-base-multilingual-cased"].parameters == 177_853_440 - (768 * 768 + 768)


@pytest.mark.parametrize(
    ("model", "config", "name"), [(BertModel, BertConfig, "bert"), (XLMRobertaModel, XLMRobertaConfig, "xlm-roberta")]
)
def test_the_backbone_formula_is_the_models_own_count(model: type, config: type, name: str, tmp_path: Path) -> None:
    made = config(vocab_size=50, hidden_size=24, num_hidden_layers=3, num_attention_heads=2, intermediate_size=40)
    network = model(made, add_pooling_layer=False)
    (tmp_path / "config.json").write_text(json.dumps(made.to_dict()))
    size = dimensions(str(tmp_path))
    assert size is not None
    assert made.model_type == name
    assert size.parameters == parameter_count(list(network.parameters()))


@pytest.mark.parametrize("reduction", [16, 2, 3.5])
def test_what_a_system_adds_is_what_the_adapters_have(tiny_backbone: Path, tmp_path: Path, reduction: float) -> None:
    backbone = load_backbone(str(tiny_backbone), tmp_path)
    adapters = AdapterSet(backbone, reduction)
    for role in ("ep", "tp", "es", "ts", "large"):
        adapters.add(role)
    adapters.add_fusion(identity_slot=True)
    size = dimensions(str(tiny_backbone))
    assert size is not None
    assert size.parameters == parameter_count(list(adapters.parameters(None).values()))
    for part in (None, "ep", "large", FUSION):
        assert added(size, part, reduction) == adapters.budget(part)
    assert adapters.budget(FUSION) > adapters.budget("ep") > 0


def test_a_run_reports_the_systems_that_it_measures() -> None:
    config = recipes.named("demo", {"evaluation.zero_shot": ["+EP"]})
    assert budget(config, KNOWN["embedded"]) == {"backbone": 0, "+EP": 226_080, "+Fusion": 6_221_952}


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": "t5"}', '{"model_type": "bert", "hidden_size": 3}'])
def test_a_config_that_says_too_little_gives_no_dimensions(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    assert dimensions(str(tmp_path)) is None
    assert is_here(str(tmp_path))


def test_what_is_not_on_this_machine() -> None:
    assert not is_here("some-lab/no-such-model")
    assert not is_here("./nowhere at all")
    assert dimensions("some-lab/no-such-model") is None
    assert is_here("embedded")
