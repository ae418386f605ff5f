"""Look into a fused system with the weights that it reports: attention, contributions, null map and knock-outs."""

import numpy as np
from torch import nn

from core.corpora.records import TokenBatch
from core.encoder.adapter_set import FUSION
from core.encoder.fusion_capture import capture, capture_null, without_each
from core.evaluation.fusion_map import knock_out_rows, map_rows, to_frame
from core.evaluation.outcomes import Outcome
from core.stages.workspace import Workspace
from core.task_config import TaskName


def map_stage(task: TaskName) -> str:
    """Key of a task's fusion map."""
    return f"fusion_map.{task}"


def map_fusion(work: Workspace, task: TaskName, head: nn.Module | None) -> None:
    """Add a task's fusion map to the run's, on sampled test examples of every test language.

    Args:
        work: The run's workspace, with the fusion that is to be looked into loaded.
        task: The task that the fusion was trained for.
        head: The task's head, where it has one.
    """
    plan, measured = work.config.evaluation.fusion_map, work.config.evaluation
    assert plan is not None  # asked for only where the config has one
    work.journal.begin(map_stage(task), f"looking into the fusion for {work.title(task)}")
    encoder, languages, tokens = work.encoder, work.languages[task], work.config.compute.tokens_per_pass
    asked = {language: work.tasks[task].probe_texts(language, plan.examples) for language in languages}
    texts = {language: TokenBatch.whole(batch.ids, batch.lengths) for language, batch in asked.items()}
    seeds = [int(s) for s in np.random.SeedSequence(work.config.seed).generate_state(plan.null_fusions)]

    passed, passes = 0, 1 + len(seeds) + (1 + len(work.adapters.slots)) * plan.knock_out

    def advance(done: int, total: int) -> None:
        work.journal.advance(map_stage(task), (passed + done / total) / passes)

    def measure() -> dict[str, Outcome]:
        nonlocal passed
        passed += 1
        advance(0, 1)
        return dict(work.tasks[task].measure(encoder, head, languages, "test", plan.examples, tokens))

    with work.adapters.active(FUSION):
        trained = capture(encoder, texts, tokens, advance)
        full = measure() if plan.knock_out else {}
        without = without_each(work.adapters.slots, measure) if plan.knock_out else {}
        null = capture_null(work.adapters, encoder, texts, seeds, tokens) if seeds else {}
    samples, confidence = measured.bootstrap_samples, measured.confidence
    rows = list(map_rows(task, work.adapters.slots, trained, null, samples, confidence))
    rows += knock_out_rows(task, full, without, samples, confidence)
    work.run.add_fusion_map(task, to_frame(rows))
    work.journal.finish(map_stage(task))
