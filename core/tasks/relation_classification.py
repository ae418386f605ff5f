"""Relation classification (paper, section 5.3.1): KBP-37 in English -> RELX in five languages.

The sentence has its mentions between `<e1> </e1> <e2> </e2>`; dropout and a linear layer turn the vector of its first
token ([CLS]) into the classes. Köksal and Özgür (2020) and the released code take four unused pieces of BERT for the
markers, by number; on XLM-R these numbers are <s>, <pad>, </s> and <unk>. Here they are added tokens on every backbone.
The released code also drops words that begin with `http` or `www`, and cuts long sentences at their end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError, marked
from core.corpora.records import SPLITS, SpecialTokens, Split, TokenBatch
from core.encoder.backbones import Backbone
from core.encoder.text_encoder import TextEncoder
from core.evaluation.relations import PredictedRelations, relation_types
from core.tasks.sources import Sources
from core.tasks.task import Advance, ExampleStream, require_head, sample

ClassWeights = Literal["direction_counts", "balanced", "none"]
CLASS_WEIGHTS: tuple[ClassWeights, ...] = ("direction_counts", "balanced", "none")
MARKERS = ("<e1>", "</e1>", "<e2>", "</e2>")


@dataclass(frozen=True, slots=True)
class SentenceBatch:
    """Sentences with markers, and the number of the class of each, shape (sentences,)."""

    sentences: TokenBatch
    gold: Tensor

    def __len__(self) -> int:
        return len(self.sentences)


class RelationClassification:
    """The task on a training benchmark and its tests.

    Args:
        backbone: The backbone; the markers become tokens of it.
        data: Benchmark with the training and validation sentences and the label set; it is the test too if `tests` is
            empty.
        tests: Benchmarks with test sentences; a language is tested in the first that has it.
        train_languages: Languages of the training sentences.
        test_limit: Test sentences per language, a fixed sample; None takes all.
        max_tokens: Longer sentences are cut to this many tokens, or to what the backbone takes, markers and special
            tokens included. What is cut away is far from the mentions: see `cut`.
        class_weights: Weights of the classes in the loss. `direction_counts`, of the released code: the share of the
            class in the training sentences of its relation type, 1 for `no_relation`, so that of a type's two
            directions the frequent one weighs more. `balanced`: sentences / (classes * sentences of the class).
        dropout: Rate before the linear layer, while training.
        prefix: Text put before every sentence, such as "query: ".

    Raises:
        BenchmarkError: If a benchmark is of another task or has a label that `data` does not list, or there are no test
            sentences.
        ValueError: If a training language has no training sentences, or an argument is out of range.
    """

    name = "relation_classification"
    metric = "F1"

    def __init__(
        self,
        backbone: Backbone,
        data: BenchmarkData,
        tests: Sequence[BenchmarkData] = (),
        train_languages: Sequence[str] = ("en",),
        test_limit: int | None = None,
        max_tokens: int = 256,
        class_weights: ClassWeights = "direction_counts",
        dropout: float = 0.5,
        prefix: str = "",
    ) -> None:
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}; it must be in [0, 1).")
        self.labels, self.dropout = tuple(data.info.labels), dropout
        sources = Sources("relation_classification", data, tests, train_languages, test_limit, "sentences")
        self.train_languages, self.dataset = sources.train_languages, sources.title
        self._rows: dict[tuple[Split, str], np.ndarray] = {}
        sentences: list[str] = []
        gold: list[int] = []
        units: list[str] = []
        for split in SPLITS:
            for language, source, rows in sources.parts(split):
                records = source.table("examples").take(rows).to_pylist()
                self._rows[split, language] = np.arange(len(gold), len(gold) + len(records))
                gold += [self._class_of(record, source) for record in records]
                sentences += [marked(record, MARKERS) for record in records]
                units += [f"{split} {source.path} {record['id']}" for record in records]
        self._gold = np.asarray(gold, np.int64)
        self._unit = _numbers_within(units, self._rows)
        self._train = np.concatenate([self._rows["train", language] for language in self.train_languages])
        self.weight = torch.from_numpy(weights_of_classes(self._gold[self._train], self.labels, class_weights))
        config, markers = backbone.model.config, backbone.add_tokens(MARKERS)
        longest = getattr(config, "max_position_embeddings", max_tokens) - (backbone.first_position or 0)
        special = SpecialTokens.of(backbone.tokenizer, prefix)
        self._special_ids = (*special.prefix, *special.suffix)
        self._texts = _tokenise(backbone, sentences, special, np.asarray(markers), min(max_tokens, longest))

    def _class_of(self, record: Mapping[str, Any], source: BenchmarkData) -> int:
        if record["label"] not in self.labels:
            raise BenchmarkError(
                f"{source.path / 'examples.parquet'}: the {record['split']} sentence {record['id']} in "
                f"{record['language']} has the label {record['label']!r}, which is none of the {len(self.labels)} of the "
                f"training benchmark: {', '.join(self.labels)}. Correct it and build the benchmark again."
            )
        return self.labels.index(record["label"])

    def test_sizes(self) -> dict[str, int]:
        """Test sentences of every language that can be asked, by code."""
        return {language: len(rows) for (split, language), rows in self._rows.items() if split == "test"}

    def test_tokens(self, languages: Sequence[str]) -> float:
        """Tokens that measuring the test set of these languages passes forward."""
        chosen = [self._texts.lengths[self._rows["test", language]].sum() for language in languages]
        return float(sum(chosen))

    def used_ids(self) -> np.ndarray:
        """Token ids of all its sentences, the markers among them, sorted, none twice."""
        return np.union1d(self._texts.ids, self._special_ids).astype(np.int32)

    def training_set(self, seed: int) -> ExampleStream:
        """The training sentences; a batch is what `loss` takes: sentences, and their classes of shape (batch,)."""

        def batch(chosen: np.ndarray) -> SentenceBatch:
            rows = self._train[chosen]
            return SentenceBatch(self._texts.take(rows), torch.from_numpy(self._gold[rows]))

        return ExampleStream(len(self._train), seed, batch)

    def new_head(self, dim: int) -> nn.Module:
        """Dropout and a linear layer: vectors, shape (sentences, dim) -> logits, shape (sentences, classes)."""
        return nn.Sequential(nn.Dropout(self.dropout), nn.Linear(dim, len(self.labels)))

    def loss(self, encoder: TextEncoder, head: nn.Module, batch: SentenceBatch) -> Tensor:
        """Weighted mean cross-entropy of a batch of `training_set` in nats, shape ()."""
        logits = head(encoder.embed(batch.sentences))
        return functional.cross_entropy(logits, batch.gold.to(logits.device), self.weight.to(logits))

    def measure(
        self,
        encoder: TextEncoder,
        head: nn.Module | None,
        languages: Sequence[str],
        split: Split = "test",
        limit: int | None = None,
        tokens_per_pass: int = 8192,
        progress: Advance | None = None,
    ) -> dict[str, PredictedRelations]:
        """Predictions by language, without dropout in the head; see `Task.measure`.

        Raises:
            ValueError: If there is no head.
        """
        head = require_head(head, self.name)
        chosen = {
            language: sample(self._rows.get((split, language), np.zeros(0, int)), limit) for language in languages
        }
        chosen = {language: rows for language, rows in chosen.items() if len(rows)}
        if not chosen:
            return {}
        rows = np.concatenate(list(chosen.values()))
        sentences = self._texts.take(rows)
        predicted, probability = np.zeros(len(rows), np.int16), np.zeros(len(rows), np.float32)
        training = head.training
        head.eval()
        try:
            with torch.inference_mode():
                for part in encoder.passes(sentences, tokens_per_pass, progress):
                    best = head(encoder.embed(sentences.take(part))).softmax(-1).max(-1)
                    predicted[part], probability[part] = best.indices.cpu().numpy(), best.values.cpu().numpy()
        finally:
            head.train(training)
        found, end = {}, 0
        for language, rows in chosen.items():
            here, end = slice(end, end + len(rows)), end + len(rows)
            found[language] = PredictedRelations(
                self._unit[rows], self._gold[rows].astype(np.int16), predicted[here], probability[here], self.labels
            )
        return found

    def probe_texts(self, language: str, limit: int) -> TokenBatch:
        """The test sentences that `measure` with this limit looks at; the first token of each is pooled."""
        return self._texts.take(sample(self._rows["test", language], limit))


def weights_of_classes(gold: np.ndarray, labels: Sequence[str], kind: ClassWeights) -> np.ndarray:
    """Weights of the classes in the loss, float32, shape (classes,).

    Args:
        gold: Classes of the training sentences, shape (sentences,).
        labels: Names of the classes.
        kind: See `RelationClassification`.

    Raises:
        ValueError: If `kind` is none of `CLASS_WEIGHTS`.
    """
    if kind not in CLASS_WEIGHTS:
        raise ValueError(f"class_weights is {kind!r}; it can be {', '.join(CLASS_WEIGHTS)}.")
    types, type_of = relation_types(labels)
    weights, count = np.ones(len(labels), np.float32), np.bincount(gold, minlength=len(labels))
    seen = count > 0  # the weight of a class without sentences is never used
    if kind == "balanced":
        weights[seen] = len(gold) / (len(labels) * count[seen])
    elif kind == "direction_counts":
        of_type = np.bincount(type_of[type_of >= 0], count[type_of >= 0], len(types))
        directed = seen & (type_of >= 0)
        weights[directed] = count[directed] / of_type[type_of[directed]]
    return weights


def cut(ids: np.ndarray, markers: np.ndarray, room: int) -> np.ndarray:
    """At most `room` tokens of a sentence, such that the mentions stay in it.

    Where the stretch from the first to the last marker fits, it gets as much text on either side as there is room for,
    equally if there is enough. Where it does not, its two ends stay, half each, and what is between them goes.

    Args:
        ids: Token ids of the sentence, shape (tokens,).
        markers: Token ids of the markers.
        room: Tokens to keep.
    """
    if len(ids) <= room:
        return ids
    places = np.flatnonzero(np.isin(ids, markers))
    first, end = int(places[0]), int(places[-1]) + 1
    if end - first > room:
        return np.concatenate([ids[first : first + (room + 1) // 2], ids[end - room // 2 : end]])
    start = min(max(first - (room - (end - first)) // 2, 0), len(ids) - room)
    return ids[start : start + room]


def _tokenise(
    backbone: Backbone, sentences: list[str], special: SpecialTokens, markers: np.ndarray, max_tokens: int
) -> TokenBatch:
    """Marked sentences as tokens, of which the first is pooled."""
    room = max_tokens - len(special.prefix) - len(special.suffix)
    if room < len(MARKERS):
        raise ValueError(f"max_tokens is {max_tokens}: too few for the markers, the prefix and the special tokens.")
    content = backbone.tokenizer(sentences, add_special_tokens=False).input_ids
    before, after = np.asarray(special.prefix, np.int32), np.asarray(special.suffix, np.int32)
    texts = [np.concatenate([before, cut(np.asarray(ids, np.int32), markers, room), after]) for ids in content]
    lengths = np.asarray([len(text) for text in texts], np.int32)
    return TokenBatch(np.concatenate(texts), lengths, np.zeros_like(lengths), np.ones_like(lengths))


def _numbers_within(names: Sequence[str], rows: Mapping[tuple[Split, str], np.ndarray]) -> np.ndarray:
    """Number of each name among those of its split, without gaps: equal names, equal numbers."""
    numbers, found = np.asarray(names), np.zeros(len(names), np.int32)
    for split in {split for split, _ in rows}:
        here = np.concatenate([r for (s, _), r in rows.items() if s == split])
        found[here] = np.unique(numbers[here], return_inverse=True)[1]
    return found
