"""`workbench benchmark`: build test sets from public files or own data, see what they hold, carry them to languages."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core import catalog
from core.folders import benchmark_folder, benchmarks_root, data_root, refuse_existing
from workbench import terminal
from workbench.commands.options import Lenient, Source
from workbench.terminal import Json

if TYPE_CHECKING:
    from core.corpora.benchmarks.store import BenchmarkData

app = typer.Typer(no_args_is_help=True, help="Benchmarks of the five tasks: build, see and extend them.")
build_app = typer.Typer(
    no_args_is_help=True,
    help="Build a benchmark from its files.\n\nExample: `workbench benchmark build srprs`",
)
app.add_typer(build_app, name="build")
out = terminal.screen()

Name = Annotated[
    str | None, typer.Option("--name", help="Name that configs and commands find it by; made from the source's.")
]
Target = Annotated[
    Path | None, typer.Option("--out", help="Folder to create; one of its name under WORKBENCH_DATA if left out.")
]
Share = Annotated[float | None, typer.Option(min=0, max=1, help="Where the source leaves the split open.")]


def _build_command(name: str) -> Callable[..., None]:
    def command(
        given_name: Name = None,
        out_folder: Target = None,
        source: Source = None,
        valid_share: Share = None,
        test_share: Share = None,
        lenient: Lenient = False,
        as_json: Json = False,
    ) -> None:
        from core.corpora.rows import RowLog

        target = _target(given_name or name, out_folder)
        read = catalog.resolve("benchmark", name)
        shares = {"valid_share": valid_share, "test_share": test_share}
        given = {key: share for key, share in shares.items() if share is not None}
        if fixed := [key for key in given if key not in signature(read).parameters]:
            raise ValueError(f"--{fixed[0].replace('_', '-')}: the splits of {name} are those of its files.")
        log = RowLog(strict=not lenient)
        folder = source or data_root() / name.partition("-")[0]  # relx-distant is a part of relx
        print_benchmark(read(folder, log, **given).write(target, log), as_json)

    row = catalog.item("benchmark", name)
    command.__doc__ = f"{row.title} ({row.reference}).\n\nExample: `workbench benchmark build {name}`"
    return command


for _row in catalog.of_kind("benchmark"):
    build_app.command(_row.key)(_build_command(_row.key))


def _target(name: str, out_folder: Path | None) -> Path:
    """The folder to create: the one that was asked for, or that of the name.

    Raises:
        ValueError: If the name is a path, or something lies there.
    """
    if Path(name).name != name:
        raise ValueError(f"--name takes a plain name, not {name!r}; name a folder with --out.")
    target = out_folder or benchmarks_root() / name
    refuse_existing(target)
    return target


@app.command("info")
def benchmark_info(
    benchmark: Annotated[str, typer.Argument(help="Name or folder of a benchmark.")], as_json: Json = False
) -> None:
    """Say what a benchmark is: source, licence, card, sizes by language and split.

    Example: `workbench benchmark info dbp5l`
    """
    from core.corpora.benchmarks.store import BenchmarkData

    print_benchmark(BenchmarkData.open(benchmark_folder(benchmark)), as_json)


@app.command()
def extend(
    benchmark: Annotated[
        str, typer.Argument(help="Name or folder of a benchmark of completion or alignment with English tests.")
    ],
    labels: Annotated[Path, typer.Option(help="A corpus with labels in English and the languages to add.")],
    name: Name = None,
    out_folder: Target = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", help="Language to add; repeatable. The paper's if left out.")
    ] = None,
    released: Annotated[
        bool, typer.Option("--released", help="Take the rules of the authors' code; those below do not count.")
    ] = False,
    form: Annotated[
        list[str] | None,
        typer.Option("--form", help="Form of a name to look up: whole, no_bracket, no_comma; repeatable, in order."),
    ] = None,
    ignore_case: Annotated[bool, typer.Option("--ignore-case", help="Compare names in lower case.")] = False,
    aliases: Annotated[bool, typer.Option("--aliases", help="Look names up among aliases too.")] = False,
    ambiguous: Annotated[
        Literal["skip", "first", "last", "most_facts"], typer.Option(help="What a name of several entities means.")
    ] = "skip",
    relations: Annotated[
        Literal["english", "label"], typer.Option(help="Keep relations in English, or take their labels.")
    ] = "english",
    own_tests: Annotated[
        Literal["keep", "replace"], typer.Option(help="What becomes of tests that a language has already.")
    ] = "keep",
    as_json: Json = False,
) -> None:
    """Add tests in more languages, out of the English ones and the labels of a corpus.

    Prints what became of the English tests in each language, beside the sizes of the paper's tests.

    Its name is that of the benchmark with `-extended` behind it, unless --name or --out says otherwise.

    Example: `workbench benchmark extend dbp5l --labels corpora/xfactr --language hu`
    """
    from core.corpora.benchmarks import extension, name_matching
    from core.corpora.benchmarks.store import BenchmarkData
    from core.corpora.store import Corpus

    source = BenchmarkData.open(benchmark_folder(benchmark))
    target = _target(name or f"{Path(benchmark).name.removesuffix('-extended')}-extended", out_folder)
    if odd := sorted(set(form or ()) - set(name_matching.FORMS)):
        raise ValueError(f"--form takes {', '.join(name_matching.FORMS)}, not {odd[0]}.")
    match = name_matching.MatchRules(ignore_case=ignore_case, aliases=aliases, ambiguous=ambiguous)
    if form:
        match = name_matching.MatchRules(tuple(form), ignore_case, aliases, ambiguous)  # type: ignore[arg-type]
    rules = extension.ExtensionRules(match, relations, own_tests)
    if released:
        rules = extension.RELEASED.get(source.info.task, rules)
    extended = extension.extend(source, Corpus.open(labels), target, language, rules)
    if as_json:
        terminal.print_json(_facts(extended))
    else:
        _print_extension(extended.info.build["extensions"][-1], extension.paper_sizes(extended.info.task))
        out.print(str(target), soft_wrap=True)


def _print_extension(made: dict[str, Any], sizes: dict[str, int]) -> None:
    """What became of the English tests, by language, beside the paper's sizes (Figure 4 for this build)."""
    columns = list(next(iter(made["languages"].values())))
    rows = [[code, *counts.values(), sizes.get(code, "")] for code, counts in made["languages"].items()]
    terminal.print_rows(["language", *(c.replace("_", " ") for c in columns), "paper"], rows, out)
    names = ", ".join(f"{count:,} {what}" for what, count in made["names"].items())
    out.print(f"Labels of {made['labels']['name']}; English names: {names}", soft_wrap=True)


def _facts(benchmark: "BenchmarkData") -> dict[str, Any]:
    info = benchmark.info
    facts = {"folder": str(benchmark.path), "name": info.name, "task": info.task, "source": info.source}
    facts |= {"licence": info.licence, "sha256": info.fingerprint, "counts": info.counts, "labels": info.labels}
    return facts | {"languages": benchmark.languages, "sizes": benchmark.sizes(), "build": info.build}


def print_benchmark(benchmark: "BenchmarkData", as_json: bool) -> None:
    """Print what a benchmark is."""
    from core.corpora.benchmarks import extension

    if as_json:
        terminal.print_json(_facts(benchmark))
        return
    info = benchmark.info
    out.print(info.card, highlight=False, markup=False)
    for title, counts in (("left out", info.build.get("left_out")), ("bad rows", info.build.get("bad_rows"))):
        if counts:
            out.print(f"{title}: " + "; ".join(f"{reason} {n:,}" for reason, n in counts.items()), soft_wrap=True)
    rows = [[size["table"], size["language"], size["split"], f"{size['rows']:,}"] for size in benchmark.sizes()]
    terminal.print_rows((f"{info.name}, {info.task}", "language", "split", "rows"), rows, out)
    for made in info.build.get("extensions", []):
        _print_extension(made, extension.paper_sizes(info.task))
    out.print(str(benchmark.path), soft_wrap=True)
