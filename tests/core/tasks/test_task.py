"""What tasks share: samples that every run and system has in common, and the stream of training examples."""

import numpy as np
import pytest

from core.tasks.task import ExampleStream, sample


def test_a_sample_is_the_same_for_every_run_and_in_order() -> None:
    rows = np.asarray([3, 5, 8, 13, 21, 34, 55])
    drawn = sample(rows, 4).tolist()
    assert len(drawn) == 4
    assert drawn == sorted(set(drawn))
    assert set(drawn) < set(rows.tolist())
    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    assert sample(rows, 4).tolist() == drawn
    assert sample(rows, 99).tolist() == sample(rows, None).tolist() == rows.tolist()
    assert sample(rows, 0).tolist() == []
    assert sample(np.arange(1000), 300).mean() == pytest.approx(500, abs=60)  # spread over the rows


def test_examples_come_in_whole_passes_and_go_on_from_a_state() -> None:
    stream = ExampleStream(5, 7, lambda chosen: chosen.tolist())
    assert len(stream) == 5
    drawn = [example for _ in range(10) for example in stream.sample(3)]
    passes = [drawn[at : at + 5] for at in range(0, 30, 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len({tuple(one) for one in passes}) > 1  # each in an order of its own
    state = stream.state()
    expected = [stream.sample(3) for _ in range(5)]
    again = ExampleStream(5, 0, lambda chosen: chosen.tolist())
    again.restore(state)
    assert [again.sample(3) for _ in range(5)] == expected
    fresh = ExampleStream(5, 7, lambda chosen: chosen.tolist())
    other = ExampleStream(5, 1, lambda chosen: chosen.tolist())
    other.restore(fresh.state())
    assert [other.sample(4) for _ in range(4)] == [fresh.sample(4) for _ in range(4)]
    assert sorted(ExampleStream(3, 0, lambda chosen: chosen.tolist()).sample(9)) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
