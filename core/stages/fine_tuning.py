"""Stage 4: everything on a task's training set (paper, section 4.1), and which of its weights are reported.

Validation happens before the first step and at even distances after it, so a fine-tuning that only harms is not
reported. `best_test_per_language` is the rule behind Table 11 of the paper: it picks on the test set, one checkpoint
per language, and is here to show how much that gains.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.config import SYSTEM_PARTS, System, Task, TaskName
from core.encoder.adapter_set import FUSION
from core.encoder.weights import load_weights, save_weights
from core.evaluation.outcomes import LanguageRanks, from_arrays, to_arrays
from core.runs.store import write_atomic
from core.stages.contrastive import Stage, stage_seed, train_stage
from core.stages.fusion_training import fusion_stage, train_task_fusion
from core.stages.loop import Step
from core.stages.measurement import test_ranks
from core.stages.workspace import Workspace
from core.tasks.retrieval import evaluate, mean_reciprocal_rank


def fine_tuned_stage(task: TaskName, system: System) -> str:
    """Key of the fine-tuning of a system on a task."""
    return f"fine-tuned.{task}.{system.lstrip('+').lower()}"


def fine_tune(work: Workspace, task: TaskName, system: System) -> None:
    """Take a system through stages 3 and 4 on a task and rank the test queries, unless the run has these ranks."""
    key, part, plan = fine_tuned_stage(task, system), SYSTEM_PARTS[system], work.config.tasks.chosen()[task]
    if not work.run.outcome_file(task, system, "fine-tuned").is_file():
        if part == FUSION:
            train_task_fusion(work, task)
        else:
            work.reset()
        names = work.adapters.parameters(part, everything=True)
        choice = Choice(work, task, system, plan)
        if plan.fine_tuning is not None:
            samplers = [work.tasks[task].training_pairs(stage_seed(work.config.seed, f"{key}.pairs"))]
            title = f"fine-tuning {system} on {task.replace('_', ' ')}"
            stage = Stage(key, title, part, names, samplers, plan.fine_tuning)
            choice.consider(Step(0, stage.steps, 0.0, 0.0, 0))
            if stage.steps not in choice.history:  # else an earlier attempt ended while it measured
                train_stage(work, stage, on_step=choice.consider)
        ranks = choice.ranks(f"{key}.test")
        work.run.write_outcomes(task, system, "fine-tuned", to_arrays(ranks))

        def write(folder: Path) -> None:
            if work.config.compute.keep_fine_tuned:
                save_weights(work.backbone, folder, names)

        work.keep(key, write, {"steps": 0 if plan.fine_tuning is None else stage.steps, "validation": choice.history})
    elif part == FUSION:
        work.journal.finish(fusion_stage(task))
    work.journal.finish(key)
    work.journal.finish(f"{key}.test")


@dataclass
class Choice:
    """The weights that a fine-tuning reports.

    Attributes:
        work: The run's workspace.
        task: The task.
        system: The system.
        plan: The task's section of the config.
        history: Step -> mean reciprocal rank on the validation split, in [0, 1].
    """

    work: Workspace
    task: TaskName
    system: System
    plan: Task
    history: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = self.work.run.checkpoint_dir(fine_tuned_stage(self.task, self.system))
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / "validation.json").is_file():  # an earlier attempt's
            said = json.loads((self.folder / "validation.json").read_text(encoding="utf-8"))
            self.history = {int(step): score for step, score in said.items()}

    def consider(self, step: Step) -> None:
        """Score the weights after a step if it is one to validate at, and keep them if they are the best so far."""
        marks = {round(i * step.steps / self.plan.validations) for i in range(self.plan.validations + 1)}
        scored = step.step in self.history  # by an earlier attempt, whose best weights are on the disk
        if step.step not in marks or scored or self.plan.checkpoint == "last":
            return
        model = self.work.backbone.model
        training = model.training
        model.eval()
        if self.plan.checkpoint == "best_test_per_language":
            self._keep_best_per_language()
        else:
            best = max(self.history.values(), default=-1.0)
            self.history[step.step] = self._validate()
            if self.history[step.step] > best:
                self._save_weights()
            write_atomic(self.folder / "validation.json", json.dumps(self.history).encode())
        model.train(training)

    def ranks(self, stage: str) -> dict[str, LanguageRanks]:
        """Ranks of the test queries with the weights that the plan reports, which are loaded as they are stored."""
        if self.plan.checkpoint == "best_test_per_language" and self.plan.fine_tuning is not None:
            with np.load(self.folder / "per_language.npz", allow_pickle=False) as arrays:
                return from_arrays(self.task, dict(arrays))
        if not self.history:
            self._save_weights()
        load_weights(self.work.backbone, self.folder)
        self.work.journal.begin(stage, f"measuring {self.system}, fine-tuned on {self.task.replace('_', ' ')}")
        return test_ranks(self.work, self.system, [self.task], stage)[self.task]

    def _validate(self) -> float:
        task, part = self.work.tasks[self.task], SYSTEM_PARTS[self.system]
        limit = self.plan.validation_queries
        held_out = {lang: task.benchmark(lang, "valid", limit) for lang in self.plan.train_languages}
        held_out = {lang: benchmark for lang, benchmark in held_out.items() if len(benchmark)}
        if not held_out:
            raise ValueError(
                f"The corpus {self.work.corpus.info.name} has no validation query of {self.task} in "
                f"{', '.join(self.plan.train_languages)}: set tasks.{self.task}.checkpoint to last, or hold entities out."
            )
        with self.work.adapters.active(part):
            found = evaluate(self.work.encoder, self.work.index, held_out)
        return mean_reciprocal_rank(found.values())

    def _save_weights(self) -> None:
        names = self.work.adapters.parameters(SYSTEM_PARTS[self.system], everything=True)
        save_weights(self.work.backbone, self.folder, names)

    def _keep_best_per_language(self) -> None:
        file = self.folder / "per_language.npz"
        found = test_ranks(self.work, self.system, [self.task], None)[self.task]
        if file.is_file():
            with np.load(file, allow_pickle=False) as arrays:
                earlier = from_arrays(self.task, dict(arrays))
            found = {lang: max(earlier[lang], found[lang], key=_hits_at_one) for lang in found}
        np.savez_compressed(file, **to_arrays(found))  # type: ignore[arg-type]


def _hits_at_one(ranks: LanguageRanks) -> float:
    return float((ranks.pessimistic["filtered"] == 1).mean())
