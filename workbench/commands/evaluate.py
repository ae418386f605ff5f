"""`workbench evaluate`: own pairs, triples or labels through the systems of a run."""

from pathlib import Path
from typing import Annotated, cast

import typer

from core.config import System
from core.evaluation.protocols import PROTOCOLS
from core.probing.own_files import COLUMNS, MAX_ROWS, OwnData, OwnTask, read
from core.runs import tables
from core.runs.store import RunDir
from workbench import terminal
from workbench.commands.options import require_known
from workbench.terminal import Json

out, err = terminal.screen(), terminal.screen(stderr=True)
_SHOWN = 5  # bad rows that are printed


def evaluate(
    run: Annotated[str, typer.Argument(help="Name of a run with trained adapters; `workbench runs` lists the runs.")],
    task: Annotated[str, typer.Option(help=f"What to ask: {', '.join(COLUMNS)}.")],
    data: Annotated[Path, typer.Option(help=f"The file: .tsv or .csv, up to {MAX_ROWS:,} rows.")],
    language: Annotated[str, typer.Option(help="Language of the queries; of triples, of all names.")] = "en",
    to: Annotated[str | None, typer.Option(help="Language of the second column of pairs.")] = None,
    system: Annotated[list[str] | None, typer.Option(help="A system to ask; repeatable; all if left out.")] = None,
    protocol: Annotated[str, typer.Option(help="strict, strict-raw or released; JSON and CSV hold all.")] = "strict",
    as_json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
) -> None:
    """Evaluate the systems of a run, not fine-tuned, on data of your own, with bootstrap intervals.

    Entity alignment takes pairs `source<TAB>target`, or labels `entity<TAB>language<TAB>label`, which are asked from
    the language of `--language` to every other one. Completion takes triples `subject<TAB>relation<TAB>object` in one
    language. Every name of a language in the file is a candidate. Bad rows are left out and said.

    Example: `workbench evaluate RUN --task entity_alignment --data pairs.tsv --language en --to de`
    """
    require_known("task", [task], COLUMNS)
    require_known("protocol", [protocol], [key for key, p in PROTOCOLS.items() if p.weights == "reported"])
    if as_json and csv:
        raise ValueError("Name one of --json and --csv.")
    chosen, own = RunDir.find(run), read(data, cast(OwnTask, task))
    _tell_bad(own)
    from core.probing.own_data import evaluate as measure
    from core.probing.trained import TrainedEncoder

    encoder = TrainedEncoder(chosen)
    able = [s for s in encoder.systems if s != "+Fusion" or task in encoder.fused_tasks]
    require_known("system", system or (), able)
    with terminal.progress_bar("evaluating") as progress:
        rows = measure(encoder, own, cast(list[System], system or able), language, to, progress)
    rows.insert(0, "run", chosen.name)
    if as_json:
        terminal.print_json(tables.records(rows))
    elif csv:
        print(rows.to_csv(index=False), end="")  # noqa: T201
    else:
        mean = rows[(rows.protocol == protocol) & rows.language.notna()]
        for code, part in mean.groupby("language", sort=False):
            out.print(f"\n{code}: {part.n.iloc[0]:,} queries, protocol {protocol}, in %", highlight=False, markup=False)
            metrics = list(dict.fromkeys(part.metric))
            cells = {(r.system, r.metric): f"{r.value:.1f}\n{r.low:.1f}–{r.high:.1f}" for r in part.itertuples()}
            lines = [[name, *(cells[name, m] for m in metrics)] for name in dict.fromkeys(part.system)]
            terminal.print_rows(["system", *metrics], lines, out)


def _tell_bad(own: OwnData) -> None:
    if own.bad:
        err.print(f"{len(own.bad):,} bad rows are left out, {len(own.rows):,} are kept:", style="yellow")
        for row in own.bad[:_SHOWN]:
            err.print(
                f"  line {row.line}: {row.reason}: {row.text[:100]}", markup=False, highlight=False, soft_wrap=True
            )
