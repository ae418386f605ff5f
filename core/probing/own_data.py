"""Own data, evaluated as a benchmark.

Queries, candidates (every name of the language in the file), filtering, protocols and intervals are those of every
other benchmark.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from core.config import System
from core.corpora.benchmarks.draft import Draft
from core.corpora.rows import DataError, RowLog
from core.evaluation.estimates import result_rows
from core.languages import group_of
from core.probing.nearest import Advance
from core.probing.own_files import OwnData
from core.probing.trained import FUSED, Question, TrainedEncoder
from core.task_config import EntityAlignment, KGCompletion
from core.tasks.entity_alignment import BenchmarkAlignment
from core.tasks.kg_completion import BenchmarkCompletion

_PLANS = {"entity_alignment": EntityAlignment, "kg_completion": KGCompletion}


def evaluate(
    encoder: TrainedEncoder,
    data: OwnData,
    systems: Sequence[System],
    source: str,
    target: str | None = None,
    progress: Advance | None = None,
) -> pd.DataFrame:
    """Metrics of some systems on own data under every protocol that reads ranks, with bootstrap intervals.

    Args:
        encoder: The run's encoder.
        data: The data.
        systems: Systems of the run; `+Fusion` asks the fusion of the data's task.
        source: Language of the queries; of triples, of all names.
        target: Language of the second column of pairs.
        progress: Called with (tokens done, tokens in all), over all systems; an error that it raises ends the work.

    Returns:
        Columns `task`, `dataset`, `system`, and those of `core.evaluation.estimates.result_rows`.

    Raises:
        RunError: If the run has no such system.
        DataError: If nothing is asked: languages are equal, or no entity has labels in the source and another language.
    """
    run, found = encoder.run, []
    with TemporaryDirectory(prefix="own-data-") as room:
        folder = _draft(data, source, target).write(Path(room) / "data", RowLog(strict=False))
        config = run.config
        common = {"phrase_tokens": config.corpus.phrase_tokens, "prefix": config.backbone.prefix}
        task: BenchmarkAlignment | BenchmarkCompletion
        if data.task == "entity_alignment":
            task = BenchmarkAlignment(encoder.backbone, folder, source_language=source, **common)  # type: ignore[arg-type]
        else:
            task = BenchmarkCompletion(encoder.backbone, folder, **common)  # type: ignore[arg-type]
        languages = list(task.test_sizes())
        plan = getattr(config.tasks, data.task) or _PLANS[data.task]()
        adapted = run.provenance().get("data", {}).get("adapter_languages", ())
        groups = {code: group_of(code, adapted, plan.train_languages) for code in languages}
        for number, system in enumerate(systems):

            def advance(done: int, all_: int, before: int = number) -> None:
                if progress:
                    progress(before * all_ + done, len(systems) * all_)

            with encoder.asked(Question(system, data.task if system == FUSED else None)) as (text_encoder, _):
                outcomes = task.measure(text_encoder, None, languages, progress=advance)
            about = {"task": data.task, "dataset": data.name, "system": system}
            measured = config.evaluation
            rows = result_rows(outcomes, groups, measured.bootstrap_samples, measured.confidence)
            found += [about | row for row in rows]
    return pd.DataFrame(found)


def _draft(data: OwnData, source: str, target: str | None) -> Draft:
    draft = Draft(data.name, data.task, "own data", "not stated", f"sha256 {data.sha256}")
    known: dict[tuple[str, ...], int] = {}

    def row_of(table: str, language: str, id: str, name: str) -> int:
        if (table, language, id) not in known:
            known[table, language, id] = draft.add(table, language, id, name, "")
        return known[table, language, id]

    if data.task == "kg_completion":
        for subject, relation, object_ in data.rows:
            ends = [row_of("entities", source, end, end) for end in (subject, object_)]
            draft.add("triples", source, "test", ends[0], row_of("relations", source, relation, relation), ends[1])
    elif "language" in data.columns:
        labels: dict[str, dict[str, int]] = {}
        for entity, language, label in data.rows:
            labels.setdefault(entity, {})[language] = row_of("entities", language, entity, label)
        for rows in labels.values():
            for language in sorted(rows.keys() - {source}) if source in rows else ():
                draft.add("pairs", source, language, "test", rows[source], rows[language])
        if not draft.rows["pairs"]:
            raise DataError(
                f"No entity of {data.name} has labels in {source} and another language. "
                f"Its languages: {', '.join(data.languages)}."
            )
    else:
        if target is None or target == source:
            raise DataError("Pairs need two different languages: name that of the source and that of the target.")
        for query, answer in data.rows:
            ends = [row_of("entities", source, query, query), row_of("entities", target, answer, answer)]
            draft.add("pairs", source, target, "test", *ends)
    return draft
