"""Test strings inside what is trained on: the corpus's own held-out names, and those of benchmarks."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from core.corpora import store as corpora
from core.corpora.benchmarks import store as benchmarks
from core.corpora.checks.finding import SAMPLES, Finding, Inspection, Severity, shown
from core.corpora.query import CorpusQuery
from core.corpora.rows import DataError, RowLog, read_lines
from core.corpora.words import words_sql

_MAX_WORDS = 10  # longer strings are compared with whole sentences
_STRINGS = pa.schema({"language": pa.string(), "text": pa.string()})
_NAMES_IN = """SELECT DISTINCT e.language, e.name FROM entities e
    JOIN (SELECT unnest([{one}, {two}]) AS row FROM {table} WHERE split = 'test') t ON t.row = e.row"""
_TEST_STRINGS: dict[str, str] = {  # what of a benchmark a training corpus should not hold
    "kg_completion": _NAMES_IN.format(table="triples", one="subject", two="object"),
    "entity_alignment": _NAMES_IN.format(table="pairs", one="source", two="target"),
    "relation_classification": "SELECT DISTINCT language, text FROM examples WHERE split = 'test'",
    "ner": "SELECT DISTINCT language, array_to_string(tokens, ' ') FROM sentences WHERE split = 'test'",
    "question_answering": """SELECT DISTINCT q.language, unnest([q.question, c.text])
        FROM questions q JOIN contexts c ON c.row = q.context WHERE q.split = 'test'""",
}
_HELD_OUT = "SELECT DISTINCT l.language, l.text FROM labels l JOIN entities e ON e.row = l.entity WHERE {split}"
_TRAINED_SENTENCES = """
    SELECT language, text FROM mention_sentences WHERE split = 0
    UNION SELECT s.language, s.text FROM triple_sentences s JOIN triples t ON t.row = s.triple WHERE t.split = 0"""
# A string without a language is looked for in every one.
_SAME_LANGUAGE = "(w.language IS NULL OR w.language = t.language)"


def held_out_names(inspection: Inspection) -> Iterator[Finding]:
    """Labels of validation and test entities that are trained on, as labels of other entities or in sentences."""
    inspection.query.run(f"CREATE OR REPLACE TEMP TABLE wanted AS {_HELD_OUT.format(split='e.split > 0')}")
    yield from _trained_on(inspection, "held-out", "held-out labels", "warning")


def test_strings(inspection: Inspection) -> Iterator[Finding]:
    """Test strings of the benchmarks, corpora and lists that the user named."""
    for path in inspection.against:
        inspection.query.add("wanted", _strings_of(path))
        yield from _trained_on(inspection, "test-string", f"test strings of {path.name}", "error")


def _trained_on(inspection: Inspection, check: str, what: str, in_sentences: Severity) -> Iterator[Finding]:
    """Findings on the strings in the table `wanted`."""
    query = inspection.query
    of = query.number("SELECT count(*) FROM wanted")
    query.run(
        f"""CREATE OR REPLACE TEMP TABLE found AS
        SELECT DISTINCT w.language, w.text, t.language AS found_in, t.text AS whole FROM wanted w
        JOIN (SELECT l.language, l.text FROM labels l JOIN entities e ON e.row = l.entity WHERE e.split = 0) t
        ON lower(t.text) = lower(w.text) AND {_SAME_LANGUAGE}"""
    )
    yield _finding(query, f"{check}-label", "error", f"{what} that are labels of training entities", of)
    _find_in_sentences(query)
    yield _finding(query, f"{check}-in-sentence", in_sentences, f"{what} inside training sentences", of)


def _find_in_sentences(query: CorpusQuery) -> None:
    """Fill the table `found` with the strings that stand in training sentences as words of their own."""
    query.run(
        f"""CREATE OR REPLACE TEMP TABLE wanted_words AS SELECT *, array_to_string(words, ' ') AS key, len(words) AS n
        FROM (SELECT *, {words_sql("text")} AS words FROM wanted) WHERE len(words) > 0 AND length(text) > 1"""
    )
    query.run(f"CREATE OR REPLACE TEMP TABLE sentence_words AS SELECT *, {words_sql('text')} AS words"
              f" FROM ({_TRAINED_SENTENCES})")  # fmt: skip
    query.run("CREATE OR REPLACE TEMP TABLE found (language VARCHAR, text VARCHAR, found_in VARCHAR, whole VARCHAR)")
    for (n,) in query.rows(f"SELECT DISTINCT n FROM wanted_words WHERE n <= {_MAX_WORDS} ORDER BY n"):
        query.run(
            f"""INSERT INTO found SELECT w.language, w.text, t.language, any_value(t.text) FROM (
                SELECT language, text, array_to_string(words[i : i + {n - 1}], ' ') AS key
                FROM (SELECT *, unnest(range(1, len(words) - {n} + 2)) AS i FROM sentence_words)) t
            JOIN wanted_words w ON w.key = t.key AND {_SAME_LANGUAGE} WHERE w.n = {n} GROUP BY ALL"""
        )
    query.run(
        f"""INSERT INTO found SELECT w.language, w.text, t.language, any_value(t.text) FROM sentence_words t
        JOIN wanted_words w ON array_to_string(t.words, ' ') = w.key AND {_SAME_LANGUAGE}
        WHERE w.n > {_MAX_WORDS} GROUP BY ALL"""
    )


def _finding(query: CorpusQuery, check: str, severity: Severity, title: str, of: int) -> Finding:
    """What the table `found` holds, by language."""
    count = query.number("SELECT count(*) FROM (SELECT DISTINCT language, text FROM found)")
    by_language = query.rows(
        "SELECT found_in, count(DISTINCT text) AS n FROM found GROUP BY found_in ORDER BY n DESC, found_in"
    )
    rows = query.rows(
        f"SELECT found_in, text, whole FROM found ORDER BY length(text) DESC, text, found_in LIMIT {SAMPLES}"
    )
    samples = [
        f"[{language}] {shown(text)}" + (f" in {shown(whole)}" if whole != text else "")
        for language, text, whole in rows
    ]
    detail = [{"language": language, "count": n} for language, n in by_language]
    return Finding(check, severity, title, count, of, "strings", samples, detail)


def _strings_of(path: Path) -> pa.Table:
    """The test strings of a corpus folder, a benchmark folder, or a text file with a string a line.

    Raises:
        DataError: If it is none of them, or holds no test strings.
    """
    found: list[tuple[str | None, str]]
    if (path / corpora.MANIFEST).is_file():
        with CorpusQuery.of(corpora.Corpus.open(path)) as query:
            found = query.rows(_HELD_OUT.format(split="e.split = 2"))
    elif (path / benchmarks.MANIFEST).is_file():
        data = benchmarks.BenchmarkData.open(path)
        with CorpusQuery({table: path / f"{table}.parquet" for table in data.info.counts}) as query:
            found = query.rows(_TEST_STRINGS[data.info.task])
    elif path.is_file():
        found = [(None, line) for line in dict.fromkeys(line for _, line in read_lines(path, RowLog())) if line.strip()]
    else:
        raise DataError(
            f"{path} is nothing to check against: name a folder with {corpora.MANIFEST} or {benchmarks.MANIFEST}, "
            "or a text file with a string on every line."
        )
    if not found:
        raise DataError(f"{path} has no test strings: it holds nothing out. Name one with a test split.")
    return pa.table([pa.array(column, pa.string()) for column in zip(*found, strict=True)], schema=_STRINGS)
