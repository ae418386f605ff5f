"""What a corpus holds, as the corpus page shows it: Tables 1 and 8 beside the paper's, by language, script and family."""

import pandas as pd
import streamlit as st

from core.corpora.store import Corpus
from core.reference import tables as reference
from core.runs.store import RunDir
from workbench import charts, loaders, pickers
from workbench.corpus import charts as corpus_charts
from workbench.corpus import loaders as corpus_loaders
from workbench.corpus.charts import MEASURES, SHARES
from workbench.corpus.selection import Selection
from workbench.exports import menu

_AXES = {"linear": "linear axis", "log": "logarithmic axis"}
_KINDS = {"script": "By script", "family": "By family"}
_PERCENT = st.column_config.NumberColumn(format="percent")
_SHOWN = {
    "language": "code",
    "own_name": "own name",
    "mention_sentences": "C1 sentences",
    "triple_sentences": "C2 sentences",
}


def counts(selection: Selection, found: Corpus) -> None:
    """What the corpus holds in all and by language."""
    counted = corpus_loaders.counted(found)
    totals = counted.totals
    shown = ("languages", "entities", "labels", "triples", "relations", "mention_sentences", "triple_sentences")
    with st.container(horizontal=True):
        for name in shown:
            st.metric(_name(name), f"{totals[name]:,}", width="content")
    command = ["workbench", "corpus", "stats", *selection.words]
    _table1(selection, found, reference.beside_table1(totals), [*command, "--json"])
    beside = reference.beside_table8(counted.languages)
    _languages(selection, found, beside, [*command, "--csv"])
    with st.expander("What this corpus says of itself"):
        st.text(found.info.card)
        st.text(f"Source: {found.info.source}\nLicence: {found.info.licence}\nFolder: {found.path}")


def _table1(selection: Selection, found: Corpus, rows: pd.DataFrame, command: list[str]) -> None:
    st.header("In all, beside Table 1")
    left, right = st.columns(2)
    figure, caption = corpus_charts.table1_bars(rows), f"{_about(found)} beside Table 1 of Hou et al. 2022"
    alt = "Counts of this corpus and of the paper's; the table beside it has the numbers"
    left.plotly_chart(figure, key="table1", config=charts.CONFIG, alt=alt)
    table = rows.assign(
        quantity=rows.quantity.map(_name), cell=rows.adapter.str.removeprefix("Adapter-") + " " + rows["name"]
    )
    table = table.rename(columns={"corpus": "here"})[["quantity", "here", "paper", "cell"]]
    number = st.column_config.NumberColumn(format="localized")
    formats = {"here": number, "paper": number}
    right.dataframe(table, hide_index=True, key="table1_rows", alt="Table 1", column_config=formats)
    with right:
        st.caption("The paper calls the labels of EP's entities alignments; pairs of labels are what EP draws from.")
        menu(
            "table1",
            figure=figure,
            table=table,
            name="corpus.table1",
            runs=selection.runs,
            command=command,
            caption=caption,
        )


def _languages(selection: Selection, found: Corpus, beside: pd.DataFrame, command: list[str]) -> None:
    st.header("By language, beside Table 8")
    first, second, third = st.columns(3)
    with first:
        measure = pickers.choose("Count or share", "counted", list(_offered(beside)), MEASURES.__getitem__)
    with second:
        axis = pickers.choose("Axis", "axis", list(_AXES), _AXES.__getitem__)
    groups = None
    with third:
        groups = _places(selection.run)
    rows = corpus_charts.described(beside, groups)
    figure = corpus_charts.languages_bars(rows, measure, axis == "log")
    there = rows[rows[measure] > 0]
    alt = f"{MEASURES[measure]} in {len(there)} languages, largest first; the table below has the numbers"
    st.plotly_chart(figure, key="languages", config=charts.CONFIG, alt=alt)
    caption = f"{_about(found)}: {MEASURES[measure]}, by language"
    with st.expander("Table"):
        formats = dict.fromkeys([*SHARES, *(f"paper_{share}" for share in SHARES)], _PERCENT)
        titles = {name: st.column_config.Column(title) for name, title in _SHOWN.items()}
        st.dataframe(rows, hide_index=True, key="language_rows", alt="Table 8", column_config=formats | titles)
    menu(
        "languages",
        figure=figure,
        table=rows,
        name="corpus.languages",
        runs=selection.runs,
        command=command,
        caption=caption,
    )
    _kinds(selection, found, rows, measure, command)


def _kinds(selection: Selection, found: Corpus, rows: pd.DataFrame, measure: str, command: list[str]) -> None:
    share = measure if measure in SHARES else "entity_share"
    st.header("Coverage by script and family")
    st.caption("After each name: its number of languages with a label. Hollow: the mean of the languages of Table 8.")
    for column, (kind, title) in zip(st.columns(2), _KINDS.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            table = corpus_charts.by_kind(rows, kind)
            figure = corpus_charts.kind_bars(table, kind, share)
            alt = f"{SHARES[share]}, {title.lower()}, beside the paper's; the export menu has the table"
            st.plotly_chart(figure, key=f"by_{kind}", config=charts.CONFIG, alt=alt)
            caption = f"{_about(found)}: {SHARES[share]}, {title.lower()}"
            name = f"corpus.{kind}"
            menu(
                f"by_{kind}",
                figure=figure,
                table=table,
                name=name,
                runs=selection.runs,
                command=command,
                caption=caption,
            )


def _places(run: RunDir | None) -> dict[str, str] | None:
    """Language -> its place in the task that the visitor colours by; None without results of a run."""
    if run is None or not run.results_file.is_file():
        return None
    results = loaders.results([run])
    tasks = list(dict.fromkeys(results.task))
    task = pickers.choose(
        "Colour by language group",
        "corpus_colour",
        [*tasks, "none"],
        lambda t: t if t == "none" else pickers.task_title(t),
    )
    if task == "none":
        return None
    trained = run.provenance().get("data", {}).get("adapter_languages", []) if run.provenance_file.is_file() else []
    return corpus_charts.places(results, task, trained)


def _offered(beside: pd.DataFrame) -> list[str]:
    """The measures that this corpus has something of, labels first."""
    return [name for name in MEASURES if name == "labels" or beside[name].any()]


def _about(found: Corpus) -> str:
    return f"Corpus {found.info.name}, content {found.info.fingerprint[:12]}"


def _name(quantity: str) -> str:
    """A count for people."""
    short = {"triples": "facts", "mention_sentences": "C1 sentences", "triple_sentences": "C2 sentences"}
    long = {"label_pairs": "pairs of labels", "mention_entities": "entities with a C1 sentence"}
    name = (short | long).get(quantity, quantity)
    return name[0].upper() + name[1:]
