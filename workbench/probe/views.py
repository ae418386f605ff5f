"""The parts of the probe page below the strips: maps of words, marked entities, what a knock-out changes, answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.languages import LANGUAGES, describe
from core.probing import sentences
from core.probing.sentences import Observation
from core.probing.typed_lines import Line, marked_words
from core.runs.kept import fusion_slots
from workbench import charts, exports, model_loaders, pickers
from workbench.probe import charts as probe_charts
from workbench.probe.selection import OPTIONS, Side, picked
from workbench.probe.tokens import ShownWord, Strip, token_strips

ANSWERS, START = 10, ("en", "zh")


@dataclass(frozen=True)
class Seen:
    """What one fusion does with the typed lines.

    Attributes:
        side: The fusion.
        number: 0, or 1 for the one beside it.
        without: Slots knocked out of it.
        lines: The lines.
        shown: The lines under the fusion as chosen, without the slots that are knocked out.
        full: The lines with every slot in.
        unit: What a line is shown as.
        layer: A layer, or None for the mean over all.
    """

    side: Side
    number: int
    without: list[str]
    lines: list[Line]
    shown: list[Observation]
    full: list[Observation]
    unit: str
    layer: int | None

    @property
    def labels(self) -> list[str]:
        """What to call each line; numbered where two would be called alike."""
        names = [line.label or "line" for line in self.lines]
        alike = len(set(names)) < len(names)
        return [f"{n} · {name}" if alike else name for n, name in enumerate(names, 1)]

    @property
    def over(self) -> str:
        """The layer in words."""
        return "mean over layers" if self.layer is None else f"layer {self.layer}"

    def table(self, line: int | None = None) -> pd.DataFrame:
        """Tidy rows of all lines, or of one."""
        chosen = range(len(self.lines)) if line is None else [line]
        languages = [self.lines[n].language for n in chosen]
        return sentences.table([self.shown[n] for n in chosen], languages, self.unit, [n + 1 for n in chosen])

    def command(self, line: int, *more: str) -> list[str]:
        """The command that prints the numbers of a line."""
        typed = self.lines[line]
        text = f"{typed.language} | {typed.text}" if typed.language else typed.text
        out = [word for slot in self.without for word in ("--without", slot)]
        return [*self.side.command(text), *out, *OPTIONS[self.unit], *more, "--csv"]

    def menu(self, key: str, name: str, line: int, table: pd.DataFrame, figure: go.Figure | None, caption: str) -> None:
        """The export menu of something shown of this fusion."""
        title = f"{caption}: {self.side.title}, run {self.side.run.name}"
        file = f"{self.side.run.name}.probe.{self.side.task}.{name}"
        command = self.command(line)
        exports.menu(
            f"{key}_{self.number}",
            figure=figure,
            table=table,
            name=file,
            runs=[self.side.run],
            command=command,
            caption=title,
        )


def look(sides: Sequence[Side], lines: list[Line], without: list[str], unit: str) -> list[Seen]:
    """Ask every side for the lines, with and without the slots; the layer is chosen afterwards.

    Raises:
        ValueError, RuntimeError, OSError: If a run's weights are missing or damaged.
    """
    texts, found = [line.text for line in lines], []
    for number, side in enumerate(sides):
        out = [slot for slot in fusion_slots(side.run) if slot in without]
        full = model_loaders.observed(side.run, side.task, side.fine_tuned, texts)
        shown = model_loaders.observed(side.run, side.task, side.fine_tuned, texts, out) if out else full
        found.append(Seen(side, number, out, lines, shown, full, unit, None))
    return found


def strips(seen: Seen) -> None:
    """The lines as words, coloured by the slot that wins at the chosen layer."""
    found = []
    for line, label, one in zip(seen.lines, seen.labels, seen.shown, strict=True):
        here = sentences.units(one, seen.unit)
        weights = sentences.at_layer(sentences.weights_of(one, here)[0], seen.layer)
        marked = marked_words(here, line)
        won = weights.argmax(-1)
        shown = [
            ShownWord(w.text, one.slots[won[n]], float(weights[n, won[n]]), w.joined, w.special, n in marked)
            for n, w in enumerate(here)
        ]
        cut = sentences.cut_off(one)
        found.append(
            Strip(shown, label if len(seen.lines) > 1 else "", f"(not seen by the model: {cut})" if cut else "")
        )
    token_strips(found, seen.shown[0].slots, f"slot with the largest weight, {seen.over}", f"strips_{seen.number}")


def words_view(seen: Seen) -> None:
    """The clicked line by layer, and the clicked word's weights."""
    line, word = picked(len(seen.lines))
    rows = seen.table(line)
    if rows.empty:
        st.text("The model sees no word here.")
        return
    slots = list(seen.shown[line].slots)
    measure = st.session_state["probe_measure"]
    measure = measure if measure in slots else {"entropy": "entropy"}.get(measure, "winner")
    figure = probe_charts.layer_map(rows, measure)
    what = {"winner": "Winning slot and its weight", "entropy": "Entropy of the weights"}.get(
        measure, f"Weight of {measure}"
    )
    st.markdown(f"**{what}, by word and layer**")
    st.plotly_chart(
        figure, key=f"map_{seen.number}", config=charts.CONFIG, alt=f"{what} by word and layer; {seen.side.title}"
    )
    seen.menu("map", f"words.{measure}", line, rows, figure, what)
    position = min(word + 1, int(rows.position.max()))
    one = rows[rows.position == position]
    st.markdown("**Weights of one word, by layer**")
    st.text(f"{one.word.iloc[0]}")
    bars = probe_charts.word_bars(one)
    st.plotly_chart(
        bars, key=f"bars_{seen.number}", config=charts.CONFIG, alt=f"Weights of one word by layer; {seen.side.title}"
    )
    seen.menu("bars", "word", line, one, bars, "Weights of one word by layer")


def pick_measure(slots: Sequence[str]) -> None:
    """What the map of words shows."""
    names = {"winner": "winning slot", "entropy": "entropy"}
    pickers.choose("Map", "probe_measure", ["winner", "entropy", *slots], lambda m: names.get(m, f"weight of {m}"))


def entity_view(seen: Seen) -> None:
    """Mean weights on the marked entity, or on the whole line where none is marked, line by line."""
    rows = []
    for line, label, one in zip(seen.lines, seen.labels, seen.shown, strict=True):
        here = sentences.words(one)
        chosen = [here[n] for n in marked_words(here, line)] or here
        if chosen:
            weights = sentences.at_layer(sentences.weights_of(one, chosen)[0].mean(1), seen.layer)
            rows += [(label, slot, weight) for slot, weight in zip(one.slots, weights, strict=True)]
    marks = sum(line.marked is not None for line in seen.lines)
    what = "marked entity" if marks else "whole line"
    if 0 < marks < len(seen.lines):
        st.text("A line without a mark counts as a whole. Mark its entity with [[...]].")
    elif not marks:
        st.text("Mark an entity in every line with [[...]] to compare its weights alone.")
    table = pd.DataFrame(rows, columns=["place", "slot", "weight"])
    st.markdown(f"**Mean weights of the {what}, {seen.over}**")
    figure = probe_charts.slot_bars(table)
    st.plotly_chart(
        figure, key=f"entity_{seen.number}", config=charts.CONFIG, alt=f"Mean weights of the {what}; {seen.side.title}"
    )
    seen.menu("entity", "parallel", 0, table, figure, f"Mean weights of the {what}, {seen.over}")


def knock_out_view(seen: Seen) -> None:
    """How the sentence's vector and weights change without each slot, and without those that are knocked out."""
    line, _ = picked(len(seen.lines))
    full, side, text = seen.full[line], seen.side, seen.lines[line].text
    cases = {slot: [slot] for slot in full.slots}
    if seen.without:
        cases = {" and ".join(seen.without): seen.without} | cases
    rows = []
    for name, out in cases.items():
        (one,) = model_loaders.observed(side.run, side.task, side.fine_tuned, [text], out)
        weights = sentences.at_layer(one.weights.mean(1), seen.layer)
        rows.append({"without": name, "cosine": float(one.vector @ full.vector)})
        rows[-1] |= {slot: float(weight) for slot, weight in zip(full.slots, weights, strict=True)}
    before = sentences.at_layer(full.weights.mean(1), seen.layer)
    rows.insert(0, {"without": "(nothing)", "cosine": 1.0})
    rows[0] |= {slot: float(weight) for slot, weight in zip(full.slots, before, strict=True)}
    table = pd.DataFrame(rows).drop_duplicates("without")
    st.markdown(f"**Without a slot: cosine to the line's full vector, and mean weights over its tokens, {seen.over}**")
    numbers = {name: st.column_config.NumberColumn(format="%.3f") for name in table.columns[1:]}
    st.dataframe(
        table, key=f"without_{seen.number}", hide_index=True, column_config=numbers, alt="The line without each slot"
    )
    bars = table.melt("without", list(table.columns[2:]), "slot", "weight").rename(columns={"without": "place"})
    figure = probe_charts.slot_bars(bars)
    st.plotly_chart(
        figure, key=f"out_{seen.number}", config=charts.CONFIG, alt=f"Mean weights without each slot; {side.title}"
    )
    seen.menu("out", "knock-out", line, table, figure, f"Mean weights without each slot, {seen.over}")


def pick_answers() -> list[str]:
    """Languages to look for answers in."""
    known = sorted(LANGUAGES, key=lambda code: describe(code).name)
    pickers.fit_many("answers", known, START)
    return st.multiselect(
        "Languages of the answers",
        known,
        key="answers",
        persist_state="session",
        max_selections=8,
        format_func=lambda code: f"{describe(code).name} ({code})",
        help=f"Up to {model_loaders.LABELS:,} labels of a language are embedded once, which takes some seconds.",
    )


def answers_view(seen: Seen, languages: Sequence[str]) -> None:
    """The nearest labels of the run's corpus to the clicked line, with and without the knocked-out slots."""
    line, _ = picked(len(seen.lines))
    cases: dict[str, tuple[list[str], np.ndarray]] = {"every slot in": ([], seen.full[line].vector)}
    if seen.without:
        cases["without " + ", ".join(seen.without)] = (seen.without, seen.shown[line].vector)
    found = []
    for title, (out, vector) in cases.items():
        for language in languages:
            name = describe(language).name
            bar = st.empty()

            def advance(done: int, total: int, bar: DeltaGenerator = bar, name: str = name) -> None:
                bar.progress(done / total, f"Embedding the labels in {name}: {done:,} of {total:,}")

            try:
                index = model_loaders.nearest_labels(
                    seen.side.run, seen.side.task, seen.side.fine_tuned, out, language, advance
                )
            except ValueError as error:
                st.text(str(error))
                continue
            bar.empty()
            places, scores = index.search_places(vector[None], ANSWERS)
            found += [
                (title, name, place, index.labels.text[at], float(score), len(index.labels))
                for place, (at, score) in enumerate(zip(places[0], scores[0], strict=True), 1)
            ]
    columns = ["fusion", "language", "place", "answer", "cosine", "labels"]
    table = pd.DataFrame(found, columns=columns)
    if table.empty:
        return
    st.markdown("**Nearest labels of the run's corpus to the vector of the line, by cosine**")
    wide = table.assign(answer=[f"{a}  {c:.2f}" for a, c in zip(table.answer, table.cosine, strict=True)])
    for fusion, part in wide.groupby("fusion", sort=False):
        st.text(str(fusion))
        shown = part.pivot(index="place", columns="language", values="answer")[list(dict.fromkeys(part.language))]
        st.dataframe(shown, key=f"answers_{seen.number}_{fusion}", alt=f"Nearest labels, {fusion}")
    sizes = ", ".join(
        f"{n} {size:,}" for n, size in table.drop_duplicates("language")[["language", "labels"]].to_numpy()
    )
    st.caption(f"Labels compared: {sizes}; at most {model_loaders.LABELS:,} of a language, an even draw of more.")
    more = [word for code in languages for word in ("--answers", code)]
    exports.menu(
        f"answers_{seen.number}",
        table=table,
        name=f"{seen.side.run.name}.probe.{seen.side.task}.answers",
        runs=[seen.side.run],
        command=seen.command(line, *more),
        caption=f"Nearest labels: {seen.side.title}",
    )
