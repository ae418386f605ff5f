"""Splits are by entity, follow names, and depend on nothing but ids, names and shares."""

import random
from collections import Counter

import pytest

from core.corpora.splits import assign_splits, check_shares, split_groups


def labelled(count: int) -> dict[str, dict[str, str]]:
    return {f"Q{i}": {"en": f"name {i}"} for i in range(count)}


def groups_by_search(labels: dict[str, dict[str, str]]) -> list[set[str]]:
    """Entities connected by equal labels, found by flooding: slow and plain."""
    left, groups = set(labels), []
    while left:
        group = {min(left)}
        while True:
            names = {(code, text.casefold()) for id in group for code, text in labels[id].items()}
            wider = {id for id in labels if any((c, t.casefold()) in names for c, t in labels[id].items())} | group
            if wider == group:
                break
            group = wider
        groups.append(group)
        left -= group
    return groups


def test_shares_of_each_kind() -> None:
    labels = labelled(300)
    kinds = {id: "big" if i < 200 else "small" for i, id in enumerate(labels)}
    splits = assign_splits(labels, kinds, 0.1, 0.2)
    assert list(splits) == list(labels)
    assert Counter((kinds[id], split) for id, split in splits.items()) == {
        **{("big", "train"): 140, ("big", "valid"): 20, ("big", "test"): 40},
        **{("small", "train"): 70, ("small", "valid"): 10, ("small", "test"): 20},
    }


def test_no_shares_all_train() -> None:
    assert set(assign_splits(labelled(9), dict.fromkeys(labelled(9), "x"), 0, 0).values()) == {"train"}
    assert assign_splits({}, {}, 0.1, 0.1) == {}


def test_order_does_not_matter_and_new_shares_are_nested() -> None:
    labels, kinds = labelled(100), dict.fromkeys(labelled(100), "x")
    splits = assign_splits(labels, kinds, 0.1, 0.2)
    shuffled = random.Random(0).sample(sorted(labels.items()), 100)
    assert assign_splits(dict(shuffled), kinds, 0.1, 0.2) == splits
    more = assign_splits(labels, kinds, 0.1, 0.3)
    test = {id for id, split in splits.items() if split == "test"}
    assert len(test) == 20
    assert all(more[id] == "test" for id in test)


def test_entities_that_share_a_name_stay_together() -> None:
    """Random names out of few, against flooding; chains through languages and letter case join as well."""
    chance = random.Random(1)
    labels = {f"Q{i}": {c: f"Straße {chance.randrange(90)}" for c in ("de", "fr")} for i in range(120)}
    for i in range(0, 120, 7):
        labels[f"Q{i}"]["de"] = labels[f"Q{i}"]["de"].upper()  # ß becomes SS: equal only when casefolded
    groups = groups_by_search(labels)
    assert 2 < len(groups) < 110
    assert any(len(group) > 2 for group in groups)
    splits = assign_splits(labels, dict.fromkeys(labels, "x"), 0.2, 0.3)
    assert all(len({splits[id] for id in group}) == 1 for group in groups)
    first = {min(group): "x" for group in groups}
    expected = split_groups(first, 0.2, 0.3)
    assert {id: splits[id] for id in first} == expected
    assert set(expected.values()) == {"train", "valid", "test"}


def test_the_same_name_in_another_language_is_another_name() -> None:
    labels = {f"Q{i}": {f"l{i}": "Berlin"} for i in range(10)}
    splits = assign_splits(labels, dict.fromkeys(labels, "x"), 0, 0.5)
    assert Counter(splits.values()) == {"train": 5, "test": 5}


def test_entities_without_a_name_stand_alone() -> None:
    labels = {f"Q{i}": {} for i in range(10)}
    assert Counter(assign_splits(labels, dict.fromkeys(labels, "x"), 0, 0.5).values()) == {"train": 5, "test": 5}


@pytest.mark.parametrize("shares", [(-0.1, 0), (0, -0.1), (0.5, 0.5), (1, 0), (float("nan"), 0)])
def test_shares_that_are_none(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="must not be negative and must sum to less than 1"):
        check_shares(*shares)
