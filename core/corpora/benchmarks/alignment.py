"""DBP15K and SRPRS, entity alignment of DBpedia graphs in the file layout of JAPE and RSN.

A folder per pair of languages, with `ent_ids_1`, `ent_ids_2` (id, URI), `ref_ent_ids` (id on side 1, id on side 2), and
where the source has them `triples_1`, `triples_2` (head, relation, tail) and `rel_ids_1`, `rel_ids_2` (id, URI). The
language of a side is that of its URIs. English is the source of every pair here, as in the paper's en -> xx.

References: Sun et al. 2017 (DBP15K); Guo et al. 2019 (SRPRS).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from core.corpora.benchmarks.draft import Draft
from core.corpora.rows import DataError, RowLog, check_end, read_tsv, require
from core.corpora.sources.dbp5l import name_of, relation_label
from core.corpora.splits import assign_splits

_HOST = re.compile(r"https?://(?:([a-z-]+)\.)?dbpedia\.org/")
_SEED_IDS_FROM = 15_000  # ref_ent_ids of DBP15K: tests are (i, i + 10,500) with i < 10,500, seeds have ids from 21,000
_DBP15K_CARD = """\
15,000 aligned entities of English and another language (French here), with the triples of both graphs. The files do not
say which pairs are seeds; by the layout of the ids the 10,500 pairs (i, i + 10,500) are the test and the other 4,500
the training pairs, the usual 30/70 split. Relations have no names. Half of the French names equal the English ones.
"""
_SRPRS_CARD = """\
10,500 aligned entities each of English-German and English-French, out of 15,000 entities a side. The benchmark's own
4,500 training pairs a side are not in this source, so the given pairs are split by a hash of the names: pairs that
share a name in a language, in either file, stay together. About 62 % of the pairs have equal names.
"""


@dataclass
class _Side:
    """Entities and relations of one side: id in the file -> row of the draft."""

    language: str
    entities: dict[int, int] = field(default_factory=dict)
    relations: dict[int, int] = field(default_factory=dict)


def read_dbp15k(folder: Path, log: RowLog, valid_share: float = 0.0) -> Draft:
    """Read DBP15K: every folder with `ref_ent_ids` under `folder`, or `folder` itself.

    Args:
        folder: The folder with `fr_en` and so on.
        log: What becomes of bad rows.
        valid_share: Share of the training pairs taken for validation; the published split has none.

    Raises:
        DataError: If a file is missing, or in strict mode a row is bad.
    """
    source = "github.com/1049451037/GCN-Align, data/, 4fc90c43"
    draft = Draft("dbp15k", "entity_alignment", source, "none stated", _DBP15K_CARD, build={"valid_share": valid_share})
    pairs = _read_folders(folder, draft, log)
    seeds = [pair for pair in pairs if pair[0] >= _SEED_IDS_FROM]
    splits = dict(zip(seeds, _hashed_splits(draft, seeds, valid_share, 0.0), strict=True))
    _add_pairs(draft, pairs, [splits.get(pair, "test") for pair in pairs])
    return draft


def read_srprs(folder: Path, log: RowLog, valid_share: float = 0.0, test_share: float = 0.7) -> Draft:
    """Read SRPRS: every folder with `ref_ent_ids` under `folder`, or `folder` itself.

    Args:
        folder: The folder with `srprs_de_en`, `srprs_fr_en`.
        log: What becomes of bad rows.
        valid_share: Share of the pairs for validation.
        test_share: Share of the pairs for the test; 0.7 is that of the benchmark.

    Raises:
        DataError: If a file is missing, or in strict mode a row is bad.
        ValueError: If the shares are no shares.
    """
    build = {"valid_share": valid_share, "test_share": test_share}
    source = "github.com/MaoXinn/SEU, KGs/, 3989b0f5"
    draft = Draft("srprs", "entity_alignment", source, "none stated", _SRPRS_CARD, build=build)
    pairs = _read_folders(folder, draft, log)
    _add_pairs(draft, pairs, _hashed_splits(draft, pairs, valid_share, test_share))
    return draft


Pair = tuple[int, int, int]  # smallest id of the pair in its file, row of the source, row of the target


def _read_folders(folder: Path, draft: Draft, log: RowLog) -> list[Pair]:
    files = [folder / "ref_ent_ids"] if (folder / "ref_ent_ids").exists() else sorted(folder.glob("*/ref_ent_ids"))
    if not files:
        require(folder / "ref_ent_ids", draft.name)
    rows: dict[tuple[str, str], int] = {}  # (language, URI) -> row: pairs of languages share their English entities
    return [pair for file in files for pair in _read_folder(file.parent, draft, log, rows)]


def _read_folder(folder: Path, draft: Draft, log: RowLog, rows: dict[tuple[str, str], int]) -> list[Pair]:
    needed = [require(folder / name, draft.name) for name in ("ent_ids_1", "ent_ids_2", "ref_ent_ids")]
    for file in (*needed, *sorted(folder.glob("triples_[12]"))):
        check_end(file, log)
    sides = [_read_side(folder, side, draft, log, rows) for side in (1, 2)]
    for side, names in enumerate(sides, 1):
        _read_triples(folder / f"triples_{side}", names, draft, log)
    languages = [side.language for side in sides]
    if languages.count("en") != 1:
        raise DataError(f"{folder}: the sides are {' and '.join(languages)}; one of them, not both, must be English.")
    order = (0, 1) if languages[0] == "en" else (1, 0)
    pairs, seen = [], set()
    file = folder / "ref_ent_ids"
    for number, cells in read_tsv(file, 2, log):
        ids = _integers(cells)
        if ids is None or any(id not in side.entities for id, side in zip(ids, sides, strict=True)):
            log.bad(file, number, "not two ids of the entity files", "\t".join(cells))
        elif ids in seen:
            draft.left_out["repeated pairs"] += 1
        else:
            seen.add(ids)
            source, target = (sides[at].entities[ids[at]] for at in order)
            pairs.append((min(ids), source, target))
    return pairs


def _read_side(folder: Path, side: int, draft: Draft, log: RowLog, rows: dict[tuple[str, str], int]) -> _Side:
    file = folder / f"ent_ids_{side}"
    found = _Side("")
    for number, cells in read_tsv(file, 2, log):
        host, name, ids = _HOST.match(cells[1]), name_of(cells[1]), _integers(cells[:1])
        if not (host and name and ids):
            log.bad(file, number, "not an id and a DBpedia URI", "\t".join(cells))
            continue
        language = host[1] or "en"
        found.language = found.language or language
        if language != found.language:
            log.bad(file, number, "another language", cells[1], f"{language}, but the file began with {found.language}")
        elif ids[0] in found.entities:
            log.bad(file, number, "repeated id", "\t".join(cells))
        else:
            key = (language, cells[1])
            if key not in rows:
                rows[key] = draft.add("entities", language, f"{folder.name}/{ids[0]}", name, cells[1])
            found.entities[ids[0]] = rows[key]
    if not found.entities:
        raise DataError(f"{file} holds no entity.")
    file = folder / f"rel_ids_{side}"
    for number, cells in read_tsv(file, 2, log) if file.exists() else ():
        name, ids = relation_label(cells[1]), _integers(cells[:1])
        if not (name and ids):
            log.bad(file, number, "not an id and a URI", "\t".join(cells))
            continue
        key = (found.language, cells[1])
        if key not in rows:
            rows[key] = draft.add("relations", found.language, cells[1], name, cells[1])
        found.relations[ids[0]] = rows[key]
    return found


def _read_triples(file: Path, side: _Side, draft: Draft, log: RowLog) -> None:
    """Triples of a side, all for training; a relation that no file names has an empty name."""
    for number, cells in read_tsv(file, 3, log) if file.exists() else ():
        ids = _integers(cells)
        if ids is None or ids[0] not in side.entities or ids[2] not in side.entities:
            log.bad(file, number, "not the ids of a triple of listed entities", "\t".join(cells))
            continue
        if ids[1] not in side.relations:
            side.relations[ids[1]] = draft.add("relations", side.language, f"{file.parent.name}/{ids[1]}", "", "")
        draft.add(
            "triples", side.language, "train", side.entities[ids[0]], side.relations[ids[1]], side.entities[ids[2]]
        )


def _integers(cells: list[str]) -> tuple[int, ...] | None:
    try:
        return tuple(int(cell) for cell in cells)
    except ValueError:
        return None


def _hashed_splits(draft: Draft, pairs: list[Pair], valid_share: float, test_share: float) -> list[str]:
    """A split for every pair; pairs that share a name in a language are in one split."""
    entities = draft.rows["entities"]
    labels = {}
    for number, (_, *ends) in enumerate(pairs):
        labels[str(number)] = {entities[row][0]: entities[row][2] for row in ends}
    return list(assign_splits(labels, dict.fromkeys(labels, "pair"), valid_share, test_share).values())


def _add_pairs(draft: Draft, pairs: list[Pair], splits: list[str]) -> None:
    entities = draft.rows["entities"]
    for (_, source, target), split in zip(pairs, splits, strict=True):
        draft.add("pairs", entities[source][0], entities[target][0], split, source, target)
