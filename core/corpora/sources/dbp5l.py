"""DBP-5L (Chen et al. 2020): five DBpedia knowledge graphs and links between their entities, as one graph.

Ids are zero-based line numbers; those of links are written as floats. Entities that links connect, and lines that
repeat a URI, are one entity.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import unquote

from scipy.cluster.hierarchy import DisjointSet

from core.corpora.graph import Graph, chosen_languages
from core.corpora.rows import RowLog, read_lines, read_tsv, require

CARD = """\
DBP-5L: DBpedia facts of el, en, es, fr and ja as one graph. Entities that the source links across languages are one
entity with a label in each; German has names only, without facts or links.

Only the training triples are here, unless the reader was told otherwise: the rest is the benchmark of knowledge-graph
completion. A name's bracket (Titanic (1997 film)) tells pages apart and differs by language, so the label is the name
without it, and the whole name is an alias. Relation labels are English, read off the URI; `property/x` and `ontology/x`
are two relations with one label.
"""
_BRACKET = re.compile(r"\s*\([^()]*\)$")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|[_\s]+")
Node = tuple[str, str]  # language and name


def read(
    folder: Path,
    log: RowLog,
    languages: Collection[str] | None = None,
    splits: Collection[str] = ("train",),
    keep_brackets: bool = False,
) -> Graph:
    """Read DBP-5L.

    Args:
        folder: The repository's folder `data`.
        log: What becomes of bad rows.
        languages: Codes of the languages whose labels are kept; None keeps all six. Facts and links of every language
            are read, for entities are the same in all.
        splits: Splits whose triples are kept: `train`, `val`, `test`.
        keep_brackets: Keep a name's bracket in the label.
    """
    files = {p.stem: p for p in sorted(require(folder / "entity", "DBP-5L").glob("*.tsv"))}
    kept = chosen_languages(languages, files, "DBP-5L")
    graph = Graph(
        name="dbp5l",
        source="stasl0217/KEnS, folder data",
        licence="none stated; names from DBpedia (CC BY-SA)",
        card=CARD,
        build={"languages": kept, "splits": list(splits), "keep_brackets": keep_brackets},
    )
    nodes = {language: _nodes(language, path, log) for language, path in files.items()}
    entity = _entities(folder, nodes, log)
    for (language, name), id in entity.items():
        graph.labels.setdefault(id, {})
        if language in kept:
            _name(graph, id, language, name, keep_brackets)
    relations = [uri for _, uri in read_lines(require(folder / "relations.txt", "DBP-5L"), log)]
    if "en" in kept:
        graph.relations = {_relation(uri): {"en": relation_label(uri)} for uri in relations}
    for path in sorted(p for split in splits for p in folder.glob(f"kg/*-{split}.tsv")):
        own = nodes[path.stem.partition("-")[0]]
        for subject, relation, object_ in _numbers(path, (len(own), len(relations), len(own)), log):
            ends = own[subject], own[object_]
            if ends[0] and ends[1]:
                graph.facts[entity[ends[0]], _relation(relations[relation]), entity[ends[1]]] = None
    return graph


def name_of(uri: str) -> str:
    """The name in a resource's URI: `AC/DC` of `http://dbpedia.org/resource/AC/DC`."""
    return unquote(uri.partition("/resource/")[2]).replace("_", " ").strip()


def relation_label(uri: str) -> str:
    """The words in a relation's URI: `official language` of `http://dbpedia.org/ontology/officialLanguage`."""
    local = re.split(r"[/#]", uri)[-1]
    return " ".join(word for word in _WORDS.split(local) if word).lower()


def _relation(uri: str) -> str:
    return "dbp5l/" + uri.removeprefix("http://").removeprefix("dbpedia.org/")


def _nodes(language: str, path: Path, log: RowLog) -> list[Node | None]:
    """The nodes of a language by line; None stands for a bad row, so that the others keep their numbers."""
    nodes: list[Node | None] = []
    for line, uri in read_lines(path, log):
        name = name_of(uri)
        if not name:
            log.bad(path, line, "not the URI of a DBpedia resource", uri)
        nodes.append((language, name) if name else None)
    return nodes


def _name(graph: Graph, id: str, language: str, name: str, keep_brackets: bool) -> None:
    """Give an entity the name as its label or, where it has one in the language, as an alias."""
    label = name if keep_brackets else _BRACKET.sub("", name) or name
    first = graph.labels[id].setdefault(language, label)
    if first != label:
        graph.left_out["second names of an entity, kept as aliases"] += 1
    if others := list(dict.fromkeys(text for text in (label, name) if text != first)):
        graph.aliases.setdefault(id, {}).setdefault(language, []).extend(others)


def _entities(folder: Path, nodes: dict[str, list[Node | None]], log: RowLog) -> dict[Node, str]:
    """Node -> id of its entity, which is that of its English node, else of its first one."""
    linked = DisjointSet(dict.fromkeys(node for own in nodes.values() for node in own if node))
    for path in sorted(require(folder / "seed_alignlinks", "DBP-5L").glob("*.tsv")):
        a, b = (nodes[code] for code in path.stem.split("-"))
        for left, right in _numbers(path, (len(a), len(b)), log):
            if a[left] and b[right]:
                linked.merge(a[left], b[right])
    entity: dict[Node, str] = {}
    for group in linked.subsets():
        language, name = min(group, key=lambda node: (node[0] != "en", node))
        entity |= dict.fromkeys(group, f"dbp5l/{language}/{name}")
    return {node: entity[node] for node in linked}


def _numbers(path: Path, limits: tuple[int, ...], log: RowLog) -> Iterator[list[int]]:
    """Rows of ids, each below its limit."""
    for line, cells in read_tsv(path, len(limits), log):
        try:
            numbers = [float(cell) for cell in cells]
        except ValueError:
            numbers = [-1.0]
        if all(n.is_integer() and 0 <= n < limit for n, limit in zip(numbers, limits, strict=False)):
            yield [int(n) for n in numbers]
        else:
            log.bad(path, line, "not the ids of this data", "\t".join(cells), f"ids must be below {limits}")
