"""The trained encoders that the app keeps open, and what they said; shared by all visitors, one request at a time each.

A cached function must not draw, and a long one has to show how far it is: what takes long is kept in a `_Held`, which
the first visitor fills under its lock while others wait for it.
"""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.probing.sentences import Observation
from core.runs.store import DONE, RunDir
from core.task_config import TaskName

if TYPE_CHECKING:
    import pandas as pd

    from core.config import System
    from core.corpora.store import Corpus
    from core.probing.knowledge import Kind, Knowledge
    from core.probing.nearest import NearestLabels
    from core.probing.own_files import OwnData
    from core.probing.trained import TrainedEncoder

LABELS = 5_000  # of a language that answers are looked for among
Key = tuple[str, tuple[int, ...], TaskName | None]


class _Held:
    """Something that the first to ask for it makes."""

    def __init__(self) -> None:
        self.lock, self.value = threading.Lock(), None

    def get(self, make: Callable[[], Any]) -> Any:
        """The value, made now if nobody did; an error of `make` leaves it to the next."""
        with self.lock:
            if self.value is None:
                self.value = make()
            return self.value


def trained_encoder(run: RunDir, fine_tuned: TaskName | None = None) -> "TrainedEncoder":
    """The encoder of a run after stage 3, or as fine-tuned on a task; opened once for all visitors.

    Raises:
        RunError: If the run has no trained adapter, or kept no such fine-tuned weights.
        BackboneError, AdapterError, WeightsError: If a file is missing or damaged.
    """
    return _trained_encoder(*_key(run, fine_tuned))


def observed(
    run: RunDir, task: TaskName, fine_tuned: bool, texts: Sequence[str], knocked_out: Sequence[str] = ()
) -> list[Observation]:
    """What the fusion of a task does with texts (`core.probing.trained.TrainedEncoder.observe`).

    Raises:
        RunError: If the run has no such fusion or slot.
    """
    key = _key(run, task if fine_tuned else None)
    return _observed(key, task, tuple(texts), tuple(sorted(knocked_out)))


def observed_file(
    run: RunDir,
    task: TaskName,
    fine_tuned: bool,
    texts: Sequence[str],
    knocked_out: Sequence[str],
    progress: Callable[[int, int], None],
) -> list[Observation]:
    """`observed` for a file of texts, which is kept for nobody; `progress` is called with (tokens done, in all)."""
    from core.probing.trained import FUSED, Question

    encoder = trained_encoder(run, task if fine_tuned else None)
    return encoder.observe(texts, Question(FUSED, task, frozenset(knocked_out)), progress=progress)


def run_corpus(run: RunDir) -> "Corpus":
    """The corpus that a run's adapters were trained on; the embedded one is built in the cache on first use.

    Raises:
        CorpusError: If it is not there, or damaged.
    """
    return _run_corpus(str(run.path), run.config_file.stat().st_mtime_ns)


def nearest_labels(
    run: RunDir,
    task: TaskName,
    fine_tuned: bool,
    knocked_out: Sequence[str],
    language: str,
    progress: Callable[[int, int], object] | None = None,
) -> "NearestLabels":
    """The labels of a run's corpus in a language as vectors of a fusion, up to `LABELS` of them.

    The first visitor to ask waits for them to be embedded; `progress` is called with (texts done, texts in all).

    Raises:
        ValueError: If the corpus has no label in that language.
        RunError, CorpusError: As `trained_encoder` and `run_corpus`.
    """
    from core.probing.nearest import NearestLabels, corpus_labels
    from core.probing.trained import FUSED, Question

    key = _key(run, task if fine_tuned else None)

    def make() -> NearestLabels:
        labels = corpus_labels(run_corpus(run), language, LABELS)
        return NearestLabels.of(_trained_encoder(*key), Question(FUSED, task, frozenset(knocked_out)), labels, progress)

    return _nearest_labels(key, task, tuple(sorted(knocked_out)), language).get(make)


def knowledge(run: RunDir, kind: "Kind") -> "Knowledge":
    """A ranking task of a run, opened for questions by hand; it keeps the label vectors that it has made.

    Raises:
        RunError: If the run has no trained adapter.
        CorpusError, BenchmarkError, ValueError: If the task's data is gone or damaged.
    """
    return _knowledge(_key(run, None), kind)


def own_results(
    run: RunDir,
    data: "OwnData",
    systems: "Sequence[System]",
    source: str,
    target: str | None,
    progress: Callable[[int, int], object],
) -> "pd.DataFrame":
    """Metrics of some systems on own data (`core.probing.own_data.evaluate`); nothing of it is cached."""
    from core.probing.own_data import evaluate

    return evaluate(trained_encoder(run), data, systems, source, target, progress)


def _key(run: RunDir, fine_tuned: TaskName | None) -> Key:
    """A run's folder, when its stages were done, and the weights."""
    done = sorted((run.path / "checkpoints").glob(f"*/{DONE}"))
    return str(run.path), tuple(file.stat().st_mtime_ns for file in done), fine_tuned


@st.cache_resource(max_entries=2, show_spinner="Opening the trained encoder ...")
def _trained_encoder(path: str, done_times: tuple[int, ...], fine_tuned: TaskName | None) -> "TrainedEncoder":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # must be set before transformers is imported
    import torch

    from core.probing.trained import TrainedEncoder

    torch.set_num_threads(1)  # more threads wait for each other while a training runs beside: 50 times slower
    return TrainedEncoder(RunDir(Path(path)), fine_tuned)


@st.cache_data(max_entries=300, show_spinner=False)
def _observed(key: Key, task: TaskName, texts: tuple[str, ...], knocked_out: tuple[str, ...]) -> list[Observation]:
    from core.probing.trained import FUSED, Question

    return _trained_encoder(*key).observe(texts, Question(FUSED, task, frozenset(knocked_out)))


@st.cache_resource(max_entries=5, show_spinner="Opening the corpus ...")
def _run_corpus(path: str, config_time: int) -> "Corpus":
    from core.stages.workspace import open_corpus

    return open_corpus(RunDir(Path(path)).config)


@st.cache_resource(max_entries=24, show_spinner=False)  # of 5,000 vectors of 384 numbers: 185 MB
def _nearest_labels(key: Key, task: TaskName, knocked_out: tuple[str, ...], language: str) -> _Held:
    return _Held()


@st.cache_resource(max_entries=4, show_spinner="Opening the data of the task ...")  # each keeps up to 256 MB of vectors
def _knowledge(key: Key, kind: "Kind") -> "Knowledge":
    from core.probing.knowledge import Knowledge

    return Knowledge(_trained_encoder(*key), kind)
