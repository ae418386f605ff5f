"""Every row of the catalog leads to an object, and every name that a config allows has a row."""

from typing import get_args

import pytest

from core import catalog
from core.config import ADAPTERS, Corpus
from core.corpora import sampler
from core.corpora.sources import cldr
from core.task_config import TaskName
from core.tasks.entity_alignment import EntityAlignment
from core.tasks.kg_completion import KGCompletion

EXPECTED = {
    ("corpus", "cldr"): cldr.cached,
    ("sampler", "ep"): sampler.EntityPairs,
    ("sampler", "tp"): sampler.TriplePairs,
    ("sampler", "es"): sampler.MentionPairs,
    ("sampler", "ts"): sampler.TripleSentencePairs,
    ("task", "kg_completion"): KGCompletion,
    ("task", "entity_alignment"): EntityAlignment,
}


def test_every_row_resolves() -> None:
    keys = [(row.kind, row.key) for row in catalog.ITEMS]
    assert len(keys) == len(set(keys)) >= len(EXPECTED)
    for row in catalog.ITEMS:
        assert callable(catalog.resolve(row.kind, row.key)), row
        assert row.title, row
        assert row.reference, row


@pytest.mark.parametrize(("kind", "key"), list(EXPECTED))
def test_rows_lead_where_they_should(kind: str, key: str) -> None:
    assert catalog.resolve(kind, key) is EXPECTED[kind, key]


def test_every_name_in_a_config_has_a_row() -> None:
    names = {
        "corpus": get_args(Corpus.model_fields["name"].annotation),
        "task": get_args(TaskName),
        "sampler": ADAPTERS[:4],
    }
    for kind, keys in names.items():
        assert keys
        assert [catalog.item(kind, key).key for key in keys] == list(keys)
    for task in get_args(TaskName):
        assert catalog.resolve("task", task).name == task


def test_an_unknown_key_lists_the_known_ones() -> None:
    with pytest.raises(KeyError) as caught:
        catalog.resolve("sampler", "xp")
    assert caught.value.args[0] == "There is no sampler called 'xp'. There are: ep, tp, es, ts."
    with pytest.raises(KeyError, match="There is no task called 'cldr'"):
        catalog.item("task", "cldr")
