"""How long a config would take and how much memory it would need, by the runs that have finished.

A run's events say how long each of its stages took. A stage to come takes as long as the like stage of another run, by
the pairs that it trains on or the languages that it measures, and by the size of the two backbones. Nothing is guessed:
where no run has finished there is no estimate.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from core.config import RunConfig
from core.execution.budget import Dimensions, dimensions
from core.runs.kept import fine_tuned_stage, fusion_stage
from core.runs.store import RunDir
from core.task_config import Optimisation, Task, TaskName

_ONE_RUN = 2.0  # a single run is taken to be right within this factor
_FLOAT = 4  # bytes
_RANKED = ("kg_completion", "entity_alignment")  # tasks without a head


@dataclass(frozen=True)
class Planned:
    """A stage to come.

    Attributes:
        stage: Its key.
        kind: Stages of one kind cost alike by the unit, such as `training ep` or `measuring ner`.
        family: Kinds that stand in for each other where a kind was never seen, such as `training`.
        units: Pairs to train on, or languages times queries to measure; None while unknown, as of an epoch.
    """

    stage: str
    kind: str
    family: str
    units: float | None


@dataclass(frozen=True)
class Pace:
    """What finished runs needed: seconds by unit and by million parameters that a token passes through.

    Attributes:
        runs: Names of the runs that were compared with.
        kinds: Kind -> one value per stage seen.
        families: Family -> the values of all its kinds.
        epochs: What is trained on (`Planned.kind` and the data) -> pairs in an epoch.
        overhead: Seconds of a run outside such stages: preparing, resampling.
        memory: Backbone -> peak memory of each run with it, bytes.
    """

    runs: tuple[str, ...]
    kinds: dict[str, list[float]]
    families: dict[str, list[float]]
    epochs: dict[str, float]
    overhead: list[float]
    memory: dict[str, list[int]]


@dataclass(frozen=True)
class Estimate:
    """What a run would take.

    Attributes:
        seconds: The likely time; None where nothing can be said.
        low: The shortest time that the runs compared with speak for.
        high: The longest.
        unknown: Stages whose length nothing is known of, and which the numbers leave out.
        compared: Names of the runs compared with.
    """

    seconds: float | None
    low: float
    high: float
    unknown: tuple[str, ...]
    compared: tuple[str, ...]


def plan(config: RunConfig, epochs: dict[str, float] | None = None) -> list[Planned]:
    """The stages of a run in the order of the worker.

    Args:
        config: The run's config.
        epochs: Pairs in an epoch by what is trained on (`Pace.epochs`).
    """
    known = epochs or {}

    def training(stage: str, kind: str, budget: Optimisation, data: str, family: str) -> Planned:
        return Planned(stage, kind, family, pairs(budget, known.get(f"{kind} on {data}")))

    corpus, found = str(config.corpus.folder or config.corpus.name), []
    if config.adapters.from_run is None:
        for role, budget in config.adapters.trained().items():
            found.append(training(role, f"training {role}", budget, corpus, "training"))
    if config.fusion.corpus_training != "none":
        found.append(training("fusion.corpus", "training fusion", config.fusion.corpus, corpus, "training"))
    tasks = config.tasks.chosen()
    ranked = [task for task in tasks if task in _RANKED]
    for system in config.systems("zero-shot") if ranked else ():
        found.append(_measuring(config, f"zero-shot.{system}", "measuring", ranked, system == "+Fusion"))
    for name, task in tasks.items():
        for system in config.systems("fine-tuned"):
            fused, data = system == "+Fusion", data_of(config, task)
            with_ = " fused" if fused else ""
            if fused:
                found.append(training(fusion_stage(name), f"fusing {name}", task.fusion_training, data, "tuning"))
            elif name not in _RANKED:
                head = f"head.{name}.{system.lstrip('+').lower()}"
                found.append(training(head, f"fusing {name}", task.fusion_training, data, "tuning"))
            key = fine_tuned_stage(name, system)
            if task.fine_tuning is not None:
                found.append(training(key, f"tuning {name}{with_}", task.fine_tuning, data, "tuning"))
            found.append(_measuring(config, f"{key}.test", "measuring", [name], fused))
            if fused and config.evaluation.fusion_map is not None:
                found.append(_measuring(config, f"fusion_map.{name}", "mapping", [name], fused))
    return found


def pairs(budget: Optimisation, epoch: float | None) -> float | None:
    """Pairs that a stage trains on; None where the length of its epoch is unknown."""
    if budget.steps is not None:
        return budget.steps * budget.batch_size * budget.accumulation
    return None if epoch is None or budget.epochs is None else budget.epochs * epoch


def data_of(config: RunConfig, task: Task) -> str:
    """What a task trains on, as one word."""
    return f"{task.data or config.corpus.folder or config.corpus.name}:{','.join(task.train_languages)}"


def _measuring(config: RunConfig, stage: str, what: str, names: Sequence[TaskName], fused: bool) -> Planned:
    """A stage that measures some tasks: languages times queries.

    Where a config leaves open how many of them there are, it is like a stage that leaves the same open on the same data.
    """
    limits = {"kg_completion": config.evaluation.test_triples, "entity_alignment": config.evaluation.test_entities}
    tasks, units, left_open = config.tasks.chosen(), 0.0, []
    for name in names:
        languages, limit = tasks[name].test_languages, limits.get(name, config.evaluation.test_examples)
        units += len(languages or "1") * (limit or 1)
        if languages is None or limit is None:
            data = ",".join(tasks[name].test_data) or tasks[name].data or config.corpus.folder or config.corpus.name
            left_open.append(f" on {data}:{languages is None}:{limit is None}")
    where = "".join(left_open)
    kind = f"{what} {' and '.join(names)}{' fused' if fused else ''}{where}"
    return Planned(stage, kind, what + where, units)


def pace(runs: Iterable[RunDir]) -> Pace:
    """What finished runs needed; those that were interrupted and gone on with are left out, as their clocks lie."""
    names, overhead = [], []
    kinds, families, memory = defaultdict(list), defaultdict(list), defaultdict(list)
    epochs: dict[str, float] = {}
    for run in runs:
        status, size = run.status(), dimensions(run.config.backbone.source)
        if status.state != "done" or size is None or len(run.provenance().get("attempts", [])) != 1:
            continue
        took, steps = _seconds(run)
        seen = _epochs(run.config, steps)
        epochs |= seen
        names.append(run.name)
        memory[run.config.backbone.source].append(status.peak_memory)
        spent = 0.0
        for stage in plan(run.config, seen):
            if stage.units and stage.stage in took:
                value = took[stage.stage] / stage.units / _weight(size)
                kinds[stage.kind].append(value)
                families[stage.family].append(value)
                spent += took[stage.stage]
        overhead.append(max(0.0, status.heartbeat - status.started - spent))
    return Pace(tuple(names), dict(kinds), dict(families), epochs, overhead, dict(memory))


def estimate(config: RunConfig, known: Pace) -> Estimate:
    """How long a run would take, by what other runs needed."""
    size = dimensions(config.backbone.source)
    if not known.runs or size is None:
        return Estimate(None, 0.0, 0.0, tuple(stage.stage for stage in plan(config)), known.runs)
    likely, low, high = median(known.overhead), min(known.overhead), max(known.overhead)
    unknown = []
    for stage in plan(config, known.epochs):
        values = known.kinds.get(stage.kind) or known.families.get(stage.family)
        if stage.units is None or not values:
            unknown.append(stage.stage)
            continue
        scale = stage.units * _weight(size)
        likely, low, high = likely + scale * median(values), low + scale * min(values), high + scale * max(values)
    return Estimate(likely, min(low, likely / _ONE_RUN), max(high, likely * _ONE_RUN), tuple(unknown), known.runs)


def least_memory(config: RunConfig, size: Dimensions) -> int:
    """Bytes that weights and optimizer state need at the least.

    Loading needs the whole backbone once. Training everything needs weights, gradients, two moments and the copy that
    every fine-tuning starts from; a trimmed vocabulary counts as nothing, since it is not known before.
    """
    trained = size.parameters - (size.embeddings if config.backbone.trim_vocabulary else 0)
    tuned = any(task.fine_tuning is not None for task in config.tasks.chosen().values())
    return _FLOAT * max(size.parameters, trained * (5 if tuned and config.systems("fine-tuned") else 2))


def _weight(size: Dimensions) -> float:
    return size.in_layers / 1e6


def _seconds(run: RunDir) -> tuple[dict[str, float], dict[str, int]]:
    """Stage -> seconds from its first event to the next stage's, and stage -> steps that it made."""
    marks, steps = [], {}
    for event in run.events():
        if event.get("event") in ("stage", "end"):
            marks.append((event.get("stage", ""), float(event["time"])))
        elif "steps" in event:
            steps[event["stage"]] = int(event["steps"])
    took: dict[str, float] = defaultdict(float)
    for (stage, begun), (_, ended) in pairwise(marks):
        took[stage] += ended - begun
    return dict(took), steps


def _epochs(config: RunConfig, steps: dict[str, int]) -> dict[str, float]:
    """Pairs in an epoch, by what is trained on, of the stages of a run that were given epochs."""
    return dict(_epochs_seen(config, steps))


def _epochs_seen(config: RunConfig, steps: dict[str, int]) -> Iterator[tuple[str, float]]:
    corpus = str(config.corpus.folder or config.corpus.name)
    budgets = [(role, f"training {role} on {corpus}", b) for role, b in config.adapters.trained().items()]
    for name, task in config.tasks.chosen().items():
        data = data_of(config, task)
        budgets.append((fusion_stage(name), f"fusing {name} on {data}", task.fusion_training))
        for system in config.systems("fine-tuned"):
            if task.fine_tuning is not None:
                fused = " fused" if system == "+Fusion" else ""
                budgets.append((fine_tuned_stage(name, system), f"tuning {name}{fused} on {data}", task.fine_tuning))
    for stage, key, budget in budgets:
        if budget.epochs and stage in steps:
            yield key, steps[stage] * budget.batch_size * budget.accumulation / budget.epochs
