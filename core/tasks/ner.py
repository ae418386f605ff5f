"""Named entity recognition (paper, section 5.3.2), as a classification of words (XTREME).

A word is tokenised by itself and tagged by the vector of its first sub-word; the loss is the cross-entropy over those.
A word that the tokenizer makes nothing of (zero-width or control characters) has no vector: it is not trained on, and
tagged `O`. Its gold tag counts.

A long sentence is read in overlapping windows (`word_windows`) and is whole again when its spans are counted. XTREME
cuts it into pieces that share nothing and counts each piece as a sentence.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.records import SpecialTokens, Split, TokenBatch, ragged_index
from core.encoder.backbones import Backbone
from core.encoder.text_encoder import TextEncoder
from core.evaluation.spans import OUTSIDE, PredictedSpans, read_labels
from core.tasks.sources import Sources
from core.tasks.task import Advance, ExampleStream, require_head, sample
from core.tasks.word_windows import Sentences, WordBatch, lay_out


class NER:
    """The task on a benchmark of tagged words.

    Args:
        backbone: The backbone, whose tokenizer cuts the words.
        data: Training and validation sentences, and test sentences where `tests` is empty. Its labels are the classes.
        tests: Where the test sentences are; those of a language are the first's that has any.
        train_languages: Languages of the training and validation sentences.
        test_limit: Test sentences per language; None takes all.
        max_tokens: Tokens per window, special tokens included.
        dropout: Dropout before the classifier while training.
        prefix: Text before every window, such as "query: ".

    Raises:
        BenchmarkError: If a benchmark is of another task or tags a word with what is none of the labels, or there are
            no test sentences.
        ValueError: If a training language has no training sentences, or a window has no room for a word.
    """

    name = "ner"
    metric = "F1"

    def __init__(
        self,
        backbone: Backbone,
        data: BenchmarkData,
        tests: Sequence[BenchmarkData] = (),
        train_languages: Sequence[str] = ("en",),
        test_limit: int | None = None,
        max_tokens: int = 128,
        dropout: float = 0.1,
        prefix: str = "",
    ) -> None:
        sources = Sources("ner", data, tests, train_languages, test_limit, "sentences")
        self.train_languages, self.dataset = sources.train_languages, sources.title
        read_labels(data.info.labels)
        self.labels, self.dropout = tuple(data.info.labels), dropout
        special = SpecialTokens.of(backbone.tokenizer, prefix)
        if (room := max_tokens - len(special.prefix) - len(special.suffix)) < 1:
            least = max_tokens - room + 1
            raise ValueError(f"max_tokens is {max_tokens}, which leaves no room for words. Set it to {least} or more.")

        def sentences(source: BenchmarkData, rows: np.ndarray) -> Sentences:
            return lay_out(source, rows, self.labels, backbone.tokenizer, special, room)

        self._train = sentences(data, np.concatenate([rows for _, _, rows in sources.parts("train")]))
        if not len(self._train.windows):
            raise ValueError(
                f"The tokenizer makes nothing of any training word of {data.info.name}. Look at its words."
            )
        asked: tuple[Split, ...] = ("test", "valid")
        self._asked = {
            (split, language): sentences(source, rows)
            for split in asked
            for language, source, rows in sources.parts(split)
            if split == "test" or language in self.train_languages
        }
        sizes = [len(s.words) for s in self._asked.values()]
        # Test sentences are numbered from 0 on, through all languages: none is a translation of another.
        self._first_unit = dict(zip(self._asked, np.append(0, np.cumsum(sizes)), strict=False))

    def test_sizes(self) -> dict[str, int]:
        """Test sentences of every language."""
        return {language: len(s.words) for (split, language), s in self._asked.items() if split == "test"}

    def test_tokens(self, languages: Sequence[str]) -> float:
        """Tokens of the windows of these languages' test sentences."""
        asked = (self._asked.get(("test", language)) for language in languages)
        return float(sum(s.windows.lengths.sum() for s in asked if s))

    def used_ids(self) -> np.ndarray:
        """Token ids of all sentences, sorted, none twice."""
        return np.unique(np.concatenate([s.windows.ids for s in (self._train, *self._asked.values())]))

    def training_set(self, seed: int) -> ExampleStream:
        """The training windows; a sentence that fits in one is one example."""
        return ExampleStream(len(self._train.windows), seed, self._train.batch)

    def new_head(self, dim: int) -> nn.Module:
        """Dropout and a linear layer onto the labels, in evaluation mode."""
        return nn.Sequential(nn.Dropout(self.dropout), nn.Linear(dim, len(self.labels))).eval()

    def loss(self, encoder: TextEncoder, head: nn.Module, batch: WordBatch) -> Tensor:
        """Mean cross-entropy over the words of a batch in nats, shape ()."""
        logits = _logits(encoder, head, batch)
        return nn.functional.cross_entropy(logits, torch.from_numpy(batch.tags).long().to(logits.device))

    def measure(
        self,
        encoder: TextEncoder,
        head: nn.Module | None,
        languages: Sequence[str],
        split: Split = "test",
        limit: int | None = None,
        tokens_per_pass: int = 8192,
        progress: Advance | None = None,
    ) -> Mapping[str, PredictedSpans]:
        """Tags of the sentences of `test`, or of `valid` in the training languages; see `Task.measure`.

        Raises:
            ValueError: If there is no head.
        """
        head = require_head(head, self.name)
        asked = {language: s for language in languages if (s := self._asked.get((split, language)))}
        chosen = {language: sample(np.arange(len(s.words)), limit) for language, s in asked.items()}
        windows = {language: asked[language].windows_of(rows) for language, rows in chosen.items()}
        total = sum(int(asked[language].windows.lengths[w].sum()) for language, w in windows.items())
        found, done = {}, 0
        for language, s in asked.items():
            predicted = np.full(len(s.tags), self.labels.index(OUTSIDE), np.int16)
            for part in encoder.passes(s.windows.take(windows[language]), tokens_per_pass):
                batch = s.batch(windows[language][part])
                with torch.inference_mode():
                    predicted[batch.word] = _logits(encoder, head, batch).argmax(1).cpu().numpy()
                done += len(batch.texts.ids)
                if progress:
                    progress(done, total)
            rows = chosen[language]
            words = ragged_index((np.cumsum(s.words) - s.words)[rows], s.words[rows])
            unit = self._first_unit[split, language] + rows
            found[language] = PredictedSpans(unit, s.words[rows], s.tags[words], predicted[words], self.labels)
        return found

    def probe_texts(self, language: str, limit: int) -> TokenBatch:
        """The windows of the test sentences that `measure` takes with this limit."""
        s = self._asked["test", language]
        return s.windows.take(s.windows_of(sample(np.arange(len(s.words)), limit)))


def _logits(encoder: TextEncoder, head: nn.Module, batch: WordBatch) -> Tensor:
    states = encoder.states(batch.texts)
    logits: Tensor = head(states[torch.from_numpy(batch.first).to(states.device)])
    return logits
