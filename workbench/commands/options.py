"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[Path, typer.Option("--out", help="Folder to create.")]
Source = Annotated[
    Path | None, typer.Option("--from", help="Folder of the source; what `data get` fetched if left out.")
]
Lenient = Annotated[bool, typer.Option("--lenient", help="Leave bad rows out and report them, instead of stopping.")]
