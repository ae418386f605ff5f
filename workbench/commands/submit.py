"""`workbench submit`: runs for the local queue, one config or a grid of them."""

from typing import Annotated, Any, Literal

import typer

from core import recipes
from workbench import jobs, terminal
from workbench.commands.options import Change, Seed, edits
from workbench.launch import schema as forms
from workbench.launch import start as launch_start
from workbench.terminal import Json


def submit(
    config: Annotated[str, typer.Argument(help="A YAML file, or the name of a preset.")],
    change: Change = None,
    seed: Seed = None,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="A field and a list of its values: `--grid 'seed=[0, 1, 2]'`. Repeatable."),
    ] = None,
    on: Annotated[Literal["local"], typer.Option("--on", help="Where it runs.")] = "local",
    again: Annotated[bool, typer.Option("--again", help="Also where a run of this config waits or runs.")] = False,
    as_json: Json = False,
) -> None:
    """Put the run that a config describes, or a run per combination of a grid, at the end of the local queue.

    The queue does its runs one after another and goes on when this terminal is closed; see it with `workbench queue`.

    Example: `workbench submit demo --set adapters.ep.steps=200 --grid 'objective.temperature=[0.05, 0.1]'`
    """
    axes: dict[str, list[Any]] = {}
    for name, values in edits("grid", grid).items():
        if name not in forms.fields() or not isinstance(values, list) or not values:
            raise recipes.ConfigError(
                f"--grid takes field=[value, ...], not {name}={values!r}. Example: seed=[0, 1, 2]"
            )
        axes[name] = values
    changes = edits("set", change) | ({} if seed is None else {"seed": seed})
    start = launch_start.Start(config, config)
    configs = launch_start.grid(start, changes, axes)
    if not again and (there := [run.name for one in configs for run in jobs.same(one)]):
        raise ValueError(f"A run of this config waits or runs already: {there[0]}. --again adds another.")
    rows = [{"run": run.name, "place": jobs.queue_position(run), "path": str(run.path)} for run in jobs.submit(configs)]
    if as_json:
        terminal.print_json(rows)
        return
    out = terminal.screen()
    for row in rows:
        out.print(row["run"], soft_wrap=True, highlight=False)
    out.print(
        f"Submitted {len(rows)} to the queue on this machine ({on}). See it with: workbench queue", highlight=False
    )
