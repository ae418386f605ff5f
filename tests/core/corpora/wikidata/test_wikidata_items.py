"""Lines of a dump, one trap at a time; and redirects and row groups."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.corpora.wikidata.items import Parser
from core.corpora.wikidata.options import DumpOptions
from core.corpora.wikidata.parts import Part
from core.corpora.wikidata.redirects import Redirects
from core.corpora.wikidata.row_groups import RowGroups


def item(**fields: Any) -> dict[str, Any]:
    labels = {"en": {"language": "en", "value": "Earth"}}
    return {"type": "item", "id": "Q2", "labels": labels, "claims": {}} | fields


def parse(*lines: dict[str, Any] | bytes, **options: Any) -> Part:
    text = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return Parser(DumpOptions(**({"languages": ("en", "de"), "more_than_labels": 0} | options))).parse(text, len(text))


def kept(part: Part) -> list[int]:
    return part.table("kept")["id"].to_pylist()


def test_brackets_commas_blank_lines_carriage_returns_and_a_bom() -> None:
    line = json.dumps(item()).encode()
    part = parse(b"\xef\xbb\xbf[\r", line + b",\r", b"", b"  " + line + b" , ", b"]", line)
    assert kept(part) == [2, 2, 2]
    assert part.bad == []
    assert part.table("kept")["line"].to_pylist() == [2, 4, 6]
    assert part.lines == 6


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (item(labels={"en": {"value": 3}}), "not an entity", "Expected `str`, got `int` - at `$.labels.en.value`"),
        (item(labels=[1]), "not an entity", "a list where a map belongs"),
        (item(claims=[1]), "not an entity", "a list where a map belongs"),
        (item(id="Q"), "not an entity", "no Q id"),
        (item(id="Q-1"), "not an entity", "no Q id"),
        (item(id="Q" + "9" * 30), "not an entity", "no Q id"),
        (item(lastrevid=1 << 70), "not an entity", "$.lastrevid"),
        (item(claims={"X1": []}), "not an entity", "no P id"),
        (item(claims={"P1": [{"mainsnak": {"snaktype": "value"}}]}), "not an entity", "a value is missing"),
        (item(claims={"P1": [{"mainsnak": {"snaktype": "odd"}}]}), "not an entity", "Invalid enum value 'odd'"),
        ({"id": "Q1"}, "not an entity", "neither type nor redirect"),
        (b'{"type":"item"', "not JSON", ""),
        (b"{" * 100_000, "not JSON", ""),
        (b'{"type":"item","id":"Q1","labels":{"en":{"value":"\\uD800"}}}', "not JSON", "or a lone surrogate"),
        (b'{"type":"item","id":"Q1","labels":{"en":{"value":"\xff"}}}', "not UTF-8", "can't decode byte 0xff"),
        (b'{"type":"item","id":"Q1"} {"type":"item","id":"Q1"}', "not JSON", "trailing characters"),
    ],
)
def test_a_bad_line_is_kept_with_its_reason_and_stops_nothing(line: Any, reason: str, detail: str) -> None:
    part = parse(item(id="Q1"), line, item(id="Q3"))
    assert kept(part) == [1, 3]
    assert part.table("labels")["entity"].to_pylist() == [0, 1]
    (number, found, particulars, text) = part.bad[0]
    assert (number, found, len(part.bad)) == (2, reason, 1)
    assert detail in particulars
    assert text
    assert len(text) <= 10_000


def test_labels_that_are_empty_or_have_outer_spaces() -> None:
    part = parse(item(labels={"en": {"value": " "}, "de": {"value": "\u3000Erde "}, "fr": {"value": "Terre"}}))
    assert part.table("labels").to_pylist() == [{"entity": 0, "language": 1, "text": "Erde"}]
    assert (part.counts["empty labels"], part.counts["labels with outer spaces"]) == (1, 2)


@pytest.mark.parametrize(("mul", "texts"), [("ignore", ["Erde"]), ("fill", ["Terra", "Erde"])])
def test_mul_labels_fill_gaps_if_asked(mul: str, texts: list[str]) -> None:
    labels = {"mul": {"value": "Terra"}, "de": {"value": "Erde"}}
    part = parse(item(labels=labels), mul=mul)
    assert part.table("labels")["text"].to_pylist() == texts
    assert part.counts["items with a mul label"] == 1
    assert part.counts.get("labels filled from mul", 0) == len(texts) - 1
    assert kept(parse(item(labels=labels), mul=mul, more_than_labels=1)) == ([2] if mul == "fill" else [])


def statement(number: int, rank: str = "normal", **value: Any) -> dict[str, Any]:
    value = value or {"entity-type": "item", "numeric-id": number, "id": f"Q{number}"}
    return {"mainsnak": {"snaktype": "value", "datavalue": {"type": "wikibase-entityid", "value": value}}, "rank": rank}


@pytest.mark.parametrize(
    ("rule", "objects"), [("best", [2, 4, 5]), ("not_deprecated", [1, 2, 4, 5]), ("all", [1, 2, 3, 4, 5, 6])]
)
def test_ranks_are_taken_for_each_property_of_its_own(rule: str, objects: list[int]) -> None:
    first = [statement(1), statement(2, "preferred"), statement(3, "deprecated"), statement(2, "preferred")]
    second = [statement(4), statement(5), statement(6, "deprecated")]
    part = parse(item(claims={"P1": first, "P2": second}), ranks=rule)
    assert sorted(part.table("facts")["object"].to_pylist()) == objects
    assert part.counts["facts: stated twice by an item"] == 1
    assert part.counts["facts: rank not used"] == 6 - len(objects)


def test_a_preferred_novalue_hides_normal_values() -> None:
    nothing = {"mainsnak": {"snaktype": "novalue"}, "rank": "preferred"}
    part = parse(item(claims={"P1": [statement(1), nothing]}))
    assert len(part.table("facts")) == 0
    assert part.counts["statements: novalue"] == 1


def test_values_of_every_age_and_kind() -> None:
    values = [
        statement(0, **{"entity-type": "item", "numeric-id": 7}),
        statement(0, **{"entity-type": "item", "id": "Q8"}),
        statement(0, **{"id": "Q9"}),
        statement(0, **{"entity-type": "property", "numeric-id": 3, "id": "P3"}),
        statement(0, **{"entity-type": "lexeme", "id": "L3"}),
        {"mainsnak": {"snaktype": "value", "datavalue": {"type": "quantity", "value": {"id": "Q10"}}}},
        {"mainsnak": {"snaktype": "value", "datavalue": {"type": "bad", "value": None, "error": "x"}}},
    ]
    part = parse(item(claims={"P1": values}))
    assert part.table("facts")["object"].to_pylist() == [7, 8, 9]
    assert part.bad == []


def test_redirects_follow_chains_and_leave_circles() -> None:
    pairs = np.array([(1, 2), (2, 3), (7, 8), (8, 7), (9, 7), (4, 4), (5, 6), (5, 3)])
    redirects = Redirects(pairs)
    assert redirects.of(np.arange(11)).tolist() == [0, 3, 3, 3, 4, 3, 6, 7, 8, 9, 10]
    assert redirects.circles == 4
    assert redirects.redirected(np.array([1, 3, 7])).tolist() == [True, False, False]
    assert Redirects(np.empty((0, 2), np.int64)).of(np.array([5])).tolist() == [5]


def test_row_groups_do_not_depend_on_how_rows_come() -> None:
    def grouped(lengths: list[int]) -> list[list[int]]:
        found: list[list[int]] = []
        groups = RowGroups(lambda batch: found.append(batch["n"].to_pylist()), rows=4)
        rows = iter(range(sum(lengths)))
        for length in lengths:
            groups.add(pa.table({"n": [next(rows) for _ in range(length)]}, schema=pa.schema({"n": pa.int32()})))
        groups.close()
        return found

    expected = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert grouped([10]) == grouped([1] * 10) == grouped([0, 3, 0, 5, 2]) == grouped([4, 4, 2]) == expected
    assert grouped([0]) == []
