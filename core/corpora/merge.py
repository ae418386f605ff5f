"""Merges corpora by the ids of entities and relations, in bounded memory whatever their size.

DuckDB joins and sorts the Parquet files, on disk where they are large; Arrow batches go from there to the writer. Rows
stand in the order of their first appearance, so the same corpora in the same order give the same files.
"""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.corpora.records import SPLITS, Progress
from core.corpora.splits import check_shares, split_groups
from core.corpora.store import SCHEMAS, Corpus, CorpusError
from core.corpora.writer import CorpusWriter

MEMORY = "1GB"  # DuckDB's share; the rest of the process takes some hundred MB more
_ROWS = 50_000  # rows of a row group: part of the files' bytes

# In all queries, `part` is the number of a corpus and `place` the order of a record among all parts. The views `x_in`
# hold the records of all parts; `entity_of`, `relation_of` and `triple_of` lead from a part's row to the merged `new`.
_TABLES = {
    "entity": """
        SELECT row_number() OVER (ORDER BY min(place)) - 1 AS new, id, max(split) AS split,
            coalesce(arg_min(kind, place) FILTER (kind <> 'entity'), 'entity') AS kind
        FROM entities_in SEMI JOIN (
            SELECT id FROM (SELECT DISTINCT part, entity FROM labels_in) JOIN entities_in USING (part, entity)
        ) AS labelled USING (id)
        GROUP BY id""",
    "entity_of": "SELECT part, entity, new FROM entities_in JOIN entity USING (id)",
    "label": """
        SELECT new, language, text, place,
            row_number() OVER (PARTITION BY new, language ORDER BY place) = 1 AS best
        FROM labels_in JOIN entity_of USING (part, entity)""",
}
_FACT_TABLES = {
    "fact": """
        SELECT t.part, triple, t.place, s.new AS subject, id, o.new AS object, t.split
        FROM triples_in AS t JOIN relations_in AS r USING (part, relation)
        JOIN entity_of AS s ON s.part = t.part AND s.entity = t.subject
        JOIN entity_of AS o ON o.part = t.part AND o.entity = t.object""",
    "relation": "SELECT row_number() OVER (ORDER BY id) - 1 AS new, id FROM (SELECT DISTINCT id FROM fact)",
    "relation_of": "SELECT part, relation, new FROM relations_in JOIN relation USING (id)",
    "triple": """
        SELECT row_number() OVER (ORDER BY min(place)) - 1 AS new, subject, r.new AS relation, object,
            max(fact.split) AS split
        FROM fact JOIN relation AS r USING (id) GROUP BY subject, r.new, object""",
    "triple_of": """
        SELECT part, fact.triple, t.new FROM fact JOIN relation AS r USING (id)
        JOIN triple AS t ON t.subject = fact.subject AND t.relation = r.new AND t.object = fact.object""",
}
_FIRST = "QUALIFY row_number() OVER (PARTITION BY new, language ORDER BY place) = 1 ORDER BY new, place"
_ROWS_OF = {
    "entities": "SELECT id, kind, split FROM entity ORDER BY new",
    "labels": "SELECT new AS entity, language, text FROM label WHERE best ORDER BY new, place",
    "aliases": """
        SELECT new AS entity, language, text FROM (
            SELECT new, language, text, place FROM label WHERE NOT best
            UNION ALL SELECT new, language, text, place FROM aliases_in JOIN entity_of USING (part, entity)
        ) ANTI JOIN (SELECT new, language, text FROM label WHERE best) AS own USING (new, language, text)
        GROUP BY new, language, text ORDER BY new, min(place)""",
    "descriptions": f"""
        SELECT new AS entity, language, text FROM descriptions_in JOIN entity_of USING (part, entity) {_FIRST}""",
    "relations": "SELECT id FROM relation ORDER BY new",
    "relation_labels": f"""
        SELECT new AS relation, language, text FROM relation_labels_in JOIN relation_of USING (part, relation) {_FIRST}
        """,
    "triples": """
        SELECT subject, relation, object, greatest(s.split, o.split, {old_split}) AS split
        FROM triple AS t JOIN entity AS s ON s.new = subject JOIN entity AS o ON o.new = object ORDER BY t.new""",
    "mention_sentences": """
        SELECT new AS entity, language, text, start, "end", max(greatest(e.split, {old_split})) AS split
        FROM mention_sentences_in AS t JOIN entity_of USING (part, entity) JOIN entity AS e USING (new)
        GROUP BY new, language, text, start, "end" ORDER BY min(place)""",
    "triple_sentences": """
        SELECT new AS triple, language, text, start, "end" FROM triple_sentences_in JOIN triple_of USING (part, triple)
        GROUP BY new, language, text, start, "end" ORDER BY min(place)""",
}
_LEFT_OUT = {
    "entities without a label": "SELECT count(DISTINCT id) FROM entities_in ANTI JOIN entity USING (id)",
    "facts with an end without a label": """
        SELECT count(*) FROM (
            SELECT DISTINCT s.id, r.id, o.id FROM (SELECT * FROM triples_in ANTI JOIN triple_of USING (part, triple)) AS t
            JOIN relations_in AS r USING (part, relation)
            JOIN entities_in AS s ON s.part = t.part AND s.entity = t.subject
            JOIN entities_in AS o ON o.part = t.part AND o.entity = t.object)""",
    "relations without a fact": "SELECT count(DISTINCT id) FROM relations_in ANTI JOIN relation USING (id)",
    "mentions of an entity without a label": """
        SELECT count(*) FROM mention_sentences_in ANTI JOIN entity_of USING (part, entity)""",
    "sentences of a fact with an end without a label": """
        SELECT count(*) FROM triple_sentences_in ANTI JOIN triple_of USING (part, triple)""",
    "other labels of a relation": """
        SELECT count(DISTINCT (new, language, text)) - count(DISTINCT (new, language))
        FROM relation_labels_in JOIN relation_of USING (part, relation)""",
    "other descriptions of an entity": """
        SELECT count(DISTINCT (new, language, text)) - count(DISTINCT (new, language))
        FROM descriptions_in JOIN entity_of USING (part, entity)""",
}


def merge(
    parts: Sequence[Corpus], target: Path, shares: tuple[float, float] | None = None, progress: Progress | None = None
) -> Corpus:
    """Merge corpora into one.

    A label, description or relation label is that of the first corpus which has one in the language; other labels of an
    entity become aliases. Entities without a label in any corpus, and what touches them, are left out and counted in
    `corpus.json`.

    Args:
        parts: The corpora, the most trusted first.
        target: Folder to create.
        shares: Shares of the entities held out for validation and for the test, by the rules of
            `core.corpora.splits`. None keeps the splits: an entity, fact or sentence that is held out in any corpus is
            held out, for the test where any says so; so is a fact with a held-out end. Names are not compared then.
        progress: Called with the records of the corpora that are done, and all of them.

    Raises:
        ValueError: If there is nothing to merge, or the shares are no shares.
        CorpusError: If a corpus is damaged.
    """
    if not parts:
        raise ValueError("There is nothing to merge: name at least one corpus.")
    if shares is not None:
        check_shares(*shares)
    infos = [part.info for part in parts]
    build = {
        "parts": [{"name": i.name, "source": i.source, "licence": i.licence, "sha256": i.fingerprint} for i in infos],
        "splits": "kept" if shares is None else {"valid_share": shares[0], "test_share": shares[1]},
    }
    about = {
        "name": "+".join(dict.fromkeys(i.name for i in infos)),
        "source": "; ".join(dict.fromkeys(f"{i.name}: {i.source}" for i in infos)),
        "licence": "; ".join(dict.fromkeys(f"{i.name}: {i.licence}" for i in infos)),
        "card": "\n".join(dict.fromkeys(f"[{i.name}]\n{i.card.strip()}\n" for i in infos)),
    }
    for part in parts:
        part.verify()
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.merge.") as room:
        try:
            with duckdb.connect(f"{room}/merge.duckdb") as data, CorpusWriter(target, **about, build=build) as writer:
                data.execute(f"SET memory_limit = '{MEMORY}'")
                data.execute("SET preserve_insertion_order = false")
                _view_parts(data, parts)
                _create(data, _TABLES)
                if shares is not None:
                    _split(data, *shares)
                _create(data, _FACT_TABLES)
                _write(data, writer, parts, "t.split" if shares is None else "0", progress)
                counts = {reason: data.sql(query).fetchall()[0][0] for reason, query in _LEFT_OUT.items()}
                writer.note("left_out", {reason: count for reason, count in sorted(counts.items()) if count})
        except duckdb.Error as error:
            folders = ", ".join(str(part.path) for part in parts)
            raise CorpusError(f"Cannot merge {folders}: {error}") from error
    return Corpus.open(target)


def _view_parts(data: duckdb.DuckDBPyConnection, parts: Sequence[Corpus]) -> None:
    """Views of the records of all parts, with `part`, `place` and, where others refer to them, their row."""
    row_name = {"entities": "entity", "relations": "relation", "triples": "triple"}
    for table, schema in SCHEMAS.items():
        columns = ", ".join(f'"{name}"' for name in schema.names)
        row = f", file_row_number AS {row_name[table]}" if table in row_name else ""
        after_labels = f" + (1::BIGINT << 41) * {int(table == 'aliases')}"  # within a part
        queries = []
        for number, part in enumerate(parts):
            path = part.path / f"{table}.parquet"
            file = glob.escape(str(path.absolute())).replace("'", "''")
            queries.append(
                f"SELECT {number} AS part, {number}::BIGINT * (1::BIGINT << 42) + file_row_number{after_labels} AS place, "
                f"{columns}{row} FROM read_parquet('{file}', file_row_number = true)"
            )
        data.execute(f"CREATE VIEW {table}_in AS {' UNION ALL '.join(queries)}")


def _create(data: duckdb.DuckDBPyConnection, tables: dict[str, str]) -> None:
    for name, query in tables.items():
        data.execute(f"CREATE TABLE {name} AS {query}")


def _split(data: duckdb.DuckDBPyConnection, valid_share: float, test_share: float) -> None:
    """Give every entity a new split; those that share a label in a language stay together."""
    data.create_function("casefold", _casefold, ["VARCHAR"], "VARCHAR", type="arrow")
    data.execute("CREATE TABLE name AS SELECT new, hash(language, casefold(text)) AS key FROM label WHERE best")
    edges = data.sql("""
        SELECT new, first FROM name
        JOIN (SELECT key, min(new) AS first FROM name GROUP BY key HAVING min(new) <> max(new)) USING (key)
        WHERE new <> first""").fetchnumpy()
    size = data.sql("SELECT count(*) FROM entity").fetchall()[0][0]
    ends = edges["new"], edges["first"]
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(size, size))
    _, group = connected_components(graph, directed=False)
    groups = pa.table({"new": np.arange(size), "component": group})
    data.register("groups", groups)
    first = data.sql("""
        SELECT component, min(id) AS id, arg_min(kind, id) AS kind FROM entity JOIN groups USING (new)
        GROUP BY component ORDER BY component""").to_arrow_table()
    ids = first["id"].to_pylist()
    splits = split_groups(dict(zip(ids, first["kind"].to_pylist(), strict=True)), valid_share, test_share)
    chosen = np.array([SPLITS.index(splits[id]) for id in ids], np.int8)
    data.register("chosen", pa.table({"new": np.arange(size), "split": chosen[group]}))
    data.execute("UPDATE entity SET split = chosen.split FROM chosen WHERE chosen.new = entity.new")


def _casefold(texts: pa.Array) -> pa.Array:
    return pa.array([text.casefold() for text in texts.to_pylist()], pa.string())


def _write(
    data: duckdb.DuckDBPyConnection,
    writer: CorpusWriter,
    parts: Sequence[Corpus],
    old_split: str,
    progress: Progress | None,
) -> None:
    sizes = {table: sum(part.info.counts[table] for part in parts) for table in SCHEMAS}
    done = 0
    for table, query in _ROWS_OF.items():
        written = 0
        for batch in _batches(data.sql(query.format(old_split=old_split)), SCHEMAS[table]):
            writer.append(table, batch)
            written += len(batch)
            if progress:
                progress(done + min(written, sizes[table]), sum(sizes.values()))
        done += sizes[table]
    if progress:
        progress(done, done)


def _batches(result: duckdb.DuckDBPyRelation, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows of a result in batches of `_ROWS`: DuckDB's own differ with its version and threads."""
    held = schema.empty_table()
    for batch in result.to_arrow_reader(_ROWS):
        held = pa.concat_tables([held, pa.Table.from_batches([batch]).cast(schema)])
        while len(held) >= _ROWS:
            yield _batch(held.slice(0, _ROWS))
            held = held.slice(_ROWS)
    if len(held):
        yield _batch(held)


def _batch(rows: pa.Table) -> pa.RecordBatch:
    return rows.combine_chunks().to_batches()[0]
