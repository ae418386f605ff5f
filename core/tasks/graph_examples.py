"""The triples or pairs of benchmark folders as examples: which are asked in a language, and which are trained on."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from core.corpora.records import Split
from core.tasks.name_index import Graphs
from core.tasks.sources import require_training
from core.tasks.task import sample


class GraphExamples:
    """Rows of the triples or pairs of all folders by language and split.

    Training and validation rows are those of the first folder; the test of a language is that of the first folder with
    tests that has one.

    Args:
        graphs: The folders.
        folder: Number of the folder of each row, shape (rows,).
        split: Its split, as text, shape (rows,).
        language: Its language, as text, shape (rows,).
        test_limit: Test rows asked per language, None for all.
    """

    def __init__(
        self, graphs: Graphs, folder: np.ndarray, split: np.ndarray, language: np.ndarray, test_limit: int | None
    ) -> None:
        self.graphs, self.folder, self.split, self.language = graphs, folder, split, language
        self.test_limit = test_limit

    @cached_property
    def tested(self) -> dict[str, int]:
        """Number of the folder that each language's test comes from, by code in order."""
        found: dict[str, int] = {}
        for folder in self.graphs.test_folders:
            for code in np.unique(self.language[(self.folder == folder) & (self.split == "test")]).tolist():
                found.setdefault(code, folder)
        return dict(sorted(found.items()))

    def folder_of(self, language: str, split: Split) -> int:
        """The folder that asks in a language.

        Raises:
            ValueError: If no folder has a test in that language.
        """
        if split == "test" and language not in self.tested:
            known = ", ".join(self.tested) or "none"
            raise ValueError(
                f"{self.graphs.title} has no test of {self.graphs.task} in language {language!r}. It has: {known}."
            )
        return self.tested[language] if split == "test" else 0

    def known(self, language: str, split: Split) -> np.ndarray:
        """Rows of a language, of every split, of the folder that asks in it."""
        return np.flatnonzero((self.folder == self.folder_of(language, split)) & (self.language == language))

    def asked(self, language: str, split: Split, limit: int | None = None) -> np.ndarray:
        """Rows asked in a language; `limit` counts for other splits than the test, which has its own."""
        rows = self.known(language, split)
        return sample(rows[self.split[rows] == split], self.test_limit if split == "test" else limit)

    @cached_property
    def all_asked(self) -> np.ndarray:
        """Test rows asked in any language."""
        return np.concatenate([np.zeros(0, np.int64), *(self.asked(language, "test") for language in self.tested)])

    def size(self, plural: str) -> str:
        """What a name of the benchmark must say: nothing, or how many `plural` of each test are asked."""
        whole = sum(int((self.split[self.known(language, "test")] == "test").sum()) for language in self.tested)
        return f", {self.test_limit} test {plural} a language" if len(self.all_asked) < whole else ""

    def train(self, languages: Sequence[str]) -> np.ndarray:
        """Training rows of some languages, in the order of the languages.

        Raises:
            ValueError: If one has none, no language is asked for, or there are fewer than two rows.
        """
        train = np.flatnonzero((self.folder == 0) & (self.split == "train"))
        there, name = np.unique(self.language[train]).tolist(), self.graphs.folders[0].info.name
        require_training(name, f"examples of {self.graphs.task}", languages, there)
        rows = np.concatenate([train[self.language[train] == code] for code in languages])
        if len(rows) < 2:
            raise ValueError(
                f"{name} has {len(rows)} training example(s) of {self.graphs.task} in {', '.join(languages)}; "
                "a contrast needs two. Name more training languages."
            )
        return rows
