"""The paper's printed numbers and the authors' logs as frames; `README.md` beside this file says what the columns are."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

_FOLDER = Path(__file__).parent
NAMES: tuple[str, ...] = (
    *(f"table{number}" for number in range(1, 14)),
    *("table8_language_coverage", "upstream_results", "figure5_points_from_logs", "checks"),
)
_COUNTED = (  # what a corpus counts; adapter and name in Table 1, empty where the paper prints nothing
    ("entities", "Adapter-EP", "Entity"),
    ("labels", "Adapter-EP", "Align."),  # "alignments", but the number is that of labels: see README.md
    ("label_pairs", "", ""),
    ("triples", "Adapter-TP", "Triple"),
    ("relations", "Adapter-TP", "Relat."),
    ("mention_entities", "Adapter-ES", "Entity"),
    ("mention_sentences", "Adapter-ES", "Sent."),
    ("triple_sentences", "Adapter-TS", "Triple-Sent. Pair"),
)


def load(name: str) -> pd.DataFrame:
    """One of `NAMES`.

    Raises:
        KeyError: If there is no such table; the message lists them.
    """
    if name not in NAMES:
        raise KeyError(f"There is no reference table {name!r}. There are: {', '.join(NAMES)}.")
    return pd.read_csv(_FOLDER / f"{name}.csv", encoding="utf-8")


def beside_table1(totals: Mapping[str, int]) -> pd.DataFrame:
    """A corpus beside Table 1.

    Args:
        totals: Counts of the corpus, as `core.corpora.statistics` makes them.

    Returns:
        Columns `quantity`, `corpus`, `paper` (NaN where the paper prints nothing), `adapter` and `name` (the cell).
    """
    table = load("table1").set_index(["system", "metric"])["value"]
    rows = [
        (quantity, totals[quantity], table.get((adapter, name), float("nan")), adapter, name)
        for quantity, adapter, name in _COUNTED
    ]
    return pd.DataFrame(rows, columns=["quantity", "corpus", "paper", "adapter", "name"])


def beside_table8(languages: pd.DataFrame) -> pd.DataFrame:
    """A corpus by language beside Table 8.

    Args:
        languages: One language a row, as `core.corpora.statistics` makes it.

    Returns:
        The same with `paper_entity_share`, `paper_relation_share` and `paper_triple_share` (0 to 1, NaN where Table 8
        lacks the language), and the languages that only Table 8 has, with counts of 0.
    """
    paper = load("table8_language_coverage").set_index("iso")[["entity_pct", "relation_pct", "triple_pct"]] / 100
    paper.columns = pd.Index(["paper_entity_share", "paper_relation_share", "paper_triple_share"])
    paper = paper.rename_axis("language")
    both = languages.merge(paper.reset_index(), on="language", how="outer")
    counts = [column for column in languages.columns if column != "language"]
    return both.fillna(dict.fromkeys(counts, 0)).astype(languages.dtypes.to_dict())
