"""Probe: which adapter the fusion listens to, word by word, in sentences of one's own."""

from dataclasses import replace

import streamlit as st

from workbench import pickers
from workbench.probe import batch as probe_file
from workbench.probe import selection as probe_selection
from workbench.probe import views as probe_views
from workbench.probe.selection import Side
from workbench.probe.views import Seen

VIEWS = {
    "words": "Words by layer",
    "lines": "Lines compared",
    "knock-out": "Knock-out",
    "answers": "Nearest answers",
    "file": "File of sentences",
}


def sentence(sides: list[Side], without: list[str]) -> str:
    shown = "Which slot of the fusion has the largest attention weight on each word"
    shown += f", without {', '.join(without)}. " if without else ". "
    recipes = {s.run.name: f"Run {s.run.name}, recipe {s.run.config.recipe}, seed {s.run.config.seed}." for s in sides}
    return shown + " ".join(recipes.values()) + " A word's weight is the mean over its sub-words; no protocol applies."


def show_strips(seen: list[Seen]) -> None:
    for column, one in zip(st.columns(len(seen), gap="large"), seen, strict=True):
        with column:
            title = (
                one.side.title if len({s.side.run.name for s in seen}) < 2 else f"{one.side.run.name}: {one.side.title}"
            )
            st.markdown(f"**{title}**")
            probe_views.strips(one)


def show_view(seen: list[Seen], view: str) -> None:
    if view == "file":
        probe_file.file_view(seen[0].side, seen[0].without, seen[0].unit)
        return
    if view == "words":
        with st.columns(3)[0]:
            probe_views.pick_measure(seen[0].shown[0].slots)
    languages = probe_views.pick_answers() if view == "answers" else []
    for column, one in zip(st.columns(len(seen), gap="large"), seen, strict=True):
        with column:
            if view == "words":
                probe_views.words_view(one)
            elif view == "lines":
                probe_views.entity_view(one)
            elif view == "knock-out":
                probe_views.knock_out_view(one)
            else:
                probe_views.answers_view(one, languages)


def show(sides: list[Side]) -> None:
    without, unit = probe_selection.pick_without(sides[0]), probe_selection.pick_unit()
    st.text(sentence(sides, without))
    lines = probe_selection.type_lines()
    if not lines:
        st.info("Type a sentence, or choose one of the examples.")
        return
    seen = probe_views.look(sides, lines, without, unit)
    layer = probe_selection.pick_layer(min(one.shown[0].layers for one in seen))
    seen = [replace(one, layer=layer) for one in seen]
    show_strips(seen)
    pickers.fit("probe_view", list(VIEWS))
    view = st.segmented_control(
        "View",
        list(VIEWS),
        key="probe_view",
        required=True,
        persist_state="session",
        format_func=VIEWS.__getitem__,
        label_visibility="collapsed",
    )
    show_view(seen, view)


st.title("Probe")
sides = probe_selection.pick_sides()
if sides:
    try:
        show(sides)
    except (ValueError, RuntimeError, OSError) as error:
        st.info("This cannot be probed. Choose another run, or other weights.")
        st.text(str(error))
