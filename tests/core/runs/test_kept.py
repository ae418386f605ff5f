"""What a run has kept, read off its files."""

import shutil

from core.runs import kept
from core.runs.store import DONE, RunDir


def test_adapters_fusions_and_fine_tuned_weights_of_a_finished_run(finished_run: RunDir) -> None:
    tasks = ["kg_completion", "entity_alignment"]
    assert kept.trained_adapters(finished_run) == ["ep", "tp", "es", "ts", "large"]
    assert kept.fused_tasks(finished_run) == tasks
    assert kept.fine_tuned_tasks(finished_run) == tasks
    assert kept.fusion_slots(finished_run) == ["identity", "ep", "tp", "es", "ts"]


def test_what_is_not_done_is_not_kept(finished_run: RunDir) -> None:
    (finished_run.checkpoint_dir("fusion.kg_completion") / DONE).unlink()
    (finished_run.checkpoint_dir("fine-tuned.kg_completion.fusion") / DONE).unlink()  # still at work on its weights
    (file,) = finished_run.checkpoint_dir("fine-tuned.entity_alignment.fusion").glob("*.safetensors")
    file.unlink()
    assert kept.fused_tasks(finished_run) == ["entity_alignment"]
    assert kept.fine_tuned_tasks(finished_run) == []
    shutil.rmtree(finished_run.checkpoint_dir("tp"))
    assert kept.fused_tasks(finished_run) == []
