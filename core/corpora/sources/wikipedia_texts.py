"""Texts of Wikipedia pages, out of dumps or own files, one at a time.

- CirrusSearch dump (`dewiki-*-cirrussearch-content.json.gz`): lines in pairs, an index line and a page. The summary is
  `opening_text`, or `text` where a page without headings has null there.
- Abstract dump (`dewiki-*-abstract.xml.gz`): `<doc>` elements with title, url and abstract. They name no entity.
- JSON lines (`*.jsonl`, `*.json`): `text`, `language`, and `entity` or `title`.
- CoDEx (`extracts.zip`): members `<Q id>.txt`; the language is the name of the folder.

All but the last may be packed as `.gz`, `.bz2` or `.zst`.
"""

import bz2
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import msgspec
import zstandard
from isal import igzip, isal_zlib

from core.corpora.rows import RowLog, require

_DAMAGED = cast(  # isal's stubs declare its error as an instance
    "tuple[type[Exception], ...]", (EOFError, OSError, isal_zlib.IsalError, zstandard.ZstdError)
)
_WIKI = re.compile(r"([a-z][a-z_]*?)wiki[-_]")
_BUFFER = 1 << 20
_CODES = {"no": "nb"}  # the wiki of Bokmål
_PREFIX = re.compile(r"^[^:]{1,40}?\s?:\s")  # `Wikipedia: ` and its like in other languages


@dataclass(frozen=True, slots=True)
class Page:
    """The summary of a page, and what the page is about: an entity's id, or a title where the source has no id."""

    language: str
    text: str
    entity: str | None = None
    title: str | None = None


class _Line(msgspec.Struct):
    """A line of a CirrusSearch dump or of own data; the text, which is long in dumps, is decoded when it is wanted."""

    index: dict[str, Any] | None = None
    namespace: int = 0
    wikibase_item: str | None = None
    opening_text: str | None = None
    entity: str | None = None
    title: str | None = None
    language: str | None = None
    text: msgspec.Raw = msgspec.Raw(b"null")


def wiki_language(code: str) -> str:
    """The language of a wiki: `de` of `de`, `dewiki` or `de.wikipedia.org`, `nb` of `no`."""
    code = code.split(".")[0].removesuffix("wiki").replace("_", "-")
    return _CODES.get(code, code)


def read_pages(
    path: Path, log: RowLog, language: str | None = None, read: Callable[[int], object] | None = None
) -> Iterator[Page]:
    """Pages of a file, in its order; nothing but the page at hand is in memory.

    Args:
        path: The file; its name and ending say what it is.
        log: What becomes of bad lines, and of the rest of a file that is cut or damaged.
        language: Language of the file; None takes what the pages, or the file's name, say.
        read: Called now and then with the bytes of the file that were read.

    Raises:
        DataError: If the file is missing, or, in strict mode, a line is bad or the file damaged.
    """
    require(path, "Wikipedia texts")
    if path.suffix == ".zip":
        yield from _extracts(path, log, language)
        return
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("rb"))
        stream = stack.enter_context(_decompressed(raw, path))
        pages = _abstracts if ".xml" in path.suffixes else _lines
        for number, page in enumerate(pages(path, stream, log, language)):
            if read and number % 1000 == 0:
                read(raw.tell())
            yield page


def _decompressed(raw: BinaryIO, path: Path) -> BinaryIO:
    unpacked: Any
    if path.suffix == ".gz":
        unpacked = igzip.IGzipFile(fileobj=raw)
    elif path.suffix == ".bz2":
        unpacked = bz2.BZ2File(raw)
    elif path.suffix == ".zst":
        unpacked = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    else:
        return raw
    return cast("BinaryIO", io.BufferedReader(unpacked, _BUFFER))


def _named_language(path: Path) -> str | None:
    found = _WIKI.match(path.name)
    return wiki_language(found[1]) if found else None


def _lines(path: Path, stream: BinaryIO, log: RowLog, language: str | None) -> Iterator[Page]:
    decoder, is_dump, number = msgspec.json.Decoder(_Line), False, 0
    named = _named_language(path)
    try:
        for number, raw in enumerate(stream, 1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if not line.strip():
                continue
            try:
                row = decoder.decode(line)
                summary = row.opening_text
                if summary is None:
                    summary = msgspec.json.decode(row.text, type=str | None)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                log.bad(path, number, "not a page", line.decode("utf-8", "replace").rstrip(), str(error))
                continue
            if row.index is not None:
                is_dump = True
                continue
            code = language or row.language or named
            entity = row.wikibase_item or row.entity
            if is_dump and (row.namespace != 0 or summary is None):
                continue
            if summary is None or not code or not (entity or row.title):
                lacks = "a page has text, language, and entity or title"
                log.bad(path, number, "keys are missing", line.decode("utf-8", "replace").rstrip(), lacks)
            else:
                yield Page(code, summary, entity, row.title)
    except _DAMAGED as error:
        log.bad(path, number, "the file is cut or damaged", detail=f"{error}; nothing after this line was read")


def _abstracts(path: Path, stream: BinaryIO, log: RowLog, language: str | None) -> Iterator[Page]:
    named, number = language or _named_language(path), 0
    try:
        events = ElementTree.iterparse(stream, events=("start", "end"))
        _, root = next(events)
        for event, element in events:
            if event == "start" or element.tag != "doc":
                continue
            number += 1
            fields = {child.tag: (child.text or "").strip() for child in element}
            root.clear()
            site = urlsplit(fields.get("url", ""))
            code = named or (wiki_language(site.netloc) if site.netloc else None)
            title = unquote(site.path.partition("/wiki/")[2]) or _PREFIX.sub("", fields.get("title", ""))
            if code and title and "abstract" in fields:
                yield Page(code, fields["abstract"], title=title)
            else:
                lacks = (
                    f"doc {number}: a page has title or url, and abstract; this one has {', '.join(fields) or 'none'}"
                )
                log.bad(path, 0, "keys are missing", str(fields), lacks)
    except ElementTree.ParseError as error:
        log.bad(path, error.position[0], "not XML", detail=f"{error}; nothing after this line was read")
    except _DAMAGED as error:
        log.bad(path, 0, "the file is cut or damaged", detail=f"{error}; nothing after doc {number} was read")


def _extracts(path: Path, log: RowLog, language: str | None) -> Iterator[Page]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                member = PurePosixPath(name)
                if member.suffix != ".txt":
                    continue
                try:
                    yield Page(language or path.resolve().parent.name, archive.read(name).decode("utf-8"), member.stem)
                except (UnicodeDecodeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                    log.bad(path, 0, "not a text in UTF-8", detail=f"{name}: {error}")
    except zipfile.BadZipFile as error:
        log.bad(path, 0, "the file is cut or damaged", detail=str(error))
