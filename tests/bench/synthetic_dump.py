"""A Wikidata JSON dump of any size, made from real items (`workbench data get wikidata`): same lines, fresh ids.

    python -m tests.bench.synthetic_dump --entities 200000 --out dump.json.bz2

Each entity takes a real item and keeps a share of its labels, aliases, statements and sitelinks: a small share mostly,
a large one for every seventh, so that about a fifth has more than 10 labels among the paper's 84 languages and a line
has 8 kB on average (real dumps: about 10 kB). Statements about items point to other synthetic ones. Every property
used has an entity of its own. The lines depend on the number of entities and the seed alone.
"""

import argparse
import bz2
import gzip
import json
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import zstandard

from core.folders import data_root

SOURCE = Path(__file__).parents[3] / "shared" / "data" / "wikidata"
_RICH = 1 / 7  # share of entities that keep much of their item
_BLOCK = 16 << 20  # bytes compressed as one member: as pigz and pbzip2 write them
_HERE = '"numeric-id":@,"id":"Q@"'  # where an object's number goes


@dataclass(frozen=True)
class Template:
    """A real item, cut into JSON fragments. In statements, `@` stands where the number of an item goes."""

    fields: dict[str, list[str]]
    statements: dict[str, list[str]]


def read_templates(source: Path = SOURCE) -> list[Template]:
    """The items of `dump_head50`."""
    found = next((f for f in (source, data_root() / "wikidata") if f.is_dir()), None)
    if found is None:
        raise SystemExit("The real items that the dump is made of are not here. Get them: workbench data get wikidata")
    lines = (found / "dump_head50" / "entities").read_text(encoding="utf-8").splitlines()[1:]
    return [_template(json.loads(line.rstrip(","))) for line in lines]


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _template(item: dict[str, Any]) -> Template:
    fields = {
        name: [f"{_dump(key)}:{_dump(value)}" for key, value in item[name].items()]
        for name in ("labels", "descriptions", "aliases", "sitelinks")
    }
    return Template(fields, {p: [_statement(s) for s in statements] for p, statements in item["claims"].items()})


def _statement(statement: dict[str, Any]) -> str:
    statement = json.loads(json.dumps(statement).replace("@", ""))
    value = statement["mainsnak"].get("datavalue", {})
    if value.get("type") == "wikibase-entityid" and value["value"].get("entity-type") == "item":
        value["value"] = {"entity-type": "item", "numeric-id": "@", "id": "Q@"}
    return _dump(statement).replace('"numeric-id":"@","id":"Q@"', _HERE)


def entity_lines(entities: int, seed: int = 0, source: Path = SOURCE) -> Iterator[bytes]:
    """The lines of a dump with `entities` items, brackets and line ends included."""
    draw = random.Random(seed)
    templates = read_templates(source)
    yield b"[\n"
    names = json.loads((source / "qwikidata" / "wd_P279.json").read_text(encoding="utf-8"))
    names = (names.get("entities") or {"P279": names})["P279"]["labels"]
    for id in sorted({property for t in templates for property in t.statements}):
        labels = {c: {"language": c, "value": f"{v['value']} {id}"} for c, v in names.items() if draw.random() < 0.5}
        line = {"type": "property", "datatype": "wikibase-item", "id": id, "labels": labels, "claims": []}
        yield (_dump(line) + ",\n").encode()
    for number in range(1, entities + 1):
        yield (
            _entity(number, entities, draw.choice(templates), draw) + (",\n" if number < entities else "\n")
        ).encode()
    yield b"]\n"


def _entity(number: int, entities: int, template: Template, draw: random.Random) -> str:
    share = draw.uniform(0.3, 0.7) if draw.random() < _RICH else draw.uniform(0.01, 0.08)
    parts = [f'{{"type":"item","id":"Q{number}"']
    for name, fragments in template.fields.items():
        parts.append(f'"{name}":{{{",".join(_some(fragments, share, draw))}}}')
    claims = []
    for property, statements in template.statements.items():
        if kept := _some(statements, share, draw):
            filled = [s.replace("@", str(draw.randint(1, entities))) if _HERE in s else s for s in kept]
            claims.append(f'"{property}":[{",".join(filled)}]')
    parts.append(f'"claims":{{{",".join(claims)}}}')
    return ",".join(parts) + f',"lastrevid":{10**9 + number}}}'


def _some(fragments: list[str], share: float, draw: random.Random) -> list[str]:
    return [fragment for fragment in fragments if draw.random() < share]


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    block = bytearray()
    for line in lines:
        block += line
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _zstd(block: bytes) -> bytes:
    return zstandard.compress(block, 3)


def _plain(block: bytes) -> bytes:
    return block


def write_dump(lines: Iterable[bytes], path: Path) -> int:
    """Write lines to `path`, compressed as its suffix says, block by block on all cores; returns the bytes of text."""
    compress = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": _zstd}.get(path.suffix, _plain)
    size, blocks = 0, _blocks(lines)
    with path.open("wb") as file, ProcessPoolExecutor() as pool:
        while group := list(islice(blocks, 4)):
            size += sum(map(len, group))
            file.writelines(pool.map(compress, group) if compress is not _plain else group)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    write_dump(entity_lines(asked.entities, asked.seed, asked.source), asked.out)


if __name__ == "__main__":
    main()
