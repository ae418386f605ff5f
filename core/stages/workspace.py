"""What the stages of one run share: corpus, tokens, backbone, adapters and tasks; and how a stage's files are kept."""

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import catalog
from core.config import SYSTEM_PARTS, RunConfig
from core.corpora.draws import LabelTable
from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
from core.encoder.adapter_set import AdapterSet
from core.encoder.backbones import Backbone, load_backbone, parameter_count
from core.encoder.text_encoder import TextEncoder, pick_device, pick_precision
from core.folders import cache_root, made_whole
from core.runs.journal import Journal
from core.runs.store import DONE, RunDir
from core.stages.sampling import adapter_languages
from core.stages.task_building import benchmark_records, build_tasks
from core.task_config import TaskName
from core.tasks.retrieval import LabelIndex, RankingTask
from core.tasks.task import Task


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
        languages: The test languages of every task: those with enough examples.
        backbone_parameters: Parameters of the backbone as pretrained, its vocabulary whole.
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
    tasks: dict[TaskName, Task]
    languages: dict[TaskName, list[str]]
    backbone_parameters: int
    frozen: dict[str, Tensor]

    def remember(self) -> None:
        """Take the present weights of backbone and adapters as those that `reset` goes back to."""
        names = [n for part in (None, *self.config.adapters.trained()) for n in self.adapters.parameters(part)]
        self.frozen = self.adapters.state(names)

    def reset(self) -> None:
        """Undo what a fine-tuning did to backbone and adapters."""
        self.adapters.restore(self.frozen)

    def has_head(self, task: TaskName) -> bool:
        """Whether a task puts a head on the encoder, and so exists fine-tuned only."""
        return not isinstance(self.tasks[task], RankingTask)

    def title(self, task: TaskName) -> str:
        """What to call a task where progress is shown."""
        title = catalog.item("task", task).title
        return title[0].lower() + title[1:]

    def ranking_tasks(self) -> list[TaskName]:
        """The tasks without a head."""
        return [task for task in self.tasks if not self.has_head(task)]

    def budget(self) -> dict[str, int]:
        """Parameters of the backbone, and those that each system with weights in memory adds to it."""
        added = {s: self.adapters.budget(part) for s, part in SYSTEM_PARTS.items() if part is not None}
        return {"backbone": self.backbone_parameters} | {s: count for s, count in added.items() if count}

    def data_record(self) -> dict[str, Any]:
        """Name and hash of everything that was read, for provenance."""
        info = self.corpus.info
        return {
            "corpus": {"name": info.name, "source": info.source, "licence": info.licence, "sha256": info.fingerprint},
            "backbone": {"name": self.backbone.title, "sha256": self.backbone.digest},
            "adapter_languages": list(self.adapter_languages),
            "benchmarks": benchmark_records(self.config),
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
        return self.run.is_done(stage)

    def keep(self, stage: str, write: Callable[[Path], None], facts: Mapping[str, Any]) -> None:
        """Let `write` fill a folder and make it the stage's in one step; `facts` go into its `done.json`."""
        with made_whole(self.run.checkpoint_dir(stage)) as room:
            write(room)
            (room / DONE).write_text(json.dumps(facts), encoding="utf-8")


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
    parameters = parameter_count(list(backbone.model.parameters()))
    tokens = TokenStore.of(
        corpus,
        backbone.tokenizer,
        cache_root() / "tokens",
        config.corpus.phrase_tokens,
        config.corpus.sentence_tokens,
        config.backbone.prefix,
        lambda done, total: journal.advance("prepare", done / total),
    )
    index = LabelIndex(corpus, tokens)
    journal.begin("prepare", "preparing the tasks")
    tasks = build_tasks(config, backbone, index)
    if config.backbone.trim_vocabulary:
        backbone.trim(np.unique(np.concatenate([tokens.used_ids(), *(task.used_ids() for task in tasks.values())])))
    backbone.model.to(device)
    precision, pool_padding = pick_precision(compute.precision, device), config.backbone.pooling == "padded"
    encoder = TextEncoder(backbone, tokens.special, device, precision, compute.packed, compute.row_tokens, pool_padding)
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
        languages={name: _test_languages(config, name, task, journal) for name, task in tasks.items()},
        backbone_parameters=parameters,
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


def _test_languages(config: RunConfig, name: TaskName, task: Task, journal: Journal) -> list[str]:
    sizes, least = task.test_sizes(), config.evaluation.min_queries
    asked = config.tasks.chosen()[name].test_languages or tuple(sizes)
    if missing := [code for code in asked if code not in sizes]:
        raise ValueError(
            f"tasks.{name}.test_languages: {task.dataset} has no test set in {', '.join(missing)}. "
            f"It has: {', '.join(sizes)}."
        )
    enough = [code for code in asked if sizes[code] >= least]
    if left_out := sorted(set(asked) - set(enough)):
        reason = f"fewer than {least} test examples"
        journal.event("prepare", {"task": name, "left_out": left_out, "reason": reason})
    if not enough:
        raise ValueError(
            f"No language of {name} has {least} test examples. Lower evaluation.min_queries or add test languages."
        )
    return enough
