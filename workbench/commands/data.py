"""`workbench data`: which data sets there are, under which licence, and getting them."""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from core.corpora.downloads import fetch, hub, registry
from core.corpora.downloads.fetch import Outcome
from core.corpora.downloads.folder import RECORD, DataFolder
from core.corpora.downloads.registry import DataFile, DataSet, DownloadError
from core.corpora.records import Progress
from core.folders import data_root
from workbench import terminal
from workbench.terminal import Json

app = typer.Typer(no_args_is_help=True, help="Data sets of the paper: list them, get them.")
out = terminal.screen()
Registry = Annotated[
    Path | None, typer.Option("--registry", help="Folder with a sets.yaml and a files.csv of your own.")
]


@app.command("list")
def list_sets(own: Registry = None, as_json: Json = False) -> None:
    """List the data sets: what for, size, licence, whether they are here, public source.

    Example: `workbench data list`
    """
    rows = [_facts(data, DataFolder(data_root() / data.name)) for data in registry.load(own).values()]
    if as_json:
        terminal.print_json(rows)
        return
    columns = ("name", "what for", "size", "licence", "state", "source")
    short = {
        "licence": lambda text: text.split(". ")[0].rstrip("."),
        "source": partial(re.sub, ", commit [0-9a-f]+", ""),
    }
    cells = [[short.get(c, str)(row[c]) for c in columns] for row in rows]
    terminal.print_rows(columns, cells, out)
    out.print(f"Folder: {data_root()} (WORKBENCH_DATA names another). Get one: workbench data get NAME", soft_wrap=True)


@app.command("get")
def get(
    names: Annotated[list[str], typer.Argument(help="Data sets; `workbench data list` names them.")],
    source: Annotated[Path | None, typer.Option("--from", help="Take the files from this folder; no network.")] = None,
    target: Annotated[
        Path | None,
        typer.Option("--to", help="Folder of the data set; one of its name under WORKBENCH_DATA if left out."),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", help="A part of it: main (default), one that is listed, all. Repeatable."),
    ] = None,
    url: Annotated[
        list[str] | None, typer.Option("--url", help="Another file of this data set, such as a dated dump. Repeatable.")
    ] = None,
    from_hub: Annotated[bool, typer.Option("--hub", help="Take it from the Hugging Face hub.")] = False,
    config: Annotated[
        list[str] | None, typer.Option("--config", help="With --hub: a subset, such as a language. Repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a large download.")] = False,
    own: Registry = None,
) -> None:
    """Fetch data sets, or take them from a folder: source, licence and checksums are shown first.

    A download that ended early is gone on with; what is here with the right bytes is left alone.

    Example: `workbench data get xfactr codex`, `workbench data get wikiann --hub --config de`
    """
    sets = registry.load(own)
    chosen = [registry.find(sets, name) for name in dict.fromkeys(names)]
    if (target or url or config) and len(chosen) > 1:
        raise ValueError("--to, --url and --config go with one data set. Call once for each.")
    if sum(map(bool, (source, url, from_hub))) > 1:
        raise ValueError("--from, --url and --hub are three ways to get the same. Name one.")
    if config and not from_hub:
        raise ValueError("--config names subsets of the hub. Add --hub.")
    for data in chosen:
        files = tuple(map(registry.file_at, url)) if url else data.part(tuple(part or (registry.MAIN,)))
        folder = target or data_root() / data.name
        if from_hub:
            _introduce(data, (), folder)
            _get(data, folder, partial(hub.fetch, data, DataFolder(folder), config or ()))
            continue
        _introduce(data, files, folder)
        if not files:
            raise DownloadError(f"{data.name} has no fixed files. {data.next}")
        if source:
            _get(data, folder, partial(fetch.take, data.name, files, source, folder))
        else:
            if data.large and not yes:
                _ask(data)
            _get(data, folder, partial(fetch.download, files, folder))


def _introduce(data: DataSet, files: Sequence[DataFile], folder: Path) -> None:
    lines = {
        "source": f"huggingface.co/datasets/{data.hub.id}" if data.hub and not files else data.where,
        "licence": data.licence,
        "files": f"{len(files)}, {_size(files)}; {_checksums(files)}" if files else "",
        "parts": "; ".join(f"{name}: {what}" for name, what in data.parts.items()) if files else "",
        "cite": data.citation,
        "into": str(folder),
    }
    out.print(f"{data.title}: {data.stands_for}", style="bold", markup=False, highlight=False, soft_wrap=True)
    for name, text in lines.items():
        if text:
            out.print(f"  {name:8} {text}", markup=False, highlight=False, soft_wrap=True)


def _get(data: DataSet, folder: Path, bring: Callable[[Progress], Outcome]) -> None:
    try:
        with terminal.progress_bar(data.name) as progress:
            outcome = bring(progress)
    except KeyboardInterrupt:
        out.print("Stopped. Finished files are in place; call again to go on with the others.", soft_wrap=True)
        raise typer.Exit(130) from None
    done = f"{len(outcome.placed)} files put in place, {len(outcome.here)} were here already."
    if outcome.replaced:
        done += f" {len(outcome.replaced)} of them had other bytes, kept under {folder / '.partial'}."
    out.print(done, highlight=False, soft_wrap=True)
    if outcome.unchecked:
        out.print(f"No checksum known for {len(outcome.unchecked)} files; the SHA-256 found is in {folder / RECORD}:")
        for file, sha256 in outcome.unchecked.items():
            out.print(f"  {sha256}  {file}", highlight=False, soft_wrap=True)
    if data.next:
        out.print(data.next, highlight=False, soft_wrap=True)


def _ask(data: DataSet) -> None:
    if not sys.stdin.isatty():
        raise ValueError(f"{data.name} may be large. Add --yes to download it, or take it from a folder with --from.")
    typer.confirm(f"{data.name} may be large. Download it?", abort=True)


def _facts(data: DataSet, folder: DataFolder) -> dict[str, object]:
    files = data.part()
    return {
        "name": data.name,
        "title": data.title,
        "what for": data.stands_for,
        "size": _size(files),
        "licence": data.licence,
        "state": folder.state(files),
        "source": data.where,
        "files": len(files),
        "bytes": sum(file.bytes or 0 for file in files) if all(file.bytes for file in files) and files else None,
        "checksums": _checksums(files),
        "citation": data.citation,
        "parts": data.parts,
        "hub": data.hub.id if data.hub else None,
        "folder": str(folder.path),
    }


def _size(files: Sequence[DataFile]) -> str:
    """Size in MB; with + where some sizes are unknown."""
    known = sum(file.bytes or 0 for file in files)
    if not known:
        return "unknown size"
    return f"{known / 1e6:,.1f} MB" + ("" if all(file.bytes for file in files) else "+")


def _checksums(files: Sequence[DataFile]) -> str:
    """How many files can be checked, and by what."""
    sha256 = sum(bool(file.sha256) for file in files)
    git = sum(bool(file.git_blob_sha1 and not file.sha256) for file in files)
    kinds = {"SHA-256": sha256, "Git blob SHA-1": git, "no checksum known": len(files) - sha256 - git}
    return ", ".join(f"{kind} ({count})" if count < len(files) else kind for kind, count in kinds.items() if count)
