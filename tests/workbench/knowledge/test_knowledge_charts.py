"""Answers as tables and figures, from frames made by hand."""

import pandas as pd
import pytest

from workbench.knowledge.charts import agreement, answer_table, ordered, rank_dots

TOP = pd.DataFrame(
    [
        ("de", "+EP", 1, "Wien", "Q1", 0.9, True),
        ("de", "+EP", 2, "<b>Bern", "Q2", 0.8, False),
        ("de", "backbone", 1, "Rom", "Q3", 0.7, False),
        ("de", "backbone", 2, "Wien", "Q1", 0.6, True),
        ("ar", "+EP", 1, "فيينا", "Q1", 0.5, True),
        ("ar", "backbone", 1, "فيينا", "Q1", 0.4, True),
    ],
    columns=["language", "system", "place", "answer", "entity", "cosine", "gold"],
)
GOLD = pd.DataFrame(
    [
        ("de", "+EP", "Wien", "Q1", 1.0, 0.9, 300),
        ("de", "backbone", "Wien", "Q1", 2.5, 0.6, 300),
        ("ar", "backbone", "فيينا", "Q1", float("nan"), float("nan"), 300),
        ("ar", "+EP", "فيينا", "Q1", 240.0, 0.1, 300),
    ],
    columns=["language", "system", "answer", "entity", "rank", "cosine", "candidates"],
)


def test_systems_stand_in_the_order_of_the_paper() -> None:
    assert ordered(TOP.system) == ["backbone", "+EP"]


def test_the_table_marks_known_answers_and_escapes_texts() -> None:
    html = answer_table(TOP, "de")
    assert html.count('class="gold"') == html.count("✓") == 2
    assert "&lt;b&gt;Bern" in html
    assert "<b>" not in html
    assert html.index(">Rom<") < html.index(">Wien<")  # the backbone's column is the first
    assert "0.900 · 2 of 2" in html
    assert "0.800 · 1 of 2" in html
    assert "فيينا" not in html
    assert 'dir="auto" lang="ar">فيينا' in answer_table(TOP, "ar")


def test_agreement() -> None:
    assert agreement(TOP, "de") == (
        "1 of 2 systems agree on the first answer; two of them share 50 % of their first 2 on average."
    )
    assert agreement(TOP, "ar").startswith("2 of 2 systems agree on the first answer; two of them share 100 %")
    assert agreement(TOP[TOP.system == "+EP"], "de") == ""


def test_every_known_answer_is_a_dot_by_language_and_system() -> None:
    figure = rank_dots(GOLD)
    assert {trace.name: list(trace.x) for trace in figure.data} == {"backbone": [2.5], "+EP": [1.0, 240.0]}
    assert list(figure.layout.yaxis.ticktext) == ["German (de)", "Arabic (ar)"]
    assert [round(y) for y in figure.data[1].y] == [0, 1]
    assert figure.data[0].y[0] == pytest.approx(-0.2)
    assert figure.layout.xaxis.type == "log"
    assert list(figure.layout.xaxis.tickvals) == [1, 2, 5, 10, 20, 50, 100, 200]
    assert figure.layout.xaxis.range[1] > 2.38  # log10 of 240
    assert not rank_dots(GOLD[GOLD["rank"].isna()]).data
