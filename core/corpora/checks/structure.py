"""The graph itself: languages with little, things without a name, facts that give test facts away."""

from collections.abc import Iterator

from core.corpora.checks.finding import SAMPLES, Finding, Inspection, Severity


def small_languages(inspection: Inspection) -> Iterator[Finding]:
    """Languages with fewer labels than the threshold."""
    rows = inspection.query.rows("SELECT language, count(*) AS n FROM labels GROUP BY language ORDER BY n, language")
    small = [(language, n) for language, n in rows if n < inspection.threshold]
    title = f"languages with fewer than {inspection.threshold} labels"
    samples = [f"{language}: {n}" for language, n in small[:SAMPLES]]
    detail = [{"language": language, "count": n} for language, n in small]
    yield Finding("small-language", "warning", title, len(small), len(rows), "languages", samples, detail)


def unnamed(inspection: Inspection) -> Iterator[Finding]:
    """Entities and relations without any label."""
    for table, labels, column in (("entities", "labels", "entity"), ("relations", "relation_labels", "relation")):
        condition = f"NOT EXISTS (SELECT 1 FROM {labels} l WHERE l.{column} = t.row)"
        count = inspection.query.number(f"SELECT count(*) FROM {table} t WHERE {condition}")
        rows = inspection.query.rows(f"SELECT id FROM {table} t WHERE {condition} ORDER BY row LIMIT {SAMPLES}")
        title = f"{table} without a label"
        yield Finding("unnamed", "warning", title, count, inspection.counts[table], table, [id for (id,) in rows])


def repeated_labels(inspection: Inspection) -> Iterator[Finding]:
    """Entities with more than one label in a language: samplers take each for a label of its own."""
    many = "SELECT entity, language, count(*) AS n FROM labels GROUP BY entity, language HAVING n > 1"
    count = inspection.query.number(f"SELECT sum(n - 1) FROM ({many})")
    rows = inspection.query.rows(
        f"""SELECT e.id, m.language, m.n FROM ({many}) m JOIN entities e ON e.row = m.entity
        ORDER BY m.n DESC, e.row, m.language LIMIT {SAMPLES}"""
    )
    samples = [f"{id} has {n} in {language}" for id, language, n in rows]
    title = "labels beyond the first of an entity in a language"
    yield Finding("second-label", "error", title, count, inspection.counts["labels"], "labels", samples)


def leaking_facts(inspection: Inspection) -> Iterator[Finding]:
    """Repeated facts, training facts of held-out entities, and held-out facts that a training fact gives away."""
    query, of = inspection.query, inspection.counts["triples"]
    same = "SELECT subject, relation, object, count(*) AS n FROM triples GROUP BY ALL HAVING n > 1"
    count = query.number(f"SELECT sum(n - 1) FROM ({same})")
    yield _facts(inspection, "repeated-fact", "warning", "repetitions of facts", count, of, f"FROM ({same}) t")
    held_out = """FROM triples t JOIN entities s ON s.row = t.subject JOIN entities o ON o.row = t.object
        WHERE t.split = 0 AND (s.split > 0 OR o.split > 0)"""
    count = query.number(f"SELECT count(*) {held_out}")
    yield _facts(inspection, "trained-held-out", "error", "training facts of held-out entities", count, of, held_out)
    tests = query.number("SELECT count(*) FROM triples WHERE split > 0")
    same_ends = "k.subject = t.subject AND k.object = t.object"
    swapped = "k.subject = t.object AND k.object = t.subject"
    rules: tuple[tuple[str, Severity, str, str], ...] = (
        (
            "fact-in-two-splits",
            "error",
            "held-out facts that are training facts",
            f"k.relation = t.relation AND {same_ends}",
        ),
        (
            "inverse-in-training",
            "error",
            "held-out facts whose inverse by the same relation is trained on",
            f"k.relation = t.relation AND {swapped} AND t.subject != t.object",
        ),
        (
            "pair-in-training",
            "warning",
            "held-out facts whose two entities are linked by a training fact of another relation",
            f"k.relation != t.relation AND ({same_ends} OR {swapped})",
        ),
    )
    for check, severity, title, condition in rules:
        given = _given_away(condition)
        count = query.number(f"SELECT count(*) {given}")
        yield _facts(inspection, check, severity, title, count, tests, given, "held-out facts")


def _given_away(condition: str) -> str:
    """Held-out facts `t` that have a training fact `k` under a condition; joined by the unordered pair of ends."""
    return f"""FROM (SELECT *, least(subject, object) AS low, greatest(subject, object) AS high FROM triples
            WHERE split > 0) t SEMI JOIN (SELECT *, least(subject, object) AS low, greatest(subject, object) AS high
            FROM triples WHERE split = 0) k ON k.low = t.low AND k.high = t.high AND {condition}"""


def _facts(
    inspection: Inspection,
    check: str,
    severity: Severity,
    title: str,
    count: int,
    of: int,
    source: str,
    unit: str = "facts",
) -> Finding:
    rows = inspection.query.rows(
        f"""SELECT a.id, r.id, b.id
        FROM (SELECT t.subject, t.relation, t.object {source} ORDER BY ALL LIMIT {SAMPLES}) f
        JOIN entities a ON a.row = f.subject JOIN relations r ON r.row = f.relation JOIN entities b ON b.row = f.object
        ORDER BY ALL"""
    )
    return Finding(check, severity, title, count, of, unit, [" ".join(row) for row in rows])
