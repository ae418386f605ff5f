"""`workbench corpus build wikidata`: corpora out of dumps of any size."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from workbench import terminal
from workbench.commands.corpus_card import print_corpus
from workbench.commands.options import Target
from workbench.terminal import Json


def build_wikidata(
    dump: Annotated[
        list[Path], typer.Option("--dump", help="File of the dump; repeatable, or followed by more files.")
    ],
    target: Target,
    more: Annotated[list[Path] | None, typer.Argument(help="More files of the dump, as a shell pattern gives.")] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", help="Keep this language instead of the paper's 84; repeatable.")
    ] = None,
    add_language: Annotated[
        list[str] | None, typer.Option("--add-language", help="Keep this one, too (nb: Norwegian); repeatable.")
    ] = None,
    more_than_labels: Annotated[int, typer.Option(min=0, help="Keep items with more labels than this.")] = 10,
    ranks: Annotated[
        Literal["best", "not_deprecated", "all"],
        typer.Option(help="Statements taken: preferred ones, else normal (best); both; or deprecated ones, too."),
    ] = "best",
    mul: Annotated[
        Literal["ignore", "fill"], typer.Option(help="Labels for all languages: ignore them, or fill gaps with them.")
    ] = "ignore",
    redirects: Annotated[
        Path | None, typer.Option(help="TSV of merged items: from-id, to-id; they are resolved in triples.")
    ] = None,
    sitelinks: Annotated[
        bool, typer.Option("--sitelinks", help="Also write sitelinks.parquet: titles in the languages' Wikipedias.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that parse; one per core, up to 8, if left out.")
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Take what there is of a file that is cut off or damaged.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Start afresh although a build was interrupted.")] = False,
    as_json: Json = False,
) -> None:
    """The Wikidata JSON dump (.json, .gz, .bz2, .zst): items with labels in many languages, and the facts between them.

    The same command goes on with a build that was interrupted. Lines that are no entity are left out and reported.

    Example: `workbench corpus build wikidata --dump latest-all.json.gz --out wikidata`
    """
    from core.corpora.wikidata.build import build
    from core.corpora.wikidata.options import DumpOptions

    options = DumpOptions(more_than_labels=more_than_labels, ranks=ranks, mul=mul, sitelinks=sitelinks)
    options = replace(
        options, languages=tuple(dict.fromkeys([*(language or options.languages), *(add_language or [])]))
    )
    try:
        with terminal.progress_bar("Building") as bar:
            build(
                [*dump, *(more or [])],
                target,
                options,
                redirects=redirects,
                workers=workers,
                lenient=lenient,
                again=again,
                reading=lambda done, total: bar(9 * done, 10 * total),  # by compressed bytes
                assembling=lambda done, total: bar(9 * total + done, 10 * total),
            )
    except KeyboardInterrupt:
        terminal.screen(stderr=True).print("Stopped. Finished parts are kept: the same command goes on from there.")
        raise typer.Exit(130) from None
    print_corpus(target, as_json)
    if not as_json:
        text = f"Beside the paper's Tables 1 and 8: workbench corpus stats {target}"
        terminal.screen().print(text, highlight=False, soft_wrap=True)
