"""What a launch starts from, a preset, a run or a file, and the config that some edits make of it."""

import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core import recipes
from core.config import RunConfig
from core.runs.store import RunDir
from workbench.launch import schema as forms

MOST_BYTES = 200_000


@dataclass(frozen=True)
class Start:
    """What a launch starts from.

    Attributes:
        title: What to call it.
        word: What stands for it in a command: a preset's name, or a file.
        preset: The preset's name, or None.
        text: What an uploaded file holds, or None.
    """

    title: str
    word: str
    preset: str | None = None
    text: bytes | None = None

    @classmethod
    def of_preset(cls, name: str) -> "Start":
        """A preset that ships with the project."""
        return cls(f"preset {name}", name, name)

    @classmethod
    def of_run(cls, run: RunDir) -> "Start":
        """The config of a run."""
        return cls(f"run {run.name}", str(run.config_file))

    @classmethod
    def of_file(cls, name: str, text: bytes) -> "Start":
        """An uploaded file.

        Raises:
            ConfigError: If it is too large to be a config.
        """
        if len(text) > MOST_BYTES:
            raise recipes.ConfigError(f"{name} has {len(text):,} bytes; a config has at most {MOST_BYTES:,}.")
        return cls(f"file {name}", name, text=text)

    def parse(self, changes: Mapping[str, Any]) -> RunConfig:
        """The config with some fields changed.

        Raises:
            ConfigError: Naming every bad field.
        """
        if self.text is None:
            return recipes.named(self.word, changes)
        with tempfile.TemporaryDirectory() as room:
            file = Path(room) / "config.yaml"
            file.write_bytes(self.text)
            try:
                return recipes.load(file, changes)
            except recipes.ConfigError as error:
                raise recipes.ConfigError(str(error).replace(str(file), self.word)) from None

    @cached_property
    def base(self) -> RunConfig:
        """The config as it is.

        Raises:
            ConfigError: Naming every bad field.
        """
        return self.parse({})

    def nearest(self, changes: Mapping[str, Any]) -> RunConfig:
        """The config with those of the changes that it takes: what a form shows around a bad field."""
        good = dict(changes)
        while good:
            try:
                return self.parse(good)
            except recipes.ConfigError as error:
                bad = forms.problems(error)
                kept = {path: value for path, value in good.items() if not _touches(path, bad)}
                good = kept if len(kept) < len(good) else {}
        return self.base

    def edit(self, changes: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
        """The changes with one more, or without it where the config has that value anyway."""
        others = {name: old for name, old in changes.items() if name != path and not name.startswith(f"{path}.")}
        without = self.nearest(others).model_dump(mode="json")
        return others if value == forms.value_at(without, path) else others | {path: value}

    def command(self, what: str, changes: Mapping[str, Any]) -> list[str]:
        """The words of a `workbench` command on this config: `run` or `submit`."""
        edits = [word for edit in forms.write(changes) for word in ("--set", edit)]
        return ["workbench", what, self.word, *edits]

    def grid_command(self, changes: Mapping[str, Any], axes: Mapping[str, list[Any]]) -> list[str]:
        """The words of the command that submits a grid."""
        ticked = [word for edit in forms.write(axes) for word in ("--grid", edit)]
        return [*self.command("submit", changes), *ticked]

    def files(self, config: RunConfig, changes: Mapping[str, Any]) -> dict[str, str]:
        """The config as a file that says what differs, and as one that says everything."""
        return {"What differs": forms.smallest_yaml(config, self.preset, changes), "Everything": config.to_yaml()}


def grid(start: Start, changes: Mapping[str, Any], axes: Mapping[str, list[Any]]) -> list[RunConfig]:
    """A config per combination of the axes, with the combination in its title where there are axes.

    Raises:
        ValueError: If there are too many combinations.
        ConfigError: If one of the configs has bad fields.
    """
    found = []
    for combination in forms.grid(axes):
        config = start.parse({**changes, **combination})
        if combination:
            short = {path.rpartition(".")[2]: value for path, value in combination.items()}
            varied = " ".join(forms.write(short if len(short) == len(combination) else combination))
            config = config.model_copy(update={"title": f"{config.title} {varied}".strip()})
        found.append(config)
    return found


def shown_command(words: list[str]) -> str:
    """A command as it is typed, an option per line where it is long."""
    text = shlex.join(words)
    return text if len(text) < 80 else text.replace(" --", " \\\n  --")


def _touches(path: str, bad: Mapping[str, str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") or name.startswith(f"{path}.") for name in bad)
