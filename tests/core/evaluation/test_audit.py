"""The checks on cells worked by hand, on values rounded in every way, and on the values of random ranks."""

import numpy as np
import pandas as pd
import pytest

from core.evaluation.audit import ALL, CHECKS, Audit, Row, audit, canonical_metric
from core.evaluation.estimates import result_rows
from core.evaluation.outcomes import LanguageRanks

DECIMAL = 0.05


def row(metric: str, value: float, language: str = "de", **changes) -> Row:
    same = {"table": "t", "rows_in": "t", "task": "a", "model": "m", "system": "m", "protocol": "strict"}
    fields = same | {"language": language, "group": "", "is_group": False, "rounding": DECIMAL}
    return Row(**(fields | {"metric": metric, "value": value} | changes))


def group_row(value: float, group: str = "g", **changes) -> Row:
    return row("F1", value, group, **({"group": group, "is_group": True} | changes))


def audited(*rows: Row) -> Audit:
    return audit(pd.DataFrame(rows))


def said(*rows: Row) -> list[tuple[str, str]]:
    return [(finding.check, finding.severity) for finding in audited(*rows).findings]


@pytest.mark.parametrize(
    ("hit", "mrr", "expected"),
    [
        (83.6, 83.2, "error"),  # Table 3, mBERT, Sup.
        (65.2, 65.1, "warning"),  # 65.15 cut off in one cell and rounded in the other
        (65.1, 65.1, None),
        (14.5, 23.7, None),
    ],
)
def test_hit1_above_mrr(hit: float, mrr: float, expected: str | None) -> None:
    assert said(row("Hit@1", hit), row("MRR", mrr)) == ([("mrr-below-hits", expected)] if expected else [])


def test_a_finding_says_where_what_and_why() -> None:
    (finding,) = audited(row("Hit@1", 83.6), row("MRR", 83.2)).findings
    assert (finding.table, finding.task, finding.model, finding.language) == ("t", "a", "m", "de")
    assert (finding.metric, finding.protocol, finding.found) == ("Hit@1 vs MRR", "strict", "83.6 > 83.2")
    assert "MRR is never below Hit@1" in finding.reason
    assert "Possible if Hit@1 counts ranks up to 2" in finding.reason
    (finding,) = audited(row("Hit@1", 83.6), row("MRR", 31.2)).findings
    assert "Possible" not in finding.reason  # 83.6 / 2 is above 31.2 too
    assert finding.record()["severity"] == "error"


def test_unrounded_values_have_no_tolerance() -> None:
    assert said(row("Hit@1", 82.31, rounding=0.0), row("MRR", 82.3, rounding=0.0)) == [("mrr-below-hits", "error")]
    (finding,) = audited(row("F1", 1.00002, rounding=0.0, group="g"), group_row(1.00001, rounding=0.0)).findings
    assert finding.found == "1.00001, not 1.00002 (-1e-05)"
    assert said(row("Hit@1", 82.3 + 1e-12, rounding=0.0), row("MRR", 82.3, rounding=0.0)) == []


def test_every_hit_bounds_mrr() -> None:
    assert said(row("Hit@10", 95.0), row("MRR", 9.0)) == [("mrr-below-hits", "error")]  # ten ranks of 10: 9.5 at least
    assert said(row("Hit@10", 95.0), row("MRR", 9.5)) == []


def test_released_hits_count_one_rank_more() -> None:
    """Ranks 1, 2, 2, 2: MRR is 62.5; Hit@1 is 25, and 100 as the released code counts."""
    released = [row("Hit@1", 100.0, protocol="released"), row("MRR", 62.5, protocol="released")]
    assert said(*released) == []
    assert said(*(cell._replace(protocol="strict") for cell in released)) == [("mrr-below-hits", "error")]
    # Hit@1 of 100 under `released` means ranks of 2 at most, so an MRR of 50 at least
    assert said(released[0], row("MRR", 49.8, protocol="released")) == [("mrr-below-hits", "error")]
    # 99.9 may be 99.85, and half of that a printed 49.9
    assert said(row("Hit@1", 99.9, protocol="released"), row("MRR", 49.9, protocol="released")) == []


def test_rows_of_different_protocols_systems_or_languages_are_not_mixed() -> None:
    cells = [row("Hit@1", 80.0), row("MRR", 60.0, protocol="strict-raw"), row("MRR", 60.0, system="other")]
    assert said(*cells, row("MRR", 60.0, "fr"), row("MRR", 60.0, table="u"), row("MRR", 60.0, task="b")) == []


def test_hits_and_em() -> None:
    assert said(row("Hit@10", 40.0), row("Hit@3", 41.0), row("Hit@1", 10.0)) == [("hits-decrease", "error")]
    assert said(row("Hit@1", 10.0), row("Hit@3", 10.0), row("Hit@10", 40.0)) == []
    assert said(row("F1", 70.0), row("EM", 70.2)) == [("em-above-f1", "error")]
    assert said(row("F1", 70.0), row("EM", 57.0)) == []


def test_group_means() -> None:
    members = [row("F1", 83.5, "en", group="s"), row("F1", 62.0, "de", group="g"), row("F1", 63.0, "fr", group="g")]
    assert said(*members, group_row(62.5), group_row(83.5, "s"), group_row(69.5, ALL)) == []
    result = audited(*members, group_row(62.7))
    assert [f.found for f in result.findings] == ["62.7, not 62.5 (+0.2)"]
    assert (result.errors, result.compared["group-mean"], result.groups_without_rows) == (1, 1, 0)
    assert audited(*members, group_row(1.0, "elsewhere")).groups_without_rows == 1
    assert said(*members, group_row(62.7, rows_in="u")) == []
    elsewhere = [member._replace(table="u", rows_in="u") for member in members]
    assert said(*elsewhere, group_row(62.7, rows_in="u")) == [("group-mean", "error")]


def test_a_group_with_dashes() -> None:
    members = [row("F1", 62.0, "de", group="g"), row("F1", float("nan"), "fr", group="g")]
    assert said(*members, group_row(62.0)) == []
    assert said(*members, group_row(65.0)) == [("group-mean", "warning")]
    assert said(*members, group_row(float("nan"))) == []


def test_range_repetition_and_protocol() -> None:
    assert said(row("F1", 100.0), row("EM", 0.0)) == []
    assert said(row("F1", 100.1)) == said(row("Entity (%)", -0.1)) == [("out-of-range", "error")]
    assert said(row("Sent.", 1e6)) == said(row("Hit@0", 0.0), row("MRR", 5.0)) == []
    assert said(row("F1", 61.0), row("F1", 61.0)) == [("repeated-cell", "warning")]
    assert said(row("F1", 61.0), row("f1", 62.0)) == [("repeated-cell", "error")]
    (finding,) = audited(row("MRR", 61.0, protocol=""), row("F1", 61.0, protocol="")).findings
    assert (finding.check, finding.severity, finding.found) == ("protocol-not-named", "warning", "1 values")


def cut(values: float, decimals: int) -> float:
    return np.floor(values * 10**decimals) / 10**decimals


@pytest.mark.parametrize(("lower", "upper"), [(np.round, np.round), (cut, cut), (np.round, cut)])
def test_rounding_true_values_is_no_error(lower, upper) -> None:
    """Values that obey every rule are no error however rounded, and no warning if both sides are rounded alike."""
    rng = np.random.default_rng(0)
    cells = []
    for number in range(300):
        hit = rng.uniform(0, 99)
        better = hit + rng.exponential(0.05)
        cells += [row(metric, lower(hit, 1), f"l{number}") for metric in ("Hit@1", "EM")]
        cells += [row(metric, upper(better, 1), f"l{number}") for metric in ("MRR", "F1")]
    result = audited(*cells)
    assert result.compared["mrr-below-hits"] == result.compared["em-above-f1"] == 300
    assert result.errors == 0
    assert (len(result.findings) > 10) == (lower is not upper)


def test_a_mean_of_rounded_values_is_no_error_and_may_use_the_whole_tolerance() -> None:
    rng = np.random.default_rng(1)
    cells, farthest = [], 0.0
    for group in range(300):
        true = np.round(rng.uniform(0, 99, size=4), 1) + rng.choice([-0.0499, 0.0499])  # errors of one sign
        printed, mean = np.round(true, 1), round(float(true.mean()), 1)
        cells += [row("F1", value, f"l{group}-{n}", group=f"g{group}") for n, value in enumerate(printed)]
        cells.append(group_row(mean, f"g{group}"))
        farthest = max(farthest, abs(mean - printed.mean()))
    result = audited(*cells)
    assert result.compared["group-mean"] == 300
    assert result.findings == ()
    assert 0.07 < farthest <= 0.1  # so 0.05 alone would blame true tables


def random_results(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ranks = {}
    for language in ("de", "fr", "ja"):
        best = {name: rng.geometric(0.4, size=60) for name in ("filtered", "raw", "released")}
        worst = {name: optimistic + rng.integers(2, size=60) for name, optimistic in best.items()}
        ranks[language] = LanguageRanks(rng.integers(9, size=60), best, worst)
    found = list(result_rows(ranks, {"de": "Sup", "fr": "ZS-In", "ja": "ZS-In"}, samples=2))
    return pd.DataFrame(
        row(
            r["metric"], r["value"], r["language"] or r["group"], group=r["group"], is_group=r["language"] is None
        )._replace(protocol=r["protocol"], rounding=0.0)
        for r in found
    )


def test_results_of_random_ranks_are_clean_under_their_own_protocol_only() -> None:
    frame = random_results(3)
    result = audit(frame)
    assert result.findings == ()
    assert result.compared["mrr-below-hits"] == 3 * 5 * 4  # protocols, languages and groups, Hit@k
    assert result.compared["hits-decrease"] == 3 * 5 * 3
    assert result.compared["group-mean"] == 3 * 2 * 5
    released = frame[frame.protocol == "released"]
    assert audit(released.assign(protocol="strict")).errors > 0
    assert audit(frame[frame.protocol == "strict"].assign(protocol="")).errors == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("hits@10", "Hit@10"), ("H@1", "Hit@1"), ("Hit@1", "Hit@1"), ("Hits @ 3", "Hit@3"), ("mrr", "MRR")),
        *(
            ("exact_match", "EM"),
            ("Hit@0", "Hit@0"),
            ("Acc.", "Acc."),
            ("accuracy", "Acc."),
            ("F1", "F1"),
            ("Entity (%)", "Entity (%)"),
        ),
    ],
)
def test_spellings(name: str, expected: str) -> None:
    assert canonical_metric(name) == expected


def test_a_frame_without_a_column() -> None:
    with pytest.raises(ValueError, match=r"lacks the column\(s\) rounding; it needs table, "):
        audit(pd.DataFrame([row("F1", 1.0)]).drop(columns="rounding"))
    assert set(audited(row("F1", 1.0)).compared) == set(CHECKS)
