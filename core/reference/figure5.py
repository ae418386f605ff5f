"""Figure 5 of the paper as numbers: what the authors' logs say of mBERT with each adapter, on three tasks.

The figure itself is an image without values. Its points are means over the languages of a group; those of single
languages come from the same logs. Hit@1 in them is Hit@2 (rank convention `released`).
"""

import pandas as pd

from core.reference.comparison import logged
from core.reference.tables import load

BACKBONE = "mBERT"
SHARE = 0.5  # %, section 1: all adapters, "collectively having only around 0.5% extra parameters than the MLLM"
SYSTEMS = {
    "backbone": "backbone",
    "base": "+Large",
    "ep": "+EP",
    "tp": "+TP",
    "es": "+ES",
    "ts": "+TS",
    "AFusion": "+Fusion",
}
TASKS = {"kgc": "kg_completion", "ea": "entity_alignment", "relx": "relation_classification"}
_PANELS = {
    "left: knowledge graph completion": "kg_completion",
    "centre: entity alignment": "entity_alignment",
    "right: relation classification": "relation_classification",
}
_METRICS = {"hit@1": "Hit@1", "mrr": "MRR", "F1": "F1"}


def points(by: str = "group") -> pd.DataFrame:
    """The points, in percent.

    Args:
        by: `group` or `language`.

    Returns:
        Columns task, system, group or language, metric, `log` and `log_best_validation`: for relation classification
        the largest of ten epochs on the test set, language by language, and the value at the epoch with the best
        validation F1; elsewhere `log` alone. Names are those of our results.
    """
    return _of_languages() if by == "language" else _of_groups()


def beside(frame: pd.DataFrame, by: str = "group") -> pd.DataFrame:
    """Rows of our results with the paper's numbers in the same places.

    Args:
        frame: Rows with task, system, metric and the column that `by` names.
        by: `group` or `language`.

    Returns:
        The rows with `log` and `log_best_validation`, missing where Figure 5 has no such point, and `paper_share`: what
        the paper says all adapters add, in percent of the backbone; missing for the backbone.
    """
    found = frame.merge(points(by), how="left", on=["task", "system", by, "metric"], validate="many_to_one")
    return found.assign(paper_share=(found.system != "backbone").map({True: SHARE}))


def _of_groups() -> pd.DataFrame:
    found = load("figure5_points_from_logs")
    found = found.assign(
        task=found.panel.map(_PANELS),
        system=found.system.map(SYSTEMS),
        group=found.language_or_group.str.extract(r"^(Sup|ZS-In|ZS-Un)\b", expand=False),
        metric=found.metric.map(_METRICS),
        column=found.rule.str.contains("best KBP37 validation").map({True: "log_best_validation", False: "log"}),
    ).dropna(subset=["group"])
    wide = found.pivot(index=["task", "system", "group", "metric"], columns="column", values="value")
    return wide[["log", "log_best_validation"]].reset_index().rename_axis(columns=None)


def _of_languages() -> pd.DataFrame:
    frames = []
    for name, task in TASKS.items():
        frame = logged(name).xs(BACKBONE).reset_index()
        frame["language"] = frame.language.str.rpartition("->")[2]
        frames.append(frame.assign(task=task, system=frame.system.map(SYSTEMS)))
    columns = ["task", "system", "language", "metric", "log", "log_best_validation"]
    return pd.concat(frames, ignore_index=True)[columns]
