"""Checks of texts, pairs and the graph on faults planted by hand, and against slow versions in plain Python."""

import json
import os
import shutil
import unicodedata
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pytest
from lint_corpora import BATCH, entity, found, one, rows_of, write, write_cldr

from core.corpora.checks.finding import shown
from core.corpora.lint import CHECKS, lint
from core.corpora.records import Triple
from core.corpora.store import SCHEMAS, Corpus, CorpusError
from core.corpora.writer import CorpusWriter


@pytest.fixture(scope="module")
def small_cldr(tmp_path_factory) -> Corpus:
    return write_cldr(tmp_path_factory.mktemp("cldr") / "small")


def test_every_check_runs_on_a_clean_corpus(tiny_corpus: Corpus) -> None:
    calls: list[tuple[int, int]] = []
    findings = lint(tiny_corpus, threshold=48, batch_size=BATCH, progress=lambda *call: calls.append(call))
    assert calls[-1] == (len(CHECKS), len(CHECKS))
    assert len({f.check for f in findings}) > 20
    assert [f.title for f in findings if f.count and f.severity == "error"] == []
    for finding in findings:
        assert 0 <= finding.count <= finding.of or finding.of == 0
        assert finding.count == 0 or finding.severity != "warning" or finding.samples
        json.dumps(finding.record())


def test_bad_texts(tmp_path: Path) -> None:
    texts = [
        "fine",
        "--",
        "★",
        " outer",
        "outer\u00a0",
        "x",
        "a\ufffdb",
        "a\tb",
        "a\u202eb",
        "\u200fa",
        "   ",
        "3",
        "é",
        "क्",
    ]
    corpus = write(tmp_path / "corpus", [entity(f"e{i}", en=text) for i, text in enumerate(texts)])
    counts = {f.check: (f.severity, f.count) for f in lint(corpus) if f.unit == "labels"}
    wanted = {
        "empty-text": ("error", 1),
        "symbols-only": ("warning", 3),  # --, the star, spaces
        "outer-spaces": ("warning", 3),
        "one-character": ("info", 4),
        "replacement-character": ("error", 1),
        "control-character": ("error", 1),
        "bidi-mark": ("warning", 2),
    }
    assert {check: counts[check] for check in wanted} == wanted
    finding = one(corpus, "bidi-mark", "labels")
    assert finding.samples == [r"e8 [en] 'a\u202eb'", r"e9 [en] '\u200fa'"]
    assert finding.of == len(texts)


def test_symbols_are_those_of_unicode(small_cldr: Corpus, tmp_path: Path) -> None:
    """The regular expressions' tables against Python's, on all characters but those newer than one of them."""
    characters = [chr(i) for i in range(0x21, 0x3000) if unicodedata.category(chr(i))[0] in "LNPSM"]
    corpus = write(tmp_path / "corpus", [entity(f"{ord(c)}", en=c) for c in characters])
    symbols = sum(unicodedata.category(c)[0] not in "LN" for c in characters)
    assert one(corpus, "symbols-only", "labels").count == pytest.approx(symbols, abs=20)
    assert symbols > 3000


def test_identical_positives(tmp_path: Path, small_cldr: Corpus) -> None:
    entities = [
        entity("a", en="Rome", de="Rom", fr="Rome"),
        entity("b", en="U2", de="U2", fr="U2"),
        entity("c", en="x"),
    ]
    finding = one(write(tmp_path / "corpus", entities), "identical-positive")
    assert (finding.count, finding.of) == (4, 6)
    assert finding.detail == [
        {"languages": "en-fr", "count": 2, "of": 2},
        {"languages": "de-en", "count": 1, "of": 2},
        {"languages": "de-fr", "count": 1, "of": 2},
    ]
    assert finding.samples[0] == "b 'U2' in 3 languages: de, en, fr"
    by_entity: dict[int, list[dict]] = {}
    for row in rows_of(small_cldr, "labels"):
        by_entity.setdefault(row["entity"], []).append(row)
    pairs = [pair for rows in by_entity.values() for pair in combinations(rows, 2)]
    finding = one(small_cldr, "identical-positive")
    assert (finding.count, finding.of) == (sum(a["text"] == b["text"] for a, b in pairs), len(pairs))
    assert sum(part["count"] for part in finding.detail) == finding.count > 100


def test_repeats_in_batches(tiny_corpus: Corpus) -> None:
    findings = {f.title.split(":")[0] + f.title.split("(")[1]: f for f in found(tiny_corpus, "repeat-in-batch")}
    assert len(findings) == 4 * 3
    train = [r for r in rows_of(tiny_corpus, "triples") if r["split"] == 0]
    ends = [r[end] for r in train for end in ("subject", "object")]
    for role, positives in (("EP", ends), ("TP", [r["object"] for r in train])):
        batches = [positives[at : at + BATCH] for at in range(0, len(positives) - BATCH + 1, BATCH)]
        repeated = sum(len(set(batch)) < len(batch) for batch in batches)
        finding = findings[f"{role}consecutive)"]
        assert (finding.count, finding.of, finding.severity) == (repeated, len(batches), "info")
    assert findings["EPconsecutive)"].count > 0
    assert findings["EPrandom)"].count > 0
    for role in ("EP", "TP", "ES", "TS"):
        finding = findings[f"{role}distinct)"]
        assert (finding.count, finding.severity) == (0, "error")
        assert finding.of > 0


def test_structure(tmp_path: Path) -> None:
    entities = [entity("a", en="A1"), entity("b", en="B1"), entity("t", "test", en="T1"), entity("n")]
    triples = [
        Triple("a", "r", "b", "train"),
        Triple("b", "r", "a", "test"),  # its inverse is trained on
        Triple("a", "s", "b", "valid"),  # another relation of the same ends
        Triple("a", "r", "t", "train"),  # trains on a held-out entity
        Triple("t", "r", "t", "test"),
    ]

    def more(writer: CorpusWriter) -> None:
        schema = SCHEMAS["triples"]
        rows = [
            {"subject": 0, "relation": 0, "object": 1, "split": 2},
            {"subject": 0, "relation": 0, "object": 1, "split": 0},
        ]
        writer.append("triples", pa.RecordBatch.from_pylist(rows, schema=schema))
        labels = [{"entity": 0, "language": "en", "text": "A2"}]
        writer.append("labels", pa.RecordBatch.from_pylist(labels, schema=SCHEMAS["labels"]))

    corpus = write(tmp_path / "corpus", entities, triples, more=more)
    findings = {f.check: f for f in lint(corpus, threshold=5) if f.count}
    wanted = {
        "small-language": ("warning", 1, 1, ["en: 4"]),
        "unnamed": ("warning", 1, 4, ["n"]),
        "second-label": ("error", 1, 4, ["a has 2 in en"]),
        "repeated-fact": ("warning", 2, 7, ["a r b"]),
        "trained-held-out": ("error", 1, 7, ["a r t"]),
        "fact-in-two-splits": ("error", 1, 4, ["a r b"]),
        "inverse-in-training": ("error", 1, 4, ["b r a"]),
        "pair-in-training": ("warning", 1, 4, ["a s b"]),
    }
    assert {c: (f.severity, f.count, f.of, list(f.samples)) for c, f in findings.items() if c in wanted} == wanted
    assert one(corpus, "small-language", threshold=4).count == 0


def test_a_damaged_corpus(tiny_corpus: Corpus, tmp_path: Path) -> None:
    shutil.copytree(tiny_corpus.path, tmp_path / "corpus")
    file = tmp_path / "corpus" / "triple_sentences.parquet"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(CorpusError, match=r"triple_sentences\.parquet is damaged"):
        lint(Corpus.open(tmp_path / "corpus"))


def test_samples_are_cut_and_show_what_cannot_be_seen() -> None:
    assert shown("a\nb\u200f") == r"'a\nb\u200f'"
    assert shown("東京") == "'東京'"
    assert shown("x" * 200) == f"'{'x' * 120}...'"
