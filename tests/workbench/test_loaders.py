"""The app's view of a run that goes on."""

from workbench import loaders


def test_steps_grow_with_the_file_and_survive_a_line_cut_by_a_kill(finished_run):
    whole = len(loaders.steps(finished_run))
    assert whole > 10
    with finished_run.events_file.open("a", encoding="utf-8") as file:
        file.write('{"time": 1, "event": "st')
    assert len(loaders.steps(finished_run)) == whole
    event = {"event": "step", "stage": "ep", "step": 1, "steps": 2, "loss": 0.5, "learning_rate": 0.1}
    finished_run.append_event(event)  # lands on the cut line and is lost with it
    finished_run.append_event(event | {"step": 2})
    steps = loaders.steps(finished_run)
    assert len(steps) == whole + 1
    assert steps.step.iloc[-1] == 2
    assert len([e for e in finished_run.events() if "loss" in e]) == whole + 1
