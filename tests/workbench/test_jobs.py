"""What the buttons of the app do with runs: submit, stop, retry, archive and restore."""

from collections.abc import Callable

import pytest

from core import recipes
from core.config import RunConfig
from core.execution.queue import Queue
from core.runs.status import Status
from core.runs.store import RunDir, RunError, list_runs, runs_root
from workbench import jobs


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Queue, "wake", lambda queue: None)


@pytest.fixture
def config(tiny_config: RunConfig) -> Callable[..., RunConfig]:
    return lambda **changes: recipes.parse(tiny_config.model_dump(mode="json"), changes)


def test_several_configs_are_submitted_in_order_or_not_at_all(config: Callable[..., RunConfig]) -> None:
    runs = jobs.submit([config(seed=seed) for seed in (5, 3, 4)])
    assert [run.config.seed for run in Queue().waiting()] == [5, 3, 4]
    assert [jobs.queue_position(run) for run in runs] == [1, 2, 3]
    jobs.move(runs[2], 1)
    assert [run.config.seed for run in Queue().waiting()] == [4, 5, 3]
    bad = config(**{"corpus.adapter_languages": ["xx"]})
    with pytest.raises(ValueError, match="has no 'xx'"):
        jobs.submit([config(seed=6), bad])
    assert len(list_runs([runs_root()])) == 3


def test_the_same_config_is_found_while_it_waits_or_runs(config: Callable[..., RunConfig]) -> None:
    (run,) = jobs.submit([config()])
    assert [found.name for found in jobs.same(config(title="another name"))] == [run.name]
    assert jobs.same(config(seed=1)) == []
    run.write_status(Status("failed"))
    assert jobs.same(config()) == []


def test_stopping_a_run_that_waits_takes_it_out_of_the_queue(config: Callable[..., RunConfig]) -> None:
    (run,) = jobs.submit([config()])
    jobs.stop(run)
    assert jobs.queue_position(run) is None
    assert run.status().state == "stopped"


def test_a_failed_run_is_tried_anew_and_stays(config: Callable[..., RunConfig]) -> None:
    (run,) = jobs.submit([config()])
    run.write_status(Status("failed", message="no memory"))
    again = jobs.retry(run)
    assert again.name != run.name
    assert again.config == run.config
    assert jobs.queue_position(again) == 1
    assert run.status().message == "no memory"


def test_an_archived_run_is_shown_no_more_until_it_is_restored(finished_run: RunDir) -> None:
    before = finished_run.results_file.read_bytes()
    target = jobs.archive(finished_run)
    assert target == runs_root() / "archive" / finished_run.name
    assert list_runs([runs_root()]) == []
    with pytest.raises(RunError, match="There is no run"):
        RunDir.open(finished_run.name)
    assert jobs.archived() == [finished_run.name]
    assert jobs.restore(finished_run.name).results_file.read_bytes() == before
    assert jobs.archived() == []
    with pytest.raises(RunError, match=r"The archive has no run 'nobody'\. It has: none"):
        jobs.restore("nobody")


def test_what_runs_waits_or_ships_with_the_project_is_not_archived(
    config: Callable[..., RunConfig], finished_run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = jobs.submit([config()])
    with pytest.raises(RunError, match="workbench queue cancel"):
        jobs.archive(run)
    monkeypatch.setattr("core.execution.launcher.is_held", lambda run: True)
    with pytest.raises(RunError, match=r"is running\. Stop it first"):
        jobs.archive(run)
    monkeypatch.setattr("core.runs.store.cached_root", lambda: finished_run.path.parent)
    with pytest.raises(RunError, match="only runs there are archived"):
        jobs.archive(finished_run)
    assert finished_run.path.is_dir()


def test_nothing_in_the_archive_is_written_over(finished_run: RunDir) -> None:
    (runs_root() / "archive" / finished_run.name).mkdir(parents=True)
    with pytest.raises(RunError, match="exists already"):
        jobs.archive(finished_run)
    assert finished_run.results_file.is_file()
