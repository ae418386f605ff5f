"""The part of a run's configuration that says how one stage is trained, and the sections of the downstream tasks.

Settings of the tasks with a head are the published ones (PROTOCOL, section 6): RELX as Köksal and Özgür 2020, WikiAnn
and XQuAD as XTREME (Hu et al. 2020).
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

TaskName = Literal["kg_completion", "entity_alignment", "relation_classification", "ner", "question_answering"]
LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}([_-][A-Za-z0-9]+)*$")]
Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A frozen part of the tree that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Optimisation(Section):
    """One training stage: budget, optimizer and schedule."""

    steps: Positive | None = Field(None, description="Optimizer steps; give this or `epochs`.")
    epochs: float | None = Field(None, gt=0, description="Passes over the training set; give this or `steps`.")
    batch_size: int = Field(128, ge=2, description="Pairs per step; each pair is the others' negative.")
    accumulation: Positive = Field(1, description="Batches whose gradients are summed before a step.")
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="How gradients become updates.")
    learning_rate: float = Field(3e-3, gt=0, description="Largest rate of the schedule.")
    value_learning_rate: float | None = Field(
        None, ge=0, description="Rate of the fusion's value matrices; None is `learning_rate`."
    )
    head_learning_rate: float | None = Field(None, ge=0, description="Rate of a task's head; None is `learning_rate`.")
    weight_decay: float = Field(0.01, ge=0, description="Share of a weight, times the rate, taken off at each step.")
    schedule: Literal["linear", "constant", "cosine_restarts"] = Field("linear", description="Rate after the warm-up.")
    restarts: Positive = Field(5, description="Hard restarts of `cosine_restarts`.")
    warmup_steps: Annotated[int, Field(ge=0)] | None = Field(None, description="None is a tenth of the steps.")
    clip_norm: float | None = Field(1.0, gt=0, description="Largest norm of the gradient; None does not clip.")
    dropout: float | None = Field(0.0, ge=0, lt=1, description="Dropout while training; None keeps the backbone's.")
    zero_gradients: Literal["every_step", "never"] = Field(
        "every_step", description="`never` lets gradients pile up, as the released fine-tuning does."
    )
    updates_per_gradient: Positive = Field(
        1, description="Optimizer updates made with each gradient; released TP and TS make two."
    )

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give exactly one of `steps` and `epochs`")
        return self


_FUSION_TRAINING = Optimisation(steps=40, batch_size=128, learning_rate=5e-3, value_learning_rate=1e-4)
_HEAD_FUSION = Optimisation(epochs=1, batch_size=32, learning_rate=1e-3, value_learning_rate=1e-4)
_FINE_TUNING = Optimisation(steps=60, batch_size=64, learning_rate=1e-5)


class Task(Section):
    """A downstream task: its data, languages, and stages 3 and 4."""

    data: str | None = Field(
        None, description="Benchmark to train, validate and test on: its folder, or the name it was built under."
    )
    test_data: tuple[str, ...] = Field(
        (), description="Benchmarks to test on; a language is taken from the first that has it. None given: `data`."
    )
    train_languages: tuple[LanguageCode, ...] = Field(description="Languages of stages 3 and 4.")
    test_languages: tuple[LanguageCode, ...] | None = Field(
        None, description="None tests every language that there is."
    )
    fusion_training: Optimisation = Field(_FUSION_TRAINING, description="Stage 3.")
    fusion_stage_trains: Literal["fusion", "everything"] = Field(
        "fusion", description="What stage 3 updates; the released code unfreezes everything."
    )
    fine_tuning: Optimisation | None = Field(_FINE_TUNING, description="Stage 4, everything trainable; null skips it.")
    checkpoint: Literal["best_validation", "last", "best_test_per_language"] = Field(
        "best_validation",
        description="Which weights are reported; per-language best on the test set is what Table 11 does.",
    )
    all_checkpoints: bool = Field(
        True, description="Measure the last weights and the best per language on the test set too."
    )
    validations: Positive = Field(2, description="How often stage 4 is scored on the validation split.")
    validation_queries: Positive | None = Field(
        64, description="Validation examples per training language, spread over the split; None takes all."
    )

    @model_validator(mode="after")
    def _test_data_needs_data(self) -> Self:
        if self.test_data and self.data is None:
            raise ValueError("`test_data` needs `data`, the benchmark to train on")
        return self


class KGCompletion(Task):
    """Knowledge-graph completion (paper, section 5.2.1); without `data` on the corpus's own held-out triples."""

    code_switched: bool = Field(
        False, description="Queries mix languages: the subject's name is taken from another one where there is one."
    )

    train_languages: tuple[LanguageCode, ...] = ("el", "en", "es", "fr", "ja")

    @model_validator(mode="after")
    def _code_switching_needs_a_benchmark(self) -> Self:
        if self.code_switched and self.data is None:
            raise ValueError("`code_switched` needs a benchmark: name one in `data`")
        return self


class EntityAlignment(Task):
    """Entity alignment with a source language (paper, section 5.2.2); without `data` on the corpus's own entities."""

    direction: Literal["from_source", "to_source", "both"] = Field(
        "from_source", description="Ask for the target's entity, for the source's, or both."
    )
    csls_neighbours: Positive | None = Field(
        None, description="Neighbours of cross-domain similarity local scaling; None ranks by the cosine."
    )
    source_language: LanguageCode = Field("en", description="Language that is aligned with every other.")
    train_languages: tuple[LanguageCode, ...] = ("de", "fr")

    @model_validator(mode="after")
    def _direction_needs_a_benchmark(self) -> Self:
        if self.direction != "from_source" and self.data is None:
            raise ValueError(f"`direction` {self.direction} needs a benchmark: name one in `data`")
        return self


class HeadTask(Task):
    """A task with a head on the encoder; it needs `data` and has no zero-shot mode."""

    data: str
    train_languages: tuple[LanguageCode, ...] = ("en",)
    fusion_training: Optimisation = Field(_HEAD_FUSION, description="Stage 3: the fusion and the head.")
    validation_queries: Positive | None = Field(500, description="Validation examples per language; None takes all.")


class RelationClassification(HeadTask):
    """Relations between marked mentions (paper, section 5.3)."""

    fine_tuning: Optimisation | None = Field(
        Optimisation(epochs=10, batch_size=16, accumulation=4, learning_rate=3e-5, weight_decay=0.1, dropout=None),
        description="Stage 4, everything trainable; null skips it.",
    )
    validations: Positive = Field(10, description="How often stage 4 is scored on the validation split.")
    data: str = "kbp37"
    test_data: tuple[str, ...] = ("relx",)
    max_tokens: Positive = Field(256, description="Sentences are cut to this many tokens.")
    class_weights: Literal["direction_counts", "balanced", "none"] = Field(
        "direction_counts", description="Weight of each class in the loss."
    )
    head_dropout: float = Field(0.5, ge=0, lt=1, description="Dropout before the head while training.")


class NER(HeadTask):
    """Named entity recognition (paper, section 5.3)."""

    fine_tuning: Optimisation | None = Field(
        Optimisation(epochs=10, batch_size=32, learning_rate=2e-5, weight_decay=0.0, dropout=None),
        description="Stage 4, everything trainable; null skips it.",
    )
    data: str = "wikiann"
    max_tokens: Positive = Field(128, description="Tokens per window; longer sentences get several.")
    head_dropout: float = Field(0.1, ge=0, lt=1, description="Dropout before the head while training.")


class QuestionAnswering(HeadTask):
    """Extractive question answering (paper, section 5.3)."""

    fine_tuning: Optimisation | None = Field(
        Optimisation(epochs=3, batch_size=32, learning_rate=3e-5, weight_decay=0.0, dropout=None),
        description="Stage 4, everything trainable; null skips it.",
    )
    data: str = "squad"
    test_data: tuple[str, ...] = ("xquad",)
    max_tokens: Positive = Field(384, description="Tokens per window of question and context.")
    stride: Positive = Field(128, description="Tokens from one window's start to the next one's.")
    question_tokens: Positive = Field(64, description="Questions are cut to this many tokens.")
    answer_tokens: Positive = Field(30, description="Tokens of the longest answer.")
    n_best: Positive = Field(20, description="Answers kept per question.")


class Tasks(Section):
    """The downstream tasks; null leaves one out."""

    kg_completion: KGCompletion | None = KGCompletion()
    entity_alignment: EntityAlignment | None = EntityAlignment()
    relation_classification: RelationClassification | None = None
    ner: NER | None = None
    question_answering: QuestionAnswering | None = None

    def chosen(self) -> dict[TaskName, Task]:
        """The tasks that the run does, by name."""
        return {name: task for name in get_args(TaskName) if (task := getattr(self, name)) is not None}
