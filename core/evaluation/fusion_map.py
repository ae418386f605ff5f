"""Fusion maps: what each slot of a fusion does on a task, by language and layer, as one tidy frame.

| measure      | value                                                                  | low, high                   |
| weight       | mean attention of the slot, 0 to 1                                     | bootstrap over texts        |
| argmax_share | share of the tokens whose largest weight is the slot's, 0 to 1         | the same                    |
| contribution | mean norm of `a_n V A_n(h)`, in the unit of the hidden vectors         | the same                    |
| entropy      | mean entropy of the weights over log(slots), 0 to 1; no slot           | the same                    |
| knock_out    | metric without the slot minus metric of the full fusion; no layer      | paired bootstrap over units |

Means are over a text's tokens and then over texts. The `null` rows are what untrained fusions of the same adapters
give on the same texts: value is the mean over those fusions, low and high their smallest and largest, since they are
too few to resample. A trained value inside that range is what chance gives.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.evaluation.estimates import interval
from core.evaluation.metrics import MAIN_METRICS, METRICS
from core.evaluation.outcomes import Outcome
from core.evaluation.protocols import PROTOCOLS

MEASURES: dict[str, str] = {  # measure -> what a value of it is
    "weight": "mean weight of each slot",
    "entropy": "entropy of the weights, 0 to 1",
    "argmax_share": "share of the tokens where the slot has the largest weight",
    "contribution": "norm of each slot's contribution, in the unit of the hidden vectors",
    "knock_out": "what is gained without the slot, in percentage points",
}
DIGITS: dict[str, int] = {"weight": 3, "entropy": 3, "argmax_share": 3, "contribution": 2, "knock_out": 1}
KEYS = ("task", "language", "layer", "slot", "fusion", "measure", "metric")
COLUMNS = (*KEYS, "value", "low", "high", "n")


def map_rows(
    task: str,
    slots: Sequence[str],
    trained: Mapping[str, Mapping[str, np.ndarray]],
    null: Mapping[str, Sequence[Mapping[str, np.ndarray]]],
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Rows of what was observed of a fusion, and of untrained ones.

    Args:
        task: The task.
        slots: Names of the slots, in the order of the arrays.
        trained: Language -> measure -> value of every text, shape (texts, layers, slots); `entropy` has one slot.
        null: The same of every untrained fusion.
        samples: Bootstrap samples.
        confidence: Share of the samples inside the interval.
        seed: Seed of the resampling.

    Yields:
        Rows with `COLUMNS`; n is the number of texts.
    """
    for language, observed in trained.items():
        for measure, values in observed.items():
            low, high = _bootstrap(values, samples, confidence, seed)
            about = {"task": task, "language": language, "fusion": "trained", "measure": measure, "n": len(values)}
            yield from _cells(about, slots, values.mean(0, dtype=float), low, high)
    for language, fusions in null.items():
        for measure in fusions[0]:
            means = np.stack([observed[measure].mean(0, dtype=float) for observed in fusions])
            texts = len(fusions[0][measure])
            about = {"task": task, "language": language, "fusion": "null", "measure": measure, "n": texts}
            yield from _cells(about, slots, means.mean(0), means.min(0), means.max(0))


def knock_out_rows(
    task: str,
    full: Mapping[str, Outcome],
    without: Mapping[str, Mapping[str, Outcome]],
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Rows of what knocking each slot out changes, in every metric under the strict protocol.

    Args:
        task: The task.
        full: Outcomes of the full fusion by language.
        without: Slot -> outcomes without it on the same examples.
        samples: Bootstrap samples.
        confidence: Share of the samples inside the interval.
        seed: Seed of the resampling.

    Yields:
        Rows with `COLUMNS`; value is below zero where the slot helps a metric that is better when larger; n is the
        number of examples.

    Raises:
        ValueError: If the outcomes are of different examples.
    """
    from core.evaluation.comparison import paired_differences  # SciPy is slow to import, and reading a map needs none

    one_group = dict.fromkeys(full, "")
    for slot, outcomes in without.items():
        for found in paired_differences(full, outcomes, one_group, PROTOCOLS["strict"], samples, confidence, seed):
            if found.language is not None:
                yield {
                    "task": task,
                    "language": found.language,
                    "layer": None,
                    "slot": slot,
                    "fusion": "trained",
                    "measure": "knock_out",
                    "metric": found.metric,
                    "value": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "n": found.n,
                }


def to_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows of any number of maps as the frame that a run stores, with `COLUMNS`; `layer` is a nullable integer."""
    text = pd.StringDtype(na_value=np.nan)  # also of a column in which everything is missing
    numbers = {"layer": "Int64", "value": "float64", "low": "float64", "high": "float64", "n": "int64"}
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    return frame.astype({column: numbers.get(column, text) for column in COLUMNS})


def averaged(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Means over the rows that share some keys: first within each language, then every language counting once.

    Args:
        frame: What `to_frame` made, with any columns added.
        keys: Columns that stay apart, `measure` and `fusion` among them unless the frame has one of each.

    Returns:
        The keys, `value`, `low`, `high`, `languages` (how many), `n` (texts or examples of all languages). `low` and
        `high` are means of the ends. For null rows that is a range which holds the range of the means; for the others
        it is the interval of the mean had the languages varied together, and wider than it where they do not.
    """
    means = {end: (end, "mean") for end in ("value", "low", "high")}
    each = frame.groupby([*dict.fromkeys((*keys, "language"))], dropna=False, sort=False)
    one_per_language = each.agg(**means, n=("n", "first")).reset_index()
    over = one_per_language.groupby(list(keys), dropna=False, sort=False)
    found = over.agg(**means, languages=("value", "size"), n=("n", "sum")).reset_index()
    return found.astype({key: frame[key].dtype for key in keys})


def over_languages(frame: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """A map by group of languages, each language counting once, as in the results of a group.

    Args:
        frame: What `to_frame` made.
        groups: Language -> group; languages that it leaves out are left out.

    Returns:
        What `averaged` gives for the keys of a map with `group` in place of `language`.
    """
    named = frame.assign(group=frame["language"].map(dict(groups))).dropna(subset="group")
    return averaged(named, ["group" if key == "language" else key for key in KEYS])


def beside_null(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The trained fusion's means beside those of the untrained ones.

    Args:
        frame: What `to_frame` made, with any columns added.
        keys: Columns that stay apart, as of `averaged`, without `fusion`.

    Returns:
        What `averaged` gives of the trained rows, and `null`, `null_low`, `null_high`, `difference` (trained - null),
        missing where there is no null, and `outside` (whether the value lies outside the null's range).
    """
    means = averaged(frame, [*keys, "fusion"])
    trained, null = (means[means["fusion"] == fusion].drop(columns="fusion") for fusion in ("trained", "null"))
    null = null.rename(columns={"value": "null", "low": "null_low", "high": "null_high"})
    found = trained.merge(null.drop(columns=["languages", "n"]), how="left", on=list(keys))
    outside = (found["value"] < found["null_low"]) | (found["value"] > found["null_high"])
    return found.assign(difference=found["value"] - found["null"], outside=outside)


def knock_out_metric(task: str) -> str:
    """The metric of a task's knock-outs when nobody asks for another."""
    return next(metric for metric in MAIN_METRICS if metric in METRICS[task])


def headline(part: pd.DataFrame, metric: str) -> str:
    """What a task's fusion attends to most, against chance, and which slot it needs most.

    Args:
        part: Rows of one task.
        metric: Metric of its knock-outs.
    """
    weights = beside_null(part[part.measure == "weight"], ["slot"])
    most = weights.iloc[int(weights.value.argmax())]
    shares = averaged(part[(part.measure == "argmax_share") & (part.fusion == "trained")], ["slot"])
    wins = shares.set_index("slot").value[most.slot]
    chance = ""
    if not pd.isna(most.null):
        chance = f" (untrained {most.null:.3f}, {most.null_low:.3f} to {most.null_high:.3f}; {most.difference:+.3f})"
    line = f"{most.slot} has the largest mean weight, {most.value:.3f}{chance}, and wins {wins:.0%} of the tokens."
    knock_outs = averaged(part[(part.measure == "knock_out") & (part.metric == metric)], ["slot"])
    if knock_outs.empty:
        return line
    worst = knock_outs.iloc[int(knock_outs.value.argmin())]
    if worst.value >= 0:
        return f"{line} No knock-out lowers {metric}."
    effect = f"{number(worst.value, 'knock_out')} ({ends(worst.low, worst.high, 'knock_out')})"
    doubt = "" if worst.high < 0 else ", which may be chance"
    return f"{line} Knocking out {worst.slot} hurts most: {metric} {effect}{doubt}."


def chance_outside(null_fusions: int) -> float:
    """Largest share of the cells that chance alone puts outside the range of some untrained fusions."""
    return 2 / (null_fusions + 1)


def number(value: float, measure: str) -> str:
    """A value with the measure's decimals; an effect has a sign unless it is zero."""
    shown = f"{value:{'+' if measure == 'knock_out' else ''}.{DIGITS[measure]}f}"
    return shown if shown.strip("+-0.") else shown.lstrip("+-")


def ends(low: float, high: float, measure: str) -> str:
    """Both ends of an interval or a range, with the measure's decimals."""
    return f"{number(low, measure)} to {number(high, measure)}"


def _bootstrap(values: np.ndarray, samples: int, confidence: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of the mean over texts, values of shape (texts, layers, slots), each (layers, slots)."""
    texts = len(values)
    drawn = np.random.default_rng(seed).multinomial(texts, np.full(texts, 1 / texts), size=samples)
    resampled = drawn @ values.reshape(texts, -1).astype(float) / texts
    low, high = np.apply_along_axis(interval, 0, resampled, confidence)
    return low.reshape(values.shape[1:]), high.reshape(values.shape[1:])


def _cells(
    about: Mapping[str, Any], slots: Sequence[str], value: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Iterator[dict[str, Any]]:
    """One row per layer and slot of arrays of shape (layers, slots), or (layers, 1) for what has no slot."""
    names = [None] if about["measure"] == "entropy" else slots
    if value.shape[1] != len(names):
        raise ValueError(f"{about['measure']}: {value.shape[1]} slots were observed, but {len(names)} are named.")
    for layer, slot in np.ndindex(value.shape):
        ends = {"value": value[layer, slot], "low": low[layer, slot], "high": high[layer, slot]}
        yield {**about, "layer": layer, "slot": names[slot], "metric": None, **ends}
