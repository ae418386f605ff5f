"""The parts of a dump -> a corpus, in passes over the parts: memory holds the kept items' ids, never their texts.

Entities come in the order of the dump. Tables are cut into row groups by row number alone, so the corpus does not
depend on how the dump was compressed, sharded or cut into parts.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.corpora.records import SPLITS, Progress
from core.corpora.store import SCHEMAS, CorpusError
from core.corpora.wikidata.options import DumpOptions
from core.corpora.wikidata.parts import Part, read_part
from core.corpora.wikidata.redirects import Redirects, places
from core.corpora.wikidata.row_groups import RowGroups
from core.corpora.writer import CorpusWriter

_GROUP = 1 << 17  # entities written at once
_PASSES = 5
_TEXTS = ("labels", "aliases", "descriptions")
SITELINKS = "sitelinks.parquet"
SITELINK_SCHEMA = pa.schema({"entity": pa.int32(), "language": pa.string(), "title": pa.string()})


class Assembly:
    """Puts parts together.

    Args:
        shards: Files of the parts of each shard, in order.
        options: What the parts were made with.
        redirects: Redirects that the dump does not state itself, shape (redirects, 2).
        progress: Called with (parts read, parts to read).
    """

    def __init__(
        self,
        shards: Sequence[Sequence[Path]],
        options: DumpOptions,
        redirects: np.ndarray,
        progress: Progress,
    ) -> None:
        self._parts = [path for shard in shards for path in shard]
        self._options, self._progress = options, progress
        self._read = 0
        self.counts: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._choose(redirects)

    def _each(self) -> Iterator[Part]:
        for path in self._parts:
            yield read_part(path)
            self._read += 1
            self._progress(self._read, _PASSES * len(self._parts))

    def _choose(self, redirects: np.ndarray) -> None:
        """One version of every item: the latest revision, of equal ones the first line; and no redirected item."""
        ids, revisions, positions, stated = [], [], [], [redirects]
        self._properties: dict[int, tuple[int, list[tuple[int, str]]]] = {}
        lines = 0
        for part in self._each():
            kept = part.table("kept")
            ids.append(kept["id"].to_numpy())
            revisions.append(kept["revision"].to_numpy())
            positions.append(kept["line"].to_numpy().astype(np.int64) + lines)
            stated.append(np.array(part.redirects, np.int64).reshape(-1, 2))
            self.counts.update(part.counts)
            self.counts["bytes of text"] += part.end if part.last else 0
            for number, revision, labels in part.properties:
                if number not in self._properties or revision > self._properties[number][0]:
                    self._properties[number] = revision, labels
            lines += part.lines
        self._redirects = Redirects(np.concatenate(stated))
        self._candidate = np.concatenate(ids)
        latest = np.concatenate(revisions)
        order = np.lexsort((np.arange(len(latest)), -latest, self._candidate))
        _, first = np.unique(self._candidate[order], return_index=True)
        best = np.sort(order[first])  # in the order of the dump
        best = best[~self._superseded(best, latest, np.concatenate(positions))]
        redirected = self._redirects.redirected(self._candidate[best])
        self._chosen = np.zeros(len(self._candidate), bool)
        self._chosen[best] = True
        self._moved = np.zeros(len(self._candidate), bool)
        self._moved[best[redirected]] = True
        self._own = self._chosen & ~self._moved
        entities = self._candidate[best[~redirected]]
        self.left_out["items: another line of the item counts"] = len(self._candidate) - len(best)
        self.left_out["items: redirected"] = int(redirected.sum())
        self.left_out["redirects in a circle"] = self._redirects.circles
        self._row_order = np.argsort(entities, kind="stable").astype(np.int32)
        self._entities = entities[self._row_order]  # sorted, to be searched
        self.ids = entities
        if not len(entities):
            raise CorpusError(
                f"No item is left: {self.counts['items']:,} items in {self.counts['lines']:,} lines, none with more than "
                f"{self._options.more_than_labels} labels in the {len(self._options.languages)} languages "
                f"({len(self._candidate)} before redirects). Lower --more-than-labels, or add languages."
            )

    def _superseded(self, best: np.ndarray, revisions: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """True for chosen items of which another line, with too few labels, counts; shape of `best`."""
        order = np.argsort(self._candidate[best])
        chosen = self._candidate[best][order]
        lost = np.zeros(len(best), bool)
        lines = 0
        for part in self._each():
            refused = part.table("refused")
            place = places(chosen, refused["id"].to_numpy())
            found = np.flatnonzero(place >= 0)
            other = order[place[found]]
            rival = best[other]
            revision = refused["revision"].to_numpy()[found]
            earlier = refused["line"].to_numpy()[found].astype(np.int64) + lines < positions[rival]
            lost[other[(revision > revisions[rival]) | ((revision == revisions[rival]) & earlier)]] = True
            lines += part.lines
            self.left_out["items: too few labels"] += len(place)
        return lost

    def _rows_of(self, ids: np.ndarray) -> np.ndarray:
        """Rows of items among the entities, -1 for those that are not kept, shape of `ids`."""
        place = places(self._entities, ids)
        return np.where(place >= 0, self._row_order[place], -1)

    def write(self, writer: CorpusWriter) -> None:
        """Write every table, and what was counted."""
        for start in range(0, len(self.ids), _GROUP):
            ids = _texts_of("Q", self.ids[start : start + _GROUP])
            columns = [
                ids,
                pa.repeat("item", len(ids)),
                pa.repeat(pa.scalar(SPLITS.index("train"), pa.int8()), len(ids)),
            ]
            writer.append("entities", pa.record_batch(columns, schema=SCHEMAS["entities"]))
        self._write_texts(writer)
        self._write_facts(writer)
        writer.note("read", dict(sorted(self.counts.items())))
        writer.note("left_out", dict(sorted((+self.left_out).items())))

    def _write_texts(self, writer: CorpusWriter) -> None:
        groups = {name: RowGroups(partial(writer.append, name)) for name in _TEXTS}
        with ExitStack() as files:
            if self._options.sitelinks:
                titles = pq.ParquetWriter(writer.room / SITELINKS, SITELINK_SCHEMA, compression="zstd")
                groups["sitelinks"] = RowGroups(files.enter_context(titles).write_batch)
            done = row = 0
            used: set[int] = set()
            for part in self._each():
                items = len(part.table("kept"))
                own = self._own[done : done + items]
                done += items
                rows = np.where(own, row + np.cumsum(own) - 1, -1).astype(np.int32)
                row += int(own.sum())
                used.update(np.unique(part.table("labels")["language"].to_numpy()).tolist())
                for name, group in groups.items():
                    group.add(self._text_rows(part.table(name), rows, name))
            for group in groups.values():
                group.close()
        writer.note("languages_without_labels", [c for i, c in enumerate(self._options.languages) if i not in used])

    def _text_rows(self, table: pa.Table, rows: np.ndarray, name: str) -> pa.Table:
        entity = rows[table["entity"].to_numpy()]
        kept = entity >= 0
        codes = pa.array(table["language"].to_numpy()[kept])
        language = pa.DictionaryArray.from_arrays(codes, self._options.languages).dictionary_decode()
        schema = SITELINK_SCHEMA if name == "sitelinks" else SCHEMAS[name]
        text = table["text"].combine_chunks().filter(pa.array(kept))
        return pa.Table.from_arrays([pa.array(entity[kept]), language, text], schema=schema)

    def _write_facts(self, writer: CorpusWriter) -> None:
        """Twice over the parts: relations and what moves to another subject first, then the triples."""
        used: set[int] = set()
        moved = [np.empty((0, 3), np.int32)]
        for facts, leaves, _ in self._facts():
            used.update(np.unique(facts[:, 1]).tolist())
            moved.append(facts[leaves])
        relations = np.array(sorted(used), np.int32)
        self._write_relations(writer, relations)
        movers = np.concatenate(moved)
        movers = movers[np.argsort(movers[:, 0], kind="stable")]
        group = RowGroups(partial(writer.append, "triples"))
        written = stated = 0
        for facts, leaves, (first, end) in self._facts():
            joined = slice(*np.searchsorted(movers[:, 0], (first, end)))
            facts = np.concatenate([facts[~leaves], movers[joined]])
            stated += len(facts)
            facts[:, 1] = np.searchsorted(relations, facts[:, 1])
            facts = facts[np.lexsort(facts.T[::-1])]
            facts = facts[np.append(True, (facts[1:] != facts[:-1]).any(axis=1))[: len(facts)]]
            written += len(facts)
            columns = [pa.array(column) for column in (*facts.T, np.full(len(facts), SPLITS.index("train"), np.int8))]
            group.add(pa.Table.from_arrays(columns, schema=SCHEMAS["triples"]))
        group.close()
        self.left_out["facts: stated twice after redirects"] = stated - written

    def _facts(self) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[int, int]]]:
        """Of each part: facts with both ends kept, which of them leave their item for another, and the part's rows.

        Facts are (subject's row, property, object's row), int32, shape (facts, 3).
        """
        done = row = 0
        dropped = 0
        for part in self._each():
            items = slice(done, done + len(part.table("kept")))
            done = items.stop
            table = part.table("facts")
            item = table["item"].to_numpy()
            subject = np.where(self._chosen[items], self._rows_of(self._redirects.of(self._candidate[items])), -1)[item]
            object_ = self._rows_of(self._redirects.of(table["object"].to_numpy()))
            kept = (subject >= 0) & (object_ >= 0)
            dropped += int((self._chosen[items][item] & ~kept).sum())
            facts = np.stack([subject, table["property"].to_numpy(), object_], axis=1)[kept].astype(np.int32)
            own = int(self._own[items].sum())
            yield facts, self._moved[items][item][kept], (row, row + own)
            row += own
        self.left_out["facts: an end is not kept"] = dropped

    def _write_relations(self, writer: CorpusWriter, relations: np.ndarray) -> None:
        writer.append("relations", pa.record_batch([_texts_of("P", relations)], schema=SCHEMAS["relations"]))
        labels = [self._properties.get(number, (0, []))[1] for number in relations.tolist()]
        rows = [
            (row, self._options.languages[language], text) for row, own in enumerate(labels) for language, text in own
        ]
        schema = SCHEMAS["relation_labels"]
        columns = [pa.array([r[i] for r in rows], type) for i, type in enumerate(schema.types)]
        writer.append("relation_labels", pa.record_batch(columns, schema=schema))
        self.counts["relations without a label"] = labels.count([])


def _texts_of(letter: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(letter, pc.cast(pa.array(numbers), pa.string()), "")
