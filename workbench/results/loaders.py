"""Cached reads behind the results page: the paper's tables beside ours, and what the corpus says of each language."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import catalog
from core.config import RunConfig
from core.folders import benchmark_folder, cache_root
from core.runs.store import RunDir
from workbench.results import tables as result_tables
from workbench.results.own_table import Upload, read

if TYPE_CHECKING:
    from core.corpora.store import Corpus


def paper_cells(number: int, runs: list[RunDir], protocol: str, mode: str) -> pd.DataFrame:
    """A table of the paper beside the logs and some runs (`workbench.results.tables.paper_cells`).

    Raises:
        ValueError: If runs of different set-ups would fill the same cells.
    """
    key = tuple((str(run.path), run.results_file.stat().st_mtime_ns) for run in runs)
    return _paper_cells(number, key, protocol, mode)


@st.cache_data(max_entries=100, show_spinner=False)
def _paper_cells(number: int, runs: tuple[tuple[str, int], ...], protocol: str, mode: str) -> pd.DataFrame:
    return result_tables.paper_cells(number, [RunDir(Path(path)) for path, _ in runs], protocol, mode)


@st.cache_data(max_entries=5, show_spinner=False)
def uploaded(data: bytes) -> Upload:
    """The rows of an uploaded table of results, and what is wrong in it."""
    return read(data)


def known_of_languages(run: RunDir, task: str) -> tuple[pd.DataFrame, list[str]]:
    """What is known of each language without a model.

    Returns:
        Columns language, and `labels` (in the corpus of the adapters) and `identical` (share of the test names of the
        task that are the English string, %) where they can be counted; and a sentence for each that cannot.
    """
    return _known(run.config.model_dump_json(), task, str(cache_root()))


@st.cache_data(max_entries=20, show_spinner="Counting the labels of the corpus ...")
def _known(config_json: str, task: str, _cache: str) -> tuple[pd.DataFrame, list[str]]:
    config, problems = RunConfig.model_validate_json(config_json), []
    frames = []
    for count, title in ((_labels, "Labels"), (_identical, "Identical strings")):
        try:
            frames.append(count(config, task).set_index("language"))
        except (ValueError, OSError) as error:
            problems.append(f"{title} cannot be counted here: {error}")
    frame = pd.concat(frames, axis=1) if frames else pd.DataFrame(index=pd.Index([], name="language"))
    return frame.rename_axis("language").reset_index(), problems


def _labels(config: RunConfig, task: str) -> pd.DataFrame:
    from core.corpora.naming import label_counts

    source = config.adapters.from_run
    return label_counts(_corpus(config if source is None else RunDir.find(source).config))


def _identical(config: RunConfig, task: str) -> pd.DataFrame:
    from core.corpora.benchmarks.store import BenchmarkData
    from core.corpora.naming import shared_in_benchmark, shared_in_corpus

    data = getattr(getattr(config.tasks, task, None), "data", None)
    if data is None:
        return shared_in_corpus(_corpus(config))
    return shared_in_benchmark(BenchmarkData.open(benchmark_folder(data)))


def _corpus(config: RunConfig) -> "Corpus":
    from core.corpora.store import Corpus

    if config.corpus.folder is not None:
        return Corpus.open(Path(config.corpus.folder))
    built: Corpus = catalog.resolve("corpus", config.corpus.name)(cache_root())
    return built
