"""Questions put to a ranking task by hand, and what is answered; no model is needed to write them down."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from core.task_config import TaskName

Kind = Literal["complete", "align"]
TASKS: dict[Kind, TaskName] = {"complete": "kg_completion", "align": "entity_alignment"}
Candidates = Literal["test", "all"]
CANDIDATES: dict[Candidates, str] = {"test": "the candidates of the test", "all": "all labels of the language"}


@dataclass(frozen=True)
class Query:
    """A question.

    Attributes:
        language: Language of the texts.
        text: The subject of a triple, or the label to align.
        relation: Identifier of the relation; None aligns.
        entity: The entity that is meant; None means every one with this very label.
    """

    language: str
    text: str
    relation: str | None = None
    entity: int | None = None


@dataclass(frozen=True)
class Answers:
    """What some systems answer.

    Attributes:
        top: A row per answer: `language`, `system`, `place` (from 1), `answer`, `entity` (the source's identifier),
            `cosine`, `gold` (whether it is a known answer).
        gold: A row per known answer, system and language: `language`, `system`, `answer`, `entity`, `rank` (protocol
            strict; missing where it is no candidate), `cosine`, `candidates` (how many there are).
    """

    top: pd.DataFrame
    gold: pd.DataFrame
