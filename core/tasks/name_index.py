"""The names of benchmark folders, tokenised in memory, and their entities as one numbered list.

A task reads one folder or several: the one it trains on, and those with tests in further languages. Entities of all
folders are numbered through, and relations too. A language's candidates and known answers are those of the folder that
its test comes from: folders share no ids.
"""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.corpora.benchmarks.store import BenchmarkData, Task
from core.corpora.draws import string_numbers
from core.corpora.records import SpecialTokens
from core.corpora.token_store import TokenTables
from core.tasks.sources import require_task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_CHUNK = 4096  # texts


class NameIndex:
    """Names, each string once: a `core.tasks.retrieval.TextIndex` whose rows are the different strings.

    Args:
        names: Names; equal ones may stand among them.
        tokenizer: A fast tokenizer.
        phrase_tokens: Names are cut to this many tokens.
        prefix: Text put before every text, such as "query: ".
    """

    def __init__(
        self, names: pa.Array, tokenizer: "PreTrainedTokenizerFast", phrase_tokens: int = 32, prefix: str = ""
    ) -> None:
        encoded = pc.dictionary_encode(names)
        strings = encoded.dictionary
        self.row = encoded.indices.to_numpy(zero_copy_only=False)  # of every given name
        self.exact, self.normalised = np.arange(len(strings)), string_numbers(strings)
        backend = tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        chunks = (strings[at : at + _CHUNK].to_pylist() for at in range(0, len(strings), _CHUNK))
        encodings = chain.from_iterable(backend.encode_batch_fast(c, add_special_tokens=False) for c in chunks)
        ids = [np.asarray(encoding.ids[:phrase_tokens], np.int32) for encoding in encodings]
        offsets = np.cumsum([0, *map(len, ids)])
        self.tokens = TokenTables(
            SpecialTokens.of(tokenizer, prefix), {"labels": np.concatenate(ids)}, {"labels": offsets}
        )


class Graphs:
    """Entities and relations of several folders, numbered through.

    Args:
        task: What the folders must be for.
        data: Folder with the training and validation split; without `tests` also the test.
        tests: Folders with tests; a language's is that of the first that has one.
        tokenizer: A fast tokenizer.
        phrase_tokens: Names are cut to this many tokens.
        prefix: Text put before every text.

    Attributes:
        folders: Every folder once, `data` first.
        index: The names of entities and relations.
        entity_text: Row of each entity's name in `index`, shape (entities,).
        entity_language: Its language, as text, shape (entities,).
        entity_folder: Number of its folder, shape (entities,).
        relation_text: Row of each relation's name in `index`, shape (relations,).
        relation_language: Its language, as text, shape (relations,).
        relation_folder: Number of its folder, shape (relations,).
        relation: Number of each relation, equal where a folder gives one id, shape (relations,).

    Raises:
        BenchmarkError: If a folder is for another task.
    """

    def __init__(
        self,
        task: Task,
        data: BenchmarkData,
        tests: Sequence[BenchmarkData],
        tokenizer: "PreTrainedTokenizerFast",
        phrase_tokens: int,
        prefix: str,
    ) -> None:
        require_task(task, (data, *tests))
        unique = {folder.info.fingerprint: folder for folder in (data, *tests)}
        self.task, self.folders = task, tuple(unique.values())
        self.test_folders = [list(unique).index(folder.info.fingerprint) for folder in tests or (data,)]
        names = [pc.cast(self._texts(table, "name"), pa.large_string()) for table in ("entities", "relations")]
        self.index = NameIndex(pa.concat_arrays(names), tokenizer, phrase_tokens, prefix)
        self.entity_text, self.relation_text = np.split(self.index.row, [len(names[0])])
        self.entity_language, self.relation_language = (
            self._texts(table, "language").to_numpy(zero_copy_only=False) for table in ("entities", "relations")
        )
        self.entity_folder, self.relation_folder = self._numbers("entities"), self._numbers("relations")
        self.relation = self._by_id("relations")

    @property
    def title(self) -> str:
        """Names of the folders with tests."""
        return " and ".join(dict.fromkeys(self.folders[folder].info.name for folder in self.test_folders))

    def table(self, name: str, languages: Sequence[str], rows: Sequence[str]) -> dict[str, np.ndarray]:
        """Columns of a table of all folders: `folder`, `split`, the columns `languages`, and references.

        Args:
            name: `triples` or `pairs`.
            languages: Its columns with languages.
            rows: Its columns that refer to entities or relations; `relation` refers to relations.
        """
        texts = ("split", *languages)
        found = {column: self._texts(name, column).to_numpy(zero_copy_only=False) for column in texts}
        for column in rows:
            counts = [f.info.counts["relations" if column == "relation" else "entities"] for f in self.folders]
            first = np.cumsum([0, *counts])
            found[column] = np.concatenate(
                [first[i] + folder.column(name, column).astype(np.int64) for i, folder in enumerate(self.folders)]
            )
        return found | {"folder": self._numbers(name)}

    def candidates(self, folder: int, language: str) -> np.ndarray:
        """Every entity of a language in a folder, ascending."""
        return np.flatnonzero((self.entity_folder == folder) & (self.entity_language == language))

    def same(self) -> np.ndarray:
        """A number per entity, equal where entities of several languages are one, shape (entities,).

        Entities are one where `pairs` say so, and, in languages that no pair of their folder has, where their ids are
        equal. (Languages with pairs may number their entities one by one, as DBP-5L does.)
        """
        pairs = self.table("pairs", ("source_language", "target_language"), ("source", "target"))
        numbered = self._by_id("entities")
        paired = {
            (folder, language)
            for end in ("source_language", "target_language")
            for folder, language in zip(pairs["folder"].tolist(), pairs[end].tolist(), strict=True)
        }
        places = zip(self.entity_folder.tolist(), self.entity_language.tolist(), strict=True)
        by_id = np.flatnonzero([place not in paired for place in places])
        _, first, group = np.unique(numbered[by_id], return_index=True, return_inverse=True)
        source = np.concatenate([pairs["source"], by_id])
        target = np.concatenate([pairs["target"], by_id[first][group]])
        return joined(source, target, len(self.entity_text))

    def _texts(self, table: str, column: str) -> pa.Array:
        return pa.chunked_array([folder.table(table)[column] for folder in self.folders]).combine_chunks()

    def _numbers(self, table: str) -> np.ndarray:
        return np.repeat(np.arange(len(self.folders)), [folder.info.counts[table] for folder in self.folders])

    def _by_id(self, table: str) -> np.ndarray:
        """A number per row, equal where rows of one folder have one id."""
        id = pc.dictionary_encode(self._texts(table, "id")).indices.to_numpy(zero_copy_only=False)
        return np.unique(np.stack([self._numbers(table), id]), axis=1, return_inverse=True)[1].reshape(-1)


def in_another_language(
    rows: np.ndarray, group: np.ndarray, language: np.ndarray, allowed: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """For each of `rows` one of its group in another language, drawn evenly; itself where there is none.

    Args:
        rows: Rows of what the next three describe, shape (asked,).
        group: Group of each row, shape (rows,).
        language: Its language, shape (rows,).
        allowed: Whether it may be drawn, shape (rows,).
        generator: What draws.

    Returns:
        Row numbers, shape (asked,).
    """
    spoken = np.unique(language, return_inverse=True)[1]
    place = group.astype(np.int64) * (int(spoken.max(initial=0)) + 1) + spoken
    offered = np.flatnonzero(allowed)
    offered = offered[np.argsort(place[offered], kind="stable")]
    low, high = (np.searchsorted(group[offered], group[rows], side) for side in ("left", "right"))
    own_low, own_high = (np.searchsorted(place[offered], place[rows], side) for side in ("left", "right"))
    others = (high - low) - (own_high - own_low)
    at = low + (generator.random(len(rows)) * others).astype(np.int64)
    at = np.where(at < own_low, at, at + own_high - own_low)
    found, some = rows.copy(), others > 0
    found[some] = offered[at[some]]
    return found


def joined(source: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
    """A number for each of `count` things, equal where links source[i] - target[i] lead from one to the other."""
    return connected_components(coo_array((np.ones(len(source), bool), (source, target)), (count, count)), False)[1]


def compact(numbers: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Numbers from 0 on, equal where the given ones are: at the rows `first` as small as can be, shape as given."""
    found = np.unique(numbers[first])
    order = np.concatenate([found, np.setdiff1d(numbers, found)])
    place = np.zeros(int(numbers.max(initial=0)) + 1, np.int64)
    place[order] = np.arange(len(order))
    return place[numbers]
