"""Texts that are no words: symbols, outer spaces, damaged or invisible characters."""

from collections.abc import Iterator
from dataclasses import dataclass

from core.corpora.checks.finding import SAMPLES, Finding, Inspection, Severity, shown

_NAMES = ("labels", "aliases", "relation_labels")
_SENTENCES = ("mention_sentences", "triple_sentences")
_OWNERS = {"labels": "entities", "aliases": "entities", "relation_labels": "relations"}


@dataclass(frozen=True)
class _Rule:
    check: str
    severity: Severity
    title: str
    condition: str  # SQL (RE2) on `text`
    tables: tuple[str, ...] = _NAMES


_RULES = (
    _Rule("empty-text", "error", "nothing but spaces", r"regexp_full_match(text, '[\s\p{Z}]*')", _NAMES + _SENTENCES),
    _Rule("symbols-only", "warning", "no letter and no number", r"NOT regexp_matches(text, '[\p{L}\p{N}]')"),
    _Rule("outer-spaces", "warning", "a space at either end", r"regexp_matches(text, '^[\s\p{Z}]|[\s\p{Z}]$')"),
    _Rule("one-character", "info", "one character", "length(text) = 1"),
    _Rule(
        "replacement-character", "error", "U+FFFD: bytes were lost", "contains(text, chr(65533))", _NAMES + _SENTENCES
    ),
    _Rule("control-character", "error", "control characters", r"regexp_matches(text, '\p{Cc}')", _NAMES + _SENTENCES),
    _Rule(
        "bidi-mark",
        "warning",
        "invisible marks of writing direction",
        r"regexp_matches(text, '[\x{061C}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2066}-\x{2069}]')",
        _NAMES + _SENTENCES,
    ),
)


def bad_texts(inspection: Inspection) -> Iterator[Finding]:
    """Every rule on every table of texts that it is for."""
    query = inspection.query
    for table in _NAMES + _SENTENCES:
        rules = [rule for rule in _RULES if table in rule.tables]
        counts = query.rows(
            f"SELECT {', '.join(f'count(*) FILTER (WHERE {rule.condition})' for rule in rules)} FROM {table}"
        )[0]
        for rule, count in zip(rules, counts, strict=True):
            samples = [
                f"{owner} [{language}] {shown(text)}"
                for owner, language, text in (_samples(inspection, table, rule) if count else ())
            ]
            title, unit = f"{table.replace('_', ' ')}: {rule.title}", table.replace("_", " ")
            yield Finding(rule.check, rule.severity, title, count, inspection.counts[table], unit, samples)


def _samples(inspection: Inspection, table: str, rule: _Rule) -> list[tuple[str, str, str]]:
    owners = _OWNERS.get(table)
    if owners is None:
        return inspection.query.rows(
            f"SELECT 'row ' || row, language, text FROM {table} WHERE {rule.condition} ORDER BY row LIMIT {SAMPLES}"
        )
    key = "entity" if owners == "entities" else "relation"
    return inspection.query.rows(
        f"""SELECT o.id, t.language, t.text FROM (SELECT * FROM {table} WHERE {rule.condition} ORDER BY row
        LIMIT {SAMPLES}) t JOIN {owners} o ON o.row = t.{key} ORDER BY t.row"""
    )
