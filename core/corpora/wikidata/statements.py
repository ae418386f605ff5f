"""The statements of an item -> its facts: (property, item) pairs of the wanted ranks."""

from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

import msgspec

from core.corpora.wikidata.options import Ranks

Whole = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]  # what the columns hold
_RANKS = Literal["preferred", "normal", "deprecated"]
_SNAKS = Literal["value", "somevalue", "novalue"]


class Unfit(ValueError):
    """A line is JSON but no entity of a dump; the message is the reason."""


class _EntityValue(msgspec.Struct, gc=False, rename={"number": "numeric-id", "kind": "entity-type"}):
    number: Whole | None = None
    id: str = ""
    kind: str = ""


class _Value(msgspec.Struct, gc=False):
    type: str
    value: msgspec.Raw


class _Snak(msgspec.Struct, gc=False):
    snaktype: _SNAKS
    datavalue: _Value | None = None


class _Statement(msgspec.Struct, gc=False):
    mainsnak: _Snak
    rank: _RANKS = "normal"


_decode_value = msgspec.json.Decoder(_EntityValue).decode
_decode_claims = msgspec.json.Decoder(dict[str, list[_Statement]] | list[Any]).decode


def number_of(id: str, letter: str) -> int:
    """The number in an id such as Q42 or P31.

    Raises:
        Unfit: If it is none.
    """
    digits = id[1:]
    if id[:1] != letter or not (digits.isascii() and digits.isdigit()) or len(digits) > (18 if letter == "Q" else 9):
        raise Unfit(f"no {letter} id")
    return int(digits)


@lru_cache(1 << 16)
def property_number(id: str) -> int:
    """The number of a property, such as 31 for P31.

    Raises:
        Unfit: If it is no property.
    """
    return number_of(id, "P")


def item_facts(raw_claims: msgspec.Raw, rule: Ranks) -> tuple[list[tuple[int, int]], dict[str, int]]:
    """Distinct (property, item) pairs of the statements of the wanted ranks, and counts of all statements.

    Args:
        raw_claims: The item's `claims`, as JSON.
        rule: Which ranks are wanted.

    Raises:
        Unfit: If they are none.
        msgspec.DecodeError: If they are no JSON, or statements lack what they must have.
    """
    claims = _decode_claims(raw_claims)
    if isinstance(claims, list):
        if claims:
            raise Unfit("a list where a map belongs")
        return [], {}
    facts: dict[tuple[int, int], None] = {}
    ranks_seen: list[str] = []
    snaks = {"somevalue": 0, "novalue": 0}
    ruled_out = stated = 0
    for id, statements in claims.items():
        property = property_number(id)
        ranks = [statement.rank for statement in statements]
        ranks_seen += ranks
        accepted = _accepted(rule, ranks)
        for statement in statements:
            value = statement.mainsnak.datavalue
            if value is None or statement.mainsnak.snaktype != "value":
                if statement.mainsnak.snaktype == "value":
                    raise Unfit("a value is missing")
                snaks[statement.mainsnak.snaktype] += 1
            elif value.type == "wikibase-entityid":
                target = _item_number(_decode_value(value.value))
                if target and statement.rank in accepted:
                    facts[property, target] = None
                    stated += 1
                elif target:
                    ruled_out += 1
    counts = {f"statements: {kind}": number for kind, number in snaks.items()}
    counts |= {f"statements: {rank}": ranks_seen.count(rank) for rank in get_args(_RANKS)}
    counts["facts: rank not used"] = ruled_out
    counts["facts: stated twice by an item"] = stated - len(facts)
    return list(facts), counts


def _accepted(rule: Ranks, ranks: list[str]) -> tuple[str, ...]:
    if rule == "best":
        return ("preferred",) if "preferred" in ranks else ("normal",)
    return ("preferred", "normal", "deprecated") if rule == "all" else ("preferred", "normal")


def _item_number(value: _EntityValue) -> int:
    """Number of the item that a value names; 0 where it names something else. Dumps of 2015 have no `id`."""
    if value.kind == "item" and value.number is not None:
        return value.number
    return number_of(value.id, "Q") if value.id.startswith("Q") else 0
