"""The URL holds what is looked at, so that a copied link shows the same view.

`bind="query-params"` is not used: it makes `st.switch_page` raise and goes stale when options change.
"""

import re
from collections.abc import Sequence

import streamlit as st

MANY = (  # repeated in the URL
    *("runs", "tasks", "systems", "others", "states", "stages", "without", "answers", "to", "edit"),
    "space_languages",
)
FIELDS = (
    *("run", "task", "protocol", "metric", "by", "source"),
    *("ablation_metric", "ablation_mode", "baseline", "system", *MANY),
    *("beside", "measure", "view", "languages"),
    *("look", "find", "smooth", "part", "paper", "paper_protocol", "mode", "sort", "against", "find_language"),
    *("kind", "language", "subject", "entity", "relation", "k", "among", "example"),
    *("space", "layout", "colour", "entity", "space_beside"),
    *("start", "preset", "like", "form_part"),
    *("corpus", "corpus_folder", "section", "counted", "axis", "corpus_colour", "draw"),
    *("corpus_find", "corpus_entity", "corpus_language", "corpus_relation", "sentences", "role", "benchmark"),
    *("sentence", "layer", "stage", "unit", "word", "probe_beside", "probe_view", "probe_measure"),
)
RUNS = ("run", "beside", "runs", "others", "like")  # they may vanish while a page is open
_LINKED, _MISSED = "_linked", "_missed"  # what the URL asked for; what of it no widget could show
_SEEN = "_seen"  # the choices when the URL was read or written last


def read_url() -> None:
    """URL -> session state, unless the URL is the one written last, or names nothing, as after a click in the menu.

    What the URL does not name starts anew: the way back leads to a view without it, too. A choice that has just been
    made wins: the browser sends it with the URL that it knows, which may still be the one before.
    """
    now, written = _in_url(), st.session_state.get("_url", {})
    st.session_state[_LINKED], st.session_state[_MISSED] = (), {}
    if now and now != written and not _chosen_since():
        for key in written.keys() - now.keys():
            st.session_state.pop(key, None)
        st.session_state.update(now)
        st.session_state[_LINKED] = tuple(now)
        _note(now)  # now, since this run of the page may be broken off before it writes its own


def write_url() -> None:
    """Session state -> URL; other parameters stay."""
    chosen = {key: st.session_state[key] for key in FIELDS if st.session_state.get(key)}
    want = {key: [*map(str, value)] if key in MANY else str(value) for key, value in chosen.items()}
    _note(want)
    if want != _in_url():
        rest = {key: st.query_params.get_all(key) for key in st.query_params if key not in FIELDS}
        st.query_params.from_dict({**rest, **want})


def missed(key: str, lacking: str | Sequence[str], shown: str | Sequence[str]) -> None:
    """Note that a selection was not among the options, if somebody asked for it: by a link, or as a run now gone.

    Args:
        key: The selection's key.
        lacking: The value or values that are no options.
        shown: The value or values shown instead.
    """
    if key in RUNS or key in st.session_state.get(_LINKED, ()):
        st.session_state.setdefault(_MISSED, {})[key] = (lacking, shown)


def unanswered() -> list[str]:
    """A sentence in Markdown for every selection of this visit that could not be shown."""
    return [_sentence(key, *values) for key, values in st.session_state.get(_MISSED, {}).items()]


def quoted(value: str | Sequence[str]) -> str:
    """A value of a link in Markdown: shortened, and nothing in it is markup."""
    values = [value] if isinstance(value, str) else value
    short = (one if len(one) <= 80 else f"{one[:79]}…" for one in map(str, values))
    return ", ".join(re.sub(r"([^\w\s])", r"\\\1", one) for one in short) or "nothing"


def _sentence(key: str, lacking: str | Sequence[str], shown: str | Sequence[str]) -> str:
    if key in RUNS:
        why = f"The run {quoted(lacking)} is not here, or has nothing to show on this page."
    else:
        why = f"The link asks for the {key.replace('_', ' ')} {quoted(lacking)}, which is no choice here."
    return f"{why} Shown instead: {quoted(shown)}."


def _note(url: dict[str, str | list[str]]) -> None:
    """Remember that a URL stands for the present choices."""
    st.session_state["_url"], st.session_state[_SEEN] = url, _now()


def _now() -> dict[str, object]:
    chosen = {key: st.session_state[key] for key in FIELDS if key in st.session_state}
    return {key: list(value) if key in MANY and value else value for key, value in chosen.items()}


def _chosen_since() -> bool:
    """Whether a widget or a callback has changed a choice since the URL was read or written."""
    if _SEEN not in st.session_state:
        return False
    seen = st.session_state[_SEEN]
    return any(key not in seen or seen[key] != value for key, value in _now().items())


def _in_url() -> dict[str, str | list[str]]:
    there = (key for key in FIELDS if key in st.query_params)
    return {key: st.query_params.get_all(key) if key in MANY else st.query_params[key] for key in there}
