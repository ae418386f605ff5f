"""A corpus by sample: entities found by a label, the names of one, and facts and sentences drawn by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.corpora.query import CorpusQuery
from core.corpora.records import SPLITS
from core.corpora.store import SCHEMAS, Corpus

_TABLES = {"mention": "mention_sentences", "triple": "triple_sentences"}
SENTENCE_KINDS = tuple(_TABLES)
_NAMED = """coalesce(
    (SELECT min(text) FROM labels l WHERE l.entity = {row} AND l.language = $language),
    (SELECT min(text) FROM labels l WHERE l.entity = {row} AND l.language = 'en'), {id})"""
_RELATION = """coalesce(
    (SELECT min(text) FROM relation_labels l WHERE l.relation = {row} AND l.language = $language),
    (SELECT min(text) FROM relation_labels l WHERE l.relation = {row} AND l.language = 'en'), {id})"""


@dataclass(frozen=True)
class Profile:
    """One entity.

    Attributes:
        id: The source's identifier.
        kind: Its kind.
        split: Its split.
        names: Columns `language`, `label`, `aliases` (joined by "; ") and `description`, languages sorted; empty texts
            where there is none.
        sentences: Sentences that mention it.
        triples: Facts that it is the subject or object of.
    """

    id: str
    kind: str
    split: str
    names: pd.DataFrame
    sentences: int
    triples: int


def opened(corpus: Corpus) -> CorpusQuery:
    """The tables of a corpus that was verified before (`core.corpora.statistics` does), to be used as a context."""
    return CorpusQuery({table: corpus.path / f"{table}.parquet" for table in SCHEMAS})


def find_entities(query: CorpusQuery, text: str, language: str | None = None, limit: int = 50) -> pd.DataFrame:
    """Entities with a label that holds a text, whatever its case: equal ones first, then beginnings, short ones first.

    Args:
        query: The corpus.
        text: Part of a label, or an entity's identifier.
        language: Code of the language to look in; None looks in all.
        limit: Most entities.

    Returns:
        Columns `row`, `id`, `language` and `label` (the one that was found), one row an entity.
    """
    rows = query.run(
        """SELECT e.row, e.id, f.language, f.text FROM (
            SELECT entity, arg_min(language, place) AS language, arg_min(text, place) AS text, min(place) AS place
            FROM (SELECT entity, language, text,
                    {'far': CASE WHEN lower(text) = lower($text) THEN 0 WHEN starts_with(lower(text), lower($text))
                        THEN 1 ELSE 2 END, 'length': length(text), 'text': text, 'language': language} AS place
                FROM labels WHERE contains(lower(text), lower($text)) AND ($language IS NULL OR language = $language))
            GROUP BY entity
            UNION ALL
            SELECT e.row, '', e.id, {'far': -1, 'length': 0, 'text': '', 'language': ''} FROM entities e
            WHERE e.id = $text
        ) f JOIN entities e ON e.row = f.entity ORDER BY f.place, e.row""",
        {"text": text, "language": language},
    ).fetchmany(limit)
    found = pd.DataFrame(rows, columns=["row", "id", "language", "label"])
    return found.drop_duplicates("row", ignore_index=True)


def profile(query: CorpusQuery, entity: int) -> Profile:
    """One entity by its row.

    Raises:
        ValueError: If there is no such row.
    """
    found = query.rows("SELECT id, kind, split FROM entities WHERE row = ?", [entity])
    if not found:
        raise ValueError(f"There is no entity {entity} in this corpus.")
    id, kind, split = found[0]
    named = query.rows(
        """SELECT language, coalesce(max(text) FILTER (part = 0), ''),
            coalesce(string_agg(text, '; ') FILTER (part = 1), ''), coalesce(max(text) FILTER (part = 2), '')
        FROM (SELECT language, text, 0 AS part FROM labels WHERE entity = $entity
            UNION ALL SELECT language, text, 1 FROM aliases WHERE entity = $entity
            UNION ALL SELECT language, text, 2 FROM descriptions WHERE entity = $entity)
        GROUP BY language ORDER BY language""",
        {"entity": entity},
    )
    names = pd.DataFrame(named, columns=["language", "label", "aliases", "description"])
    sentences = query.number("SELECT count(*) FROM mention_sentences WHERE entity = ?", [entity])
    triples = query.number("SELECT count(*) FROM triples WHERE subject = $e OR object = $e", {"e": entity})
    return Profile(id, kind, SPLITS[split], names, sentences, triples)


def row_of(query: CorpusQuery, id: str) -> int | None:
    """Row of the entity with an identifier, or None."""
    found = query.rows("SELECT row FROM entities WHERE id = ?", [id])
    return int(found[0][0]) if found else None


def draw_entities(query: CorpusQuery, count: int, seed: int, least: int = 2) -> pd.DataFrame:
    """Entities with labels in at least `least` languages, drawn by a seed; columns as in `find_entities`."""
    many = f"SELECT entity FROM labels GROUP BY entity HAVING count(*) >= {int(least)} ORDER BY entity"
    rows = query.rows(
        """SELECT e.row, e.id, coalesce(max(l.language) FILTER (l.language = 'en'), min(l.language)),
            coalesce(max(l.text) FILTER (l.language = 'en'), arg_min(l.text, l.language))
        FROM entities e JOIN labels l ON l.entity = e.row WHERE e.row IN (SELECT unnest($rows))
        GROUP BY e.row, e.id ORDER BY e.row""",
        {"rows": _draw(query.column(many), count, seed)},
    )
    return pd.DataFrame(rows, columns=["row", "id", "language", "label"])


def relations(query: CorpusQuery, language: str) -> pd.DataFrame:
    """Relations by their number of facts: columns `id`, `label` (in a language, else English, else the id), `triples`."""
    sql = f"""SELECT r.id, {_RELATION.format(row="r.row", id="r.id")}, count(t.relation)
        FROM relations r LEFT JOIN triples t ON t.relation = r.row GROUP BY r.row, r.id ORDER BY 3 DESC, r.row"""
    return pd.DataFrame(query.rows(sql, {"language": language}), columns=["id", "label", "triples"])


def draw_triples(query: CorpusQuery, language: str, relation: str | None, count: int, seed: int) -> pd.DataFrame:
    """Facts drawn by a seed, with labels in a language, else English, else identifiers.

    Args:
        query: The corpus.
        language: Code of the language.
        relation: Identifier of the relation; None draws from all.
        count: Most facts.
        seed: Seed of the draw.

    Returns:
        Columns `subject`, `relation`, `object` (names), `subject_id`, `relation_id`, `object_id` and `split`.
    """
    among = query.column(
        "SELECT t.row FROM triples t JOIN relations r ON r.row = t.relation WHERE $id IS NULL OR r.id = $id ORDER BY 1",
        {"id": relation},
    )
    names = [_NAMED.format(row="s.row", id="s.id"), _RELATION.format(row="r.row", id="r.id")]
    names.append(_NAMED.format(row="o.row", id="o.id"))
    rows = query.rows(
        f"""SELECT {", ".join(names)}, s.id, r.id, o.id, t.split
        FROM triples t JOIN entities s ON s.row = t.subject JOIN relations r ON r.row = t.relation
        JOIN entities o ON o.row = t.object WHERE t.row IN (SELECT unnest($rows)) ORDER BY t.row""",
        {"rows": _draw(among, count, seed), "language": language},
    )
    columns = ["subject", "relation", "object", "subject_id", "relation_id", "object_id", "split"]
    return _with_splits(rows, columns)


def draw_sentences(query: CorpusQuery, kind: str, language: str | None, count: int, seed: int) -> pd.DataFrame:
    """Sentences drawn by a seed.

    Args:
        query: The corpus.
        kind: `mention` (C1: the span names an entity) or `triple` (C2: the span is the object of a fact).
        language: Code of the language; None draws from all.
        count: Most sentences.
        seed: Seed of the draw.

    Returns:
        Columns `language`, `text`, `start`, `end`, `about` (the entity or the fact, by labels in the sentence's
        language, else English, else identifiers) and `split`.
    """
    table = _TABLES[kind]
    among = query.column(
        f"SELECT row FROM {table} WHERE $language IS NULL OR language = $language ORDER BY row", {"language": language}
    )
    chosen = {"rows": _draw(among, count, seed)}
    entity, relation = (part.replace("$language", "s.language") for part in (_NAMED, _RELATION))
    if kind == "mention":
        sql = f"""SELECT s.language, s.text, s.start, s."end", {entity.format(row="e.row", id="e.id")}, s.split
            FROM mention_sentences s JOIN entities e ON e.row = s.entity"""
    else:
        parts = [entity.format(row="a.row", id="a.id"), relation.format(row="r.row", id="r.id")]
        parts.append(entity.format(row="b.row", id="b.id"))
        sql = f"""SELECT s.language, s.text, s.start, s."end", concat_ws(' → ', {", ".join(parts)}), t.split
            FROM triple_sentences s JOIN triples t ON t.row = s.triple JOIN entities a ON a.row = t.subject
            JOIN relations r ON r.row = t.relation JOIN entities b ON b.row = t.object"""
    rows = query.rows(f"{sql} WHERE s.row IN (SELECT unnest($rows)) ORDER BY s.row", chosen)
    return _with_splits(rows, ["language", "text", "start", "end", "about", "split"])


def _draw(rows: np.ndarray, count: int, seed: int) -> list[int]:
    """At most `count` of some row numbers, by a seed."""
    chosen = np.random.default_rng(seed).choice(rows, min(count, len(rows)), replace=False)
    return [int(row) for row in chosen]


def _with_splits(rows: Sequence[Any], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(split=[SPLITS[number] for number in frame.split])
