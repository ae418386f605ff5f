"""Each choice of the weights, from results made up by hand."""

import pandas as pd
import pytest

from core import recipes
from core.runs.checkpoints import RULES, checkpoint_values
from core.runs.store import RunDir

RELX = "relation_classification"


def make_run(protocols: tuple[str, ...] = (*RULES, "released")) -> RunDir:
    """backbone 50 and +Fusion 60 in German, Esperanto 1 less, +EP zero-shot; last is 3 less and best-test 2 more."""
    changes = {f"tasks.{RELX}": {"checkpoint": "last", "data": "relx", "train_languages": ["en"]}}
    run, rows = RunDir.create(recipes.parse({"title": "checkpoints"}, changes)), []
    plus = {"strict": 0, "last": -3, "best-test": 2, "released": 9}
    for task, metrics in (("entity_alignment", ("Hit@1", "MRR")), (RELX, ("F1", "Accuracy"))):
        for system, mode, value in (
            ("+Fusion", "fine-tuned", 60),
            ("backbone", "fine-tuned", 50),
            ("+EP", "zero-shot", 9),
        ):
            for protocol in protocols:
                for language, group, less in (
                    ("de", "Sup", 0),
                    ("eo", "ZS-Un", 1),
                    (None, "Sup", 0),
                    (None, "ZS-Un", 1),
                ):
                    about = {"task": task, "dataset": "made up", "system": system, "mode": mode, "n": 9}
                    place = {"language": language, "group": group, "protocol": protocol}
                    for metric in metrics:
                        shown = value + plus[protocol] - less + (metric in ("MRR", "Accuracy"))
                        numbers = {"metric": metric, "value": float(shown), "low": shown - 1.0, "high": shown + 1.0}
                        rows.append(about | place | numbers)
    run.write_results(pd.DataFrame(rows))
    return run


@pytest.mark.parametrize(("by", "places"), [("group", ["Sup", "ZS-Un"]), ("language", ["de", "eo"])])
def test_one_row_per_system_and_place_in_the_order_stored(by: str, places: list[str]) -> None:
    found = checkpoint_values(make_run(), by)
    assert found.task.tolist() == ["entity_alignment"] * 4 + [RELX] * 4
    assert found.system.tolist() == ["+Fusion", "+Fusion", "backbone", "backbone"] * 2
    assert found[by].tolist() == places * 4
    assert found.language.isna().all() == (by == "group")
    assert found.metric.tolist() == ["Hit@1"] * 4 + ["F1"] * 4
    assert found[list(RULES)].to_numpy().tolist() == [[57, 60, 62], [56, 59, 61], [47, 50, 52], [46, 49, 51]] * 2
    assert set(found.last_gap) == {-3}
    assert set(found.best_test_gap) == {2}
    assert found.reported.tolist() == ["best on validation"] * 4 + ["last step"] * 4


def test_another_metric_leaves_out_tasks_that_lack_it() -> None:
    found = checkpoint_values(make_run(), metric="MRR")
    assert set(found.task) == {"entity_alignment"}
    assert found.strict.tolist() == [61, 60, 51, 50]


def test_a_run_that_measured_one_set_of_weights_has_no_rows() -> None:
    assert checkpoint_values(make_run(("strict", "released"))).empty
