"""The encoders that the app shares: opened once, opened anew when a run changes, and safe under several visitors."""

import os
import threading

import numpy as np
import pytest

from core.runs.store import DONE, RunDir, RunError
from workbench import model_loaders


def test_an_encoder_is_opened_once_and_again_when_a_stage_is_done_anew(finished_run: RunDir) -> None:
    first = model_loaders.trained_encoder(finished_run)
    assert model_loaders.trained_encoder(RunDir(finished_run.path)) is first
    assert model_loaders.trained_encoder(finished_run, "kg_completion") is not first
    done = finished_run.checkpoint_dir("ep") / DONE
    os.utime(done, ns=(1, done.stat().st_mtime_ns + 1))
    assert model_loaders.trained_encoder(finished_run) is not first


def test_what_is_observed_is_what_the_encoder_says(finished_run: RunDir) -> None:
    from core.probing.trained import FUSED, Question

    (seen,) = model_loaders.observed(finished_run, "kg_completion", False, ["kaba"], ["tp", "ep"])
    encoder = model_loaders.trained_encoder(finished_run)
    (expected,) = encoder.observe(["kaba"], Question(FUSED, "kg_completion", frozenset({"ep", "tp"})))
    np.testing.assert_allclose(seen.weights, expected.weights)
    assert (seen.weights[..., 1:3] == 0).all()
    (tuned,) = model_loaders.observed(finished_run, "kg_completion", True, ["kaba"])
    assert not np.array_equal(
        tuned.weights, model_loaders.observed(finished_run, "kg_completion", False, ["kaba"])[0].weights
    )
    told = []
    model_loaders.observed_file(finished_run, "kg_completion", False, ["kaba", "ba"], [], lambda *at: told.append(at))
    assert told[-1] == (10, 10)  # of two words of characters, and the special tokens around them
    with pytest.raises(RunError, match="no fusion of task ner"):
        model_loaders.observed(finished_run, "ner", False, ["kaba"])


def test_labels_are_embedded_by_the_first_visitor_while_the_others_wait(finished_run: RunDir) -> None:
    said, found, start = [], [], threading.Barrier(4)

    def visitor() -> None:
        start.wait()
        advance = lambda *at: said.append(at)  # noqa: E731
        found.append(model_loaders.nearest_labels(finished_run, "entity_alignment", False, [], "de", advance))

    threads = [threading.Thread(target=visitor) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({id(index) for index in found}) == 1
    assert said[-1] == (48, 48)
    assert len(said) == len(set(said))
    label = found[0].labels.text[7]
    (one,) = model_loaders.observed(finished_run, "entity_alignment", False, [label])
    entities, scores = found[0].search(one.vector[None], 3)
    assert entities[0, 0] == found[0].labels.entity[7]
    assert scores[0, 0] == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match="no labels in language 'xx'"):
        model_loaders.nearest_labels(finished_run, "entity_alignment", False, [], "xx")


def test_a_visitor_who_leaves_lets_the_next_one_make_it(finished_run: RunDir) -> None:
    def leave(*at: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        model_loaders.nearest_labels(finished_run, "kg_completion", False, [], "fr", leave)
    assert len(model_loaders.nearest_labels(finished_run, "kg_completion", False, [], "fr").labels) == 48
