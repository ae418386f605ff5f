"""Counts by SQL and bit arrays against counts by plain loops over the rows, and against measured data."""

import shutil
from itertools import chain, combinations
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.corpora import statistics
from core.corpora.records import Entity, Relation, Triple
from core.corpora.rows import RowLog
from core.corpora.sources import cldr
from core.corpora.store import Corpus, CorpusError
from core.corpora.writer import CorpusWriter


@pytest.fixture(scope="module")
def small_cldr(tmp_path_factory) -> Corpus:
    languages = ["en", "de", "ja", "eo", "fa", "haw", "ia", "kok", "ii"]  # nine: two bytes of language bits
    return cldr.build(tmp_path_factory.mktemp("cldr") / "small", languages)


def rows_of(corpus: Corpus, table: str) -> list[dict]:
    return pq.read_table(corpus.path / f"{table}.parquet").to_pylist()


def slow_count(corpus: Corpus) -> tuple[dict[str, int], list[dict]]:
    """The same counts, by loops over records."""
    labels, triples = rows_of(corpus, "labels"), rows_of(corpus, "triples")
    entities, relations = rows_of(corpus, "entities"), rows_of(corpus, "relations")
    named: dict[int, list[str]] = {}
    for row in labels:
        named.setdefault(row["entity"], []).append(row["language"])
    sentences = {t: rows_of(corpus, t) for t in ("mention_sentences", "triple_sentences")}
    totals = {
        "entities": len(entities),
        "labels": len(labels),
        "aliases": len(rows_of(corpus, "aliases")),
        "descriptions": len(rows_of(corpus, "descriptions")),
        "triples": len(triples),
        "relations": len(relations),
        "languages": len({row["language"] for row in labels}),
        "label_pairs": sum(len(list(combinations(languages, 2))) for languages in named.values()),
        "mention_entities": len({row["entity"] for row in sentences["mention_sentences"]}),
        "stated_triples": len({row["triple"] for row in sentences["triple_sentences"]}),
        **{table: len(rows) for table, rows in sentences.items()},
    }
    texts = [*labels, *rows_of(corpus, "relation_labels"), *rows_of(corpus, "aliases"), *chain(*sentences.values())]
    by_language = []
    for language in sorted({row["language"] for row in texts}):
        has = {entity for entity, languages in named.items() if language in languages}
        both = sum(row["subject"] in has and row["object"] in has for row in triples)
        relation = {r["relation"] for r in rows_of(corpus, "relation_labels") if r["language"] == language}
        by_language.append(
            {
                "language": language,
                "entities": len(has),
                "entity_share": len(has) / len(entities),
                "relations": len(relation),
                "relation_share": len(relation) / max(len(relations), 1),
                "triples": both,
                "triple_share": both / max(len(triples), 1),
                "labels": sum(row["language"] == language for row in labels),
                "aliases": sum(row["language"] == language for row in rows_of(corpus, "aliases")),
                **{table: sum(row["language"] == language for row in rows) for table, rows in sentences.items()},
            }
        )
    return totals, by_language


def assert_counts_right(corpus: Corpus) -> statistics.Statistics:
    found = statistics.count(corpus)
    totals, by_language = slow_count(corpus)
    assert found.totals == totals
    assert found.languages.to_dict("records") == [pytest.approx(row) for row in by_language]
    return found


def test_tiny(tiny_corpus: Corpus) -> None:
    found = assert_counts_right(tiny_corpus)
    assert found.totals["label_pairs"] == 48 * 6  # four languages each
    assert found.languages.triples.tolist() == [96] * 4


def test_cldr(small_cldr: Corpus) -> None:
    found = assert_counts_right(small_cldr).languages.set_index("language")
    assert (found.entities > 0).sum() == 9
    assert len(found) > 9  # relations have labels in more
    assert 0 < found.loc["ii", "triples"] < found.loc["en", "triples"]


def test_batches_change_nothing(small_cldr: Corpus, monkeypatch) -> None:
    monkeypatch.setattr(statistics, "_ROWS", 101)
    assert_counts_right(small_cldr)


def test_a_language_of_relations_only_and_no_triples(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus", "odd", "tests", "MIT", "") as writer:
        writer.add_entities([Entity("a", "x", "train", {"en": "A"}), Entity("b", "x", "train", {"de": "B"})])
        writer.add_relations([Relation("r", {"fr": "est"})])
    found = assert_counts_right(Corpus.open(tmp_path / "corpus"))
    assert found.languages.language.tolist() == ["de", "en", "fr"]
    assert found.totals["label_pairs"] == 0
    assert found.languages.triple_share.tolist() == [0, 0, 0]


def test_worked_by_hand(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus", "hand", "tests", "MIT", "") as writer:
        writer.add_entities(
            [
                Entity("a", "x", "train", {"en": "A", "de": "A", "fr": "A"}, {"en": ["AA", "AAA"]}),
                Entity("b", "x", "train", {"en": "B", "de": "B"}),
                Entity("c", "x", "test", {"fr": "C"}),
            ]
        )
        writer.add_relations([Relation("r", {"en": "is"}), Relation("s", {})])
        writer.add_triples([Triple("a", "r", "b", "train"), Triple("a", "s", "c", "test")])
    found = assert_counts_right(Corpus.open(tmp_path / "corpus"))
    assert found.totals["label_pairs"] == 3 + 1
    frame = found.languages.set_index("language")
    assert frame.entity_share.to_dict() == pytest.approx({"de": 2 / 3, "en": 2 / 3, "fr": 2 / 3})
    assert frame.triples.to_dict() == {"de": 1, "en": 1, "fr": 1}
    assert frame.relation_share.to_dict() == {"de": 0, "en": 0.5, "fr": 0}


def test_a_damaged_table(tiny_corpus: Corpus, tmp_path: Path) -> None:
    shutil.copytree(tiny_corpus.path, tmp_path / "corpus")
    labels = tmp_path / "corpus" / "labels.parquet"
    whole = labels.read_bytes()
    for damaged in (whole[:-10], whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:], b""):
        labels.write_bytes(damaged)
        with pytest.raises(CorpusError, match=r"labels\.parquet is damaged.*Build the corpus again") as caught:
            statistics.count(Corpus.open(tmp_path / "corpus"))
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_xfactr_as_measured(shared_data: Path, tmp_path: Path) -> None:
    """Against the counts in the README of the data; the reader drops a few hundred names that are no names."""
    from core.corpora.sources import xfactr

    corpus = xfactr.read(shared_data / "xfactr", RowLog()).write(tmp_path / "corpus", RowLog())
    found = statistics.count(corpus)
    frame = found.languages.set_index("language")
    measured = {"bn": (6938, 5689), "el": (20370, 13084), "en": (83665, 45945), "fr": (71908, 40334)}
    measured |= {"hu": (38475, 21399), "nl": (69457, 38377), "yo": (3365, 4643), "zh": (44408, 23280)}
    for language, (entities, triples) in measured.items():
        assert frame.loc[language, "entities"] == pytest.approx(entities, rel=1e-3)
        assert frame.loc[language, "triples"] == pytest.approx(triples, rel=1e-3)
    assert found.totals["label_pairs"] == pytest.approx(3_069_768, rel=1e-3)
    assert found.totals["relations"] == 46
