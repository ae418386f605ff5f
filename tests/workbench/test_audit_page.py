"""The audit page through Streamlit's own test driver."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.audit import audit
from tests.workbench.shown import figures, numbers, said, table
from tests.workbench.test_pages import app
from workbench.commands.audited import csv_rows, paper_rows
from workbench.publishing import files, stamps

IMPOSSIBLE = b"model,language,metric,value\nours,de,Hit@1,50.0\nours,de,MRR,40.0\n"


@pytest.fixture(autouse=True)
def _no_shipped_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("core.runs.store.cached_root", lambda: tmp_path / "cached")


def upload(data: bytes, name: str = "mine.csv") -> AppTest:
    at = app("audit", source="file")
    at.file_uploader(key="table").upload(name, data, "text/csv").run()
    assert not at.exception
    return at


def test_the_paper_is_there_without_runs_and_says_what_is_impossible():
    at = app("audit", source="paper")
    expected, shown = audit(paper_rows()), table(at, "reason")
    assert shown.found.tolist() == [finding.found for finding in expected.findings]
    assert len(shown) > 50
    assert f"Errors: {expected.errors}." in said(at)
    counted = table(at, "compared").set_index("check")
    assert counted.errors.sum() == expected.errors
    check = counted.index[counted.errors > 0][-1]
    at.pills(key="checks").set_value([check]).run()
    shown = table(at, "reason")
    assert set(shown.check) == {check}
    assert len(shown) == counted.errors[check] + counted.warnings[check] < len(expected.findings)


def test_a_run_without_findings_says_so(finished_run):
    at = app("audit")
    assert finished_run.name in said(at)
    assert "Nothing found" in said(at)
    assert table(at, "compared").compared.sum() > 100


def test_a_spoilt_run_is_found_out(finished_run):
    rows = finished_run.results()
    (place,) = rows.index[(rows.protocol == "strict") & (rows.metric == "MRR") & rows.language.notna()][:1]
    rows.loc[place, "value"] = 120.0
    finished_run.write_results(rows)
    shown = table(app("audit"), "reason")
    assert "out-of-range" in set(shown.check)
    assert "120" in set(shown.found)


def test_checkpoints_of_a_run(finished_run):
    rows = finished_run.results().query("protocol in ['strict', 'strict-raw', 'released']")
    plain = rows[(rows.protocol == "strict") & (rows["mode"] == "fine-tuned")]
    more = [plain.assign(protocol=p, value=plain.value + plus) for p, plus in (("last", -2.5), ("best-test", 4.25))]
    finished_run.write_results(pd.concat([rows, *more], ignore_index=True))
    at = app("audit", by="language")
    shown = table(at, "last_gap")
    assert len(shown) > 5
    assert shown.last_gap.tolist() == pytest.approx([-2.5] * len(shown))
    assert shown.best_test_gap.tolist() == pytest.approx([4.25] * len(shown))
    assert shown.language.notna().all()
    assert "up to 2.5 points away" in said(at)
    assert "adds up to 4.2" in said(at)
    dots = {trace["name"]: numbers(trace["x"]) for trace in figures(at)[0] if trace["mode"] == "markers"}
    reported, last = dots["reported"], dots["after the last step"]
    assert [a - b for a, b in zip(reported, last, strict=True)] == pytest.approx([2.5] * len(reported))


def test_a_run_with_one_set_of_weights_says_so(finished_run):
    rows = finished_run.results()
    finished_run.write_results(rows[~rows.protocol.isin(["last", "best-test"])])
    at = app("audit")
    assert "measured only the weights that it reports" in said(at)


def test_an_uploaded_table():
    shown = table(upload(IMPOSSIBLE), "reason")
    assert shown.check.tolist() == ["mrr-below-hits", "protocol-not-named"]
    assert shown.found[0] == "50 > 40"
    good = upload(b"model,language,metric,value,protocol\nours,de,Hit@1,50.0,strict\nours,de,MRR,60.0,strict\n")
    assert "Nothing found" in said(good)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "mine.csv, line 1: no column"),
        (b"colour,value\nred,1\n", "mine.csv, line 1: unknown column(s) 'colour'."),
        (IMPOSSIBLE + b"ours,fr,MRR,many\n", "mine.csv, line 4: value 'many' is no number"),
        (IMPOSSIBLE + b"ours,fr\n", "mine.csv, line 4: 2 fields, but 4 columns."),
        (b"\xff\xfe\x00m", "mine.csv is no UTF-8 text"),
        (b'model,language,metric,value\n"' + b"x" * 140_000 + b'",de,MRR,1\n', "mine.csv is no CSV: field larger"),
    ],
)
def test_a_file_that_is_no_table_is_a_sentence(data, message):
    at = upload(data)
    assert "cannot be read as a table of results" in said(at)
    assert message in said(at)


def test_what_the_app_writes_can_be_audited(finished_run):
    rows = finished_run.results()
    rows.insert(0, "run", finished_run.name)
    stamp = stamps.stamp([finished_run], ["workbench", "tables"])
    found = csv_rows(files.written(files.FORMATS["CSV"], stamp, table=rows), "mine.csv")
    assert len(found) == len(rows)
    with pytest.raises(ValueError, match=r"mine\.csv, line 2: unknown column"):
        csv_rows(b"# run x\ncolour\nred\n", "mine.csv")
