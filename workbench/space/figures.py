"""The figures of entity spaces with the tables behind them, the same on the page and from `workbench figure`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from core.runs.spaces import LAYOUTS, MEASURES, Space, names_of_spaces, read_space
from core.runs.store import RunDir, RunError
from workbench.commands.options import require_known
from workbench.space import tables as space_tables

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from workbench.space.selection import View

Parts = tuple["go.Figure", pd.DataFrame, list[RunDir], str]


def points(
    run: str,
    name: str | None,
    systems: Sequence[str],
    layout: str | None,
    colour: str,
    languages: Sequence[str],
    entity: str | None,
) -> Parts:
    """Figure, table, run and caption of the points of a space; what is None is the page's first choice.

    Raises:
        RunError: If the run has no such space.
        ValueError: If the space lacks something that is asked for.
    """
    from workbench.space import charts as space_charts

    chosen, space = _space(run, name)
    systems = systems or list(dict.fromkeys([space.systems[0], space.systems[-1]]))
    layout = layout or next(key for key in reversed(LAYOUTS) if key in space.layouts)
    require_known("layout", [layout], space.layouts)
    require_known("system", systems, space.systems)
    require_known("colour", [colour], space_charts.COLOURS)
    require_known("language", languages, space.languages)
    require_known("entity", [entity] if entity else [], space.entities)
    numbers = [space.systems.index(system) for system in systems]
    place = space.entities.index(entity) if entity else None
    figure = space_charts.points(space, numbers, layout, colour, languages, (), place)
    rows = space_tables.point_rows(space, numbers, layout, languages)
    return figure, rows, [chosen], points_caption(systems, layout, colour)


def points_caption(systems: Sequence[str], layout: str, colour: str) -> str:
    """What a figure of points shows."""
    from workbench.space.charts import COLOURS

    return f"Names of test entities, {' beside '.join(systems)}, {LAYOUTS[layout]}, coloured by {COLOURS[colour]}"


def points_command(view: "View", entity: str | None) -> list[str]:
    """The command that draws the points of the page; a selection of names is not drawn again."""
    from workbench.figures import command

    systems = [view.space.systems[number] for number in view.systems]
    options = {"layout": view.layout, "colour": view.by, "entity": entity}
    return command("space", view.run.name, name=view.name, system=systems, language=view.languages, **options)


def matrix_command(view: "View", system: int, measure: str) -> list[str]:
    """The command that draws the matrix of one of the page's systems."""
    from workbench.figures import command

    others = [view.space.systems[number] for number in view.systems if number != system]
    options = {"system": view.space.systems[system], "beside": others[0] if others else None, "measure": measure}
    return command("matrix", view.run.name, name=view.name, language=view.languages, **options)


def matrix(
    run: str, name: str | None, system: str | None, beside: str | None, measure: str, languages: Sequence[str]
) -> Parts:
    """Figure, table, run and caption of a measure of pairs of languages under a system.

    Raises:
        RunError: If the run has no such space.
        ValueError: If the space lacks something that is asked for.
    """
    from workbench.space import charts as space_charts

    chosen, space = _space(run, name)
    system = system or space.systems[0]
    shown = [system, *([beside] if beside else [])]
    require_known("system", shown, space.systems)
    require_known("measure", [measure], MEASURES)
    require_known("language", languages, space.languages)
    numbers = [space.systems.index(one) for one in shown]
    limits = space_charts.matrix_limits(space, numbers, measure, languages)
    figure = space_charts.matrix(space, numbers[0], measure, languages, limits)
    rows = space_tables.pair_rows(space, numbers[:1], measure, languages)
    return figure, rows, [chosen], f"{MEASURES[measure]}; {system}"


def _space(run: str, name: str | None) -> tuple[RunDir, Space]:
    chosen = RunDir.open(run)
    names = names_of_spaces(chosen)
    if not names:
        raise RunError(f"The run {run} has no entity space. Make one: workbench space {run}")
    require_known("name", [name] if name else [], names)
    return chosen, read_space(chosen, name or names[0])
