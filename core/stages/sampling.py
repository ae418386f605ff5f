"""What a run trains on, without any model: its languages, the switches of its samplers and the seeds of its stages."""

import hashlib
from typing import Any

from core.config import RunConfig, Sampling
from core.corpora.store import Corpus
from core.languages import PAPER_LANGUAGES
from core.runs.store import RunDir, RunError


def stage_seed(seed: int, stage: str) -> int:
    """A seed of its own for each stage, so that a stage draws the same whether or not others ran in this process."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{stage}".encode()).digest()[:4], "big")


def sampler_options(sampling: Sampling) -> dict[str, dict[str, Any]]:
    """The switches of the recipe as arguments of each role's sampler."""
    order = {"order": sampling.order}
    return {
        "ep": order | {"pairs": sampling.ep_pairs, "skip_identical": sampling.skip_identical},
        "tp": order | {"fallback": "en" if sampling.tp_missing_relation == "english" else None},
        "es": order | {"whole_sentence": sampling.es_anchor == "sentence"},
        "ts": order | {"keep_last_word": sampling.ts_anchor == "last_word_kept"},
    }


def adapter_source(config: RunConfig) -> RunDir | None:
    """The run that `adapters.from_run` names, or None.

    Raises:
        RunError: If there is no such run.
    """
    return None if config.adapters.from_run is None else RunDir.find(config.adapters.from_run)


def adapter_languages(config: RunConfig, corpus: Corpus) -> tuple[str, ...]:
    """Languages of adapter training: the config's, or those of the paper's 84 that the corpus has (`nb` for `no`).

    Adapters of another run have that run's.

    Raises:
        ValueError: If the config names a language that the corpus lacks.
        RunError: If `adapters.from_run` is no run, or was never started.
    """
    if source := adapter_source(config):
        try:
            return tuple(source.provenance()["data"]["adapter_languages"])
        except KeyError:
            raise RunError(f"adapters.from_run: the run {source.name} was never started: it has no adapters.") from None
    wanted = config.corpus.adapter_languages
    if wanted is None:
        return tuple(code for code in [*PAPER_LANGUAGES, "nb"] if code in corpus.languages)
    if missing := [code for code in wanted if code not in corpus.languages]:
        raise ValueError(
            f"corpus.adapter_languages: the corpus {corpus.info.name} has no labels in {', '.join(missing)}. "
            f"It has: {', '.join(corpus.languages)}."
        )
    return wanted
