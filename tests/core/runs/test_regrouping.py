"""Other groups and fewer languages out of stored outcomes, against means worked out from the run's own results."""

import numpy as np
import pytest

from core.runs import tables
from core.runs.regrouping import GROUPINGS, regrouped
from core.runs.store import RunDir, cached_root, list_runs

SHIPPED = list_runs([cached_root()])[:1]
CHOSEN = {"task": "entity_alignment", "mode": "fine-tuned", "system": "+Fusion", "metric": "MRR", "protocol": "strict"}


def values(frame) -> dict[str, float]:
    return dict(zip(frame.group, frame.value, strict=True))


def test_the_groups_of_the_run_give_its_own_results() -> None:
    again = regrouped(SHIPPED, task="entity_alignment", system="+Fusion", mode="fine-tuned")
    stored = tables.results(SHIPPED, task="entity_alignment", system="+Fusion", mode="fine-tuned")
    assert list(again.columns) == list(stored.columns)
    assert len(again) == len(stored) > 100
    for column in ("language", "group", "metric", "protocol", "n"):
        assert again[column].fillna("").tolist() == stored[column].fillna("").tolist()
    for column in ("value", "low", "high"):
        assert again[column].to_numpy() == pytest.approx(stored[column].to_numpy())


def test_scripts_are_means_over_their_languages() -> None:
    languages = tables.results(SHIPPED, "language", **CHOSEN).set_index("language").value
    found = values(regrouped(SHIPPED, "script", by="group", **CHOSEN))
    assert found["Cyrl"] == pytest.approx(languages["ru"])
    assert found["Arab"] == pytest.approx(np.mean([languages["ar"], languages["fa"]]))
    assert found["Jpan"] == pytest.approx(languages["ja"])
    assert set(found) == {"Arab", "Cyrl", "Hans", "Jpan", "Latn"}


def test_families_and_one_group_of_all() -> None:
    languages = tables.results(SHIPPED, "language", **CHOSEN).set_index("language").value
    uralic = values(regrouped(SHIPPED, "family", by="group", **CHOSEN))["Uralic"]
    assert uralic == pytest.approx(np.mean([languages["fi"], languages["hu"]]))
    (everyone,) = regrouped(SHIPPED, "all", by="group", **CHOSEN).to_dict("records")
    assert (everyone["group"], everyone["n"]) == ("all", tables.results(SHIPPED, "language", **CHOSEN).n.sum())
    assert everyone["value"] == pytest.approx(languages.mean())
    assert everyone["low"] < everyone["value"] < everyone["high"]


def test_groups_over_chosen_languages() -> None:
    languages = tables.results(SHIPPED, "language", **CHOSEN).set_index("language").value
    found = regrouped(SHIPPED, "seen", ["ru", "de", "fr"], **CHOSEN)
    assert found.language.dropna().tolist() == ["de", "fr", "ru"]
    groups = values(found[found.language.isna()])
    assert groups == pytest.approx({"Sup": (languages["de"] + languages["fr"]) / 2, "ZS-In": languages["ru"]})


def test_a_filter_by_language_leaves_the_others_out_of_the_groups() -> None:
    languages = tables.results(SHIPPED, "language", **CHOSEN).set_index("language").value
    found = regrouped(SHIPPED, "script", language="ru", **CHOSEN)
    assert found.language.dropna().tolist() == ["ru"]
    assert values(found[found.language.isna()]) == pytest.approx({"Cyrl": languages["ru"]})


def test_a_language_outside_the_table_is_of_the_group_other(finished_run: RunDir) -> None:
    """And the protocols that read other weights come along."""
    found = regrouped([finished_run], "script", task="entity_alignment", mode="fine-tuned", system="backbone")
    assert set(found.protocol) == {"strict", "strict-raw", "released", "last", "best-test"}
    assert set(found.group) == {"Latn"}
    assert set(GROUPINGS) == {"seen", "script", "family", "all"}


def test_a_language_that_was_not_measured_is_refused() -> None:
    with pytest.raises(ValueError, match=r"No results in sw. There are: ar, ast"):
        regrouped(SHIPPED, languages=["sw"])
