"""Learning curves as data."""

import pandas as pd
import pytest

from workbench.runs import charts as run_charts


def steps(runs: list[str]) -> pd.DataFrame:
    rows = [(run, stage, step, 4, loss + n) for n, run in enumerate(runs) for stage in ("ep", "fusion.ner")
            for step, loss in enumerate((4.0, 2.0, 3.0, 1.0), 1)]  # fmt: skip
    return pd.DataFrame(rows, columns=["run", "stage", "step", "steps", "loss"]).assign(pairs_per_second=10.0)


def test_smoothing_is_the_mean_over_the_window_so_far() -> None:
    assert run_charts.smoothed(pd.Series([4.0, 2.0, 3.0, 1.0]), 2).tolist() == [4.0, 3.0, 2.5, 2.0]
    assert run_charts.smoothed(pd.Series([4.0, 2.0]), 1).tolist() == [4.0, 2.0]


def test_a_panel_a_stage_and_a_line_a_run() -> None:
    figure = run_charts.curves_by_stage(steps(["a", "b"]), {"a": "A", "b": "B"}, ["fusion.ner", "ep"], window=2)
    lines = [trace for trace in figure.data if trace.opacity is None]
    assert [(trace.name, trace.xaxis, trace.showlegend) for trace in lines] == [
        ("A", "x", True), ("B", "x", True), ("A", "x2", False), ("B", "x2", False),
    ]  # fmt: skip
    assert list(lines[1].y) == [5.0, 4.0, 3.5, 3.0]
    raw = [trace for trace in figure.data if trace.opacity is not None]
    assert len(raw) == 4
    assert list(raw[1].y) == [5.0, 3.0, 4.0, 2.0]
    assert [note.text for note in figure.layout.annotations] == ["Fusion: Named entity recognition", "EP"]


def test_twenty_runs_are_told_apart() -> None:
    runs = [f"r{number}" for number in range(20)]
    figure = run_charts.curves_by_stage(steps(runs), dict(zip(runs, runs, strict=True)), ["ep"])
    assert len({(trace.line.color, trace.line.dash) for trace in figure.data}) == 20


@pytest.mark.parametrize(
    ("stage", "title"),
    [
        ("ts", "TS"),
        ("fine-tuned.ner.backbone", "backbone fine-tuned: Named entity recognition"),
        ("fine-tuned.ner.fusion", "+Fusion fine-tuned: Named entity recognition"),
        ("head.ner.ep", "+EP head alone: Named entity recognition"),
        ("fusion.corpus", "Fusion: corpus"),
        ("prepare", "prepare"),
    ],
)
def test_stages_are_named_for_people(stage: str, title: str) -> None:
    assert run_charts.stage_title(stage) == title


def test_the_table_says_where_the_curves_end() -> None:
    row = run_charts.curve_table(steps(["a"])).iloc[0]
    assert (row.steps, row.first_loss, row.last_loss, row.lowest_loss) == (4, 4.0, 1.0, 1.0)
