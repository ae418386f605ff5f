"""LaTeX tables, worked by hand."""

import re

import pandas as pd
import pytest

from workbench.publishing import latex


def body(text: str) -> list[str]:
    lines = text.splitlines()
    return lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]


def test_a_table_by_hand():
    frame = pd.DataFrame(
        {"system": ["back_bone", "+Fusion"], "gain": [None, -0.5], "Hit@1": [91.234, 8.0], "n": [3, 40]}
    )
    frame["gain"] = [0.5, -12.0]
    assert latex.from_frame(frame, caption="A & B", label="x") == "\n".join(
        [
            "% needs booktabs",
            r"\begin{table*}",
            r"\centering",
            r"\footnotesize\setlength{\tabcolsep}{3pt}",
            r"\caption{A \& B}\label{tab:x}",
            r"\begin{tabular}{lrrr}",
            r"\toprule",
            r"system & gain & Hit@1 & n \\",
            r"\midrule",
            r"back\_bone & $+0.5$ & 91.2 & 3 \\",
            r"+Fusion & $-12.0$ & 8.0 & 40 \\",
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table*}",
            "",
        ]
    )


def test_levels_of_columns_are_headings_over_groups():
    columns = pd.MultiIndex.from_tuples([("", "system"), ("ner", "Sup"), ("ner", "ZS"), ("kgc", "Sup")])
    frame = pd.DataFrame([["a", 1.0, 2.0, 3.0], ["b", 3.0, 2.0, 1.0]], columns=columns)
    lines = latex.from_frame(frame, caption="", label="x").splitlines()
    assert r" & \multicolumn{2}{c}{ner} & \multicolumn{1}{c}{kgc} \\" in lines
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-4}" in lines
    assert r"system & Sup & ZS & Sup \\" in lines


@pytest.mark.parametrize(
    ("best", "expected"),
    [
        (
            "column",
            [r"a & \underline{1.00} & \textbf{5.00} \\", r"b & \textbf{3.00} & \textbf{5.00} \\", r"c & 0.50 & -- \\"],
        ),
        (
            "row",
            [
                r"a & \underline{1.00} & \textbf{5.00} \\",
                r"b & \underline{3.00} & \textbf{5.00} \\",
                r"c & \textbf{0.50} & -- \\",
            ],
        ),
        (None, [r"a & 1.00 & 5.00 \\", r"b & 3.00 & 5.00 \\", r"c & 0.50 & -- \\"]),
    ],
)
def test_the_best_is_bold_and_the_second_underlined(best, expected):
    frame = pd.DataFrame({"system": list("abc"), "x": [1.0, 3.0, 0.5], "y": [5.0, 5.0, None]})
    assert body(latex.from_frame(frame, caption="", label="x", best=best)) == expected


def test_what_is_the_same_in_every_row_goes_into_the_caption_and_empty_columns_go():
    frame = pd.DataFrame({"task": "ner", "run": "r1", "language": ["de", "fr"], "sd": [None, None], "p": [0.0123, 0.5]})
    text = latex.from_frame(frame, caption="Values", label="x")
    assert r"\caption{Values. task: ner.}" in text
    assert body(text) == [r"de & 0.012 \\", r"fr & 0.500 \\"]


def test_a_named_index_is_a_column_and_long_tables_break_over_pages():
    frame = pd.DataFrame({"value": [float(i) for i in range(latex.ROWS_ON_A_PAGE + 1)]})
    frame.index = pd.Index([f"l{i}" for i in range(len(frame))], name="language")
    text = latex.from_frame(frame, caption="", label="x")
    assert r"\begin{longtable}{lr}" in text
    assert r"language & value \\" in text
    assert text.count(r"\toprule") == 2
    assert r"\begin{tabular}" in latex.from_frame(frame[:-1], caption="", label="x")


def test_other_scripts_are_named():
    frame = pd.DataFrame({"label": ["Berlin", "برلين"], "n": [1, 2]})
    (comment, *_) = latex.from_frame(frame, caption="", label="x").splitlines()
    assert "XeLaTeX or LuaLaTeX" in comment
    assert latex.escape("a_b & 50% {x} \n ~") == r"a\_b \& 50\% \{x\}   \textasciitilde{}"
    rows = body(
        latex.from_frame(pd.DataFrame({"text": ["a & b \\\\ c", "$x$ % y"], "n": [1, 2]}), caption="", label="x")
    )
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 1]
