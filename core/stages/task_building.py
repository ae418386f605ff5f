"""The tasks of a config, opened on its corpus or its benchmarks."""

from typing import Any

from core import catalog
from core.config import RunConfig
from core.corpora.benchmarks.store import BenchmarkData
from core.encoder.backbones import Backbone
from core.folders import benchmark_folder
from core.task_config import NER, EntityAlignment, KGCompletion, QuestionAnswering, RelationClassification, TaskName
from core.task_config import Task as Plan
from core.tasks.entity_alignment import BenchmarkAlignment
from core.tasks.kg_completion import BenchmarkCompletion
from core.tasks.retrieval import LabelIndex
from core.tasks.task import Task


def build_tasks(config: RunConfig, backbone: Backbone, index: LabelIndex) -> dict[TaskName, Task]:
    """The tasks of a config, by name. Those that need tokens of their own add them to the backbone.

    Args:
        config: The config.
        backbone: The backbone, its vocabulary still whole.
        index: Labels of the corpus, for ranking tasks without a benchmark.

    Raises:
        BenchmarkError: If a benchmark is missing, damaged or another task's.
        ValueError: If a training language has no examples.
    """
    return {name: _build(name, plan, config, backbone, index) for name, plan in config.tasks.chosen().items()}


def _build(name: TaskName, plan: Plan, config: RunConfig, backbone: Backbone, index: LabelIndex) -> Task:
    own = _options(plan) | {"train_languages": plan.train_languages}
    limit = test_limit(plan, config)
    ranking: dict[str, Any] = {"candidates": config.evaluation.candidates}
    if plan.data is None:
        size = "test_triples" if isinstance(plan, KGCompletion) else "test_entities"
        return catalog.resolve("task", name)(index, **own, **ranking, **{size: limit})
    data, *tests = (BenchmarkData.open(benchmark_folder(name)) for name in (plan.data, *plan.test_data))
    own |= {"test_limit": limit, "prefix": config.backbone.prefix}
    if isinstance(plan, (KGCompletion, EntityAlignment)):
        kind = BenchmarkCompletion if isinstance(plan, KGCompletion) else BenchmarkAlignment
        return kind(backbone, data, tests, **own, **ranking, phrase_tokens=config.corpus.phrase_tokens)
    return catalog.resolve("task", name)(backbone, data, tests, **own)


def benchmark_records(config: RunConfig) -> dict[str, dict[str, str]]:
    """Name, source, licence and hash of every benchmark of a config, by its name or folder there."""
    names = [name for plan in config.tasks.chosen().values() for name in (plan.data, *plan.test_data) if name]
    found = {name: BenchmarkData.open(benchmark_folder(name)).info for name in names}
    return {
        name: {"name": info.name, "source": info.source, "licence": info.licence, "sha256": info.fingerprint}
        for name, info in found.items()
    }


def test_limit(plan: Plan, config: RunConfig) -> int | None:
    """Test examples per language that a config asks for, None for all."""
    measured = config.evaluation
    if isinstance(plan, KGCompletion):
        return measured.test_triples
    return measured.test_entities if isinstance(plan, EntityAlignment) else measured.test_examples


def _options(plan: Plan) -> dict[str, Any]:
    """What only this task knows."""
    match plan:
        case KGCompletion(data=str()):
            return {"code_switched": plan.code_switched}
        case EntityAlignment(data=None):
            names = ["source_language", "csls_neighbours"]
        case EntityAlignment():
            names = ["source_language", "direction", "csls_neighbours"]
        case RelationClassification():
            return {"max_tokens": plan.max_tokens, "class_weights": plan.class_weights, "dropout": plan.head_dropout}
        case NER():
            return {"max_tokens": plan.max_tokens, "dropout": plan.head_dropout}
        case QuestionAnswering():
            names = ["max_tokens", "stride", "question_tokens", "answer_tokens", "n_best"]
        case _:
            names = []
    return {name: getattr(plan, name) for name in names}
