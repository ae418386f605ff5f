"""Which entities are held out: by entity, never by fact, and never an entity whose name is trained on."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping

from core.corpora.records import Split


def check_shares(valid_share: float, test_share: float) -> None:
    """Refuse shares that are negative or leave nothing to train on.

    Raises:
        ValueError: Naming both shares.
    """
    if not (valid_share >= 0 and test_share >= 0 and valid_share + test_share < 1):
        raise ValueError(
            f"valid_share {valid_share} and test_share {test_share} must not be negative and must sum to less than 1."
        )


def assign_splits(
    labels: Mapping[str, Mapping[str, str]], kinds: Mapping[str, str], valid_share: float, test_share: float
) -> dict[str, Split]:
    """A split for every entity: within each kind, ordered by a hash of the id, so that it never depends on a seed.

    Entities that share a label in a language (the country Belize and the city Belize) stay together: a held-out entity
    whose name was trained on would not be held out. A group goes with its first entity.

    Args:
        labels: Entity -> language -> label.
        kinds: Entity -> kind; shares are taken within each kind.
        valid_share: Share of the groups of each kind held out for validation, 0 to 1.
        test_share: Share of the groups of each kind held out for the test, 0 to 1.
    """
    check_shares(valid_share, test_share)
    group = _homonyms(labels)
    splits = split_groups({id: kinds[id] for id in group.values()}, valid_share, test_share)
    return {id: splits[group[id]] for id in labels}


def split_groups(kinds: Mapping[str, str], valid_share: float, test_share: float) -> dict[str, Split]:
    """A split for every group of entities, within each kind by the order of a hash of the group's first id.

    Args:
        kinds: First id of a group, by code points -> kind of that entity.
        valid_share: Share of the groups of each kind held out for validation, 0 to 1.
        test_share: Share of the groups of each kind held out for the test, 0 to 1.
    """
    by_kind: dict[str, list[str]] = defaultdict(list)
    for id, kind in kinds.items():
        by_kind[kind].append(id)
    splits: dict[str, Split] = {}
    for members in by_kind.values():
        members.sort(key=lambda id: hashlib.sha256(id.encode()).digest())
        test, valid = round(len(members) * test_share), round(len(members) * valid_share)
        for rank, id in enumerate(members):
            splits[id] = "test" if rank < test else "valid" if rank < test + valid else "train"
    return splits


def _homonyms(labels: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Entity -> first entity of those connected to it by equal labels in one language."""
    parent = {id: id for id in labels}

    def first(id: str) -> str:
        while parent[id] != id:
            parent[id] = id = parent[parent[id]]
        return id

    named: dict[tuple[str, str], str] = {}
    for id, texts in labels.items():
        for language, text in texts.items():
            other, this = sorted((first(named.setdefault((language, text.casefold()), id)), first(id)))
            parent[this] = other
    return {id: first(id) for id in labels}
