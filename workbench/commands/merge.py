"""`workbench corpus merge`: one corpus out of several."""

from pathlib import Path
from typing import Annotated

import typer

from core.folders import refuse_existing
from workbench import terminal
from workbench.commands.corpus_card import print_corpus
from workbench.commands.options import Target
from workbench.terminal import Json

Share = Annotated[
    float | None, typer.Option(min=0, max=0.9, help="Share of the entities held out; the splits are kept if left out.")
]


def merge_corpora(
    folders: Annotated[list[Path], typer.Argument(help="Folders of corpora, the most trusted first.")],
    target: Target,
    valid_share: Share = None,
    test_share: Share = None,
    as_json: Json = False,
) -> None:
    """Merge corpora by the ids of entities and relations; the first corpus with a label in a language gives it.

    Entities that no corpus has a label of are left out. An entity that is held out in one corpus is held out in all,
    unless new shares are given.

    Example: `workbench corpus merge xfactr codex fewrel --out mixed --test-share 0.1`
    """
    from core.corpora.merge import merge
    from core.corpora.store import Corpus

    refuse_existing(target)
    shares = None if valid_share is None and test_share is None else (valid_share or 0.0, test_share or 0.0)
    with terminal.progress_bar("Merging") as progress:
        merge([Corpus.open(folder) for folder in folders], target, shares, progress)
    print_corpus(target, as_json)
