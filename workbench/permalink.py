"""The URL holds what is looked at, so that a copied link shows the same view.

`bind="query-params"` is not used: it makes `st.switch_page` raise and goes stale when options change.
"""

import streamlit as st

MANY = ("runs", "tasks", "systems")  # repeated in the URL
FIELDS = (
    *("run", "task", "protocol", "metric", "by", "source"),
    *("ablation_metric", "ablation_mode", "baseline", "system", *MANY),
    *("beside", "measure", "view", "languages"),
)


def read_url() -> None:
    """URL -> session state, unless the URL is the one written last."""
    now = _in_url()
    if now and now != st.session_state.get("_url"):
        st.session_state.update(now)


def write_url() -> None:
    """Session state -> URL; other parameters stay."""
    chosen = {key: st.session_state[key] for key in FIELDS if st.session_state.get(key)}
    want = {key: [*map(str, value)] if key in MANY else str(value) for key, value in chosen.items()}
    st.session_state["_url"] = want
    if want != _in_url():
        rest = {key: st.query_params.get_all(key) for key in st.query_params if key not in FIELDS}
        st.query_params.from_dict({**rest, **want})


def _in_url() -> dict[str, str | list[str]]:
    there = (key for key in FIELDS if key in st.query_params)
    return {key: st.query_params.get_all(key) if key in MANY else st.query_params[key] for key in there}
