"""Uploaded files: what is read, and what is said of the lines that are not."""

from core.probing.sentence_file import CHARACTERS, read_sentences


def test_sentences_with_and_without_a_language() -> None:
    found = read_sentences("\ufeffBerlin ist groß.\r\n\nzh\t柏林很大\n pt-BR \t Olá \n".encode())
    assert found.lines == [1, 3, 4]
    assert found.languages == ["", "zh", "pt-BR"]
    assert found.texts == ["Berlin ist groß.", "柏林很大", "Olá"]
    assert found.problems == {}


def test_each_bad_line_has_its_problem_and_the_others_stay() -> None:
    lines = [
        b"fine",
        b"bad \xff byte",
        b"a\tb\tc",
        b"German\tHallo",
        b"x" * (CHARACTERS + 1),
        b"a\x00b",
        b"?!",
        b"de\t",
        b"end",
    ]
    found = read_sentences(b"\n".join(lines))
    assert found.lines == [1, 9]
    assert list(found.problems) == [2, 3, 4, 5, 6, 7, 8]
    assert found.problems[2] == "byte 5 is not UTF-8: save the file as UTF-8"
    assert found.problems[3].startswith("3 columns")
    assert "'German' is no language code" in found.problems[4]
    assert found.problems[5] == "1001 characters: a sentence may have 1000"
    assert "control character" in found.problems[6]
    assert found.problems[7] == found.problems[8] == "no letter or digit"


def test_what_is_too_much_is_left_out_and_said() -> None:
    found = read_sentences(b"a\nb\nc\nd\n", rows=2)
    assert found.texts == ["a", "b"]
    assert found.problems == {3: "this line and what follows is left out: a file may have 2 sentences"}
    assert read_sentences(b"") == read_sentences(b"\n \n")
