"""The entity space of a run: names of entities it was not trained on, embedded, measured and laid out by system."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata

import numpy as np
import pyarrow as pa

from core.config import System
from core.corpora.store import Corpus
from core.evaluation import space as measures
from core.languages import PAPER_LANGUAGES, group_of
from core.probing.nearest import embed_tokens, name_tokens
from core.probing.trained import FUSED, Question, TrainedEncoder
from core.runs.provenance import commit, versions
from core.runs.spaces import LAYOUTS, MEASURES, Space
from core.runs.store import RunDir
from core.task_config import TaskName

Advance = Callable[[str, float], object]  # called with (what is being done, share of all done)
_MOST_LANGUAGES = 24  # by default, where neither the caller nor a task names some
_PACKAGES = ("python", "platform", "mlki-workbench", "numpy", "torch")


@dataclass(frozen=True)
class Plan:
    """What a space is to hold.

    Attributes:
        systems: Systems, () for all of the run.
        task: Task whose fusion is `+Fusion`, and whose languages are taken by default.
        languages: Languages, () for those of the task.
        entities: Test entities drawn.
        seed: Of the draw and of the layouts.
        layouts: Layouts to make, of `LAYOUTS`.
        neighbours: Nearest names kept of every name.
    """

    systems: tuple[System, ...] = ()
    task: TaskName | None = None
    languages: tuple[str, ...] = ()
    entities: int = 250
    seed: int = 0
    layouts: tuple[str, ...] = tuple(LAYOUTS)
    neighbours: int = measures.HUB_NEIGHBOURS


class _Pace:
    """Tells what is being done, and which share of all steps is done."""

    def __init__(self, progress: Advance, steps: int) -> None:
        self.progress, self.steps, self.done = progress, steps, 0

    def say(self, what: str, within: float = 0.0) -> None:
        """Name the step that is being done, and which share of it is done."""
        self.progress(what, min(1.0, (self.done + within) / self.steps))

    def advance(self, what: str, done: int, total: int) -> None:
        """Name the step that is being done, and how much of it is done."""
        self.say(what, done / total)

    def finish(self) -> None:
        """Count a step as done."""
        self.done += 1


@dataclass(frozen=True)
class _Names:
    """The names of a space: text, entity and language of each, entities by their row in the corpus."""

    text: list[str]
    entity: np.ndarray
    language: np.ndarray
    chosen: np.ndarray


def make_space(encoder: TrainedEncoder, corpus: Corpus, plan: Plan, progress: Advance = lambda *_: None) -> Space:
    """Embed, measure and lay out the names of a sample of test entities.

    Args:
        encoder: The run's encoder.
        corpus: The run's corpus.
        plan: What the space is to hold.
        progress: Called with (what is being done, share of all done); an error that it raises ends the work.

    Raises:
        RunError: If the run lacks a system or the task's fusion.
        ValueError: If the corpus lacks a language, or fewer than two entities have names in two of them.
    """
    started, run = time.monotonic(), encoder.run
    systems = list(plan.systems or encoder.systems)
    languages = list(plan.languages or default_languages(run, corpus, plan.task))
    names = _draw(corpus, languages, plan.entities, plan.seed)
    rows = np.full((len(names.chosen), len(languages)), -1)
    rows[names.entity, names.language] = np.arange(len(names.text))
    pace = _Pace(progress, len(systems) * (2 + len(plan.layouts)) + 1)
    vectors, string = _embedded(encoder, systems, plan.task, names.text, pace)
    found: dict[str, list[np.ndarray]] = {key: [] for key in (*MEASURES, "rank")}
    uniformity, neighbours = [], []
    for system, of_system in zip(systems, vectors, strict=True):
        pace.say(f"measuring {system}")
        for key, values in measures.pair_measures(of_system, rows, string).items():
            found[key].append(values)
        by_language = [of_system[names.language == number] for number in range(len(languages))]
        uniformity.append([measures.uniformity(part) for part in by_language])
        neighbours.append(measures.nearest(of_system, plan.neighbours))
        pace.finish()
    layouts = _layouts(vectors, plan, systems, pace)
    entities, there = corpus.table("entities").take(pa.array(names.chosen)), (rows >= 0).astype(np.int32)
    return Space(
        systems=[*map(str, systems)],
        languages=languages,
        groups=_groups(run, languages, plan.task),
        entities=entities["id"].to_pylist(),
        kinds=entities["kind"].to_pylist(),
        text=names.text,
        entity=names.entity.astype(np.int32),
        language=names.language.astype(np.int16),
        layouts=layouts,
        neighbours=np.stack(neighbours),
        rank=np.stack(found.pop("rank")),
        pairs={key: np.stack(values) for key, values in found.items()},
        uniformity=np.asarray(uniformity),
        shared=there.T @ there,
        made={
            "run": run.name,
            "task": plan.task,
            "corpus": corpus.info.name,
            "corpus_sha256": corpus.info.fingerprint,
            "split": "test",
            "seed": plan.seed,
            "entities": len(names.chosen),
            "names": len(names.text),
            "seconds": round(time.monotonic() - started, 1),
            "versions": {key: value for key, value in versions().items() if key in _PACKAGES} | _layout_library(),
            **commit(),
        },
    )


def _embedded(
    encoder: TrainedEncoder, systems: Sequence[System], task: TaskName | None, text: Sequence[str], pace: _Pace
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of texts under each system, each different string once, and the number of each text's string."""
    strings = list(dict.fromkeys(text))
    number = {string: place for place, string in enumerate(strings)}
    string = np.asarray([number[t] for t in text])
    tokens = name_tokens(encoder, strings)
    vectors = np.empty((len(systems), len(text), encoder.backbone.dim), np.float32)
    for place, system in enumerate(systems):
        question = Question(system, task if system == FUSED else None)
        advance = partial(pace.advance, f"embedding names under {system}")
        vectors[place] = embed_tokens(encoder, question, tokens, advance)[string]
        pace.finish()
    return vectors, string


def _layouts(vectors: np.ndarray, plan: Plan, systems: Sequence[str], pace: _Pace) -> dict[str, np.ndarray]:
    """Layout -> coordinates, shape (systems, names, 2), of each layout asked for, centred."""
    found = {}
    pace.say("finding principal components")
    reduced = measures.pca(vectors, measures.REDUCED)
    pace.finish()
    if "pca" in plan.layouts:
        found["pca"] = reduced[..., :2]
    if "umap" in plan.layouts:
        by_itself = measures.umap_layouts(reduced, plan.seed)
        own = []
        for system in systems:
            pace.say(f"laying out {system} by UMAP")
            layout = next(by_itself)
            own.append(layout - np.nanmean(layout, axis=0))
            pace.finish()
        found["umap"] = np.stack(own)
    if "aligned" in plan.layouts and len(systems) > 1:
        pace.say("laying out all systems by aligned UMAP")
        layout = measures.aligned_umap(reduced, plan.seed)
        found["aligned"] = layout - np.nanmean(layout, axis=(0, 1))
    return found


def _layout_library() -> dict[str, str]:
    return {"umap-learn": metadata.version("umap-learn")}


def default_languages(run: RunDir, corpus: Corpus, task: TaskName | None) -> list[str]:
    """Languages that a task trains and tests on and the corpus has; without a task those of adapter training."""
    plan = run.config.tasks.chosen().get(task) if task else None
    wanted: Sequence[str] = ()
    if plan is not None and plan.test_languages:
        wanted = [*_trained(run, task), *plan.test_languages]
    wanted = wanted or [*_adapter_languages(run), *PAPER_LANGUAGES][:_MOST_LANGUAGES]
    return [code for code in dict.fromkeys(wanted) if code in corpus.languages]


def _trained(run: RunDir, task: TaskName | None) -> list[str]:
    """Languages of the training set of a task: its source language too, where it has one."""
    plan = run.config.tasks.chosen().get(task) if task else None
    if plan is None:
        return []
    source = getattr(plan, "source_language", None)
    return [*([source] if source else []), *plan.train_languages]


def _adapter_languages(run: RunDir) -> list[str]:
    return list(run.provenance().get("data", {}).get("adapter_languages", ()))


def _groups(run: RunDir, languages: Sequence[str], task: TaskName | None) -> list[str]:
    adapter, trained = _adapter_languages(run), _trained(run, task)
    return [group_of(code, adapter, trained) for code in languages]


def _draw(corpus: Corpus, languages: Sequence[str], entities: int, seed: int) -> _Names:
    """Names of test entities that have one in two of the languages at least, by entity and then by language."""
    if missing := [code for code in languages if code not in corpus.languages]:
        raise ValueError(
            f"The corpus {corpus.info.name} has no names in {', '.join(missing)}. It has: {', '.join(corpus.languages)}."
        )
    texts, entity = corpus.texts("labels"), corpus.column("labels", "entity")
    rows = np.flatnonzero(texts.in_languages(languages) & np.isin(entity, corpus.rows_of("entities", "test")))
    known, counts = np.unique(entity[rows], return_counts=True)
    known = known[counts >= 2]
    if len(known) < 2:
        raise ValueError(
            f"Fewer than two test entities of {corpus.info.name} have names in two of: {', '.join(languages)}."
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(known)[:entities])
    rows = rows[np.isin(entity[rows], chosen)]
    place = np.asarray([languages.index(code) if code in languages else -1 for code in texts.languages])
    language, number = place[texts.language[rows]], np.searchsorted(chosen, entity[rows])
    order = np.lexsort((language, number))
    return _Names(texts.text.take(pa.array(rows[order])).to_pylist(), number[order], language[order], chosen)
