"""The encoder of a run as its stages left it, ready for texts that the run never saw.

One encoder serves several users: every request names its system and task, and runs under one lock, for the fusions of
several tasks take turns in one model.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.config import SYSTEM_PARTS, System
from core.corpora.records import SpecialTokens, TokenBatch
from core.encoder.adapter_set import FUSION, AdapterSet
from core.encoder.backbones import load_backbone
from core.encoder.fusion import FusionProbe, probe_fusion
from core.encoder.packing import segment_mean
from core.encoder.text_encoder import TextEncoder, pick_device, pick_precision
from core.encoder.weights import load_weights
from core.folders import cache_root
from core.probing.sentences import Observation
from core.runs.kept import fine_tuned_stage, fine_tuned_tasks, fused_tasks, fusion_stage, trained_adapters
from core.runs.store import RunDir, RunError
from core.task_config import TaskName
from core.tasks.relation_classification import MARKERS

FUSED: System = "+Fusion"


@dataclass(frozen=True)
class Question:
    """Which encoder of a run to ask.

    Attributes:
        system: What is active.
        task: The task whose fusion is active; needed by `+Fusion` alone.
        knocked_out: Slots that the fusion does without.
    """

    system: System = FUSED
    task: TaskName | None = None
    knocked_out: frozenset[str] = frozenset()


class TrainedEncoder:
    """Backbone, adapters and fusions of a run; its vocabulary is whole, so any text can be encoded.

    An embedding is the mean over the text's own tokens, whatever `backbone.pooling` says: a text that stands alone has
    no padding.

    Args:
        run: The run.
        fine_tuned: The task whose fine-tuned `+Fusion` to load (stage 4); None takes the encoder after stage 3, with
            the backbone as pretrained.
        cache: Folder of prepared backbones.

    Attributes:
        backbone: The backbone.
        roles: Roles of the adapters, in the order of the paper's tables.
        lock: Held while model or tokenizer are in use.

    Raises:
        RunError: If the run has no trained adapter, or not what `fine_tuned` asks for.
        BackboneError, AdapterError, WeightsError: If a file is missing or damaged.
    """

    def __init__(self, run: RunDir, fine_tuned: TaskName | None = None, cache: Path | None = None) -> None:
        config = run.config
        self.run, self.fine_tuned = run, fine_tuned
        self.fused_tasks = fused_tasks(run) if fine_tuned is None else [fine_tuned]
        roles = trained_adapters(run)
        if not roles:
            raise RunError(
                f"The run {run.name} has no trained adapter to ask: its state is {run.status().state}. "
                "Choose another run, or train one: workbench demo"
            )
        if fine_tuned is not None and fine_tuned not in fine_tuned_tasks(run):
            raise RunError(
                f"The run {run.name} kept no fine-tuned +Fusion of {fine_tuned}. Ask it after stage 3, or train a run "
                "with compute.keep_fine_tuned: true."
            )
        backbone = load_backbone(config.backbone.source, cache or cache_root())
        if (plan := config.tasks.relation_classification) is not None and plan.data is not None:
            backbone.add_tokens(MARKERS)
        self._adapters = AdapterSet(backbone, config.adapters.reduction, config.adapters.non_linearity)
        for role in roles:
            self._adapters.add(role)
            self._adapters.load(role, run.checkpoint_dir(role))
        self._fusions = self._load_fusions()
        if fine_tuned is not None:
            self._adapters.add_fusion(config.fusion.identity_slot)
            load_weights(backbone, run.checkpoint_dir(fine_tuned_stage(fine_tuned, FUSED)))
        device, compute = pick_device(config.compute.device if torch.cuda.is_available() else "auto"), config.compute
        backbone.model.to(device)
        backbone.model.eval()
        special = SpecialTokens.of(backbone.tokenizer, config.backbone.prefix)
        precision = pick_precision("auto", device)
        self._encoder = TextEncoder(backbone, special, device, precision, compute.packed, compute.row_tokens)
        self.lock, self._loaded = threading.RLock(), self.fused_tasks[-1] if self.fused_tasks else None
        self.backbone, self.roles = backbone, tuple(roles)

    def _load_fusions(self) -> dict[TaskName, dict[str, Tensor]]:
        found = {}
        for task in self.fused_tasks if self.fine_tuned is None else ():
            self._adapters.load_fusion(self.run.checkpoint_dir(fusion_stage(task)))
            found[task] = self._adapters.state(list(self._adapters.parameters(FUSION)))
        return found

    @property
    def systems(self) -> list[System]:
        """What can be asked, in the order of the paper's tables; of fine-tuned weights only what was fine-tuned."""
        if self.fine_tuned is not None:
            return [FUSED]
        return [
            system
            for system, part in SYSTEM_PARTS.items()
            if part is None or part in self.roles or (part == FUSION and self.fused_tasks)
        ]

    @property
    def slots(self) -> tuple[str, ...]:
        """Slots of the fusions, in the order of their weights; empty where no fusion was trained."""
        return self._adapters.slots if self.fused_tasks else ()

    def tokens(self, texts: Sequence[str], limit: int = 128) -> TokenBatch:
        """Token ids of texts, each cut to `limit` tokens, with the special tokens and the prefix of the backbone."""
        with self.lock:  # the tokenizer's limit is a state of its own, and it refuses two borrowers
            return self._encoder.tokens(texts, limit)

    def observe(
        self,
        texts: Sequence[str],
        question: Question,
        limit: int = 128,
        tokens_per_pass: int = 2048,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Observation]:
        """What a fusion does with every token of texts, and the embedding that comes out.

        Args:
            texts: The texts, none of them without a letter to encode.
            question: A fusion; slots may be knocked out of it.
            limit: Tokens that a text is cut to, special tokens aside.
            tokens_per_pass: Tokens per forward pass, which bounds the memory.
            progress: Called with (tokens done, tokens in all) after every pass.

        Raises:
            RunError: If the run has no such fusion or slot.
        """
        if question.system != FUSED:
            raise RunError(f"{question.system} has no fusion to look into. Ask {FUSED} of a task.")
        found: dict[int, Observation] = {}
        with self.asked(question, record=True) as (encoder, probe):
            pieces = [self._pieces(text, limit) for text in texts]
            ids = np.asarray([i for _, text_ids, _ in pieces for i in text_ids], np.int32)
            batch = TokenBatch.whole(ids, np.asarray([len(names) for names, *_ in pieces], np.int32))
            for part in encoder.passes(batch, tokens_per_pass, progress) if texts else ():
                hidden, laid_out = encoder.forward(batch.take(part))
                vectors = torch.nn.functional.normalize(segment_mean(hidden, laid_out)).cpu().numpy()
                layers = [probe.weights[layer].flatten(0, 1)[laid_out.pool_token] for layer in sorted(probe.weights)]
                weights = torch.stack(layers).float().cpu().numpy()
                ends = np.cumsum(batch.lengths[part])
                for text, vector, of_text in zip(part, vectors, np.split(weights, ends[:-1], axis=1), strict=True):
                    names, _, offsets = pieces[text]
                    found[int(text)] = Observation(texts[text], names, offsets, self.slots, of_text, vector)
        return [found[number] for number in range(len(texts))]

    def _pieces(self, text: str, limit: int) -> tuple[list[str], list[int], list[tuple[int, int] | None]]:
        """Names, ids and offsets of a text's tokens; special tokens and the backbone's prefix have no offset."""
        tokenizer, special = self.backbone.tokenizer, self._encoder.special
        content = tokenizer(
            text, add_special_tokens=False, truncation=True, max_length=limit, return_offsets_mapping=True
        )
        ids = [*special.prefix, *content.input_ids, *special.suffix]
        offsets = [*[None] * len(special.prefix), *content.offset_mapping, *[None] * len(special.suffix)]
        return tokenizer.convert_ids_to_tokens(ids), ids, offsets

    @contextmanager
    def asked(self, question: Question, record: bool = False) -> Iterator[tuple[TextEncoder, FusionProbe]]:
        """The encoder under a system, for this thread alone until the context ends; no gradients.

        Args:
            question: What is active.
            record: Whether the probe keeps the weights and contributions of the latest forward pass.

        Raises:
            RunError: If the run has no such system, task or slot.
        """
        self._check(question)
        with self.lock, torch.inference_mode():
            if question.system == FUSED and question.task != self._loaded:
                self._adapters.restore(self._fusions[question.task])  # type: ignore[index]  # checked
                self._loaded = question.task
            with self._adapters.active(SYSTEM_PARTS[question.system]), probe_fusion(question.knocked_out, record) as p:
                yield self._encoder, p

    def embed(self, texts: Sequence[str], question: Question, tokens_per_pass: int = 8192) -> np.ndarray:
        """Embeddings of texts under a system, of unit length, float32, shape (texts, dim)."""
        if not texts:
            return np.zeros((0, self.backbone.dim), np.float32)
        with self.asked(question) as (encoder, _):
            return torch.nn.functional.normalize(encoder.embed_all(self.tokens(texts), tokens_per_pass)).numpy()

    def _check(self, question: Question) -> None:
        if question.system not in self.systems:
            raise RunError(
                f"The run {self.run.name} has no system {question.system}. It has: {', '.join(self.systems)}."
            )
        if question.system == FUSED and question.task not in self.fused_tasks:
            have = ", ".join(self.fused_tasks)
            raise RunError(f"The run {self.run.name} has no fusion of task {question.task}. It has those of: {have}.")
        if stray := question.knocked_out - set(self.slots):
            raise RunError(f"There is no slot {', '.join(sorted(stray))}. Slots: {', '.join(self.slots)}.")
        if question.knocked_out >= set(self.slots) and self.slots:
            raise RunError("Every slot is knocked out: leave at least one in.")
