"""Figures of the probe page, from rows worked by hand."""

import numpy as np
import pandas as pd
import pytest

from core.probing.sentences import COLUMNS
from workbench.fusion.charts import SLOT_COLORS
from workbench.probe import charts as probe_charts

WORDS, SLOTS = ["<b>Berlin</b>", "ist", "ist"], ["identity", "ep", "tp"]
WEIGHTS = np.array([[[0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]], [[0.5, 0.4, 0.1], [0, 0, 1], [0.3, 0.5, 0.2]]])


@pytest.fixture
def rows() -> pd.DataFrame:
    found = [
        (1, "de", n + 1, word, layer, slot, WEIGHTS[layer, n, k], 0.1 * (n + 1) + layer / 2)
        for n, word in enumerate(WORDS)
        for layer in (0, 1)
        for k, slot in enumerate(SLOTS)
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def test_the_map_shows_the_winner_of_every_word_and_layer_once(rows) -> None:
    figure = probe_charts.layer_map(rows, "winner")
    maps = {trace.name: np.array(trace.z, float) for trace in figure.data if trace.type == "heatmap"}
    assert list(maps) == SLOTS
    drawn = np.stack([np.isfinite(z) for z in maps.values()])
    assert (drawn.sum(0) == 1).all()
    np.testing.assert_array_equal(drawn.argmax(0), WEIGHTS.argmax(-1).T)
    np.testing.assert_allclose(np.nansum(np.stack(list(maps.values())), 0), WEIGHTS.max(-1).T)
    assert figure.data[2].colorscale[-1][1] == SLOT_COLORS["ep"]
    assert list(figure.layout.yaxis.ticktext) == ["&lt;b&gt;Berlin&lt;/b&gt;", "ist", "ist"]  # alike, yet two rows
    assert figure.layout.yaxis.range == (2.5, -0.5)  # the first word on top


def test_the_map_of_a_slot_and_of_the_entropy(rows) -> None:
    np.testing.assert_allclose(probe_charts.layer_map(rows, "tp").data[0].z, WEIGHTS[..., 2].T)
    entropy = probe_charts.layer_map(rows, "entropy").data[0]
    np.testing.assert_allclose(entropy.z, [[0.1, 0.6], [0.2, 0.7], [0.3, 0.8]])
    assert (entropy.zmin, entropy.zmax) == (0, 1)


def test_bars_of_a_word_stack_to_one(rows) -> None:
    figure = probe_charts.word_bars(rows[rows.position == 1])
    assert [bar.name for bar in figure.data] == SLOTS
    np.testing.assert_allclose(sum(np.array(bar.y) for bar in figure.data), [1, 1])
    np.testing.assert_allclose(figure.data[1].y, [0.7, 0.4])
    assert figure.layout.barmode == "stack"
    assert len({bar.marker.pattern.shape for bar in figure.data}) == 3


def test_bars_of_places() -> None:
    rows = [("<en>", "ep", 0.03), ("<en>", "tp", 0.97), ("de", "ep", 0.4), ("de", "tp", 0.6)]
    figure = probe_charts.slot_bars(pd.DataFrame(rows, columns=["place", "slot", "weight"]))
    assert list(figure.data[0].x) == [0.03, 0.4]
    assert list(figure.data[0].y) == [0, 1]
    assert list(figure.data[0].text) == ["", "0.40"]
    assert list(figure.layout.yaxis.ticktext) == ["&lt;en&gt;", "de"]
