"""`workbench space`: the entity space of a run, made once and stored with it, for the page of that name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, cast

import typer

from core.config import SYSTEMS, System
from core.runs.kept import fused_tasks
from core.runs.spaces import LAYOUTS, Space, read_space, system_means, write_space
from core.runs.store import RunDir
from core.task_config import TaskName
from workbench import terminal
from workbench.commands.options import require_known
from workbench.terminal import Json

out, err = terminal.screen(), terminal.screen(stderr=True)
ADAPTERS_ALONE = "adapters"  # name of a space without a task's fusion


def space(
    run: Annotated[str, typer.Argument(help="Name or folder of a run; `workbench runs` lists the names.")],
    system: Annotated[
        list[str] | None, typer.Option(help="A system to show; repeatable; all the run has if left out.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Task whose fusion is +Fusion; entity alignment or the run's first if left out.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="Only this language; repeatable; those of the task if left out.")
    ] = None,
    entities: Annotated[int, typer.Option(min=2, help="Test entities drawn.")] = 250,
    layout: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(LAYOUTS)}; repeatable; all if left out.")
    ] = None,
    neighbours: Annotated[int, typer.Option(min=1, max=100, help="Nearest names kept of every name.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw and of the layouts.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name of the space; the task's if left out.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print a space that is there, and make none.")] = False,
    as_json: Json = False,
) -> None:
    """Lay out and measure the names of test entities in many languages, under every system of a run.

    Stores the layouts, nearest names, retrieval between languages (Hit@1), alignment, uniformity and hubness in the
    run's folder; the page Entity space shows them. Entities were not trained on. UMAP takes most of the time.

    Example: `workbench space 20261122-184500-demo-73f6259d7434 --entities 100 --layout pca`
    """
    for option, given, known in (("system", system, SYSTEMS), ("layout", layout, LAYOUTS)):
        require_known(option, given or (), known)
    chosen = RunDir.find(run)
    fused = fused_tasks(chosen)
    if task is not None:
        require_known("task", [task], chosen.config.tasks.chosen())
    elif fused:
        task = "entity_alignment" if "entity_alignment" in fused else fused[0]
    name = name or task or ADAPTERS_ALONE
    if not show:
        from core.probing.spaces import Plan, make_space
        from core.probing.trained import TrainedEncoder
        from core.stages.workspace import open_corpus

        with _progress() as say:
            say("opening the trained encoder", 0.0)
            plan = Plan(
                cast(tuple[System, ...], tuple(system or ())),
                cast(TaskName | None, task),
                tuple(dict.fromkeys(language or ())),
                entities,
                seed,
                tuple(layout or LAYOUTS),
                neighbours,
            )
            made = make_space(TrainedEncoder(chosen), open_corpus(chosen.config), plan, say)
        file = write_space(chosen, name, made)
        err.print(f"Stored {file} ({file.stat().st_size / 1e3:.0f} kB, {made.made['seconds']:.0f} s).", soft_wrap=True)
    _print(chosen, name, read_space(chosen, name), as_json)


def _print(run: RunDir, name: str, space: Space, as_json: bool) -> None:
    """The means over pairs of languages, by system."""
    rows = system_means(space)
    if as_json:
        terminal.print_json({"run": run.name, "space": name, "made": space.made, "systems": rows})
        return
    out.print(
        f"Entity space {name} of {run.name}: {len(space.entities)} test entities in {len(space.languages)} languages, "
        f"{len(space):,} names, seed {space.made['seed']}.",
        highlight=False,
        soft_wrap=True,
    )
    columns = ["system", "Hit@1 %", "alignment", "uniformity", "hubness"]
    cells = [
        [r["system"], f"{100 * r['hits']:.1f}", *(f"{r[k]:.3f}" for k in ("alignment", "uniformity", "hubness"))]
        for r in rows
    ]
    terminal.print_rows(columns, cells, out)
    out.print("Means over pairs of languages; uniformity over languages. See it: workbench up, page Entity space.")


@contextmanager
def _progress() -> Iterator[Callable[[str, float], object]]:
    """A bar in a terminal; in a log, a line for each thing that is begun."""
    if err.is_terminal:
        with terminal.progress_bar("entity space") as bar:
            yield lambda what, share: bar(round(1000 * share), 1000)
        return
    said = ""

    def say(what: str, share: float) -> None:
        nonlocal said
        if what != said:
            said = what
            err.print(f"{share:4.0%}  {what}", highlight=False, soft_wrap=True)

    yield say
