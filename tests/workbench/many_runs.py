"""A folder of many runs, made of one: what a researcher's disk looks like after a year.

    python -m tests.workbench.many_runs FOLDER [N] [RUN]

Every copy has a name, title, seed and state of its own and no weights; its large files are hard links.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import yaml

from core.runs.store import RunDir, list_runs, write_atomic

STATES = ("done", "done", "done", "stopped", "failed")


def make(folder: Path, count: int, source: RunDir) -> list[RunDir]:
    """`count` copies of a run under `folder`, less its weights, one a day from the first of 2024 on."""
    config = yaml.safe_load(source.config_file.read_text(encoding="utf-8"))
    status = json.loads(source.status_file.read_text(encoding="utf-8"))
    provenance = source.provenance()
    found = []
    for number in range(count):
        month, day = number // 28 % 12 + 1, number % 28 + 1
        run = RunDir(folder / f"{2024 + number // 336}{month:02}{day:02}-120000-copy-{number:012x}")
        run.path.mkdir(parents=True)
        for file in source.path.iterdir():
            if file.is_file():
                _link(file, run.path / file.name)
            elif file.name == "outcomes":
                shutil.copytree(file, run.path / file.name, copy_function=_link)
        changed = config | {"title": f"copy {number}", "seed": number}
        write_atomic(run.config_file, yaml.safe_dump(changed, sort_keys=False).encode())
        state = {"state": STATES[number % len(STATES)], "message": f"copy {number}"}
        write_atomic(run.status_file, json.dumps(status | state).encode())
        about = provenance | {"run": run.name, "title": changed["title"], "seed": number}
        write_atomic(run.provenance_file, json.dumps(about).encode())
        found.append(run)
    return found


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


if __name__ == "__main__":
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    shipped = RunDir.find(sys.argv[3]) if len(sys.argv) > 3 else next(run for run in list_runs() if run.cached)
    print(f"{len(make(Path(sys.argv[1]), wanted, shipped))} runs in {sys.argv[1]}")  # noqa: T201
