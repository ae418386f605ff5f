"""`workbench tables --paper N`: what is printed in each format, and that the LaTeX is well formed."""

import csv
import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from core.config import RunConfig
from core.reference.comparison import NUMBERS, compare
from core.runs import store
from core.runs.store import RunDir
from workbench.cli import app
from workbench.commands import paper_tables
from workbench.commands.paper_tables import latex, layout
from workbench.publishing.latex import escape

ROWS = {2: 48, 3: 48, 4: 21, 5: 12, 6: 24, 7: 36, 9: 352, 10: 352, 11: 36, 12: 160, 13: 96}
METRICS = {2: 2, 3: 2, 4: 1, 5: 1, 6: 2, 7: 4, 9: 2, 10: 2, 11: 1, 12: 1, 13: 2}


def our_rows(shift: float = 0.0) -> pd.DataFrame:
    """Completion in Greek and in the supervised group: strict 10, released 20, one more for fusion."""
    keys = ("task", "dataset", "system", "mode", "language", "group", "metric", "protocol", "value", "low", "high", "n")
    rows = [
        (
            "kg_completion",
            "cldr, 40 triples",
            system,
            "fine-tuned",
            language,
            "Sup",
            metric,
            protocol,
            value,
            0.0,
            99.0,
            40,
        )
        for system, more in (("backbone", 0), ("+Fusion", 1))
        for language in ("el", None)
        for metric in ("Hit@1", "MRR")
        for protocol, value in (("strict", 10.0 + more + shift), ("released", 20.0 + more + shift))
    ]
    return pd.DataFrame(rows, columns=list(keys))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of no runs, and no shipped ones."""
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path))
    monkeypatch.setattr(store, "cached_root", lambda: tmp_path / "none")
    return tmp_path


def add_run(root: Path, shift: float = 0.0, **fields: object) -> RunDir:
    run = RunDir.create(RunConfig(**fields), root)
    run.write_results(our_rows(shift))
    return run


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["tables", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def as_csv(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed(*arguments, "--csv"))))


def one(rows: list[dict], model: str, name: str, metric: str) -> dict:
    (found,) = [r for r in rows if (r["model"], r["language_or_group"], r["metric"]) == (model, name, metric)]
    return found


@pytest.mark.parametrize("number", NUMBERS)
def test_csv_and_json_have_every_cell(number: int, runs: Path) -> None:
    add_run(runs)
    rows, data = as_csv("--paper", str(number)), json.loads(printed("--paper", str(number), "--json"))
    assert len(rows) == len(data["cells"]) == ROWS[number]
    assert data["table"] == number
    for row, cell in zip(rows, data["cells"], strict=True):
        assert row.keys() == cell.keys()
        for key in ("paper", "log", "ours"):
            assert row[key] == ("" if cell[key] is None else str(cell[key]))


def test_csv_by_hand(runs: Path) -> None:
    run = add_run(runs)
    row = one(as_csv("--paper", "9"), "mBERT-MLKG", "el", "Hit@1")
    assert (row["ours"], row["ours_strict"], row["protocol"], row["runs"]) == ("21.0", "11.0", "released", run.name)
    assert float(row["delta_paper"]) == pytest.approx(21 - float(row["paper"]))
    row = one(as_csv("--paper", "9", "--protocol", "strict"), "mBERT", "el", "Hit@1")
    assert (row["ours"], row["paper"], float(row["delta_paper"])) == ("10.0", "9.2", pytest.approx(0.8))
    assert one(as_csv("--paper", "9"), "TransE", "ast", "MRR")["paper"] == ""  # a dash in the paper: missing, not 0
    assert one(as_csv("--paper", "3"), "mBERT", "Sup.", "MRR")["ours"] == ""  # the run has no alignment


def test_text_says_what_it_shows(runs: Path) -> None:
    run = add_run(runs)
    text = printed("--paper", "2")
    for words in (
        "Table 2 of the paper: knowledge graph completion, DBP5L (extended); all values in percent.",
        f"Ours: {run.name}; backbone and dataset: embedded on cldr, 40 triples; fine-tuned.",
        "Ours, released: as the released code counts",
        "Ours, strict: one-based ranks",
        "comparable only where data agree; here these differ: backbone, dataset, languages, test queries.",
        "the Hit@1 of language models is Hit@2",
    ):
        assert words in text
    # mBERT, Sup.: ours released 20, strict 10; log 11.52 and 13.92 (figure 5's points); paper 11.2 and 13.8.
    assert re.search(
        r"mBERT +20\.0 +10\.0 +11\.52 +11\.2 +\+8\.5 +\+8\.8 +20\.0 +10\.0 +13\.92 +13\.8 +\+6\.1 +\+6\.2 *\n", text
    )
    assert re.search(r"Sup\. +TransE +-- +-- +-- +14\.5 +-- +-- +-- +-- +-- +23\.7 +-- +-- *\n", text)
    assert re.search(r"ZS-In +TransE( +--){12} *\n", text)
    assert " 0.0 " not in text


def test_text_without_ours_shows_the_log_less_the_paper(runs: Path) -> None:
    text = printed("--paper", "11")
    assert "Ours: no run has results yet." in text
    assert "largest of ten test epochs" in text
    # XLM-R in Turkish: the maximum 60.07, the best validation epoch 55.74, printed 59.1.
    assert re.search(r"XLM-R +-- +60\.07 +55\.74 +59\.1 +\+0\.97 *\n", text)
    assert re.search(r"en +mBERT +-- +-- +-- +61\.8 +-- *\n", text)
    run = add_run(runs)
    assert f"Ours: {run.name} has no fine-tuned results for it." in printed("--paper", "12")
    assert "There are no released logs for it." in printed("--paper", "12")


def test_a_narrow_terminal_has_a_table_for_each_metric(capsys: pytest.CaptureFixture[str]) -> None:
    for width, tables in ((80, 2), (140, 1)):
        room = io.StringIO()
        console = Console(file=room, width=width)
        results = our_rows().assign(run="r", backbone="embedded", setup="a")
        paper_tables._print_text([], layout(compare(9, results), "released"), console)
        lines = room.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        assert "…" not in room.getvalue()
        assert sum(line.split()[:2] == ["el", "TransE"] for line in lines) == tables


def test_newest_named_and_all_runs(runs: Path) -> None:
    first = add_run(runs, seed=1)
    second = add_run(runs, shift=2.0, seed=2)
    newest = max(first.name, second.name)
    assert one(as_csv("--paper", "2"), "mBERT", "Sup.", "MRR")["runs"] == newest
    assert one(as_csv("--paper", "2", first.name), "mBERT", "Sup.", "MRR")["ours"] == "20.0"
    both = one(as_csv("--paper", "2", "--all"), "mBERT", "Sup.", "MRR")
    assert both["ours"] == "21.0"
    assert set(both["runs"].split(", ")) == {first.name, second.name}
    add_run(runs, recipe="released")
    with pytest.raises(ValueError, match="differ in more than their seed"):
        printed("--paper", "2", "--all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--paper", "8"), "no Table 8 of results; choose one of 2, 3"),
        (("--paper", "14", "--csv"), "no Table 14"),
        (("--paper", "2", "--csv", "--latex"), "one of --json, --csv and --latex"),
        (("--latex",), "needs --paper N"),
        (("--paper", "2", "--task", "entity_alignment"), "leave out --task"),
        (("--paper", "2", "--protocol", "lenient"), "strict or strict-raw or released or last or best-test, not"),
        (("--paper", "2", "--mode", "few-shot"), "fine-tuned or zero-shot, not 'few-shot'"),
        (("--paper", "2", "no-such-run"), "no run 'no-such-run'"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], message: str, runs: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        printed(*arguments)


def assert_well_formed(tex: str) -> list[list[str]]:
    """Environments and braces are balanced, special characters escaped, every row and rule fits the columns.

    Returns:
        The cells of the body.
    """
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{([^}]+)\}", tex):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    code = "\n".join(line for line in tex.splitlines() if not line.startswith("%"))
    plain = re.sub(r"\\[\\{}$&%#_]", "", code)
    depth = 0
    for character in plain:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert plain.count("$") % 2 == 0
    assert not re.search(r"[%#_^~<>|]", plain)
    assert code.isascii()
    (columns,) = re.findall(r"\\begin\{(?:tabular|longtable)\}\{(l+r+)\}", code)
    rows = [line[:-3] for line in code.splitlines() if line.endswith(r" \\") and not line.startswith(r"\caption")]
    widths = set()
    for row in rows:
        spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", row)]
        widths.add(len(re.findall(r"(?<!\\)&", row)) + 1 + sum(spans) - len(spans))
    assert widths == {len(columns)}
    heads = [line for line in code.splitlines() if line.startswith(r"\cmidrule")]
    assert heads
    for rules in heads:
        covered = [(int(a), int(b)) for a, b in re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", rules)]
        assert [c for a, b in covered for c in range(a, b + 1)] == list(range(3, len(columns) + 1))
    for rule in ("toprule", "midrule", "bottomrule"):
        assert f"\\{rule}" in code
    return [re.split(r" (?<!\\)& ", row) for row in rows if "multicolumn" not in row and "shortstack" not in row]


@pytest.mark.parametrize("number", NUMBERS)
def test_latex_is_well_formed(number: int, runs: Path) -> None:
    add_run(runs)
    tex = printed("--paper", str(number), "--latex")
    body = [row for row in assert_well_formed(tex) if row[1]]
    assert tex.count(r"\multicolumn") == METRICS[number] * (2 if "longtable" in tex else 1)
    cells = compare(number)
    one_name = number == 7  # whose two names of an average are one row
    assert len(body) == len({("" if one_name else r.language_or_group, r.model) for r in cells.itertuples()})
    values = [value for row in body for value in row[2:] if value != "--"]
    assert len(values) >= cells.paper.notna().sum() + cells.log.notna().sum()
    assert all(re.fullmatch(r"\d+\.\d{1,2}|\$[+-]\d+\.\d{1,2}\$", value) for value in values)
    assert ("longtable" in tex) == (number in (9, 10, 12))


def test_latex_by_hand(runs: Path) -> None:
    add_run(runs)
    tex = printed("--paper", "2", "--latex")
    assert r" &  & \multicolumn{6}{c}{Hit@1} & \multicolumn{6}{c}{MRR} \\" in tex
    assert r"\cmidrule(lr){3-8}\cmidrule(lr){9-14}" in tex
    row = r" & mBERT & 20.0 & 10.0 & 11.52 & 11.2 & $+8.5$ & $+8.8$ & 20.0 & 10.0 & 13.92 & 13.8 & $+6.1$ & $+6.2$ \\"
    assert row in tex.splitlines()
    assert r"Sup. & TransE & -- & -- & -- & 14.5 & --" in tex
    assert tex.startswith("% workbench tables 2")
    assert r"en$\rightarrow$fr & MTransE" in printed("--paper", "10", "--latex")
    assert r"mBERT$\triangle$" in printed("--paper", "7", "--latex")


def test_special_characters_are_escaped(runs: Path) -> None:
    assert escape(r"50% a_b & c#d $e {f} ~^ \g <h|i>") == (
        r"50\% a\_b \& c\#d \$e \{f\} \textasciitilde{}\textasciicircum{} \textbackslash{}g"
        r" \textless{}h\textbar{}i\textgreater{}"
    )
    results = our_rows().assign(run="r_1", backbone="50%_#&{x}~", setup="a", dataset=r"d\e^f, 3 <4")
    cells = compare(2, results)
    tex = latex(
        2, ["workbench tables", *cells.our_backbone.dropna().unique(), r"d\e^f, 3 <4"], layout(cells, "released")
    )
    assert len(assert_well_formed(tex)) == 24
    assert r"\caption{50\%\_\#\&\{x\}\textasciitilde{} d\textbackslash{}e\textasciicircum{}f, 3 \textless{}4}" in tex


@pytest.mark.parametrize(
    ("value", "column", "shown"),
    [
        *((None, "ours", "--"), (0.0, "ours", "0.0"), (9.96, "paper", "10.0"), (0.904, "log", "0.90")),
        *((-0.04, "delta_paper", "0.0"), (-0.06, "delta_log", "-0.1"), (0.97, "log_minus_paper", "+0.97")),
    ],
)
def test_how_a_value_is_written(value: float | None, column: str, shown: str) -> None:
    assert paper_tables._text(value, column) == shown


def head_rows(task: str, dataset: str, metric: str, languages: dict[str, float], *protocols: str) -> pd.DataFrame:
    """Fine-tuned results of the backbone by language, equal under every protocol but `best-test`, which has one more."""
    about = {"task": task, "dataset": dataset, "system": "backbone", "mode": "fine-tuned", "metric": metric}
    rows = [
        about
        | {"language": code, "group": "Sup" if code == "en" else "ZS-In", "protocol": protocol, "n": 502}
        | {"value": value + (protocol == "best-test"), "low": 0.0, "high": 99.0}
        for code, value in languages.items()
        for protocol in protocols
    ]
    return pd.DataFrame(rows)


def test_tasks_without_ranks_say_which_protocol_stands_for_released(runs: Path) -> None:
    relx = head_rows("relation_classification", "relx", "F1", {"en": 60.0, "de": 50.0}, "strict", "last", "best-test")
    RunDir.create(RunConfig(), runs).write_results(relx)
    text = printed("--paper", "11")
    for words in (
        "Ours, best-test: with the weights that are best on the test set, language by language, as Table 11 prints.",
        "Ours, strict: with the weights that the run reports.",
        "The task has no ranks, of which released speaks: best-test stands for it.",
        "Deltas: ours, best-test, less log or paper.",
    ):
        assert words in text
    cell = one(as_csv("--paper", "11"), "mBERT", "en", "F1")
    assert (float(cell["ours"]), float(cell["ours_strict"]), cell["protocol"]) == (61.0, 60.0, "best-test")
    assert float(cell["delta_paper"]) == pytest.approx(61.0 - 61.8)
    assert "stands for it" not in printed("--paper", "11", "--protocol", "last")
    assert one(as_csv("--paper", "11", "--protocol", "last"), "mBERT", "en", "F1")["protocol"] == "last"


def test_table_7_has_a_protocol_per_task(runs: Path) -> None:
    frames = [
        head_rows("relation_classification", "relx", "Accuracy", {"de": 50.0, "es": 60.0}, "strict", "best-test"),
        head_rows("question_answering", "xquad", "EM", {"en": 40.0, "de": 30.0}, "strict"),
    ]
    RunDir.create(RunConfig(), runs).write_results(pd.concat(frames, ignore_index=True))
    text = printed("--paper", "7")
    assert "best-test or strict stands for it" in text
    tex = printed("--paper", "7", "--latex")
    assert r"\shortstack[r]{ours\\best-test/strict}" in tex
    rows = as_csv("--paper", "7")
    assert [float(r["ours"]) for r in rows if r["model"] == "XLMRlarge" and r["ours"]] == [56.0, 35.0]


def test_alignment_towards_english_is_another_question(runs: Path) -> None:
    rows = our_rows().assign(task="entity_alignment", language=["de" if c else None for c in our_rows().language])
    for direction, filled in (("from_source", True), ("to_source", False)):
        run = RunDir.create(RunConfig(tasks={"entity_alignment": {"direction": direction, "data": "wk3l60k"}}), runs)
        run.write_results(rows)
        assert any(r["ours"] for r in as_csv(run.name, "--paper", "10")) == filled
