"""The Launch page's form: what to start from, and a widget per field of the config. Its edits live under `edit`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import streamlit as st

from core import recipes
from core.config import ADAPTERS, RunConfig
from core.languages import LANGUAGES, describe
from core.runs.store import RunDir
from core.task_config import TaskName
from workbench import pickers
from workbench.launch import schema as forms
from workbench.launch.schema import Field
from workbench.launch.start import Start

COMMON = {
    "Recipe": ("recipe", "title", "seed"),
    "Backbone": ("backbone.source", "backbone.prefix"),
    "Corpus": ("corpus.folder", "corpus.adapter_languages"),
    "Adapters": tuple(f"adapters.{role}" for role in ADAPTERS),
    "Tasks": tuple(f"tasks.{task}" for task in get_args(TaskName)),
}
PARTS = (
    "Common",
    "Backbone",
    "Corpus",
    "Sampling",
    "Objective",
    "Adapters",
    "Fusion",
    "Tasks",
    "Evaluation",
    "Compute",
)
_SOURCES = {"preset": "A preset", "run": "A run", "file": "A file"}
_ACROSS = 3
_MARKUP = re.compile(r"([^\w\s])")


def pick_start(runs: Sequence[RunDir]) -> Start | None:
    """What to start from, or None where there is nothing yet (and the page says so)."""
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        pickers.fit("start", list(_SOURCES))
        st.segmented_control(
            "Start from",
            list(_SOURCES),
            key="start",
            persist_state="session",
            format_func=_SOURCES.__getitem__,
            required=True,
        )
    with right:
        if st.session_state["start"] == "preset":
            names = sorted(recipes.preset_names(), key=lambda name: (not name.startswith("demo"), name))
            return Start.of_preset(pickers.choose("Preset", "preset", names))
        if st.session_state["start"] == "run":
            by_name = {run.name: run for run in runs}
            if not by_name:
                st.text("There are no runs to start from yet: take a preset.")
                return None
            return Start.of_run(by_name[pickers.choose("Run", "like", list(by_name))])
        sent = st.file_uploader("A config in YAML", type=["yaml", "yml"], key="config_file", max_upload_size=1)
        if sent is not None:
            st.session_state["config_text"] = (sent.name, sent.getvalue())
    if "config_text" not in st.session_state:
        st.text("Choose a file such as `workbench run` takes: fields, or `extends: PRESET` and fields.")
        return None
    return Start.of_file(*st.session_state["config_text"])


def changes() -> dict[str, Any]:
    """The edits of the form so far."""
    return forms.read(st.session_state.get("edit") or [])


def draw(start: Start, config: RunConfig, bad: Mapping[str, str]) -> None:
    """The form.

    Args:
        start: What it starts from.
        config: What the good ones of the edits make of it.
        bad: Path -> what is wrong there.
    """
    tree = config.model_dump(mode="json")
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    words = left.text_input("Find a field", key="field_find", placeholder="temperature, batch size, test languages ...")
    right.button("Undo all edits", on_click=_forget, disabled=not changes(), width="stretch")
    if words and words.strip():
        found = forms.search(words)
        if not found:
            st.text("No field has these words in its name or explanation.")
        _fields(found, start, tree, bad, name=lambda field: field.path)
        return
    pickers.fit("form_part", PARTS)
    part = st.pills(
        "Part of the config",
        PARTS,
        key="form_part",
        required=True,
        label_visibility="collapsed",
        format_func=_with_count,
        wrap=True,
    )
    if part == "Common":
        _common(start, tree, bad)
        return
    root = path = str(part).lower()
    inner = [name for name in forms.sections() if name.startswith(f"{root}.") and name.count(".") == 1]
    if inner and root in ("adapters", "tasks"):
        names = [name.rpartition(".")[2] for name in ([root] if root == "adapters" else []) + inner]
        pickers.fit(f"form_{root}", names)
        spaced = {"format_func": lambda name: name.replace("_", " "), "label_visibility": "collapsed"}
        name = st.pills("Section", names, key=f"form_{root}", required=True, wrap=True, **spaced)
        path = root if name == root else f"{root}.{name}"
    _section(path, start, tree, bad)


def _common(start: Start, tree: Mapping[str, Any], bad: Mapping[str, str]) -> None:
    for title, paths in COMMON.items():
        st.markdown(f"**{title}**")
        found = [forms.fields()[path] for path in paths]
        if found[0].kind != "section":
            _fields(found, start, tree, bad)
            continue
        with st.container(horizontal=True):
            for field in found:
                _field(field, start, tree, field.path.rpartition(".")[2])
        for path in paths:
            if path in bad:
                _wrong(f"{path}: {bad[path]}")
    st.markdown("**Budget**")
    trained = [role for role in ADAPTERS if forms.value_at(tree, f"adapters.{role}") is not None]
    budgets = [f"adapters.{role}" for role in trained if forms.value_at(tree, "adapters.from_run") is None]
    for task in RunConfig.model_validate(tree).tasks.chosen():
        budgets += [f"tasks.{task}.fusion_training", f"tasks.{task}.fine_tuning"]
    present = [path for path in budgets if forms.value_at(tree, path) is not None]
    kinds = {path: "epochs" if forms.value_at(tree, f"{path}.steps") is None else "steps" for path in present}
    found = [forms.fields()[f"{path}.{kinds[path]}"] for path in present]
    _fields(found, start, tree, bad, name=lambda field: field.path.partition(".")[2], explain=False)
    st.markdown("**Evaluation**")
    limits = ("test_triples", "test_entities", "test_examples")
    _fields([forms.fields()[f"evaluation.{limit}"] for limit in limits], start, tree, bad)


def _section(path: str, start: Start, tree: Mapping[str, Any], bad: Mapping[str, str]) -> None:
    if path in bad:
        _wrong(bad[path])
    apart = path not in ("adapters", "tasks")  # what can be left out has its switch in an expander of its own
    own = [f for f in forms.fields().values() if f.section == path and not (apart and f.kind == "section")]
    if path in forms.fields():
        own.insert(0, forms.fields()[path])
    there = path not in forms.fields() or forms.value_at(tree, path) is not None
    _fields(own if there else own[:1], start, tree, bad)
    for inner in forms.sections():
        if there and apart and inner.rpartition(".")[0] == path:
            count = sum(name == inner or name.startswith(f"{inner}.") for name in changes())
            title = inner.rpartition(".")[2].replace("_", " ")
            with st.expander(title + (f" · {count} edited" if count else "")):
                _section(inner, start, tree, bad)


def _fields(
    found: Sequence[Field],
    start: Start,
    tree: Mapping[str, Any],
    bad: Mapping[str, str],
    name: Callable[[Field], str] = lambda field: field.path.rpartition(".")[2],
    explain: bool = True,
) -> None:
    for row in range(0, len(found), _ACROSS):
        for column, field in zip(st.columns(_ACROSS), found[row : row + _ACROSS], strict=False):
            with column:
                _field(field, start, tree, name(field))
                if field.path in bad:
                    _wrong(bad[field.path])
                elif explain:
                    st.caption(field.help)


def _field(field: Field, start: Start, tree: Mapping[str, Any], name: str) -> None:
    edits, key = changes(), f"field:{field.path}"
    value = edits.get(field.path, forms.value_at(tree, field.path))
    st.session_state[key] = forms.shown(field, value)
    before = forms.value_at(start.base.model_dump(mode="json"), field.path)
    name = name.replace("_", " ").replace(".", " · ")
    label = f":orange[●] **{name}**" if field.path in edits else name
    was = forms.write({field.path: before})[0] if not isinstance(before, Mapping) else field.path
    help_ = f"{field.help}\n\nIn the {start.title.split()[0]}: `{was}`"
    common: dict[str, Any] = {"key": key, "help": help_, "on_change": _edit, "args": (start, field)}
    if field.kind in ("switch", "section"):
        st.toggle(label, **common)
    elif field.kind == "choice":
        st.selectbox(label, field.options if value in field.options else [*field.options, str(value)], **common)
    elif field.kind in ("languages", "list"):
        options = field.options or (LANGUAGES if field.kind == "languages" else ())
        every = [forms.ALL] if field.optional else []
        st.multiselect(
            label,
            list(dict.fromkeys([*every, *options, *st.session_state[key]])),
            accept_new_options=not field.options,
            format_func=_language if field.kind == "languages" else str,
            placeholder="none",
            **common,
        )
    else:
        st.text_input(label, placeholder="none" if field.optional else "", **common)


def _with_count(part: str) -> str:
    """A part's name, with the number of edits in it."""
    root = part.lower()
    count = sum(path.split(".")[0] == root or (part == "Common" and "." not in path) for path in changes())
    return f"{part} · {count} edited" if count else part


def _edit(start: Start, field: Field) -> None:
    value = forms.edited(field, st.session_state[f"field:{field.path}"])
    st.session_state["edit"] = forms.write(start.edit(changes(), field.path, value))


def _forget() -> None:
    st.session_state["edit"] = []


def _wrong(message: str) -> None:
    plain = _MARKUP.sub(r"\\\1", message)  # it quotes what was typed
    st.caption(f":red[{plain}]")


def _language(code: str) -> str:
    name = describe(code).name if code != forms.ALL else "all"
    return f"{code} · {name}" if name not in (code, "all") else code
