"""The URL's state under Streamlit's test driver: links that ask for what is not there, and the way back."""

import pytest
from streamlit.testing.v1 import AppTest

from workbench import permalink


def script() -> None:
    import streamlit as st

    from workbench import permalink, pickers

    permalink.read_url()
    run = pickers.choose("Run", "run", ["one", "two"] if not st.session_state.get("gone") else ["two"])
    pickers.choose("Metric", "metric", {"one": ["MRR", "Hit@1"], "two": ["F1", "EM"]}[run])
    pickers.fit_many("tasks", ["ner", "squad"])
    st.multiselect("Tasks", ["ner", "squad"], key="tasks", persist_state="session")
    for sentence in permalink.unanswered():
        st.warning(sentence)
    permalink.write_url()


def opened(**parameters: str | list[str]) -> AppTest:
    at = AppTest.from_function(script, default_timeout=30)
    at.query_params.update(parameters)
    return at.run()


def warnings(at: AppTest) -> list[str]:
    assert not at.exception
    return [element.value for element in at.warning]


def test_a_good_link_is_shown_without_a_word():
    at = opened(run="two", metric="EM", tasks=["squad"])
    assert warnings(at) == []
    assert (at.selectbox(key="run").value, at.selectbox(key="metric").value) == ("two", "EM")
    assert at.multiselect(key="tasks").value == ["squad"]


def test_what_a_link_asks_for_in_vain_is_named_once():
    at = opened(run="three", metric="*x*", tasks=["ner", "none"])
    assert warnings(at) == [
        "The run three is not here, or has nothing to show on this page. Shown instead: one.",
        r"The link asks for the metric \*x\*, which is no choice here. Shown instead: MRR.",
        "The link asks for the tasks none, which is no choice here. Shown instead: ner.",
    ]
    at.selectbox(key="metric").set_value("Hit@1").run()
    assert warnings(at) == []
    assert at.query_params["run"] == "one"


def test_a_choice_that_another_choice_rules_out_is_no_fault_of_a_link():
    at = opened(run="one", metric="Hit@1")
    at.selectbox(key="run").set_value("two").run()
    assert at.selectbox(key="metric").value == "F1"
    assert warnings(at) == []


def test_a_run_that_is_gone_is_named_without_any_link():
    at = opened(run="one")
    at.session_state["gone"] = True
    at.run()
    assert warnings(at) == ["The run one is not here, or has nothing to show on this page. Shown instead: two."]


def test_an_address_without_a_choice_takes_the_choice_back():
    at = opened(run="one")
    at.multiselect(key="tasks").set_value(["ner"]).run()
    assert at.query_params["tasks"] == "ner"
    del at.query_params["tasks"]  # what the browser's way back does
    at.run()
    assert at.multiselect(key="tasks").value == []
    assert "tasks" not in at.query_params


def test_a_choice_wins_over_the_address_of_the_view_before():
    at = opened(run="one", metric="MRR")
    at.selectbox(key="metric").set_value("Hit@1").run()
    at.multiselect(key="tasks").set_value(["squad"])
    at.query_params["metric"] = "MRR"  # the browser has not yet heard of the new address
    at.run()
    assert at.selectbox(key="metric").value == "Hit@1"
    assert at.multiselect(key="tasks").value == ["squad"]
    assert at.query_params["metric"] == "Hit@1"
    at.query_params["metric"] = "MRR"  # the way back
    at.run()
    assert at.selectbox(key="metric").value == "MRR"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<b>[x](y)</b>", r"\<b\>\[x\]\(y\)\<\/b\>"),
        ("a_b", "a_b"),
        (["one", "two"], "one, two"),
        ("", "nothing"),
        ("x" * 100, "x" * 79 + "…"),
    ],
)
def test_a_value_of_a_link_is_never_markup(value, shown):
    assert permalink.quoted(value).replace("\\_", "_").replace("\\…", "…") == shown
