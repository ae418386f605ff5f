"""Which rows of which benchmarks a task with a head reads, and how the benchmarks tested on are named."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.compute as pc

from core.corpora.benchmarks.store import MAIN, BenchmarkData, BenchmarkError, Task
from core.corpora.records import Split
from core.tasks.task import sample


class Sources:
    """A benchmark to train and validate on, and those to test on.

    Args:
        task: What the benchmarks must be for.
        data: Training and validation examples, and test examples where `tests` is empty.
        tests: Benchmarks with test examples; a language's are those of the first that has some.
        train_languages: Languages of the training examples.
        test_limit: Test examples per language, a fixed sample; None takes all.
        plural: What an example is called, such as "sentences".
        order: Text column that the examples of a language are put in order by, so that languages with the same texts
            there have the same sample; None leaves them as they stand.

    Attributes:
        data: The first benchmark.
        train_languages: Each training language once.
        tested: Benchmark that each language is tested on.

    Raises:
        BenchmarkError: If a benchmark is of another task, or there are no test examples.
        ValueError: If a training language has no training examples, or there is none.
    """

    def __init__(
        self,
        task: Task,
        data: BenchmarkData,
        tests: Sequence[BenchmarkData],
        train_languages: Sequence[str],
        test_limit: int | None,
        plural: str,
        order: str | None = None,
    ) -> None:
        require_task(task, (data, *tests))
        self.data, self.test_limit, self.plural, self.table, self.order = data, test_limit, plural, MAIN[task], order
        self.train_languages = tuple(dict.fromkeys(train_languages))
        known = [language for language in data.languages if len(self._whole(data, language, "train"))]
        require_training(data.info.name, plural, self.train_languages, known)
        self.tested: dict[str, BenchmarkData] = {}
        for benchmark in tests or (data,):
            for language in benchmark.languages:
                if len(self._whole(benchmark, language, "test")):
                    self.tested.setdefault(language, benchmark)
        if not self.tested:
            named = ", ".join(benchmark.info.name for benchmark in tests or (data,))
            raise BenchmarkError(f"There are no test {plural} in {named}. Name a benchmark that has some.")

    def parts(self, split: Split) -> Iterator[tuple[str, BenchmarkData, np.ndarray]]:
        """Languages of a split, the benchmark of each, and its rows there, shape (examples,), never empty.

        Of the training split, these are the training languages; of the test split, the rows are the sample.
        """
        languages = self.train_languages if split == "train" else self.data.languages
        limit = self.test_limit if split == "test" else None
        for language, benchmark in (self.tested if split == "test" else dict.fromkeys(languages, self.data)).items():
            rows = self._whole(benchmark, language, split)
            if len(rows):
                yield language, benchmark, rows[sample(np.arange(len(rows)), limit)]

    @property
    def title(self) -> str:
        """Names of the benchmarks tested on, and the limit where it leaves examples out."""
        sizes = [len(self._whole(benchmark, language, "test")) for language, benchmark in self.tested.items()]
        cut = self.test_limit is not None and max(sizes) > self.test_limit
        names = " + ".join(dict.fromkeys(benchmark.info.name for benchmark in self.tested.values()))
        return f"{names}, {self.test_limit} test {self.plural} a language" if cut else names

    def _whole(self, benchmark: BenchmarkData, language: str, split: Split) -> np.ndarray:
        rows = benchmark.rows(self.table, language=language, split=split)
        if self.order is None:
            return rows
        return rows[pc.sort_indices(benchmark.table(self.table)[self.order].take(rows)).to_numpy()]


def require_task(task: Task, benchmarks: Sequence[BenchmarkData]) -> None:
    """Check that benchmarks are for a task.

    Raises:
        BenchmarkError: If one is for another.
    """
    for benchmark in benchmarks:
        if benchmark.info.task != task:
            raise BenchmarkError(
                f"{benchmark.path} is a benchmark of {benchmark.info.task}, not of {task}. Name one of {task}."
            )


def require_training(name: str, plural: str, languages: Sequence[str], known: Sequence[str]) -> None:
    """Check that a benchmark has training examples in every training language.

    Args:
        name: Name of the benchmark.
        plural: What an example is called.
        languages: The training languages.
        known: Languages that have training examples.

    Raises:
        ValueError: If one has none, or no language is asked for.
    """
    missing = [language for language in languages if language not in known]
    if missing or not languages:
        raise ValueError(
            f"{name} has no training {plural} in {', '.join(missing) or 'an empty list of languages'}. "
            f"It has some in: {', '.join(known) or 'no language'}."
        )
