"""Figures and tables of entity spaces, without a browser."""

import numpy as np
import pytest

from tests.made_spaces import made_space
from workbench.space import charts as space_charts
from workbench.space import tables as space_tables


def names(figure) -> list:
    return [trace for trace in figure.data if trace.type == "scattergl"]


def test_points_are_those_of_the_layout_in_a_trace_for_each_category() -> None:
    space = made_space()
    figure = space_charts.points(space, [0, 1], "aligned", "language")
    assert len(names(figure)) == 8
    assert [t.name for t in figure.data if t.showlegend] == [
        "German (de)",
        "English (en)",
        "Arabic (ar)",
        "Chinese (zh)",
    ]
    for system, traces in enumerate((names(figure)[:4], names(figure)[4:])):
        seen = np.concatenate([trace.customdata for trace in traces])
        assert sorted(seen) == list(range(len(space)))
        for trace in traces:
            np.testing.assert_array_equal(trace.x, space.layouts["aligned"][system][trace.customdata, 0])
            assert trace.x.dtype == np.float32
            assert len({space.language[name] for name in trace.customdata}) == 1
    assert (figure.layout.xaxis2.matches, figure.layout.yaxis2.matches) == ("x", "y")
    assert (figure.layout.yaxis.scaleanchor, figure.layout.yaxis2.scaleanchor) == ("x", "x2")
    assert not figure.layout.xaxis.showticklabels
    assert space_charts.points(space, [0, 1], "umap", "language").layout.xaxis2.matches is None  # not one layout


def test_names_are_text_and_not_html() -> None:
    space = made_space()
    (text, *_) = names(space_charts.points(space, [1], "pca", "type"))[0].hovertext
    assert text == "<b>&lt;b&gt;name 1&lt;/b&gt; en</b><br>English (en) · e1 · rank 1"
    assert space_charts.hover(space, 0, np.asarray([0])) == ["<b>&lt;b&gt;name 0&lt;/b&gt; en</b><br>English (en) · e0"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("script", {"Latn": 12, "Arab": 6, "Hans": 6}),
        ("family", {"Germanic": 12, "Semitic": 6, "Sino-Tibetan": 6}),
        ("type", {"city": 12, "language": 12}),
        ("group", {"Sup": 12, "ZS-In": 6, "ZS-Un": 6}),
        ("rank", {"1": 1, "over 1, to 3": 4, "over 3, to 10": 14, "over 10": 4, "none": 1}),
    ],
)
def test_categories(by: str, expected: dict[str, int]) -> None:
    number, order = space_charts.categories(made_space(), 0, by)
    assert {order[n]: int((number == n).sum()) for n in np.unique(number)} == expected


def test_a_selection_fades_the_others_and_links_the_names_of_its_entities() -> None:
    space = made_space()
    figure = space_charts.points(space, [0, 1], "pca", "language", picked=[4, 6])  # both are names of entity 1
    assert [len(t.selectedpoints) for t in names(figure)] == [0, 1, 1, 0] * 2
    for trace in names(figure):
        assert {int(trace.customdata[place]) for place in trace.selectedpoints} <= {4, 6}
    lines = [t for t in figure.data if t.mode == "lines"]
    assert len(lines) == 2  # one a system
    places = space.layouts["pca"][1][4:8]
    assert lines[1].x[::3] == pytest.approx(tuple(places[:, 0]))
    assert set(np.round(lines[1].x[1::3], 4)) == {round(float(places[:, 0].mean()), 4)}
    assert names(space_charts.points(space, [0], "pca", "language"))[0].selectedpoints is None
    many = made_space(entities=60)
    assert space_tables.linked_entities(many, range(0, 200), 3) == [3]  # too many for lines, but the one searched for


def test_an_entity_searched_for_is_linked_and_its_languages_named() -> None:
    space = made_space()
    figure = space_charts.points(space, [1], "pca", "language", ["en", "zh"], entity=2)
    (marked,) = [t for t in figure.data if t.mode == "markers+text"]
    assert marked.text == ("en", "zh")
    assert sum(len(t.x) for t in names(figure)) == 12


def test_the_matrix_has_the_languages_by_family_and_one_scale() -> None:
    space = made_space()
    figure = space_charts.matrix(space, 0, "hits", limits=(0, 100))
    assert figure.layout.xaxis.ticktext == ("de", "en", "ar", "zh")
    order = [space.languages.index(code) for code in figure.layout.xaxis.ticktext]
    np.testing.assert_allclose(figure.data[0].z, 100 * space.pairs["hits"][0][np.ix_(order, order)])
    low, high = space_charts.matrix_limits(space, [0, 1], "hits")
    assert (low, high) == (pytest.approx(100 * np.nanmin(space.pairs["hits"])), 100)
    assert space_charts.matrix_limits(space, [0], "hits", ["en"]) == (0, 1)  # one language: no pair
    assert space_charts.matrix_limits(space, [0], "alignment")[0] == 0
    rows = space_tables.pair_rows(space, [0, 1], "hits", ["en", "ar"])
    assert rows[["system", "source", "target"]].to_numpy().tolist() == [
        *(["backbone", "en", "ar"], ["backbone", "ar", "en"], ["+Fusion", "en", "ar"], ["+Fusion", "ar", "en"])
    ]
    assert rows.hits.iloc[3] == pytest.approx(space.pairs["hits"][1, 2, 0])


def test_tables_of_measures_neighbours_and_points() -> None:
    space = made_space()
    table = space_tables.measures(space)
    assert table.hits_change.iloc[0] == 0
    assert table.hits.iloc[1] - table.hits.iloc[0] == pytest.approx(table.hits_change.iloc[1])
    assert table.hits.iloc[0] == pytest.approx(100 * np.nanmean(space.pairs["hits"][0]))
    near = space_tables.neighbours(space, 0, 2)
    assert near.language.tolist() == ["zh", "en", "de"]
    assert near.same.tolist() == [True, False, False]
    rows = space_tables.point_rows(space, [1], "pca", ["ar"])
    assert rows.entity.tolist() == space.entities
    np.testing.assert_array_equal(rows.x, space.layouts["pca"][1][2::4, 0])


def test_search_finds_names_of_any_language_best_first() -> None:
    space = made_space()
    space.text[9], space.text[14], space.text[23] = "Ulm am See", "Ulm", "neu-ulm"
    assert space_tables.matches(space, " ulm ") == [3, 2, 5]
    assert space_tables.matches(space, "E4") == [4]
    assert space_tables.matches(space, "") == space_tables.matches(space, "nowhere") == []
    assert space_tables.entity_title(space, 0) == "<b>name 0</b> en · e0"


def test_a_hundred_thousand_names_are_drawn_and_more_as_a_density_and_a_sample() -> None:
    space = made_space(entities=25_000, layouts=("pca",))
    figure = space_charts.points(space, [1], "pca", "script", picked=range(0, 100_000, 7))
    assert sum(len(t.x) for t in names(figure)) == 100_000
    larger = space_charts.points(made_space(entities=26_000, layouts=("pca",)), [0], "pca", "script")
    assert larger.data[0].type == "heatmap"
    assert sum(len(t.x) for t in names(larger)) == space_charts.SAMPLE
    assert np.nansum(10 ** larger.data[0].z) == pytest.approx(104_000, rel=1e-3)  # the density is of all names
