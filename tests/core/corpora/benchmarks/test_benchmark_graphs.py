"""DBP-5L, DBP15K, SRPRS and WK3L-60k: the counts of the real files, and every kind of bad row."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from core.corpora.benchmarks import alignment, dbp5l, wk3l60k
from core.corpora.rows import DataError, RowLog

LANGUAGES = ("el", "en", "es", "fr", "ja")


def numbers(text: str) -> list[int]:
    return [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", text)]


# --- DBP-5L ---------------------------------------------------------------------------------------------------------


def test_dbp5l_has_the_counts_of_its_readme(shared_data: Path, built, sizes) -> None:
    benchmark, log = built(dbp5l.read, shared_data / "dbp5l")
    assert not log.counts
    readme = (shared_data / "dbp5l" / "README.md").read_text(encoding="utf-8")
    table = {
        line[2:4]: numbers(line.split("|", 2)[2]) for line in readme.splitlines() if re.match(r"\| [a-z]{2} \|", line)
    }
    triples, entities = sizes(benchmark, "triples"), sizes(benchmark, "entities")
    for language in LANGUAGES:
        count, _, train, val, test = table[language][:5]
        assert entities[language, ""] == count
        assert [triples[language, split] for split in ("train", "valid", "test")] == [train, val, test]
        used = benchmark.column("triples", "relation")[benchmark.rows("triples", language=language)]
        assert len(set(used.tolist())) == table[language][8]
    assert benchmark.info.counts["relations"] == 960
    links = dict(re.findall(r"([a-z]{2}-[a-z]{2}) (\d,\d+/\d,\d+)", readme))
    assert len(links) == 10
    pairs, left_out = sizes(benchmark, "pairs"), benchmark.info.build["left_out"]
    for pair, counts in links.items():
        rows, unique = numbers(counts.replace("/", " "))
        assert pairs[pair, "train"] == unique
        assert left_out[f"repeated links, {pair}"] == rows - unique


def test_dbp5l_decodes_to_the_triples_and_links_of_its_readme(shared_data: Path, built) -> None:
    benchmark, _ = built(dbp5l.read, shared_data / "dbp5l")
    name, relation = benchmark.texts("entities", "name"), benchmark.texts("relations", "name")
    first = {language: benchmark.records("triples", language=language, split="test")[0] for language in ("el", "en")}
    read = {code: (name[t["subject"]], relation[t["relation"]], name[t["object"]]) for code, t in first.items()}
    assert read["el"] == ("Σέφιλντ Γιουνάιτεντ", "home arena", "Σέφιλντ")
    assert read["en"] == ("Curtis Hanson", "award", "L.A. Confidential (film)")
    links = {(name[p["source"]], name[p["target"]]) for p in benchmark.records("pairs", source_language="el")}
    assert {("Ρόκυ Νο 4: Η Γιγαντομαχία", "Rocky IV"), ("Μίχαελ Χάνεκε", "Michael Haneke")} <= links
    assert "AC/DC" in name  # not cut at its slash
    equal = sum(name[p["source"]] == name[p["target"]] for p in benchmark.records("pairs", source_language="en"))
    assert equal == 2771  # README: names equal on both sides of 5,234 en-fr links
    english = [name[row] for row in benchmark.rows("entities", language="en")]
    assert len(english) - len(set(english)) == 45  # README: lines that repeat an earlier URI


DBP5L = {
    "relations.txt": "http://dbpedia.org/ontology/capital\r\nhttp://dbpedia.org/property/homeArena\r\n",
    "entity/en.tsv": "http://dbpedia.org/resource/AC/DC\r\nhttp://dbpedia.org/resource/Why%3F_(film)\r\n",
    "entity/el.tsv": "http://el.dbpedia.org/resource/Αθήνα\r\n",
    "entity/de.tsv": "http://de.dbpedia.org/resource/Bern\r\n",
    "kg/en-train.tsv": "0\t0\t1\r\n",
    "kg/en-val.tsv": "0\t1\t1\r\n0\t1\t1\r\n",
    "kg/en-test.tsv": "1\t1\t0\r\n",
    "kg/el-train.tsv": "0\t0\t0\r\n",
    "kg/el-val.tsv": "",
    "kg/el-test.tsv": "",
    "seed_alignlinks/el-en.tsv": "0.0\t1.0\r\n0.0\t1.0\r\n",
}


def test_dbp5l_layout(files, built) -> None:
    benchmark, _ = built(dbp5l.read, files(DBP5L))
    assert benchmark.texts("entities", "name") == ["Αθήνα", "AC/DC", "Why? (film)"]
    assert benchmark.texts("entities", "id") == ["0", "0", "1"]
    assert benchmark.texts("relations", "name") == ["capital", "home arena"]
    assert benchmark.languages == ["el", "en"]
    assert benchmark.info.build["left_out"] == {
        "entity lists of a language without triples: de": 1,
        "repeated links, el-en": 1,
        "repeated triples, valid": 1,
    }


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("kg/en-train.tsv", "0\t0\n", r"en-train.tsv:1: not 3 columns \(has 2\)"),
        ("kg/en-test.tsv", "0\t0\t1\n0\t0\t9\n", r"en-test.tsv:2: unknown id \(no line .* has 9\)"),
        ("kg/en-test.tsv", "0\t0\tone\n", r"en-test.tsv:1: ids are not integers"),
        ("entity/en.tsv", "http://dbpedia.org/resource/A\n\n", r"en.tsv:2: no DBpedia URI"),
        ("relations.txt", b"http://x.org/\xff\n", r"relations.txt:1: not UTF-8"),
        ("relations.txt", "", r"relations.txt holds no URI"),
        ("kg/en-test.tsv", "1\t1\t0\n1\t1\t0", r"en-test.tsv: the last line has no end: the file may be cut"),
        ("seed_alignlinks/el-en.tsv", "0.5\t1.0\n", r"el-en.tsv:1: ids are no whole numbers"),
        ("seed_alignlinks/el-en.tsv", "0.0\tinf\n", r"el-en.tsv:1: ids are no whole numbers"),
        ("seed_alignlinks/de-en.tsv", "0.0\t1.0\n", r"de-en.tsv: links of a language without triples"),
    ],
)
def test_dbp5l_names_file_and_line_of_a_bad_row(files, file: str, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dbp5l.read(files(DBP5L | {file: text}), RowLog())


def test_dbp5l_lenient_keeps_ids_right_after_a_bad_line(files, built) -> None:
    entities = "http://dbpedia.org/resource/A\nnothing\nhttp://dbpedia.org/resource/C\n"
    triples = "0\t0\t2\n0\t0\t1\n"
    source = files(DBP5L | {"entity/en.tsv": entities, "kg/en-train.tsv": triples, "kg/en-test.tsv": "2\t0\t0\n"})
    (source / "kg" / "en-val.tsv").write_text("")
    (source / "seed_alignlinks" / "el-en.tsv").write_text("")
    benchmark, log = built(dbp5l.read, source, lenient=True)
    assert log.counts == {"no DBpedia URI": 1, "unknown id": 1}
    name = benchmark.texts("entities", "name")
    kept = benchmark.records("triples", language="en")
    assert [(name[t["subject"]], name[t["object"]]) for t in kept] == [("A", "C"), ("C", "A")]


def test_dbp5l_missing_files_are_named(files, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no .*kg"):
        dbp5l.read(tmp_path, RowLog())
    source = files(DBP5L)
    (source / "kg" / "en-val.tsv").unlink()
    with pytest.raises(DataError, match=r"there is no .*en-val.tsv. There is: .*en-test.tsv"):
        dbp5l.read(source, RowLog())


# --- DBP15K and SRPRS -----------------------------------------------------------------------------------------------


def test_dbp15k_has_the_counts_of_its_readme(shared_data: Path, built, sizes) -> None:
    benchmark, _ = built(alignment.read_dbp15k, shared_data / "dbp15k")
    assert sizes(benchmark, "entities") == {("fr", ""): 19661, ("en", ""): 19993}
    assert sizes(benchmark, "pairs") == {("en-fr", "train"): 4500, ("en-fr", "test"): 10500}
    assert sizes(benchmark, "triples") == {("fr", "train"): 105998, ("en", "train"): 115722}
    assert sizes(benchmark, "relations") == {("fr", ""): 903, ("en", ""): 1208}
    name = benchmark.texts("entities", "name")
    ends = [(name[p["source"]], name[p["target"]]) for p in benchmark.records("pairs")]
    assert sum(a == b for a, b in ends) == 7505
    assert ends[1] == ("Self Portrait (Bob Dylan album)", "Self Portrait")


def test_dbp15k_takes_validation_pairs_out_of_the_training_pairs(shared_data: Path, built, sizes) -> None:
    benchmark, _ = built(alignment.read_dbp15k, shared_data / "dbp15k", valid_share=0.1)
    found = sizes(benchmark, "pairs")
    assert found["en-fr", "test"] == 10500
    assert found["en-fr", "train"] + found["en-fr", "valid"] == 4500
    assert 400 < found["en-fr", "valid"] < 500


def test_srprs_has_the_counts_of_its_readme(shared_data: Path, built, sizes) -> None:
    benchmark, _ = built(alignment.read_srprs, shared_data / "srprs", valid_share=0.1)
    name = benchmark.texts("entities", "name")
    for language, equal in (("de", 6472), ("fr", 6614)):
        assert sizes(benchmark, "entities")[language, ""] == 15000
        pairs = benchmark.records("pairs", source_language="en", target_language=language)
        assert len(pairs) == 10500
        assert sum(name[p["source"]] == name[p["target"]] for p in pairs) == equal
    assert not any(text.endswith("\r") for text in name)
    splits = Counter(benchmark.texts("pairs", "split"))
    assert splits["test"] / 21000 == pytest.approx(0.7, abs=0.02)
    assert splits["valid"] / 21000 == pytest.approx(0.1, abs=0.02)
    by_name: dict[str, set[str]] = {}
    for pair in benchmark.records("pairs"):
        by_name.setdefault(name[pair["source"]], set()).add(pair["split"])
    assert all(len(found) == 1 for found in by_name.values())  # no English name is in two splits
    assert len(by_name) < 21000  # and some are in both files


SRPRS = {
    "x_en/ent_ids_1": "0\thttp://dbpedia.org/resource/Bern\n1\thttp://dbpedia.org/resource/AC/DC\n",
    "x_en/ent_ids_2": "2\thttp://de.dbpedia.org/resource/Bern_(Stadt)\r\n3\thttp://de.dbpedia.org/resource/AC/DC\r\n",
    "x_en/ref_ent_ids": "0\t2\n1\t3\n",
    "x_en/triples_1": "0\t7\t1\n",
    "x_en/rel_ids_1": "7\thttp://dbpedia.org/ontology/twinTown\r\n",
}


def test_alignment_folder_layout(files, built) -> None:
    benchmark, _ = built(alignment.read_srprs, files(SRPRS), test_share=0.0)
    assert benchmark.texts("entities", "name") == ["Bern", "AC/DC", "Bern (Stadt)", "AC/DC"]
    assert benchmark.texts("entities", "language") == ["en", "en", "de", "de"]
    assert benchmark.texts("relations", "name") == ["twin town"]
    assert benchmark.records("pairs", split="train")[1] == {
        "source_language": "en",
        "target_language": "de",
        "split": "train",
        "source": 1,
        "target": 3,
    }
    assert benchmark.info.build["test_share"] == 0.0


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("ref_ent_ids", "0\t9\n", r"ref_ent_ids:1: not two ids of the entity files"),
        ("ref_ent_ids", "0\t2\t3\n", r"ref_ent_ids:1: not 2 columns"),
        ("ent_ids_1", "0\thttp://example.org/Bern\n", r"ent_ids_1:1: not an id and a DBpedia URI"),
        (
            "ent_ids_1",
            "0\thttp://dbpedia.org/resource/A\n0\thttp://dbpedia.org/resource/B\n",
            r"ent_ids_1:2: repeated id",
        ),
        (
            "ent_ids_2",
            "2\thttp://de.dbpedia.org/resource/A\n3\thttp://dbpedia.org/resource/B\n",
            r":2: another language",
        ),
        ("ent_ids_2", "2\thttp://dbpedia.org/resource/A\n3\thttp://dbpedia.org/resource/B\n", "must be English"),
        ("ent_ids_2", "", r"ent_ids_2 holds no entity"),
        ("ref_ent_ids", "0\t2\n1\t3", r"ref_ent_ids: the last line has no end"),
        ("triples_1", "0\t7\t5\n", r"triples_1:1: not the ids of a triple"),
        ("rel_ids_1", "x\thttp://dbpedia.org/ontology/a\n", r"rel_ids_1:1: not an id and a URI"),
    ],
)
def test_alignment_names_file_and_line_of_a_bad_row(files, file: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        alignment.read_srprs(files(SRPRS | {f"x_en/{file}": text}), RowLog())


def test_alignment_without_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no .*ref_ent_ids"):
        alignment.read_dbp15k(tmp_path, RowLog())


# --- WK3L-60k: the files are nowhere, so the format is written by hand ------------------------------------------------


def wk3l(pairs: int, seed: int = 0) -> dict[str, str]:
    """Files in the released format: lower-cased names, `@@@` between, a quarter of the pairs for training."""
    draw, contents = random.Random(seed), {}
    for language in ("de", "fr"):
        lines = [f"name {language} {i}, idaho@@@name {i} (idaho) {draw.choice('äéß')}\n" for i in range(pairs)]
        contents[f"alignment/en_{language}_60k_train25.csv"] = "".join(lines[: pairs // 4])
        contents[f"alignment/en_{language}_60k_test75.csv"] = "".join(lines[pairs // 4 :])
        contents[f"alignment/en_{language}_60k.csv"] = "".join(lines)  # the whole list lies beside them in the release
        contents[f"structure/{language}_60k.csv"] = "name 1 (idaho) ä@@@part of@@@idaho\n"
    return contents


def test_wk3l60k_reads_the_released_format(files, built, sizes) -> None:
    benchmark, log = built(wk3l60k.read, files(wk3l(40)))
    assert not log.counts
    assert sizes(benchmark, "pairs") == {
        (f"en-{code}", split): n for code in ("de", "fr") for split, n in (("train", 10), ("test", 30))
    }
    assert sizes(benchmark, "triples") == {("de", "train"): 1, ("fr", "train"): 1}
    assert "name de 3, idaho" in benchmark.texts("entities", "name")
    assert len(benchmark.info.build["files"]) == 4


def test_wk3l60k_validation_pairs_come_out_of_the_training_pairs(files, built, sizes) -> None:
    benchmark, _ = built(wk3l60k.read, files(wk3l(80)), valid_share=0.25)
    splits = Counter(benchmark.texts("pairs", "split"))
    assert splits == {"train": 30, "valid": 10, "test": 120}


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        ("only one name", "not 2 names with @@@ between", "has 1"),
        ("a@@@b@@@c", "not 2 names with @@@ between", "has 3"),
        ("@@@b", "empty name", "@@@b"),
        ("a@@b", "not 2 names with @@@ between", "has 1"),
        ("name de 39, idaho@@@?", "a pair is in train and test", "kept in train"),
    ],
)
def test_wk3l60k_odd_rows(files, built, line: str, reason: str, detail: str) -> None:
    contents = wk3l(40)
    train = "alignment/en_de_60k_train25.csv"
    if line.endswith("?"):
        line = contents["alignment/en_de_60k_test75.csv"].splitlines()[-1]
    contents[train] = "\ufeff" + contents[train].replace("\n", "\r\n") + "\n" + line + "\n"
    source = files(contents)
    with pytest.raises(DataError, match=re.escape(f"en_de_60k_train25.csv:12: {reason}")) as caught:
        wk3l60k.read(source, RowLog())
    assert detail in str(caught.value)
    benchmark, log = built(wk3l60k.read, source, lenient=True)
    assert log.counts == {reason: 1}
    assert benchmark.info.counts["pairs"] == 80
    assert not any(name.startswith("\ufeff") or name.endswith("\r") for name in benchmark.texts("entities", "name"))


def test_wk3l60k_without_files_says_what_it_looks_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no file such as en_de_60k_train25.csv"):
        wk3l60k.read(tmp_path, RowLog())
