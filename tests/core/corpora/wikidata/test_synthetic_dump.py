"""The dump that the benchmark is measured on: real lines, fresh ids, the same on every call."""

import json
from pathlib import Path

import pytest

from core.corpora.wikidata.build import build
from tests.bench.synthetic_dump import entity_lines, write_dump


@pytest.fixture(scope="module")
def lines(shared_data: Path) -> list[bytes]:
    return list(entity_lines(1000, seed=1, source=shared_data / "wikidata"))


def test_lines_are_those_of_a_dump(lines: list[bytes], shared_data: Path) -> None:
    assert (lines[0], lines[-1]) == (b"[\n", b"]\n")
    whole = json.loads(b"".join(lines))
    items = [entity for entity in whole if entity["type"] == "item"]
    properties = {entity["id"] for entity in whole if entity["type"] == "property"}
    assert [item["id"] for item in items] == [f"Q{i}" for i in range(1, 1001)]
    assert {p for item in items for p in item["claims"]} <= properties
    assert len(properties) == 491  # those of the real items, as their README counts
    targets = {
        statement["mainsnak"]["datavalue"]["value"]["numeric-id"]
        for item in items
        for statements in item["claims"].values()
        for statement in statements
        if statement["mainsnak"].get("datavalue", {}).get("type") == "wikibase-entityid"
        and statement["mainsnak"]["datavalue"]["value"]["entity-type"] == "item"
    }
    assert len(targets) > 900
    assert targets <= set(range(1, 1001))
    assert 6000 < sum(map(len, lines)) / 1000 < 12_000
    assert lines == list(entity_lines(1000, seed=1, source=shared_data / "wikidata"))


def test_it_builds(lines: list[bytes], tmp_path: Path) -> None:
    size = write_dump(lines, tmp_path / "dump.json.zst")
    assert size == sum(map(len, lines))
    corpus = build([tmp_path / "dump.json.zst"], tmp_path / "c", workers=1, part_bytes=1 << 20)
    assert corpus.info.build["bad_rows"] == {}
    assert corpus.info.build["read"]["items"] == 1000
    assert 100 < corpus.info.counts["entities"] < 300
    assert corpus.info.counts["triples"] > 40
    assert corpus.info.counts["relation_labels"] > 1000
