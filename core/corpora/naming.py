"""What may explain a score of a language without any model: how many labels it has, and how many are the English string."""

from typing import Any

import pandas as pd

from core.corpora.benchmarks.store import BenchmarkData
from core.corpora.query import CorpusQuery
from core.corpora.records import SPLITS
from core.corpora.store import Corpus

COLUMNS = ("language", "names", "identical")
_TEST = SPLITS.index("test")


def label_counts(corpus: Corpus) -> pd.DataFrame:
    """Labels of entities by language: columns language, labels, languages in order of their code.

    Raises:
        CorpusError: If a file of the corpus is damaged.
    """
    with CorpusQuery.of(corpus) as query:
        rows = query.rows("SELECT language, count(*) FROM labels GROUP BY language ORDER BY language")
    return pd.DataFrame(rows, columns=["language", "labels"])


def shared_in_corpus(corpus: Corpus) -> pd.DataFrame:
    """Labels of the test entities that are the same string as the English one, by language.

    Returns:
        Columns `COLUMNS`: `names` counts test entities with a label in the language and in English, `identical` is the
        share of those whose two labels are equal, in percent. English itself is left out.

    Raises:
        CorpusError: If a file of the corpus is damaged.
    """
    with CorpusQuery.of(corpus) as query:
        rows = query.rows(
            "SELECT here.language, count(*), 100.0 * avg((here.text = english.text)::INT) FROM labels here "
            "JOIN labels english ON here.entity = english.entity AND english.language = 'en' "
            f"JOIN entities ON here.entity = entities.row AND entities.split = {_TEST} "
            "WHERE here.language <> 'en' GROUP BY here.language ORDER BY here.language"
        )
    return _frame(rows)


def shared_in_benchmark(data: BenchmarkData) -> pd.DataFrame:
    """Names asked in the test split of a graph benchmark that are the same string as the English name of the entity.

    Which names are of one entity is told by the benchmark's pairs with English on either side. Alignment counts its test
    pairs; completion the right answers of its test triples that are in a pair.

    Returns:
        Columns `COLUMNS`.

    Raises:
        ValueError: If the benchmark is no graph, or no name that it asks for is in a pair with English.
    """
    if "pairs" not in data.info.counts:
        raise ValueError(f"{data.info.name} is no graph: its examples are texts, not names.")
    names = data.table("entities")["name"].to_pandas().to_numpy()
    pairs = data.table("pairs").to_pandas()
    turned = {"source": "target", "target": "source"}
    turned |= {f"{one}_language": f"{other}_language" for one, other in turned.items()}
    both = pd.concat([pairs, pairs.rename(columns=turned)], ignore_index=True)
    asked = both[(both.source_language == "en") & (both.target_language != "en")]
    if data.info.task == "entity_alignment":
        asked = asked[asked.split == "test"]
    else:
        triples = data.table("triples").to_pandas()
        answers = triples.object[triples.split == "test"].unique()
        asked = asked[asked.target.isin(answers)]
    if asked.empty:
        raise ValueError(f"{data.info.name} pairs no name that it asks for with an English one.")
    same = pd.Series(names[asked.source] == names[asked.target]).groupby(asked.target_language.to_numpy())
    return _frame(list(zip(same.groups, same.size(), 100 * same.mean(), strict=True)))


def _frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"names": int, "identical": float})
