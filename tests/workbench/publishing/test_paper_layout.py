"""A page's figure laid out for a paper: what it shows stays, how it looks changes."""

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.subplots import make_subplots

from workbench.fusion import charts as fusion_charts
from workbench.publishing.layout import displayed_texts, for_paper


def dots(number: int, kind: type = go.Scattergl) -> go.Figure:
    return go.Figure(kind(x=np.arange(number), y=np.arange(number), mode="markers", marker={"size": 8}))


def test_values_and_colours_stay_and_the_page_is_white():
    heat = go.Heatmap(z=[[0.1, 0.9]], x=["a", "b"], zmin=0, zmax=1, colorscale="Viridis", texttemplate="%{z}")
    colours = list(fusion_charts.SLOT_COLORS.values())[:2]
    figure = go.Figure([heat, go.Scatter(x=[1, 2], y=[3, 4], marker={"color": colours, "size": 10})])
    figure.update_layout(template="plotly_dark", paper_bgcolor="black", font_color="white", height=600)
    before = figure.to_json()
    drawn = for_paper(figure, 1, vector=True)
    assert figure.to_json() == before
    assert drawn.data[0].z[0][1] == 0.9
    assert drawn.data[0].colorscale == figure.data[0].colorscale
    assert (drawn.data[0].zmin, drawn.data[0].zmax) == (0, 1)
    assert list(drawn.data[1].marker.color) == colours
    assert list(drawn.data[1].y) == [3, 4]
    assert drawn.layout.paper_bgcolor == drawn.layout.plot_bgcolor == "white"
    assert drawn.layout.font.color == "#111111"
    assert (
        drawn.layout.template.layout.colorscale
        == go.Figure(layout={"template": "plotly_white"}).layout.template.layout.colorscale
    )


@pytest.mark.parametrize(("columns", "pixels", "points"), [(1, 317, 7), (2, 662, 8)])
def test_width_and_type_are_those_of_a_paper(columns, pixels, points):
    drawn = for_paper(dots(3), columns, vector=True)
    assert drawn.layout.width == pixels  # 3.3 and 6.9 inches of 96 px
    assert drawn.layout.font.size == pytest.approx(points * 96 / 72)
    assert drawn.data[0].marker.size == pytest.approx(8 * points * 96 / 72 / 12)
    with pytest.raises(ValueError, match="1 or 2 columns wide, not 3"):
        for_paper(dots(3), 3, vector=True)


@pytest.mark.parametrize(
    ("number", "vector", "kind"), [(20_000, True, "scatter"), (20_001, True, "scattergl"), (5, False, "scattergl")]
)
def test_few_webgl_points_become_svg(number, vector, kind):
    figure = dots(number)
    (trace,) = for_paper(figure, 1, vector).to_plotly_json()["data"]
    assert trace["type"] == kind
    assert trace["y"] == figure.to_plotly_json()["data"][0]["y"]


def test_panels_side_by_side_stand_below_each_other_in_one_column():
    figure = make_subplots(1, 3, subplot_titles=("a", "b", "c"))
    for column in (1, 2, 3):
        figure.add_scatter(x=[0, 1], y=[0, column], row=1, col=column)
    wide, narrow = (for_paper(figure, columns, vector=True) for columns in (2, 1))
    assert [axis.domain for axis in wide.select_xaxes()] == [axis.domain for axis in figure.select_xaxes()]
    assert {axis.domain for axis in narrow.select_xaxes()} == {(0, 1)}
    first, second, third = (axis.domain for axis in narrow.select_yaxes())
    assert first[0] > second[1] > second[0] > third[1] > third[0] >= 0
    assert [note.y for note in narrow.layout.annotations] == pytest.approx([first[1], second[1], third[1]])
    assert narrow.layout.height > 2 * wide.layout.height / 1.5


def test_texts_that_are_drawn_are_found_and_right_to_left_ones_isolated():
    figure = go.Figure(go.Bar(x=["Berlin", "برلين."], y=[1, 2], name="中", hovertext=["ไทย", "ไทย"]))
    figure.add_scatter(x=[1], y=[2], text=["한"], mode="markers")
    figure.add_heatmap(z=[[1]], text=[["ქ"]], texttemplate="%{text}", colorbar={"title": {"text": "ა"}})
    figure.add_annotation(text="हिन्दी")
    figure.update_xaxes(tickvals=[0], ticktext=["ελ"], title="Я")
    found = set(displayed_texts(figure))
    assert found >= {"Berlin", "برلين.", "中", "ქ", "ა", "हिन्दी", "ελ", "Я"}
    assert not found & {"ไทย", "한"}  # a pointer's text, and that of markers without it
    drawn = for_paper(figure, 1, vector=True)
    assert list(drawn.data[0].x) == ["Berlin", "\u2068برلين.\u2069"]
    assert list(drawn.data[0].y) == [1, 2]
