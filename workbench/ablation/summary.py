"""What the ablation page says and tabulates: sentences and frames, without a browser."""

import pandas as pd

from core.evaluation.protocols import PROTOCOLS
from core.languages import GROUP_MEANING, GROUPS
from workbench.pickers import Ablation, task_title


def sentence(rows: pd.DataFrame, chosen: Ablation) -> str:
    """What is shown, of which runs, under which protocol."""
    runs = " and ".join(f"{r.name} (recipe {r.config.recipe}, seed {r.config.seed})" for r in chosen.runs)
    tasks = [
        f"{task_title(str(task))} on {' and '.join(part.dataset.unique())}: {part.metric.iloc[0]} in %"
        + ("" if part.protocol.iloc[0] == chosen.protocol else f", protocol {part.protocol.iloc[0]}")
        for task, part in rows.groupby("task", sort=False)
    ]
    return (
        f"What each system reaches, {chosen.mode}, by {chosen.by}. {'; '.join(tasks)}. Run {runs}; "
        f"protocol {chosen.protocol}: {PROTOCOLS[chosen.protocol].meaning}."
    )


def legend(rows: pd.DataFrame, chosen: Ablation) -> str:
    """What the groups, intervals and hollow points are."""
    over = "over seeds (t) where there are several, else " if (rows.seeds > 1).any() else ""
    level = f"{100 * chosen.runs[0].config.evaluation.confidence:.0f} % intervals {over}by a bootstrap over test items"
    logs = " · hollow: fine-tuned mBERT in the authors' logs, whose Hit@1 is Hit@2 (protocol released)"
    groups = " · ".join(f"{g}: {GROUP_MEANING[g]}" for g in GROUPS)
    return f"{groups} · {level}{logs if rows.log.notna().any() else ''}"


def values(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """What each system reaches and adds.

    Args:
        rows: Rows of `core.runs.ablation.ablation` with the paper's points beside them.
        by: `group` or `language`.
    """
    columns = [
        "system",
        "value",
        "low",
        "high",
        "gain",
        "log",
        "n",
        "seeds",
        "sd",
        "parameters",
        "share",
        "paper_share",
    ]
    shown = rows[["task", *_places(by), *columns]].assign(
        task=rows.task.map(task_title),
        gain=rows.gain.where(rows.system != "backbone"),
        paper_share=rows.paper_share.where(rows.share.notna()),
    )
    names = {"log": "authors' log", "share": "of backbone", "paper_share": "paper, all adapters"}
    return shown.rename(columns=names).dropna(axis="columns", how="all")


def differences(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """How two systems differ, of the rows of `core.runs.differences.differences`."""
    columns = ["baseline", "value", "difference", "low", "high", "p", "n", "seed", "interval"]
    return rows[[*_places(by), *columns]]


def _places(by: str) -> list[str]:
    return ["language", "group"] if by == "language" else ["group"]
