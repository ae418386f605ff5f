"""Work beside a page: progress, a stop, a failure, and one piece at a time."""

import threading

import pytest

from workbench.background import Background


def test_a_result_comes_once():
    calls = []
    work = Background(lambda progress: calls.append(progress(1, 4)) or "found")
    assert not work.running
    work.start()
    work.wait()
    assert (work.result, work.problem, work.share) == ("found", "", 0.25)
    work.start()
    work.wait()
    assert len(calls) == 1


def test_it_stops_at_its_next_step_and_can_begin_again():
    reached, go = threading.Event(), threading.Event()

    def steps(progress):
        for step in range(1000):
            progress(step, 1000)
            reached.set()
            if not go.is_set():
                go.wait(10)
        return "whole"

    work = Background(steps)
    work.start()
    assert reached.wait(10)
    assert work.running
    work.stop()
    go.set()
    work.wait()
    assert work.result is None
    assert work.problem == "Stopped."
    work.start()
    work.wait()
    assert work.result == "whole"


def test_a_failure_is_told_in_words():
    def fail(progress):
        raise ValueError("no such corpus")

    work = Background(fail)
    work.start()
    work.wait()
    assert work.problem == "no such corpus"


def test_the_second_waits_for_the_first_and_can_be_stopped_meanwhile():
    began, go, order = threading.Event(), threading.Event(), []

    def first(progress):
        began.set()
        go.wait(10)
        order.append(1)

    one, two, three = (
        Background(first),
        Background(lambda p: order.append(2) or 2),
        Background(lambda p: order.append(3)),
    )
    one.start()
    assert began.wait(10)
    two.start()
    three.start()
    three.stop()
    three.wait()
    assert three.problem == "Stopped."
    assert two.running
    go.set()
    two.wait()
    assert order == [1, 2]
    assert two.result == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_ends_the_wait_too():
    work = Background(lambda progress: {}["missing"])
    work.start()
    work.wait()
    assert work.problem.startswith("KeyError")
