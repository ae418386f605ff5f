"""One line of the dump -> what a corpus keeps of it.

Lines are decoded by typed structs that name only what is needed: references, qualifiers and other languages are
skipped, not built. Statements are looked at only where an item has enough labels, which most items have not.
Traps of real dumps: an empty map is written `[]`; entity values of 2015 have no `id`; a dump also has properties,
lexemes and other entities.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from core.corpora.wikidata.dump import MAX_LINE
from core.corpora.wikidata.options import DumpOptions
from core.corpora.wikidata.parts import FACTS, LINES, TEXTS, BadLine, Part, Property, to_stream
from core.corpora.wikidata.statements import Unfit, Whole, item_facts, number_of

_SHOWN = 10_000  # characters of a bad line that the side file keeps
_COMMA, _BRACE = ord(","), ord("}")
_BOM = b"\xef\xbb\xbf"
_EMPTY = msgspec.Raw(b"[]")


class _Text(msgspec.Struct, gc=False):
    value: str


class _Title(msgspec.Struct, gc=False):
    title: str


def _by_key(name: str, keys: tuple[str, ...], value: Any) -> Any:
    """A struct with one optional field per key of a JSON object; other keys are skipped while it is decoded."""
    fields = [(f"field_{i}", value | None, None) for i in range(len(keys))]
    return msgspec.defstruct(name, fields, rename={f"field_{i}": key for i, key in enumerate(keys)}, gc=False)


def _values(struct: Any) -> tuple[Any, ...]:
    """The fields in order; none for an empty map written as a list."""
    if isinstance(struct, list):
        if struct:
            raise Unfit("a list where a map belongs")
        return ()
    return msgspec.structs.astuple(struct)


@dataclass
class _Texts:
    """Rows (entity, language, text), built column by column: `per_entity` counts rows."""

    per_entity: "array[int]" = field(default_factory=lambda: array("i"))
    language: "array[int]" = field(default_factory=lambda: array("h"))
    text: list[str] = field(default_factory=list)

    def add(self, languages: list[int], texts: list[str]) -> None:
        self.per_entity.append(len(texts))
        self.language.extend(languages)
        self.text.extend(texts)


class Parser:
    """Reads the lines of parts.

    Args:
        options: What is kept.
    """

    def __init__(self, options: DumpOptions) -> None:
        self._options = options
        languages = options.languages
        text_map = _by_key("Texts", (*languages, "mul"), _Text) | list[Any]
        wikis = options.wikis if options.sitelinks else {}
        self._site_language = [languages.index(language) for language in wikis.values()]
        head = [
            ("type", str, ""),
            ("id", str, ""),
            ("lastrevid", Whole, 0),
            ("labels", text_map, msgspec.field(default_factory=list)),
            *((name, msgspec.Raw, _EMPTY) for name in ("claims", "aliases", "descriptions", "sitelinks")),
            ("entity", str, ""),
            ("redirect", str, ""),
        ]
        self._decode_head = msgspec.json.Decoder(msgspec.defstruct("Head", head, gc=False)).decode
        self._decode_texts = msgspec.json.Decoder(_by_key("Descriptions", languages, _Text) | list[Any]).decode
        self._decode_aliases = msgspec.json.Decoder(_by_key("Aliases", languages, list[_Text]) | list[Any]).decode
        self._decode_sites = msgspec.json.Decoder(_by_key("Sitelinks", tuple(wikis), _Title) | list[Any]).decode

    def parse(self, text: bytes | mmap, size: int) -> Part:
        """Read the lines in the first `size` bytes of `text`: a part of a dump.

        What is skipped is checked to be JSON, but not to be UTF-8.
        """
        self._start()
        lines = 0
        view = memoryview(text)
        for start, end in _lines(text, size):
            lines += 1
            self._line = lines
            try:
                self._read(view, start, end)
            except msgspec.ValidationError as error:
                self._refuse(view[start:end], "not an entity", str(error))
            except (msgspec.DecodeError, RecursionError) as error:
                detail = "or a lone surrogate" if b"\\ud" in bytes(view[start:end]).lower() else ""
                self._refuse(view[start:end], "not JSON", f"{error} {detail}".strip())
            except UnicodeDecodeError as error:
                self._refuse(view[start:end], "not UTF-8", str(error))
            except Unfit as error:
                self._refuse(view[start:end], "not an entity", str(error))
        return self._part(lines)

    def _start(self) -> None:
        self._counts: Counter[str] = Counter()
        self._bad: list[BadLine] = []
        self._properties: list[Property] = []
        self._redirects: list[tuple[int, int]] = []
        self._kept = (array("q"), array("q"), array("i"))  # id, revision, line
        self._refused = (array("q"), array("q"), array("i"))
        self._labels, self._aliases, self._descriptions, self._sitelinks = (_Texts() for _ in range(4))
        self._facts = (array("i"), array("i"), array("q"))  # item of this part, property, object
        self._entity = 0

    def _refuse(self, line: memoryview, reason: str, detail: str) -> None:
        text = bytes(line[: 4 * _SHOWN]).decode("utf-8", "replace").rstrip("\r\n")[:_SHOWN]
        self._bad.append((self._line, reason, detail, text))

    def _read(self, view: memoryview, start: int, end: int) -> None:
        if end - start > MAX_LINE:
            raise Unfit(f"a line longer than {MAX_LINE:,} bytes")
        if end - start > 2 and view[end - 1] == _COMMA and view[end - 2] == _BRACE:
            line: memoryview | bytes = view[start : end - 1]
        else:
            line = bytes(view[start:end]).strip().removesuffix(b",")
            if line in (b"", b"[", b"]"):
                return
        head: Any = self._decode_head(line)
        if head.type == "item":
            self._item(head)
        elif head.type == "property":
            self._counts["properties"] += 1
            texts = self._label_texts(_values(head.labels))
            labels = [(int(language), text) for language, text in zip(*texts, strict=True)]
            self._properties.append((number_of(head.id, "P"), head.lastrevid, labels))
        elif head.entity and head.redirect:
            if head.entity[0] == "Q":
                self._redirects.append((number_of(head.entity, "Q"), number_of(head.redirect, "Q")))
            self._counts["redirect lines"] += 1
        elif head.type:
            self._counts[f"entities of type {head.type[:40]}"] += 1
        else:
            raise Unfit("neither type nor redirect")

    def _item(self, head: Any) -> None:
        number = number_of(head.id, "Q")
        labels = _values(head.labels)
        needed, filled = self._options.more_than_labels, False
        if labels and labels[-1] is not None:
            self._counts["items with a mul label"] += 1
            filled = self._options.mul == "fill"
        if len(labels) - labels.count(None) > needed or filled:
            languages, texts = self._label_texts(labels)
            if len(texts) > needed:
                self._keep(head, number, languages, texts)
                return
        self._counts["items"] += 1
        _append(self._refused, number, head.lastrevid, self._line)

    def _keep(self, head: Any, number: int, languages: list[int], texts: list[str]) -> None:
        """Everything that can fail comes before the first column grows."""
        facts, counts = item_facts(head.claims, self._options.ranks)
        aliases: tuple[list[int], list[str]] = ([], [])
        for language, values in enumerate(_values(self._decode_aliases(head.aliases))):
            for value in values or ():
                if text := value.value.strip():
                    aliases[0].append(language)
                    aliases[1].append(text)
        descriptions = self._texts(_values(self._decode_texts(head.descriptions)))
        if self._site_language:
            titles = _values(self._decode_sites(head.sitelinks))
            found = [(language, t.title) for language, t in zip(self._site_language, titles, strict=False) if t]
            self._sitelinks.add([language for language, _ in found], [title for _, title in found])
        self._counts["items"] += 1
        self._counts.update(counts)
        _append(self._kept, number, head.lastrevid, self._line)
        self._labels.add(languages, texts)
        self._aliases.add(*aliases)
        self._descriptions.add(*descriptions)
        if facts:
            for column, values in zip(
                self._facts, ([self._entity] * len(facts), *zip(*facts, strict=True)), strict=True
            ):
                column.extend(values)
        self._entity += 1

    def _label_texts(self, values: tuple[Any, ...]) -> tuple[list[int], list[str]]:
        """Languages (by position) and labels; the last value is that of `mul`, which holds for every language."""
        languages, texts = self._texts(values[:-1], "labels")
        if self._options.mul == "fill" and values and values[-1] and (general := values[-1].value.strip()):
            own = dict(zip(languages, texts, strict=True))
            languages = list(range(len(self._options.languages)))
            texts = [own.get(language, general) for language in languages]
            self._counts["labels filled from mul"] += len(texts) - len(own)
        return languages, texts

    def _texts(self, values: tuple[Any, ...], what: str = "descriptions") -> tuple[list[int], list[str]]:
        languages = [language for language, text in enumerate(values) if text is not None]
        written = [text.value for text in values if text is not None]
        texts = [text.strip() for text in written]
        if texts != written:
            self._counts[f"{what} with outer spaces"] += sum(a != b for a, b in zip(texts, written, strict=True))
        if not all(texts):
            self._counts[f"empty {what}"] += texts.count("")
            languages = [language for language, text in zip(languages, texts, strict=True) if text]
            texts = [text for text in texts if text]
        return languages, texts

    def _part(self, lines: int) -> Part:
        tables = {
            "kept": _rows(LINES, *self._kept),
            "refused": _rows(LINES, *self._refused),
            "facts": _rows(FACTS, *self._facts),
        }
        texts = {"labels": self._labels, "aliases": self._aliases, "descriptions": self._descriptions}
        if self._site_language:
            texts["sitelinks"] = self._sitelinks
        for name, rows in texts.items():
            entity = np.repeat(np.arange(self._entity, dtype=np.int32), rows.per_entity)
            tables[name] = _rows(TEXTS, entity, rows.language, rows.text)
        self._counts["lines"] = lines
        streams = {name: to_stream(table) for name, table in tables.items()}
        return Part(lines, dict(self._counts), self._bad, self._properties, self._redirects, streams)


def _append(columns: "tuple[array[int], ...]", *row: int) -> None:
    for column, value in zip(columns, row, strict=True):
        column.append(value)


def _rows(schema: pa.Schema, *columns: Any) -> pa.Table:
    arrays = [
        pa.array(np.asarray(column) if isinstance(column, array) else column, type)
        for column, type in zip(columns, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _lines(text: bytes | mmap, size: int) -> Iterator[tuple[int, int]]:
    """Start and end of each line, without its line feed."""
    at = len(_BOM) if text[: len(_BOM)] == _BOM else 0
    while at < size:
        end = text.find(b"\n", at, size)
        if end < 0:
            end = size
        yield at, end
        at = end + 1
