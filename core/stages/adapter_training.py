"""Stage 2: each adapter alone on its objective, the backbone frozen (paper, section 4)."""

import torch

from core import catalog
from core.corpora.draws import Sampler
from core.encoder.adapter_set import LARGE, SMALL
from core.stages.sampling import sampler_options, stage_seed
from core.stages.stage import Stage, train_stage
from core.stages.workspace import Workspace
from core.task_config import Optimisation


def train_adapter(work: Workspace, role: str, plan: Optimisation) -> None:
    """Train the adapter `role` and keep it, or load it where an earlier attempt kept it.

    Args:
        work: The run's workspace.
        role: `ep`, `tp`, `es`, `ts`, or `large`, which learns all four objectives at once (paper, section 5.5).
        plan: Budget, optimizer and schedule.
    """
    if work.is_done(role):
        work.adapters.load(role, work.run.checkpoint_dir(role))
    else:
        torch.manual_seed(stage_seed(work.config.seed, f"{role}.weights"))
        work.adapters.add(role)
        samplers = objective_samplers(work, SMALL if role == LARGE else (role,), role)
        name = "the Large adapter" if role == LARGE else f"adapter {role.upper()}"
        stage = Stage(role, f"training {name}", role, work.adapters.parameters(role), samplers, plan)
        train_stage(work, stage)
        facts = {"steps": stage.steps, "parameters": work.adapters.budget(role)}
        work.keep(role, lambda folder: work.adapters.save(role, folder), facts)
    work.journal.finish(role)


def objective_samplers(work: Workspace, roles: tuple[str, ...], stage: str) -> list[Sampler]:
    """A sampler for the objective of each role, seeded for one stage."""
    options = sampler_options(work.config.sampling)
    shared = (work.corpus, work.tokens, work.labels)
    return [
        catalog.resolve("sampler", role)(*shared, stage_seed(work.config.seed, f"{stage}.{role}"), **options[role])
        for role in roles
    ]
