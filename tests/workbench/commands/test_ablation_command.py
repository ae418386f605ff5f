"""`workbench ablation` on the shipped run, as a user types it."""

import io
import json
import re
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from core.reference import figure5
from core.runs.provenance import add_to_provenance
from core.runs.store import RunDir
from workbench.cli import app


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["ablation", *map(str, arguments)])


def said(*arguments: object) -> list[dict[str, Any]]:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def test_values_are_those_of_the_tables_and_logs_stand_beside_them() -> None:
    rows = said("--protocol", "released")
    tables = CliRunner().invoke(app, ["tables", "--mode", "fine-tuned", "--by", "group", "--json"])
    keys = ("task", "system", "group", "metric", "protocol")
    stored = {tuple(r[k] for k in keys): r["value"] for r in json.loads(tables.stdout)}
    logs = figure5.points().set_index(["task", "system", "group", "metric"]).log
    assert {(r["task"], r["system"]) for r in rows} == {
        (task, system) for task in ("kg_completion", "entity_alignment") for system in ("backbone", "+Fusion")
    }
    for row in rows:
        assert row["value"] == stored[tuple(row[k] for k in keys)]
        assert row["log"] == logs[row["task"], row["system"], row["group"], row["metric"]]
        assert row["paper_share"] == (None if row["system"] == "backbone" else 0.5)
        # Per layer: four adapters of 2 * 384 * 24 + 24 + 384 parameters, and three 384 x 384 products with two biases.
        added = 12 * (4 * (2 * 384 * 24 + 24 + 384) + 3 * 384 * 384 + 2 * 384)
        assert row["parameters"] == (0 if row["system"] == "backbone" else added)


def test_for_people() -> None:
    text = call("--task", "kg_completion").stdout
    for word in (
        "Knowledge-graph completion (cldr",
        "Hit@1 in %",
        "protocol strict",
        "Sup gain",
        "ZS-Un log",
        "+Fusion",
    ):
        assert word in text
    assert "Entity alignment" not in text
    assert "their Hit@1 is Hit@2" in text
    assert "6,221,952" in text
    assert "The paper says about 0.5 % for all adapters together." in text
    languages = call("--by", "language", "--system", "+Fusion").stdout
    assert re.search(r"ast +ZS-In +\d+\.\d", languages)
    assert "backbone" not in languages.split("Runs:")[0].replace("less the backbone", "")


def test_the_budget_is_shown_where_a_run_stored_it(finished_run: RunDir) -> None:
    add_to_provenance(finished_run, {"budget": {"backbone": 21_300_000, "+EP": 106_500, "+Fusion": 2_982_000}})
    text = call(finished_run.name).stdout
    assert re.search(rf"\+Fusion +2,982,000 +14\.00 % +{finished_run.config.backbone.source}", text)
    assert re.search(r"\+EP +106,500 +0\.50 %", text)
    fused = [row for row in said(finished_run.name) if row["system"] == "+Fusion"]
    assert fused
    assert {(row["parameters"], row["share"]) for row in fused} == {(2_982_000, 14.0)}


def test_csv_and_latex() -> None:
    frame = pd.read_csv(io.StringIO(call("--csv").stdout))
    assert frame.value.tolist() == pytest.approx([row["value"] for row in said()])
    for by, spec in (("group", "lrrrrrrrrrrrr"), ("language", "llrr")):
        text = call("--latex", "--by", by).stdout
        assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 2
        assert rf"\begin{{tabular}}{{{spec}}}" in text
        assert r"Hit@1 in \%" in text
        body = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert {line.count(" & ") for line in body} == {len(spec) - 1}
        assert {line.count("$") % 2 for line in body} == {0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "sorting"), "--task: there is no 'sorting'. There are: kg_completion, entity_alignment, "),
        (("--system", "+Fuse"), "--system: there is no '+Fuse'. There are: backbone, +EP"),
        (("--metric", "BLEU"), "--metric: there is no 'BLEU'. There are: Hit@1, "),
        (("--protocol", "lenient"), "--protocol: there is no 'lenient'. There are: strict, strict-raw, released"),
        (("--by", "family"), "--by: there is no 'family'. There are: group, language."),
        (("--mode", "few-shot"), "--mode: there is no 'few-shot'"),
        (("--csv", "--latex"), "Name one of --json, --csv and --latex."),
        (("--metric", "EM"), "has EM under strict, fine-tuned"),
        (("no-such-run",), "There is no run 'no-such-run'"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], message: str) -> None:
    done = call(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert isinstance(done.exception, ValueError)
    assert message in str(done.exception)
