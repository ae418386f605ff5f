"""What can be known of a config before anything is started or written: is its data there, has it these languages?"""

import difflib
from collections.abc import Collection, Iterable, Iterator

from core.config import RunConfig
from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.sources.cldr import cldr_languages
from core.corpora.store import Corpus
from core.execution.budget import is_here
from core.folders import benchmark_folder
from core.runs.store import RunDir
from core.task_config import EntityAlignment, Task


def check(config: RunConfig) -> None:
    """Refuse a config that cannot run.

    Raises:
        CorpusError: If `corpus.folder` holds no corpus, or an empty one.
        RunError: If `adapters.from_run` names no run.
        ValueError: If the backbone is not on this machine, a benchmark is missing or another task's, or a language is
            not in the corpus or the benchmark; all such languages are named at once.
    """
    if not is_here(config.backbone.source):
        raise ValueError(
            f"backbone.source: {config.backbone.source} is not on this machine. Fetch it once with: "
            f"workbench backbone get {config.backbone.source}; or name `embedded` or a model folder."
        )
    corpus = None if config.corpus.folder is None else Corpus.open(config.corpus.folder)
    known = cldr_languages() if corpus is None else corpus.languages
    name = f"the corpus {config.corpus.name if corpus is None else corpus.path}"
    if config.adapters.from_run is not None:
        RunDir.find(config.adapters.from_run)
    problems = list(_unknown("corpus.adapter_languages", config.corpus.adapter_languages, known, name))
    for task, plan in config.tasks.chosen().items():
        field = f"tasks.{task}"
        train: Collection[str] = known
        test: Collection[str] = known
        train_name = test_name = name
        if plan.data is not None:
            own, tests = _benchmark(task, plan.data), [_benchmark(task, data) for data in plan.test_data]
            train, test = own.languages, {code for data in tests or [own] for code in data.languages}
            train_name, test_name = (", ".join(names) for names in ([plan.data], plan.test_data or [plan.data]))
        problems += _unknown(f"{field}.train_languages", plan.train_languages, train, train_name)
        problems += _unknown(f"{field}.test_languages", plan.test_languages, test, test_name)
        problems += _unknown(f"{field}.source_language", _source(plan), train, train_name)
    if problems:
        raise ValueError("The config asks for languages that its data lacks: " + "; ".join(problems) + ".")


def _source(plan: Task) -> list[str]:
    return [plan.source_language] if isinstance(plan, EntityAlignment) else []


def _benchmark(task: str, name: str) -> BenchmarkData:
    data = BenchmarkData.open(benchmark_folder(name))
    if data.info.task != task:
        raise ValueError(
            f"tasks.{task}: the benchmark {name} is one of {data.info.task}. Give it to tasks.{data.info.task}, or "
            f"name a benchmark of {task}."
        )
    return data


def _unknown(field: str, codes: Iterable[str] | None, known: Collection[str], name: str) -> Iterator[str]:
    for code in codes or ():
        if code not in known:
            near = difflib.get_close_matches(code, known, n=3, cutoff=0.5)
            hint = f"; near: {', '.join(near)}" if near else ""
            yield f"{field}: {name} ({len(known)} languages) has no {code!r}{hint}"
