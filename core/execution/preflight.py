"""What can be known of a config before anything is started or written: does its corpus exist, has it these languages?"""

import difflib
from collections.abc import Iterable

from core.config import RunConfig
from core.corpora.sources.cldr import cldr_languages
from core.corpora.store import Corpus


def check(config: RunConfig) -> None:
    """Refuse a config that cannot run.

    Raises:
        CorpusError: If `corpus.folder` holds no corpus, or an empty one.
        ValueError: If a language is not in the corpus; all such fields are named at once.
    """
    corpus = None if config.corpus.folder is None else Corpus.open(config.corpus.folder)
    known = cldr_languages() if corpus is None else corpus.languages
    asked: dict[str, Iterable[str] | None] = {"corpus.adapter_languages": config.corpus.adapter_languages}
    for task, plan in config.tasks.chosen().items():
        asked[f"tasks.{task}.train_languages"] = plan.train_languages
        asked[f"tasks.{task}.test_languages"] = plan.test_languages
    if alignment := config.tasks.entity_alignment:
        asked["tasks.entity_alignment.source_language"] = [alignment.source_language]
    problems = []
    for field, codes in asked.items():
        for code in [c for c in codes or () if c not in known]:
            near = difflib.get_close_matches(code, known, n=3, cutoff=0.5)
            hint = f"; near: {', '.join(near)}" if near else ""
            problems.append(f"{field}: no labels in language {code!r}{hint}")
    if problems:
        name = config.corpus.name if corpus is None else str(corpus.path)
        raise ValueError(f"The corpus {name} has {len(known)} languages, but " + "; ".join(problems) + ".")
