"""Sentences that give the answer away, or whose span is not what it should be."""

from collections.abc import Iterator

from core.corpora.checks.finding import SAMPLES, Finding, Inspection, shown
from core.corpora.sources.mentions import STRESS, find_label

# The object gives way to U+2588 (9608), which stands in no text.
_STATED = """
    SELECT s.row, s.language, s.text, s.start, s."end", t.subject, t.object,
        substring(s.text, s.start + 1, s."end" - s.start) AS surface,
        substring(s.text, 1, s.start) || chr(9608) || substring(s.text, s."end" + 1) AS masked
    FROM triple_sentences s JOIN triples t ON t.row = s.triple"""


def visible_objects(inspection: Inspection) -> Iterator[Finding]:
    """Masked sentences of C2 that still hold the object's label or the masked words, as words of their own."""
    hits = inspection.query.run(
        f"""WITH stated AS ({_STATED})
        SELECT s.row, s.masked, s.surface FROM stated s WHERE contains(s.masked, s.surface)
        UNION ALL
        SELECT s.row, s.masked, l.text FROM stated s JOIN labels l ON l.entity = s.object AND l.language = s.language
        WHERE l.text != s.surface AND contains(s.masked, l.text) ORDER BY ALL"""
    )
    seen: set[int] = set()
    samples: list[str] = []
    while chunk := hits.fetchmany(10_000):
        for row, masked, name in chunk:
            if row not in seen and find_label(name, masked, "exact", whole_words=True):
                seen.add(row)
                if len(samples) < SAMPLES:
                    samples.append(f"row {row} {shown(name)} in {shown(masked)}")
    of = inspection.counts["triple_sentences"]
    title = "the object can still be read in the masked sentence"
    yield Finding("visible-object", "error", title, len(seen), of, "triple sentences", samples)


def released_mask(inspection: Inspection) -> Iterator[Finding]:
    """What the released code leaves: it deletes the object but for its last word (`obj_end` is inclusive there)."""
    whole, words = inspection.query.rows(
        f"""SELECT count(*) FILTER (WHERE NOT contains(trim(surface), ' ')), count(*) FROM ({_STATED})"""
    )[0]
    title = "objects of one word, which the released code's off-by-one leaves whole (ts_anchor: last_word_kept)"
    yield Finding("released-off-by-one", "info", title, whole, words, "triple sentences")


def odd_spans(inspection: Inspection) -> Iterator[Finding]:
    """Spans outside their sentence, and spans that are no label or alias of the entity in the sentence's language."""
    query = inspection.query
    parts = (
        ("mention_sentences", 'SELECT *, substring(text, start + 1, "end" - start) AS surface FROM mention_sentences'),
        ("triple_sentences", f"SELECT *, object AS entity FROM ({_STATED})"),
    )
    for table, sql in parts:
        unit, of = table.replace("_", " "), inspection.counts[table]
        outside = query.rows(
            f"""SELECT row, start, "end", text FROM {table}
            WHERE start < 0 OR start >= "end" OR "end" > length(text) ORDER BY row"""
        )
        samples = [f"row {row} {start}:{end} of {shown(text)}" for row, start, end, text in outside[:SAMPLES]]
        title = f"{unit}: the span is empty or outside the sentence"
        yield Finding("span-outside", "error", title, len(outside), of, unit, samples)
        plain = f"lower(replace({{}}, chr({ord(STRESS)}), ''))".format  # Russian texts mark the stress of their subject
        query.run(
            f"""CREATE OR REPLACE TEMP TABLE odd AS SELECT s.row, s.language, s.surface, e.id
            FROM ({sql}) s JOIN entities e ON e.row = s.entity
            WHERE NOT EXISTS (SELECT 1 FROM labels l WHERE l.entity = s.entity AND l.language = s.language
                AND {plain("l.text")} = {plain("s.surface")})
            AND NOT EXISTS (SELECT 1 FROM aliases a WHERE a.entity = s.entity AND a.language = s.language
                AND {plain("a.text")} = {plain("s.surface")})"""
        )
        rows = query.rows(f"SELECT row, id, language, surface FROM odd ORDER BY row LIMIT {SAMPLES}")
        samples = [f"row {row} {id} [{language}] {shown(surface)}" for row, id, language, surface in rows]
        title = f"{unit}: the span is no label or alias of its entity in that language"
        yield Finding("span-not-a-name", "warning", title, query.number("SELECT count(*) FROM odd"), of, unit, samples)


def repeated_sentences(inspection: Inspection) -> Iterator[Finding]:
    """Sentences that stand in a table more than once with the same span and the same entity or triple."""
    for table, owner in (("mention_sentences", "entity"), ("triple_sentences", "triple")):
        same = f"""SELECT language, text, count(*) AS n FROM {table}
            GROUP BY {owner}, language, text, start, "end" HAVING n > 1"""
        count = inspection.query.number(f"SELECT sum(n - 1) FROM ({same})")
        rows = inspection.query.rows(f"SELECT * FROM ({same}) ORDER BY n DESC, text LIMIT {SAMPLES}")
        samples = [f"{n} x [{language}] {shown(text)}" for language, text, n in rows]
        unit = table.replace("_", " ")
        yield Finding(
            "repeated-sentence", "warning", f"{unit}: repetitions", count, inspection.counts[table], unit, samples
        )
