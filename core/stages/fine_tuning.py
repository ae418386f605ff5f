"""Stage 4: everything on a task's training set (paper, section 4.1), and which of its weights are reported.

Validation happens before the first step and at even distances after it, so a fine-tuning that only harms is not
reported. `best_test_per_language` is the rule behind Table
11 of the paper: it picks on the test set, one checkpoint per language, and is here to show how much that gains.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import nn

from core.config import SYSTEM_PARTS, System
from core.encoder.adapter_set import FUSION
from core.encoder.weights import load_weights, save_weights
from core.evaluation.outcomes import Outcome, from_arrays, to_arrays
from core.evaluation.protocols import PROTOCOLS
from core.runs.kept import fine_tuned_stage, fusion_stage
from core.runs.store import write_atomic
from core.stages.fusion_maps import map_fusion, map_stage
from core.stages.fusion_training import train_task_fusion
from core.stages.heads import (
    fresh_head,
    head_parameters,
    head_stage,
    load_head,
    save_head,
    task_loss,
    train_head,
)
from core.stages.loop import Step
from core.stages.measurement import measure_task
from core.stages.sampling import stage_seed
from core.stages.stage import Stage, train_stage
from core.stages.workspace import Workspace
from core.task_config import Task, TaskName

_MODE = "fine-tuned"


def fine_tune(work: Workspace, task: TaskName, system: System) -> None:
    """Take a system through stages 3 and 4 on a task and measure it, unless the run has its outcomes."""
    key, part, plan = fine_tuned_stage(task, system), SYSTEM_PARTS[system], work.config.tasks.chosen()[task]
    if not work.run.outcome_file(task, system, _MODE).is_file():
        head = fresh_head(work, task)
        if part == FUSION:
            train_task_fusion(work, task, head)
        else:
            work.reset()
            if head is not None:
                train_head(work, task, system, head)
        choice = Choice(work, task, system, plan, head)
        steps = 0
        if plan.fine_tuning is not None:
            samplers = [work.tasks[task].training_set(stage_seed(work.config.seed, f"{key}.pairs"))]
            title = f"fine-tuning {system} on {work.title(task)}"
            loss, trained = task_loss(work, task, head), choice.weights()
            stage = Stage(key, title, part, trained, samplers, plan.fine_tuning, loss, head)
            steps = stage.steps
            choice.consider(Step(0, steps, 0.0, 0.0, 0))
            if steps not in choice.history:  # else an earlier attempt ended while it measured
                train_stage(work, stage, on_step=choice.consider)
        work.journal.finish(key)
        outcomes = choice.outcomes(f"{key}.test")
        work.journal.finish(f"{key}.test")
        if part == FUSION and work.config.evaluation.fusion_map is not None:
            map_fusion(work, task, head)
        work.run.write_outcomes(task, system, _MODE, to_arrays(outcomes))

        def write(folder: Path) -> None:
            if work.config.compute.keep_fine_tuned:
                choice.save(folder)

        work.keep(key, write, {"steps": steps, "validation": choice.history})
    else:
        earlier = (fusion_stage(task), map_stage(task)) if part == FUSION else (head_stage(task, system),)
        for done in (*earlier, key, f"{key}.test"):
            work.journal.finish(done)


@dataclass
class Choice:
    """The weights that a fine-tuning reports.

    Attributes:
        work: The run's workspace.
        task: The task.
        system: The system.
        plan: The task's section of the config.
        head: The task's head, where it has one.
        history: Step -> the task's metric on the validation split, macro-averaged over languages, in its unit.
    """

    work: Workspace
    task: TaskName
    system: System
    plan: Task
    head: nn.Module | None = None
    history: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = self.work.run.checkpoint_dir(fine_tuned_stage(self.task, self.system))
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / "validation.json").is_file():  # an earlier attempt's
            said = json.loads((self.folder / "validation.json").read_text(encoding="utf-8"))
            self.history = {int(step): score for step, score in said.items()}

    def weights(self) -> dict[str, nn.Parameter]:
        """What fine-tuning trains, by name: the backbone, what the system adds to it, and the head."""
        part = SYSTEM_PARTS[self.system]
        return self.work.adapters.parameters(part, everything=True) | head_parameters(self.head)

    def save(self, folder: Path) -> None:
        """Write the weights as they are to `folder`, the encoder's in half precision."""
        save_weights(
            self.work.backbone, folder, self.work.adapters.parameters(SYSTEM_PARTS[self.system], everything=True)
        )
        save_head(self.head, folder)

    def consider(self, step: Step) -> None:
        """Score the weights after a step if it is one to validate at, and keep them if they are the best so far."""
        marks = {round(i * step.steps / self.plan.validations) for i in range(self.plan.validations + 1)}
        if step.step not in marks or step.step in self.history:  # scored by an earlier attempt, whose best are kept
            return
        modules = [self.work.backbone.model, *([] if self.head is None else [self.head])]
        training = modules[0].training
        for module in modules:
            module.eval()
        per_language = self.plan.checkpoint == "best_test_per_language"
        if self.plan.all_checkpoints or per_language:
            self._record_test(last=step.step == step.steps)
        if self.plan.checkpoint == "best_validation":
            best = max(self.history.values(), default=-1.0)
            self.history[step.step] = self._validate()
            if self.history[step.step] > best:
                self.save(self.folder)
            write_atomic(self.folder / "validation.json", json.dumps(self.history).encode())
        for module in modules:
            module.train(training)

    def outcomes(self, stage: str) -> Mapping[str, Outcome]:
        """Outcomes of the test set with the weights that the plan reports, which are loaded as they are stored."""
        if self.plan.checkpoint == "best_test_per_language" and self.plan.fine_tuning is not None:
            return self._stored_best()
        if not self.history:
            self.save(self.folder)
        load_weights(self.work.backbone, self.folder)
        load_head(self.head, self.folder)
        self.work.journal.begin(stage, f"measuring {self.system}, fine-tuned on {self.work.title(self.task)}")
        return measure_task(self.work, self.task, self.system, self.head, stage)

    def _validate(self) -> float:
        languages, limit = self.plan.train_languages, self.plan.validation_queries
        task, name = self.work.tasks[self.task], self.task
        with self.work.adapters.active(SYSTEM_PARTS[self.system]):
            found = task.measure(self.work.encoder, self.head, languages, "valid", limit)
        if not found:
            raise ValueError(
                f"{task.dataset} has no validation example of {name} in {', '.join(languages)}: "
                f"set tasks.{name}.checkpoint to last, or hold some out."
            )
        return float(np.mean([self._score(outcome) for outcome in found.values()]))

    def _score(self, outcome: Outcome) -> float:
        return outcome.tally(PROTOCOLS["strict"]).values()[self.work.tasks[self.task].metric]

    def _record_test(self, last: bool) -> None:
        """Keep the test outcomes with the present weights where they are the best of a language, or the last."""
        found = dict(measure_task(self.work, self.task, self.system, self.head, None))
        if last:
            self.work.run.write_outcomes(self.task, self.system, _MODE, to_arrays(found), "last")
        if self.work.run.outcome_file(self.task, self.system, _MODE, "best-test").is_file():
            earlier = self._stored_best()
            found = {lang: max(earlier[lang], found[lang], key=self._score) for lang in found}
        self.work.run.write_outcomes(self.task, self.system, _MODE, to_arrays(found), "best-test")

    def _stored_best(self) -> dict[str, Outcome]:
        return from_arrays(self.task, self.work.run.read_outcomes(self.task, self.system, _MODE, "best-test"))
