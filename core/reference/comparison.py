"""The paper's tables beside the authors' logs and our results: a tidy frame, one printed cell a row.

The paper's "Hit@1" of language models is Hit@2 (PROTOCOL, section 6), so ours is put beside it under the protocol
`released`, with `strict` in a column of its own. Tasks without ranks know no `released`: relation classification takes
`best-test` in its place, the rule behind Table 11, and where a run lacks that, or in another task, `strict`. What else
differs between a cell of ours and the printed one (backbone, dataset, languages of a group, test queries) is named in
the column `differs`.
"""

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from core.evaluation.metrics import RANKING_METRICS
from core.evaluation.protocols import stand_in
from core.reference.tables import load

NUMBERS = (2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)
COLUMNS = (
    *("table", "task", "dataset", "model", "backbone", "system", "language_or_group", "n_languages", "n_test"),
    *("metric", "rank_convention", "paper", "log", "log_best_validation", "ours", "ours_low", "ours_high"),
    "ours_strict",
    *("delta_log", "delta_paper", "log_minus_paper", "protocol", "mode", "runs", "our_backbone", "our_dataset"),
    *("our_n", "differs", "note"),
)
OUR_TASKS = {
    "knowledge graph completion": "kg_completion",
    "entity alignment": "entity_alignment",
    "relation classification": "relation_classification",
    "named entity recognition": "ner",
    "question answering": "question_answering",
}
OUR_METRICS = {"Acc.": "Accuracy"}
OUR_SYSTEMS = {"backbone": "backbone", "+Fusion": "AFusion"}
_LOGGED = {2: "kgc", 9: "kgc", 3: "ea", 10: "ea", 4: "relx", 11: "relx"}  # table -> task of its logs
_BY_LANGUAGE = {2: 9, 3: 10, 4: 11, 5: 12, 6: 13}  # table of groups -> the table of its single languages
_LIU = "average over the languages of Liu et al. (2021)"  # Table 7, which does not name them
_LIU_LANGUAGES = {
    "relation classification": "de es fr tr",  # RELX less English
    "named entity recognition": "en de es fr it ja ko nl vi zh",  # in Table 12 they have the printed means
}
_EVERY = ("Ave.", "average", _LIU)  # groups that are means over languages, whatever those were trained on
_BACKBONES = {
    "bert-base-multilingual-cased": "mBERT",
    "xlm-roberta-base": "XLMRbase",
    "xlm-roberta-large": "XLMRlarge",
}
_Key = tuple[str, str, str, str]  # backbone, system, language, metric


def printed(number: int) -> pd.DataFrame:
    """A table of the paper, with one name for the enhanced model: `system` is AFusion where the paper prints MLKG.

    Raises:
        ValueError: If the paper has no such table of results.
    """
    if number not in NUMBERS:
        raise ValueError(f"The paper has no Table {number} of results; choose one of {', '.join(map(str, NUMBERS))}.")
    table = load(f"table{number}").rename(columns={"value": "paper"})
    return table.assign(system=table.system.replace("MLKG", "AFusion"))


def logged(task: str) -> pd.DataFrame:
    """The authors' test results of one task, in percent.

    Args:
        task: `kgc`, `ea` or `relx`.

    Returns:
        Index (backbone, system, language as Tables 9 to 11 print it, metric). `log`: the value; for relx the largest
        of the ten epochs on the test set, by language, which is what Table 11 prints. `log_best_validation`: relx
        only, the value at the last epoch that was best on validation: the checkpoint that the authors' script keeps.
    """
    found = load("upstream_results")
    found = found[(found.task == task) & (found.split == ("RELX" if task == "relx" else "test"))]
    names = {"hit@1": "Hit@1", "mrr": "MRR", "MRR": "MRR"}
    metric = found.metric.map(lambda name: "F1" if name.endswith(" F1") else names.get(name, name))
    language = found.language.str.replace("_", "->", regex=False)
    found = found.assign(metric=metric, language=language, value=100 * found.value)
    key = ["model", "system", "language", "metric"]
    kept = found[found.best_val_so_far == "yes"].sort_values("epoch").groupby(key).value.last()
    return pd.DataFrame({"log": found.groupby(key).value.max(), "log_best_validation": kept})


def members(number: int, task: str | None = None) -> dict[str, list[str]]:
    """Languages behind each printed group of a table; a single language stands for itself.

    The tables by language list the groups one after another, and the tables of groups say how many are in each.

    Args:
        number: One of `NUMBERS`.
        task: Task as printed; Table 7 has several.
    """
    if number == 7:
        return {_LIU: _LIU_LANGUAGES.get(task or "", "").split(), "average": members(13)["average"]}
    by_language = load(f"table{_BY_LANGUAGE.get(number, number)}")
    languages = [name for name in by_language.language_or_group.unique() if name not in _EVERY]
    if number not in _BY_LANGUAGE:
        return dict(zip(languages, ([language] for language in languages), strict=True)) | dict.fromkeys(
            _EVERY, languages
        )
    found, start = {}, 0
    for group, count in load(f"table{number}")[["language_or_group", "n_languages"]].drop_duplicates().to_numpy():
        found[group] = languages if group in _EVERY else languages[start : start + count]
        start += 0 if group in _EVERY else count
    return found


def paper_backbone(source: str) -> str | None:
    """The paper's name of a backbone given by hub id or folder, or None if the paper does not use it."""
    return _BACKBONES.get(PurePath(source).name.lower())


def compare(
    number: int, ours: pd.DataFrame | None = None, protocol: str = "released", mode: str = "fine-tuned"
) -> pd.DataFrame:
    """One table of the paper beside the logs and our results.

    A run whose backbone the paper uses fills the rows of that backbone; one with another backbone fills the rows of
    every backbone that no run has. Several seeds of one set-up are averaged.

    Args:
        number: One of `NUMBERS`.
        ours: Results as `core.runs.tables.results` makes them, with two more columns: `backbone` (its source) and
            `setup` (equal in runs that differ in their seed only). None or no matching rows leave `ours` missing.
        protocol: Metric protocol of `ours` and of the deltas, as far as the task knows it.
        mode: `fine-tuned`, as in the paper, or `zero-shot`.

    Returns:
        Columns `COLUMNS`, one row per row of the table's CSV, in its order; values in percent, NaN where there is
        none. `ours_low` and `ours_high`: the run's interval, over seeds the reach of theirs; none for the means made
        here. `log_best_validation` as in `logged`; `delta_log` and `delta_paper` are ours less log and paper. The log
        of a group is the mean over the languages that the paper prints for that model.

    Raises:
        ValueError: If there is no such table, or runs of different set-ups would fill the same cells.
    """
    cells = printed(number)
    cells = cells.assign(**_log_columns(number, cells), **_our_columns(number, cells, ours, protocol, mode))
    ranking = cells.metric.isin(list(RANKING_METRICS))
    cells["rank_convention"] = pd.Series("", cells.index).mask(ranking, "unknown")
    cells.loc[ranking & cells.backbone.notna(), "rank_convention"] = "released"
    hit = (cells.rank_convention == "released") & (cells.metric == "Hit@1")
    note = cells.note.fillna("") + pd.Series("", cells.index).mask(hit, "; paper and log: Hit@1 is Hit@2")
    cells["note"] = note.str.strip("; ")
    cells["delta_log"] = cells.ours - cells.log
    cells["delta_paper"] = cells.ours - cells.paper
    cells["log_minus_paper"] = cells.log - cells.paper
    counts = dict.fromkeys(("n_languages", "n_test", "our_n"), "Int64")
    return cells[list(COLUMNS)].astype(counts).round(4)


def _single(number: int, group: str) -> bool:
    return number not in _BY_LANGUAGE and group not in _EVERY


def _scored(number: int) -> set[_Key]:
    """The (backbone, system, language, metric) for which the table by language prints a number."""
    table = printed(_BY_LANGUAGE.get(number, number)).dropna(subset=["paper", "backbone"])
    return set(zip(table.backbone, table.system, table.language_or_group, table.metric, strict=True))


def _log_columns(number: int, cells: pd.DataFrame) -> dict[str, pd.Series]:
    names = ("log", "log_best_validation")
    if number not in _LOGGED:
        return {name: pd.Series(float("nan"), cells.index) for name in names}
    frame, groups, scored = logged(_LOGGED[number]), members(number), _scored(number)
    values = {key: frame.loc[key].to_numpy() for key in frame.index}
    missing, found = np.full(len(names), np.nan), []
    for key in zip(cells.backbone, cells.system, cells.language_or_group, cells.metric, strict=True):
        backbone, system, group, metric = key
        languages = [(backbone, system, language, metric) for language in groups[group]]
        if not _single(number, group):
            languages = [language for language in languages if language in scored]
        parts = [values.get(language, missing) for language in languages]
        found.append(np.mean(parts, axis=0) if parts else missing)
    return {name: pd.Series(column, cells.index) for name, column in zip(names, np.array(found).T, strict=True)}


def _our_columns(
    number: int, cells: pd.DataFrame, ours: pd.DataFrame | None, protocol: str, mode: str
) -> dict[str, pd.Series]:
    values_of = ("ours", "ours_low", "ours_high", "ours_strict")
    names = (*values_of, "protocol", "mode", "runs", "our_backbone", "our_dataset", "our_n", "differs")
    found: list[dict[str, object]] = [{} for _ in range(len(cells))]
    for printed_task in cells.task.unique():
        if ours is None:
            break
        task = OUR_TASKS[printed_task]
        rows = ours[(ours.task == task) & (ours["mode"] == mode)]
        groups, differences = members(number, printed_task), _differences(number, printed_task)
        means = {name: {_code(one) for one in groups[name]} for name in _EVERY if name in groups}
        asked, used = stand_in(protocol, task, set(rows.protocol)), rows.backbone.map(paper_backbone)
        for backbone in _BACKBONES.values():
            same = used == backbone
            values = _by_key(rows[same if same.any() else used.isna()], means)
            for place in np.flatnonzero((cells.backbone == backbone) & (cells.task == printed_task)):
                cell = cells.iloc[place]
                metric = OUR_METRICS.get(cell.metric, cell.metric)
                key = (cell.system, *_our_name(number, cell.language_or_group), metric)
                if (one := values.get((*key, asked))) is not None:
                    found[place] = {
                        **one,
                        "ours_strict": values.get((*key, "strict"), {}).get("ours"),
                        "protocol": asked,
                        "mode": mode,
                        "differs": differences(backbone, cell.language_or_group, cell.dataset, one),
                    }
    frame = pd.DataFrame(found, index=cells.index, columns=list(names))
    return {name: frame[name] for name in names}


def _code(name: str) -> str:
    """Our code of a printed language: `de` of `de`, and of `en->de`."""
    return name.rpartition("->")[2]


def _our_name(number: int, name: str) -> tuple[str, str]:
    """What a printed language or group is in our results: (`language`, code) or (`group`, name)."""
    if _single(number, name):
        return "language", _code(name)
    return "group", name if name in _EVERY else name.split()[0].rstrip(".")


def _by_key(rows: pd.DataFrame, means: dict[str, set[str]]) -> dict[Any, dict[str, Any]]:
    """Our values by paper's system, `language` or `group`, its name, metric and protocol, averaged over seeds.

    Args:
        rows: Results of one task.
        means: Groups that are made here, each the mean over those of its languages that there are.

    Raises:
        ValueError: If there are several set-ups.
    """
    if rows.setup.nunique() > 1:
        raise ValueError(
            f"The runs {', '.join(rows.run.unique())} fill the same cells and differ in more than their seed: name one"
            " of them, or several seeds of one set-up."
        )
    single = rows[rows.language.notna()]
    languages = single.groupby("group").language.unique().map(set).to_dict()
    for name, codes in means.items():
        part = single[single.language.isin(codes)].assign(group=name)
        same = [column for column in part.columns if column not in ("language", "value", "low", "high", "n")]
        rows = pd.concat([rows, part.groupby(same, sort=False).agg({"value": "mean", "n": "sum"}).reset_index()])
        languages[name] = set(part.language)
    alone = rows.language.notna()
    rows = rows.assign(
        of=rows.system.map(OUR_SYSTEMS),
        kind=pd.Series("group", rows.index).mask(alone, "language"),
        name=rows.group.mask(alone, rows.language),
    )
    by_key = rows.groupby(["of", "kind", "name", "metric", "protocol"], sort=False).agg(
        ours=("value", "mean"),
        ours_low=("low", "min"),
        ours_high=("high", "max"),
        runs=("run", lambda names: ", ".join(dict.fromkeys(names))),
        our_backbone=("backbone", "first"),
        our_dataset=("dataset", "first"),
        our_n=("n", "first"),
        group=("group", "first"),
    )
    by_key["languages"] = by_key.group.map(languages)
    return dict(zip(by_key.index, by_key.to_dict("records"), strict=True))


def _differences(number: int, task: str) -> Callable[[str, str, str, dict[str, Any]], str]:
    """A function that names what keeps our value and the printed one from being comparable.

    It takes the paper's backbone, language or group and dataset, and one of the values of `_by_key`.
    """
    groups = members(number, task)
    sizes = printed(_BY_LANGUAGE.get(number, number)).groupby("language_or_group").n_test.first()
    scored = {(backbone, language) for backbone, _, language, _ in _scored(number)}

    def of(backbone: str, group: str, dataset: str, our: dict[str, Any]) -> str:
        every = number == 7 or _single(number, group)
        names = [name for name in groups[group] if every or (backbone, name) in scored]
        source, *limits = our["our_dataset"].split(",")
        asked = sizes.reindex(names).sum(min_count=1)
        same = {
            "backbone": paper_backbone(our["our_backbone"]) == backbone,
            "dataset": _plain(source).startswith(_plain(dataset.split()[0])),
            "languages": _single(number, group) or {_code(name) for name in names} == our["languages"],
            # Where the paper prints no sizes, only what our dataset says of its test is known.
            "test queries": our["our_n"] == asked if asked == asked else not limits,
        }
        return ", ".join(name for name, agrees in same.items() if not agrees)

    return of


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
