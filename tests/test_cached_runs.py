"""The runs that ship with the project: whole, light, traceable, and their numbers are those of their stored ranks."""

import pytest

from core.evaluation.estimates import result_rows
from core.evaluation.outcomes import from_arrays
from core.runs.store import cached_root, list_runs

RUNS = list_runs([cached_root()])


def test_there_is_a_shipped_run_and_all_are_light():
    assert RUNS
    assert sum(file.stat().st_size for file in cached_root().rglob("*")) < 25e6
    assert not any(any(run.path.glob("checkpoints/fine-tuned.*")) for run in RUNS)  # 235 MB each


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_shipped_run_says_where_it_comes_from(run):
    assert run.cached
    assert run.status().state == "done"
    record = run.provenance()
    assert run.name.endswith(record["fingerprint"])
    assert record["attempts"][-1]["commit"]
    assert not record["attempts"][-1]["uncommitted_changes"]
    assert record["data"]["corpus"]["sha256"]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_numbers_of_a_shipped_run_are_those_of_its_ranks(run):
    stored = run.results()
    keys = ["task", "system", "mode"]
    checked = 0
    for (task, system, mode), rows in stored.groupby(keys):
        ranks = from_arrays(task, run.read_outcomes(task, system, mode))
        alone = rows[rows.language.notna()]
        groups = dict(zip(alone.language, alone.group, strict=True))
        again = result_rows(ranks, groups, run.config.evaluation.bootstrap_samples, run.config.evaluation.confidence)
        for old, new in zip(rows.to_dict("records"), again, strict=True):
            assert (old["metric"], old["protocol"], old["group"], old["n"]) == tuple(
                new[k] for k in ("metric", "protocol", "group", "n")
            )
            assert [old[k] for k in ("value", "low", "high")] == pytest.approx(
                [new[k] for k in ("value", "low", "high")]
            )
            checked += 1
    assert checked == len(stored) > 1000
