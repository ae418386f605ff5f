"""`workbench backbone` and `workbench corpus`: what runs are made of."""

from pathlib import Path
from typing import Annotated, Any

import typer

from core.runs.store import cache_root
from workbench import terminal

backbone_app = typer.Typer(no_args_is_help=True, help="Pretrained encoders: fetch one, trim its vocabulary.")
corpus_app = typer.Typer(no_args_is_help=True, help="Knowledge integration corpora: build one, see what it holds.")
out = terminal.screen()

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@backbone_app.command("get")
def backbone_get(
    source: Annotated[str, typer.Argument(help="`embedded`, or a Hugging Face hub id such as xlm-roberta-base.")],
    as_json: Json = False,
) -> None:
    """Fetch a backbone once, so that runs find it without the network; say what it is.

    Example: `workbench backbone get bert-base-multilingual-cased`
    """
    from core.encoder.backbones import load_backbone, parameter_count

    found = load_backbone(source, cache_root(), allow_download=True)
    count = parameter_count(list(found.model.parameters()))
    facts = {"source": source, "title": found.title, "dim": found.dim, "parameters": count, "sha256": found.digest}
    if as_json:
        terminal.print_json(facts)
    else:
        terminal.print_rows(("", source), [[k, v] for k, v in facts.items() if k != "source"], out)


@backbone_app.command("trim")
def backbone_trim(
    source: Annotated[str, typer.Argument(help="`embedded`, a hub id, or a local folder.")],
    target: Annotated[Path, typer.Option("--out", help="Folder to create.")],
    corpus: Annotated[Path | None, typer.Option(help="Corpus whose pieces are kept; CLDR if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Write a backbone with only the pieces that a corpus uses: same outputs on its texts, a fraction of the size.

    The folder holds the weights and `pieces.npy`, the original ids of the kept rows.

    Example: `workbench backbone trim embedded --out e5-small-cldr`
    """
    from core.corpora import cldr
    from core.corpora.store import Corpus
    from core.corpora.token_store import TokenStore
    from core.encoder.backbones import load_backbone, parameter_count, save_trimmed

    _refuse_existing(target)
    found = load_backbone(source, cache_root())
    opened = Corpus.open(corpus) if corpus else cldr.cached(cache_root())
    before = parameter_count(list(found.model.parameters()))
    found.trim(TokenStore.of(opened, found.tokenizer, cache_root() / "tokens").used_ids())
    after = parameter_count(list(found.model.parameters()))
    save_trimmed(found, target)
    facts = {"folder": str(target), "pieces": found.model.config.vocab_size, "parameters": after, "before": before}
    if as_json:
        terminal.print_json(facts)
    else:
        out.print(f"{target}: {facts['pieces']:,} pieces, {after:,} parameters of {before:,}.", soft_wrap=True)


@corpus_app.command("build")
def corpus_build(
    name: Annotated[str, typer.Argument(help="cldr")],
    target: Annotated[Path, typer.Option("--out", help="Folder to create.")],
    language: Annotated[list[str] | None, typer.Option(help="Keep labels of this language; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Build a corpus from its source.

    Example: `workbench corpus build cldr --out cldr-small --language en --language de --language eo`
    """
    from core.corpora import cldr

    if name != "cldr":
        raise ValueError(f"There is no corpus {name!r} to build. There is: cldr.")
    _refuse_existing(target)
    _print_corpus(cldr.build(target, language), as_json)


@corpus_app.command("info")
def corpus_info(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a corpus; the cached CLDR if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a corpus holds.

    Example: `workbench corpus info cldr-small`
    """
    from core.corpora import cldr
    from core.corpora.store import Corpus

    _print_corpus(Corpus.open(folder) if folder else cldr.cached(cache_root()), as_json)


def _print_corpus(corpus: Any, as_json: bool) -> None:
    info = corpus.info
    facts = {"folder": str(corpus.path), "name": info.name, "source": info.source, "licence": info.licence}
    facts |= {"sha256": info.fingerprint, "counts": info.counts, "languages": corpus.languages}
    if as_json:
        terminal.print_json(facts)
        return
    out.print(info.card, highlight=False)
    counts = [[table.replace("_", " "), f"{count:,}"] for table, count in info.counts.items()]
    terminal.print_rows((str(corpus.path), f"{len(corpus.languages)} languages"), counts, out)


def _refuse_existing(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} exists and is not empty; name another folder, or remove it first.")
