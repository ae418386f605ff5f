"""`workbench figure NAME`: a figure of the pages, or the table behind it, as a file for a paper."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import figures, terminal
from workbench.figures import FIGURES, Drawn

app = typer.Typer(
    no_args_is_help=True,
    help="""Write a figure of the pages, or the table behind it, as a file for a paper.

    The file says which runs, config, data and commit its numbers are from, and the command that writes it again.

    Example: `workbench figure fusion RUN --task entity_alignment --out fusion.pdf --columns 1`""",
)
err = terminal.screen(stderr=True)
Out = Annotated[
    Path,
    typer.Option(
        "--out", help="File to write; its suffix gives the format: .pdf, .svg, .png, .html; .csv or .tex for the table."
    ),
]
Columns = Annotated[int, typer.Option(min=1, max=2, help="Width of a figure in columns of a paper: 3.3 or 6.9 inches.")]


def _command(name: str, draw: Callable[..., Drawn]) -> Callable[..., None]:
    """The command of a figure: its own options, `--out` and `--columns`."""

    def command(out: Path, columns: int, **options: Any) -> None:
        from workbench.publishing import files, stamps  # Plotly takes half a second

        kind = files.by_suffix(out.name)
        drawn = draw(**options)
        given = figures.command(name, **options)
        stamp = stamps.stamp(drawn.runs, files.complete(given, str(out), kind, columns), drawn.caption)
        data = files.written(kind, stamp, figure=drawn.figure, table=drawn.table, columns=columns)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data)
        terminal.screen().print(f"{out}: {drawn.caption}", markup=False, highlight=False, soft_wrap=True)

    own = list(inspect.signature(draw, eval_str=True).parameters.values())
    added = {"out": (Out, inspect.Parameter.empty), "columns": (Columns, 1)}
    more = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for key, (kind, default) in added.items()
    ]
    command.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in (*own, *more)}
    command.__doc__, command.__name__ = draw.__doc__, name
    return command


for _name, _draw in FIGURES.items():
    app.command(_name)(_command(_name, _draw))
