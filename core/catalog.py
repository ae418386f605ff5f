"""Everything that a name in a config can mean: one literal table, and the only place where a string becomes an object."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Item:
    """One component.

    Attributes:
        kind: What it is: `corpus`, `graph` (a source that a corpus is built of), `benchmark`, `sampler`, `task` or
            `outcome` (what is stored of a task's evaluation).
        key: Its name in a config.
        title: Its name for people.
        reference: Where it is defined.
        target: `module:name` of the object.
    """

    kind: str
    key: str
    title: str
    reference: str
    target: str


ITEMS: tuple[Item, ...] = (
    Item(
        "corpus",
        "cldr",
        "Unicode CLDR knowledge graph",
        "unicode.org/cldr, through Babel",
        "core.corpora.sources.cldr:cached",
    ),
    Item("graph", "xfactr", "X-FACTR", "Jiang et al. 2020, EMNLP", "core.corpora.sources.xfactr:read"),
    Item("graph", "codex", "CoDEx", "Safavi and Koutra 2020, EMNLP", "core.corpora.sources.codex:read"),
    Item("graph", "bmlama", "BMLAMA-53", "Qi et al. 2023, EMNLP", "core.corpora.sources.bmlama:read"),
    Item("graph", "dbp5l", "DBP-5L", "Chen et al. 2020, Findings of EMNLP", "core.corpora.sources.dbp5l:read"),
    Item("graph", "fewrel", "FewRel", "Han et al. 2018, EMNLP", "core.corpora.sources.fewrel:read"),
    Item("graph", "rebel", "REBEL", "Huguet Cabot and Navigli 2021", "core.corpora.sources.trex:read_rebel"),
    Item("graph", "trex", "T-REx", "Elsahar et al. 2018, LREC", "core.corpora.sources.trex:read_trex"),
    Item("graph", "trex-rc", "T-REx-RC", "Wang et al. 2021, Findings of ACL", "core.corpora.sources.trex_rc:read"),
    Item(
        "graph",
        "trex_samples",
        "Samples of the T-REx pipeline",
        "Elsahar et al. 2018",
        "core.corpora.sources.trex_samples:read",
    ),
    Item("graph", "own", "Own data", "TSV or JSON lines", "core.corpora.sources.own:read"),
    Item(
        "benchmark",
        "dbp5l",
        "DBP-5L, completion",
        "Chen et al. 2020, Findings of EMNLP",
        "core.corpora.benchmarks.dbp5l:read",
    ),
    Item(
        "benchmark", "wk3l60k", "WK3L-60k, alignment", "Chen et al. 2017, IJCAI", "core.corpora.benchmarks.wk3l60k:read"
    ),
    Item(
        "benchmark",
        "dbp15k",
        "DBP15K, alignment",
        "Sun et al. 2017, ISWC",
        "core.corpora.benchmarks.alignment:read_dbp15k",
    ),
    Item(
        "benchmark",
        "srprs",
        "SRPRS, alignment",
        "Guo et al. 2019, ICML",
        "core.corpora.benchmarks.alignment:read_srprs",
    ),
    Item(
        "benchmark",
        "kbp37",
        "KBP37, relations",
        "Zhang and Wang 2015",
        "core.corpora.benchmarks.relation_sentences:read_kbp37",
    ),
    Item(
        "benchmark",
        "relx",
        "RELX, relations",
        "Köksal and Özgür 2020",
        "core.corpora.benchmarks.relation_sentences:read_relx",
    ),
    Item(
        "benchmark",
        "relx-distant",
        "RELX-Distant, relations",
        "Köksal and Özgür 2020",
        "core.corpora.benchmarks.relation_sentences:read_relx_distant",
    ),
    Item(
        "benchmark",
        "wikiann",
        "WikiAnn, named entities",
        "Pan et al. 2017, ACL",
        "core.corpora.benchmarks.wikiann:read",
    ),
    Item(
        "benchmark",
        "squad",
        "SQuAD v1.1, questions",
        "Rajpurkar et al. 2016, EMNLP",
        "core.corpora.benchmarks.squad:read_squad",
    ),
    Item(
        "benchmark", "xquad", "XQuAD, questions", "Artetxe et al. 2020, ACL", "core.corpora.benchmarks.squad:read_xquad"
    ),
    Item("benchmark", "own", "Own data", "TSV, JSON lines or SQuAD's JSON", "core.corpora.benchmarks.own:read"),
    Item(
        "sampler", "ep", "Adapter-EP: entity alignment, phrases", "section 4, L_EP", "core.corpora.sampler:EntityPairs"
    ),
    Item("sampler", "tp", "Adapter-TP: triples, phrases", "section 4, L_TP", "core.corpora.sampler:TriplePairs"),
    Item(
        "sampler",
        "es",
        "Adapter-ES: entity alignment, sentences",
        "section 4, L_ES",
        "core.corpora.sampler:MentionPairs",
    ),
    Item(
        "sampler", "ts", "Adapter-TS: triples, sentences", "section 4, L_TS", "core.corpora.sampler:TripleSentencePairs"
    ),
    Item(
        "task", "kg_completion", "Knowledge-graph completion", "section 5.2.1", "core.tasks.kg_completion:KGCompletion"
    ),
    Item(
        "task", "entity_alignment", "Entity alignment", "section 5.2.2", "core.tasks.entity_alignment:EntityAlignment"
    ),
    Item(
        "task",
        "relation_classification",
        "Relation classification",
        "section 5.3",
        "core.tasks.relation_classification:RelationClassification",
    ),
    Item("task", "ner", "Named entity recognition", "section 5.3", "core.tasks.ner:NER"),
    Item(
        "task",
        "question_answering",
        "Question answering",
        "section 5.3",
        "core.tasks.question_answering:QuestionAnswering",
    ),
    Item("outcome", "kg_completion", "Ranks", "section 5.2.1", "core.evaluation.outcomes:LanguageRanks"),
    Item("outcome", "entity_alignment", "Ranks", "section 5.2.2", "core.evaluation.outcomes:LanguageRanks"),
    Item(
        "outcome",
        "relation_classification",
        "Predicted relations",
        "Köksal and Özgür 2020",
        "core.evaluation.relations:PredictedRelations",
    ),
    Item("outcome", "ner", "Predicted spans", "Tjong Kim Sang 2002", "core.evaluation.spans:PredictedSpans"),
    Item(
        "outcome",
        "question_answering",
        "Predicted answers",
        "Rajpurkar et al. 2016",
        "core.evaluation.answers:PredictedAnswers",
    ),
)


def item(kind: str, key: str) -> Item:
    """The row of a component.

    Raises:
        KeyError: If there is none; the message lists the keys of the kind.
    """
    for row in ITEMS:
        if (row.kind, row.key) == (kind, key):
            return row
    known = ", ".join(row.key for row in of_kind(kind))
    raise KeyError(f"There is no {kind} called {key!r}. There are: {known}.")


def of_kind(kind: str) -> list[Item]:
    """The rows of a kind, in the order of the table."""
    return [row for row in ITEMS if row.kind == kind]


def resolve(kind: str, key: str) -> Any:
    """The object of a component, imported on first use."""
    module, name = item(kind, key).target.split(":")
    return getattr(import_module(module), name)
