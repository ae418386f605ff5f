"""`workbench queue`: see, order, pause and widen the local queue; `archive` and `restore` put runs away and back."""

from typing import Annotated

import typer

from core.execution.queue import Queue
from core.runs.store import RunDir
from workbench import jobs, terminal
from workbench.terminal import Json

app = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")

RunName = Annotated[str, typer.Argument(help="Name of a run that waits; `workbench queue` lists them.")]


@app.callback()
def show(context: typer.Context, as_json: Json = False) -> None:
    """List what runs and what waits, in order; with a command, change that.

    Example: `workbench queue --json`
    """
    if context.invoked_subcommand is None:
        _show(as_json)


@app.command()
def pause() -> None:
    """Start no further run; those that run go on.

    Example: `workbench queue pause`
    """
    Queue().pause()
    _show()


@app.command()
def resume() -> None:
    """Start runs again, also after the queue's process was killed or the machine restarted.

    Example: `workbench queue resume`
    """
    Queue().resume()
    _show()


@app.command()
def move(run: RunName, position: Annotated[int, typer.Argument(min=1, help="Its new place; 1 is next.")]) -> None:
    """Give a run that waits another place.

    Example: `workbench queue move 20261122-184500-demo-73f6259d7434 1`
    """
    jobs.move(RunDir.open(run), position)
    _show()


@app.command()
def cancel(run: RunName) -> None:
    """Take a run that waits out of the queue; `workbench resume RUN` starts it after all.

    Example: `workbench queue cancel 20261122-184500-demo-73f6259d7434`
    """
    Queue().cancel(RunDir.open(run))
    _show()


@app.command()
def slots(number: Annotated[int, typer.Argument(help="How many.")]) -> None:
    """Let several runs be done at once; each takes every core unless `compute.threads` says less.

    Example: `workbench queue slots 2`
    """
    Queue().set_slots(number)
    _show()


def archive(
    run: Annotated[str | None, typer.Argument(help="Name of a run; none lists the archive.")] = None,
    as_json: Json = False,
) -> None:
    """Move a run to the archive, where no page or command shows it, or list the archive.

    Example: `workbench archive 20261122-184500-demo-73f6259d7434`
    """
    out = terminal.screen()
    if run is not None:
        target = jobs.archive(RunDir.open(run))
        out.print(f"Archived: {target}. Back with: workbench restore {run}", soft_wrap=True, highlight=False)
    elif as_json:
        terminal.print_json(jobs.archived())
    else:
        out.print("\n".join(jobs.archived()) or "The archive is empty.", soft_wrap=True, highlight=False)


def restore(run: Annotated[str, typer.Argument(help="Name of a run; `workbench archive` lists them.")]) -> None:
    """Take a run out of the archive again.

    Example: `workbench restore 20261122-184500-demo-73f6259d7434`
    """
    terminal.screen().print(f"Restored: {jobs.restore(run).path}", soft_wrap=True, highlight=False)


def _show(as_json: bool = False) -> None:
    queue = Queue()
    plan, running, waiting = queue.plan(), queue.busy(), queue.waiting()
    if as_json:
        terminal.print_json(
            {
                "running": [run.name for run in running],
                "waiting": [run.name for run in waiting],
                "paused": plan.paused,
                "slots": plan.slots,
                "worked_on": queue.is_worked_on(),
            }
        )
        return
    out = terminal.screen()
    rows = [("running", run.name, run.status().stage) for run in running]
    rows += [(str(place), run.name, "") for place, run in enumerate(waiting, 1)]
    if rows:
        terminal.print_rows(("place", "run", "stage"), rows, out)
    state = "paused, go on with: workbench queue resume" if plan.paused else f"{plan.slots} at once"
    out.print(f"{len(running)} running, {len(waiting)} waiting; {state}.", highlight=False)
    if queue.is_abandoned():
        out.print("No process works on the queue. Go on with: workbench queue resume", style="yellow")
