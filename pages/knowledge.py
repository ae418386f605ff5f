"""Knowledge: complete a triple or align an entity, every system's answers side by side; and own data."""

from typing import cast

import pandas as pd
import streamlit as st

from core.languages import describe
from core.probing.queries import CANDIDATES, Answers, Kind
from core.runs.store import RunDir, RunError
from workbench import charts, exports, model_loaders
from workbench.knowledge import charts as knowledge_charts
from workbench.knowledge import own_data_view
from workbench.knowledge import selection as knowledge_selection
from workbench.knowledge.selection import Asked
from workbench.publishing.scripts import isolated
from workbench.terminal import duration


def show(run: RunDir, kind: Kind) -> None:
    try:
        knowledge = model_loaders.knowledge(run, kind)
    except (RunError, ValueError, OSError) as error:
        st.info("This run cannot be asked. Its data or weights are gone: bring them back, or choose another run.")
        st.text(str(error))
        return
    asked = knowledge_selection.ask(run, kind, knowledge)
    if asked is None:
        return
    st.text(sentence(asked, knowledge.names.title))
    if asked.among == "test" and (untested := [c for c in asked.languages if knowledge.test_of(c) is None]):
        names = ", ".join(describe(code).name for code in untested)
        st.caption(f"No test has answers in {names}: all labels are ranked there.")
    missing = knowledge.missing(asked.systems, asked.languages, asked.among)
    if missing > knowledge_selection.MANY_LABELS or (missing and st.session_state.get("_stopped")):
        about, offer = duration(missing / knowledge_selection.LABELS_A_SECOND), st.empty()
        with offer.container():
            st.info(
                f"{missing:,} labels must be embedded first, once: about {about} on one core. Fewer systems or "
                f"languages, or {CANDIDATES['test']}, need less."
            )
            go_on = "Embed them and answer"
            if not st.button(go_on, type="primary", key="embed", on_click=stopped, args=(False,)):
                return
        offer.empty()
    answers = answered(asked, missing)
    for language in asked.languages:
        answers_in(language, answers)
    exports.menu(
        "answers",
        table=answers.top,
        name=f"{run.name}.{kind}.answers",
        runs=[run],
        command=asked.command("--csv"),
        caption=f"First answers to {question(asked)}",
    )
    ranks(asked, answers.gold)


def question(asked: Asked) -> str:
    query = asked.query
    return f"[{query.text}; {query.relation}]" if query.relation is not None else f"[{query.text}]"


def sentence(asked: Asked, data: str) -> str:
    config = asked.run.config
    what = "Objects of a subject and relation" if asked.kind == "complete" else "Names of an entity in other languages"
    return (
        f"{what}, nearest by the cosine among {CANDIDATES[asked.among]} in {data}. Run {asked.run.name}, recipe "
        f"{config.recipe}, seed {config.seed}; adapters and fusion as trained, not fine-tuned; protocol strict."
    )


def answered(asked: Asked, missing: int) -> Answers:
    knowledge = model_loaders.knowledge(asked.run, asked.kind)
    arguments = (asked.query, asked.systems, asked.languages, asked.k, asked.among)
    if not missing:
        return knowledge.ask(*arguments)
    row = st.empty()
    with row.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Stop", key="stop", icon=":material/stop:", on_click=stopped, args=(True,)
        )  # ends this script at its next step
        bar = st.progress(0.0, "Embedding labels ...")

    def advance(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), f"Embedding labels: {done:,} of {total:,}")

    found = knowledge.ask(*arguments, advance)
    row.empty()
    return found


def stopped(yes: bool) -> None:
    st.session_state["_stopped"] = yes


def answers_in(language: str, answers: Answers) -> None:
    known = answers.gold[answers.gold.language == language]
    names = list(dict.fromkeys(known.answer))
    st.header(describe(language).name)
    there = known["rank"].notna().any()
    if not names:
        st.text("The data knows no answer in this language.")
    else:
        st.text(f"Known: {', '.join(map(isolated, names[:12]))}{' ...' if len(names) > 12 else ''}")
        if not there:
            st.text("None of them is among the candidates: choose all labels of the language under Ranked among.")
    st.html(knowledge_charts.answer_table(answers.top, language))
    st.caption(knowledge_charts.agreement(answers.top, language))


def ranks(asked: Asked, gold: pd.DataFrame) -> None:
    if gold["rank"].notna().sum() == 0:
        return
    st.header("Rank of the known answers")
    figure = knowledge_charts.rank_dots(gold)
    alt = f"Rank of the known answers to {question(asked)} by language and system"
    st.plotly_chart(figure, key="ranks", config=charts.CONFIG, alt=alt)
    with st.expander("Table"):
        st.dataframe(gold, hide_index=True, key="rank_rows", alt=alt)
    name = f"{asked.run.name}.{asked.kind}.ranks"
    command = asked.command("--ranks", "--csv")
    exports.menu("ranks", figure=figure, table=gold, name=name, runs=[asked.run], command=command, caption=alt)


st.title("Knowledge")
run = knowledge_selection.pick_run()
if run is not None:
    kind = knowledge_selection.pick_kind()
    if kind == "data":
        own_data_view.show(run)
    else:
        show(run, cast(Kind, kind))
