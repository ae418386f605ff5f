"""Figures as data: what is drawn where, without a browser."""

import pandas as pd
import pytest

from core.config import SYSTEMS
from workbench import charts

TITLES = {"kg_completion": "Completion", "ner": "Named entities"}


def rows(**other: object) -> pd.DataFrame:
    """Backbone and fusion on two tasks in two groups; one log."""
    found = [
        {"task": task, "system": system, "group": group, "language": None, "metric": metric, "value": value}
        for task, metric, start in (("kg_completion", "Hit@1", 10.0), ("ner", "F1", 70.0))
        for system, more in (("backbone", 0.0), ("+Fusion", 5.0))
        for group, value in (("Sup", start + more), ("ZS-In", start + more + 1))
    ]
    frame = pd.DataFrame(found).assign(low=lambda f: f.value - 1, high=lambda f: f.value + 2, seeds=1, log=float("nan"))
    frame.loc[0, "log"] = 11.5
    return frame.assign(**other)


def test_a_panel_per_task_and_a_colour_per_system() -> None:
    figure = charts.ablation_panels(rows(), TITLES)
    assert [note.text for note in figure.layout.annotations] == ["Completion", "Named entities"]
    assert (figure.layout.xaxis.ticktext, figure.layout.yaxis.title.text) == (("Sup", "ZS-In"), "Hit@1 (%)")
    assert figure.layout.yaxis2.title.text == "F1 (%)"
    solid = [t for t in figure.data if not t.marker.symbol.endswith("-open")]
    assert [(t.name, t.yaxis, t.showlegend) for t in solid] == [
        ("backbone", "y", True),
        ("+Fusion", "y", True),
        ("backbone", "y2", False),
        ("+Fusion", "y2", False),
    ]
    for trace in figure.data:
        assert trace.marker.color == charts.SYSTEM_COLORS[trace.name]
    fused = solid[1]
    assert list(fused.y) == [15, 16]
    assert list(fused.error_y.array) == [2, 2]
    assert list(fused.error_y.arrayminus) == [1, 1]


def test_dots_of_one_place_stand_side_by_side_and_do_not_meet_the_next() -> None:
    frame = pd.concat([rows()[lambda f: f.system == "backbone"].assign(system=s) for s in SYSTEMS], ignore_index=True)
    figure = charts.ablation_panels(frame, TITLES)
    places = [trace.x[0] for trace in figure.data if trace.yaxis == "y" and trace.error_y.array is not None]
    assert len(set(places)) == len(SYSTEMS)
    assert places == sorted(places)
    assert max(map(abs, places)) < 0.5
    assert sum(places) == pytest.approx(0)


def test_logs_are_hollow_at_the_place_of_their_system() -> None:
    figure = charts.ablation_panels(rows(), TITLES)
    (log,) = [trace for trace in figure.data if trace.marker.symbol.endswith("-open")]
    (solid,) = [t for t in figure.data if t.name == "backbone" and t.yaxis == "y" and t is not log]
    assert (log.name, log.showlegend) == ("backbone", False)
    assert log.y[0] == 11.5
    assert list(log.x) == list(solid.x)


def test_languages_are_places_too() -> None:
    frame = rows()
    figure = charts.ablation_panels(frame.assign(language=frame.group.map({"Sup": "de", "ZS-In": "eo"})), TITLES)
    assert figure.layout.xaxis.ticktext == ("de", "eo")


def test_a_system_that_the_first_panel_lacks_is_in_the_legend_once() -> None:
    frame = rows()[lambda f: (f.system == "backbone") | (f.task == "ner")]
    figure = charts.ablation_panels(frame, TITLES)
    shown = [(trace.name, trace.yaxis) for trace in figure.data if trace.showlegend]
    assert shown == [("backbone", "y"), ("+Fusion", "y2")]


def test_weights_are_symbols_and_systems_colours() -> None:
    values = {"last": [1.0, 8.0, 3.0], "strict": [2.0, 7.0, 4.0], "best-test": [5.0, 9.0, 6.0]}
    places = {"system": ["+Fusion", "backbone", "+Fusion"], "group": ["ZS-In", "Sup", "Sup"], "language": None}
    figure = charts.checkpoint_dots(pd.DataFrame(places | values), "F1 (%)")
    assert figure.layout.yaxis.ticktext == ("Sup, backbone", "Sup, +Fusion", "ZS-In, +Fusion")
    lines, dots = ([t for t in figure.data if t.mode == mode] for mode in ("lines", "markers"))
    assert [tuple(line.x) for line in lines] == [(7, 9), (3, 6), (1, 5)]
    assert [tuple(trace.x) for trace in dots] == [(8, 3, 1), (7, 4, 2), (9, 6, 5)]
    assert len({trace.marker.symbol for trace in dots}) == 3
    for trace in dots:
        assert trace.marker.color == tuple(charts.SYSTEM_COLORS[s] for s in ("backbone", "+Fusion", "+Fusion"))
