"""`corpus lint`: everything that is looked for in a corpus, as one list of small functions."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.corpora.checks import leaks, pairs, sentences, structure, texts
from core.corpora.checks.finding import Finding, Inspection
from core.corpora.query import CorpusQuery
from core.corpora.records import Progress
from core.corpora.store import Corpus

CHECKS: tuple[Callable[[Inspection], Iterator[Finding]], ...] = (
    structure.small_languages,
    structure.unnamed,
    structure.repeated_labels,
    structure.leaking_facts,
    texts.bad_texts,
    sentences.visible_objects,
    sentences.released_mask,
    sentences.odd_spans,
    sentences.repeated_sentences,
    pairs.identical_labels,
    pairs.repeats_in_batches,
    leaks.held_out_names,
    leaks.test_strings,
)


def lint(
    corpus: Corpus,
    threshold: int = 100,
    against: Sequence[Path] = (),
    batch_size: int = 128,
    progress: Progress | None = None,
) -> list[Finding]:
    """Look for everything in `CHECKS`.

    Args:
        corpus: The corpus.
        threshold: Labels that a language should have.
        against: Folders of benchmarks (their test split) or corpora (their test entities), or text files with a string
            a line: what should not be trained on.
        batch_size: Pairs in a training batch.
        progress: Called with (checks done, checks in all).

    Returns:
        Findings in the order of the checks, those that found nothing too.

    Raises:
        CorpusError, DataError: If the corpus, or something it is checked against, cannot be read.
    """
    findings: list[Finding] = []
    with CorpusQuery.of(corpus) as query:
        inspection = Inspection(query, corpus.info.counts, threshold, batch_size, tuple(against))
        for number, check in enumerate(CHECKS, 1):
            findings.extend(check(inspection))
            if progress:
                progress(number, len(CHECKS))
    return findings
