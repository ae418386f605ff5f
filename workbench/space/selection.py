"""What the entity space page shows: the space and its view, drawn in the sidebar; the entity; the names selected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from core.languages import describe
from core.runs.spaces import LAYOUTS, Space, names_of_spaces
from core.runs.store import RunDir, RunError
from workbench import loaders, pickers
from workbench.space import loaders as space_loaders
from workbench.space import tables as space_tables
from workbench.space.charts import COLOURS

ALONE = "none"
MOST_NAMES = 200  # that a select box offers
CHART = "space_points"  # key of the chart whose points can be selected
_PICKED, _SEEN, _SPACE = "_space_picked", "_space_seen", "_space_of"


@dataclass(frozen=True)
class View:
    """One space and how it is shown.

    Attributes:
        run: Whose space it is.
        name: Name of the space.
        space: The space.
        systems: Numbers of the one or two systems shown.
        layout: The layout shown.
        by: What points are coloured by.
        languages: Languages shown, () for all.
    """

    run: RunDir
    name: str
    space: Space
    systems: tuple[int, ...]
    layout: str
    by: str
    languages: tuple[str, ...]


def pick_run() -> RunDir | None:
    """A run, first those with a space; None when there are no runs (and the page says so)."""
    runs = loaders.all_runs()
    if not runs:
        st.info("There are no runs yet. Start the demo on the overview, or with: workbench demo")
        return None
    with st.sidebar:
        return pickers.pick_run(sorted(runs, key=lambda run: not names_of_spaces(run)))


def pick_view(run: RunDir) -> View | None:
    """The space of a run and its view, or None when it has none that can be read (and the page says so)."""
    names = names_of_spaces(run)
    if not names:
        return None
    with st.sidebar:
        name = pickers.choose("Space", "space", names, _space_title) if len(names) > 1 else names[0]
    try:
        space = space_loaders.space(run, name)
    except RunError as error:
        st.info("This entity space cannot be shown. Make it again.")
        st.text(str(error))
        return None
    with st.sidebar:
        system = pickers.choose("System", "system", space.systems)
        others = [*(other for other in reversed(space.systems) if other != system), ALONE]  # before and after
        beside = pickers.choose(
            "Beside it", "space_beside", others, lambda name: "no second system" if name == ALONE else name
        )
        layouts = [key for key in reversed(LAYOUTS) if key in space.layouts]
        layout = pickers.choose("Layout", "layout", layouts, _layout_title, help=_layouts_help())
        by = pickers.choose("Colour by", "colour", list(COLOURS), COLOURS.__getitem__)
        codes = [space.languages[number] for number in space_tables.by_family(space)]
        pickers.fit_many("space_languages", codes)
        languages = st.multiselect(
            "Languages",
            codes,
            key="space_languages",
            persist_state="session",
            format_func=lambda code: f"{describe(code).name} ({code})",
            placeholder="All",
        )
    systems = (space.systems.index(system), *([] if beside == ALONE else [space.systems.index(beside)]))
    return View(run, name, space, systems, layout, by, tuple(languages))


def pick_entity(space: Space) -> int | None:
    """Number of the entity that was searched for in any language, or None."""
    left, right = st.columns([2, 3])
    with left:
        asked = st.text_input("Find an entity by a name in any language", key="space_find", persist_state="session")
    found = [space.entities[number] for number in space_tables.matches(space, asked)]
    known = st.session_state.get("entity")
    options = found or ["", *([known] if known in space.entities else [])]
    titles = {
        space.entities[n]: space_tables.entity_title(space, n) for n in map(space.entities.index, filter(None, options))
    }
    if found and known not in found:
        st.session_state["entity"] = found[0]
    with right:
        chosen = pickers.choose("Entity", "entity", options, lambda id: titles.get(id, "none"))
    if asked.strip() and not found:
        st.caption("No entity of this space has such a name.")
    return space.entities.index(chosen) if chosen else None


def picked_names(view: View) -> tuple[int, ...]:
    """The names selected on the chart, under any of the systems shown; empty selections of a redrawn chart do not count."""
    state, place = st.session_state, (view.run.name, view.name)
    if state.get(_SPACE) != place:
        state[_SPACE], state[_PICKED] = place, ()
        state[_SEEN] = _selected(state.get(CHART), len(view.space))
    now = _selected(state.get(CHART), len(view.space))
    if now != state[_SEEN]:
        state[_SEEN] = now
        state[_PICKED] = now or state[_PICKED]
    return state[_PICKED]


def clear() -> None:
    """Forget the names selected."""
    st.session_state[_PICKED] = ()


def _selected(event: Any, names: int) -> tuple[int, ...]:
    """Names among the points of a selection, each once."""
    points: Sequence[Any] = (event or {}).get("selection", {}).get("points", ())
    found = [np.ravel(point["customdata"])[0] for point in points if point.get("customdata") is not None]
    return tuple(sorted({int(name) for name in found if 0 <= int(name) < names}))


def _space_title(name: str) -> str:
    try:
        return pickers.task_title(name)
    except (KeyError, ValueError):
        return name


def _layout_title(layout: str) -> str:
    return {"pca": "PCA", "umap": "UMAP", "aligned": "Aligned UMAP"}[layout]


def _layouts_help() -> str:
    return "\n\n".join(f"**{_layout_title(key)}**: {meaning}" for key, meaning in LAYOUTS.items())
