"""X-FACTR (Jiang et al. 2020): 46,000 Wikidata facts of 46 relations, and names of their entities in 23 languages.

Names come in two kinds of file. A label file gives an entity's label. An alias file gives all its names sorted by code
point, so the first is not the label (Q2, the Earth, starts with "Blue Marble"). An entity's label is that of the label
file where it has one, else chosen by `_choose`; its other names are aliases.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

from core.corpora.graph import Graph, chosen_languages
from core.corpora.rows import RowLog, read_json_lines, read_tsv, require

LABEL_FILES = {  # folders of the label files; the twelve have templates too, which are no relation labels
    **{"bn": "bengali", "el": "greek", "es": "spanish", "fr": "french", "he": "hebrew", "hu": "hungarian"},
    **{"ko": "korean", "mr": "marathi", "ru": "russian", "tr": "turkish", "vi": "vietnamese", "yo": "yoruba"},
}
_CODES = {"pa": "ps"}  # the file's names have letters that only Pashto has, such as those of U+0681 and U+06D0
_USE_COUNTS = 3  # languages that use in the facts' texts counts as; more lets "Wagner" win over "Richard Wagner"
_UNSEEN = "\u200e\u200f\ufeff"  # direction marks and a byte order mark, around a name
CARD = """\
X-FACTR: Wikidata facts (mTRExf, 1,000 for each of 46 relations) and names of entities in 23 languages.

A label is the source's where it has a label file (bn, el, es, fr, he, hu, ko, mr, ru, tr, vi, yo). For all other
entities the source has names only, label and aliases together, and the label is chosen: names in the script of the
language first, then those that are no abbreviation (all capitals, or under four letters), then the one that most
languages share, where in English use in the facts' texts counts as three languages, then the shortest. The other names
are aliases.

How often that finds the label of entities that have a label file too, without looking at it: el 84 %, es 71 %, fr 78 %,
he 86 %, hu 92 %, ko 80 %, mr 91 %, ru 68 %, tr 88 %, vi 88 %, yo 87 % (the first name: 81, 62, 66, 83, 89, 78, 90, 62,
84, 84, 87 %). Of CoDEx types, which are common nouns: en 74 %, zh 62 % (the first name: 53 %, 58 %).

Outer spaces and direction marks are trimmed. Names without a letter or digit (flags, emoji), and names of one character
other than an ideograph, are left out, but for the label files', unless the reader is told to keep them.

The source's names for `pa` are Pashto, not Punjabi, so here they have the code `ps`.

Relation labels are English. Some objects do not fit the relation (field of work: painter), as in the source.
"""
Names = dict[str, dict[str, list[str]]]  # entity -> language -> names


def read(folder: Path, log: RowLog, languages: Collection[str] | None = None, odd_names: bool = False) -> Graph:
    """Read X-FACTR.

    Args:
        folder: The repository's folder `data`.
        log: What becomes of bad rows.
        languages: Codes of the languages whose names are kept; None keeps all 23. Chosen labels depend on all
            languages, so that they do not change with this.
        odd_names: Keep names made of symbols, and of one character.
    """
    alias_files = sorted(require(folder / "alias", "X-FACTR").glob("*/*.txt"))
    kept = chosen_languages(languages, LABEL_FILES.keys() | {_code(p) for p in alias_files}, "X-FACTR")
    graph = Graph(
        name="xfactr",
        source="jzbjyb/X-FACTR, folder data",
        licence="none stated; content from Wikidata (CC0) and T-REx",
        card=CARD,
        build={"languages": kept, "odd_names": odd_names},
    )
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    for language, name in LABEL_FILES.items():
        path = folder / name / f"TREx_{name}.txt"
        for line, (entity, text) in read_tsv(path, 2, log):
            if label := _trimmed(text):
                labels[entity][language] = label
            else:
                log.bad(path, line, "an empty label", entity)
    names: Names = defaultdict(lambda: defaultdict(list))
    for path in alias_files:
        code = _code(path)
        for line, (entity, *texts) in read_tsv(path, None, log):
            if not texts:
                log.bad(path, line, "an entity without a name", entity)
            names[entity][code] += _sound(texts, graph.left_out, odd_names)
    surface = _read_facts(folder, log, graph)
    _name(graph, kept, labels, names, surface)
    for _, row in read_json_lines(folder / "TREx-relations.jsonl", log, ("relation", "label")):
        if "en" in kept:
            graph.relations[row["relation"]] = {"en": row["label"]}
    return graph


def _read_facts(folder: Path, log: RowLog, graph: Graph) -> dict[str, Counter[str]]:
    """Fill in the facts; returns how often each entity goes by which English surface form."""
    surface: dict[str, Counter[str]] = defaultdict(Counter)
    keys = ("sub_uri", "predicate_id", "obj_uri", "sub_label", "obj_label")
    for path in sorted(require(folder / "mTRExf" / "sub", "X-FACTR").glob("*.jsonl")):
        for _, row in read_json_lines(path, log, keys):
            graph.facts[row["sub_uri"], row["predicate_id"], row["obj_uri"]] = None
            surface[row["sub_uri"]][row["sub_label"]] += 1
            surface[row["obj_uri"]][row["obj_label"]] += 1
    return surface


def _code(path: Path) -> str:
    return _CODES.get(path.stem, path.stem)


def _trimmed(text: str) -> str:
    return text.strip().strip(_UNSEEN).strip()


def _sound(texts: Iterable[str], left_out: Counter[str], odd_names: bool) -> list[str]:
    kept = []
    for text in filter(None, map(_trimmed, texts)):
        if odd_names or (any(c.isalnum() for c in text) and (len(text) > 1 or _script(text) == "CJK")):
            kept.append(text)
        else:
            left_out["names of one character" if text.isalnum() else "names without a letter or digit"] += 1
    return kept


def _name(
    graph: Graph,
    kept: Iterable[str],
    labels: Mapping[str, dict[str, str]],
    names: Names,
    surface: Mapping[str, Counter[str]],
) -> None:
    """Fill in labels and aliases of every entity, in the order of the ids' numbers."""
    latin = _mostly_latin(names)
    for entity in sorted(labels.keys() | names.keys(), key=lambda id: (len(id), id)):
        known, found = labels.get(entity, {}), names.get(entity, {})
        shared = Counter(t for code in known.keys() | found for t in {known.get(code), *found.get(code, ())})
        graph.labels[entity] = {}
        for code in kept:
            texts = list(dict.fromkeys(found.get(code, ())))
            if code in known:
                label = known[code]
            elif texts:
                used = surface.get(entity, Counter()) if code == "en" else Counter()
                label = _choose(texts, latin[code], used, shared)
            else:
                continue
            graph.labels[entity][code] = label
            if others := [t for t in texts if t != label]:
                graph.aliases.setdefault(entity, {})[code] = others


def _choose(texts: list[str], latin: bool, used: Counter[str], shared: Counter[str | None]) -> str:
    """The name that is most likely the label; see the card for how likely that is.

    Args:
        texts: The names, in the order of the file.
        latin: Whether the language is written in Latin letters.
        used: How often the facts' texts use a name.
        shared: How many languages have a name.
    """
    texts = [t for t in texts if (script := _script(t)) and (script == "LATIN") == latin] or texts
    texts = [t for t in texts if not _abbreviation(t)] or texts
    return min(texts, key=lambda t: (-shared[t] - _USE_COUNTS * (t in used), -used[t], len(t)))


def _mostly_latin(names: Names) -> dict[str, bool]:
    balance: Counter[str] = Counter()
    for languages in names.values():
        for code, texts in languages.items():
            balance[code] += sum(1 if _script(t) == "LATIN" else -1 for t in texts[:1])
    return {code: n > 0 for code, n in balance.items()}


def _script(text: str) -> str:
    """Script of the first letter by its Unicode name (`LATIN`, `CJK`, `HANGUL`, ...); empty where there is none."""
    return next((_script_of(c) for c in text if c.isalpha()), "")


@cache
def _script_of(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _abbreviation(text: str) -> bool:
    """Whether a name in a script with capitals is all capitals, or has fewer than four characters."""
    return text.lower() != text.upper() and (len(text) < 4 or text.isupper())
