"""What the overview says of a run: the numbers of its stages, and what each system gains over the backbone."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from core import catalog
from core.config import SYSTEM_PARTS, SYSTEMS
from core.evaluation.metrics import METRICS
from core.evaluation.protocols import stand_in
from core.languages import GROUPS
from core.runs.store import RunDir
from workbench.charts import SYSTEM_COLORS
from workbench.overview.stage_picture import ADAPTERS, Stage

_SYSTEM_OF = {part: system for system, part in SYSTEM_PARTS.items() if part}


def stages(run: RunDir) -> list[Stage]:
    """The four stages of a run: backbone, adapters, fusion, fine-tuning, with steps, pairs, languages and parameters."""
    config, provenance = run.config, run.provenance()
    budget, data = provenance.get("budget", {}), provenance.get("data", {})
    backbone = data.get("backbone", {}).get("name", PurePath(config.backbone.source).name)
    tasks = config.tasks.chosen()
    adapters: list[tuple[str | None, str, str]] = []
    for role, plan in config.adapters.trained().items():
        system = _SYSTEM_OF[role]
        numbers = _joined(amount(plan), _parameters(budget.get(system)))
        adapters.append((SYSTEM_COLORS[system], f"{system.lstrip('+')}: {ADAPTERS[role]}", numbers))
    if config.adapters.from_run:
        adapters.append((None, "Taken from another run", config.adapters.from_run))
    tuned: list[tuple[str | None, str, str]] = [
        (None, title(t), amount(task.fine_tuning)) for t, task in tasks.items() if task.fine_tuning
    ]
    if tuned:
        tuned.append((None, "Measured fine-tuned", ", ".join(_systems(config.evaluation.fine_tuned)) or "nothing"))
    languages = len(data.get("adapter_languages", ()))
    corpus = data.get("corpus", {}).get("name", config.corpus.name)
    fused: list[tuple[str | None, str, str]] = [
        (None, title(t), amount(task.fusion_training)) for t, task in tasks.items()
    ]
    if fused and "+Fusion" in budget:
        fused.append((None, "Parameters", f"{_parameters(budget['+Fusion'])}, adapters included"))
    about = f"Each alone on one objective over the corpus {corpus}" + (
        f", {languages} languages." if languages else "."
    )
    return [
        Stage("1 · Backbone", "A pretrained multilingual encoder, frozen in stages 2 and 3.", [
            (None, backbone, _parameters(budget.get("backbone")) or "parameters unknown"),
        ]),
        Stage("2 · Adapters", about, adapters),
        Stage("3 · Fusion", "Attention over the adapters, trained on a task; all else frozen.", fused),
        Stage("4 · Fine-tuning", "Everything, on the task; then measured.", tuned),
    ]  # fmt: skip


def title(task: str) -> str:
    """A task's name for people."""
    return catalog.item("task", task).title


def amount(plan: Any) -> str:
    """A budget in words: `64 steps × 128 pairs`."""
    count = f"{plan.steps} steps" if plan.steps is not None else f"{plan.epochs:g} epochs"
    return f"{count} × {plan.batch_size * plan.accumulation} pairs"


def _parameters(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count / 1e6:.1f} M parameters" if count >= 1e6 else f"{count / 1e3:.0f} k parameters"


def _systems(chosen: Sequence[str] | None) -> Sequence[str]:
    return ["every system"] if chosen is None else chosen


def _joined(*texts: str) -> str:
    return " · ".join(text for text in texts if text)


def gains(rows: pd.DataFrame) -> pd.DataFrame:
    """What every system has more than the backbone in the same mode, in each task's first metric, strict ranks.

    Args:
        rows: Results of one run.

    Returns:
        Columns task, metric, mode, system, group, value, backbone, gain; an adapter counts zero-shot where it was
        measured so, since nothing but the adapter differs then, and else fine-tuned.
    """
    found = []
    for task, part in rows[rows.language.isna()].groupby("task", sort=False):
        metric = next(iter(METRICS[str(task)]))
        protocol = stand_in("strict", str(task), set(part.protocol))
        part = part[(part.metric == metric) & (part.protocol == protocol)]
        plain = part[part.system == "backbone"].set_index(["mode", "group"]).value
        for system in SYSTEMS[1:]:
            own = part[part.system == system]
            modes = [mode for mode in ("zero-shot", "fine-tuned") if mode in set(own["mode"])]
            for row in own[own["mode"].isin(modes[:1])].itertuples():
                base = plain.get((row.mode, row.group), np.nan)
                found.append((task, metric, row.mode, system, row.group, row.value, base, row.value - base))
    columns = ["task", "metric", "mode", "system", "group", "value", "backbone", "gain"]
    return pd.DataFrame(found, columns=columns).dropna(subset=["gain"])


def strongest(found: pd.DataFrame) -> list[str]:
    """The largest gain of each task, and where a system does harm, as sentences."""
    lines = []
    for task, part in found.groupby("task", sort=False):
        ordered = part.sort_values("gain", kind="stable")
        worst, best = ordered.iloc[0], ordered.iloc[-1]
        lines.append(
            f"{title(str(task))}: {best.system} gains most, {best.gain:+.1f} points of {best.metric} over the backbone in "
            f"{best.group} ({best.backbone:.1f} to {best.value:.1f} %, {best['mode']})"
            + (f"; {worst.system} loses most, {worst.gain:+.1f} in {worst.group}." if worst.gain < -0.05 else ".")
        )
    return lines


def grid(part: pd.DataFrame) -> pd.DataFrame:
    """The gains of one task: a row a system, in the order of the paper, a column a language group."""
    wide = part.pivot_table("gain", "system", "group", sort=False, aggfunc="first")
    groups = [*(g for g in GROUPS if g in wide), *(g for g in wide if g not in GROUPS)]
    return wide.reindex(index=[system for system in SYSTEMS if system in wide.index], columns=groups)
