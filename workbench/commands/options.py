"""Options that several commands have, and the check of those with a list of values."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[Path, typer.Option("--out", help="Folder to create.")]
Source = Annotated[
    Path | None, typer.Option("--from", help="Folder of the source; what `data get` fetched if left out.")
]
Lenient = Annotated[bool, typer.Option("--lenient", help="Leave bad rows out and report them, instead of stopping.")]


def require_known(option: str, values: Collection[str], allowed: Collection[str]) -> None:
    """Refuse values that an option does not take.

    Raises:
        ValueError: Naming them and what there is.
    """
    if unknown := [repr(value) for value in values if value not in allowed]:
        raise ValueError(f"--{option}: there is no {', '.join(unknown)}. There are: {', '.join(allowed)}.")
