"""A form out of the config's schema: its fields with type, explanation and limits, and edits of them as text.

An edit is what `--set` takes, `field=value` with the value in YAML: the same text stands in the URL, in the command and
in the form, and a bad value stays as it was typed. Nothing here knows Streamlit.
"""

import itertools
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from core import recipes
from core.config import RunConfig
from core.task_config import LanguageCode, Section

Kind = Literal["choice", "switch", "integer", "number", "text", "languages", "list", "section"]
MOST_RUNS = 64
ALL = "all"  # stands for null where null means everything
_LIMITS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
_LINE = re.compile(r"^  ([\w.]+): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Field:
    """One field of the config.

    Attributes:
        path: Its dotted name.
        kind: How it is asked for; `section` is a part of the tree that can be left out.
        help: What it means, with its limits.
        options: The values of a choice, or of the elements of a list; empty where anything goes.
        optional: Whether it may be null.
    """

    path: str
    kind: Kind
    help: str
    options: tuple[str, ...] = ()
    optional: bool = False

    @property
    def section(self) -> str:
        """Path of the section that it stands in; empty at the top."""
        return self.path.rpartition(".")[0]


@cache
def fields() -> dict[str, Field]:
    """Every field of a config by its path, in the order of the schema."""
    return {field.path: field for field in _walk(RunConfig, "")}


def _walk(section: type[Section], parent: str) -> Iterator[Field]:
    for name, info in section.model_fields.items():
        path, inner = f"{parent}{name}", _bare(info.annotation)
        if isinstance(inner, type) and issubclass(inner, Section):
            if _optional(info.annotation):
                yield Field(path, "section", _explained(section, name) or _first_line(inner), optional=True)
            yield from _walk(inner, f"{path}.")
        else:
            yield _field(path, inner, info, _explained(section, name))


def _field(path: str, inner: Any, info: FieldInfo, explained: str) -> Field:
    options: tuple[str, ...] = get_args(inner) if get_origin(inner) is Literal else ()
    kind: Kind = "text"
    if get_origin(inner) is tuple:
        element = get_args(inner)[0]
        options = get_args(element) if get_origin(element) is Literal else ()
        kind = "languages" if element == LanguageCode else "list"
    elif options:
        kind = "choice"
    elif inner in _KINDS:
        kind = _KINDS[inner]
    limits = [
        f"{word} {limit:,}"
        for found in _metadata(info)
        for key, word in _LIMITS.items()
        if (limit := getattr(found, key, None)) is not None
    ]
    text = " ".join(filter(None, (explained, f"({', '.join(limits)})" if limits else "")))
    return Field(path, kind, text, options, _optional(info.annotation))


_KINDS: dict[Any, Kind] = {bool: "switch", int: "integer", float: "number", str: "text", Path: "text"}


def _bare(annotation: Any) -> Any:
    """An annotation without `| None` and without `Annotated`."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(option for option in get_args(annotation) if option is not type(None))
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _metadata(info: FieldInfo) -> Iterator[Any]:
    yield from info.metadata
    for option in (info.annotation, *get_args(info.annotation)):
        for found in getattr(option, "__metadata__", ()):
            yield from found.metadata if isinstance(found, FieldInfo) else (found,)


def _optional(annotation: Any) -> bool:
    return type(None) in get_args(annotation)


def _explained(section: type[Section], name: str) -> str:
    """The description of a field, or of the one that it overrides."""
    above = [c for c in section.__mro__ if issubclass(c, Section) and name in c.model_fields]
    return next(filter(None, (c.model_fields[name].description for c in above)), "")


def _first_line(section: type[Section]) -> str:
    return (section.__doc__ or "").strip().split("\n")[0]


def value_at(tree: Mapping[str, Any], path: str) -> Any:
    """The value of a field in a config's tree; None in a section that is left out."""
    found: Any = tree
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def shown(field: Field, value: Any) -> Any:
    """A value as its widget has it: a text, a truth value, or the list of what is ticked."""
    if field.kind in ("switch", "section"):
        return value is not None and value is not False
    if field.kind in ("languages", "list"):
        return [ALL] if value is None else [str(item) for item in value]
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def edited(field: Field, widget: Any) -> Any:
    """What a widget's content means for the config; a text that is no number stays a text, and the config says so."""
    if field.kind == "section":
        return _fresh(field.path) if widget else None
    if field.kind in ("languages", "list"):
        return None if ALL in widget and field.optional else [item for item in widget if item != ALL]
    if field.kind == "switch":
        return bool(widget)
    text = str(widget).strip()
    if field.optional and text in ("", "null"):
        return None
    return _number(text) if field.kind in ("integer", "number") else text


def _number(text: str) -> Any:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _fresh(path: str) -> dict[str, Any]:
    """A section that was left out as it starts when it is taken in: its defaults, without what they leave alone."""
    section: Any = RunConfig
    default: Any = None
    for part in path.split("."):
        info = section.model_fields[part]
        section, default = _bare(info.annotation), info.default
    found: dict[str, Any] = default.model_dump(mode="json", exclude_defaults=True) if default is not None else {}
    return found


def write(changes: Mapping[str, Any]) -> list[str]:
    """Changes of fields as `--set` takes them."""
    return [f"{path}={_flow(value)}" for path, value in changes.items()]


def read(edits: Sequence[str]) -> dict[str, Any]:
    """What `write` wrote; edits of unknown fields, as in a link of another version, are left out."""
    found: dict[str, Any] = {}
    for edit in edits:
        path, sign, text = edit.partition("=")
        try:
            if sign and path in fields():
                found[path] = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
    return found


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def problems(error: Exception) -> dict[str, str]:
    """Path of a field, or of a section, -> what is wrong with it, of the error of a config; `` for what is of neither."""
    found: dict[str, str] = {}
    for where, message in _LINE.findall(str(error)):
        parts = where.split(".")
        paths = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
        found[next((path for path in paths if path in fields() or path in sections()), "")] = message
    return found or {"": str(error)}


@cache
def sections() -> tuple[str, ...]:
    """Path of every section, in the order of the schema."""
    return tuple(dict.fromkeys(field.section for field in fields().values() if field.section))


def search(words: str, most: int = 30) -> list[Field]:
    """The fields whose path or explanation holds every one of some words; those with them in the path first."""
    wanted = words.lower().replace("_", " ").split()

    def text(field: Field) -> str:
        return f"{field.path} {field.help}".lower().replace("_", " ")

    found = [field for field in fields().values() if all(word in text(field) for word in wanted)]
    in_path = {f.path: all(word in f.path.lower().replace("_", " ") for word in wanted) for f in found}
    return sorted(found, key=lambda field: not in_path[field.path])[:most]


def smallest_yaml(config: RunConfig, preset: str | None, changes: Mapping[str, Any]) -> str:
    """A file for `workbench run` that says only what differs: from a preset, or from the config's recipe."""
    if preset is not None:
        tree = _nested(changes)
        return yaml.safe_dump({"extends": preset, **tree}, sort_keys=False, allow_unicode=True)
    differences = {path: value for path, (_, value) in recipes.deviations(config).items()}
    return yaml.safe_dump({"recipe": config.recipe, **_nested(differences)}, sort_keys=False, allow_unicode=True)


def _nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in changes.items():
        *parents, name = path.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return tree


def grid(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of some values of some fields; one empty combination without any.

    Raises:
        ValueError: If there are more than `MOST_RUNS`.
    """
    count = 1
    for values in axes.values():
        count *= max(1, len(values))
    if count > MOST_RUNS:
        raise ValueError(f"These values make {count} runs; a grid has at most {MOST_RUNS}. Take some values out.")
    chosen = {path: values for path, values in axes.items() if values}
    return [dict(zip(chosen, combination, strict=True)) for combination in itertools.product(*chosen.values())]


def values_of(field: Field, text: str) -> list[Any]:
    """The values of one axis of a grid, written with commas between them: `0.05, 0.1`.

    Raises:
        ValueError: If they cannot be told apart.
    """
    try:
        found = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        raise ValueError(f"{field.path}: {text!r} is no list of values. Example: 0.05, 0.1") from None
    values = [
        _number(item) if isinstance(item, str) and field.kind in ("integer", "number") else item for item in found
    ]
    return [value for number, value in enumerate(values) if value not in values[:number]]
