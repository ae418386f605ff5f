"""The texts of a corpus, tokenised once: flat memory-mapped token ids, offsets and spans.

A token store belongs to one corpus, one tokenizer and one pair of length limits; its folder is named after a hash of
them, so a stale store is never read; a damaged one is built again. Samplers compose training texts out of it with array
operations alone: words of different texts may be joined because the pre-tokeniser of every supported backbone splits at
spaces.
"""

import hashlib
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from core.corpora.records import Progress, SpecialTokens, TokenBatch, ragged_index
from core.corpora.store import TEXT_TABLES, Corpus
from core.corpora.tokenising import SENTENCES, damage, tokenise
from core.folders import made_whole

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FORMAT_VERSION = 2
_BLOCK = 1 << 20  # token ids looked at in one go


@dataclass(frozen=True)
class Pieces:
    """A run of tokens for each text of a batch: `source[start : start + length]`, all int arrays of shape (texts,)."""

    source: np.ndarray
    start: np.ndarray
    length: np.ndarray

    @classmethod
    def constant(cls, ids: tuple[int, ...], texts: int) -> "Pieces":
        """The same tokens for every text."""
        return cls(np.asarray(ids, np.int32), np.zeros(texts, np.int64), np.full(texts, len(ids)))


class TokenTables:
    """Token ids of texts by table, and batches joined out of them.

    Args:
        special: What surrounds every text.
        ids: Token ids of a table's texts one after the other, by table.
        offsets: Where each text begins in them, shape (texts + 1,), by table.
    """

    def __init__(
        self, special: SpecialTokens, ids: Mapping[str, np.ndarray], offsets: Mapping[str, np.ndarray]
    ) -> None:
        self.special, self._ids, self._offsets = special, ids, offsets

    def used_ids(self) -> np.ndarray:
        """Every token id in use, special tokens included, sorted: what a trimmed vocabulary must keep."""
        special = [*self.special.prefix, *self.special.suffix, self.special.mask]
        blocks = (ids[at : at + _BLOCK] for ids in self._ids.values() for at in range(0, len(ids), _BLOCK))
        return np.unique(np.concatenate([np.asarray(special, np.int32), *map(np.unique, blocks)]))

    def text(self, table: str, rows: np.ndarray) -> Pieces:
        """The texts `rows` of a table, without special tokens; row -1 is the empty text."""
        start, end = self._offsets[table][rows], self._offsets[table][rows + 1]
        return Pieces(self._ids[table], start, np.where(rows < 0, 0, end - start))

    def join(self, *parts: Pieces) -> TokenBatch:
        """The texts `prefix + parts + suffix`, pooled over all tokens."""
        texts = len(parts[0].start)
        wrapped = [Pieces.constant(self.special.prefix, texts), *parts, Pieces.constant(self.special.suffix, texts)]
        lengths = np.sum([p.length for p in wrapped], axis=0)
        ids = np.empty(int(lengths.sum()), np.int32)
        at = np.cumsum(lengths) - lengths
        for p in wrapped:
            ids[ragged_index(at, p.length)] = p.source[ragged_index(p.start, p.length)]
            at = at + p.length
        return TokenBatch.whole(ids, lengths.astype(np.int32))


class TokenStore(TokenTables):
    """Token ids of every text of a corpus. Build or open it with `TokenStore.of`."""

    def __init__(self, path: Path, special: SpecialTokens) -> None:
        ids, offsets = (
            {t: np.load(path / f"{t}.{kind}.npy", mmap_mode="r") for t in TEXT_TABLES} for kind in ("ids", "offsets")
        )
        super().__init__(special, ids, offsets)
        self.path = path
        self._spans = {t: np.load(path / f"{t}.spans.npy", mmap_mode="r") for t in SENTENCES}

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        tokenizer: "PreTrainedTokenizerFast",
        cache: Path,
        phrase_tokens: int = 32,
        sentence_tokens: int = 128,
        prefix: str = "",
        progress: Progress | None = None,
    ) -> "TokenStore":
        """The token store of a corpus and a tokenizer, built under `cache` when it is not there yet.

        A damaged store is built again, with a warning in the log. Of processes that ask at once, one builds and the
        others wait for it.

        Args:
            corpus: The corpus whose texts are tokenised.
            tokenizer: A fast tokenizer (character offsets are needed for the spans).
            cache: Folder that holds token stores.
            phrase_tokens: Labels are cut to this many tokens.
            sentence_tokens: Sentences are cut to this many tokens; a span that is cut off is marked -1.
            prefix: Text put before every text, such as "query: ".
            progress: Called with (texts done, texts in all).
        """
        special = SpecialTokens.of(tokenizer, prefix)
        parts = [FORMAT_VERSION, corpus.info.fingerprint, tokenizer.backend_tokenizer.to_str()]
        parts += [phrase_tokens, sentence_tokens, special.prefix, special.suffix]
        path = cache / hashlib.sha256(repr(parts).encode()).hexdigest()[:24]
        if damage(path):
            cache.mkdir(parents=True, exist_ok=True)
            with FileLock(cache / f".{path.name}.lock"):
                if reason := damage(path):
                    if path.exists():
                        logging.getLogger(__name__).warning("The token store %s is built again: %s.", path, reason)
                    for left_by_a_kill in cache.glob(f".{path.name}.*/"):
                        shutil.rmtree(left_by_a_kill)
                    limits = {t: sentence_tokens if t in SENTENCES else phrase_tokens for t in TEXT_TABLES}
                    with made_whole(path) as room:
                        tokenise(corpus, tokenizer, room, limits, progress)
        return cls(path, special)

    def has_span(self, table: str) -> np.ndarray:
        """True for the sentences whose span survived the length limit, shape (rows,)."""
        return self._spans[table][:, 0] >= 0

    def mentions(self, rows: np.ndarray, whole_sentence: bool = False) -> TokenBatch:
        """Sentences of C1, pooled over the mention (paper, section 4, ES) or, as released, over the whole sentence."""
        batch = self.join(self.text("mention_sentences", rows))
        if whole_sentence:
            return batch
        spans = self._spans["mention_sentences"][rows] + len(self.special.prefix)
        return TokenBatch(batch.ids, batch.lengths, spans[:, 0].astype(np.int32), spans[:, 1].astype(np.int32))

    def without_object(self, rows: np.ndarray, keep_last_word: bool = False) -> TokenBatch:
        """Sentences of C2 without their object (paper, section 4, TS).

        Args:
            rows: Rows of `triple_sentences`.
            keep_last_word: False puts the mask token in the object's place. True does what the released code does:
                it deletes the object but for its last word, so an object of one word stays whole
                (`obj_end` is inclusive there and used as exclusive).
        """
        text = self.text("triple_sentences", rows)
        start, last_word, end = self._spans["triple_sentences"][rows].T
        before = Pieces(text.source, text.start, start)
        if keep_last_word:
            return self.join(before, Pieces(text.source, text.start + last_word, text.length - last_word))
        mask = Pieces.constant((self.special.mask,), len(rows))
        return self.join(before, mask, Pieces(text.source, text.start + end, text.length - end))
