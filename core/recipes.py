"""Recipes and presets: files and changes of single fields -> `RunConfig`.

`recipes.yaml` holds what `paper` and `released` set differently from the defaults, `presets/` the runs that ship with
the project. A file that says `extends: NAME` is laid over that preset or file; the config that comes out is a plain
tree. Unknown keys are refused with the nearest valid name, and a bad file lists all its bad fields at once.
"""

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from core.config import RunConfig
from core.task_config import Section, Tasks

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same safe loader, in C where PyYAML has it
_PRESETS = Path(__file__).with_name("presets")
_NO_MAPPING = "A config is a mapping of sections, not {}."


class ConfigError(ValueError):
    """A configuration that cannot be used; the message lists every bad field."""


def parse(data: Any, changes: Mapping[str, Any] | None = None) -> RunConfig:
    """A config from a mapping: the recipe's values, overlaid by the mapping's.

    Args:
        data: The mapping, such as a YAML file holds.
        changes: Dotted field -> value, laid over the mapping: `{"objective.temperature": 0.1}`.

    Raises:
        ConfigError: Naming every bad field, what it got and what is allowed.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(_NO_MAPPING.format(type(data).__name__))
    for name, value in (changes or {}).items():
        for part in reversed(name.split(".")):
            value = {part: value}
        data = _merge(data, value)
    recipe = data.get("recipe", "corrected")
    overlay = _recipes().get(recipe, {}) if isinstance(recipe, str) else {}
    try:
        return RunConfig.model_validate(_merge(_merge(_defaults(data), overlay), data))
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in _explain(error))
        raise ConfigError(f"{error.error_count()} bad field(s) in the config:\n{lines}") from None


def load(path: Path, changes: Mapping[str, Any] | None = None) -> RunConfig:
    """A config from a YAML file and what it extends, with some fields changed.

    Raises:
        ConfigError: If a file is missing or no YAML, extends itself, or has bad fields.
    """
    data = _read(path)
    try:
        return parse(data, changes)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read(path: Path, above: tuple[Path, ...] = ()) -> Mapping[str, Any]:
    """What a YAML file holds, laid over what it extends.

    Args:
        path: The file.
        above: Files that extend this one, the outermost first.
    """
    if path.resolve() in (file.resolve() for file in above):
        raise ConfigError(f"{above[0]} extends itself: {' -> '.join(file.stem for file in (*above, path))}.")
    try:
        data = _LOADER(path.read_text(encoding="utf-8")).get_single_data()
    except OSError as error:
        raise ConfigError(f"The config {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The config {path} is no YAML: {' '.join(str(error).split())}") from None
    data = {} if data is None else data
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path}: {_NO_MAPPING.format(type(data).__name__)}")
    if "extends" not in data:
        return data
    name, own = data["extends"], {key: value for key, value in data.items() if key != "extends"}
    if not isinstance(name, str):
        raise ConfigError(f"{path}: `extends` is the name of a preset or the path of a file, not {name!r}.")
    try:
        base = _located(name, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: extends: {error}") from None
    merged: Mapping[str, Any] = _merge(_read(base, (*above, path)), own)
    return merged


def _located(name: str, folder: Path) -> Path:
    """The file of a preset, or the file at a path from `folder`.

    Raises:
        ConfigError: If `name` is neither; the message has the nearest preset.
    """
    names = preset_names()
    if name in names:
        return _PRESETS / f"{name}.yaml"
    if (folder / name).exists():
        return folder / name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise ConfigError(f"{name!r} is neither a file nor a preset. {hint}Presets: {', '.join(names)}.")


def preset_names() -> list[str]:
    """Names of the presets that ship with the project."""
    return sorted(file.stem for file in _PRESETS.glob("*.yaml"))


def named(name: str, changes: Mapping[str, Any] | None = None) -> RunConfig:
    """The config of a preset or of a YAML file, with some fields changed.

    Raises:
        ConfigError: If `name` is neither, or the config has bad fields.
    """
    return load(_located(name, Path()), changes)


def deviations(config: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Dotted names of the fields that differ from the recipe's preset -> (recipe's value, this value).

    A section that was left out is one field, whose value is None.
    """
    preset = parse({"recipe": config.recipe}).model_dump(mode="json")
    return dict(_differences(preset, config.model_dump(mode="json")))


@cache
def _recipes() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("recipes.yaml").read_text(encoding="utf-8"))


def _defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """The default tree; a task that is off by default and that `data` asks for starts from its own defaults."""
    tree: dict[str, Any] = RunConfig().model_dump(mode="json")
    asked = data.get("tasks")
    for name, plan in asked.items() if isinstance(asked, Mapping) else ():
        if isinstance(plan, Mapping) and tree["tasks"].get(name, plan) is None:
            tree["tasks"][name] = _section(Tasks.model_fields[name].annotation)().model_dump(mode="json")
    return tree


def _section(annotation: Any) -> type[Section]:
    """The section class in a field's annotation."""
    options = [annotation, *get_args(annotation)]
    return next(o for o in options if isinstance(o, type) and issubclass(o, Section))


def _merge(base: Any, over: Any) -> Any:
    """`over` laid on `base`, mapping by mapping. A budget in `over` replaces the other kind of budget in `base`."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    merged = dict(base)
    for budget, other in (("steps", "epochs"), ("epochs", "steps")):
        if over.get(budget) is not None and other in merged and other not in over:
            merged[other] = None
    return merged | {key: _merge(base.get(key), value) for key, value in over.items()}


def _differences(preset: Any, tree: Any, name: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    if isinstance(preset, Mapping) and isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _differences(preset[key], value, f"{name}.{key}" if name else key)
    elif preset != tree:
        yield name, (preset, tree)


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "config"
        if problem["type"] == "extra_forbidden":
            *parents, key = problem["loc"]
            names = _field_names(parents)
            near = difflib.get_close_matches(str(key), names, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"valid names: {', '.join(names)}."
            yield f"{where}: unknown field; {hint}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            got = "" if problem["type"] == "value_error" else f" (got {problem['input']!r})"
            yield f"{where}: {message}{got}"


def _field_names(path: list[Any]) -> list[str]:
    """Names of the fields of the section at `path`."""
    section: Any = RunConfig
    for part in path:
        section = _section(section.model_fields[part].annotation)
    return list(section.model_fields)
