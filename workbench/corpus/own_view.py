"""Own data on the corpus page: files in, rows that are wrong, what they would make, and the corpus built of them."""

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.corpora.rows import DataError
from core.corpora.sources.own import COLUMNS
from core.corpora.statistics import Statistics
from workbench.corpus import lint_view
from workbench.corpus import loaders as corpus_loaders
from workbench.corpus import own as own_corpus
from workbench.corpus.own import EXAMPLES, MOST_MIB, MOST_ROWS, OwnFile, Preview

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_BUILT = "own_built"  # message about the last build, shown after the page is drawn again


def show() -> None:
    """Upload, preview, build."""
    st.text(
        "Your own labels, pairs, facts and sentences as a corpus to train adapters on. Nothing is written before you "
        "build it."
    )
    uploaded = st.file_uploader(
        "Tab-separated files with a first line of column names, or JSON lines, UTF-8",
        type=["tsv", "jsonl"],
        accept_multiple_files=True,
        key="own_files",
        max_upload_size=MOST_MIB,
    )
    if told := st.session_state.pop(_BUILT, None):
        st.success("The corpus is built. Choose it in the sidebar, or name its folder in a config: corpus.folder.")
        st.text(told)
    if not uploaded:
        st.caption(
            f"At most {MOST_MIB} MiB and {MOST_ROWS:,} lines. What a file may hold, and the columns that it needs:"
        )
        formats = pd.DataFrame(
            [(kind, ", ".join(columns)) for kind, columns in COLUMNS.items()], columns=["file", "columns"]
        )
        formats.loc[formats.file == "sentences", "columns"] += " and entity, or subject, relation, object"
        st.dataframe(formats, hide_index=True, key="own_formats", alt="Files and their columns")
        with st.expander("Examples"):
            for kind, text in EXAMPLES.items():
                st.caption(f"{kind}.tsv")
                st.code(text, language=None)
        return
    try:
        files = _files(uploaded)
        own_corpus.check(files)
    except DataError as error:
        st.error("These files are not read.")
        st.text(str(error))
        return
    found = corpus_loaders.own_preview(tuple(files))
    _rows(files)
    _bad(found)
    if found.problem:
        st.error("No corpus can be built of these files.")
        st.text(found.problem)
        return
    if found.statistics is not None:
        _preview(found, found.statistics)
    _build(files, found)


def _files(uploaded: "Sequence[UploadedFile]") -> list[OwnFile]:
    files = []
    for number, file in enumerate(uploaded):
        kind, suffix = own_corpus.guessed(file.name)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{file.name} · {file.size / 1024:,.0f} KiB")
            kinds = list(COLUMNS)
            key = f"own_kind_{number}_{file.name}"
            chosen = st.selectbox("holds", kinds, kinds.index(kind), key=key, width=180, label_visibility="collapsed")
        files.append(OwnFile(chosen, suffix, file.getvalue()))
    return files


def _rows(files: list[OwnFile]) -> None:
    with st.expander("First rows"):
        for file in files:
            st.caption(f"{file.kind}{file.suffix}")
            st.code(own_corpus.first_rows(file), language=None)


def _bad(found: Preview) -> None:
    count = sum(found.bad_counts.values())
    if not count:
        return
    st.warning(f"{count:,} rows cannot be used.")
    st.text("; ".join(f"{reason}: {n:,}" for reason, n in found.bad_counts.items()))
    st.dataframe(found.bad, hide_index=True, key="own_bad", alt="Rows that cannot be used, with their lines")
    if count > len(found.bad):
        st.caption(f"The first {len(found.bad)} are shown.")


def _preview(found: Preview, counted: Statistics) -> None:
    st.header("What they would make")
    shown = ("languages", "entities", "labels", "triples", "relations", "mention_sentences", "triple_sentences")
    with st.container(horizontal=True):
        for name in shown:
            st.metric(name.replace("_", " ").capitalize(), f"{counted.totals[name]:,}", width="content")
    if found.left_out:
        st.caption("Left out: " + "; ".join(f"{reason} {n:,}" for reason, n in found.left_out.items()) + ".")
    st.dataframe(counted.languages, hide_index=True, key="own_languages", alt="What they hold, by language")
    with st.expander("Lint"):
        lint_view.table(found.findings)


def _build(files: list[OwnFile], found: Preview) -> None:
    st.header("Build it")
    name = st.text_input("Name", key="own_name", placeholder="my-corpus", max_chars=48, width=420).strip()
    left, right = st.columns(2)
    source = left.text_input("Source", key="own_source", placeholder="Where the rows come from", max_chars=200)
    licence = right.text_input("Licence", key="own_licence", placeholder="not stated", max_chars=200)
    if not name:
        st.caption("Give it a name; its folder in the data folder is called so.")
        return
    try:
        command = own_corpus.command(name, bool(found.bad_counts))
    except ValueError as error:
        st.error(str(error))
        return
    st.caption("From the command line, with the files in FOLDER under the names of what they hold:")
    st.code(shlex.join(command), language="shell", wrap_lines=True)
    without = f" without {sum(found.bad_counts.values()):,} bad rows" if found.bad_counts else ""
    if st.button(f"Build {name}{without}", key="own_build", type="primary", icon=":material/build:"):
        about = {"name": name, "source": source or "uploaded files", "licence": licence or "not stated"}
        bar = st.progress(0.0, "Building ...")
        try:
            corpus = own_corpus.build(
                files, name, about, lambda share, what: bar.progress(share, f"{what} ...".capitalize())
            )
        except (ValueError, OSError) as error:
            bar.empty()
            st.error("The corpus was not built.")
            st.text(re.sub(r"\s+", " ", str(error)))
            return
        st.session_state[_BUILT] = f"{corpus.path}: {corpus.info.counts['labels']:,} labels."
        st.rerun()
