"""Recipes against PROTOCOL section 1, and how files and changes of single fields become a config."""

from pathlib import Path

import pytest

from core import recipes
from core.config import RunConfig
from core.recipes import ConfigError

RECIPES = ("paper", "released", "corrected")
# PROTOCOL section 1: switch -> its value in `paper`, `released`, `corrected`.
SWITCHES = {
    "objective.temperature": (1.0, 0.1, 0.05),
    "objective.directions": ("forward", "forward", "both"),
    "objective.mask_false_negatives": (False, False, True),
    "backbone.pooling": ("attended", "padded", "attended"),
    "sampling.ep_pairs": ("alignments", "triples", "entities"),
    "sampling.skip_identical": (False, False, True),
    "sampling.tp_missing_relation": ("english", "empty", "english"),
    "sampling.es_anchor": ("mention", "sentence", "mention"),
    "sampling.ts_anchor": ("masked", "last_word_kept", "masked"),
    "sampling.order": ("random", "consecutive", "distinct"),
    "fusion.identity_slot": (True, False, True),
    "fusion.corpus_training": ("none", "discard", "none"),
    "fusion.corpus.epochs": (None, 16, None),
    "adapters.ep.optimizer": ("adam", "adamw", "adamw"),
    "adapters.ep.weight_decay": (0.0, 1e-4, 0.01),
    "adapters.ep.learning_rate": (1e-4, 1e-4, 3e-3),
    "adapters.ep.warmup_steps": (10_000, 10_000, None),
    "adapters.ep.batch_size": (128, 128, 128),
    "adapters.ep.schedule": ("constant", "cosine_restarts", "linear"),
    "adapters.ts.schedule": ("constant", "cosine_restarts", "linear"),
    "adapters.ep.restarts": (5, 5, 5),
    "adapters.ep.updates_per_gradient": (1, 1, 1),
    "adapters.tp.updates_per_gradient": (1, 2, 1),
    "adapters.es.updates_per_gradient": (1, 1, 1),
    "adapters.ts.updates_per_gradient": (1, 2, 1),
    "adapters.ep.epochs": (1, 10, None),
    "adapters.tp.epochs": (10, 10, None),
    "adapters.es.epochs": (10, 10, None),
    "adapters.ts.epochs": (10, 10, None),
    "adapters.ep.steps": (None, None, 150),
    "adapters.ts.steps": (None, None, 100),
    "tasks.kg_completion.fine_tuning.learning_rate": (1e-8, 1e-8, 1e-5),
    "tasks.kg_completion.fine_tuning.batch_size": (8, 8, 64),
    "tasks.kg_completion.fine_tuning.epochs": (10, 10, None),
    "tasks.kg_completion.fine_tuning.zero_gradients": ("every_step", "never", "every_step"),
    "tasks.kg_completion.fusion_training.zero_gradients": ("every_step", "never", "every_step"),
    "tasks.kg_completion.fusion_training.learning_rate": (1e-8, 1e-8, 5e-3),
    "tasks.kg_completion.fusion_stage_trains": ("fusion", "everything", "fusion"),
    "tasks.kg_completion.checkpoint": ("last", "last", "best_validation"),
    "tasks.entity_alignment.fine_tuning.learning_rate": (1e-8, 1e-8, 1e-5),
    "tasks.entity_alignment.fine_tuning.batch_size": (8, 8, 64),
    "tasks.entity_alignment.fine_tuning.epochs": (1, 1, None),
    "tasks.entity_alignment.fusion_training.epochs": (1, 1, None),
    "tasks.entity_alignment.fine_tuning.zero_gradients": ("every_step", "never", "every_step"),
    "tasks.entity_alignment.fusion_stage_trains": ("fusion", "everything", "fusion"),
    "tasks.entity_alignment.checkpoint": ("last", "last", "best_validation"),
    "tasks.kg_completion.train_languages": (("el", "en", "es", "fr", "ja"),) * 3,
    "tasks.entity_alignment.source_language": ("en",) * 3,
    "tasks.entity_alignment.train_languages": (("de", "fr"),) * 3,
}


def value(config: RunConfig, name: str) -> object:
    found: object = config
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_switch_of_the_protocol(recipe: str) -> None:
    config, column = recipes.parse({"recipe": recipe}), RECIPES.index(recipe)
    assert config.recipe == recipe
    expected = {name: values[column] for name, values in SWITCHES.items()}
    assert {name: value(config, name) for name in SWITCHES} == expected


def test_corrected_is_the_default() -> None:
    assert recipes.parse({}) == recipes.parse({"recipe": "corrected"}) == RunConfig()


def test_a_recipe_does_not_deviate_from_itself() -> None:
    for recipe in RECIPES:
        assert recipes.deviations(recipes.parse({"recipe": recipe})) == {}


def test_presets_are_the_files_beside_the_module() -> None:
    names = recipes.preset_names()
    assert {"demo", "demo-full"} <= set(names)
    assert names == sorted(f.stem for f in Path(recipes.__file__).with_name("presets").iterdir())


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_preset_parses_under_every_recipe(recipe: str) -> None:
    for name in recipes.preset_names():
        config = recipes.named(name, {"recipe": recipe})
        assert config.recipe == recipe
        assert config.title == name
        if name == "demo":  # a preset's own budget replaces the recipe's other kind of budget
            assert (config.adapters.ep.steps, config.adapters.ep.epochs) == (64, None)
            assert config.adapters.large is None
            rate = {"paper": 1e-4, "released": 1e-4, "corrected": 3e-3}[recipe]
            assert config.adapters.ep.learning_rate == rate


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"objective": {"temprature": 0.1}}, "objective.temprature: unknown field; did you mean `temperature`?"),
        ({"task": {}}, "task: unknown field; did you mean `tasks`?"),
        (
            {"tasks": {"kg_completion": {"fine_tuning": {"learning_rat": 1}}}},
            "tasks.kg_completion.fine_tuning.learning_rat: unknown field; did you mean `learning_rate`?",
        ),
        ({"fusion": {"zzz": 1}}, "fusion.zzz: unknown field; valid names: identity_slot, regularisation, corpus_tr"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(data: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recipes.parse(data)
    assert message in str(caught.value)
    with pytest.raises(ConfigError, match="unknown field"):  # a change of one field goes the same way
        recipes.parse({}, {"objective.temprature": 0.1})


def test_a_bad_file_lists_every_bad_field(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "sede: 3\n"
        "seed: -4\n"
        "objective: {temperature: 0}\n"
        "sampling: {order: sorted}\n"
        "adapters: {ep: {steps: 3, epochs: 2}, reduction: many}\n"
        "corpus: {adapter_languages: [de, german]}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        recipes.load(file)
    head, *lines = str(caught.value).splitlines()
    assert head == f"{file}: 7 bad field(s) in the config:"
    found = dict(line.strip().split(": ", 1) for line in lines)
    assert sorted(found) == [
        *("adapters.ep", "adapters.reduction", "corpus.adapter_languages.1"),
        *("objective.temperature", "sampling.order", "sede", "seed"),
    ]
    assert "'distinct', 'random' or 'consecutive'" in found["sampling.order"]
    assert "(got 'sorted')" in found["sampling.order"]
    assert "(got -4)" in found["seed"]
    assert found["adapters.ep"] == "give exactly one of `steps` and `epochs`"


def test_changes_go_by_dotted_names_over_file_and_recipe(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("recipe: released\nadapters: {ep: {epochs: 3, batch_size: 16}}\n", encoding="utf-8")
    config = recipes.named(str(file), {"adapters.ep.steps": 5, "objective.temperature": 0.2, "adapters.large": None})
    assert (config.adapters.ep.steps, config.adapters.ep.epochs, config.adapters.ep.batch_size) == (5, None, 16)
    assert config.adapters.ep.schedule == "cosine_restarts"
    assert config.objective.temperature == 0.2
    assert config.objective.directions == "forward"
    assert config.adapters.large is None
    assert recipes.load(file).objective.temperature == 0.1
    back = recipes.named(str(file), {"recipe": "corrected", "adapters.ep.epochs": 2})
    assert (back.adapters.ep.steps, back.adapters.ep.epochs, back.objective.temperature) == (None, 2, 0.05)


@pytest.mark.parametrize("budget", [{"steps": 4, "epochs": 4}, {"steps": None}], ids=["both", "neither"])
def test_steps_and_epochs_exclude_each_other(budget: dict) -> None:
    for recipe in ("corrected", "paper"):
        data = {"recipe": recipe, "adapters": {"ep": {"epochs": None} | budget}}
        with pytest.raises(ConfigError, match=r"adapters\.ep: give exactly one of `steps` and `epochs`"):
            recipes.parse(data)


def test_deviations_name_what_differs_from_the_recipe() -> None:
    assert recipes.deviations(RunConfig()) == {}
    one = recipes.parse({}, {"objective.temperature": 0.1, "corpus.adapter_languages": ["de"]})
    assert recipes.deviations(one) == {
        "corpus.adapter_languages": (None, ["de"]),
        "objective.temperature": (0.05, 0.1),
    }
    assert recipes.deviations(recipes.parse({"recipe": "released"}, {"objective.temperature": 0.1})) == {}
    budget = recipes.deviations(recipes.parse({"recipe": "released"}, {"adapters.es.steps": 9}))
    assert budget == {"adapters.es.steps": (None, 9), "adapters.es.epochs": (10, None)}


def test_a_section_left_out_is_a_deviation() -> None:
    found = recipes.deviations(recipes.parse({}, {"adapters.large": None, "tasks.kg_completion.fine_tuning": None}))
    assert list(found) == ["adapters.large", "tasks.kg_completion.fine_tuning"]
    had, has = found["adapters.large"]
    assert had["steps"] == 100
    assert has is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "is no YAML"),
        (b"\xff\xfe\x00\x81", "is no YAML"),
        (b"- 1\n- 2\n", "A config is a mapping of sections, not list"),
        (b"just words\n", "A config is a mapping of sections, not str"),
        (b"adapters: 3\n", "adapters: "),
    ],
)
def test_a_file_that_is_no_config(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        recipes.load(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_file_a_folder_and_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read: No such file"):
        recipes.load(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        recipes.named(str(tmp_path))
    with pytest.raises(
        ConfigError, match=r"'dmeo' is neither a file nor a preset. Did you mean demo\? Presets: adapters, demo"
    ):
        recipes.named("dmeo")


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("# nothing\n", encoding="utf-8")
    assert recipes.load(file) == RunConfig()


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_a_file_is_laid_over_what_it_extends(tmp_path: Path) -> None:
    write(
        tmp_path,
        base="recipe: released\nseed: 3\nadapters: {ep: {epochs: 3, batch_size: 16}, ts: null}\n",
        middle="extends: base.yaml\nadapters: {ep: {steps: 7}}\ntasks: {kg_completion: null}\n",
        top="extends: middle.yaml\nseed: 4\ntasks: {kg_completion: {validations: 5}}\n",
    )
    config = recipes.load(tmp_path / "top.yaml", {"objective.temperature": 0.3})
    assert (config.recipe, config.seed, config.objective.temperature) == ("released", 4, 0.3)
    assert (config.adapters.ep.steps, config.adapters.ep.epochs, config.adapters.ep.batch_size) == (7, None, 16)
    assert config.adapters.ep.schedule == "cosine_restarts"
    assert config.adapters.ts is None
    assert config.tasks.kg_completion.validations == 5  # a section that the file below leaves out is there again
    assert config.tasks.kg_completion.fine_tuning.learning_rate == 1e-8
    assert "extends" not in config.to_yaml()
    write(tmp_path, plain=config.to_yaml())
    assert recipes.load(tmp_path / "plain.yaml") == config


def test_extending_a_preset(tmp_path: Path) -> None:
    write(tmp_path, mine="extends: demo\ntitle: mine\n")
    mine, demo = recipes.named(str(tmp_path / "mine.yaml")), recipes.named("demo")
    assert mine.fingerprint() == demo.fingerprint()
    assert (mine.title, demo.title) == ("mine", "demo")


def test_extending_in_a_circle_or_nothing(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="extends: b.yaml\n",
        b="extends: a.yaml\n",
        lost="extends: tabel2-mbert\n",
        wrong="extends: [demo]\n",
        words="extends: list.yaml\n",
        list="- 1\n",
    )
    for name, message in {
        "a": r"a\.yaml extends itself: a -> b -> a\.",
        "lost": r"lost\.yaml: extends: 'tabel2-mbert' is neither a file nor a preset. Did you mean table2-mbert\?",
        "wrong": r"wrong\.yaml: `extends` is the name of a preset or the path of a file, not \['demo'\]",
        "words": r"list\.yaml: A config is a mapping of sections, not list\.",
    }.items():
        with pytest.raises(ConfigError, match=message):
            recipes.load(tmp_path / f"{name}.yaml")
