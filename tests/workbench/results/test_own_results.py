"""A visitor's table of results: what is read, and what is said of the rest."""

import pandas as pd
import pytest

from workbench.results import own_table as own_results

BROKEN = """# a comment
model,language,metric,value
Mine,de,MRR,83.4
Mine,en->fr,MRR,71
Mine,ZS-In (18),MRR,60.5
Mine,it,MRR,
,es,MRR,1
Mine,ja,MRR,often
Mine,ko,MRR,101
Mine,ru,MRR
"""


def test_every_bad_row_is_named_and_the_good_ones_are_kept() -> None:
    found = own_results.read(BROKEN.encode())
    assert found.rows.language.tolist()[:2] == ["de", "fr"]
    assert found.rows.value.tolist() == [83.4, 71.0, 60.5]
    assert found.rows.group.tolist() == ["", "", "ZS-In"]
    assert found.rows.language.isna().tolist() == [False, False, True]
    assert found.problems.line.tolist() == [7, 8, 9, 10]
    told = " ".join(found.problems.problem)
    assert "system is empty" in told
    assert "'often' is no number" in told
    assert "'101' is no number from 0 to 100" in told
    assert "3 fields, but 4 columns" in told


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b"system,value\nMine,3\n", "no column language"),
        ("système".encode("latin-1"), "no UTF-8"),
        (b'system,language,value\n"Mine,de,3\n', "no CSV"),
    ],
)
def test_a_file_that_is_no_such_table_is_told_so(data: bytes, problem: str) -> None:
    found = own_results.read(data)
    assert found.rows.empty
    assert problem in found.problems.problem.iloc[0]


def test_what_the_command_line_prints_is_read() -> None:
    text = "run,task,dataset,system,mode,language,group,metric,protocol,value,low,high,n\n"
    text += (
        "r,ner,d,+EP,fine-tuned,de,ZS-In,F1,strict,50.0,49,51,9\nr,ner,d,+EP,fine-tuned,,Sup,F1,strict,60.0,59,61,9\n"
    )
    found = own_results.read(text.encode())
    assert found.problems.empty
    assert found.rows.language.tolist()[0] == "de"
    assert found.rows.group.tolist() == ["", "Sup"]


def test_the_example_is_read() -> None:
    found = own_results.read(own_results.EXAMPLE.encode())
    assert found.problems.empty
    assert found.rows.value.tolist() == [83.4, 71.0]


def test_ours_less_theirs_in_each_place_that_both_have() -> None:
    ours = pd.DataFrame({"language": ["de", "fr", None], "group": "Sup", "value": [5.0, 6.0, 7.0]})
    ours = ours.assign(mode="fine-tuned", system="+EP")
    theirs = own_results.read(b"model,language,metric,value\nM,de,F1,4\nM,Sup,F1,9\nM,de,EM,1\nM,ja,F1,3\n").rows
    both = own_results.beside(ours, theirs, "ner", "F1")
    assert both[["place", "value", "their_value", "delta"]].to_numpy().tolist() == [
        ["de", 5.0, 4.0, 1.0],
        ["Sup", 7.0, 9.0, -2.0],
    ]
