"""The expected work of a run, from the costs that the module states."""

from collections.abc import Callable

import pytest

from core.runs.store import RunDir
from core.stages.effort import expected_work
from core.stages.workspace import Workspace

OpenWork = Callable[..., Workspace]


def test_work_is_pairs_times_tokens_times_passes(open_work: OpenWork) -> None:
    """3 steps of 8 pairs everywhere; a trained token costs two, or three where everything is trained."""
    work = open_work(adapters__tp={"steps": 2, "batch_size": 4, "accumulation": 3}, fusion__corpus_training="discard")
    effort = expected_work(work)
    pairs = 3 * 8
    assert effort["ep"] == 2 * pairs * 12
    assert effort["tp"] == 2 * (2 * 4 * 3) * 14
    assert effort["es"] == 2 * pairs * 23
    assert effort["ts"] == 2 * pairs * 21
    assert effort["large"] == 2 * pairs * 18
    assert effort["fusion.corpus"] == 2 * 1.5 * (40 * 64) * 18
    assert effort["fusion.kg_completion"] == 2 * 1.5 * pairs * 13
    test = effort["fine-tuned.kg_completion.backbone.test"]
    assert test > 0
    marks = 2  # before the first step and after the last
    assert effort["fine-tuned.kg_completion.ep"] == 3 * pairs * 13 + marks * test
    assert effort["fine-tuned.kg_completion.fusion"] == 1.5 * (3 * pairs * 13 + marks * test)
    assert effort["fine-tuned.kg_completion.fusion.test"] == 1.5 * test
    assert effort["zero-shot.backbone"] == test + effort["fine-tuned.entity_alignment.backbone.test"]
    assert all(value >= 0 for value in effort.values())


def test_epochs_count_the_rows_of_their_table(open_work: OpenWork) -> None:
    budget = {"epochs": 2, "batch_size": 8}
    roles = {f"adapters__{role}": budget for role in ("ep", "tp", "es", "ts")}
    task = {"tasks__entity_alignment__fine_tuning": budget, "tasks__entity_alignment__all_checkpoints": False}
    work = open_work(**roles, **task, tasks__kg_completion=None)
    effort = expected_work(work)
    assert effort["ep"] == 2 * (2 * 48 * 4) * 12  # labels
    assert effort["tp"] == 2 * (2 * 96) * 14  # triples
    assert effort["es"] == 2 * (2 * 48 * 2) * 23  # mentions, in two languages
    assert effort["ts"] == 2 * (2 * 96 * 2) * 21
    assert effort["fine-tuned.entity_alignment.backbone"] == 3 * (2 * 32) * 13  # German labels of 32 training entities


def test_measuring_costs_every_distinct_text_once(open_work: OpenWork) -> None:
    """With one language: 48 candidates and 8 queries, every distinct string once, two special tokens each."""
    languages = {"tasks__entity_alignment__test_languages": ["de"]}
    work = open_work(tasks__kg_completion=None, **languages)
    benchmark = work.tasks["entity_alignment"].benchmark("de")
    texts = work.corpus.texts("labels").text
    (_, queries) = benchmark.parts[0]
    distinct = {texts[int(row)].as_py() for row in (*benchmark.labels, *queries)}
    tokenizer = work.backbone.tokenizer
    tokens = sum(len(tokenizer(text).input_ids) for text in distinct)
    assert len(distinct) > 30
    assert expected_work(work)["zero-shot.backbone"] == tokens


def test_without_stage_four_there_is_no_work_for_it(open_work: OpenWork) -> None:
    work = open_work(tasks__entity_alignment__fine_tuning=None, tasks__kg_completion=None, adapters__large=None)
    effort = expected_work(work)
    assert effort["fine-tuned.entity_alignment.ep"] == 0
    assert "large" not in effort
    assert "zero-shot.+Fusion" not in effort


def test_a_finished_run_has_done_all_the_work_that_was_expected(finished_run: RunDir) -> None:
    status = finished_run.status()
    assert status.total > 10_000
    assert status.done == pytest.approx(status.total, rel=1e-9)
    assert status.skipped == 0
