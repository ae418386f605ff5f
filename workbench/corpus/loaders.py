"""What the app keeps of corpora: statistics, samples, batches and lint, by the content of the corpus."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from core.config import RunConfig
from core.corpora import browsing, statistics
from core.corpora.lint import lint
from core.corpora.statistics import Statistics
from core.corpora.store import MANIFEST, Corpus
from core.folders import cache_root
from core.stages.example_pairs import ExampleBatch, ExampleBatches
from workbench.background import Background
from workbench.corpus import own as own_corpus


def corpus(folder: Path | None) -> Corpus:
    """A corpus, opened once for all visitors; None is the embedded one, built in the cache on first use.

    Raises:
        CorpusError: If there is none in the folder, or it is damaged.
    """
    if folder is None:
        return _embedded(str(cache_root()))
    return _corpus(str(folder), _time(folder))


@st.cache_resource(max_entries=2, show_spinner="Building the embedded corpus, once ...")
def _embedded(cache: str) -> Corpus:
    from core.corpora.sources import cldr

    return cldr.cached(Path(cache))


@st.cache_resource(max_entries=4, show_spinner=False)
def _corpus(folder: str, time: int) -> Corpus:
    return Corpus.open(Path(folder))


def _time(folder: Path) -> int:
    manifest = folder / MANIFEST
    return manifest.stat().st_mtime_ns if manifest.is_file() else 0


def counted(found: Corpus) -> Statistics:
    """What a corpus holds; kept in the cache folder, so that a large corpus is counted once.

    Raises:
        CorpusError: If a file of it is damaged.
    """
    return _counted(str(found.path), found.info.fingerprint, str(cache_root()))


@st.cache_data(max_entries=20, show_spinner="Counting the corpus, once ...")
def _counted(path: str, fingerprint: str, cache: str) -> Statistics:
    return statistics.kept(Corpus.open(Path(path)), Path(cache))


def sampled(found: Corpus, what: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of `core.corpora.browsing` finds in a corpus.

    Raises:
        CorpusError: If a file of it is damaged.
        ValueError: As the function does.
    """
    return _sampled(str(found.path), found.info.fingerprint, what.__name__, arguments)


@st.cache_data(max_entries=300, show_spinner=False)
def _sampled(path: str, fingerprint: str, what: str, arguments: tuple[Any, ...]) -> Any:
    with browsing.opened(Corpus.open(Path(path))) as query:
        return getattr(browsing, what)(query, *arguments)


def example_batch(found: Corpus, config: RunConfig, role: str, number: int) -> ExampleBatch:
    """A batch of training pairs that a config draws from a corpus (`core.stages.example_pairs`).

    Raises:
        CorpusError, ValueError: If the corpus lacks what the role or the config needs.
    """
    chosen = config.model_copy(update={"title": ""})
    return _batches(str(found.path), found.info.fingerprint, chosen.to_yaml(), chosen).batch(role, number)


@st.cache_resource(max_entries=2, show_spinner="Reading the labels ...")
def _batches(path: str, fingerprint: str, config_text: str, _config: RunConfig) -> ExampleBatches:
    return ExampleBatches(Corpus.open(Path(path)), _config)


def linted(found: Corpus, against: Sequence[Path] = ()) -> Background:
    """The lint of a corpus, not begun yet; shared by all visitors."""
    files = tuple((str(folder), max((f.stat().st_mtime_ns for f in folder.glob("*")), default=0)) for folder in against)
    return _linted(str(found.path), found.info.fingerprint, files)


@st.cache_resource(max_entries=20, show_spinner=False)
def _linted(path: str, fingerprint: str, against: tuple[tuple[str, int], ...]) -> Background:
    folders = [Path(folder) for folder, _ in against]
    return Background(lambda progress: lint(Corpus.open(Path(path)), against=folders, progress=progress))


def own_preview(files: tuple[own_corpus.OwnFile, ...]) -> own_corpus.Preview:
    """What uploaded files would make (`workbench.corpus.own.preview`)."""
    return _own_preview(tuple((f.kind, f.suffix, f.data) for f in files))


@st.cache_data(max_entries=3, show_spinner="Reading the rows ...")
def _own_preview(files: tuple[tuple[str, str, bytes], ...]) -> own_corpus.Preview:
    return own_corpus.preview([own_corpus.OwnFile(*file) for file in files])
