"""`workbench corpus lint` and `workbench corpus stats`: what is wrong with a corpus, and what it holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.folders import cache_root
from workbench import terminal
from workbench.terminal import Json

if TYPE_CHECKING:
    import pandas as pd

    from core.corpora.checks.finding import Finding
    from core.corpora.store import Corpus

app = typer.Typer()
out = terminal.screen()
_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}

Folder = Annotated[Path | None, typer.Argument(help="Folder of a corpus; the cached CLDR if left out.")]


@app.command("lint")
def corpus_lint(
    folder: Folder = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Benchmark, corpus or list of strings whose test strings must not be in it; repeatable."),
    ] = None,
    threshold: Annotated[int, typer.Option(min=0, help="Labels that a language should have.")] = 100,
    batch_size: Annotated[int, typer.Option(min=2, help="Pairs in a training batch.")] = 128,
    ignore: Annotated[list[str] | None, typer.Option(help="Leave out the findings of a check; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Look for what is wrong with a corpus: visible objects, leaks, repeated entities, odd labels, small languages.

    The exit code is 1 where there is an error, else 0: warnings and facts do not count.

    Example: `workbench corpus lint xfactr-corpus --against dbp5l-benchmark --ignore small-language`
    """
    from core.corpora.lint import lint

    corpus = _open(folder)
    with terminal.progress_bar("checking") as progress:
        findings = lint(corpus, threshold, against or (), batch_size, progress)
    known, left_out = {finding.check for finding in findings}, set(ignore or ())
    if unknown := sorted(left_out - known):
        raise ValueError(f"--ignore: no check is called {', '.join(unknown)}. There are: {', '.join(sorted(known))}.")
    kept = [finding for finding in findings if finding.check not in left_out]
    found = [finding for finding in kept if finding.count]
    errors = sum(finding.severity == "error" for finding in found)
    if as_json:
        records = [finding.record() for finding in kept]
        terminal.print_json({"corpus": str(corpus.path), "sha256": corpus.info.fingerprint, "findings": records})
    else:
        _print_findings(found)
        warnings = sum(finding.severity == "warning" for finding in found)
        clean = len({f.check for f in kept} - {f.check for f in found})
        out.print(f"Errors: {errors}. Warnings: {warnings}. Checks that found nothing: {clean}.", highlight=False)
    raise typer.Exit(1 if errors else 0)


def _print_findings(findings: "list[Finding]") -> None:
    rows = [
        (f"[{_COLOURS[f.severity]}]{f.severity}[/]", f.check, f"{f.count:,} of {f.of:,}", f"{f.share:.2%}", f.title)
        for f in findings
    ]
    terminal.print_rows(("", "check", "count", "share", "what"), rows, out)
    for finding in findings:
        if not (finding.samples or finding.detail):
            continue
        out.print(f"{finding.check}: {finding.title}", style="bold", markup=False, highlight=False, soft_wrap=True)
        parts = [" ".join(f"{value}" for value in part.values()) for part in finding.detail[:5]]
        for line in [*finding.samples, *([f"by part: {', '.join(parts)}"] if parts else [])]:
            out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


@app.command("stats")
def corpus_stats(
    folder: Folder = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the table by language as CSV and nothing else.")] = False,
) -> None:
    """Count a corpus, in all and by language, beside the paper's Tables 1 and 8.

    Example: `workbench corpus stats xfactr-corpus --csv`
    """
    from core.corpora import statistics
    from core.reference import tables

    corpus = _open(folder)
    found = statistics.count(corpus)
    totals, languages = tables.beside_table1(found.totals), tables.beside_table8(found.languages)
    if as_csv:
        print(languages.to_csv(index=False), end="")  # noqa: T201
    elif as_json:
        data = {"corpus": str(corpus.path), "totals": found.totals}
        terminal.print_json(data | {"table1": _records(totals), "languages": _records(languages)})
    else:
        rows = [
            [row.quantity.replace("_", " "), f"{row.corpus:,}"]
            + ([f"{row.paper:,.0f}", f"{row.adapter}, {row.name}"] if row.adapter else ["--", ""])
            for row in totals.itertuples(index=False)
        ]
        terminal.print_rows((str(corpus.path), "here", "paper", "Table 1"), rows, out)
        _print_languages(languages)


def _print_languages(languages: "pd.DataFrame") -> None:
    rows = [
        (
            row.language,
            *(f"{row.entities:,}", *_shares(row.entity_share, row.paper_entity_share)),
            *_shares(row.relation_share, row.paper_relation_share),
            *(f"{row.triples:,}", *_shares(row.triple_share, row.paper_triple_share)),
            *(f"{row.mention_sentences:,}", f"{row.triple_sentences:,}"),
        )
        for row in languages.sort_values(["entities", "language"], ascending=[False, True]).itertuples(index=False)
    ]
    columns = ("", "entities", "%", "paper %", "relations %", "paper %", "triples", "%", "paper %", "C1", "C2")
    terminal.print_rows(columns, rows, out)


def _shares(here: float, paper: float) -> tuple[str, str]:
    return f"{100 * here:.1f}", "--" if paper != paper else f"{100 * paper:.1f}"


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Rows as plain objects, with None for what is not there."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _open(folder: Path | None) -> "Corpus":
    from core.corpora.sources import cldr
    from core.corpora.store import Corpus

    return Corpus.open(folder) if folder else cldr.cached(cache_root())
