"""Rows of other people's files: every bad one is named by file and line, or counted and kept."""

import json
from pathlib import Path

import pytest

from core.corpora.rows import (
    SIDE_FILE,
    DataError,
    RowLog,
    read_json,
    read_json_lines,
    read_lines,
    read_table,
    read_tsv,
    require,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.tsv"


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"", []),
        (b"a", [(1, "a")]),
        (b"a\n", [(1, "a")]),
        (b"a\r\nb\r\n", [(1, "a"), (2, "b")]),
        (b"\xef\xbb\xbfa\nb", [(1, "a"), (2, "b")]),
        (b"a\n\nb\n", [(1, "a"), (2, ""), (3, "b")]),
        ("a\u2028b\u0085c\x0bd\n".encode(), [(1, "a\u2028b\u0085c\x0bd")]),
        (b" a \t\n", [(1, " a \t")]),
    ],
)
def test_only_line_feeds_end_lines(file: Path, raw: bytes, lines: list) -> None:
    file.write_bytes(raw)
    assert list(read_lines(file, RowLog())) == lines


def test_lines_before_the_first_are_skipped_but_counted(file: Path) -> None:
    file.write_bytes(b"\xff header\na\nb\n")
    assert list(read_lines(file, RowLog(), first_line=2)) == [(2, "a"), (3, "b")]


def test_a_line_that_is_not_utf8(file: Path) -> None:
    file.write_bytes(b"good\n\xff\xfe bad\r\nalso good\n")
    with pytest.raises(DataError, match=rf"{file}:2: not UTF-8 .*bad.*Mend the row, or read leniently \(--lenient\)"):
        list(read_lines(file, RowLog()))
    log = RowLog(strict=False)
    assert list(read_lines(file, log)) == [(1, "good"), (3, "also good")]
    assert log.summary() == {"not UTF-8": 1}
    assert (log.rows[0].line, log.rows[0].text) == (2, "\ufffd\ufffd bad")


def test_a_fault_of_the_whole_file_has_no_line(file: Path) -> None:
    with pytest.raises(DataError, match=rf"^{file}: cut short \(3 of 9\)\. Mend"):
        RowLog().bad(file, 0, "cut short", detail="3 of 9")


def test_cells(file: Path) -> None:
    file.write_bytes(b'a\t"b\n\n   \nc\td\te\n\tf\n')
    with pytest.raises(DataError, match=rf"{file}:4: not 2 columns \(has 3\): 'c\\td\\te'"):
        list(read_tsv(file, 2, RowLog()))
    log = RowLog(strict=False)
    assert list(read_tsv(file, 2, log)) == [(1, ["a", '"b']), (5, ["", "f"])]
    assert log.summary() == {"not 2 columns": 1}
    assert [len(cells) for _, cells in read_tsv(file, None, RowLog())] == [2, 3, 2]


def test_json_lines(file: Path) -> None:
    file.write_text('{"a": 1, "b": 2}\n\n{"a": \n[1]\n{"b": 1}\n', encoding="utf-8")
    log = RowLog(strict=False)
    assert list(read_json_lines(file, log, ("a", "b"))) == [(1, {"a": 1, "b": 2})]
    assert log.summary() == {"keys are missing": 1, "not JSON": 1, "not a JSON object": 1}
    assert [row.line for row in log.rows] == [3, 4, 5]
    with pytest.raises(DataError, match=rf"{file}:3: not JSON"):
        list(read_json_lines(file, RowLog()))
    file.write_text('{"b": 1}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r":1: keys are missing \(lacks a; has b\)"):
        list(read_json_lines(file, RowLog(), ("a", "b")))


def test_a_table_in_either_format(tmp_path: Path) -> None:
    tsv, jsonl = tmp_path / "x.tsv", tmp_path / "x.jsonl"
    tsv.write_bytes(b"\xef\xbb\xbfb\ta\r\n\r\n2\t1\r\n3\r\n")
    jsonl.write_text('{"a": 1, "b": 2, "c": 3}\n', encoding="utf-8")
    log = RowLog(strict=False)
    assert list(read_table(tsv, log, ("a", "b"))) == [(3, {"a": "1", "b": "2"})]
    assert log.summary() == {"not the columns of the first line": 1}
    assert list(read_table(jsonl, RowLog(), ("a", "b"))) == [(1, {"a": 1, "b": 2, "c": 3})]
    with pytest.raises(DataError, match=r"x\.tsv:4: not the columns of the first line \(has 1 cells\)"):
        list(read_table(tsv, RowLog(), ("a", "b")))
    for first in ("a\tc", "a\tb\tb", ""):
        tsv.write_text(f"{first}\n", encoding="utf-8")
        with pytest.raises(DataError, match=r"x\.tsv:1: the first line must name the columns a, b; it is"):
            list(read_table(tsv, log, ("a", "b")))


def test_a_json_file(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa9"}')
    assert read_json(file) == {"a": "é"}
    file.write_text('{\n"a": 1,\n', encoding="utf-8")
    with pytest.raises(DataError, match=rf"{file}:3: not JSON"):
        read_json(file)
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DataError, match="not UTF-8"):
        read_json(file)
    with pytest.raises(DataError, match="there is no"):
        read_json(file.with_name("other.json"))


def test_a_missing_file_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "near.txt").touch()
    with pytest.raises(DataError, match=r"X: there is no .*far\.txt\. There is: near\.txt\. Get the data: workbench"):
        require(tmp_path / "far.txt", "X")
    with pytest.raises(DataError, match=r"there is no .*deep/far\.txt\. Get the data"):
        list(read_lines(tmp_path / "deep" / "far.txt", RowLog()))
    assert require(tmp_path / "near.txt", "X") == tmp_path / "near.txt"


def test_bad_rows_are_counted_without_end_and_kept_to_a_limit(tmp_path: Path) -> None:
    log = RowLog(strict=False, keep=2)
    for line in range(5):
        log.bad(tmp_path / "x", line, "odd" if line % 2 else "even", f"row {line} é", "why")
    assert log.summary() == {"even": 3, "odd": 2}
    log.write(tmp_path)
    kept = [json.loads(line) for line in (tmp_path / SIDE_FILE).read_text(encoding="utf-8").splitlines()]
    assert kept == [
        {"file": str(tmp_path / "x"), "line": i, "reason": f"{reason} (why)", "text": f"row {i} é"}
        for i, reason in enumerate(("even", "odd"))
    ]


def test_no_bad_rows_no_side_file(tmp_path: Path) -> None:
    RowLog().write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_long_row_is_cut_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        RowLog().bad(tmp_path, 1, "long", "x" * 10_000)
    assert len(str(caught.value)) < 500
