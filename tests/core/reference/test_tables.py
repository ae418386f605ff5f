"""The reference tables: as many rows as their README says, and a corpus beside Tables 1 and 8."""

from pathlib import Path

import pandas as pd
import pytest

from core.languages import PAPER_LANGUAGES
from core.reference import tables

# Rows as measured when the tables were typed and parsed (README of the reference values).
ROWS = [7, 48, 48, 21, 12, 24, 36, 252, 352, 352, 36, 160, 96]
OTHERS = {"table8_language_coverage": 84, "upstream_results": 2951, "figure5_points_from_logs": 165, "checks": 183}


def test_row_counts() -> None:
    expected = {f"table{i}": rows for i, rows in enumerate(ROWS, 1)} | OTHERS
    assert set(expected) == set(tables.NAMES)
    assert {name: len(tables.load(name)) for name in tables.NAMES} == expected


def test_every_file_is_loaded_and_explained() -> None:
    folder = Path(tables.__file__).parent
    assert {file.stem for file in folder.glob("*.csv")} == set(tables.NAMES)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for name in OTHERS:
        assert f"`{name}.csv`" in readme
    for name, rows in OTHERS.items():
        line = next(line for line in readme.splitlines() if line.startswith(f"| `{name}.csv`"))
        assert line.rstrip(" |").endswith(f"{rows:,}")
    assert ", ".join(map(str, ROWS)) in readme


def test_an_unknown_table() -> None:
    with pytest.raises(KeyError, match=r"no reference table 'table14'.*table13"):
        tables.load("table14")


def test_coverage_agrees_with_table8() -> None:
    coverage = tables.load("table8_language_coverage").set_index("iso")
    printed = tables.load("table8").pivot_table(index="language_or_group", columns="metric", values="value")
    assert len(coverage) == len(printed) == 84
    for column, metric in (("entity_pct", "Entity"), ("relation_pct", "Relation"), ("triple_pct", "Triple")):
        (wanted,) = [name for name in printed.columns if name.startswith(metric)]
        assert coverage[column].fillna(-1).equals(printed[wanted].reindex(coverage.index).fillna(-1).rename(column))
    assert coverage.index[coverage.relation_pct.isna()].tolist() == ["no"]  # the paper prints a dash
    assert set(coverage.index) == set(PAPER_LANGUAGES)
    # "Align." are labels: the shares of Table 8 sum to 4,091 %, times 1.55M entities = 63.4M, and 63.25M is printed.
    assert coverage.entity_pct.sum() == pytest.approx(4091, abs=0.5)


def test_beside_table1() -> None:
    totals = dict.fromkeys(
        ["entities", "labels", "label_pairs", "triples", "relations", "mention_entities", "mention_sentences"], 5
    ) | {"triple_sentences": 7}
    frame = tables.beside_table1(totals).set_index("quantity")
    assert frame.corpus.to_dict() == totals
    assert frame.loc["labels", "paper"] == 63_250_000
    assert frame.loc["labels", "name"] == "Align."
    assert frame.loc["mention_entities", ["paper", "adapter"]].tolist() == [200_000, "Adapter-ES"]
    assert frame.loc["relations", "paper"] == 1422
    assert frame.loc["triple_sentences", "paper"] == 970_000
    assert frame.paper.isna().tolist() == [name == "label_pairs" for name in totals if name in frame.index]
    assert frame.paper.notna().sum() == len(tables.load("table1"))


def test_beside_table8() -> None:
    languages = pd.DataFrame(
        {"language": ["de", "fo"], "entities": [3, 1], "entity_share": [0.75, 0.25], "triples": [4, 0]}
    )
    frame = tables.beside_table8(languages).set_index("language")
    assert len(frame) == 85
    assert frame.loc["de", ["entities", "paper_entity_share"]].tolist() == [3, pytest.approx(0.985)]
    assert frame.loc["fo", ["entities", "entity_share"]].tolist() == [1, 0.25]
    assert pd.isna(frame.loc["fo", "paper_entity_share"])
    assert frame.loc["ast", ["entities", "entity_share", "triples"]].tolist() == [0, 0, 0]
    assert frame.loc["ast", ["paper_entity_share", "paper_relation_share", "paper_triple_share"]].tolist() == (
        pytest.approx([0.842, 0.283, 0.713])
    )
    assert frame.entities.dtype == frame.triples.dtype == "int64"
