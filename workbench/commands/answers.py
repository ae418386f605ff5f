"""`workbench answers`: the answers that a run gave, in the format of SQuAD's own evaluation script."""

from typing import Annotated, cast

import typer

from core.config import SYSTEMS
from core.evaluation.protocols import WEIGHTS, Weights
from core.runs.store import RunDir
from workbench import terminal
from workbench.commands.options import require_known

_TASK, _MODE = "question_answering", "fine-tuned"


def answers(
    run: Annotated[str, typer.Argument(help="A run that measured question answering.")],
    language: Annotated[str, typer.Option(help="Language of the questions, such as de.")],
    system: Annotated[str, typer.Option(help=f"One of {', '.join(SYSTEMS)}.")] = "+Fusion",
    weights: Annotated[str, typer.Option(help=f"Whose answers: {', '.join(WEIGHTS)}.")] = "reported",
    n_best: Annotated[bool, typer.Option("--n-best", help="Every answer kept, with its probability.")] = False,
) -> None:
    """Print the answers to the questions of one language as JSON: question id -> answer, as SQuAD's script reads it.

    Example: `workbench answers RUN --system +Fusion --language de > predictions.json`
    """
    from core.evaluation.answers import n_best_predictions, official_predictions
    from core.evaluation.outcomes import from_arrays

    chosen = RunDir.open(run)
    require_known("weights", [weights], WEIGHTS)
    kind = cast(Weights, weights)
    present = [s for s in SYSTEMS if chosen.outcome_file(_TASK, s, _MODE, kind).is_file()]
    if system not in present:
        raise ValueError(f"{run} has no answers of {system}. It has answers of: {', '.join(present) or 'no system'}.")
    found = from_arrays(_TASK, chosen.read_outcomes(_TASK, system, _MODE, kind))
    if language not in found:
        raise ValueError(f"{run} has no answers in {language!r}. It has: {', '.join(found)}.")
    terminal.print_json(n_best_predictions(found[language]) if n_best else official_predictions(found[language]))
