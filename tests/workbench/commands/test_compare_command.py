"""`workbench compare` on the shipped run, and on small runs of several seeds made on the spot."""

import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from core import recipes
from core.evaluation.estimates import result_rows
from core.evaluation.outcomes import LanguageRanks, to_arrays
from core.evaluation.protocols import RANK_SETS
from core.runs.store import RunDir
from workbench.cli import app

GROUPS = {"de": "Sup", "eo": "ZS-Un"}
PAIR = ("--task", "entity_alignment", "--systems", "backbone", "+Fusion")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def said(*arguments: object) -> list[dict[str, Any]]:
    done = call("compare", *arguments, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def refused(*arguments: object) -> str:
    """The one line that the entry point prints."""
    done = call("compare", *arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert isinstance(done.exception, ValueError)
    assert "\n" not in str(done.exception)
    return str(done.exception)


def make_run(seed: int, better: int, queries: int = 10, **changes: Any) -> RunDir:
    """A run whose backbone has rank 2 everywhere, and whose fusion has rank 1 in the first `better` queries."""
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    config = recipes.parse({"seed": seed, "title": f"seeds {seed}"}, {"evaluation.bootstrap_samples": 40} | fields)
    run, rows = RunDir.create(config), []
    for system, first in (("backbone", 0), ("+Fusion", better)):
        ranks = np.where(np.arange(queries) < first, 1, 2)
        sets = dict.fromkeys(RANK_SETS, ranks)
        found = {language: LanguageRanks(np.arange(queries), sets, sets) for language in GROUPS}
        run.write_outcomes("entity_alignment", system, "fine-tuned", to_arrays(found))
        about = {"task": "entity_alignment", "dataset": "made up", "system": system, "mode": "fine-tuned"}
        rows += [about | row for row in result_rows(found, GROUPS, samples=40)]
    run.write_results(pd.DataFrame(rows))
    return run


@pytest.mark.parametrize("by", ["group", "language"])
def test_differences_of_the_shipped_run_are_those_of_its_tables(by: str) -> None:
    rows = said(*PAIR, "--by", by, "--metric", "Hit@1", "--metric", "MRR")
    assert len(rows) == 2 * (3 if by == "group" else 22)
    shown = json.loads(call("tables", "--task", "entity_alignment", "--mode", "fine-tuned", "--json").stdout)
    keys = ("run", "language", "group", "metric", "protocol", "n")
    tables = {(r["system"], *(r[k] for k in keys)): r["value"] for r in shown}
    for row in rows:
        place = tuple(row[k] for k in keys)
        assert row["baseline"] == pytest.approx(tables["backbone", *place], abs=1e-9)
        assert row["value"] == pytest.approx(tables["+Fusion", *place], abs=1e-9)
        assert row["difference"] == pytest.approx(tables["+Fusion", *place] - tables["backbone", *place], abs=1e-9)
        assert row["low"] <= row["difference"] <= row["high"]
        assert 0 < row["p"] <= 1
        assert (row["interval"], row["seed"], row["mode"]) == ("entities", 0, "fine-tuned")
    clear = [row for row in rows if row["low"] > 0 or row["high"] < 0]
    assert 0 < len(clear) < len(rows)
    assert all(row["p"] <= 0.06 for row in clear)


def test_other_protocols_and_modes() -> None:
    strict, released = (said(*PAIR, "--protocol", protocol, "--metric", "Hit@1") for protocol in ("strict", "released"))
    assert len(strict) == len(released) == 3
    assert all(r["baseline"] > s["baseline"] for r, s in zip(released, strict, strict=True))
    ours = ("--task", "kg_completion", "--systems", "backbone", "+EP", "--mode", "zero-shot")
    assert {row["system"] for row in said(*ours)} == {"+EP"}


def test_for_people_and_csv() -> None:
    done = call("compare", *PAIR)
    assert done.exit_code == 0
    for word in (
        "Entity alignment, fine-tuned",
        "protocol strict",
        "+Fusion - backbone",
        "95% interval",
        "ZS-Un",
        "MRR",
    ):
        assert word in done.stdout
    frame = pd.read_csv(io.StringIO(call("compare", *PAIR, "--csv").stdout))
    assert frame.difference.tolist() == pytest.approx([row["difference"] for row in said(*PAIR)])


def test_seeds_are_summarised() -> None:
    """Hit@1 rises by 100 times the share of better queries: 10, 20 and 60 points with seeds 0, 1 and 2."""
    runs = [make_run(seed, better) for seed, better in ((2, 6), (0, 1), (1, 2))]
    rows = said(*(run.name for run in runs), *PAIR, "--metric", "Hit@1")
    each, whole = ([row for row in rows if row["interval"] == kind] for kind in ("entities", "seeds"))
    assert [(r["seed"], r["group"]) for r in each] == [(s, g) for s in range(3) for g in ("Sup", "ZS-Un")]
    assert [r["difference"] for r in each if r["group"] == "Sup"] == pytest.approx([10, 20, 60])
    assert [r["group"] for r in whole] == ["Sup", "ZS-Un"]
    reach = 4.302652729911275 * 7**0.5 * 10 / 3**0.5  # t with 2 degrees of freedom; sd of 10, 20, 60 is 10 sqrt(7)
    for row in whole:
        assert (row["baseline"], row["value"], row["difference"]) == pytest.approx((0, 30, 30))
        assert (row["sd"], row["value_sd"], row["baseline_sd"]) == pytest.approx((10 * 7**0.5, 10 * 7**0.5, 0))
        assert (row["low"], row["high"]) == pytest.approx((30 - reach, 30 + reach))
        assert (row["min"], row["max"], row["seeds"], row["n"]) == (pytest.approx(10), pytest.approx(60), 3, 10)
        assert (row["run"], row["seed"], row["p"]) == (None, None, None)
    shown = call("compare", *(run.name for run in runs), *PAIR, "--by", "language").stdout
    for word in ("30.0 ±26.5", "+30.0", "+60.0", "seed 1:", runs[0].name, "t interval", "eo"):
        assert word in shown


def test_runs_that_differ_in_more_than_the_seed_are_refused() -> None:
    one, two = make_run(0, 1), make_run(1, 2, objective__temperature=0.1, adapters__large=None)
    message = refused(one.name, two.name, *PAIR)
    for word in (two.name, one.name, "adapters.large", "objective.temperature", "--seed 1"):
        assert word in message
    for word in ("title", "backbone.", "evaluation"):
        assert word not in message.split("seed:")[1].split(". ")[0]
    assert "seed: " in (other := refused(one.name, make_run(1, 2, recipe="paper").name, *PAIR))
    assert "recipe" in other
    again = make_run(0, 3)
    assert "have the same seed, 0" in refused(one.name, again.name, *PAIR)


def test_what_is_not_there_is_named() -> None:
    run = make_run(0, 1)
    message = refused(run.name, "--task", "entity_alignment", "--systems", "backbone", "+EP")
    assert "measured no +EP (fine-tuned, entity_alignment) with the weights of protocol strict" in message
    assert "It measured: backbone, +Fusion (fine-tuned, entity_alignment). Fields that keep other weights" in message
    assert "--metric: there is no 'F1'. There are: Hit@1, Hit@3" in refused(run.name, *PAIR, "--metric", "F1")
    assert "--systems: there is no '+Fuse'" in refused(run.name, *PAIR[:-1], "+Fuse")
    assert "--task: there is no 'nerd'" in refused(run.name, "--task", "nerd", *PAIR[2:])
    assert "strict-raw" in refused(run.name, *PAIR, "--protocol", "loose")
    assert "zero-shot, fine-tuned" in refused(run.name, *PAIR, "--mode", "few-shot")
    assert "group, language" in refused(run.name, *PAIR, "--by", "family")


def test_ranks_of_different_queries_are_refused() -> None:
    one, two = make_run(0, 1), make_run(1, 2, queries=9)
    message = refused(one.name, two.name, *PAIR)
    for word in (f"{one.name} and {two.name}", "different queries", "de (10 and 9), eo (10 and 9)"):
        assert word in message
    longer = make_run(2, 2, queries=12)
    two.outcome_file("entity_alignment", "+Fusion", "fine-tuned").write_bytes(
        longer.outcome_file("entity_alignment", "+Fusion", "fine-tuned").read_bytes()
    )
    assert f"backbone and +Fusion of {two.name} cannot be compared" in refused(two.name, *PAIR)


def test_help_has_an_example() -> None:
    done = call("compare", "--help")
    assert done.exit_code == 0
    assert "workbench compare --task" in done.stdout.replace("\n", " ")
