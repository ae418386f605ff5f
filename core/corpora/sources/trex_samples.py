"""Inputs of the T-REx pipeline: DBpedia abstracts in several languages and Wikidata labels in 306 (Elsahar et al. 2018).

A handful of entities: enough to see abstracts of one entity in several languages, and labels in rare ones.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from core.corpora.graph import Graph, Mention, chosen_languages
from core.corpora.rows import RowLog, read_tsv
from core.corpora.sources.mentions import MentionRules, first_mention

CARD = """\
Samples of the T-REx pipeline's inputs: Wikidata labels of 12 entities in 306 languages, and DBpedia abstracts of some of
them in English, Esperanto, Arabic and Spanish. A sentence of C1 is the first one of an abstract that contains a name of
the entity in that language. The source mixes labels and aliases: the first name in a language is the label here.
"""
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")


def read(folder: Path, log: RowLog, languages: Collection[str] | None = None) -> Graph:
    """Read `sample-wikidata-labels.csv`, `sample-dbpedia-wikidata-sameas.csv` and `sample-dbpedia-abstracts*.csv`.

    Args:
        folder: Folder with the files; tab-separated in spite of their names.
        log: What becomes of bad rows.
        languages: Keep labels and abstracts in these; None keeps all.

    Raises:
        DataError: If a file is missing or, in strict mode, a row is bad.
    """
    graph = Graph("trex_samples", "hadyelsahar/RE-NLG-Dataset, datasets/", "MIT; abstracts: CC BY-SA", CARD)
    met = set()
    path = folder / "sample-wikidata-labels.csv"
    for number, (uri, escaped, tagged) in read_tsv(path, 3, log):
        language, dot, _ = tagged.partition(" .")
        met.add(language)
        if not dot:
            log.bad(path, number, "no language followed by ' .'", tagged)
        elif languages is None or language in languages:
            _add_name(graph, _name(uri), language, _ESCAPE.sub(lambda code: chr(int(code[1], 16)), escaped).strip())
    same = {
        _name(uri): _name(entity)
        for _, (uri, entity) in read_tsv(folder / "sample-dbpedia-wikidata-sameas.csv", 2, log)
    }
    for path in sorted(folder.glob("sample-dbpedia-abstracts*.csv")):
        language = path.stem.removeprefix("sample-dbpedia-abstracts").removeprefix("-") or "en"
        if languages is None or language in languages:
            _add_abstracts(graph, path, language, same, log)
    chosen_languages(languages, met, graph.name)
    return graph


def _add_name(graph: Graph, entity: str, language: str, text: str) -> None:
    labels = graph.labels.setdefault(entity, {})
    aliases = graph.aliases.setdefault(entity, {}).setdefault(language, [])
    if text not in (labels.setdefault(language, text), *aliases):
        aliases.append(text)


def _add_abstracts(graph: Graph, path: Path, language: str, same: Mapping[str, str], log: RowLog) -> None:
    for number, (uri, text) in read_tsv(path, 2, log):
        entity = same.get(_name(uri), _name(uri))
        if entity not in graph.labels:
            log.bad(path, number, "an entity without a label", uri)
            continue
        names = [graph.labels[entity].get(language, ""), *graph.aliases[entity].get(language, [])]
        found = (first_mention(name, language, text, MentionRules()) for name in names)
        if mention := next((m for m in found if m), None):
            graph.mentions.append(Mention(entity, language, *mention))
        else:
            graph.left_out["abstracts that do not name their entity"] += 1


def _name(uri: str) -> str:
    """The last part of a URI: the Q id, or DBpedia's name."""
    return uri.rsplit("/", 1)[-1]
