"""A graph becomes a corpus: what has no name is left out and counted, or kept for a merge."""

from pathlib import Path

import numpy as np
import pytest

from core.corpora.draws import LabelTable
from core.corpora.graph import Graph, Mention, Statement, chosen_languages
from core.corpora.rows import SIDE_FILE, DataError, RowLog
from core.corpora.sampler import TriplePairs
from core.corpora.store import SPLITS, Corpus, CorpusError


def small(**changes: object) -> Graph:
    return Graph(
        **{
            **{"name": "small", "source": "by hand", "licence": "MIT", "card": "Small."},
            "labels": {"Q2": {"en": "two", "de": "zwei"}, "Q1": {"en": "one"}, "Q0": {}},
            "aliases": {"Q2": {"en": ["deuce", "pair"]}, "Q9": {"en": ["nine"]}},
            "descriptions": {"Q1": {"en": "a number"}},
            "kinds": {"Q2": "number"},
            "relations": {"P1": {"en": "before"}, "P2": {"en": "never used"}},
            "facts": {("Q1", "P1", "Q2"): None, ("Q0", "P1", "Q1"): None, ("Q1", "P1", "Q9"): None},
            "mentions": [Mention("Q1", "en", "one is one", 0, 3), Mention("Q9", "en", "nine", 0, 4)],
            "statements": [
                Statement(("Q2", "P3", "Q1"), "en", "two, one", 5, 8),
                Statement(("Q0", "P1", "Q1"), "en", "none, one", 6, 9),
            ],
            **changes,
        }
    )


def rows(corpus: Corpus, table: str) -> list[tuple]:
    return [tuple(row.values()) for row in corpus.table(table).to_pylist()]


def test_what_has_a_name_is_written(tmp_path: Path) -> None:
    corpus = small().write(tmp_path / "out", RowLog())
    assert rows(corpus, "entities") == [("Q2", "number", 0), ("Q1", "entity", 0)]
    assert rows(corpus, "labels") == [(0, "en", "two"), (0, "de", "zwei"), (1, "en", "one")]
    assert rows(corpus, "aliases") == [(0, "en", "deuce"), (0, "en", "pair")]
    assert rows(corpus, "descriptions") == [(1, "en", "a number")]
    assert rows(corpus, "relations") == [("P1",), ("P3",)]
    assert rows(corpus, "relation_labels") == [(0, "en", "before")]
    assert rows(corpus, "triples") == [(1, 0, 0, 0), (0, 1, 1, 0)]
    assert rows(corpus, "mention_sentences") == [(1, "en", "one is one", 0, 3, 0)]
    assert rows(corpus, "triple_sentences") == [(1, "en", "two, one", 5, 8)]
    assert corpus.info.build == {
        **{"valid_share": 0.0, "test_share": 0.0, "bad_rows": {}},
        "left_out": {
            "entities without a label": 1,
            "facts with an end without a label": 2,
            "mentions of an entity without a label": 1,
            "relations without a fact": 1,
            "sentences of a fact with an end without a label": 1,
        },
    }


def test_what_has_no_name_is_kept_where_a_merge_may_name_it(tmp_path: Path) -> None:
    corpus = small(keep_unlabelled=True).write(tmp_path / "out", RowLog())
    assert [id for id, *_ in rows(corpus, "entities")] == ["Q2", "Q1", "Q0", "Q9"]
    assert corpus.info.counts["labels"] == 3
    assert corpus.info.counts["triples"] == 4
    assert corpus.info.counts["mention_sentences"] == corpus.info.counts["triple_sentences"] == 2
    assert rows(corpus, "aliases") == [(0, "en", "deuce"), (0, "en", "pair"), (3, "en", "nine")]
    assert corpus.info.build["left_out"] == {"relations without a fact": 1}
    labels = LabelTable(corpus, ["en", "de"])
    assert labels.count.tolist() == [2, 1, 0, 0]
    pairs = TriplePairs(corpus, None, labels, seed=0)
    drawn = {tuple(rows(corpus, "triples")[i][:3]) for i in pairs.stream.rows}
    assert drawn == {(1, 0, 0), (0, 1, 1)}  # never one with an end without a label


def test_splits_of_facts_and_sentences_follow_their_entities(tmp_path: Path) -> None:
    labels = {f"Q{i}": {"en": f"name {i}"} for i in range(40)}
    facts = {(f"Q{i}", "P1", f"Q{(i * 7 + 1) % 40}"): None for i in range(40)}
    mentions = [Mention(id, "en", "a name", 2, 6) for id in labels]
    graph = small(labels=labels, facts=facts, mentions=mentions, statements=[])
    corpus = graph.write(tmp_path / "out", RowLog(), 0.1, 0.2)
    entity = corpus.column("entities", "split")
    assert np.bincount(entity).tolist() == [28, 4, 8]
    ends = np.maximum(*(entity[corpus.column("triples", c)] for c in ("subject", "object")))
    assert corpus.column("triples", "split").tolist() == ends.tolist()
    assert len(set(ends.tolist())) == 3 == len(SPLITS)
    mentioned = corpus.column("mention_sentences", "entity")
    assert corpus.column("mention_sentences", "split").tolist() == entity[mentioned].tolist()


def test_bad_rows_are_counted_and_kept_beside_the_corpus(tmp_path: Path) -> None:
    log = RowLog(strict=False)
    log.bad(tmp_path / "x.tsv", 7, "odd", "row")
    corpus = small().write(tmp_path / "out", log)
    assert corpus.info.build["bad_rows"] == {"odd": 1}
    assert '"line": 7' in (tmp_path / "out" / SIDE_FILE).read_text(encoding="utf-8")


@pytest.mark.parametrize("keep", [False, True])
def test_nothing_with_a_name_is_no_corpus(tmp_path: Path, keep: bool) -> None:
    with pytest.raises(CorpusError, match="would be empty"):
        small(labels={"Q1": {}}, keep_unlabelled=keep).write(tmp_path / "out", RowLog())
    assert list(tmp_path.iterdir()) == []


def test_shares_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must sum to less than 1"):
        small().write(tmp_path / "out", RowLog(), 0.5, 0.5)
    assert list(tmp_path.iterdir()) == []


def test_chosen_languages() -> None:
    assert chosen_languages(None, ["en", "de", "en"], "X") == ["de", "en"]
    assert chosen_languages({"en"}, ["en", "de"], "X") == ["en"]
    with pytest.raises(DataError, match=r"X has no language no, xx\. It has: de, en\."):
        chosen_languages(["xx", "en", "no"], ["en", "de"], "X")
