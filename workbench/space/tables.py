"""Entity spaces -> tables, and what a page looks up in them; pure functions."""

import re
from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from core.languages import describe
from core.runs.spaces import MEASURES, Space, system_means

MOST_LINKED = 30  # entities whose names are linked


def in_languages(space: Space, languages: Sequence[str]) -> np.ndarray:
    """True for the names in some languages, none meaning all, shape (names,)."""
    wanted = np.asarray([not languages or code in languages for code in space.languages])
    return wanted[space.language]


def by_family(space: Space, languages: Sequence[str] = ()) -> list[int]:
    """Numbers of the languages by family, script and code; of some languages where they are given."""
    chosen = [n for n, code in enumerate(space.languages) if not languages or code in languages]
    keys = {n: describe(space.languages[n]) for n in chosen}
    return sorted(chosen, key=lambda n: (keys[n].family or "~", keys[n].script, keys[n].code))


def pair_rows(space: Space, systems: Sequence[int], measure: str, languages: Sequence[str] = ()) -> pd.DataFrame:
    """One measure of pairs of languages, long: system, source, target, entities, value; languages by family."""
    order, grid = by_family(space, languages), space.pairs[measure]
    rows = [
        (space.systems[s], space.languages[a], space.languages[b], int(space.shared[a, b]), float(grid[s, a, b]))
        for s, a, b in product(systems, order, order)
        if a != b
    ]
    return pd.DataFrame(rows, columns=["system", "source", "target", "entities", measure])


def measures(space: Space, languages: Sequence[str] = ()) -> pd.DataFrame:
    """Measures of each system, and their difference to those of the first one, which is the backbone where it is there.

    Returns:
        Columns system, hits (%), alignment, uniformity, hubness, and each of them with `_change`.
    """
    found = pd.DataFrame(system_means(space, languages))
    found["hits"] *= 100
    keys = [*MEASURES, "uniformity"]
    for key in keys:
        found[f"{key}_change"] = found[key] - found[key].iloc[0]
    return found[
        [
            "system",
            *(column for key in ("hits", "alignment", "uniformity", "hubness") for column in (key, f"{key}_change")),
        ]
    ]


def neighbours(space: Space, system: int, name: int) -> pd.DataFrame:
    """The nearest names of a name: place, name, language, entity, and whether it is the same entity's."""
    near = space.neighbours[system, name]
    return pd.DataFrame(
        {
            "place": range(1, len(near) + 1),
            "name": [space.text[n] for n in near],
            "language": [space.languages[code] for code in space.language[near]],
            "entity": [space.entities[number] for number in space.entity[near]],
            "same": space.entity[near] == space.entity[name],
        }
    )


def matches(space: Space, asked: str, limit: int = 50) -> list[int]:
    """Entities with a name like what was asked: the same, then beginning so, then holding it; ids count as names."""
    asked = re.sub(r"\s+", " ", asked.strip()).casefold()
    if not asked:
        return []
    found: tuple[dict[int, None], ...] = ({}, {}, {})
    for number, id in enumerate(space.entities):
        if id.casefold() == asked:
            found[0][number] = None
    for text, number in zip(space.folded, space.entity, strict=True):
        if asked in text:
            found[0 if text == asked else 1 if text.startswith(asked) else 2][int(number)] = None
    return list(dict.fromkeys(number for part in found for number in part))[:limit]


def entity_title(space: Space, entity: int) -> str:
    """An entity for people: its name in the first language that has one, and its id."""
    names = np.flatnonzero(space.entity == entity)
    return f"{space.text[names[0]]} · {space.entities[entity]}" if len(names) else space.entities[entity]


def linked_entities(space: Space, picked: Sequence[int], entity: int | None) -> list[int]:
    """Entities whose names are linked: the one searched for, and those of the selection unless they are too many."""
    chosen = list(dict.fromkeys(int(space.entity[name]) for name in picked))
    return list(dict.fromkeys([*([] if entity is None else [entity]), *(chosen if len(chosen) <= MOST_LINKED else [])]))


def name_title(space: Space, name: int) -> str:
    """A name for people: its text, language and entity."""
    return f"{space.text[name]} ({space.languages[space.language[name]]}) · {space.entities[space.entity[name]]}"


def titles(first: str) -> dict[str, str]:
    """Column of `measures` -> heading, with the system that changes are against."""
    names = {"hits": "Hit@1 (%)", "alignment": "alignment", "uniformity": "uniformity", "hubness": "hubness"}
    return names | {f"{key}_change": f"{title} - {first}" for key, title in names.items()}


def number_format(title: str, first: str) -> str:
    """Format of printf for a column with one of `titles`: changes have a sign."""
    digits = 1 if title.startswith("Hit@1") else 3
    return f"%{'+' if title.endswith(f' - {first}') else ''}.{digits}f"


def point_rows(space: Space, systems: Sequence[int], layout: str, languages: Sequence[str] = ()) -> pd.DataFrame:
    """Where the names lie, long: system, name, language, entity, type, x, y and the median rank of the translations."""
    shown = np.flatnonzero(in_languages(space, languages))
    about = pd.DataFrame(
        {
            "name": np.asarray(space.text, object)[shown],
            "language": np.asarray(space.languages, object)[space.language[shown]],
            "entity": np.asarray(space.entities, object)[space.entity[shown]],
            "type": np.asarray(space.kinds, object)[space.entity[shown]],
        }
    )
    parts = []
    for system in systems:
        x, y = space.layouts[layout][system][shown].T
        part = about.assign(x=x, y=y, rank=space.rank[system][shown])
        part.insert(0, "system", space.systems[system])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
