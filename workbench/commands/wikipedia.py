"""`workbench corpus build wikipedia`: sentences of Wikipedia that mention the entities of a graph (corpus C1)."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.folders import refuse_existing
from workbench import terminal
from workbench.commands.corpus_card import print_corpus
from workbench.commands.options import Lenient, Target
from workbench.terminal import Json


def build_wikipedia(
    graph: Annotated[Path, typer.Option(help="Folder of the corpus whose labels are looked for.")],
    texts: Annotated[
        list[Path],
        typer.Option(
            help="CirrusSearch dump, abstract dump, JSON lines of text, language and entity or title, or CoDEx "
            "extracts.zip; repeatable, or followed by more files."
        ),
    ],
    target: Target,
    more: Annotated[list[Path] | None, typer.Argument(help="More texts, as a shell pattern gives.")] = None,
    titles: Annotated[
        Path | None,
        typer.Option(
            help="Parquet or TSV of language, title, entity, for texts that name pages by title alone; the graph's own "
            "sitelinks if left out."
        ),
    ] = None,
    texts_language: Annotated[str | None, typer.Option(help="Language of the texts, where nothing says so.")] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", help="Keep sentences in this language only; repeatable.")
    ] = None,
    match: Annotated[
        Literal["exact", "case", "case_and_stress"],
        typer.Option(help="What a label may differ in from its mention: nothing, case, or stress marks, too."),
    ] = "case_and_stress",
    whole_words: Annotated[bool, typer.Option(help="A mention may not begin or end inside a word.")] = False,
    sentences: Annotated[
        int | None, typer.Option(min=1, help="Sentences at the start of a summary to look at; all if left out.")
    ] = None,
    splitter: Annotated[
        Literal["sentencex", "punctuation"],
        typer.Option(help="What ends a sentence: the library's rules, or any mark."),
    ] = "sentencex",
    min_languages: Annotated[
        int, typer.Option(min=1, help="Entities with sentences in fewer languages are left out.")
    ] = 2,
    lenient: Lenient = False,
    as_json: Json = False,
) -> None:
    """Per entity and language, the first sentence of the Wikipedia summary that contains the label (section 5.1).

    Example: `workbench corpus build wikipedia --graph codex --out codex-c1 --texts types/*/extracts.zip`
    """
    from core.corpora.rows import RowLog
    from core.corpora.sources import wikipedia
    from core.corpora.sources.mentions import MentionRules

    refuse_existing(target)
    rules = MentionRules(match, whole_words, sentences, splitter)
    with terminal.progress_bar("texts") as progress:
        wikipedia.build(
            target,
            graph,
            [*texts, *(more or [])],
            RowLog(strict=not lenient),
            rules,
            min_languages=min_languages,
            languages=language,
            titles=titles,
            texts_language=texts_language,
            progress=progress,
        )
    print_corpus(target, as_json)
