"""The texts of a corpus, tokenised once: flat memory-mapped token ids, offsets and spans.

A token store belongs to one corpus, one tokenizer and one pair of length limits; its folder is named after a hash of
them, so a stale store is never read. Samplers compose training texts out of it with array operations alone: words of
different texts may be joined because the pre-tokeniser of every supported backbone splits at spaces.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.corpora.records import SpecialTokens, TokenBatch, ragged_index
from core.corpora.store import TEXT_TABLES, Corpus
from core.folders import made_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedTokenizerFast

FORMAT_VERSION = 1
_CHUNK = 20_000
_SENTENCES = ("mention_sentences", "triple_sentences")


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


class TokenStore:
    """Token ids of every text of a corpus. Build or open it with `TokenStore.of`."""

    def __init__(self, path: Path, special: SpecialTokens) -> None:
        self.path, self.special = path, special
        self._ids = {t: np.load(path / f"{t}.ids.npy", mmap_mode="r") for t in TEXT_TABLES}
        self._offsets = {t: np.load(path / f"{t}.offsets.npy", mmap_mode="r") for t in TEXT_TABLES}
        self._spans = {t: np.load(path / f"{t}.spans.npy", mmap_mode="r") for t in _SENTENCES}

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        tokenizer: "PreTrainedTokenizerFast",
        cache: Path,
        phrase_tokens: int = 32,
        sentence_tokens: int = 128,
        prefix: str = "",
        progress: "Callable[[int, int], object] | None" = None,
    ) -> "TokenStore":
        """The token store of a corpus and a tokenizer, built under `cache` when it is not there yet.

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
        if not (path / "special.json").is_file():
            with made_whole(path) as room:
                limits = {t: sentence_tokens if t in _SENTENCES else phrase_tokens for t in TEXT_TABLES}
                _tokenise(corpus, tokenizer, room, limits, progress)
                (room / "special.json").write_text(json.dumps(vars(special)))
        return cls(path, special)

    def used_ids(self) -> np.ndarray:
        """Every token id that the corpus uses, special tokens included, sorted: what a trimmed vocabulary must keep."""
        special = [*self.special.prefix, *self.special.suffix, self.special.mask]
        return np.unique(
            np.concatenate([np.unique(ids) for ids in self._ids.values()] + [np.asarray(special, np.int32)])
        )

    def text(self, table: str, rows: np.ndarray) -> Pieces:
        """The texts `rows` of a table, without special tokens; row -1 is the empty text."""
        start, end = self._offsets[table][rows], self._offsets[table][rows + 1]
        return Pieces(self._ids[table], start, np.where(rows < 0, 0, end - start))

    def has_span(self, table: str) -> np.ndarray:
        """True for the sentences whose span survived the length limit, shape (rows,)."""
        return self._spans[table][:, 0] >= 0

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


def _tokenise(
    corpus: Corpus,
    tokenizer: "PreTrainedTokenizerFast",
    room: Path,
    limits: dict[str, int],
    progress: "Callable[[int, int], object] | None",
) -> None:
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    total, done = sum(corpus.info.counts[t] for t in TEXT_TABLES), 0
    for table, limit in limits.items():
        texts = corpus.texts(table).text
        ids, lengths, spans = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], [np.zeros((0, 3), np.int32)]
        for at in range(0, len(texts), _CHUNK):
            chunk = texts[at : at + _CHUNK].to_pylist()
            backend = tokenizer.backend_tokenizer
            encode = backend.encode_batch if table in _SENTENCES else backend.encode_batch_fast  # without offsets
            encodings = encode(chunk, add_special_tokens=False)
            ids.append(np.concatenate([np.asarray(e.ids[:limit], np.int32) for e in encodings]))
            lengths.append(np.asarray([min(len(e.ids), limit) for e in encodings], np.int64))
            if table in _SENTENCES:
                starts, ends = (corpus.column(table, c)[at : at + _CHUNK] for c in ("start", "end"))
                spans.append(
                    np.asarray(
                        [
                            _token_span(text, e.offsets[:limit], s, t, cut=len(e.ids) > limit)
                            for text, e, s, t in zip(chunk, encodings, starts, ends, strict=True)
                        ],
                        np.int32,
                    )
                )
            done += len(chunk)
            if progress:
                progress(done, total)
        np.save(room / f"{table}.ids.npy", np.concatenate(ids))
        np.save(room / f"{table}.offsets.npy", np.concatenate([[0], np.cumsum(np.concatenate(lengths))]))
        if table in _SENTENCES:
            columns = slice(0, 3) if table == "triple_sentences" else slice(0, 3, 2)
            np.save(room / f"{table}.spans.npy", np.concatenate(spans)[:, columns])


def _token_span(text: str, offsets: list[tuple[int, int]], start: int, end: int, cut: bool) -> tuple[int, int, int]:
    """Character span -> (first token that overlaps it, first token of its last word, one past its last token)."""
    touching = [i for i, (s, e) in enumerate(offsets) if s < end and e > start]
    if not touching or (cut and offsets[-1][1] < end):
        return -1, -1, -1
    word = start + text[start:end].rstrip().rfind(" ") + 1
    last_word = next(i for i in touching if offsets[i][1] > word)
    return touching[0], last_word, touching[-1] + 1
