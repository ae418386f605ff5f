"""The entity spaces of a run: names of entities in many languages, laid out and measured under several systems.

One `space/<name>.npz` holds one space: arrays only, texts as UTF-8 lines, so it is read without pickles. Coordinates are
integers of a thousandth of the layout's half width, finer than a pixel and half the size of floats.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.runs.store import RunDir, RunError, write_atomic

LAYOUTS: dict[str, str] = {  # layout -> what it is
    "pca": "principal components on one basis for all systems",
    "umap": "UMAP, each system by itself",
    "aligned": "aligned UMAP, one layout for all systems",
}
MEASURES: dict[str, str] = {  # measure of pairs of languages -> what it is
    "hits": "Hit@1: names of the row's language whose translation into the column's is the nearest name there",
    "alignment": "mean squared distance of translations, 0 to 4; smaller is better",
    "hubness": "skewness of N_10, how often a name of the column's is among the 10 nearest; above 1 there are hubs",
}
_STEPS = 1000
_NOWHERE = -(2**15)  # of a name that UMAP found no neighbours for
_FORMAT = 1


@dataclass(frozen=True)
class Space:
    """One space. Names are numbered as in `text`, languages and systems as in their lists.

    Attributes:
        systems: Systems, in the order of the arrays.
        languages: Codes of the languages.
        groups: Language group of each language.
        entities: Ids of the entities.
        kinds: Type of each entity.
        text: The names.
        entity: Entity of each name, int32, shape (names,).
        language: Language of each name, int16, shape (names,).
        layouts: Layout -> coordinates, float32, shape (systems, names, 2).
        neighbours: Nearest other names of each name, nearest first, int32, shape (systems, names, k).
        rank: Median rank of a name's translations, float32, shape (systems, names), NaN without one.
        pairs: Measure of `MEASURES` -> value, float32, shape (systems, languages, languages), NaN where there is none.
        uniformity: Log of the mean Gaussian potential of a language's names, float32, shape (systems, languages).
        shared: Entities that two languages share, int32, shape (languages, languages).
        made: What made it: run, task, seed, split, versions, counts, seconds.
    """

    systems: list[str]
    languages: list[str]
    groups: list[str]
    entities: list[str]
    kinds: list[str]
    text: list[str]
    entity: np.ndarray
    language: np.ndarray
    layouts: dict[str, np.ndarray]
    neighbours: np.ndarray
    rank: np.ndarray
    pairs: dict[str, np.ndarray]
    uniformity: np.ndarray
    shared: np.ndarray
    made: dict[str, Any]

    def __len__(self) -> int:
        return len(self.text)

    @cached_property
    def folded(self) -> list[str]:
        """The names without regard to case, for searching."""
        return [text.casefold() for text in self.text]


def system_means(space: Space, languages: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Measures of each system as means over pairs of some languages, or over those languages for the uniformity.

    Args:
        space: The space.
        languages: Languages to keep; none keeps all.

    Returns:
        One dict for each system: system, hits, alignment, uniformity, hubness; NaN where there is no pair.
    """
    kept = [number for number, code in enumerate(space.languages) if not languages or code in languages]
    grids = {key: values[:, kept][:, :, kept] for key, values in space.pairs.items()} | {
        "uniformity": space.uniformity[:, kept]
    }
    order = ("hits", "alignment", "uniformity", "hubness")
    return [
        {"system": system, **{key: _mean(grids[key][place]) for key in order}}
        for place, system in enumerate(space.systems)
    ]


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else float("nan")


def names_of_spaces(run: RunDir) -> list[str]:
    """Names of the spaces of a run, sorted."""
    return sorted(file.stem for file in run.space_file("any").parent.glob("*.npz") if not file.name.startswith("."))


def write_space(run: RunDir, name: str, space: Space) -> Path:
    """Store a space in a run in place of an earlier one of that name; returns its file."""
    file = run.space_file(name)
    file.parent.mkdir(exist_ok=True)
    lists = ("systems", "languages", "groups", "entities", "kinds", "made")
    about = {"format": _FORMAT, **{key: getattr(space, key) for key in lists}, "layouts": list(space.layouts)}
    arrays: dict[str, np.ndarray] = {
        "about": _bytes(json.dumps(about, ensure_ascii=False)),
        "text": _bytes("\n".join(text.replace("\n", " ") for text in space.text)),
        "entity": space.entity.astype(np.int32),
        "language": space.language.astype(np.int16),
        "neighbours": _differences(space.neighbours),
        "rank": space.rank.astype(np.float32),
        "uniformity": space.uniformity.astype(np.float32),
        "shared": space.shared.astype(np.int32),
    }
    for key, values in space.pairs.items():
        arrays[f"pairs_{key}"] = values.astype(np.float32)
    for key, values in space.layouts.items():
        arrays[f"layout_{key}"], arrays[f"unit_{key}"] = _rounded(values)
    room = io.BytesIO()
    np.savez_compressed(room, **arrays)  # type: ignore[arg-type]
    write_atomic(file, room.getvalue())
    return file


def read_space(run: RunDir, name: str) -> Space:
    """A space of a run.

    Raises:
        RunError: If there is none of that name, or its file is damaged or of another format.
    """
    file = run.space_file(name)
    again = f"Make it again: workbench space {run.name}"
    if not file.is_file():
        raise RunError(f"The run {run.name} has no entity space {name!r}. Make one: workbench space {run.name}")
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        about = json.loads(arrays["about"].tobytes())
        if about.pop("format") != _FORMAT:
            raise RunError(f"{file} is of another version of the workbench. {again}")
        return _read(about, arrays)
    except RunError:
        raise
    except Exception as error:  # a damaged archive raises what its bytes happen to lead to
        raise RunError(f"{file} is damaged ({type(error).__name__}). {again}") from error


def _read(about: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Space:
    text = arrays["text"].tobytes().decode().split("\n")
    layouts = {}
    for key in about.pop("layouts"):
        steps = arrays[f"layout_{key}"].astype(np.float32)
        layouts[key] = np.where(steps == _NOWHERE, np.float32(np.nan), steps * arrays[f"unit_{key}"])
    steps = arrays["neighbours"].astype(np.int32)
    space = Space(
        **about,
        text=text,
        entity=arrays["entity"],
        language=arrays["language"],
        layouts=layouts,
        neighbours=steps + np.arange(steps.shape[1], dtype=np.int32)[:, None],
        rank=arrays["rank"],
        pairs={key: arrays[f"pairs_{key}"] for key in MEASURES},
        uniformity=arrays["uniformity"],
        shared=arrays["shared"],
    )
    whole = {len(text)}
    if {len(space.entity), len(space.language), steps.shape[1], space.rank.shape[1]} != whole or any(
        values.shape != (len(space.systems), len(text), 2) for values in layouts.values()
    ):
        raise ValueError("its arrays do not fit each other")
    return space


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _rounded(layout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A layout as whole numbers of a unit, int16, and the unit, float32, shape ()."""
    there = np.isfinite(layout)
    unit = np.float32(max(float(np.abs(layout[there]).max(initial=0.0)), 1e-12) / _STEPS)
    return np.where(there, np.rint(np.where(there, layout, 0) / unit), _NOWHERE).astype(np.int16), np.asarray(unit)


def _differences(neighbours: np.ndarray) -> np.ndarray:
    """Neighbours as differences to their name: those of its own entity are near it, and small numbers pack well."""
    steps = neighbours.astype(np.int64) - np.arange(neighbours.shape[1])[:, None]
    fits = len(steps) == 0 or np.abs(steps).max(initial=0) < 2**15
    return steps.astype(np.int16 if fits else np.int32)
