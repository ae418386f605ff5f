"""The `workbench` command: the app's abilities without a browser. Results come last; errors are one line, exit code 1."""

import errno
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from core import recipes
from core.config import RunConfig
from core.execution import launcher
from core.runs import tables
from core.runs.store import RunDir, list_runs
from workbench import jobs, terminal
from workbench.commands import (
    ablation,
    answers,
    audit,
    backbone,
    benchmark,
    compare,
    corpus,
    data,
    evaluate,
    figure,
    fusion,
    knowledge,
    probe,
    queue,
    results,
    space,
    submit,
)
from workbench.commands.options import Change, Seed, edits
from workbench.terminal import Json

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
for _name, _group in (("data", data), ("corpus", corpus), ("benchmark", benchmark), ("backbone", backbone)):
    app.add_typer(_group.app, name=_name)
app.add_typer(figure.app, name="figure")
app.command("tables")(results.show)
app.command()(compare.compare)
app.command("audit")(audit.audit)
app.command("ablation")(ablation.ablation)
app.command("answers")(answers.answers)
app.command("fusion")(fusion.fusion)
app.command("submit")(submit.submit)
app.command("archive")(queue.archive)
app.command("restore")(queue.restore)
app.add_typer(queue.app, name="queue")
app.command("complete")(knowledge.complete)
app.command("align")(knowledge.align)
app.command("evaluate")(evaluate.evaluate)
app.command("probe")(probe.probe)
app.command("space")(space.space)
out, err = terminal.screen(), terminal.screen(stderr=True)

RunName = Annotated[str, typer.Argument(help="Name of a run; `workbench runs` lists them.")]
Detach = Annotated[bool, typer.Option("--detach", help="Start it and return at once.")]


def main() -> None:
    """Entry point of the console script."""
    try:
        app(standalone_mode=True)
    except (ValueError, RuntimeError, OSError) as error:
        if os.environ.get("WORKBENCH_DEBUG"):
            raise
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        hint = ". Make room, then give the same command again." if full else ""
        err.print(f"Error: {error}{hint}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


@app.callback()
def about() -> None:
    """Workbench for multilingual knowledge in language models.

    Trains, fuses, evaluates and audits knowledge adapters (Hou et al. 2022). Set WORKBENCH_RUNS and WORKBENCH_CACHE to
    choose where runs and converted data lie; WORKBENCH_DEBUG=1 shows where an error comes from.
    """


@app.command()
def demo(
    full: Annotated[
        bool, typer.Option("--full", help="Every system, mode and CLDR language: hours on two cores.")
    ] = False,
    seed: Seed = None,
    again: Annotated[bool, typer.Option("--again", help="Start afresh although such a run exists.")] = False,
) -> None:
    """Train the four adapters and their fusion on the embedded default, fine-tune, evaluate, print the tables.

    A demo that ended early is gone on with; one that is done is shown.

    Example: `workbench demo --seed 1`
    """
    config = _config("demo-full" if full else "demo", seed, [])
    same = [run for run in list_runs() if not (run.cached or run.problem()) and run.config == config]
    if again or not same:
        _launch(config, detach=False)
    elif (run := same[0]).status().state == "done":
        err.print("This demo is done already; --again trains it anew.")
        _show(run)
    else:
        _follow_or_start(run)


@app.command()
def run(
    config: Annotated[str, typer.Argument(help="A YAML file, or the name of a preset.")],
    change: Change = None,
    seed: Seed = None,
    detach: Detach = False,
) -> None:
    """Do the run that a config describes.

    Example: `workbench run demo --set adapters.ep.steps=200 --seed 1`
    """
    _launch(_config(config, seed, change or []), detach)


@app.command()
def resume(run: RunName, detach: Detach = False) -> None:
    """Go on with a run that was stopped, failed or died, from its last checkpoint.

    Example: `workbench resume 20261122-184500-demo-73f6259d7434`
    """
    _follow_or_start(RunDir.open(run), detach)


@app.command()
def stop(run: RunName) -> None:
    """Ask a run to stop after its present step; it leaves a checkpoint.

    Example: `workbench stop 20261122-184500-demo-73f6259d7434`
    """
    state = launcher.stop(RunDir.open(run))
    out.print(
        f"{run} is {state}." + (f" Go on with: workbench resume {run}" if state == "stopped" else ""), soft_wrap=True
    )


@app.command()
def runs(as_json: Json = False) -> None:
    """List the runs, newest first.

    Example: `workbench runs --json`
    """
    rows = []
    for found in list_runs():
        if problem := found.problem():
            err.print(f"Left out: {problem}", style="yellow", markup=False, soft_wrap=True)
            continue
        status = found.status()
        rows.append(
            {
                "run": found.name,
                "title": found.config.title,
                "recipe": found.config.recipe,
                "fingerprint": found.config.fingerprint(),
                "seed": found.config.seed,
                "state": status.state,
                "stage": status.stage,
                "message": status.message,
                "cached": found.cached,
                "results": found.results_file.is_file(),
                "path": str(found.path),
            }
        )
    if as_json:
        terminal.print_json(rows)
    elif not rows:
        out.print("There are no runs yet. Start one: workbench demo")
    else:
        columns = ("run", "recipe", "seed", "state", "stage")
        terminal.print_rows(columns, [[row[c] for c in columns] for row in rows], out)


@app.command()
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
) -> None:
    """Open the app on 127.0.0.1.

    Example: `workbench up --port 8600 --no-browser`
    """
    from streamlit.web.cli import main as streamlit

    headless = not browser or not (os.environ.get("DISPLAY") or sys.platform in {"darwin", "win32"})
    script = str(Path(__file__).with_name("app.py"))
    options = [f"--server.port={port}", "--server.address=127.0.0.1", f"--server.headless={str(headless).lower()}"]
    out.print(f"Opening http://127.0.0.1:{port} (Ctrl-C ends it; runs go on) ...")
    streamlit(["run", script, *options], prog_name="workbench")


def _config(name: str, seed: int | None, changes: list[str]) -> RunConfig:
    """The config of a preset or file, with fields changed."""
    return recipes.named(name, edits("set", changes) | ({} if seed is None else {"seed": seed}))


def _launch(config: RunConfig, detach: bool) -> None:
    created = jobs.create(config)
    err.print(f"Run {created.name}", soft_wrap=True)
    _follow_or_start(created, detach)


def _follow_or_start(run: RunDir, detach: bool = False) -> None:
    if run.status().state != "running":
        launcher.start(run)
    if detach:
        out.print(f"{run.name} is running. Watch it: workbench up. Stop it: workbench stop {run.name}", soft_wrap=True)
        return
    status = terminal.follow(run, err)
    minutes, gib = terminal.duration(status.heartbeat - status.started), status.peak_memory / 2**30
    err.print(f"Done in {minutes}, peak memory {gib:.1f} GiB.")
    _show(run)


def _show(run: RunDir) -> None:
    if not run.results_file.is_file():  # a run without tasks
        out.print(f"The adapters are in {run.path / 'checkpoints'}; the run has no tasks to measure.", soft_wrap=True)
        return
    terminal.print_groups(tables.results([run], "group", protocol="strict"), "strict", out)
    out.print(f"Run folder: {run.path}", soft_wrap=True)
    opener = "make app" if Path("Makefile").is_file() and shutil.which("make") else "workbench up"
    out.print(f"See it in the app: {opener}   More: workbench tables {run.name} --json", soft_wrap=True)


if __name__ == "__main__":
    main()
