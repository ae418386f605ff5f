"""What the stages of one run share: corpus, tokens, backbone, adapters and tasks; and how a stage's files are kept."""

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core import catalog
from core.config import RunConfig, TaskName
from core.corpora.draws import LabelTable
from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
from core.encoder.adapter_set import AdapterSet
from core.encoder.backbones import Backbone, load_backbone
from core.encoder.text_encoder import TextEncoder, pick_device, pick_precision
from core.folders import cache_root, made_whole
from core.languages import PAPER_LANGUAGES
from core.runs.journal import Journal
from core.runs.store import RunDir
from core.tasks.retrieval import Benchmark, LabelIndex

_DONE = "done.json"


@dataclass
class Workspace:
    """Everything that the stages of one run need, made once.

    Attributes:
        run: The run's folder.
        config: Its config.
        journal: Where progress goes.
        corpus: The integration corpus.
        tokens: Its texts, tokenised.
        adapter_languages: Languages of adapter training.
        backbone: The backbone, trimmed if the config says so.
        adapters: The adapters on it.
        encoder: Texts -> embeddings.
        labels: Labels in the adapter languages, for the samplers.
        index: Labels by language and entity, for the tasks.
        tasks: The downstream tasks, by name.
        benchmarks: The test benchmark of every task and language that has enough queries.
        frozen: Weights that stages 3 and 4 start from: the backbone as pretrained, the adapters as stage 2 left them.
    """

    run: RunDir
    config: RunConfig
    journal: Journal
    corpus: Corpus
    tokens: TokenStore
    adapter_languages: tuple[str, ...]
    backbone: Backbone
    adapters: AdapterSet
    encoder: TextEncoder
    labels: LabelTable
    index: LabelIndex
    tasks: dict[TaskName, Any]
    benchmarks: dict[TaskName, dict[str, Benchmark]]
    frozen: dict[str, Tensor]

    def remember(self) -> None:
        """Take the present weights of backbone and adapters as those that `reset` goes back to."""
        names = [n for part in (None, *self.config.adapters.trained()) for n in self.adapters.parameters(part)]
        self.frozen = self.adapters.state(names)

    def reset(self) -> None:
        """Undo what a fine-tuning did to backbone and adapters."""
        self.adapters.restore(self.frozen)

    def data_record(self) -> dict[str, Any]:
        """Name and hash of everything that was read, for provenance."""
        info = self.corpus.info
        return {
            "corpus": {"name": info.name, "source": info.source, "licence": info.licence, "sha256": info.fingerprint},
            "backbone": {"name": self.backbone.title, "sha256": self.backbone.digest},
            "adapter_languages": list(self.adapter_languages),
        }

    def device_record(self) -> dict[str, Any]:
        """Where tensors lie and how they are multiplied, for provenance."""
        device, encoder = self.encoder.device, self.encoder
        name = (
            torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
        )
        precision = str(encoder.precision).removeprefix("torch.")
        return {"device": str(device), "name": name, "threads": torch.get_num_threads(), "precision": precision}

    def is_done(self, stage: str) -> bool:
        """Whether a stage has left all its files."""
        return (self.run.checkpoint_dir(stage) / _DONE).is_file()

    def keep(self, stage: str, write: Callable[[Path], None], facts: Mapping[str, Any]) -> None:
        """Let `write` fill a folder and make it the stage's in one step; `facts` go into its `done.json`."""
        with made_whole(self.run.checkpoint_dir(stage)) as room:
            write(room)
            (room / _DONE).write_text(json.dumps(facts), encoding="utf-8")


def prepare(run: RunDir, journal: Journal) -> Workspace:
    """Build or open what a run's config names.

    Raises:
        CorpusError, BackboneError, ValueError: If a part is missing or damaged, or is asked for what it lacks.
    """
    config = run.config
    compute = config.compute
    device = pick_device(compute.device)
    torch.set_num_threads(compute.threads or os.cpu_count() or 1)
    journal.begin("prepare", "preparing the corpus")
    corpus = open_corpus(config)
    languages = adapter_languages(config, corpus)
    journal.begin("prepare", "loading the backbone")
    backbone = load_backbone(config.backbone.source, cache_root())
    journal.begin("prepare", "tokenising the corpus")
    tokens = TokenStore.of(
        corpus,
        backbone.tokenizer,
        cache_root() / "tokens",
        config.corpus.phrase_tokens,
        config.corpus.sentence_tokens,
        config.backbone.prefix,
        lambda done, total: journal.advance("prepare", done / total),
    )
    if config.backbone.trim_vocabulary:
        backbone.trim(tokens.used_ids())
    backbone.model.to(device)
    precision, pool_padding = pick_precision(compute.precision, device), config.backbone.pooling == "padded"
    encoder = TextEncoder(backbone, tokens.special, device, precision, compute.packed, compute.row_tokens, pool_padding)
    index = LabelIndex(corpus, tokens)
    tasks = _tasks(config, index)
    workspace = Workspace(
        run=run,
        config=config,
        journal=journal,
        corpus=corpus,
        tokens=tokens,
        adapter_languages=languages,
        backbone=backbone,
        adapters=AdapterSet(backbone, config.adapters.reduction, config.adapters.non_linearity),
        encoder=encoder,
        labels=LabelTable(corpus, languages),
        index=index,
        tasks=tasks,
        benchmarks={name: _benchmarks(config, name, task, journal) for name, task in tasks.items()},
        frozen={},
    )
    journal.finish("prepare")
    return workspace


def open_corpus(config: RunConfig) -> Corpus:
    """The corpus of a config, built in the cache when it names no folder.

    Raises:
        CorpusError: If the folder holds no corpus.
    """
    if config.corpus.folder is not None:
        return Corpus.open(config.corpus.folder)
    return catalog.resolve("corpus", config.corpus.name)(cache_root())


def adapter_languages(config: RunConfig, corpus: Corpus) -> tuple[str, ...]:
    """Languages of adapter training: the config's, or those of the paper's 84 that the corpus has (`nb` for `no`).

    Raises:
        ValueError: If the config names a language that the corpus lacks.
    """
    wanted = config.corpus.adapter_languages
    if wanted is None:
        return tuple(code for code in [*PAPER_LANGUAGES, "nb"] if code in corpus.languages)
    if missing := [code for code in wanted if code not in corpus.languages]:
        raise ValueError(
            f"corpus.adapter_languages: the corpus {corpus.info.name} has no labels in {', '.join(missing)}. "
            f"It has: {', '.join(corpus.languages)}."
        )
    return wanted


def _tasks(config: RunConfig, index: LabelIndex) -> dict[TaskName, Any]:
    measured = config.evaluation
    tasks: dict[TaskName, Any] = {}
    if completion := config.tasks.kg_completion:
        make = catalog.resolve("task", "kg_completion")
        tasks["kg_completion"] = make(index, completion.train_languages, measured.test_triples, measured.candidates)
    if alignment := config.tasks.entity_alignment:
        make = catalog.resolve("task", "entity_alignment")
        languages = (alignment.source_language, alignment.train_languages)
        tasks["entity_alignment"] = make(index, *languages, measured.test_entities, measured.candidates)
    return tasks


def _benchmarks(config: RunConfig, name: TaskName, task: Any, journal: Journal) -> dict[str, Benchmark]:
    asked = config.tasks.chosen()[name].test_languages or task.languages()
    made = {language: task.benchmark(language) for language in asked}
    enough = {language: b for language, b in made.items() if len(b) >= config.evaluation.min_queries}
    if left_out := sorted(set(made) - set(enough)):
        limit = config.evaluation.min_queries
        journal.event("prepare", {"task": name, "left_out": left_out, "reason": f"fewer than {limit} test queries"})
    if not enough:
        raise ValueError(
            f"No language of {name} has {config.evaluation.min_queries} test queries. "
            "Lower evaluation.min_queries or add test languages."
        )
    return enough
