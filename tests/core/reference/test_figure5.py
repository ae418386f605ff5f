"""The points of Figure 5 against the files that they come from."""

import csv
import math
from pathlib import Path

import pytest

from core.config import SYSTEMS
from core.reference import figure5, tables
from core.reference.comparison import compare

FILE = Path(tables.__file__).with_name("figure5_points_from_logs.csv")


def value(frame, *key: str) -> tuple[float, float]:
    names = ("task", "system", "group" if "group" in frame else "language", "metric")
    found = frame
    for name, wanted in zip(names, key, strict=True):
        found = found[found[name] == wanted]
    assert len(found) == 1
    return found.log.iloc[0], found.log_best_validation.iloc[0]


def test_groups_by_hand() -> None:
    found = figure5.points()
    assert value(found, "kg_completion", "backbone", "Sup", "Hit@1")[0] == 11.52
    assert value(found, "entity_alignment", "+EP", "Sup", "Hit@1")[0] == 88.78
    assert value(found, "relation_classification", "+Large", "ZS-In", "F1") == (58.57, 55.53)
    log, best = value(found, "relation_classification", "backbone", "Sup", "F1")
    assert log == 61.8  # of Table 11: there is no log
    assert math.isnan(best)


def test_every_point_of_a_group_is_there_once() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["language_or_group"].startswith(("Sup", "ZS-"))]
    found = figure5.points()
    assert len(rows) == found.log.notna().sum() + found.log_best_validation.notna().sum() > 100
    assert sorted(float(r["value"]) for r in rows) == sorted([*found.log.dropna(), *found.log_best_validation.dropna()])
    assert set(found.system) == set(SYSTEMS)
    assert set(found.task) == set(figure5.TASKS.values())
    assert set(found.group) == {"Sup", "ZS-In", "ZS-Un"}


@pytest.mark.parametrize("number", [9, 10, 11])
def test_languages_are_those_of_the_tables(number: int) -> None:
    task = {9: "kg_completion", 10: "entity_alignment", 11: "relation_classification"}[number]
    cells, found, seen = compare(number), figure5.points("language"), 0
    for cell in cells[(cells.backbone == "mBERT") & cells.log.notna()].itertuples():
        if cell.language_or_group == "average":
            continue
        system = {"backbone": "backbone", "AFusion": "+Fusion"}[cell.system]
        key = (task, system, cell.language_or_group.rpartition("->")[2], cell.metric)
        assert value(found, *key)[0] == pytest.approx(cell.log, abs=1e-4)
        seen += 1
    assert seen >= 5
    assert not found.duplicated(["task", "system", "language", "metric"]).any()
