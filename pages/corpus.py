"""Corpus: what an integration corpus holds beside the paper's, samples, what adapters see of it, lint, and own data."""

from collections.abc import Callable

import streamlit as st

from core.corpora.store import Corpus, CorpusError
from workbench import loaders, pickers
from workbench.corpus import lint_view
from workbench.corpus import loaders as corpus_loaders
from workbench.corpus import own_view as own_corpus_view
from workbench.corpus import samples as corpus_samples
from workbench.corpus import views as corpus_views
from workbench.corpus.selection import Selection, pick_corpus

OWN = "Own data"
SECTIONS: dict[str, Callable[[Selection, Corpus], None]] = {
    "Counts": corpus_views.counts,
    "Entities": corpus_samples.entities,
    "Facts": corpus_samples.triples,
    "Sentences": corpus_samples.sentences,
    "Training pairs": corpus_samples.pairs,
    "Lint": lambda selection, _: lint_view.show(selection, at_once=True),
}


def show(selection: Selection, section: str) -> None:
    try:
        found = corpus_loaders.corpus(selection.folder)
        of = (
            f"Run {selection.run.name}, recipe {selection.run.config.recipe}, is trained on"
            if selection.run
            else "This is"
        )
        st.text(
            f"{of} the corpus {found.info.name}: {found.info.counts['entities']:,} entities with "
            f"{found.info.counts['labels']:,} labels. Licence: {found.info.licence}. Content {found.info.fingerprint[:12]}."
        )
        SECTIONS[section](selection, found)
    except (CorpusError, OSError) as error:
        st.info("This corpus cannot be shown. Choose another one in the sidebar, or build it again.")
        st.text(str(error))


st.title("Corpus")
runs = loaders.all_runs()
if not runs:
    st.info(
        "There are no runs yet. Start the demo on the overview, or with: workbench demo. Corpora are here without one."
    )
selection = pick_corpus(runs)
options = [*SECTIONS, OWN]
pickers.fit("section", options)
section = st.segmented_control(
    "Section", options, key="section", persist_state="session", required=True, label_visibility="collapsed"
)
if section == OWN:
    own_corpus_view.show()
elif selection is not None:
    show(selection, section)
