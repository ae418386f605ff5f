"""Texts of a corpus to arrays of token ids on disk: streamed, so that memory does not grow with the corpus.

Tokenising runs on all cores: the tokenizer's own threads (`RAYON_NUM_THREADS`, `TOKENIZERS_PARALLELISM`) work on the
next chunk while Python writes out the last one. A manifest with the size and checksum of every file tells later whether
they are still what was written.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from isal import isal_zlib

from core.corpora.records import Progress
from core.corpora.store import TEXT_TABLES, Corpus

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerFast

SENTENCES = ("mention_sentences", "triple_sentences")
_MANIFEST = "manifest.json"
_CHUNK = 4096  # texts; more makes the tokenizer no faster
_READ = 1 << 20  # bytes
_SPAN_COLUMNS = {"mention_sentences": [0, 2], "triple_sentences": [0, 1, 2]}
_checked: set[tuple[str, int, int, int]] = set()  # files whose checksum this process has seen to be right


class ArrayFile:
    """A `.npy` file written row by row: an array that need not fit into memory.

    Args:
        path: The file.
        dtype: Type of the elements.
        row: Shape of one row.
    """

    def __init__(self, path: Path, dtype: str, row: tuple[int, ...] = ()) -> None:
        self._file, self._dtype, self._row, self._rows = path.open("wb"), np.dtype(dtype), row, 0
        self._write_header()

    def append(self, rows: np.ndarray) -> None:
        """Add rows, shape (any, *row)."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)
        self._rows += len(rows)

    def _write_header(self) -> None:
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._rows, *self._row)}
        np.lib.format.write_array_header_1_0(self._file, header)  # of one length: NumPy leaves room for more rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None:
            self._file.seek(0)
            self._write_header()
        self._file.close()


def tokenise(
    corpus: Corpus,
    tokenizer: "PreTrainedTokenizerFast",
    room: Path,
    limits: dict[str, int],
    progress: Progress | None,
) -> None:
    """Write `TABLE.ids.npy`, `TABLE.offsets.npy` and, for sentences, `TABLE.spans.npy`, and the manifest.

    Args:
        corpus: The corpus whose texts are tokenised.
        tokenizer: A fast tokenizer.
        room: Folder to fill.
        limits: Table -> tokens that its texts are cut to.
        progress: Called with (texts done, texts in all).
    """
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    total, done = sum(corpus.info.counts[t] for t in TEXT_TABLES), 0
    for table, limit in limits.items():
        has_span = table in SENTENCES
        encode = backend.encode_batch if has_span else backend.encode_batch_fast  # without offsets
        columns = ["text", "start", "end"] if has_span else ["text"]
        read = (batch.to_pydict() for batch in corpus.batches(table, columns, _CHUNK))
        with ExitStack() as files:
            ids_file = files.enter_context(ArrayFile(room / f"{table}.ids.npy", "int32"))
            offsets_file = files.enter_context(ArrayFile(room / f"{table}.offsets.npy", "int64"))
            if has_span:
                span_columns = _SPAN_COLUMNS[table]
                spans_file = files.enter_context(ArrayFile(room / f"{table}.spans.npy", "int32", (len(span_columns),)))
            tokens = 0
            offsets_file.append(np.zeros(1))
            for chunk, encodings in _encoded(read, encode):
                ids = [encoding.ids[:limit] for encoding in encodings]
                lengths = np.fromiter(map(len, ids), np.int64, len(ids))
                ids_file.append(np.fromiter(chain.from_iterable(ids), np.int32, lengths.sum()))
                offsets_file.append(tokens + np.cumsum(lengths))
                tokens += int(lengths.sum())
                if has_span:
                    spans = token_spans(chunk["text"], encodings, chunk["start"], chunk["end"], limit)
                    spans_file.append(spans[:, span_columns])
                done += len(ids)
                if progress:
                    progress(done, total)
    written = {file.name: [file.stat().st_size, _checksum(file)] for file in sorted(room.glob("*.npy"))}
    (room / _MANIFEST).write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def damage(folder: Path) -> str:
    """What is wrong with a folder that `tokenise` made, empty where nothing is.

    Sizes are always looked at; checksums once per process and state of the file.
    """
    try:
        files = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        expected = {str(name): (int(size), int(crc)) for name, (size, crc) in files.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"its manifest cannot be read ({error})"
    wanted = {f"{t}.{kind}.npy" for t in TEXT_TABLES for kind in ("ids", "offsets")}
    if missing := sorted((wanted | {f"{t}.spans.npy" for t in SENTENCES}) - expected.keys()):
        return f"its manifest lacks {', '.join(missing)}"
    for name, (size, crc) in expected.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        state = file.stat()
        if state.st_size != size:
            return f"{name} has {state.st_size} bytes, not {size}"
        key = (str(file), state.st_ino, state.st_mtime_ns, crc)
        if key not in _checked:
            if _checksum(file) != crc:
                return f"the checksum of {name} is wrong"
            _checked.add(key)
    return ""


def token_spans(
    texts: list[str], encodings: "list[Encoding]", starts: list[int], ends: list[int], limit: int
) -> np.ndarray:
    """Character spans as token spans.

    Args:
        texts: The sentences.
        encodings: Their tokens, without special ones.
        starts: First character of each span.
        ends: One past the last character of each span.
        limit: Tokens that a sentence is cut to.

    Returns:
        First token that overlaps the span, first token of the span's last word, one past its last token, int32, shape
        (sentences, 3); -1 where no token overlaps the span, or the cut goes through it.
    """
    offsets = [encoding.offsets[:limit] for encoding in encodings]
    lengths = np.fromiter(map(len, offsets), np.int64, len(offsets))
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(offsets)), np.int64).reshape(-1, 2)
    sentence = np.repeat(np.arange(len(texts)), lengths)
    place = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    start, end = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
    words = (s + text[s:e].rstrip().rfind(" ") + 1 for text, s, e in zip(texts, starts, ends, strict=True))
    last_word = np.fromiter(words, np.int64, len(texts))
    touching = np.flatnonzero((flat[:, 0] < end[sentence]) & (flat[:, 1] > start[sentence]))
    spans = np.full((len(texts), 3), -1, np.int32)
    rows, first, count = np.unique(sentence[touching], return_index=True, return_counts=True)
    spans[rows, 0] = place[touching[first]]
    spans[rows, 2] = place[touching[first + count - 1]] + 1
    spans[:, 1] = spans[:, 2] - 1  # a tokenizer may drop the last word, such as a joiner: then it is the last token
    touching = touching[flat[touching, 1] > last_word[sentence[touching]]]
    rows, first = np.unique(sentence[touching], return_index=True)
    spans[rows, 1] = place[touching[first]]
    reach = np.fromiter((o[-1][1] if o else 0 for o in offsets), np.int64, len(offsets))
    full = np.fromiter(map(len, encodings), np.int64, len(encodings))
    spans[(spans[:, 0] < 0) | ((full > limit) & (reach < end))] = -1
    return spans


def _encoded(
    chunks: Iterable[dict[str, list[Any]]], encode: "Callable[..., list[Encoding]]"
) -> "Iterator[tuple[dict[str, list[Any]], list[Encoding]]]":
    """Every chunk with the encodings of its texts; the next one is under way (without the GIL) meanwhile."""
    with ThreadPoolExecutor(1) as ahead:
        waiting: tuple[dict[str, list[Any]], Future[list[Encoding]]] | None = None
        for chunk in chunks:
            started = chunk, ahead.submit(encode, chunk["text"], add_special_tokens=False)
            if waiting:
                yield waiting[0], waiting[1].result()
            waiting = started
        if waiting:
            yield waiting[0], waiting[1].result()


def _checksum(file: Path) -> int:
    crc = 0
    with file.open("rb") as data:
        while block := data.read(_READ):
            crc = isal_zlib.crc32(block, crc)
    return crc
