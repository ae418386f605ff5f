"""The form out of the schema: its fields, edits as text, what a config error says of which field, and grids."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from core import recipes
from core.config import RunConfig
from workbench.launch import schema as forms
from workbench.launch.start import Start, grid, shown_command

FIELDS = forms.fields()


def leaves(tree: dict[str, Any], path: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in tree.items():
        name = f"{path}{key}"
        found |= leaves(value, f"{name}.") if isinstance(value, dict) else {name}
    return found


def test_every_field_of_a_config_is_in_the_form_and_explained() -> None:
    everything = recipes.parse({}, {f"tasks.{task}": {} for task in ("relation_classification", "ner")})
    everything = recipes.parse(
        everything.model_dump(mode="json"), {"tasks.question_answering": {}, "evaluation.fusion_map": {}}
    )
    present = leaves(everything.model_dump(mode="json"))
    assert len(present) > 300
    assert present == {path for path, field in FIELDS.items() if field.kind != "section"}
    assert [path for path, field in FIELDS.items() if not field.help] == []


@pytest.mark.parametrize(
    ("path", "kind", "optional", "options"),
    [
        ("recipe", "choice", False, ("corrected", "paper", "released")),
        ("seed", "integer", False, ()),
        ("backbone.trim_vocabulary", "switch", False, ()),
        ("corpus.folder", "text", True, ()),
        ("corpus.adapter_languages", "languages", True, ()),
        ("objective.temperature", "number", False, ()),
        ("adapters.large", "section", True, ()),
        ("adapters.large.clip_norm", "number", True, ()),
        ("tasks.ner.test_data", "list", False, ()),
        ("compute.precision", "choice", False, ("auto", "fp32", "bf16")),
    ],
)
def test_a_field_knows_its_kind(path: str, kind: str, optional: bool, options: tuple[str, ...]) -> None:
    field = FIELDS[path]
    assert (field.kind, field.optional, field.options) == (kind, optional, options)


def test_limits_and_inherited_explanations_are_told() -> None:
    assert FIELDS["objective.temperature"].help == "Divisor of the cosine similarity. (above 0)"
    assert FIELDS["evaluation.confidence"].help.endswith("(above 0, below 1)")
    assert FIELDS["seed"].help.endswith("(at least 0, below 4,294,967,296)")
    assert FIELDS["corpus.phrase_tokens"].help.endswith("(above 0)")
    assert FIELDS["tasks.ner.train_languages"].help == "Languages of stages 3 and 4."  # of the class above
    assert FIELDS["evaluation.fine_tuned"].options == ("backbone", "+EP", "+TP", "+ES", "+TS", "+Large", "+Fusion")


@pytest.mark.parametrize("name", ["demo", "paper-mbert", "adapters"])
def test_what_a_widget_shows_means_the_value_that_it_shows(name: str) -> None:
    tree = recipes.named(name).model_dump(mode="json")
    seen = 0
    for path, field in FIELDS.items():
        value = forms.value_at(tree, path)
        if field.kind != "section" and forms.value_at(tree, field.section or path) is not None:
            assert forms.edited(field, forms.shown(field, value)) == value, path
            seen += 1
    assert seen > 100


@pytest.mark.parametrize(
    ("path", "typed", "value"),
    [
        ("objective.temperature", "1e-3", 0.001),
        ("objective.temperature", " 1 ", 1),
        ("objective.temperature", "hot", "hot"),
        ("adapters.ep.steps", "", None),
        ("adapters.ep.batch_size", "", ""),  # not optional: the config says so
        ("corpus.folder", "null", None),
        ("corpus.adapter_languages", ["all"], None),
        ("corpus.adapter_languages", ["all", "de"], None),
        ("corpus.adapter_languages", [], []),
        ("evaluation.fusion_map", True, {}),
        ("evaluation.fusion_map", False, None),
        ("adapters.large", True, {"steps": 100, "learning_rate": 1e-3}),
    ],
)
def test_what_is_typed_means(path: str, typed: Any, value: Any) -> None:
    assert forms.edited(FIELDS[path], typed) == value


def test_edits_survive_the_url_and_the_command() -> None:
    changes = {
        "objective.temperature": 1e-05,
        "title": "a: b, {c} # d",
        "adapters.large": None,
        "tasks.ner": {},
        "corpus.adapter_languages": ["no", "de"],  # Norwegian is no truth value
        "seed": "7x",
        "backbone.prefix": "",
    }
    assert forms.read(forms.write(changes)) == changes
    assert forms.read(["colour=red", "seed", "seed=[", "seed=1"]) == {"seed": 1}


def test_every_bad_field_is_told_at_its_field() -> None:
    with pytest.raises(recipes.ConfigError) as error:
        recipes.named("demo", {"objective.temperature": -1, "adapters.ep.steps": None, "evaluation.zero_shot": ["+XX"]})
    found = forms.problems(error.value)
    assert set(found) == {"objective.temperature", "adapters.ep", "evaluation.zero_shot"}
    assert found["objective.temperature"] == "Input should be greater than 0 (got -1)"
    assert "exactly one of `steps` and `epochs`" in found["adapters.ep"]
    with pytest.raises(recipes.ConfigError) as error:
        recipes.named("demo", {"evaluation.fine_tuned": ["+Large"]})
    assert "does not train what that needs" in forms.problems(error.value)[""]
    assert forms.problems(ValueError("something else")) == {"": "something else"}


def test_search_finds_by_name_before_explanation() -> None:
    assert forms.search("temperature")[0].path == "objective.temperature"
    assert {field.path for field in forms.search("ner batch size")} == {
        "tasks.ner.fusion_training.batch_size",
        "tasks.ner.fine_tuning.batch_size",
    }
    assert "objective.temperature" in {field.path for field in forms.search("cosine similarity")}
    assert forms.search("colour of the sky") == []
    assert len(forms.search("e", most=7)) == 7


def test_a_bad_edit_is_left_out_of_what_the_form_shows_and_kept_among_the_edits() -> None:
    start = Start.of_preset("demo")
    edits = {"objective.temperature": 0.1, "adapters.ep.steps": "many"}
    shown = start.nearest(edits)
    assert shown.objective.temperature == 0.1
    assert shown.adapters.ep is not None
    assert shown.adapters.ep.steps == 64  # the preset's
    assert start.edit(edits, "seed", 3) == edits | {"seed": 3}
    assert start.edit(edits, "objective.temperature", 0.05) == {"adapters.ep.steps": "many"}  # as it was
    assert start.edit(edits, "adapters.ep", None) == {"objective.temperature": 0.1, "adapters.ep": None}
    both = start.nearest({"evaluation.fine_tuned": ["+Large"], "seed": 5})  # a problem of no one field
    assert both == start.base


def test_an_edit_that_the_preset_has_but_the_new_recipe_has_not_is_kept() -> None:
    start = Start.of_preset("demo")
    edits = start.edit({}, "recipe", "released")
    assert start.parse(edits).objective.temperature == 0.1
    edits = start.edit(edits, "objective.temperature", 0.05)  # the preset's own value under its own recipe
    assert edits == {"recipe": "released", "objective.temperature": 0.05}
    assert start.parse(edits).objective.temperature == 0.05


EDITS: list[dict[str, Any]] = [
    {},
    {"objective.temperature": 0.1, "seed": 7},
    {"adapters.large": {"steps": 5, "batch_size": 8}, "tasks.entity_alignment": None},
    {"adapters.ep.epochs": 2.0, "tasks.ner": {}, "tasks.ner.max_tokens": 64},
    {"recipe": "released", "title": "ein Titel: so"},
]


@pytest.mark.parametrize("edits", EDITS)
@pytest.mark.parametrize("which", ["What differs", "Everything"])
def test_the_files_give_the_same_config_again(edits: dict[str, Any], which: str, tmp_path: Path) -> None:
    start = Start.of_preset("demo")
    config = start.parse(edits)
    text = start.files(config, edits)[which]
    (tmp_path / "again.yaml").write_text(text)
    assert recipes.load(tmp_path / "again.yaml") == config
    sent = Start.of_file("sent.yaml", text.encode())
    assert sent.base == config
    smallest = sent.files(sent.base, {})["What differs"]
    assert recipes.parse(yaml.safe_load(smallest)) == config
    assert "extends" not in smallest


def test_the_small_file_says_only_what_differs() -> None:
    start = Start.of_preset("demo")
    edits = {"objective.temperature": 0.1, "adapters.ep.steps": 9}
    expected = {"extends": "demo", "objective": {"temperature": 0.1}, "adapters": {"ep": {"steps": 9}}}
    assert yaml.safe_load(start.files(start.parse(edits), edits)["What differs"]) == expected


def test_the_command_says_the_edits_and_nothing_else() -> None:
    start = Start.of_preset("demo")
    assert start.command("run", {}) == ["workbench", "run", "demo"]
    words = start.grid_command({"title": "a b"}, {"seed": [0, 1]})
    assert words == ["workbench", "submit", "demo", "--set", "title=a b", "--grid", "seed=[0, 1]"]
    assert shown_command(words) == "workbench submit demo --set 'title=a b' --grid 'seed=[0, 1]'"


def test_a_grid_is_every_combination() -> None:
    assert forms.grid({}) == [{}]
    assert forms.grid({"seed": [0, 1], "objective.temperature": [0.1, 0.2], "title": []}) == [
        {"seed": 0, "objective.temperature": 0.1},
        {"seed": 0, "objective.temperature": 0.2},
        {"seed": 1, "objective.temperature": 0.1},
        {"seed": 1, "objective.temperature": 0.2},
    ]
    with pytest.raises(ValueError, match="make 66 runs; a grid has at most 64"):
        forms.grid({"seed": list(range(33)), "objective.temperature": [0.1, 0.2]})


def test_the_runs_of_a_grid_differ_in_what_is_varied_and_say_so_in_their_title() -> None:
    start = Start.of_preset("demo")
    made = grid(start, {"seed": 4}, {"objective.temperature": [0.05, 0.1], "adapters.reduction": [8]})
    assert [config.objective.temperature for config in made] == [0.05, 0.1]
    assert {config.seed for config in made} == {4}
    assert [config.title for config in made] == [
        "demo temperature=0.05 reduction=8",
        "demo temperature=0.1 reduction=8",
    ]
    assert len({config.fingerprint() for config in made}) == 2
    assert grid(start, {}, {}) == [start.base]
    with pytest.raises(recipes.ConfigError, match="greater than 0"):
        grid(start, {}, {"objective.temperature": [0.1, 0.0]})


@pytest.mark.parametrize(
    ("path", "text", "values"),
    [
        ("seed", "0, 1,1, 2", [0, 1, 2]),
        ("objective.temperature", "1e-3, 0.1", [0.001, 0.1]),
        ("corpus.adapter_languages", "[de, fr], null", [["de", "fr"], None]),
        ("backbone.source", "embedded, xlm-roberta-base", ["embedded", "xlm-roberta-base"]),
        ("seed", "", []),
    ],
)
def test_values_are_written_with_commas(path: str, text: str, values: list[Any]) -> None:
    assert forms.values_of(FIELDS[path], text) == values


def test_values_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="is no list of values"):
        forms.values_of(FIELDS["seed"], "0, [")


def test_a_file_that_is_no_config_says_why_under_its_own_name() -> None:
    for text, message in {
        b"adapters: [": "The config sent.yaml is no YAML",
        b"- 1": "sent.yaml: A config is a mapping",
        b"\xff\xfe": "The config sent.yaml is no YAML",
        b"adaptors: {}\nobjective: {temperature: -1}": r"(?s)sent.yaml: 2 bad field.*than 0.*did you mean `adapters`",
        b"extends: demoo": "Did you mean demo",
    }.items():
        with pytest.raises(recipes.ConfigError, match=message):
            _ = Start.of_file("sent.yaml", text).base
    with pytest.raises(recipes.ConfigError, match="at most 200,000"):
        Start.of_file("sent.yaml", b"#" * 200_001)


def test_the_form_starts_from_a_run(finished_run) -> None:
    start = Start.of_run(finished_run)
    assert isinstance(start.base, RunConfig)
    assert start.base == finished_run.config
    assert start.command("run", {"seed": 1})[:3] == ["workbench", "run", str(finished_run.config_file)]
