"""What the knowledge page asks: a run, a question typed or taken from the test, and who answers in which languages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import streamlit as st

from core.config import System
from core.languages import describe
from core.probing.queries import CANDIDATES, Candidates, Kind, Query
from core.runs.kept import trained_adapters
from core.runs.store import RunDir
from workbench import loaders, model_loaders, pickers

if TYPE_CHECKING:
    from core.probing.knowledge import Knowledge

KINDS = {"complete": "Complete a triple", "align": "Align an entity", "data": "Own data"}
MANY_LABELS = 4_000  # embedded without asking: some seconds
LABELS_A_SECOND = 250  # on one core
TEXT = 200  # characters of a typed name
_PLACES = ("5", "3", "10", "20")
_BESIDE = ("de", "zh", "ar", "ja")  # languages of further answers at the start


@dataclass(frozen=True)
class Asked:
    """A question, and who answers it: systems, in languages, among which candidates."""

    run: RunDir
    kind: Kind
    query: Query
    entity: str
    systems: list[System]
    languages: list[str]
    k: int
    among: Candidates

    def command(self, *more: str) -> list[str]:
        """The command that prints the same answers."""
        words = ["workbench", self.kind, self.query.text]
        words += [self.query.relation] if self.query.relation is not None else []
        words += ["--run", self.run.name, "--language", self.query.language]
        words += [word for language in self.languages for word in ("--to", language)]
        words += ["--entity", self.entity] if self.entity else []
        words += [word for system in self.systems for word in ("--system", system)]
        return [*words, "-k", str(self.k), "--among", self.among, *more]


def pick_run() -> RunDir | None:
    """A run with trained adapters, or None where there is none (and the page says so)."""
    runs = loaders.all_runs()
    asked = st.session_state.get("run")
    able = [run for run in runs if run.name == asked or trained_adapters(run)]
    if not able:
        st.info("No run has trained adapters to ask yet. Train some, in minutes, with: workbench demo")
        return None
    with st.sidebar:
        return pickers.pick_run(able)


def pick_kind() -> str:
    """What to do: a key of `KINDS`."""
    pickers.fit("kind", list(KINDS))
    return st.segmented_control(
        "Kind", list(KINDS), key="kind", format_func=KINDS.__getitem__, required=True, label_visibility="collapsed",
        persist_state="session",
    )  # fmt: skip


def ask(run: RunDir, kind: Kind, knowledge: "Knowledge") -> Asked | None:
    """The question that the widgets hold; None while the subject is empty."""
    state, names = st.session_state, knowledge.names
    _take_example(run, kind, knowledge)
    columns = st.columns([2, 3, 3] if kind == "complete" else [2, 3], vertical_alignment="bottom")
    with columns[0]:
        codes = sorted(names.languages, key=lambda code: describe(code).name)
        pickers.fit("language", codes)
        st.selectbox(
            "Language of the question", codes, key="language", persist_state="session", format_func=language_title,
            on_change=_translate, args=(run, kind, state["language"]),
        )  # fmt: skip
    with columns[1]:
        label = "Subject" if kind == "complete" else "Name"
        st.text_input(
            label, key="subject", persist_state="session", max_chars=TEXT, on_change=_typed,
            help="Any text. Names of the corpus that hold it are offered below.",
        )  # fmt: skip
    relation = None
    if kind == "complete":
        with columns[2]:
            known = names.relations(state["language"])
            relation = pickers.choose("Relation", "relation", list(known), lambda id: _named(known[id], id))
    meant, answers = st.columns(2, vertical_alignment="bottom")
    with meant:
        entity = _meant(knowledge)
    with answers:
        pickers.fit_many("to", codes, [state["language"]] if kind == "complete" else codes[:1])
        st.multiselect("Languages of the answers", codes, key="to", persist_state="session", format_func=language_title)
    _example_buttons(kind, knowledge)
    systems, k, among = _who(knowledge)
    if not (text := (state["subject"] or "").strip()) or not state["to"]:
        st.info("Type a name and choose a language of the answers, or take an example.")
        return None
    number = {names.entity_id(e): e for e in names.exactly(text, state["language"]).tolist()}.get(entity)
    query = Query(state["language"], text, relation, number)
    return Asked(run, kind, query, entity if number is not None else "", systems, state["to"], k, among)


def language_title(code: str) -> str:
    """A language's name and code."""
    return f"{describe(code).name} ({code})"


def _who(knowledge: "Knowledge") -> tuple[list[System], int, Candidates]:
    with st.sidebar:
        pickers.fit_many("systems", knowledge.systems)
        chosen = st.multiselect(
            "Systems", knowledge.systems, key="systems", persist_state="session", placeholder="All the run has"
        )
        k = int(pickers.choose("Answers of each", "k", _PLACES))
        help_ = "Ranks are those of protocol strict among these: further known answers do not count as better."
        titles = {str(key): title for key, title in CANDIDATES.items()}
        among = pickers.choose("Ranked among", "among", list(titles), titles.__getitem__, help_)
    return chosen or knowledge.systems, k, cast(Candidates, among)


def _meant(knowledge: "Knowledge") -> str:
    """The entity that is meant, of those that bear the typed name; names that hold the text are offered too."""
    state, names = st.session_state, knowledge.names
    text = (state["subject"] or "").strip()
    found = names.find(text, state["language"]) if text else None
    hits = {names.entity_id(int(e)): t for e, t in zip(found.entity, found.text, strict=True)} if found else {}
    exact = [id for id, name in hits.items() if name == text]
    if not hits:
        state["entity"] = ""
        st.caption("No name of the corpus holds this text: it is asked as typed, and no answer is known.")
        return ""
    pickers.fit("entity", ["", *hits])
    first = f"every one of this name ({len(exact)})" if exact else "as typed (no name of the corpus)"
    st.selectbox(
        "Meant", ["", *hits], key="entity", persist_state="session", on_change=_choose, args=(hits,),
        format_func=lambda id: _named(hits[id], id) if id else first,
    )  # fmt: skip
    return str(state["entity"])


def _example_buttons(kind: Kind, knowledge: "Knowledge") -> None:
    state = st.session_state
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Another example", key="another", icon=":material/casino:", on_click=_another)
        if (number := str(state.get("example") or "")).isdecimal():
            key = _test_key(kind, knowledge)
            st.caption(f"Example {number} of the test split in {language_title(key)}; nothing of it was trained on.")


def _take_example(run: RunDir, kind: Kind, knowledge: "Knowledge") -> None:
    """Fill the question from the test split where there is none yet, or another example was asked for."""
    state, place = st.session_state, (run.name, kind)
    before = state.get("_place", place)
    moved = before != place and (before[1] != kind or bool(state.get("example")))
    state["_place"] = place
    if state.get("subject") is None or moved:
        state["_take"] = True
    if not state.pop("_take", False) or not knowledge.test_keys():
        state["subject"] = state.get("subject") or ""
        return
    number = str(state.get("example") or "1")
    state["example"] = number if number.isdecimal() and len(number) < 10 else "1"
    key = _test_key(kind, knowledge)
    query, _ = knowledge.example(key, int(state["example"]))
    entity = knowledge.names.entity_id(query.entity) if query.entity is not None else ""
    state.update(language=query.language, subject=query.text, relation=query.relation or "", entity=entity)
    answers = knowledge.answer_language(key)
    if answers not in state.get("to", ()):
        tested = {knowledge.answer_language(key) for key in knowledge.test_keys()}
        further = [code for code in _BESIDE if code in tested and code not in (answers, query.language)]
        state["to"] = [answers, *further[:2]]


def _test_key(kind: Kind, knowledge: "Knowledge") -> str:
    """The test that examples are drawn from: the question's language, or the first of the answers', else English."""
    keys, state = knowledge.test_keys(), st.session_state
    wanted: Sequence[str] = [state.get("language", "")] if kind == "complete" else state.get("to", ())
    return next((code for code in (*wanted, "en", "de") if code in keys), keys[0])


def _another() -> None:
    number = str(st.session_state.get("example") or "0")
    st.session_state.update(example=str(int(number) + 1) if number.isdecimal() else "1", _take=True)


def _typed() -> None:
    st.session_state.update(entity="", example="")


def _choose(hits: dict[str, str]) -> None:
    if chosen := st.session_state["entity"]:
        st.session_state.update(subject=hits[chosen], example="")


def _translate(run: RunDir, kind: Kind, before: str) -> None:
    """After another language was chosen, name the entity that is meant in it."""
    state, knowledge = st.session_state, model_loaders.knowledge(run, kind)
    meant = knowledge.names.exactly((state["subject"] or "").strip(), before)
    named = knowledge.names.labels(knowledge.names.named_in(meant, state["language"]), state["language"])
    if len(named):
        state.update(subject=named.text[0], entity="")
    state["example"] = ""


def _named(name: str, id: str) -> str:
    """A name, and its identifier where that says more."""
    short = id.rsplit("/", 1)[-1] if "://" in id else id
    return name if short == name else f"{name} · {short}"
