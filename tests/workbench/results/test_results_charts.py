"""Results by language: seeds, orders, shading and figures, worked by hand."""

import numpy as np
import pandas as pd
import pytest

from core import recipes
from core.runs.store import RunDir
from workbench.results import charts as results_charts
from workbench.results import tables as result_tables


def rows(**other: object) -> pd.DataFrame:
    """Two systems in four languages of two groups."""
    values = {"de": ("Sup", 10, 30), "ru": ("ZS-In", 20, 10), "ja": ("ZS-In", 25, 40), "fr": ("Sup", 5, 6)}
    found = [
        {
            "language": code,
            "group": group,
            "system": system,
            "value": float(value),
            "low": value - 1.0,
            "high": value + 2.0,
        }
        for code, (group, *both) in values.items()
        for system, value in zip(("backbone", "+EP"), both, strict=True)
    ]
    return pd.DataFrame(found).assign(mode="fine-tuned", n=9, **other)


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("group", ["de", "fr", "ja", "ru"]),
        ("value", ["ja", "de", "ru", "fr"]),
        ("family", ["de", "ja", "fr", "ru"]),  # Germanic, Japonic, Romance, Slavic
        ("script", ["ru", "ja", "de", "fr"]),  # Cyrl, Jpan, Latn
        ("name", ["fr", "de", "ja", "ru"]),
    ],
)
def test_orders_of_languages(by: str, order: list[str]) -> None:
    assert result_tables.language_order(rows(), by) == order


def test_languages_are_found_by_code_name_own_name_script_and_family() -> None:
    codes = ["de", "ru", "ja", "fr"]
    assert result_tables.found_languages(codes, "de") == ["de"]
    assert result_tables.found_languages(codes, "Cyrl, french") == ["ru", "fr"]
    assert result_tables.found_languages(codes, "русский") == ["ru"]
    assert result_tables.found_languages(codes, "slav") == ["ru"]
    assert result_tables.found_languages(codes, " ") == codes
    assert result_tables.found_languages(codes, "klingon") == []


def test_dots_stand_on_the_line_of_their_language_side_by_side() -> None:
    theirs = pd.DataFrame({"system": ["M"], "language": ["ja"], "value": [33.0]})
    figure = results_charts.language_dots(rows(), "F1 (%)", ["ja", "de"], theirs)
    plain, tuned, own = figure.data
    assert (plain.name, tuned.name, own.name) == ("backbone", "+EP", "M (yours)")
    assert list(plain.x) == [10, 25]
    assert list(plain.y) == pytest.approx([1 - 0.18, 0 - 0.18])
    assert list(tuned.y) == pytest.approx([1 + 0.18, 0 + 0.18])
    assert list(plain.error_x.array) == [2, 2]
    assert list(plain.error_x.arrayminus) == [1, 1]
    assert (list(own.x), list(own.y)) == ([33.0], [0])
    assert list(figure.layout.yaxis.ticktext) == ["Japanese · ZS-In", "German · Sup"]


KNOWN = pd.DataFrame({"language": ["de", "ru", "ja"], "labels": [100, 10, 1000], "identical": [50.0, 1.0, np.nan]})


def test_scores_against_labels_leave_out_what_is_not_known() -> None:
    figure = results_charts.against(rows(), KNOWN, "labels", "F1 (%)")
    plain = figure.data[0]
    assert dict(zip(plain.x, plain.y, strict=True)) == {100: 10, 10: 20, 1000: 25}
    assert figure.layout.xaxis.type == "log"
    assert len(results_charts.against(rows(), KNOWN, "identical", "F1 (%)").data[0].x) == 2


def test_scripts_are_places_on_the_axis() -> None:
    figure = results_charts.against(rows(), KNOWN.iloc[:0], "script", "F1 (%)")
    assert list(figure.layout.xaxis.ticktext) == ["Cyrl", "Jpan", "Latn"]
    assert [round(x) for x in figure.data[0].x] == [2, 0, 1, 2]


def test_rank_correlation_by_hand() -> None:
    found = results_charts.rank_correlations(rows(), KNOWN, "labels")
    assert found == pytest.approx({"backbone": 0.5, "+EP": 1.0})  # 10 20 25 against 100 10 1000; 30 10 40
    assert results_charts.rank_correlations(rows(), KNOWN, "identical") == {}


def test_shading_grows_with_the_value_and_marks_the_best_of_a_row() -> None:
    frame = pd.DataFrame({"name": ["x", "y"], "a": [0.0, 5.0], "b": [10.0, np.nan], "d": [-2.0, 4.0]})
    html = result_tables.shaded(frame, ["a", "b"], ["d"])._compute().ctx
    style = {place: dict(found) for place, found in html.items()}
    assert style[0, 2] == {"background-color": "rgba(0, 114, 178, 0.45)", "font-weight": "bold"}
    assert style[0, 1] == {"background-color": "rgba(0, 114, 178, 0.00)"}
    assert style[1, 1]["background-color"] == "rgba(0, 114, 178, 0.23)"
    assert "background-color" not in style.get((1, 2), {})
    assert style[0, 3]["background-color"].startswith("rgba(213, 94, 0")
    assert style[1, 3]["background-color"] == "rgba(0, 114, 178, 0.45)"


def test_seeds_of_one_set_up_are_averaged_and_others_stand_alone(tmp_path) -> None:
    runs = []
    for name, changes in (("a", {"seed": 1}), ("b", {"seed": 2}), ("c", {"objective.temperature": 0.1})):
        run = RunDir(tmp_path / name)
        run.path.mkdir()
        run.config_file.write_text(recipes.parse({}, {"title": "x", **changes}).to_yaml())
        runs.append(run)
    groups = result_tables.set_ups(runs)
    assert [[run.name for run in group] for group in groups.values()] == [["a", "b"], ["c"]]
    about = {"task": "ner", "dataset": "d", "metric": "F1", "protocol": "strict"}
    found = pd.concat(
        rows(run=run.name, **about).assign(value=lambda f, up=up: f.value + up)
        for up, run in zip((0, 2, 9), runs, strict=True)
    )
    pooled = result_tables.pooled(found, groups)
    german = pooled[(pooled.language == "de") & (pooled.system == "backbone")].set_index("setup")
    two, one = (german.loc[name] for name in groups)
    assert (two.value, two.seeds, two.run) == (11.0, 2, "a, b")
    assert (two.low, two.high) == pytest.approx(
        (11 - 12.7062, 11 + 12.7062), abs=1e-3
    )  # t(0.975, 1) * sqrt(2) / sqrt(2)
    assert (one.value, one.low, one.seeds) == (19.0, 9.0, 1)
    assert len(pooled) == 16


def test_gains_in_a_grid_share_a_scale_around_zero() -> None:
    grid = pd.DataFrame({"Sup": [2.0, -4.0], "ZS-In": [1.0, np.nan]}, index=["+EP", "+Fusion"])
    heat = results_charts.gain_heat(grid, "F1").data[0]
    assert (heat.zmin, heat.zmax) == (-4.0, 4.0)
    assert list(heat.y) == ["+EP", "+Fusion"]
