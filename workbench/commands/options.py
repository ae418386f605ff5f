"""Options that several commands have, and the check of those with a list of values."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from core.recipes import ConfigError

Target = Annotated[Path, typer.Option("--out", help="Folder to create.")]
Source = Annotated[
    Path | None, typer.Option("--from", help="Folder of the source; what `data get` fetched if left out.")
]
Lenient = Annotated[bool, typer.Option("--lenient", help="Leave bad rows out and report them, instead of stopping.")]
Change = Annotated[
    list[str] | None, typer.Option("--set", help="Change a field: `--set objective.temperature=0.1`. Repeatable.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of weights and draws.")]


def edits(option: str, texts: Sequence[str] | None) -> dict[str, Any]:
    """Field -> value, of the texts `field=value` that an option was given, the values in YAML.

    Raises:
        ConfigError: If one is no such text.
    """
    fields: dict[str, Any] = {}
    for text in texts or ():
        field, found, value = text.partition("=")
        try:
            fields[field] = yaml.safe_load(value)
        except yaml.YAMLError:
            found = ""
        if not found:
            example = "objective.temperature=" + ("0.1" if option == "set" else "[0.05, 0.1]")
            raise ConfigError(f"--{option} takes field=value, not {text!r}. Example: --{option} {example}")
    return fields


def require_known(option: str, values: Collection[str], allowed: Collection[str]) -> None:
    """Refuse values that an option does not take.

    Raises:
        ValueError: Naming them and what there is.
    """
    if unknown := [repr(value) for value in values if value not in allowed]:
        raise ValueError(f"--{option}: there is no {', '.join(unknown)}. There are: {', '.join(allowed)}.")
