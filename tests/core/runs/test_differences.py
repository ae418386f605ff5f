"""Paired differences of stored runs; the command that prints them has tests of every refusal."""

import pytest

from core.runs.differences import differences
from tests.workbench.commands.test_compare_command import make_run

PAIR = ("backbone", "+Fusion")


def test_one_run_by_hand() -> None:
    """The backbone has rank 2 everywhere and fusion rank 1 in four of ten queries."""
    frame = differences([make_run(0, 4)], "entity_alignment", PAIR, ["Hit@1", "MRR"])
    assert frame[["group", "metric"]].to_numpy().tolist() == [
        [g, m] for g in ("Sup", "ZS-Un") for m in ("Hit@1", "MRR")
    ]
    assert frame.baseline.tolist() == pytest.approx([0, 50] * 2)
    assert frame.difference.tolist() == pytest.approx([40, 20] * 2)
    assert set(frame.interval) == {"entities"}
    by_language = differences([make_run(0, 4)], "entity_alignment", PAIR[::-1], ["Hit@1"], by="language")
    assert by_language.language.tolist() == ["de", "eo"]
    assert by_language.difference.tolist() == pytest.approx([-40, -40])


def test_runs_are_taken_by_seed_and_the_list_given_stays_as_it_is() -> None:
    runs = [make_run(seed, better) for seed, better in ((1, 2), (0, 1))]
    frame = differences(runs, "entity_alignment", PAIR, ["Hit@1"])
    assert frame.seed.tolist()[:4] == [0, 0, 1, 1]
    assert frame.interval.tolist() == ["entities"] * 4 + ["seeds"] * 2
    assert frame.difference.tolist()[-2:] == pytest.approx([15, 15])
    assert [run.config.seed for run in runs] == [1, 0]
