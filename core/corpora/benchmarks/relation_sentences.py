"""KBP37, RELX and RELX-Distant: sentences whose two marked mentions stand in a relation (paper, section 5.3.1).

KBP37's format: a line `id <tab> "sentence with <e1> </e1> <e2> </e2>"`, a line with the relation, empty lines.

References: Zhang and Wang 2015, arXiv:1508.01006 (KBP37); Köksal and Özgür 2020, Findings of EMNLP (RELX).
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from core.corpora.benchmarks.draft import Draft
from core.corpora.rows import DataError, RowLog, read_json, read_lines, require

RELATIONS = (
    *("org:alternate_names", "org:city_of_headquarters", "org:country_of_headquarters", "org:founded"),
    *("org:founded_by", "org:members", "org:stateorprovince_of_headquarters", "org:subsidiaries"),
    *("org:top_members/employees", "per:alternate_names", "per:cities_of_residence", "per:countries_of_residence"),
    *("per:country_of_birth", "per:employee_of", "per:origin", "per:spouse", "per:stateorprovinces_of_residence"),
    "per:title",
)
LABELS = [*(f"{relation}({order})" for relation in RELATIONS for order in ("e1,e2", "e2,e1")), "no_relation"]
_ORDERS = [["<e1>", "</e1>", "<e2>", "</e2>"], ["<e2>", "</e2>", "<e1>", "</e1>"]]
_MARKER = re.compile(r"(</?e[12]>)")
_KBP37_CARD = """\
English sentences of TAC KBP and Wikipedia with one of 18 relations in either direction, or none: 37 classes. The
sentences are ASCII without commas; where a mention had no ASCII letters, it is empty. 48 test sentences are in train.
"""
_RELX_CARD = """\
502 sentences of KBP37's test file in English and their translations to German, Spanish, French and Turkish. <e1> is
always the first mention, so the direction of a label differs between languages (in 125 Turkish sentences).
"""
_DISTANT_CARD = """\
Sentences of Wikipedia with two linked entities (Q ids) that Wikidata relates (P id), not checked by people. Matching
the Multilingual Blanks pairs the sentences that mention the same two entities.
"""


class MarkerError(ValueError):
    """A sentence does not mark two mentions."""


def unmark(sentence: str) -> tuple[str, dict[str, tuple[int, int]]]:
    """Take the markers out of a sentence.

    Returns:
        The sentence, and the spans of `e1` and `e2` in it. Blanks between marker and mention belong to neither, and
        the blanks around an empty mention stay, so that `store.marked` gives the sentence back.

    Raises:
        MarkerError: If not each of `<e1> </e1> <e2> </e2>` is there once, and in order.
    """
    parts = _MARKER.split(sentence.strip())
    if parts[1::2] not in _ORDERS:
        found = " ".join(parts[1::2]) or "none"
        raise MarkerError(f"markers are not <e1> </e1> <e2> </e2>, once each: {found}")
    text, spans = parts[0], {}
    for opening, mention, after in ((parts[1], parts[2].strip(), parts[4]), (parts[5], parts[6].strip(), parts[8])):
        spans[opening[1:3]] = (len(text), len(text) + len(mention))
        text += mention + after
    return text, spans


def read_kbp37(folder: Path, log: RowLog) -> Draft:
    """Read KBP37.

    Args:
        folder: The folder with `train.txt`, `dev.txt`, `test.txt`.
        log: What becomes of bad rows.

    Raises:
        DataError: If a file is missing, or in strict mode a row is bad.
    """
    source = "github.com/zhangdongxu/kbp37, 7d88486a"
    draft = Draft("kbp37", "relation_classification", source, "none stated (TAC KBP documents)", _KBP37_CARD, LABELS)
    for name, split in (("train", "train"), ("dev", "valid"), ("test", "test")):
        _add_file(folder / f"{name}.txt", "en", split, draft, log)
    return draft


def read_relx(folder: Path, log: RowLog) -> Draft:
    """Read RELX, a test in five languages; KBP37 is its training data.

    Args:
        folder: The folder with `RELX_en.txt` and so on, or one with that as `RELX`.
        log: What becomes of bad rows.

    Raises:
        DataError: If there is no such file, or in strict mode a row is bad.
    """
    source = "github.com/boun-tabi/RELX, Datasets/RELX, 8bb6109c"
    draft = Draft("relx", "relation_classification", source, "MIT", _RELX_CARD, LABELS)
    for file, language in _by_language(folder, "RELX", "RELX_*.txt"):
        _add_file(file, language, "test", draft, log)
    return draft


def read_relx_distant(folder: Path, log: RowLog) -> Draft:
    """Read RELX-Distant, the training data of Matching the Multilingual Blanks.

    Args:
        folder: The folder with `RELX_distant_en.json` and so on, or one with that as `RELX-Distant`.
        log: What becomes of bad rows.

    Raises:
        DataError: If there is no such file, or in strict mode a row is bad.
    """
    source = "github.com/boun-tabi/RELX, Datasets/RELX-Distant, 8bb6109c"
    draft = Draft("relx-distant", "relation_classification", source, "MIT", _DISTANT_CARD)
    names: dict[str, str] = {}
    for file, language in _by_language(folder, "RELX-Distant", "RELX_distant_*.json"):
        instances = read_json(file)
        if not isinstance(instances, list):
            raise DataError(f"{file}: not a JSON list but {type(instances).__name__}.")
        for number, instance in enumerate(instances):
            try:
                row = _instance(instance)
            except (KeyError, TypeError, ValueError) as error:
                what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
                log.bad(file, 0, "not an instance of RELX-Distant", str(instance), f"[{number}]: {what}")
                continue
            draft.add("examples", language, "train", f"{language}-{number}", *row)
            names.setdefault(instance["relation"], instance.get("relation_name", ""))
    draft.labels = sorted(names)
    draft.build["relation_names"] = names
    return draft


def _instance(instance: dict[str, Any]) -> tuple[Any, ...]:
    """Columns of `examples` from `text` on."""
    text, spans = str(instance["sentence"]), [instance["entity1_indices"], instance["entity2_indices"]]
    for start, end in spans:
        if not 0 <= start < end <= len(text):
            raise ValueError(f"mention {start}:{end} is outside the sentence of {len(text)} characters")
    if spans[0][0] < spans[1][1] and spans[1][0] < spans[0][1]:
        raise ValueError(f"mentions {spans[0]} and {spans[1]} overlap")
    return text, *spans[0], *spans[1], instance["relation"], instance["entity1"], instance["entity2"]


def _by_language(folder: Path, name: str, pattern: str) -> list[tuple[Path, str]]:
    home = folder / name if (folder / name).is_dir() else folder
    files = sorted(home.glob(pattern))
    if not files:
        require(home / pattern, name)
    return [(file, file.stem.rsplit("_", 1)[1]) for file in files]


def _add_file(file: Path, language: str, split: str, draft: Draft, log: RowLog) -> None:
    seen: set[str] = set()
    for number, id, sentence, label in _records(file, log):
        if id in seen:
            log.bad(file, number, "repeated id", sentence, id)
            continue
        seen.add(id)
        add_example(draft, (file, number), language, split, id, sentence, label, LABELS, log)


def add_example(
    draft: Draft,
    where: tuple[Path, int],
    language: str,
    split: str,
    id: str,
    sentence: str,
    label: str,
    labels: Collection[str] | None,
    log: RowLog,
) -> None:
    """Add a marked sentence; one with other markers, or a label outside `labels`, is a bad row at `where`."""
    try:
        text, spans = unmark(sentence)
    except MarkerError as error:
        log.bad(*where, "mentions are not marked", sentence, str(error))
        return
    if labels is not None and label not in labels:
        log.bad(*where, "unknown label", sentence, f"{label!r}; allowed: {', '.join(sorted(labels))}")
        return
    empty = sum(start == end for start, end in spans.values())
    draft.build["empty_mentions"] = draft.build.get("empty_mentions", 0) + empty
    draft.add("examples", language, split, id, text, *spans["e1"], *spans["e2"], label, "", "")


def _records(file: Path, log: RowLog) -> Iterator[tuple[int, str, str, str]]:
    """(number of the second line, id, sentence, label) of every block of lines between empty ones."""
    block: list[str] = []
    number = 0
    for number, line in read_lines(file, log):
        if line.strip():
            block.append(line.strip())
        elif block:
            yield from _record(file, number - len(block), block, log)
            block = []
    if block:
        yield from _record(file, number - len(block) + 1, block, log)


def _record(file: Path, first: int, block: list[str], log: RowLog) -> Iterator[tuple[int, str, str, str]]:
    id, tab, quoted = block[0].partition("\t")
    if len(block) != 2:
        log.bad(file, first, "not a sentence and a relation between empty lines", block[0], f"{len(block)} lines")
    elif not tab or len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"':
        log.bad(file, first, 'not an id, a tab and a sentence in "quotes"', block[0])
    else:
        yield first, id, quoted[1:-1].strip(), block[1]
