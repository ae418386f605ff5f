"""Counts of a corpus as frames and figures, worked by hand."""

import numpy as np
import pandas as pd
import pytest

from core.reference.tables import beside_table1, beside_table8
from workbench.corpus import charts as corpus_charts
from workbench.corpus.charts import NOT_TESTED, NOT_TRAINED


@pytest.fixture
def languages() -> pd.DataFrame:
    """Four languages; `xx` is known to nobody, and `de` and `af` are in Table 8."""
    frame = pd.DataFrame({"language": ["af", "ar", "de", "xx"], "entities": [10, 0, 40, 20]})
    for name, share in (("entities", "entity_share"), ("relations", "relation_share"), ("triples", "triple_share")):
        frame[name] = frame.entities
        frame[share] = frame[name] / 40
    frame = frame.assign(labels=frame.entities, aliases=0, mention_sentences=[0, 3, 0, 0], triple_sentences=0)
    return corpus_charts.described(beside_table8(frame), {"de": "Sup", "af": NOT_TESTED})


def test_every_language_is_described_and_the_largest_is_first(languages):
    assert languages.language[:3].tolist() == ["de", "xx", "af"]
    first = languages.iloc[0]
    assert (first["name"], first.own_name, first.script, first.family, first.group) == (
        *("German", "Deutsch", "Latn", "Germanic", "Sup"),
    )
    unknown = languages.set_index("language").loc["xx"]
    assert (unknown.script, unknown.family, unknown.group) == ("not known", "not known", NOT_TRAINED)
    assert languages.set_index("language").paper_entity_share["af"] == pytest.approx(0.564)


def test_bars_of_a_count_are_sorted_and_coloured_by_group(languages):
    figure = corpus_charts.languages_bars(languages, "labels", log=True)
    bars = {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data}
    assert bars == {"Sup": ([0], [40]), NOT_TESTED: ([2], [10]), NOT_TRAINED: ([1], [20])}
    assert list(figure.layout.xaxis.ticktext) == ["de", "xx", "af"]
    assert figure.layout.yaxis.type == "log"
    assert len({t.marker.color for t in figure.data}) == len({t.marker.pattern.shape for t in figure.data}) == 3


def test_a_share_has_the_paper_beside_it_also_where_this_corpus_has_nothing(languages):
    figure = corpus_charts.languages_bars(languages, "entity_share")
    paper = figure.data[-1]
    assert paper.marker.symbol == "diamond-open"
    assert len(paper.x) == 84
    codes = list(figure.layout.xaxis.ticktext)
    assert codes[:3] == ["de", "xx", "af"]
    assert dict(zip((codes[i] for i in paper.x), paper.y, strict=True))["af"] == pytest.approx(56.4)
    assert figure.data[0].y.tolist() == [100]


def test_coverage_by_family_is_the_mean_of_its_languages(languages):
    rows = corpus_charts.by_kind(languages, "family").set_index("family")
    assert rows.loc["Germanic", ["languages", "labels"]].tolist() == [2, 50]
    assert rows.entity_share["Germanic"] == pytest.approx((1.0 + 0.25) / 2)
    assert rows.languages["Semitic"] == 0  # in the paper only: Arabic has no label here
    assert np.isnan(rows.entity_share["Semitic"])
    paper = languages[languages.family == "Semitic"].paper_entity_share.dropna()
    assert len(paper) > 1
    assert rows.paper_entity_share["Semitic"] == pytest.approx(paper.mean())
    figure = corpus_charts.kind_bars(rows.reset_index(), "family", "entity_share")
    assert figure.data[0].x[:2].tolist() == pytest.approx([62.5, 50.0])
    assert figure.layout.yaxis.ticktext[0] == "Germanic · 2"


def test_places_of_languages_in_a_run():
    results = pd.DataFrame(
        {"task": ["a", "a", "b"], "language": ["de", None, "fr"], "group": ["Sup", "ZS-In", "ZS-Un"]}
    )
    assert corpus_charts.places(results, "a", ["de", "en"]) == {"de": "Sup", "en": NOT_TESTED}


def test_table_1_has_both_corpora_and_leaves_nothing_at_zero():
    counts = dict.fromkeys(("entities", "labels", "label_pairs", "triples", "relations", "mention_entities"), 5)
    figure = corpus_charts.table1_bars(beside_table1(counts | {"mention_sentences": 0, "triple_sentences": 7}))
    here, paper = figure.data
    assert here.x.tolist()[:6] == [5] * 6
    assert np.isnan(here.x.tolist()[6])
    assert paper.x.tolist()[0] == 1_550_000
    assert len(here.x) == len(paper.x) == len(figure.layout.yaxis.ticktext)
