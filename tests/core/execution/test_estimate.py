"""The estimate by hand on made-up runs, and its stages against those of a real one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core import recipes
from core.config import RunConfig
from core.execution.budget import Dimensions, dimensions
from core.execution.estimate import estimate, least_memory, pace, pairs, plan
from core.runs.status import Status
from core.runs.store import RunDir
from core.task_config import Optimisation

BARE = {**{f"adapters.{role}": None for role in ("tp", "es", "ts", "large")}, "tasks.entity_alignment": None}
BARE |= {"adapters.ep": {"steps": 10, "batch_size": 20}, "evaluation.zero_shot": [], "evaluation.fine_tuned": []}
MILLIONS = 12 * (4 * (384 * 384 + 384) + 2 * 384 * 1536 + 1536 + 384 + 4 * 384) / 1e6  # of the embedded backbone


@pytest.fixture
def done() -> Callable[..., RunDir]:
    """Makes a finished run out of its config and the seconds of its stages."""

    def made(stages: dict[str, float], steps: dict[str, int], overhead: float = 5.0, **changes: object) -> RunDir:
        run = RunDir.create(recipes.parse({}, BARE | changes))
        clock, events = 1000.0 + overhead, []
        for stage, seconds in stages.items():
            events.append({"time": clock, "event": "stage", "stage": stage})
            if stage in steps:
                events.append({"time": clock, "event": "step", "stage": stage, "step": 1, "steps": steps[stage]})
            clock += seconds
        events.append({"time": clock, "event": "end", "state": "done"})
        run.events_file.write_text("".join(json.dumps(event) + "\n" for event in events))
        run.write_status(Status("done", started=1000.0, heartbeat=clock, peak_memory=3 * 2**30))
        run.provenance_file.write_text(json.dumps({"attempts": [{}]}))
        return run

    return made


def test_twice_the_pairs_take_twice_the_time(done: Callable[..., RunDir]) -> None:
    known = pace([done({"ep": 40.0}, {"ep": 10})])
    assert known.kinds["training ep"] == [pytest.approx(40 / 200 / MILLIONS)]
    assert known.overhead == [5.0]
    found = estimate(recipes.parse({}, BARE | {"adapters.ep.steps": 20}), known)
    assert found.seconds == pytest.approx(2 * 40 + 5)
    assert (found.low, found.high) == (pytest.approx(85 / 2), pytest.approx(85 * 2))  # one run: a factor of two
    assert found.unknown == ()


def test_the_range_is_that_of_the_runs_compared_with(done: Callable[..., RunDir]) -> None:
    known = pace([done({"ep": seconds}, {"ep": 10}) for seconds in (10.0, 40.0, 400.0)])
    found = estimate(recipes.parse({}, BARE), known)
    assert found.seconds == pytest.approx(45)
    assert (found.low, found.high) == (pytest.approx(15), pytest.approx(405))


def test_epochs_take_the_pairs_that_another_run_counted(done: Callable[..., RunDir]) -> None:
    """30 steps of 20 pairs were 3 epochs, so one epoch has 200 pairs."""
    known = pace([done({"ep": 60.0}, {"ep": 30}, **{"adapters.ep": {"epochs": 3, "batch_size": 20}})])
    assert known.epochs == {"training ep on cldr": 200.0}
    config = recipes.parse({}, BARE | {"adapters.ep": {"epochs": 1, "batch_size": 10}})
    assert estimate(config, known).seconds == pytest.approx(20 + 5)
    elsewhere = recipes.parse({}, BARE | {"adapters.ep": {"epochs": 1, "batch_size": 10}, "corpus.folder": "other"})
    found = estimate(elsewhere, known)
    assert found.unknown == ("ep",)
    assert found.seconds == pytest.approx(5)


def test_an_adapter_never_trained_takes_the_time_of_another(done: Callable[..., RunDir]) -> None:
    known = pace([done({"ep": 40.0}, {"ep": 10})])
    config = recipes.parse({}, BARE | {"adapters.ep": None, "adapters.tp": {"steps": 10, "batch_size": 20}})
    assert estimate(config, known).seconds == pytest.approx(45)


def test_measuring_scales_with_languages_times_queries(done: Callable[..., RunDir]) -> None:
    measured = {"evaluation.zero_shot": ["+EP"], "evaluation.test_triples": 50}
    few = {"tasks.kg_completion.test_languages": ["de", "fr"]}
    known = pace([done({"ep": 40.0, "zero-shot.+EP": 10.0}, {"ep": 10}, **measured, **few)])
    four = {"tasks.kg_completion.test_languages": ["de", "fr", "en", "es"]}
    assert estimate(recipes.parse({}, BARE | measured | four), known).seconds == pytest.approx(40 + 2 * 10 + 5)
    open_ = recipes.parse({}, BARE | {"evaluation.zero_shot": ["+EP"]} | four)  # every triple: nobody knows how many
    found = estimate(open_, known)
    assert found.unknown == ("zero-shot.+EP",)
    assert found.seconds == pytest.approx(45)


def test_a_backbone_with_more_parameters_in_its_layers_takes_longer(done: Callable[..., RunDir]) -> None:
    known = pace([done({"ep": 40.0}, {"ep": 10})])
    found = estimate(recipes.parse({}, BARE | {"backbone.source": "bert-base-multilingual-cased"}), known)
    assert found.seconds == pytest.approx(40 * 85.054464 / MILLIONS + 5)


def test_without_a_finished_run_there_is_no_number(done: Callable[..., RunDir]) -> None:
    stopped, resumed = done({"ep": 40.0}, {"ep": 10}), done({"ep": 40.0}, {"ep": 10})
    stopped.write_status(Status("stopped"))
    resumed.provenance_file.write_text(json.dumps({"attempts": [{}, {}]}))  # its clock ran while nothing did
    found = estimate(recipes.parse({}, BARE), pace([stopped, resumed]))
    assert found.seconds is None
    assert found.compared == ()


def test_every_stage_of_a_real_run_is_planned(finished_run: RunDir) -> None:
    done = {event["stage"] for event in finished_run.events() if event["event"] == "stage"}
    planned = [stage.stage for stage in plan(finished_run.config)]
    assert len(planned) == len(set(planned)) > 20
    assert done - {"prepare", "results"} == set(planned)


def test_every_stage_of_a_run_with_heads_has_the_name_that_it_will_have() -> None:
    pytest.importorskip("torch")
    from core.runs.kept import fine_tuned_stage, fusion_stage
    from core.stages.fusion_maps import map_stage
    from core.stages.fusion_training import CORPUS_STAGE
    from core.stages.heads import head_stage

    config = recipes.named("paper-mbert", {"evaluation.fusion_map": {}, "fusion.corpus_training": "initialise"})
    planned = {stage.stage for stage in plan(config)}
    tuned = fine_tuned_stage("ner", "backbone")
    assert {head_stage("ner", "backbone"), fusion_stage("ner"), map_stage("ner"), CORPUS_STAGE} <= planned
    assert {tuned, f"{tuned}.test"} <= planned
    assert head_stage("ner", "+Fusion") not in planned


def test_a_real_run_is_estimated_by_itself(finished_run: RunDir) -> None:
    """What it needed, by what it needed: the stages of one kind differ, so not to the second."""
    status = finished_run.status()
    found = estimate(finished_run.config, pace([finished_run]))
    assert found.unknown == ()
    assert found.low <= status.heartbeat - status.started <= found.high


def test_pairs_of_a_budget() -> None:
    assert pairs(Optimisation(steps=3, batch_size=4, accumulation=5), None) == 60
    assert pairs(Optimisation(epochs=0.5, batch_size=4), 90) == 45
    assert pairs(Optimisation(epochs=0.5, batch_size=4), None) is None


def test_memory_by_hand(tiny_config: RunConfig, tiny_backbone: Path) -> None:
    """Weights, gradients, two moments and a copy of what is trained; the vocabulary is trimmed to nobody knows what."""
    size = dimensions(str(tiny_backbone))
    assert isinstance(size, Dimensions)
    rest = size.parameters - size.vocabulary * 32
    assert least_memory(tiny_config, size) == 4 * 5 * rest
    whole = recipes.parse(tiny_config.model_dump(mode="json"), {"backbone.trim_vocabulary": False})
    assert least_memory(whole, size) == 4 * 5 * size.parameters
    untuned = recipes.parse(whole.model_dump(mode="json"), {"evaluation.fine_tuned": []})
    assert least_memory(untuned, size) == 4 * 2 * size.parameters
