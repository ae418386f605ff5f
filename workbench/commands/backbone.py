"""`workbench backbone`: the pretrained encoders."""

from pathlib import Path
from typing import Annotated

import typer

from core.folders import cache_root, refuse_existing
from workbench import terminal
from workbench.terminal import Json

app = typer.Typer(no_args_is_help=True, help="Pretrained encoders: fetch one, trim its vocabulary.")
out = terminal.screen()


@app.command("get")
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


@app.command("trim")
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
    from core.corpora.sources import cldr
    from core.corpora.store import Corpus
    from core.corpora.token_store import TokenStore
    from core.encoder.backbones import load_backbone, parameter_count, save_trimmed

    refuse_existing(target)
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
