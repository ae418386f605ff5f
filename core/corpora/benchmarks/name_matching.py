"""Which entity of a label store an English name means: the rules by which a benchmark is carried to other languages."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.corpora.store import Corpus

UNMATCHED, AMBIGUOUS = -1, -2
Form = Literal["whole", "no_bracket", "no_comma"]
FORMS: tuple[Form, ...] = ("whole", "no_bracket", "no_comma")


@dataclass(frozen=True)
class MatchRules:
    """How English names find their entity.

    Attributes:
        forms: Forms of a name, tried in this order until one is known: `whole`; `no_bracket`, cut at the first " (";
            `no_comma`, cut at the first "," and then at the first " (".
        ignore_case: Compare in lower case.
        aliases: Where no label is equal, compare with aliases.
        ambiguous: A name that several entities have goes to none (`skip`), to the `first` or `last` in the store, or to
            the one with the `most_facts`. With `skip`, an entity that several names claim goes to the one that is its
            whole label, or to none ("Titanic (1953 film)" and "Titanic (1997 film)").
    """

    forms: tuple[Form, ...] = ("whole", "no_bracket")
    ignore_case: bool = False
    aliases: bool = False
    ambiguous: Literal["skip", "first", "last", "most_facts"] = "skip"


def form_of(name: str, form: Form) -> str:
    """A form of a name; see `MatchRules.forms`."""
    if form == "no_comma":
        name = name.split(",")[0]
    return name if form == "whole" else name.split(" (")[0]


def match_names(names: Sequence[str], labels: Corpus, rules: MatchRules, language: str = "en") -> np.ndarray:
    """The entity of the label store that each name means.

    Args:
        names: Names; equal ones get the same entity.
        labels: The label store.
        rules: The rules.
        language: Language of the names.

    Returns:
        Rows of the store's `entities`, `UNMATCHED` or `AMBIGUOUS`; shape (names,).
    """
    facts = np.zeros(labels.info.counts["entities"], np.int64)
    if rules.ambiguous == "most_facts":
        for column in ("subject", "object"):
            facts += np.bincount(labels.column("triples", column), minlength=len(facts))
    found: dict[str, int] = dict.fromkeys(names, UNMATCHED)
    level: dict[str, int] = {}  # how far down the rules a name was found
    rounds = [(form, table) for form in rules.forms for table in ("labels", *(["aliases"] if rules.aliases else []))]
    for depth, (form, table) in enumerate(rounds):
        forms = {name: _compared(form_of(name, form), rules) for name in found if found[name] == UNMATCHED}
        known = _entities_named(labels, table, set(forms.values()), language, rules)
        for name, text in forms.items():
            if text in known:
                found[name], level[name] = _chosen(known[text], rules, facts), depth
    if rules.ambiguous == "skip":
        _skip_contested(found, level)
    return np.array([found[name] for name in names], np.int64)


def labels_in(labels: Corpus, entities: np.ndarray, languages: Collection[str]) -> dict[str, dict[int, str]]:
    """Language -> entity row -> label, for these entities of the store and languages."""
    texts = labels.texts("labels")
    entity = labels.column("labels", "entity")
    rows = np.flatnonzero(texts.in_languages(languages) & np.isin(entity, entities))
    found: dict[str, dict[int, str]] = {language: {} for language in languages}
    for row, text in zip(rows, texts.text.take(pa.array(rows)).to_pylist(), strict=True):
        found[texts.languages[texts.language[row]]][int(entity[row])] = text
    return found


def _compared(text: str, rules: MatchRules) -> str:
    return pc.utf8_lower(text).as_py() if rules.ignore_case else text


def _entities_named(
    labels: Corpus, table: str, wanted: Iterable[str], language: str, rules: MatchRules
) -> dict[str, list[int]]:
    """Text -> rows of the entities that have it as their name, ascending."""
    texts = labels.texts(table)
    rows = np.flatnonzero(texts.in_languages([language]))
    compared = texts.text.take(pa.array(rows))
    if rules.ignore_case:
        compared = pc.utf8_lower(compared)
    equal = pc.is_in(compared, value_set=pa.array(sorted(wanted), pa.string())).to_numpy(zero_copy_only=False)
    entity = labels.column(table, "entity")
    found: dict[str, set[int]] = defaultdict(set)
    for row, text in zip(rows[equal], compared.filter(pa.array(equal)).to_pylist(), strict=True):
        found[text].add(int(entity[row]))
    return {text: sorted(entities) for text, entities in found.items()}


def _chosen(entities: list[int], rules: MatchRules, facts: np.ndarray) -> int:
    if len(entities) == 1 or rules.ambiguous == "first":
        return entities[0]
    if rules.ambiguous == "skip":
        return AMBIGUOUS
    return entities[-1] if rules.ambiguous == "last" else max(entities, key=lambda entity: (facts[entity], -entity))


def _skip_contested(found: dict[str, int], level: dict[str, int]) -> None:
    """Leave each entity to the one name that was found by the earliest rule, or to none."""
    best: dict[int, int] = {}
    for name, entity in found.items():
        if entity >= 0:
            best[entity] = min(level[name], best.get(entity, level[name]))
    claims = Counter(entity for name, entity in found.items() if entity >= 0 and level[name] == best[entity])
    for name, entity in found.items():
        if entity >= 0 and (claims[entity] > 1 or level[name] > best[entity]):
            found[name] = AMBIGUOUS
