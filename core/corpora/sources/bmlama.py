"""BMLAMA-53 (Qi et al. 2023): facts as prompts, row k of every language the same fact.

There are no Q or P ids: an entity is its English name, a relation the English prompt without subject and object.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path

from core.corpora.graph import Graph, chosen_languages
from core.corpora.rows import DataError, RowLog, read_lines, read_tsv, require

HEADER = ["Prompt", "Ans", "Candidate Ans", "Subject"]
MASK = "<mask>"
CARD = """\
BMLAMA-53: 3,070 facts, the same in every language, nearly all between countries, cities and languages.

The source has no ids: entities are named by their English name, relations by their English prompt without subject and
object. The label of a relation is what is left of its prompts in the language, in their most frequent form (The
official language of is). Two English names stand for two things each, Georgia and Ireland: the more frequent name in
another language is the label, the other one an alias. Symmetric facts (borders, twin cities, diplomatic relations)
often stand in both directions.
"""
Rows = dict[int, list[str]]  # line -> prompt, answer, candidates, subject


def read(folder: Path, log: RowLog, languages: Collection[str] | None = None) -> Graph:
    """Read BMLAMA-53.

    Args:
        folder: The folder that holds `BMLAMA53`.
        log: What becomes of bad rows, such as one that is not the same fact as in English.
        languages: Codes of the languages whose labels are kept; None keeps all that are there. Ids are English anyhow.
    """
    files = {p.stem: p for p in sorted(require(folder / "BMLAMA53", "BMLAMA").glob("*.tsv"))}
    kept = chosen_languages(languages, files, "BMLAMA")
    graph = Graph(
        name="bmlama",
        source="Betswish/Cross-Lingual-Consistency, 1_easyrun/BMLAMA53",
        licence="Apache-2.0; facts from mLAMA, CC BY-NC 4.0",
        card=CARD,
        build={"languages": kept},
    )
    path = require(folder / "BMLAMA53" / "en.tsv", "BMLAMA")
    english = _rows(path, log)
    facts: dict[int, tuple[str, str, str]] = {}
    for line, (prompt, answer, _, subject) in english.items():
        if subject not in prompt or MASK not in prompt:
            log.bad(path, line, f"no subject or no {MASK} in the prompt", prompt, f"subject {subject}")
            continue
        facts[line] = f"bmlama/{subject}", f"bmlama/{_wording(prompt, subject)}", f"bmlama/{answer}"
        graph.facts[facts[line]] = None
        graph.labels.setdefault(facts[line][0], {})
        graph.labels.setdefault(facts[line][2], {})
    for language in kept:
        rows = english if language == "en" else _aligned(files[language], english, log)
        _name(graph, language, facts, rows)
    return graph


def _rows(path: Path, log: RowLog) -> Rows:
    header = next((line.split("\t") for _, line in read_lines(path, log)), [])
    if header != HEADER:
        raise DataError(f"{path}:1: the header must be {HEADER}, not {header}.")
    return dict(read_tsv(path, len(HEADER), log, first_line=2))


def _aligned(path: Path, english: Rows, log: RowLog) -> Rows:
    """The rows of another language that are the same facts, as far as that can be told."""
    rows = _rows(path, log)
    if len(rows) != len(english):
        log.bad(path, 0, "not as many rows as in English", detail=f"has {len(rows)}, English {len(english)}")
    same = {}
    for line, row in rows.items():
        if line in english and row[2].count(", ") == english[line][2].count(", "):
            same[line] = row
        else:
            log.bad(path, line, "not the row of the English file", "\t".join(row), "other number of candidates")
    return same


def _name(graph: Graph, language: str, facts: dict[int, tuple[str, str, str]], rows: Rows) -> None:
    """Fill in the labels of entities and relations in one language, the most frequent ones."""
    names: dict[str, Counter[str]] = defaultdict(Counter)
    wordings: dict[str, Counter[str]] = defaultdict(Counter)
    for line in facts.keys() & rows.keys():
        (subject, relation, object_), (prompt, answer, _, name) = facts[line], rows[line]
        names[subject][name] += 1
        names[object_][answer] += 1
        if name in prompt:  # one German prompt has its subject in the genitive
            wordings[relation][_wording(prompt, name)] += 1
    for entity, found in names.items():
        label, *others = _by_frequency(found)
        graph.labels[entity][language] = label
        if others:
            graph.aliases.setdefault(entity, {})[language] = others
    for relation, found in wordings.items():
        graph.relations.setdefault(relation, {})[language] = _by_frequency(found)[0]


def _by_frequency(found: Counter[str]) -> list[str]:
    return sorted(found, key=lambda text: (-found[text], text))


def _wording(prompt: str, subject: str) -> str:
    """A prompt without subject, object and full stop: `died in` of `Michelangelo died in <mask>.`."""
    rest = prompt.replace(MASK, " ").replace(subject, " ", 1)
    return " ".join(rest.split()).rstrip(".。۔ ")
