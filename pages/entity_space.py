"""Entity space: where the names of the same entities lie in many languages, before and after the adapters."""

import streamlit as st

from core.runs.spaces import LAYOUTS, MEASURES, names_of_spaces
from workbench import charts, pickers
from workbench.exports import menu
from workbench.space import charts as space_charts
from workbench.space import figures as space_figures
from workbench.space import loaders as space_loaders
from workbench.space import making as space_making
from workbench.space import selection as space_selection
from workbench.space import tables as space_tables
from workbench.space.selection import View

CAVEAT = (
    "A projection to two dimensions bends distances: what is near here may be far in the space, and the gaps and sizes "
    "of clusters mean nothing. The measures below and the nearest names are of the space itself."
)


def sentence(view: View) -> str:
    space, run, made = view.space, view.run, view.space.made
    systems = " and ".join(space.systems[number] for number in view.systems)
    fusion = f", fusion of {pickers.task_title(made['task'])}" if made["task"] else ""
    languages = len(view.languages) or len(space.languages)
    return (
        f"Names of {len(space.entities)} {made['split']} entities of {made['corpus']} in {languages} languages under "
        f"{systems}{fusion}: {LAYOUTS[view.layout]}. None was trained on; Hit@1 by cosine under protocol strict, among the "
        f"names of the sample. Run {run.name}, recipe {run.config.recipe}, seed {run.config.seed}; sampled with seed "
        f"{made['seed']}."
    )


def listed(view: View) -> list[str]:
    return ["workbench", "space", view.run.name, "--name", view.name, "--show"]


def chart(view: View, picked: tuple[int, ...], entity: int | None) -> None:
    space, run, shown = view.space, view.run, (view.systems, view.layout)
    drawn = [space_loaders.points(run, view.name, *shown, view.by, view.languages, p, entity) for p in (picked, ())]
    systems = [space.systems[number] for number in view.systems]
    alt = space_figures.points_caption(systems, view.layout, view.by)
    key, modes = space_selection.CHART, ("points", "box", "lasso")
    st.plotly_chart(drawn[0], key=key, on_select="rerun", selection_mode=modes, config=charts.CONFIG, alt=alt)
    st.caption(CAVEAT)
    chosen = f"{len(picked):,} names selected" if picked else "No names selected: click one, or draw a box or a lasso"
    linked = bool(picked) and bool(space_tables.linked_entities(space, picked, None))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(chosen + ("; their entities' names are linked." if linked else "."))
        st.button("Clear the selection", key="clear", on_click=space_selection.clear, disabled=not picked)
    words = space_figures.points_command(view, None if entity is None else space.entities[entity])
    rows = space_loaders.point_rows(run, view.name, *shown, view.languages)
    menu("points", figure=drawn[1], table=rows, name=f"{run.name}.space", runs=[run], command=words, caption=alt)


def near(view: View, picked: tuple[int, ...], entity: int | None) -> None:
    space = view.space
    st.header("Nearest names")
    of_entity = [n for n in range(len(space)) if entity is not None and space.entity[n] == entity]
    options = list(dict.fromkeys([*picked, *of_entity]))[: space_selection.MOST_NAMES]
    if not options:
        st.text("Select a name on the chart, or search for an entity above.")
        return
    if st.session_state.get("space_name") not in options:
        st.session_state["space_name"] = options[0]
    name = st.selectbox("Of", options, key="space_name", format_func=lambda n: space_tables.name_title(space, n))
    for column, system in zip(st.columns(len(view.systems)), view.systems, strict=True):
        found = space_tables.neighbours(space, system, name)
        rank = space.rank[system, name]
        with column:
            st.text(f"{space.systems[system]}: median rank of its translations {rank:g}")
            st.dataframe(found, hide_index=True, key=f"near_{system}", alt=f"Nearest names, {space.systems[system]}")
            file = f"{view.run.name}.nearest.{space.systems[system].lstrip('+').lower()}"
            menu(f"near_{system}", table=found, name=file, runs=[view.run], command=listed(view))


def retrieval(view: View) -> None:
    space, systems, languages = view.space, view.systems, view.languages
    st.header("Between languages")
    with st.columns(3)[0]:
        measure = pickers.choose("Measure", "measure", list(MEASURES), space_charts.measure_title)
    st.caption(f"{MEASURES[measure]}. Rows ask, columns answer; languages by family.")
    limits = space_charts.matrix_limits(space, systems, measure, languages)
    for column, system in zip(st.columns(len(systems)), systems, strict=True):
        title = space.systems[system]
        with column:
            st.text(title)
            figure = space_charts.matrix(space, system, measure, languages, limits)
            st.plotly_chart(figure, key=f"matrix_{system}", config=charts.CONFIG, alt=f"{MEASURES[measure]}, {title}")
            rows = space_tables.pair_rows(space, [system], measure, languages)
            file = f"{view.run.name}.{measure}.{title.lstrip('+').lower()}"
            words = space_figures.matrix_command(view, system, measure)
            menu(f"matrix_{system}", figure=figure, table=rows, name=file, runs=[view.run], command=words)


def measures(view: View) -> None:
    st.header("By system")
    table = space_tables.measures(view.space, view.languages)
    first = view.space.systems[0]
    st.caption(
        f"Means over pairs of the languages shown, uniformity over languages; each with its change against {first}. "
        "Alignment: squared distance of translations, smaller is better. Uniformity: smaller is more evenly spread. "
        "Hubness: skewness of N_10, smaller is better. A system that spreads names out has larger distances between all."
    )
    shown = table.rename(columns=space_tables.titles(first))
    formats = {
        column: st.column_config.NumberColumn(format=space_tables.number_format(column, first)) for column in shown
    }
    formats.pop("system")
    st.dataframe(shown, hide_index=True, key="space_measures", column_config=formats, alt="Measures by system")
    menu("measures", table=table, name=f"{view.run.name}.space_measures", runs=[view.run], command=listed(view))


def show(view: View) -> None:
    st.text(sentence(view))
    entity, picked = space_selection.pick_entity(view.space), space_selection.picked_names(view)
    chart(view, picked, entity)
    near(view, picked, entity)
    retrieval(view)
    measures(view)


st.title("Entity space")
run = space_selection.pick_run()
if run is not None:
    view = space_selection.pick_view(run)
    if view is not None:
        show(view)
    elif not names_of_spaces(run):
        space_making.offer(run)
