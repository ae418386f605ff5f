"""Building token stores: spans, streaming, bounded memory, damage, kills and two builds at once."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from core.corpora import tokenising
from core.corpora.store import SCHEMAS, Corpus, CorpusError
from core.corpora.token_store import TokenStore
from core.corpora.writer import CorpusWriter


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(tiny_backbone)


@pytest.fixture(scope="module")
def tokens(tiny_corpus: Corpus, tokenizer: PreTrainedTokenizerFast, tmp_path_factory) -> TokenStore:
    return TokenStore.of(tiny_corpus, tokenizer, tmp_path_factory.mktemp("tokens"))


def rows_of(corpus: Corpus, table: str) -> list[dict]:
    return pq.read_table(corpus.path / f"{table}.parquet").to_pylist()


def stores_in(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.suffix != ".lock"]


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_an_interrupted_build_leaves_nothing(tiny_corpus: Corpus, tokenizer, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TokenStore.of(tiny_corpus, tokenizer, tmp_path, progress=interrupt)
    assert stores_in(tmp_path) == []


def slow_span(text: str, offsets: list[tuple[int, int]], start: int, end: int, cut: bool) -> tuple[int, int, int]:
    """`token_spans` for one sentence, token by token."""
    touching = [i for i, (s, e) in enumerate(offsets) if s < end and e > start]
    if not touching or (cut and offsets[-1][1] < end):
        return -1, -1, -1
    word = start + text[start:end].rstrip().rfind(" ") + 1
    last_word = next((i for i in touching if offsets[i][1] > word), touching[-1])
    return touching[0], last_word, touching[-1] + 1


def test_spans_against_the_slow_version(tiny_corpus: Corpus, tokenizer: PreTrainedTokenizerFast) -> None:
    rows = rows_of(tiny_corpus, "triple_sentences")
    texts, starts, ends = ([row[c] for row in rows] for c in ("text", "start", "end"))
    extra = ["", "a \u200d", "ab  \u200d\u200d", "one two three"]
    texts, starts, ends = texts + extra, [*starts, 0, 0, 4, 0], [*ends, 0, 3, 6, 13]
    tokenizer.backend_tokenizer.no_truncation()
    encodings = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    for limit in (1, 3, 8, 16, 128):
        expected = [
            slow_span(text, e.offsets[:limit], s, t, len(e.ids) > limit)
            for text, e, s, t in zip(texts, encodings, starts, ends, strict=True)
        ]
        assert tokenising.token_spans(texts, encodings, starts, ends, limit).tolist() == [list(e) for e in expected]
        assert -1 in {e[0] for e in expected}
        assert limit < 8 or len({e[0] for e in expected}) > 2


def test_an_array_file_is_what_numpy_saves(tmp_path: Path) -> None:
    rows = np.arange(3 * 100_000, dtype=np.int32).reshape(-1, 3)
    with tokenising.ArrayFile(tmp_path / "streamed.npy", "int32", (3,)) as file:
        for at in range(0, len(rows), 999):
            file.append(rows[at : at + 999])
    np.save(tmp_path / "saved.npy", rows)
    assert (tmp_path / "streamed.npy").read_bytes() == (tmp_path / "saved.npy").read_bytes()
    with tokenising.ArrayFile(tmp_path / "empty.npy", "int64"):
        pass
    assert np.load(tmp_path / "empty.npy", mmap_mode="r").shape == (0,)


def test_chunks_change_nothing(tiny_corpus: Corpus, tokens: TokenStore, tokenizer, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tokenising, "_CHUNK", 7)
    calls: list[tuple[int, int]] = []
    chunked = TokenStore.of(tiny_corpus, tokenizer, tmp_path, progress=lambda *call: calls.append(call))
    assert len(calls) > 50
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert content(chunked.path) == content(tokens.path)


def many_labels(folder: Path, entities: int) -> Corpus:
    with CorpusWriter(folder, "many", "tests", "MIT", "") as writer:
        for at in range(0, entities, 5000):
            rows = pa.array(range(at, at + 5000), pa.int32())
            names = [f"name number {i}" for i in range(at, at + 5000)]
            ids = pa.record_batch([pa.array(names), pa.array(["thing"] * 5000), pa.array([0] * 5000, pa.int8())],
                                  schema=SCHEMAS["entities"])  # fmt: skip
            writer.append("entities", ids)
            writer.append(
                "labels", pa.record_batch([rows, pa.array(["en"] * 5000), ids["id"]], schema=SCHEMAS["labels"])
            )
    return Corpus.open(folder)


def test_memory_does_not_grow_with_the_corpus(tokenizer, tmp_path: Path) -> None:
    peaks, tokens = [], []
    for entities in (10_000, 100_000):
        corpus = many_labels(tmp_path / f"{entities}", entities)
        tracemalloc.start()
        store = TokenStore.of(corpus, tokenizer, tmp_path / "tokens")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        tokens.append((store.path / "labels.ids.npy").stat().st_size)
    assert tokens[1] > 10 * tokens[0] > 2**19
    assert peaks[1] < 1.2 * peaks[0]


DAMAGES = {
    "a flipped bit": lambda folder: flip(folder / "labels.ids.npy", 1000),
    "a flipped bit in the manifest": lambda folder: flip(folder / "manifest.json", 60),
    "a cut file": lambda folder: os.truncate(folder / "triple_sentences.spans.npy", 200),
    "a longer file": lambda folder: (folder / "labels.offsets.npy").open("ab").write(b"more"),
    "a missing file": lambda folder: (folder / "mention_sentences.ids.npy").unlink(),
    "a cut manifest": lambda folder: os.truncate(folder / "manifest.json", 40),
    "a manifest of nothing": lambda folder: (folder / "manifest.json").write_text("{}", encoding="utf-8"),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "an empty folder": lambda folder: [file.unlink() for file in folder.iterdir()],
}


def flip(file: Path, position: int) -> None:
    data = bytearray(file.read_bytes())
    data[position] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_store_is_built_again(
    name: str, tiny_corpus: Corpus, tokens: TokenStore, tokenizer, tmp_path: Path, caplog
) -> None:
    folder = tmp_path / tokens.path.name
    shutil.copytree(tokens.path, folder)
    whole = content(folder)
    with caplog.at_level(logging.WARNING):
        assert TokenStore.of(tiny_corpus, tokenizer, tmp_path).path == folder
    assert caplog.records == []
    DAMAGES[name](folder)
    assert content(folder) != whole
    with caplog.at_level(logging.WARNING):
        again = TokenStore.of(tiny_corpus, tokenizer, tmp_path)
    assert [record.getMessage().split(" is built again: ")[0] for record in caplog.records] == [
        f"The token store {folder}"
    ]
    assert content(folder) == whole
    assert np.array_equal(again.used_ids(), tokens.used_ids())


def test_a_damaged_corpus_is_an_error_and_leaves_nothing(tiny_corpus: Corpus, tokenizer, tmp_path: Path) -> None:
    shutil.copytree(tiny_corpus.path, tmp_path / "corpus")
    labels = tmp_path / "corpus" / "labels.parquet"
    os.truncate(labels, labels.stat().st_size // 2)
    with pytest.raises(CorpusError, match=r"labels\.parquet is damaged"):
        TokenStore.of(Corpus.open(tmp_path / "corpus"), tokenizer, tmp_path / "tokens")
    assert stores_in(tmp_path / "tokens") == []


BUILD = """
import os, sys, time
from pathlib import Path
from transformers import AutoTokenizer
from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
corpus, backbone, cache, until = sys.argv[1:]
calls = []
def progress(done, total):
    calls.append(done)
    time.sleep(0.2)
    if len(calls) == int(until):
        os.kill(os.getpid(), 9)
tokenizer = AutoTokenizer.from_pretrained(backbone)
print("ready", flush=True)
sys.stdin.readline()
TokenStore.of(Corpus.open(Path(corpus)), tokenizer, Path(cache), progress=progress)
print(len(calls))
"""


def start_build(corpus: Corpus, backbone: Path, cache: Path, until: int) -> subprocess.Popen:
    command = [sys.executable, "-c", BUILD, str(corpus.path), str(backbone), str(cache), str(until)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_and_at_once(tiny_corpus: Corpus, tokens: TokenStore, tiny_backbone: Path, tmp_path: Path) -> None:
    """A build killed in the middle leaves the next two, at the same time, to make one whole store."""
    first, *others = [start_build(tiny_corpus, tiny_backbone, tmp_path, until) for until in (2, 0, 0)]
    for process in (first, *others):
        assert process.stdout.readline() == "ready\n"
    first.communicate("go\n")
    assert first.returncode == -signal.SIGKILL
    assert [path.name.startswith(f".{tokens.path.name}.") for path in stores_in(tmp_path)] == [True]
    for process in others:
        process.stdin.write("go\n")
        process.stdin.flush()
    calls = sorted(int(process.communicate()[0]) for process in others)
    assert [process.returncode for process in others] == [0, 0]
    assert calls == [0, 4]  # one of them built it, a chunk for each table
    assert stores_in(tmp_path) == [tmp_path / tokens.path.name]
    assert content(tmp_path / tokens.path.name) == content(tokens.path)
