"""The config tree by itself: frozen, strict, and fingerprinted over every field that can change a number."""

import pytest
import yaml
from pydantic import ValidationError

from core import recipes
from core.config import SYSTEMS, RunConfig
from core.task_config import Optimisation

# Another valid value for every field, by its last name.
NEED_DATA = ("test_data", "code_switched", "direction")
OTHER_VALUE = {
    "recipe": "paper",
    "seed": 7,
    "source": "bert-base-multilingual-cased",
    "prefix": "query: ",
    "pooling": "padded",
    "trim_vocabulary": False,
    "folder": "some/where",
    "adapter_languages": ["de", "en"],
    "phrase_tokens": 33,
    "sentence_tokens": 127,
    "ep_pairs": "triples",
    "skip_identical": False,
    "tp_missing_relation": "empty",
    "es_anchor": "sentence",
    "ts_anchor": "last_word_kept",
    "order": "random",
    "temperature": 0.07,
    "directions": "forward",
    "mask_false_negatives": False,
    "steps": 17,
    "epochs": 1.5,
    "batch_size": 30,
    "accumulation": 2,
    "optimizer": "adam",
    "learning_rate": 2e-4,
    "value_learning_rate": 3e-4,
    "weight_decay": 0.2,
    "schedule": "constant",
    "restarts": 3,
    "warmup_steps": 11,
    "clip_norm": 2.0,
    "dropout": 0.1,
    "zero_gradients": "never",
    "updates_per_gradient": 2,
    "reduction": 8,
    "non_linearity": "gelu",
    "identity_slot": False,
    "regularisation": 0.1,
    "corpus_training": "initialise",
    "train_languages": ["sw"],
    "test_languages": ["sw"],
    "source_language": "de",
    "fusion_stage_trains": "everything",
    "checkpoint": "last",
    "all_checkpoints": False,
    "data": "dbp5l",
    "test_data": ["relx"],
    "head_learning_rate": 1e-3,
    "from_run": "some-run",
    "code_switched": True,
    "direction": "both",
    "csls_neighbours": 10,
    "relation_classification": {},
    "ner": {},
    "question_answering": {},
    "test_examples": 100,
    "fusion_map": {"examples": 8},
    "validations": 3,
    "validation_queries": 5,
    "zero_shot": ["backbone"],
    "fine_tuned": ["backbone"],
    "test_entities": 9,
    "test_triples": 9,
    "candidates": "benchmark",
    "min_queries": 3,
    "bootstrap_samples": 10,
    "confidence": 0.9,
    "device": "cpu",
    "threads": 1,
    "precision": "fp32",
    "packed": False,
    "row_tokens": 64,
    "tokens_per_pass": 512,
    "checkpoint_seconds": 5,
    "keep_fine_tuned": False,
}


def leaves(tree: dict, name: str = "") -> dict[str, object]:
    found = {}
    for key, value in tree.items():
        found |= leaves(value, f"{name}{key}.") if isinstance(value, dict) else {name + key: value}
    return found


def test_fingerprint_changes_with_every_field_but_the_title() -> None:
    default = RunConfig()
    # `corpus.name` has a single allowed value, so it cannot be changed alone.
    fields = [name for name in leaves(default.model_dump(mode="json")) if name not in {"title", "corpus.name"}]
    assert len(fields) > 150
    assert {name.rsplit(".")[-1] for name in fields} == set(OTHER_VALUE)
    fingerprints = {"": default.fingerprint()}
    for name in fields:
        section, _, field = name.rpartition(".")
        more = {f"{section}.data": "dbp5l"} if field in NEED_DATA else {}
        fingerprints[name] = recipes.parse({}, more | {name: OTHER_VALUE[field]}).fingerprint()
    same = {}
    for name, fingerprint in fingerprints.items():
        same.setdefault(fingerprint, []).append(name)
    assert [names for names in same.values() if len(names) > 1] == []
    assert recipes.parse({"title": "a name"}).fingerprint() == fingerprints[""]
    assert all(len(f) == 12 and int(f, 16) >= 0 for f in fingerprints.values())


@pytest.mark.parametrize("recipe", ["corrected", "paper", "released"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"adapters.large": None, "tasks.kg_completion": None, "corpus.folder": "a/b", "title": "Köln 東京: #1"},
        {"corpus.adapter_languages": ["de", "zh-classical"], "evaluation.zero_shot": ["+EP", "backbone"], "seed": 5},
        {"tasks.entity_alignment.fine_tuning": None, "adapters.ep.epochs": 0.25, "objective.temperature": 0.1},
    ],
)
def test_yaml_out_and_in_gives_the_same_config(recipe: str, changes: dict) -> None:
    config = recipes.parse({"recipe": recipe}, changes)
    again = recipes.parse(yaml.safe_load(config.to_yaml()))
    assert again == config
    assert again.title == config.title
    assert again.fingerprint() == config.fingerprint()


def test_the_tree_is_frozen() -> None:
    config = RunConfig()
    for section, field in ((config, "seed"), (config.objective, "temperature"), (config.adapters.ep, "steps")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, field, 3)
    assert config == RunConfig()


@pytest.mark.parametrize(
    ("budget", "accepted"),
    [({"steps": 3}, True), ({"epochs": 0.5}, True), ({}, False), ({"steps": 3, "epochs": 1}, False)],
)
def test_a_stage_has_exactly_one_budget(budget: dict, accepted: bool) -> None:
    if accepted:
        assert Optimisation(**budget).model_dump(include=set(budget)) == budget
    else:
        with pytest.raises(ValidationError, match="give exactly one of `steps` and `epochs`"):
            Optimisation(**budget)


@pytest.mark.parametrize(
    "field",
    [
        {"seed": -1},
        {"seed": 2**32},
        {"objective": {"temperature": 0}},
        {"objective": {"temperature": float("nan")}},
        {"objective": {"temperature": float("inf")}},
        {"corpus": {"adapter_languages": ["german"]}},
        {"corpus": {"adapter_languages": ["DE"]}},
        {"adapters": {"ep": {"steps": 3, "batch_size": 1}}},
        {"adapters": {"ep": {"steps": 0}}},
        {"evaluation": {"confidence": 1}},
        {"recipe": "mine"},
    ],
)
def test_values_out_of_range_are_refused(field: dict) -> None:
    with pytest.raises(ValidationError):
        RunConfig.model_validate(field)


def test_systems_follow_what_is_trained() -> None:
    small = ("backbone", "+EP", "+TP", "+ES", "+TS")
    everything = (*small, "+Large", "+Fusion")
    assert everything == SYSTEMS
    for changes, zero_shot, fine_tuned in (
        ({}, (*small, "+Large"), everything),
        ({"fusion.corpus_training": "initialise"}, everything, everything),
        ({"fusion.corpus_training": "discard"}, (*small, "+Large"), everything),
        ({"adapters.large": None}, small, (*small, "+Fusion")),
        ({"adapters.es": None, "adapters.large": None}, *[("backbone", "+EP", "+TP", "+TS")] * 2),
        ({"evaluation.zero_shot": ["+TS", "backbone"]}, ("backbone", "+TS"), everything),
        ({"evaluation.zero_shot": [], "evaluation.fine_tuned": ["+Fusion"]}, (), ("+Fusion",)),
    ):
        config = recipes.parse({}, changes)
        assert config.systems("zero-shot") == zero_shot, changes
        assert config.systems("fine-tuned") == fine_tuned, changes


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"evaluation.zero_shot": ["+Fusion"]}, r"\+Fusion in mode zero-shot"),
        ({"adapters.ts": None, "evaluation.fine_tuned": ["+Fusion", "+TS"]}, r"\+Fusion, \+TS in mode fine-tuned"),
        ({"adapters.large": None, "evaluation.zero_shot": ["+Large"]}, r"\+Large in mode zero-shot"),
    ],
)
def test_a_system_that_is_not_trained_cannot_be_asked_for(changes: dict, named: str) -> None:
    with pytest.raises(recipes.ConfigError, match=named):
        recipes.parse({}, changes)


def test_trained_adapters_and_chosen_tasks_are_those_with_a_section() -> None:
    config = recipes.parse({}, {"adapters.tp": None, "tasks.entity_alignment": None})
    assert list(config.adapters.trained()) == ["ep", "es", "ts", "large"]
    assert list(config.tasks.chosen()) == ["kg_completion"]
