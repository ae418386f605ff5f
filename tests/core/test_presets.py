"""The presets of the paper's tables: names, data that can be built, and values worked out of the paper and its sources."""

from pathlib import Path

import pytest

from core import catalog, recipes
from core.config import SYSTEMS, RunConfig
from core.reference import tables

BACKBONES = {
    "mbert": "bert-base-multilingual-cased",
    "xlmr-base": "xlm-roberta-base",
    "xlmr-large": "xlm-roberta-large",
    "embedded": "embedded",
}
TASKS = {
    2: {"kg_completion"},
    3: {"entity_alignment"},
    4: {"relation_classification"},
    5: {"ner"},
    6: {"question_answering"},
    7: {"relation_classification", "ner", "question_answering"},
}
FULL = ("mbert", "xlmr-base", "xlmr-large")
# Field -> value and where it stands.
PUBLISHED = {
    # Appendix A, "Adapters in Knowledge Enhancement": 94.2 M alignments in batches of 128 are 735,937.5 steps.
    "adapters.ep.steps": 735_938,
    "adapters.ep.batch_size": 128,
    "adapters.tp.epochs": 10,
    "adapters.es.epochs": 10,
    "adapters.ts.epochs": 10,
    "adapters.ts.batch_size": 128,
    "adapters.ep.learning_rate": 1e-4,
    "adapters.ts.learning_rate": 1e-4,
    "adapters.ep.warmup_steps": 10_000,
    "adapters.tp.warmup_steps": 10_000,
    # Appendix A, "Adapters in knowledge graph completion", and section 5.2.1: five languages.
    "tasks.kg_completion.train_languages": ("el", "en", "es", "fr", "ja"),
    "tasks.kg_completion.fine_tuning.learning_rate": 1e-8,
    "tasks.kg_completion.fine_tuning.batch_size": 8,
    "tasks.kg_completion.fine_tuning.epochs": 10,
    "tasks.kg_completion.fine_tuning.steps": None,
    "tasks.kg_completion.fusion_training.batch_size": 8,
    "tasks.kg_completion.fusion_training.epochs": 10,
    # Appendix A, "Adapters in Entity Alignment", and section 5.2.2: English to German and to French.
    "tasks.entity_alignment.source_language": "en",
    "tasks.entity_alignment.train_languages": ("de", "fr"),
    "tasks.entity_alignment.fine_tuning.learning_rate": 1e-8,
    "tasks.entity_alignment.fine_tuning.batch_size": 8,
    "tasks.entity_alignment.fine_tuning.epochs": 1,
    # Köksal and Özgür 2020, finetune.py of boun-tabi/RELX.
    "tasks.relation_classification.data": "kbp37",
    "tasks.relation_classification.test_data": ("relx",),
    "tasks.relation_classification.train_languages": ("en",),
    "tasks.relation_classification.max_tokens": 256,
    "tasks.relation_classification.class_weights": "direction_counts",
    "tasks.relation_classification.head_dropout": 0.5,
    "tasks.relation_classification.fine_tuning.learning_rate": 3e-5,
    "tasks.relation_classification.fine_tuning.weight_decay": 0.1,
    "tasks.relation_classification.fine_tuning.batch_size": 16,
    "tasks.relation_classification.fine_tuning.accumulation": 4,
    "tasks.relation_classification.fine_tuning.epochs": 10,
    "tasks.relation_classification.fine_tuning.schedule": "constant",
    "tasks.relation_classification.fine_tuning.clip_norm": None,
    # XTREME, train_panx.sh: 8 sentences, 4 times.
    "tasks.ner.data": "wikiann",
    "tasks.ner.train_languages": ("en",),
    "tasks.ner.max_tokens": 128,
    "tasks.ner.fine_tuning.learning_rate": 2e-5,
    "tasks.ner.fine_tuning.batch_size": 8,
    "tasks.ner.fine_tuning.accumulation": 4,
    "tasks.ner.fine_tuning.epochs": 10,
    "tasks.ner.fine_tuning.weight_decay": 0.0,
    # XTREME, train_qa.sh: 4 windows, 8 times.
    "tasks.question_answering.data": "squad",
    "tasks.question_answering.test_data": ("xquad",),
    "tasks.question_answering.train_languages": ("en",),
    "tasks.question_answering.max_tokens": 384,
    "tasks.question_answering.stride": 128,
    "tasks.question_answering.fine_tuning.learning_rate": 3e-5,
    "tasks.question_answering.fine_tuning.batch_size": 4,
    "tasks.question_answering.fine_tuning.accumulation": 8,
    "tasks.question_answering.fine_tuning.epochs": 3,
    "tasks.question_answering.fine_tuning.weight_decay": 1e-4,
    "tasks.question_answering.fine_tuning.warmup_steps": 500,
}


def value(config: RunConfig, name: str) -> object:
    found: object = config
    for part in name.split("."):
        found = getattr(found, part)
    return found


def printed_languages(number: int) -> set[str]:
    names = set(tables.load(f"table{number}").language_or_group)
    return names - {"average", "Ave."}


@pytest.mark.parametrize("backbone", FULL)
def test_values_of_the_paper_and_of_what_it_follows(backbone: str) -> None:
    config = recipes.named(f"paper-{backbone}")
    assert {name: value(config, name) for name in PUBLISHED} == PUBLISHED
    for task in (config.tasks.kg_completion, config.tasks.entity_alignment):
        assert task.fusion_training.learning_rate == 5e-5  # Pfeiffer et al. 2021; the paper gives none
        assert task.fusion_training.value_learning_rate is None
    assert config.recipe == "corrected"


@pytest.mark.parametrize("backbone", BACKBONES)
def test_each_table_is_its_tasks_of_the_whole(backbone: str) -> None:
    whole = recipes.named(f"paper-{backbone}")
    assert whole.backbone.source == BACKBONES[backbone]
    assert set(whole.tasks.chosen()) == set.union(*TASKS.values())
    for number, tasks in TASKS.items():
        config = recipes.named(f"table{number}-{backbone}")
        assert set(config.tasks.chosen()) == tasks
        assert config.systems("fine-tuned") == ("backbone", "+Fusion")
        assert config.systems("zero-shot") == ()
        assert (config.adapters, config.backbone, config.evaluation) == (
            whole.adapters,
            whole.backbone,
            whole.evaluation,
        )
        if number < 7:
            assert config.tasks.chosen() == {task: whole.tasks.chosen()[task] for task in tasks}


@pytest.mark.parametrize("backbone", ["mbert", "embedded"])
def test_figure_5_measures_every_system_on_its_three_tasks(backbone: str) -> None:
    config = recipes.named(f"figure5-{backbone}")
    assert set(config.tasks.chosen()) == {"kg_completion", "entity_alignment", "relation_classification"}
    assert config.systems("fine-tuned") == SYSTEMS
    four, whole = config.adapters.model_copy(update={"large": None}), recipes.named(f"paper-{backbone}")
    assert four == whole.adapters


def test_data_can_be_built_by_name() -> None:
    known, seen = {row.key for row in catalog.of_kind("benchmark")}, set()
    for name in recipes.preset_names():
        for key, task in recipes.named(name).tasks.chosen().items():
            for data in filter(None, (task.data, *task.test_data)):
                source = data.removesuffix("-extended").removesuffix("-split")
                assert source in known, name
                assert data == source or (key in ("kg_completion", "entity_alignment")) == data.endswith("-extended")
                seen.add(data)
            if task.data == "xquad-split":  # XQuAD itself has the articles that are trained on
                assert task.test_data == (), name
    assert {"dbp5l-extended", "wk3l60k-extended", "kbp37", "relx", "wikiann", "squad", "xquad", "xquad-split"} <= seen


@pytest.mark.parametrize("backbone", BACKBONES)
def test_test_languages_are_those_of_the_tables(backbone: str) -> None:
    tasks = recipes.named(f"paper-{backbone}").tasks
    assert set(tasks.question_answering.test_languages) == printed_languages(13)
    for task in ("kg_completion", "entity_alignment", "relation_classification", "ner"):
        assert getattr(tasks, task).test_languages is None  # all that the built benchmark has
    seven = recipes.named(f"table7-{backbone}").tasks
    assert set(seven.relation_classification.test_languages) == printed_languages(11) - {"en"}
    ten = set(recipes.named("table7-mbert").tasks.ner.test_languages)
    assert set(seven.ner.test_languages) == (ten & {"en", "de", "es", "nl"} if backbone == "embedded" else ten)
    assert ten < printed_languages(12)


@pytest.mark.parametrize(("model", "printed"), [("XLM-R", 68.5), ("XLM-R-MLKG", 67.6)])
def test_the_ten_languages_of_table_7_have_its_mean_in_table_12(model: str, printed: float) -> None:
    ten = recipes.named("table7-mbert").tasks.ner.test_languages
    cells = tables.load("table12")
    values = cells[(cells.model == model) & cells.language_or_group.isin(ten)].value
    assert len(values) == len(ten) == 10
    assert values.mean() == pytest.approx(printed, abs=0.051)


def test_the_scaled_ones_are_small() -> None:
    for name in recipes.preset_names():
        if not name.endswith("-embedded"):
            continue
        config = recipes.named(name)
        plans = [*config.adapters.trained().values()]
        for task in config.tasks.chosen().values():
            plans += [task.fusion_training, task.fine_tuning]
        assert max(plan.steps for plan in plans) <= 200
        evaluation = config.evaluation
        assert max(evaluation.test_entities, evaluation.test_triples, evaluation.test_examples) <= 200


def test_files_are_short_and_say_what_they_are_for() -> None:
    folder = Path(recipes.__file__).with_name("presets")
    for file in folder.glob("*.yaml"):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# ")
        assert max(map(len, lines)) <= 120
        if file.stem.startswith("table"):
            assert len(lines) <= 15
