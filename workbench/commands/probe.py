"""`workbench probe`: which adapter a run's fusion listens to, word by word."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import pandas as pd
import typer
from rich.text import Text

from core import catalog
from core.probing import sentences
from core.probing.sentence_file import read_sentences
from core.probing.sentences import Observation
from core.probing.typed_lines import Line, read_line
from core.runs.kept import fine_tuned_tasks, fused_tasks, fusion_slots
from core.runs.store import RunDir, RunError
from core.runs.tables import records
from core.task_config import TaskName
from workbench import terminal
from workbench.commands.options import require_known
from workbench.fusion.charts import SLOT_COLORS
from workbench.terminal import Json

if TYPE_CHECKING:
    from core.probing.trained import Question, TrainedEncoder

out, err = terminal.screen(), terminal.screen(stderr=True)
_ANSWERS, _LABELS = 10, 5_000


def probe(
    sentence: Annotated[
        str | None, typer.Argument(help="A sentence; `de | ...` names its language, [[...]] marks an entity.")
    ] = None,
    run: Annotated[str, typer.Option(help="Name of a run; `workbench runs` lists them.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="A file of sentences, or of `language<TAB>sentence`, in place of a sentence.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task whose fusion to ask; the run's first if left out.")] = None,
    fine_tuned: Annotated[bool, typer.Option("--fine-tuned", help="The weights that fine-tuning left.")] = False,
    layer: Annotated[int | None, typer.Option(help="A layer, from 0; the mean over all if left out.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Knock this slot out; repeatable.")] = None,
    pieces: Annotated[
        bool, typer.Option("--pieces/--words", help="Sub-words, or words put together from them.")
    ] = False,
    special: Annotated[bool, typer.Option("--special", help="With --pieces: the special tokens too.")] = False,
    answers: Annotated[
        list[str] | None, typer.Option(help="Nearest labels of the run's corpus in this language; repeatable.")
    ] = None,
    as_json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV and nothing else.")] = False,
) -> None:
    """Which slot of the fusion has the largest attention weight on each word of a sentence in any language.

    JSON and CSV hold a row for each word, layer and slot; with --answers, the nearest labels. A word's weight is the
    mean over its sub-words.

    Example: `workbench probe "Berlin ist die Hauptstadt von Deutschland." --run 20261123-024543-demo-670526809aae`
    """
    if as_json and csv:
        raise ValueError("Name one of --json and --csv.")
    if (sentence is None) == (file is None):
        raise ValueError("Give a sentence, or --file with a file of sentences.")
    if not run:
        raise ValueError("--run: name a run; `workbench runs` lists them.")
    if special and not pieces:
        raise ValueError("--special needs --pieces.")
    unit = ("tokens" if special else "sub-words") if pieces else "words"
    chosen = RunDir.find(run)
    task_name = _task(chosen, task, fine_tuned)
    require_known("without", without or (), fusion_slots(chosen))
    lines, numbers = _lines(sentence, file)
    encoder, question = _open(chosen, task_name, fine_tuned, without or ())
    seen = encoder.observe([line.text for line in lines], question)
    layers = seen[0].layers
    if layer is not None and not 0 <= layer < layers:
        raise ValueError(f"--layer: there is no {layer}. There are 0 to {layers - 1}.")
    if answers:
        if len(seen) > 1:
            raise ValueError("--answers takes one sentence.")
        table = _answers(encoder, question, seen[0], answers)
    else:
        table = sentences.table(seen, [line.language for line in lines], unit, numbers)
        if layer is not None:
            table = table[table.layer == layer]
    table.insert(0, "run", chosen.name)
    table.insert(1, "task", task_name)
    if as_json:
        terminal.print_json(records(table))
    elif csv:
        print(table.to_csv(index=False), end="")  # noqa: T201
    elif answers:
        terminal.print_rows(list(table.columns[2:]), table.iloc[:, 2:].round(3).values.tolist(), out)
    else:
        for line, one in zip(lines, seen, strict=True):
            _print(one, line, unit, layer)
        over = "mean over layers" if layer is None else f"layer {layer}"
        title = catalog.item("task", task_name).title + (", fine-tuned" if fine_tuned else "")
        _print_change(encoder, question, seen, [line.text for line in lines])
        out.print(f"{title}, {over}; run {chosen.name}", highlight=False, markup=False, soft_wrap=True)


def _task(run: RunDir, task: str | None, fine_tuned: bool) -> TaskName:
    """The task to ask.

    Raises:
        RunError: If the run has no fusion at all.
        ValueError: If it has none of that task.
    """
    there = (fine_tuned_tasks if fine_tuned else fused_tasks)(run)
    if not there:
        what = "fine-tuned fusion" if fine_tuned else "fusion"
        other = fused_tasks(run) if fine_tuned else fine_tuned_tasks(run)
        option = "without --fine-tuned" if fine_tuned else "with --fine-tuned"
        hint = f"Ask it {option}" if other else "Choose another: `workbench runs` lists them"
        raise RunError(f"The run {run.name} has kept no {what}. {hint}.")
    if task is not None:
        require_known("task", [task], there)
    return cast(TaskName, task) if task is not None else there[0]


def _lines(sentence: str | None, file: Path | None) -> tuple[list[Line], list[int]]:
    """What to look at, with the numbers of the lines; problems of a file go to standard error.

    Raises:
        ValueError: If there is nothing to look at.
    """
    if file is None:
        line = read_line(sentence or "")
        if not any(c.isalnum() for c in line.text):
            raise ValueError("The sentence has no letter or digit.")
        return [line], [1]
    found = read_sentences(file.read_bytes())
    for number, problem in found.problems.items():
        err.print(f"{file}, line {number}: {problem}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    if not found.texts:
        raise ValueError(f"{file} has no sentence to look at.")
    return [Line(t, None, code) for t, code in zip(found.texts, found.languages, strict=True)], found.lines


def _open(run: RunDir, task: TaskName, fine_tuned: bool, without: Sequence[str]) -> "tuple[TrainedEncoder, Question]":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # must be set before transformers is imported
    import torch

    from core.probing.trained import FUSED, Question, TrainedEncoder

    torch.set_num_threads(1)  # a sentence is too little work for several, which wait for each other
    return TrainedEncoder(run, task if fine_tuned else None), Question(FUSED, task, frozenset(without))


def _answers(
    encoder: "TrainedEncoder", question: "Question", seen: Observation, languages: Sequence[str]
) -> pd.DataFrame:
    """The nearest labels to a sentence in some languages."""
    from core.probing.nearest import NearestLabels, corpus_labels
    from core.stages.workspace import open_corpus

    corpus, rows = open_corpus(encoder.run.config), []
    for language in languages:
        labels = corpus_labels(corpus, language, _LABELS)
        with terminal.progress_bar(f"embedding labels in {language}") as advance:
            index = NearestLabels.of(encoder, question, labels, advance)
        places, scores = index.search_places(seen.vector[None], _ANSWERS)
        rows += [
            (language, place, labels.text[at], float(score))
            for place, (at, score) in enumerate(zip(places[0], scores[0], strict=True), 1)
        ]
    return pd.DataFrame(rows, columns=["language", "place", "answer", "cosine"])


def _print(seen: Observation, line: Line, unit: str, layer: int | None) -> None:
    """The sentence in colours, and a table of the weights of its words."""
    words = sentences.units(seen, unit)
    weights, entropies = (sentences.at_layer(values, layer) for values in sentences.weights_of(seen, words))
    shown = Text()
    for word, best in zip(words, weights.argmax(-1), strict=True):
        shown.append("" if word.joined or not shown else " ")
        shown.append(word.text, style=f"bold white on {SLOT_COLORS[seen.slots[best]]}")
    if cut := sentences.cut_off(seen):
        shown.append(f" (not seen by the model: {cut})", style="italic")
    out.print(shown, soft_wrap=True)
    rows = [
        [word.text, seen.slots[of_word.argmax()], *(f"{value:.3f}" for value in of_word), f"{entropy:.3f}"]
        for word, of_word, entropy in zip(words, weights, entropies, strict=True)
    ]
    terminal.print_rows(["word", "largest", *seen.slots, "entropy"], rows, out)


def _print_change(
    encoder: "TrainedEncoder", question: "Question", seen: Sequence[Observation], texts: Sequence[str]
) -> None:
    """How far a knock-out moves the vectors."""
    if question.knocked_out:
        full = encoder.embed(texts, type(question)(question.system, question.task))
        cosines = ", ".join(f"{vector @ one.vector:.3f}" for vector, one in zip(full, seen, strict=True))
        slots = ", ".join(slot for slot in encoder.slots if slot in question.knocked_out)
        out.print(f"Without {slots}: cosine to the vector of the whole fusion {cosines}", highlight=False)
