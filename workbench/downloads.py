"""What leaves the app as a file says where it comes from and which command gives it again."""

import shlex
from collections.abc import Iterable, Sequence

import pandas as pd

from core.runs.provenance import stamp
from core.runs.store import RunDir


def stamped_csv(frame: pd.DataFrame, runs: Iterable[RunDir], command: Sequence[str]) -> str:
    """Rows as CSV under a comment a run with its provenance, and one with the command that prints the rows again."""
    comments = [*(stamp(run) for run in runs), f"again: {shlex.join(command)}"]
    return "".join(f"# {line}\n" for line in comments) + frame.to_csv(index=False)
