"""WK3L-60k, entity alignment of English with German and French (Chen et al. 2017, IJCAI; paper, section 5.2.2).

The released format: `alignment/{a}_{b}_60k_{train25,test75}.csv`, two names a line with `@@@` between, and where the
folder has them `structure/{language}_60k.csv`, triples of names. Names are lower-cased and stand for the entities:
there are no ids. The authors' own extension writes further `en_{language}_60k_test75.csv`, which are read as well.
The files are in no repository that was found; the format is that of the code that reads them (MTransE, JEANS,
PyKEEN's WK3L classes, and `load_data` of yifan-h/Multilingual_Space, exp/kge/utils.py).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from core.corpora.benchmarks.draft import Draft
from core.corpora.rows import DataError, RowLog, read_lines
from core.corpora.splits import assign_splits

_FILE = re.compile(r"([a-z-]+)_([a-z-]+)_60k_(train|test)\d*\.csv")
_GRAPH_FILE = re.compile(r"([a-z-]+)_60k\.csv")
_BETWEEN = "@@@"
CARD = """\
Names of one entity in two languages, 25 % for training and 75 % for the test. Names are lower-cased Wikipedia titles
and are the only ids, so homonyms are one entity, and an entity may have several partners.
"""


def read(folder: Path, log: RowLog, valid_share: float = 0.0) -> Draft:
    """Read WK3L-60k.

    Args:
        folder: The folder with `alignment`, or that folder itself.
        log: What becomes of bad rows.
        valid_share: Share of the training pairs taken for validation; the published split has none.

    Raises:
        DataError: If there is no alignment file, or in strict mode a row is bad.
    """
    home = folder / "alignment" if (folder / "alignment").is_dir() else folder
    files = [(file, match) for file in sorted(home.glob("*.csv")) if (match := _FILE.fullmatch(file.name))]
    if not files:
        raise DataError(f"wk3l60k: {home} holds no file such as en_de_60k_train25.csv.")
    source = "github.com/muhaochen/MTransE, WK3L-60k; read from a folder"
    build = {"valid_share": valid_share, "files": [file.name for file, _ in files]}
    draft = Draft("wk3l60k", "entity_alignment", source, "none stated", CARD, build=build)
    rows: dict[tuple[str, str], int] = {}
    train: dict[tuple[int, int], dict[str, str]] = {}
    test: dict[tuple[int, int], dict[str, str]] = {}
    for file, match in files:
        a, b, split = match.groups()
        for number, names in _names(file, 2, log):
            pair = (_row(rows, draft, "entities", a, names[0]), _row(rows, draft, "entities", b, names[1]))
            known = test if split == "test" else train
            if pair in known:
                draft.left_out[f"repeated pairs, {a}-{b} {split}"] += 1
            known[pair] = {a: names[0], b: names[1]}
            if pair in train and pair in test:
                log.bad(file, number, "a pair is in train and test", _BETWEEN.join(names), "kept in train")
                test.pop(pair)
    labels = {str(number): names for number, names in enumerate(train.values())}
    splits = assign_splits(labels, dict.fromkeys(labels, "pair"), valid_share, 0.0).values()
    for (pair, name), split in [*zip(train.items(), splits, strict=True), *((item, "test") for item in test.items())]:
        draft.add("pairs", *name, split, *pair)
    for file in sorted((folder / "structure").glob("*.csv")):
        if match := _GRAPH_FILE.fullmatch(file.name):
            for _, (subject, relation, object_) in _names(file, 3, log):
                ends = [_row(rows, draft, "entities", match[1], name) for name in (subject, object_)]
                at = _row(rows, draft, "relations", match[1], relation)
                draft.add("triples", match[1], "train", ends[0], at, ends[1])
    return draft


def _names(file: Path, count: int, log: RowLog) -> Iterator[tuple[int, list[str]]]:
    for number, line in read_lines(file, log):
        if not line.strip():
            continue
        names = [name.strip() for name in line.split(_BETWEEN)]
        if len(names) != count:
            log.bad(file, number, f"not {count} names with {_BETWEEN} between", line, f"has {len(names)}")
        elif not all(names):
            log.bad(file, number, "empty name", line)
        else:
            yield number, names


def _row(rows: dict[tuple[str, str], int], draft: Draft, table: str, language: str, name: str) -> int:
    """The row of a name; relations and entities have ids of their own, so one dictionary holds both."""
    key = (f"{table}/{language}", name)
    if key not in rows:
        rows[key] = draft.add(table, language, name, name, "")
    return rows[key]
