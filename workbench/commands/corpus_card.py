"""What a corpus is, as every command that makes one shows it at its end."""

from pathlib import Path

from workbench import terminal

out = terminal.screen()


def print_corpus(folder: Path, as_json: bool) -> None:
    """Print what a corpus is."""
    from core.corpora.store import Corpus

    corpus = Corpus.open(folder)
    info = corpus.info
    facts = {"folder": str(folder), "name": info.name, "source": info.source, "licence": info.licence}
    facts |= {"sha256": info.fingerprint, "counts": info.counts, "languages": corpus.languages, "build": info.build}
    if as_json:
        terminal.print_json(facts)
        return
    out.print(info.card, highlight=False, markup=False)
    for title, counts in (("left out", info.build.get("left_out")), ("bad rows", info.build.get("bad_rows"))):
        if counts:
            out.print(f"{title}: " + "; ".join(f"{reason} {n:,}" for reason, n in counts.items()), soft_wrap=True)
    rows = [[table.replace("_", " "), f"{count:,}"] for table, count in info.counts.items()]
    terminal.print_rows((str(folder), f"{len(corpus.languages)} languages"), rows, out)
