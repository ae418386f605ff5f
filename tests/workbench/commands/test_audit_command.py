"""`workbench audit` on the paper against `checks.csv`, on the shipped run and a spoilt copy of it, on CSV files."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from core.evaluation.audit import Finding, audit
from core.reference.tables import load
from core.runs.store import RunDir, cached_root, list_runs, runs_root
from workbench.cli import app
from workbench.commands.audited import half_unit, paper_rows

HEADER = "model,language_or_group,metric,value\n"
NEED_OTHER_DATA = ("paper vs upstream log", "test size: Table 9 vs released DBP-5L test file")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture
def table(tmp_path: Path):
    """Writes a CSV file."""

    def write(text: str) -> Path:
        file = tmp_path / "table.csv"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def run() -> RunDir:
    """A live copy of a shipped run."""
    shipped = next(run for run in list_runs([cached_root()]) if run.results_file.is_file())
    shutil.copytree(shipped.path, runs_root() / shipped.name)
    copy = RunDir.open(shipped.name)
    assert not copy.cached
    return copy


def errors_of(check: str) -> list[Finding]:
    return [f for f in audit(paper_rows()).findings if f.check == check and f.severity == "error"]


def test_the_papers_orders_are_those_of_the_checks() -> None:
    checks = load("checks")
    known = checks[checks.check == "printed Hit@1 > MRR"]
    expected = {
        (r.where, r.model, r.language_or_group, r.metric, float(r.printed), float(r.other)) for r in known.itertuples()
    }
    found = {
        (f.table, f.model, f.language, f.metric, *map(float, f.found.split(" > "))) for f in errors_of("mrr-below-hits")
    }
    assert found == expected
    assert len(found) == len(errors_of("mrr-below-hits"))
    tables = [where for where, *_ in found]
    assert (tables.count("table10"), tables.count("table3"), len(tables)) == (67, 10, 77)


def test_the_papers_groups_are_those_of_the_checks() -> None:
    checks = load("checks")
    known = checks[checks.check == "group average"]
    expected = {
        (r.where.split(" vs ")[0], r.model, r.language_or_group, r.metric, f"{r.printed:g}, not {r.other:g}")
        for r in known.itertuples()
    }
    assert len(expected) == 4
    # The fifth is the same number in the average row of Table 13 itself (README of the reference values).
    expected.add(("table13", "mBERT-MLKG", "average", "F1", "62.2, not 64"))
    found = {(f.table, f.model, f.language, f.metric, f.found.split(" (")[0]) for f in errors_of("group-mean")}
    assert found == expected


def test_the_paper_has_no_other_error_and_the_other_checks_need_other_data() -> None:
    result = audit(paper_rows())
    assert result.errors == 77 + 5
    assert {(f.check, f.table) for f in result.findings if f.severity == "warning"} == {
        ("protocol-not-named", f"table{number}") for number in (2, 3, 9, 10)
    }
    # 148 group values by the README of the reference values, and Table 7's averages over XQuAD
    assert result.compared["group-mean"] == 148 + 4
    assert result.compared["mrr-below-hits"] == 20 + 20 + 136 + 130
    assert result.compared["em-above-f1"] > 50
    others = set(load("checks").check) - {"printed Hit@1 > MRR", "group average"}
    assert {name for name in others if not name.startswith(NEED_OTHER_DATA)} == set()


def test_paper() -> None:
    done = call("--paper")
    assert done.exit_code == 1
    for words in ("XLMRlarge-AFusion", "15.6, not 15.86", "MRR is never below Hit@1", "Errors: 82. Warnings: 4."):
        assert words in done.output
    assert "0 of these would remain" in done.output  # under `released`, where Hit@1 is Hit@2
    said = json.loads(call("--paper", "--json").stdout)
    assert (said["audited"], said["errors"], said["warnings"], len(said["findings"])) == ("paper", 82, 4, 86)
    assert {"check", "severity", "table", "model", "language", "metric", "found", "reason"} <= set(said["findings"][0])


def test_a_run_is_clean(run: RunDir) -> None:
    done = call(run.name, "--json")
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    results = run.results()
    assert said["findings"] == []
    assert said["compared"]["out-of-range"] == len(results) > 1000
    assert said["compared"]["group-mean"] == results.language.isna().sum() > 100
    assert "Under `released` Hit@k counts ranks up to k + 1" in said["verdict"]


def test_a_run_whose_released_hits_are_called_strict_is_not(run: RunDir) -> None:
    results = run.results()
    released = results[results.protocol == "released"]
    run.write_results(released.assign(protocol="strict"))
    pairs = released.pivot_table(
        index=["task", "system", "mode", "group", "language"], columns="metric", values="value"
    )
    impossible = (pairs["Hit@1"] > pairs["MRR"] + 1e-6).sum()  # rows of languages; pivoting drops those of groups
    assert impossible > 0
    done = call(run.name, "--json")
    findings = json.loads(done.stdout)["findings"]
    languages = set(released.language.dropna())
    of_hit1 = [f for f in findings if f["metric"] == "Hit@1 vs MRR" and f["language"] in languages]
    assert done.exit_code == 1
    assert len(of_hit1) == impossible


def test_a_run_with_a_wrong_group(run: RunDir) -> None:
    results = run.results()
    place = results.index[results.language.isna() & (results.metric == "MRR")][0]
    results.loc[place, "value"] += 0.01
    run.write_results(results)
    (finding,) = json.loads(call(run.name, "--json").stdout)["findings"]
    assert (finding["check"], finding["severity"]) == ("group-mean", "error")
    assert finding["language"] == results.loc[place, "group"]


def test_a_csv_of_ones_own(table) -> None:
    file = table(
        "system,language_or_group,group,metric,value,task,protocol\n"
        "ours,de,Near,Hits@1,40.2,EA,strict\nours,de,Near,MRR,39.1,EA,strict\n"
        "ours,fr,Near,Hits@1,50.2,EA,strict\nours,fr,Near,MRR,60,EA,strict\n"
        "ours,Near,,Hits@1,45.2,EA,strict\nours,average,,MRR,52.0,EA,strict\n"
        "theirs,de,Near,Hits@1,–,EA,strict\ntheirs,de,Near,MRR,,EA,strict\n"
    )
    done = call(file, "--json")
    said = json.loads(done.stdout)
    assert done.exit_code == 1
    found = [(f["check"], f["table"], f["model"], f["language"], f["metric"]) for f in said["findings"]]
    assert found == [
        ("mrr-below-hits", "table.csv", "ours", "de", "Hit@1 vs MRR"),
        ("group-mean", "table.csv", "ours", "average", "MRR"),  # 49.55
    ]
    assert said["compared"]["group-mean"] == 2
    shown = call(file)
    assert "40.2 > 39.1" in shown.output
    assert "cannot be true" in shown.output


def test_a_csv_of_the_tables_command_and_of_the_reference(table, run: RunDir) -> None:
    printed = CliRunner().invoke(app, ["tables", run.name, "--csv"]).stdout
    said = json.loads(call(table(printed), "--json").stdout)
    assert (said["findings"], said["compared"]["out-of-range"]) == ([], len(run.results()))
    assert said["compared"]["group-mean"] == run.results().language.isna().sum()
    said = json.loads(call(table(load("table10").to_csv(index=False)), "--json").stdout)
    assert said["errors"] == 67
    said = json.loads(call(table(load("table6").to_csv(index=False)), "--json").stdout)
    assert (said["errors"], said["groups_without_rows"]) == (0, 24)  # `Ave.` is no mean of Sup. and ZS-In


def test_a_csv_in_which_nothing_can_be_compared(table) -> None:
    done = call(table(HEADER + "m[/red],de,F1,61.2\n"))
    assert done.exit_code == 0
    assert "says little" in done.output
    done = call(table(HEADER + "m[/red],de,F1,161.2\n"))  # a name that looks like markup
    assert done.exit_code == 1
    assert "m[/red]" in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: no column language_or_group or language, no column metric, no column model or system"),
        ("model,language,metric,score\n", "line 1: unknown column(s) 'score'. There are: table, task"),
        ("model,language,metric\n", "line 1: no column value. It has: model, language, metric."),
        ("model,model,language,metric,value\n", "line 1: column(s) model stand twice"),
        (HEADER, "line 1: nothing below the header"),
        (HEADER + "m,de,F1,61.2\n\nm,fr,F1,61,2\n", "line 4: 5 fields, but 4 columns"),
        (HEADER + "m,de,F1,61.2\nm,fr,F1,high\n", "line 3: value 'high' is no number"),
        (HEADER + "m,de,F1,inf\n", "line 2: value 'inf' is no number"),
        (HEADER + ",de,F1,61.2\n", "line 2: model or system is empty"),
        (HEADER + "m,de,,61.2\n", "line 2: metric is empty"),
    ],
)
def test_a_wrong_csv(table, text: str, words: str) -> None:
    done = call(table(text))
    assert isinstance(done.exception, ValueError)
    assert words in str(done.exception)
    assert "table.csv, line" in str(done.exception)


def test_refusals(tmp_path: Path) -> None:
    for arguments in ([], ["--paper", "some-run"]):
        assert "Name one thing to audit" in str(call(*arguments).exception)
    assert "There is no run 'some-run'" in str(call("some-run").exception)
    assert isinstance(call(tmp_path / "none.csv").exception, OSError)
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + "m,fran\u00e7ais,F1,61.2\n".encode("latin-1"))
    assert "is no UTF-8 text" in str(call(tmp_path / "latin.csv").exception)


def test_half_a_unit_of_what_is_printed() -> None:
    assert half_unit(["83", "82.5"]) == pytest.approx(0.05)
    assert half_unit(["83", ""]) == 0.5
    assert half_unit([".512", "1e-4"]) == pytest.approx(0.00005)
    assert (paper_rows().rounding == 0.05).all()


def test_help() -> None:
    done = call("--help")
    assert "workbench audit --paper" in done.output
    for column in ("language_or_group", "metric", "value", "protocol"):
        assert column in done.output


def test_every_row_of_the_papers_tables_is_there() -> None:
    frame = paper_rows()
    assert len(frame) == sum(len(load(f"table{number}")) for number in range(2, 14))
    languages = frame[~frame.is_group & (frame.group != "")].drop_duplicates(["table", "language"])
    counts = languages.groupby(["table", "group"]).size()
    # Section 6 of the protocol: KGC 5 + 15 + 2 languages, EA 2 + 18 + 2, RELX 1 + 4, WikiAnn 1 + 39, XQuAD 1 + 10
    assert {t: sorted(part.tolist()) for t, part in counts.groupby("table")} == {
        **{"table9": [2, 5, 15], "table10": [2, 2, 18]},
        **{"table11": [1, 4], "table12": [1, 39], "table13": [1, 10]},
    }
    of_table9 = languages[languages.table == "table9"]
    supervised = set(of_table9.language[of_table9.group == "Sup."])
    assert supervised == {"el", "en", "es", "fr", "ja"}  # DBP-5L
