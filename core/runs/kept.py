"""What trained weights a run has kept, and the names of the stages that left them; reads file names only."""

from core.config import ADAPTERS, System
from core.runs.store import RunDir
from core.task_config import TaskName


def fusion_stage(task: TaskName) -> str:
    """Key of the fusion stage of a task."""
    return f"fusion.{task}"


def fine_tuned_stage(task: TaskName, system: System) -> str:
    """Key of the fine-tuning of a system on a task."""
    return f"fine-tuned.{task}.{system.lstrip('+').lower()}"


def trained_adapters(run: RunDir) -> list[str]:
    """Roles whose adapter a run has kept, in the order of the paper's tables."""
    return [role for role in ADAPTERS if run.is_done(role)]


def fused_tasks(run: RunDir) -> list[TaskName]:
    """Tasks whose fusion a run has kept after stage 3, with the backbone as pretrained."""
    chosen = run.config.tasks.chosen()
    small = set(ADAPTERS[:4]) <= set(trained_adapters(run))
    kept = [task for task in chosen if small and run.is_done(fusion_stage(task))]
    return [task for task in kept if chosen[task].fusion_stage_trains != "everything"]


def fine_tuned_tasks(run: RunDir) -> list[TaskName]:
    """Tasks whose fine-tuned `+Fusion` a run has kept (`compute.keep_fine_tuned`)."""
    stages = {task: fine_tuned_stage(task, "+Fusion") for task in run.config.tasks.chosen()}
    done = {task: run.checkpoint_dir(stage) for task, stage in stages.items() if run.is_done(stage)}
    return [task for task, folder in done.items() if any(folder.glob("*.safetensors"))]


def fusion_slots(run: RunDir) -> list[str]:
    """Slots of a run's fusions, in the order of their weights."""
    return [*(["identity"] if run.config.fusion.identity_slot else []), *ADAPTERS[:4]]
