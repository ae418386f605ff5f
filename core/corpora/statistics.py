"""`corpus stats`: what a corpus holds, in all and by language, in the terms of the paper's Tables 1 and 8."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from core.corpora.query import CorpusQuery
from core.corpora.store import Corpus
from core.folders import made_whole

FORMAT_VERSION = 1  # of what `kept` writes
_ROWS = 100_000  # of a table, taken in at once
_COUNTS = (
    "entities",
    "labels",
    "aliases",
    "descriptions",
    "triples",
    "relations",
    "mention_sentences",
    "triple_sentences",
)


@dataclass(frozen=True)
class Statistics:
    """What a corpus holds.

    Attributes:
        totals: Rows of the tables, and `languages` with labels; `label_pairs`: unordered pairs of labels of one entity,
            n(n-1)/2 for n labels, which is what EP draws (the paper calls both these and the labels "alignments");
            `mention_entities`: entities with a sentence of C1; `stated_triples`: triples with a sentence of C2.
        languages: One row a language with a label of anything or a sentence, sorted: `language`; `entities`,
            `relations` with a label, and `triples` with both ends labelled in it, each also as a share (0 to 1, of all
            entities, relations, triples); `labels`, `aliases`, `mention_sentences`, `triple_sentences`.
    """

    totals: dict[str, int]
    languages: pd.DataFrame

    def write(self, folder: Path) -> None:
        """Write `statistics.json` (the totals: Table 1) and `statistics.csv` (by language: Table 8) into a folder."""
        (folder / "statistics.json").write_text(json.dumps(self.totals, indent=2) + "\n", encoding="utf-8")
        self.languages.to_csv(folder / "statistics.csv", index=False, lineterminator="\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `write` left in a folder.

        Raises:
            OSError, ValueError: If it is not there, or damaged.
        """
        totals = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
        languages = pd.read_csv(folder / "statistics.csv", dtype={"language": "str"}, keep_default_na=False)
        return cls({str(name): int(number) for name, number in totals.items()}, languages)


def kept(corpus: Corpus, cache: Path) -> Statistics:
    """`count`, done once for a corpus of this content and kept in a folder of the cache.

    Raises:
        CorpusError: If a file of the corpus is damaged.
    """
    folder = cache / "corpus-statistics" / f"v{FORMAT_VERSION}-{corpus.info.fingerprint}"
    try:
        return Statistics.read(folder)
    except (OSError, ValueError):
        found = count(corpus)
        with made_whole(folder) as room:
            found.write(room)
        return found


def count(corpus: Corpus) -> Statistics:
    """Count a corpus; memory grows with the entities times the languages (a bit each), not with the labels.

    Raises:
        CorpusError: If a file of the corpus is damaged.
    """
    with CorpusQuery.of(corpus) as query:
        totals = {table: corpus.info.counts[table] for table in _COUNTS}
        totals["languages"] = query.number("SELECT count(DISTINCT language) FROM labels")
        totals["label_pairs"] = query.number(
            "SELECT sum(n * (n - 1) // 2) FROM (SELECT count(*) AS n FROM labels GROUP BY entity)"
        )
        totals["mention_entities"] = query.number("SELECT count(DISTINCT entity) FROM mention_sentences")
        totals["stated_triples"] = query.number("SELECT count(DISTINCT triple) FROM triple_sentences")
        counted = {
            "labels": "SELECT language, count(*) FROM labels GROUP BY language",
            "aliases": "SELECT language, count(*) FROM aliases GROUP BY language",
            "relations": "SELECT language, count(DISTINCT relation) FROM relation_labels GROUP BY language",
            "mention_sentences": "SELECT language, count(*) FROM mention_sentences GROUP BY language",
            "triple_sentences": "SELECT language, count(*) FROM triple_sentences GROUP BY language",
        }
        columns = {name: dict(query.rows(sql)) for name, sql in counted.items()}
    named = _labelled(corpus, sorted(columns["labels"]))
    columns |= {name: dict(zip(sorted(columns["labels"]), counts, strict=True)) for name, counts in named.items()}
    languages = sorted({language for column in columns.values() for language in column})
    frame = pd.DataFrame({"language": pd.array(languages, "str")})
    for name, share in (("entities", "entity_share"), ("relations", "relation_share"), ("triples", "triple_share")):
        frame[name] = [columns[name].get(language, 0) for language in languages]
        frame[share] = frame[name] / max(totals[name], 1)
    for name in ("labels", "aliases", "mention_sentences", "triple_sentences"):
        frame[name] = [columns[name].get(language, 0) for language in languages]
    return Statistics(totals, frame)


def _labelled(corpus: Corpus, languages: list[str]) -> dict[str, list[int]]:
    """For each language, `entities` with a label and `triples` whose ends both have one.

    The languages that an entity has a label in are a row of bits, so those of both ends of a triple are one AND.
    """
    number = {language: i for i, language in enumerate(languages)}
    has = np.zeros((corpus.info.counts["entities"], (len(languages) + 7) // 8), np.uint8)
    for batch in corpus.batches("labels", ["entity", "language"], _ROWS):
        codes = batch["language"].dictionary_encode()
        bit = np.asarray([number[code] for code in codes.dictionary.to_pylist()])[codes.indices.to_numpy()]
        np.bitwise_or.at(has, (batch["entity"].to_numpy(), bit // 8), (1 << (bit % 8)).astype(np.uint8))
    entities, triples = np.zeros((2, len(languages)), np.int64)
    for at in range(0, len(has), _ROWS):
        entities += _set_bits(has[at : at + _ROWS], len(languages))
    for batch in corpus.batches("triples", ["subject", "object"], _ROWS):
        both = has[batch["subject"].to_numpy()] & has[batch["object"].to_numpy()]
        triples += _set_bits(both, len(languages))
    return {"entities": entities.tolist(), "triples": triples.tolist()}


def _set_bits(rows: np.ndarray, bits: int) -> np.ndarray:
    """How many rows have each bit set, shape (bits,); `rows` is uint8, shape (rows, bytes)."""
    return np.unpackbits(rows, axis=1, count=bits, bitorder="little").sum(axis=0, dtype=np.int64)
