"""CoDEx (Safavi and Koutra 2020): Wikidata triples, types and relations with labels in six languages.

The triples' ends have no labels in the source, but for those that are types. They are kept: merged with a corpus that
names them (X-FACTR names the ends of a fifth of the triples), they can be trained on. The Wikipedia extracts are read
by `core.corpora.sources.wikipedia`.
"""

from collections.abc import Collection
from pathlib import Path

from core.corpora.graph import Graph, chosen_languages
from core.corpora.rows import RowLog, read_json, read_tsv, require

CARD = """\
CoDEx: Wikidata triples (the union of codex-s and codex-m, all splits), and 3,443 types and 71 relations with labels
and descriptions in ar, de, en, es, ru and zh. Types are common nouns, such as profession.

Most entities of the triples have no label here: they are kept without one, so that a corpus which names them can be
merged in (workbench corpus merge). Nothing without a label is trained on.
"""


def read(
    folder: Path,
    log: RowLog,
    languages: Collection[str] | None = None,
    graphs: Collection[str] = ("codex-s", "codex-m"),
    splits: Collection[str] = ("train", "valid", "test"),
) -> Graph:
    """Read CoDEx.

    Args:
        folder: The repository's folder `data`.
        log: What becomes of bad rows.
        languages: Codes of the languages whose labels are kept; None keeps all six.
        graphs: Folders under `triples`.
        splits: Splits of these graphs whose triples are kept.
    """
    offered = (p.parent.name for p in require(folder / "types", "CoDEx").glob("*/types.json"))
    kept = chosen_languages(languages, offered, "CoDEx")
    graph = Graph(
        name="codex",
        source="tsafavi/codex, folder data",
        licence="MIT",
        card=CARD,
        build={"languages": kept, "graphs": list(graphs), "splits": list(splits)},
        keep_unlabelled=True,
    )
    for language in kept:
        for id, texts in read_json(folder / "types" / language / "types.json").items():
            labels = graph.labels.setdefault(id, {})
            graph.kinds[id] = "type"
            if label := texts["label"].strip():
                labels[language] = label
            if description := texts["description"].strip():
                graph.descriptions.setdefault(id, {})[language] = description
        for id, texts in read_json(folder / "relations" / language / "relations.json").items():
            if label := texts["label"].strip():
                graph.relations.setdefault(id, {})[language] = label
    for name in graphs:
        for split in splits:
            for _, (subject, relation, object_) in read_tsv(folder / "triples" / name / f"{split}.txt", 3, log):
                graph.facts[subject, relation, object_] = None
    return graph
