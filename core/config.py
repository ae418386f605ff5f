"""The configuration of a run: one frozen tree, parsed once at the edge (`core.recipes` reads files into it).

The defaults are the recipe `corrected`. Every switch of PROTOCOL section 1 is a field of its own, so that any single
difference between recipes can be an ablation axis. Below a stage, plain arguments are passed, never this tree.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import yaml
from pydantic import Field, model_validator

from core.task_config import LanguageCode, Optimisation, Positive, Section, Tasks

Recipe = Literal["corrected", "paper", "released"]
System = Literal["backbone", "+EP", "+TP", "+ES", "+TS", "+Large", "+Fusion"]
Mode = Literal["zero-shot", "fine-tuned"]
SYSTEMS: tuple[System, ...] = get_args(System)
ADAPTERS = ("ep", "tp", "es", "ts", "large")
# What is active in a system's forward passes: an adapter, the fusion of four, or nothing.
SYSTEM_PARTS: dict[System, str | None] = {
    **{"backbone": None, "+EP": "ep", "+TP": "tp", "+ES": "es", "+TS": "ts", "+Large": "large", "+Fusion": "fusion"}
}


class Backbone(Section):
    """Stage 1: the pretrained encoder."""

    source: str = Field("embedded", description="`embedded`, a Hugging Face hub id, or a local model folder.")
    prefix: str = Field("", description="Text put before every text, such as `query: ` for E5 models.")
    pooling: Literal["attended", "padded"] = Field(
        "attended", description="Mean over a text's own tokens, or over the padded length (released code)."
    )
    trim_vocabulary: bool = Field(True, description="Keep only the pieces that the corpus uses while training.")


class Corpus(Section):
    """The knowledge integration corpus."""

    name: Literal["cldr"] = Field("cldr", description="Corpus to build when `folder` is not given.")
    folder: Path | None = Field(None, description="A corpus built before; None builds `name` in the cache.")
    adapter_languages: tuple[LanguageCode, ...] | None = Field(
        None, description="Languages of adapter training; None takes those of the paper's 84 that the corpus has."
    )
    phrase_tokens: Positive = Field(32, description="Labels are cut to this many tokens.")
    sentence_tokens: Positive = Field(128, description="Sentences are cut to this many tokens.")


class Sampling(Section):
    """How training pairs are drawn (PROTOCOL section 1)."""

    ep_pairs: Literal["entities", "alignments", "triples"] = Field(
        "entities",
        description="EP draws entities uniformly, label pairs uniformly, or the ends of the triples in order.",
    )
    skip_identical: bool = Field(True, description="Never pair two equal strings in EP.")
    tp_missing_relation: Literal["english", "empty"] = Field(
        "english", description="What stands in for a relation label that a language lacks."
    )
    es_anchor: Literal["mention", "sentence"] = Field("mention", description="What ES averages over.")
    ts_anchor: Literal["masked", "last_word_kept"] = Field(
        "masked", description="The object is masked, or deleted but for its last word (released code's off-by-one)."
    )
    order: Literal["distinct", "random", "consecutive"] = Field(
        "distinct", description="Negatives: shuffled with no entity twice in a batch, independent, or in file order."
    )


class Objective(Section):
    """InfoNCE (PROTOCOL section 2)."""

    temperature: float = Field(0.05, gt=0, description="Divisor of the cosine similarity.")
    directions: Literal["both", "forward"] = Field("both", description="Contrast both ways, or anchors only.")
    mask_false_negatives: bool = Field(True, description="Leave known false negatives out of the denominator.")


class Adapters(Section):
    """Stage 2: each adapter alone on its corpus, backbone frozen."""

    reduction: float = Field(16, gt=0, description="Hidden size over bottleneck size.")
    non_linearity: str = Field("relu", description="Activation of the bottleneck.")
    ep: Optimisation | None = Optimisation(steps=150, batch_size=128)
    tp: Optimisation | None = Optimisation(steps=100, batch_size=96)
    es: Optimisation | None = Optimisation(steps=100, batch_size=96)
    ts: Optimisation | None = Optimisation(steps=100, batch_size=96)
    large: Optimisation | None = Optimisation(steps=100, batch_size=128, learning_rate=1e-3)
    from_run: str | None = Field(
        None, description="Name or folder of a run whose adapters are taken in place of training those with a budget."
    )

    def trained(self) -> dict[str, Optimisation]:
        """The adapters with a budget, by role."""
        return {role: plan for role in ADAPTERS if (plan := getattr(self, role)) is not None}


class Fusion(Section):
    """The fusion of the four small adapters (paper, section 3)."""

    identity_slot: bool = Field(True, description="The un-adapted vector competes as slot 0 (paper); released: no.")
    regularisation: float = Field(0.0, ge=0, description="Weight of the value matrices' distance from the identity.")
    corpus_training: Literal["none", "initialise", "discard"] = Field(
        "none", description="Train fusion on the integration corpus first, and use it or (released) not load it."
    )
    corpus: Optimisation = Optimisation(steps=40, batch_size=64, learning_rate=5e-3, value_learning_rate=1e-4)


class FusionMap(Section):
    """What fusion does inside: attention, contribution and knock-outs by task, language, layer and slot."""

    examples: Positive = Field(32, description="Test examples per language that are looked at.")
    null_fusions: Annotated[int, Field(ge=0)] = Field(
        3, description="Random fusions behind the null map; 0 makes none."
    )
    knock_out: bool = Field(
        True,
        description="Measure the sampled examples without each slot too, each time as costly as a test.",
    )


class Evaluation(Section):
    """What is measured on the test split, and how sure it is."""

    zero_shot: tuple[System, ...] | None = Field(
        None, description="Systems measured before fine-tuning; null takes all that the run trains."
    )
    fine_tuned: tuple[System, ...] | None = Field(
        None, description="Systems taken through stages 3 and 4; null takes all that the run trains."
    )
    test_entities: Positive | None = Field(None, description="Test entities to query for alignment; None takes all.")
    test_triples: Positive | None = Field(None, description="Test triples to query for completion; None takes all.")
    test_examples: Positive | None = Field(
        None, description="Test examples per language for the tasks with a head; None takes all."
    )
    candidates: Literal["all", "benchmark"] = Field(
        "all", description="Rank among every entity with a label in the language, or those of the sampled benchmark."
    )
    min_queries: Positive = Field(20, description="Languages with fewer test examples are left out, and said to be.")
    fusion_map: FusionMap | None = Field(None, description="Look into fused systems; null does not.")
    bootstrap_samples: Positive = Field(1000, description="Resamples of the test examples behind every interval.")
    confidence: float = Field(0.95, gt=0, lt=1, description="Share of resamples that an interval holds.")


class Compute(Section):
    """Hardware and bookkeeping; nothing here changes what is computed, only how fast and how exactly."""

    device: str = Field("auto", description="`auto`, `cpu`, `cuda` or `cuda:0`.")
    threads: Positive | None = Field(None, description="CPU threads; None takes every core.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="`auto` takes bf16 where the hardware gains."
    )
    packed: bool = Field(True, description="Lay many short texts in one row.")
    row_tokens: Positive = Field(48, description="Tokens per packed row.")
    tokens_per_pass: Positive = Field(8192, description="Tokens per forward pass of an evaluation.")
    checkpoint_seconds: float = Field(120, gt=0, description="Seconds between checkpoints inside a stage.")
    keep_fine_tuned: bool = Field(True, description="Keep fine-tuned weights (half precision) after measuring them.")


class RunConfig(Section):
    """Everything that decides a run's numbers."""

    title: str = Field("", description="A name for people; it does not count into the fingerprint.")
    recipe: Recipe = Field(
        "corrected",
        description="Where every field starts: `corrected`, as the `paper` says, or as its code was `released`.",
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(0, description="Seed of weights and draws.")
    backbone: Backbone = Backbone()
    corpus: Corpus = Corpus()
    sampling: Sampling = Sampling()
    objective: Objective = Objective()
    adapters: Adapters = Adapters()
    fusion: Fusion = Fusion()
    tasks: Tasks = Tasks()
    evaluation: Evaluation = Evaluation()
    compute: Compute = Compute()

    def systems(self, mode: Mode) -> tuple[System, ...]:
        """The systems measured in a mode, in the order of `SYSTEMS`.

        Fusion has no zero-shot mode unless it is trained on the integration corpus first: untrained weights say nothing
        (the paper's own limitation).
        """
        asked = self.evaluation.zero_shot if mode == "zero-shot" else self.evaluation.fine_tuned
        return tuple(s for s in SYSTEMS if s in (self._available(mode) if asked is None else asked))

    def _available(self, mode: Mode) -> set[System]:
        trained = self.adapters.trained()
        found: set[System] = {s for s, part in SYSTEM_PARTS.items() if part is None or part in trained}
        fused = mode == "fine-tuned" or self.fusion.corpus_training == "initialise"
        if fused and set(ADAPTERS[:4]) <= set(trained):
            found.add("+Fusion")
        return found

    @model_validator(mode="after")
    def _systems_exist(self) -> Self:
        wanted: dict[Mode, tuple[System, ...] | None]
        wanted = {"zero-shot": self.evaluation.zero_shot, "fine-tuned": self.evaluation.fine_tuned}
        for mode, asked in wanted.items():
            if missing := sorted(set(asked or ()) - self._available(mode)):
                raise ValueError(
                    f"evaluation asks for {', '.join(missing)} in mode {mode}, but the run does not train what that needs "
                    "(each adapter its own section under `adapters`; fusion all four; fusion zero-shot "
                    "`fusion.corpus_training: initialise`)"
                )
        return self

    def to_yaml(self) -> str:
        """The whole tree as YAML; `core.recipes.parse` gives the same config back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def fingerprint(self) -> str:
        """12 hexadecimal digits over every field that can change a number; the title is not one."""
        text = json.dumps(self.model_dump(mode="json", exclude={"title"}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
