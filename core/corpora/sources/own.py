"""Own data: a folder of tab-separated files or JSON lines.

A file's name says what it holds. A tab-separated file starts with a line that names its columns, in any order; JSON
lines have the same keys. Further columns are ignored. All files are optional, and `x.tsv` and `x.jsonl` may stand side
by side.

| file | columns | a row is |
| --- | --- | --- |
| labels | entity, language, text | the label of an entity; one per language |
| aliases | entity, language, text | another name |
| descriptions | entity, language, text | a description |
| pairs | language_a, text_a, language_b, text_b | two labels of a new entity |
| triples | subject, relation, object | a fact, by entity and relation |
| relations | relation, language, text | the label of a relation |
| sentences | entity, language, text, start, end | a sentence that names the entity at text[start:end] |
| sentences | subject, relation, object, language, text, start, end | one that states a fact; the span is the object's |

Start and end count characters from 0, end exclusive. `about.json` may hold name, source, licence and card as texts.
Languages are ISO 639 codes, ids anything: take Wikidata's Q and P ids to merge the corpus with others.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from core.corpora.graph import Graph, Mention, Statement, chosen_languages
from core.corpora.rows import DataError, RowLog, read_json, read_table

COLUMNS = {
    "labels": ("entity", "language", "text"),
    "aliases": ("entity", "language", "text"),
    "descriptions": ("entity", "language", "text"),
    "pairs": ("language_a", "text_a", "language_b", "text_b"),
    "triples": ("subject", "relation", "object"),
    "relations": ("relation", "language", "text"),
    "sentences": ("language", "text", "start", "end"),
}
_OF_ENTITY, _OF_FACT = ("entity",), ("subject", "relation", "object")
_ABOUT = ("name", "source", "licence", "card")
_CODE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")
Row = tuple[Path, int, dict[str, Any]]


def read(folder: Path, log: RowLog, languages: Collection[str] | None = None) -> Graph:
    """Read own data.

    Args:
        folder: The folder.
        log: What becomes of bad rows.
        languages: Codes of the languages to keep; None keeps all.
    """
    if not any(path.stem in COLUMNS and path.suffix in (".tsv", ".jsonl") for path in folder.glob("*")):
        files = ", ".join(f"{name}.tsv" for name in COLUMNS)
        raise DataError(f"{folder} holds none of {files}, nor one of them as .jsonl. Give --from a folder that does.")
    about = {"name": "own", "source": folder.resolve().name, "licence": "not stated", "card": "Own data."}
    if (folder / "about.json").exists():
        about |= _about(folder / "about.json")
    graph = Graph(about["name"], about["source"], about["licence"], about["card"])
    _read_names(folder, log, graph)
    for _, _, row in _rows(folder, "triples", log):
        graph.facts[row["subject"], row["relation"], row["object"]] = None
    for path, line, row in _rows(folder, "relations", log):
        labels = graph.relations.setdefault(row["relation"], {})
        if labels.setdefault(row["language"], row["text"]) != row["text"]:
            log.bad(path, line, "a second label of a relation in a language", str(row))
    _read_sentences(folder, log, graph)
    _keep_languages(graph, languages)
    return graph


def _about(path: Path) -> dict[str, str]:
    about = read_json(path)
    if not isinstance(about, dict) or not all(k in _ABOUT and isinstance(v, str) for k, v in about.items()):
        raise DataError(f"{path}: it may hold {', '.join(_ABOUT)}, each a text.")
    return about


def _read_names(folder: Path, log: RowLog, graph: Graph) -> None:
    for path, line, row in _rows(folder, "labels", log):
        if graph.labels.setdefault(row["entity"], {}).setdefault(row["language"], row["text"]) != row["text"]:
            log.bad(path, line, "a second label of an entity in a language", str(row), "give other names as aliases")
    for path, line, row in _rows(folder, "pairs", log):
        if row["language_a"] == row["language_b"]:
            log.bad(path, line, "a pair in one language", str(row))
            continue
        texts = {row[f"language_{side}"]: row[f"text_{side}"] for side in "ab"}
        graph.labels["pair/" + "/".join(f"{code}:{text}" for code, text in texts.items())] = texts
    for _, _, row in _rows(folder, "aliases", log):
        names = graph.aliases.setdefault(row["entity"], {}).setdefault(row["language"], [])
        if row["text"] not in names:
            names.append(row["text"])
        graph.labels.setdefault(row["entity"], {})
    for path, line, row in _rows(folder, "descriptions", log):
        texts = graph.descriptions.setdefault(row["entity"], {})
        if texts.setdefault(row["language"], row["text"]) != row["text"]:
            log.bad(path, line, "a second description of an entity in a language", str(row))
        graph.labels.setdefault(row["entity"], {})


def _read_sentences(folder: Path, log: RowLog, graph: Graph) -> None:
    for path, line, row in _rows(folder, "sentences", log):
        text, start, end = row["text"], _number(row["start"]), _number(row["end"])
        if not 0 <= start < end <= len(text):
            log.bad(path, line, "not a span of the text", str(row), f"the text has {len(text)} characters")
        elif _filled(row, _OF_ENTITY) and not any(row.get(c) for c in _OF_FACT):
            graph.mentions.append(Mention(row["entity"], row["language"], text, start, end))
        elif _filled(row, _OF_FACT) and not row.get("entity"):
            fact = row["subject"], row["relation"], row["object"]
            graph.statements.append(Statement(fact, row["language"], text, start, end))
        else:
            log.bad(path, line, "neither an entity nor a whole fact", str(row), "give one of the two")


def _rows(folder: Path, name: str, log: RowLog) -> Iterator[Row]:
    """Rows of `name.tsv` and `name.jsonl` that have every column filled and language codes for languages."""
    required = COLUMNS[name]
    for path in filter(Path.exists, (folder / f"{name}.tsv", folder / f"{name}.jsonl")):
        for line, row in read_table(path, log, required):
            wrong = [row[c] for c in required if c.startswith("language") and not _is_code(row[c])]
            if not _filled(row, [c for c in required if c not in ("start", "end")]):
                log.bad(path, line, "an empty column, or one that is no text", str(row), f"needs {', '.join(required)}")
            elif wrong:
                log.bad(path, line, "not a language code", str(row), f"{wrong[0]!r} is not of ISO 639, such as de")
            else:
                yield path, line, row


def _filled(row: dict[str, Any], columns: Collection[str]) -> bool:
    return all(isinstance(row.get(c), str) and row[c].strip() for c in columns)


def _is_code(code: Any) -> bool:
    return isinstance(code, str) and _CODE.fullmatch(code) is not None


def _number(value: Any) -> int:
    """A whole number given as such or as text; -1 for anything else."""
    text = str(value)
    return int(text) if not isinstance(value, bool) and text.isascii() and text.isdigit() else -1


def _keep_languages(graph: Graph, languages: Collection[str] | None) -> None:
    found = {code for texts in graph.labels.values() for code in texts}
    kept = set(chosen_languages(languages, found, graph.source))
    if languages is None:
        return
    graph.build["languages"] = sorted(kept)
    for texts in (*graph.labels.values(), *graph.descriptions.values(), *graph.relations.values()):
        for code in texts.keys() - kept:
            del texts[code]
    for names in graph.aliases.values():
        for code in names.keys() - kept:
            del names[code]
    graph.mentions = [m for m in graph.mentions if m.language in kept]
    graph.statements = [s for s in graph.statements if s.language in kept]
