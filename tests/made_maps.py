"""A run with a fusion map of two tasks that was made up: numbers simple enough to work out means by hand."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core import recipes
from core.evaluation.fusion_map import to_frame
from core.runs.store import RunDir

# Task -> language -> weight of `ep` in layers 0 and 1; `identity` has the rest.
WEIGHTS = {
    "ner": {"eo": (0.1, 0.3), "de": (0.6, 0.8), "fr": (0.8, 1.0)},
    "kg_completion": {"de": (0.2, 0.4), "eo": (0.2, 0.2)},
}
NULL = (0.5, 0.4, 0.75)  # of `ep`: mean, smallest, largest, everywhere
GROUPS = {"de": "Sup", "fr": "Sup", "eo": "ZS-Un"}
TEXTS = {"de": 10, "fr": 20, "eo": 5}
KNOCK_OUTS = {"ner": ("F1", "Precision"), "kg_completion": ("Hit@1", "MRR")}


def rows(null: bool = True, knock_out: bool = True) -> Iterator[dict[str, Any]]:
    """Entropy is 0.5 and null 0.4 to 0.6; contribution 3 times the weight; argmax_share is the weight's square."""
    for task, languages in WEIGHTS.items():
        for language, layers in languages.items():
            same = {"task": task, "language": language, "n": TEXTS[language], "metric": None, "fusion": "trained"}
            for layer, ep in enumerate(layers):
                at = {**same, "layer": layer}
                yield {**at, "measure": "entropy", "slot": None, "value": 0.5, "low": 0.4, "high": 0.6}
                for slot, weight in (("identity", 1 - ep), ("ep", ep)):
                    cell = {**at, "slot": slot}
                    ends = {"low": weight - 0.1, "high": weight + 0.1}
                    yield {**cell, "measure": "weight", "value": weight, **ends}
                    yield {**cell, "measure": "argmax_share", "value": weight**2, "low": 0.0, "high": 1.0}
                    yield {**cell, "measure": "contribution", "value": 3 * weight, "low": 0.0, "high": 4.0}
                    if null:
                        mean, low, high = NULL if slot == "ep" else (1 - NULL[0], 1 - NULL[2], 1 - NULL[1])
                        chance = {"value": mean, "low": low, "high": high, "fusion": "null"}
                        yield {**cell, "measure": "weight", **chance}
            for slot, effect in (("identity", 1.0), ("ep", -4.0 if language == "de" else -2.0)) if knock_out else ():
                for metric, factor in zip(KNOCK_OUTS[task], (1.0, 0.5), strict=True):
                    cell = {**same, "layer": None, "slot": slot, "metric": metric, "measure": "knock_out"}
                    yield {**cell, "value": factor * effect, "low": factor * effect - 3, "high": factor * effect + 1}


def make_run(results: bool = True, null: bool = True, knock_out: bool = True, **plan: Any) -> RunDir:
    run = RunDir.create(recipes.parse({}, {"evaluation.fusion_map": {"null_fusions": 3 if null else 0, **plan}}))
    of_task: dict[str, list[dict[str, Any]]] = {}
    for row in rows(null, knock_out):
        of_task.setdefault(row["task"], []).append(row)
    for task, found in of_task.items():
        run.add_fusion_map(task, to_frame(found))
    if results:
        same = {"dataset": "made up", "system": "+Fusion", "mode": "fine-tuned", "metric": "F1", "protocol": "strict"}
        same |= {"value": 1.0, "low": 1.0, "high": 1.0, "n": 8}
        run.write_results(
            pd.DataFrame(
                [
                    *(
                        {**same, "task": t, "language": lang, "group": GROUPS[lang]}
                        for t in WEIGHTS
                        for lang in WEIGHTS[t]
                    ),
                    *({**same, "task": t, "language": None, "group": "Sup"} for t in WEIGHTS),
                ]
            )
        )
    return run
