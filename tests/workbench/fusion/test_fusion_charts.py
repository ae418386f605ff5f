"""Fusion maps as figures: which numbers lie where, and which of them are faded."""

import numpy as np
import pandas as pd
import pytest

from core.evaluation.fusion_map import to_frame
from tests.made_maps import GROUPS, rows
from workbench.charts import SYSTEM_COLORS
from workbench.fusion import charts


@pytest.fixture
def frame() -> pd.DataFrame:
    """Weights of `ep` by layer: 0.5 and 0.7 in ner, 0.2 and 0.3 in completion; untrained 0.5, from 0.4 to 0.75."""
    made = to_frame(rows())
    return made.assign(group=made.language.map(GROUPS))


def of(found: pd.DataFrame, task: str) -> pd.DataFrame:
    return found[found.task == task]


def drawn(frame: pd.DataFrame, task: str, measure: str = "weight", view: str = "trained", large: bool = True):
    found = charts.cells(frame, measure)
    return charts.draw(of(found, task), measure, view, charts.limits(found, measure, view), large)


def test_cells_inside_the_range_of_untrained_fusions_are_faded(frame: pd.DataFrame) -> None:
    solid, faded, numbers = drawn(frame, "ner").data
    assert (solid.opacity, faded.opacity < 0.4) == (1.0, True)
    assert np.isnan(solid.z).all()
    assert faded.z == pytest.approx(np.array([[0.5, 0.5], [0.3, 0.7]]))  # layer x slot
    assert list(numbers.text) == ["0.50", "0.50", "0.30", "0.70"]
    assert list(zip(numbers.x, numbers.y, strict=True)) == [(0, 0), (1, 0), (0, 1), (1, 1)]
    solid, faded, numbers = drawn(frame, "kg_completion").data
    assert solid.z == pytest.approx(np.array([[0.8, 0.2], [0.7, 0.3]]))
    assert solid.text.tolist() == [["0.80*", "0.20*"], ["0.70*", "0.30*"]]
    assert np.isnan(faded.z).all()
    assert len(numbers.text) == 0
    assert "ep: 0.200 [0.100, 0.300]<br>untrained 0.500 [0.400, 0.750]: outside" in solid.hovertext[0][1]


def test_a_map_is_part_solid_and_part_faded(frame: pd.DataFrame) -> None:
    solid, faded, _ = drawn(charts.among(frame, "eo"), "ner").data  # 0.1 and 0.3: below; identity 0.9 and 0.7: above
    assert solid.z == pytest.approx(np.array([[0.9, 0.1], [0.7, 0.3]]))
    part = charts.among(frame, "de")  # ep 0.6, 0.8; identity 0.4, 0.2, chance 0.25 to 0.6
    solid, faded, numbers = drawn(part, "ner").data
    np.testing.assert_allclose(solid.z, [[np.nan, np.nan], [0.2, 0.8]])
    np.testing.assert_allclose(faded.z, [[0.4, 0.6], [np.nan, np.nan]])
    assert list(numbers.text) == ["0.40", "0.60"]
    assert solid.text.tolist() == [["", ""], ["0.20*", "0.80*"]]  # nothing under the numbers of faded cells


def test_views(frame: pd.DataFrame) -> None:
    solid, faded, _ = drawn(frame, "ner", view="null").data
    assert (solid.z == 0.5).all()
    assert np.isnan(faded.z).all()
    assert not any("*" in text for line in solid.text for text in line)
    solid, *_ = drawn(frame, "kg_completion", view="difference").data
    assert solid.z == pytest.approx(np.array([[0.3, -0.3], [0.2, -0.2]]))
    assert solid.text[0].tolist() == ["+0.30*", "-0.30*"]
    assert solid.colorscale[0][1] == charts.DIVERGING[0][1]
    assert solid.colorscale[1][1] == "#d9d9d9"


def test_tasks_share_one_scale(frame: pd.DataFrame) -> None:
    for view, ends in (("trained", (0.0, 0.8)), ("null", (0.0, 0.8)), ("difference", (-0.3, 0.3))):
        for task in ("ner", "kg_completion"):
            for trace in drawn(frame, task, view=view).data[:2]:
                assert (trace.zmin, trace.zmax) == pytest.approx(ends)
    contributions = charts.cells(frame, "contribution")
    assert charts.limits(contributions, "contribution", "trained")[1] == pytest.approx(
        np.quantile(contributions.value, 0.9)
    )


def test_slots_and_layers_keep_their_order_and_small_maps_have_no_numbers(frame: pd.DataFrame) -> None:
    figure = drawn(frame, "ner", large=False)
    assert figure.layout.xaxis.ticktext == ("identity", "ep")
    assert tuple(figure.data[0].y) == (0, 1)
    assert len(figure.data) == 2
    assert [trace.text for trace in figure.data] == [None, None]
    assert not any(trace.showscale for trace in figure.data)
    assert drawn(frame, "ner").data[0].showscale


def test_without_untrained_fusions_nothing_is_faded() -> None:
    made = to_frame(rows(null=False)).assign(group=None)
    solid, faded, _ = drawn(made, "ner").data
    assert solid.z == pytest.approx(np.array([[0.5, 0.5], [0.3, 0.7]]))
    assert np.isnan(faded.z).all()
    assert solid.text[0].tolist() == ["0.50", "0.50"]


def test_languages_of_a_group_or_one(frame: pd.DataFrame) -> None:
    assert set(charts.among(frame, "Sup").language) == {"de", "fr"}
    assert set(charts.among(frame, "fr").language) == {"fr"}
    assert charts.among(frame, "all") is frame


def test_knock_outs_are_dots_of_their_slot_hollow_where_the_interval_holds_zero(frame: pd.DataFrame) -> None:
    figure = drawn(frame, "ner", "knock_out")  # ep: F1 -8/3, interval -17/3 to -5/3; Precision -4/3, -13/3 to -1/3
    dots = [trace for trace in figure.data if trace.x[0] is not None]
    assert [trace.x[0] for trace in dots] == pytest.approx([1, -8 / 3, 0.5, -4 / 3])
    assert [trace.marker.symbol for trace in dots] == ["circle-open", "circle", "square-open", "square"]
    assert [trace.marker.color for trace in dots[:2]] == [SYSTEM_COLORS["backbone"], SYSTEM_COLORS["+EP"]]
    assert dots[1].error_x.array[0] == pytest.approx(1)
    assert dots[1].error_x.arrayminus[0] == pytest.approx(3)
    assert dots[1].y[0] < 1 < dots[3].y[0] < 1.5
    assert [trace.name for trace in figure.data if trace.x[0] is None] == ["F1", "Precision"]
    small = drawn(frame, "ner", "knock_out", large=False)
    assert [t.hovertemplate.split(",")[0] for t in small.data if t.x[0] is not None] == ["F1", "F1"]
    low, high = figure.layout.xaxis.range
    assert (low, high) == small.layout.xaxis.range
    assert low == -high < -17 / 3


def entropies() -> pd.DataFrame:
    same = {"task": "ner", "language": "de", "slot": None, "measure": "entropy", "metric": None, "n": 4}
    made = [
        {**same, "layer": layer, "fusion": fusion, "value": value, "low": value - 0.1, "high": value + 0.05}
        for layer, (trained, null) in enumerate(((0.2, 0.9), (0.85, 0.9)))
        for fusion, value in (("trained", trained), ("null", null))
    ]
    return to_frame(made).assign(group=None)


def test_entropies_are_a_line_with_intervals_beside_the_range_of_untrained_fusions() -> None:
    band, null, line = drawn(entropies(), "ner", "entropy").data
    assert list(band.y) == pytest.approx([0.95, 0.95, 0.8, 0.8])
    assert list(null.y) == [0.9, 0.9]
    assert (list(line.x), list(line.y)) == ([0, 1], [0.2, 0.85])
    assert list(line.error_y.array) == pytest.approx([0.05, 0.05])
    assert list(line.error_y.arrayminus) == pytest.approx([0.1, 0.1])
    assert list(line.marker.symbol) == ["circle", "circle-open"]
    band, null, line = drawn(entropies(), "ner", "entropy", "difference").data
    assert list(line.y) == pytest.approx([-0.7, -0.05])
    assert list(null.y) == [0, 0]
    assert list(band.y) == pytest.approx([0.05, 0.05, -0.1, -0.1])
    assert len(drawn(entropies(), "ner", "entropy", "null").data) == 2
    without = entropies()[lambda f: f.fusion == "trained"]
    assert [trace.name for trace in drawn(without, "ner", "entropy").data] == ["trained"]
