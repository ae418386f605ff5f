"""The probe page's batch mode: a file of sentences in, the weights of every word out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.probing import sentences
from core.probing.sentence_file import CHARACTERS, ROWS, SentenceFile, read_sentences
from core.probing.sentences import Observation
from core.runs.kept import fusion_slots
from workbench import exports, model_loaders
from workbench.probe.selection import OPTIONS, Side

_SHOWN = 200  # rows of the preview
_RESULT = "_probed_file"


def file_view(side: Side, without: Sequence[str], unit: str) -> None:
    """Upload, preview with row-level problems, progress, and the table."""
    st.text(
        f"A text file in UTF-8, one sentence a line, or a TSV file of language and sentence. Up to {ROWS} sentences "
        f"of {CHARACTERS:,} characters. It stays on this machine and is kept for this visit only."
    )
    given = st.file_uploader("Sentences", type=["txt", "tsv"], max_upload_size=2, key="sentence_file")
    if given is None:
        return
    data = given.getvalue()
    found = read_sentences(data)
    if found.problems:
        st.warning(f"{len(found.problems)} line(s) left out:")
        problems = pd.DataFrame({"line": list(found.problems), "problem": list(found.problems.values())})
        st.dataframe(problems, hide_index=True, key="file_problems", alt="Lines left out, and why")
    if not found.texts:
        st.info("The file has no sentence to probe. Give one a line.")
        return
    out = [slot for slot in fusion_slots(side.run) if slot in without]
    asked = (given.file_id, side.key, tuple(out))
    held = st.session_state.get(_RESULT)
    if held is None or held[0] != asked:
        preview = pd.DataFrame({"line": found.lines, "language": found.languages, "sentence": found.texts})
        st.dataframe(preview.head(_SHOWN), hide_index=True, key="file_preview", alt="The file's sentences")
        if not st.button(f"Probe {len(found.texts)} sentences", type="primary", key="probe_file"):
            return
        held = (asked, _probe(side, out, found))
        st.session_state[_RESULT] = held
    _show(side, out, unit, found, held[1])


def _probe(side: Side, out: Sequence[str], found: SentenceFile) -> list[Observation]:
    bar = st.progress(0.0, "Opening the trained encoder")

    def advance(done: int, total: int) -> None:
        bar.progress(done / total, f"{done:,} of {total:,} tokens")

    seen = model_loaders.observed_file(side.run, side.task, side.fine_tuned, found.texts, out, advance)
    bar.empty()
    return seen


def _show(side: Side, out: Sequence[str], unit: str, found: SentenceFile, seen: list[Observation]) -> None:
    means = np.stack([one.weights.mean((0, 1)) for one in seen])
    overview = pd.DataFrame({"line": found.lines, "language": found.languages, "sentence": found.texts})
    overview = pd.concat([overview, pd.DataFrame(means, columns=list(seen[0].slots))], axis=1)
    st.markdown("**Mean weight of each slot, over tokens and layers**")
    numbers = {slot: st.column_config.NumberColumn(format="%.3f") for slot in seen[0].slots}
    st.dataframe(
        overview, hide_index=True, key="file_means", column_config=numbers, alt="Mean weight of each slot by sentence"
    )
    rows = sentences.table(seen, found.languages, unit, found.lines)
    st.text(f"The export has {len(rows):,} rows: one for each line, word, layer and slot.")
    command = [*side.command("--file", "FILE"), *(word for slot in out for word in ("--without", slot))]
    exports.menu(
        "probed_file",
        table=rows,
        name=f"{side.run.name}.probe.{side.task}.sentences",
        runs=[side.run],
        command=[*command, *OPTIONS[unit], "--csv"],
        caption=f"Weights of every word: {side.title}",
    )
