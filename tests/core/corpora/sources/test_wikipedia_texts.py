import bz2
import gzip
import json
import zipfile
from pathlib import Path

import pytest
import zstandard

from core.corpora.rows import DataError, RowLog
from core.corpora.sources.wikipedia_texts import Page, read_pages, wiki_language

ABSTRACTS = """<feed>
<doc>
<title>Wikipedia : Zürich</title>
<url>https://de.wikipedia.org/wiki/Z%C3%BCrich_(Stadt)</url>
<abstract>Zürich ist eine Stadt &amp; mehr.</abstract>
<links>
<sublink linktype="nav"><anchor>Lage</anchor><link>https://de.wikipedia.org/wiki/Z%C3%BCrich#Lage</link></sublink>
</links>
</doc>
<doc><title>Wikipedia: Chur</title><abstract>Chur liegt am Rhein.</abstract></doc>
</feed>
"""


def cirrus(*pages: dict) -> bytes:
    lines = []
    for number, page in enumerate(pages):
        lines += [{"index": {"_type": "page", "_id": str(number)}}, page]
    return ("\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n").encode()


def page(**changes: object) -> dict:
    given = {"title": "Zürich", "namespace": 0, "language": "de", "wikibase_item": "Q72", "source_text": "'''Zürich'''"}
    return {**given, "opening_text": "Zürich ist eine Stadt.", "text": "Zürich ist eine Stadt. Mehr.", **changes}


def read(path: Path, log: RowLog | None = None, language: str | None = None) -> list[Page]:
    return list(read_pages(path, log or RowLog(), language))


DUMP = cirrus(
    page(),
    page(wikibase_item="Q2", opening_text=None, text="Chur liegt am Rhein.\nMehr", title="Chur"),
    page(namespace=1, title="Diskussion:Zürich"),
    page(wikibase_item=None, title="Ohne"),
    page(opening_text=None, text=None),
)


@pytest.mark.parametrize("packed", ["", ".gz", ".bz2", ".zst"])
def test_a_cirrus_dump(tmp_path: Path, packed: str) -> None:
    packers = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstandard.compress}
    path = tmp_path / f"dewiki-20240101-cirrussearch-content.json{packed}"
    half = DUMP.index(b"\n", len(DUMP) // 2) + 1
    path.write_bytes(packers[packed](DUMP[:half]) + packers[packed](DUMP[half:]))  # two members or frames in one file
    assert read(path) == [
        Page("de", "Zürich ist eine Stadt.", "Q72", "Zürich"),
        Page("de", "Chur liegt am Rhein.\nMehr", "Q2", "Chur"),
        Page("de", "Zürich ist eine Stadt.", None, "Ohne"),
    ]


def test_the_language_of_a_page_goes_before_the_files_and_the_callers_before_both(tmp_path: Path) -> None:
    path = tmp_path / "nowiki-20240101-cirrussearch-content.json"
    path.write_bytes(cirrus(page(language=None), page(language="nb"), page(language="nn")))
    assert [p.language for p in read(path)] == ["nb", "nb", "nn"]
    assert {p.language for p in read(path, language="da")} == {"da"}


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    rows = [
        {"entity": "Q72", "language": "de", "text": "Zürich"},
        {"title": "Zürich", "language": "de", "text": "Stadt\u2028!", "more": [1]},
    ]
    path.write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join(json.dumps(r, ensure_ascii=False) for r in rows).encode() + b"\r\n\r\n"
    )
    assert read(path) == [Page("de", "Zürich", "Q72", None), Page("de", "Stadt\u2028!", None, "Zürich")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"entity": "Q1", "language": "de"}', "keys are missing"),
        (b'{"entity": "Q1", "text": "x"}', "keys are missing"),
        (b'{"language": "de", "text": "x"}', "keys are missing"),
        (b'{"id": "Q1", "language": "de", "body": "x"}', "keys are missing"),
        (b'{"entity": "Q1", "language": "de", "text": ["x"]}', "not a page"),
        (b'{"entity": 1, "language": "de", "text": "x"}', "not a page"),
        (b'{"entity": "Q1", "language"', "not a page"),
        (b'["Q1"]', "not a page"),
        (b'{"entity": "Q1", "language": "de", "text": "\xff"}', "not a page"),
    ],
)
def test_bad_lines_are_named_or_counted(tmp_path: Path, line: bytes, reason: str) -> None:
    good = b'{"entity": "Q72", "language": "de", "text": "x"}\n'
    path = tmp_path / "texts.jsonl"
    path.write_bytes(good + line + b"\n" + good)
    with pytest.raises(DataError, match=f"texts.jsonl:2: {reason}"):
        read(path)
    log = RowLog(strict=False)
    assert len(read(path, log)) == 2
    assert log.summary() == {reason: 1}


def test_an_abstract_dump(tmp_path: Path) -> None:
    path = tmp_path / "dewiki-20240101-abstract.xml.gz"
    path.write_bytes(gzip.compress(ABSTRACTS.encode()))
    assert read(path) == [
        Page("de", "Zürich ist eine Stadt & mehr.", None, "Zürich_(Stadt)"),
        Page("de", "Chur liegt am Rhein.", None, "Chur"),
    ]


def test_an_abstract_dump_with_bad_docs(tmp_path: Path) -> None:
    path = tmp_path / "abstract.xml"
    path.write_text(ABSTRACTS, encoding="utf-8")
    with pytest.raises(DataError, match=r"keys are missing .*doc 2: "):  # no url and no language in the file's name
        read(path)
    log = RowLog(strict=False)
    assert len(read(path, log)) == 1
    assert len(read(path, language="de")) == 2
    path.write_text(ABSTRACTS[: ABSTRACTS.index("Chur")], encoding="utf-8")
    with pytest.raises(DataError, match=r"abstract.xml:10: not XML"):
        read(path)
    log = RowLog(strict=False)
    assert len(read(path, log)) == 1
    assert log.summary() == {"not XML": 1}
    path.write_bytes(b"")
    with pytest.raises(DataError, match="not XML"):
        read(path)


@pytest.mark.parametrize("name", ["dewiki-1-cirrussearch-content.json.gz", "dewiki-1-abstract.xml.gz"])
def test_a_cut_file_gives_what_was_read_in_lenient_mode(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    docs = "".join(f"<doc><title>A: {i}</title><abstract>x{i * i}</abstract></doc>\n" for i in range(40_000))
    content = f"<feed>{docs}</feed>".encode() if "xml" in name else cirrus(*(page(title=str(i)) for i in range(40_000)))
    packed = gzip.compress(content)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="cut or damaged"):
        read(path)
    log = RowLog(strict=False)
    assert 5_000 < len(read(path, log)) < 39_000
    assert log.summary() == {"the file is cut or damaged": 1}
    path.write_bytes(b"not packed at all")
    with pytest.raises(DataError, match="cut or damaged"):
        read(path)


def test_extracts(tmp_path: Path) -> None:
    (tmp_path / "ru").mkdir()
    path = tmp_path / "ru" / "extracts.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("extracts/", "")
        archive.writestr("extracts/Q72.txt", "Цюрих")
        archive.writestr("extracts/Q73.txt", b"\xff\xfe")
    with pytest.raises(DataError, match=r"Q73.txt"):
        read(path)
    assert read(path, RowLog(strict=False)) == [Page("ru", "Цюрих", "Q72", None)]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="cut or damaged"):
        read(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no"):
        read(tmp_path / "dewiki.json")


def test_progress_is_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_bytes(b'{"entity": "Q72", "language": "de", "text": "x"}\n' * 5000)
    seen: list[int] = []
    assert len(list(read_pages(path, RowLog(), read=seen.append))) == 5000
    assert len(seen) == 5
    assert seen == sorted(seen)
    assert seen[-1] <= path.stat().st_size


def test_languages_of_wikis() -> None:
    names = ("de", "dewiki", "de.wikipedia.org", "no", "nowiki", "be_x_old", "zh-min-nan.wikipedia.org")
    assert [wiki_language(n) for n in names] == ["de", "de", "de", "nb", "nb", "be-x-old", "zh-min-nan"]
