"""`workbench corpus`: build corpora from public sources, put them together, see what they hold and what is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from core import catalog
from core.folders import cache_root, data_root, refuse_existing
from workbench import terminal
from workbench.commands import checks, merge, wikidata, wikipedia
from workbench.commands.corpus_card import print_corpus
from workbench.commands.options import Lenient, Source, Target
from workbench.terminal import Json

app = typer.Typer(no_args_is_help=True, help="Knowledge integration corpora: build, merge, check and count them.")
build_app = typer.Typer(
    no_args_is_help=True,
    help="Build a corpus from its source.\n\nExample: `workbench corpus build xfactr --out xfactr-corpus`",
)
app.add_typer(build_app, name="build")
app.add_typer(checks.app)
app.command("merge")(merge.merge_corpora)
build_app.command("wikidata")(wikidata.build_wikidata)
build_app.command("wikipedia")(wikipedia.build_wikipedia)
out = terminal.screen()

Languages = Annotated[list[str] | None, typer.Option("--language", help="Keep labels of this language; repeatable.")]
ValidShare = Annotated[float, typer.Option(min=0, max=0.9, help="Share of the entities held out for validation.")]
TestShare = Annotated[float, typer.Option(min=0, max=0.9, help="Share of the entities held out for the test.")]


@build_app.command("cldr")
def build_cldr(target: Target, language: Languages = None, as_json: Json = False) -> None:
    """The embedded default: Unicode CLDR, from the package Babel; no download.

    Example: `workbench corpus build cldr --out cldr-small --language en --language de --language eo`
    """
    from core.corpora.sources import cldr

    refuse_existing(target)
    cldr.build(target, language)
    print_corpus(target, as_json)


def _build_command(name: str) -> Callable[..., None]:
    def command(
        target: Target,
        source: Source = None,
        language: Languages = None,
        valid_share: ValidShare = 0.0,
        test_share: TestShare = 0.0,
        lenient: Lenient = False,
        as_json: Json = False,
    ) -> None:
        from core.corpora.rows import RowLog

        refuse_existing(target)
        log = RowLog(strict=not lenient)
        graph = catalog.resolve("graph", name)(source or data_root() / name, log, language)
        graph.write(target, log, valid_share, test_share)
        print_corpus(target, as_json)

    row = catalog.item("graph", name)
    command.__doc__ = f"{row.title} ({row.reference}).\n\nExample: `workbench corpus build {name} --out {name}-corpus`"
    return command


for _row in catalog.of_kind("graph"):
    build_app.command(_row.key)(_build_command(_row.key))


@app.command("info")
def corpus_info(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a corpus; the cached CLDR if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a corpus is: source, licence, card, counts.

    Example: `workbench corpus info cldr-small`
    """
    from core.corpora.sources import cldr

    print_corpus(folder or cldr.cached(cache_root()).path, as_json)
