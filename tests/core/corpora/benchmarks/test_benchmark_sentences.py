"""KBP37, RELX and WikiAnn: the counts of the real files, and every kind of bad record."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from core.corpora.benchmarks import relation_sentences, wikiann
from core.corpora.benchmarks.store import marked
from core.corpora.rows import DataError, RowLog

# --- KBP37 and RELX -------------------------------------------------------------------------------------------------


def originals(file: Path) -> list[tuple[str, str, str]]:
    """(id, sentence with markers, label), by a pattern over the whole file."""
    found = re.findall(r'^(\d+)\t"(.*)"\s*\n(\S+)\s*$', file.read_text(encoding="utf-8"), re.MULTILINE)
    return [(id, sentence.strip(), label) for id, sentence, label in found]


def blanks_beside_markers(sentence: str) -> str:
    """One blank between a marker and its mention; two translations have none."""
    return re.sub(r"(<e[12]>)\s*(.*?)\s*(</e[12]>)", lambda m: " ".join(filter(None, m.groups())), sentence)


def test_kbp37_has_the_counts_of_its_readme(shared_data: Path, built, sizes) -> None:
    benchmark, log = built(relation_sentences.read_kbp37, shared_data / "kbp37")
    assert not log.counts
    assert sizes(benchmark, "examples") == {("en", "train"): 15917, ("en", "valid"): 1724, ("en", "test"): 3405}
    for split, ids, none in (
        ("train", (0, 15916), 1545),
        ("valid", (15917, 17640), 210),
        ("test", (17641, 21045), 419),
    ):
        found = benchmark.records("examples", split=split)
        assert (min(int(e["id"]) for e in found), max(int(e["id"]) for e in found)) == ids
        labels = Counter(e["label"] for e in found)
        assert set(labels) == set(benchmark.info.labels)
        assert len(labels) == 37
        assert labels["no_relation"] == none
    assert Counter(benchmark.texts("examples", "label"))["per:employee_of(e1,e2)"] == 1862 + 168 + 338


def test_kbp37_and_relx_give_every_sentence_back(shared_data: Path, built) -> None:
    benchmark, _ = built(relation_sentences.read_kbp37, shared_data / "kbp37")
    checked = 0
    for name, split in (("train", "train"), ("dev", "valid"), ("test", "test")):
        given = originals(shared_data / "kbp37" / f"{name}.txt")
        for (id, sentence, label), example in zip(given, benchmark.records("examples", split=split), strict=True):
            assert (id, label) == (example["id"], example["label"])
            assert marked(example) == blanks_beside_markers(sentence)
            assert "<e" not in example["text"]
            checked += 1
    assert checked == 21046


def test_relx_has_the_counts_of_its_readme(shared_data: Path, built, sizes) -> None:
    benchmark, log = built(relation_sentences.read_relx, shared_data / "relx")
    assert not log.counts
    languages = ("de", "en", "es", "fr", "tr")
    assert sizes(benchmark, "examples") == {(language, "test"): 502 for language in languages}
    examples = {code: benchmark.records("examples", language=code) for code in languages}
    english = {e["id"]: e["label"] for e in examples["en"]}
    assert Counter(english.values())["no_relation"] == 68
    for code, flipped in (("tr", 125), ("de", 14), ("es", 12), ("fr", 4)):
        labels = {e["id"]: e["label"] for e in examples[code]}
        assert labels.keys() == english.keys()
        assert sum(labels[id] != english[id] for id in labels) == flipped
        assert all(labels[id].split("(")[0] == english[id].split("(")[0] for id in labels)
        for (_, sentence, _), example in zip(
            originals(shared_data / "relx" / "RELX" / f"RELX_{code}.txt"), examples[code], strict=True
        ):
            assert marked(example) == blanks_beside_markers(sentence)
    assert all(e["e1_start"] <= e["e2_start"] for found in examples.values() for e in found)
    first = examples["en"][0]
    assert first["text"][first["e1_start"] : first["e1_end"]] == "Sacramento Heatwave"
    assert first["text"][first["e2_start"] : first["e2_end"]] == "California"


def test_relx_distant_has_the_counts_of_its_readme(shared_data: Path, built, sizes) -> None:
    benchmark, _ = built(relation_sentences.read_relx_distant, shared_data / "relx")
    assert sizes(benchmark, "examples") == {(code, "train"): 120 for code in ("de", "en", "es", "fr", "tr")}
    for code in ("de", "en", "es", "fr", "tr"):
        labels = {e["label"] for e in benchmark.records("examples", language=code)}
        assert len(labels) == (26 if code == "fr" else 27)
    first = benchmark.records("examples", language="tr")[0]
    assert (first["e1_id"], first["e2_id"], first["label"]) == ("Q598944", "Q170416", "P127")
    assert first["text"][first["e1_start"] : first["e1_end"]] == "DCC"
    assert first["text"][first["e2_start"] : first["e2_end"]] == "Philips"
    assert benchmark.info.build["relation_names"]["P127"] == "owned by"


def record(id: int, sentence: str, label: str = "per:title(e1,e2)") -> str:
    return f'{id}\t"{sentence}"\n{label}\n\n\n'


GOOD = record(1, " <e1> Ada </e1> , <e2>countess</e2> . ")


def test_kbp37_format_takes_trailing_blanks_crlf_and_a_cut_end(files, built) -> None:
    text = GOOD.replace("\n", "  \r\n") + "\n\n\n" + record(2, "A <e2> title </e2> of <e1> </e1> x").rstrip()
    source = files({"train.txt": text, "dev.txt": "", "test.txt": "\ufeff" + GOOD})
    benchmark, _ = built(relation_sentences.read_kbp37, source)
    first, second = benchmark.records("examples", split="train")
    assert first["text"] == "Ada , countess ."
    assert (first["e1_start"], first["e1_end"], first["e2_start"], first["e2_end"]) == (0, 3, 6, 14)
    assert marked(second) == "A <e2> title </e2> of <e1> </e1> x"
    assert second["e1_start"] == second["e1_end"]
    assert benchmark.info.build["empty_mentions"] == 1


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (record(2, "no markers"), r"mentions are not marked \(markers are not .*: none\)"),
        (record(2, "<e1> a </e1> <e1> b </e1>"), "mentions are not marked"),
        (record(2, "<e1> a <e2> b </e1> c </e2>"), "mentions are not marked"),
        (record(2, "<e1> a </e1> b"), "mentions are not marked"),
        (record(2, "<e1> a </e1> <e2> b </e2>", "per:pet(e1,e2)"), r"unknown label \('per:pet\(e1,e2\)'; allowed: no_"),
        (record(1, "<e1> a </e1> <e2> b </e2>"), r"repeated id \(1\)"),
        ('2\t"<e1> a </e1> <e2> b </e2>"\n\n', r"not a sentence and a relation between empty lines \(1 lines\)"),
        ("2\t<e1> a </e1> <e2> b </e2>\nper:title(e1,e2)\n\n", "not an id, a tab and a sentence"),
        ('"<e1> a </e1> <e2> b </e2>"\nper:title(e1,e2)\n\n', "not an id, a tab and a sentence"),
    ],
)
def test_kbp37_names_file_and_line_of_a_bad_record(files, built, block: str, message: str) -> None:
    source = files({"train.txt": GOOD + block + record(9, "<e1> a </e1> <e2> b </e2>"), "dev.txt": "", "test.txt": ""})
    with pytest.raises(DataError, match=rf"train.txt:5: {message}"):
        relation_sentences.read_kbp37(source, RowLog())
    benchmark, log = built(relation_sentences.read_kbp37, source, lenient=True)
    assert sum(log.counts.values()) == 1
    assert benchmark.texts("examples", "id") == ["1", "9"]


def test_relx_distant_names_the_place_of_a_bad_instance(files, built) -> None:
    good = {"sentence": "Ada of Rome", "entity1": "Q1", "entity2": "Q2", "entity1_indices": [0, 3]}
    good |= {"entity2_indices": [7, 11], "relation": "P19", "relation_name": "place of birth"}
    bad = [
        good | {"entity2_indices": [7, 12]},
        good | {"entity2_indices": [2, 5]},
        {key: value for key, value in good.items() if key != "relation"},
        "text",
    ]
    source = files({"RELX_distant_en.json": json.dumps([good, *bad])})
    with pytest.raises(DataError, match=r"RELX_distant_en.json: not an instance .*\[1\]: mention 7:12 is outside"):
        relation_sentences.read_relx_distant(source, RowLog())
    benchmark, log = built(relation_sentences.read_relx_distant, source, lenient=True)
    assert benchmark.info.counts["examples"] == 1
    assert [row.reason.partition("(")[2][:31] for row in log.rows] == [
        "[1]: mention 7:12 is outside th",
        "[2]: mentions [0, 3] and [2, 5]",
        "[3]: lacks 'relation')",
        "[4]: string indices must be int",
    ]
    with pytest.raises(DataError, match="not a JSON list but dict"):
        relation_sentences.read_relx_distant(files({"RELX_distant_en.json": "{}"}), RowLog())
    with pytest.raises(DataError, match=r"RELX_distant_en.json:1: not JSON"):
        relation_sentences.read_relx_distant(files({"RELX_distant_en.json": '[{"sentence": '}), RowLog())


def test_relx_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"RELX: there is no .*RELX_\*\.txt"):
        relation_sentences.read_relx(tmp_path, RowLog())


# --- WikiAnn ----------------------------------------------------------------------------------------------------------


def test_wikiann_has_the_counts_of_its_readme(shared_data: Path, built, sizes) -> None:
    benchmark, log = built(wikiann.read, shared_data / "wikiann")
    assert not log.counts
    found = sizes(benchmark, "sentences")
    readme = (shared_data / "wikiann" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"\| (\w\w) (train|val|test) \| ([\d,]+) \| [\d,]+ \| ([\d,]+) \| ([\d,]+) / ([\d,]+) / ([\d,]+)", readme
    )
    assert len(rows) == len(found) == 8
    for language, split, *counts in rows:
        sentences, tokens, *entities = (int(n.replace(",", "")) for n in counts)
        split = {"val": "valid"}.get(split, split)
        assert found[language, split] == sentences
        records = benchmark.records("sentences", language=language, split=split)
        assert sum(len(r["tokens"]) for r in records) == tokens
        kinds = Counter(tag[2:] for r in records for tag in r["tags"] if tag.startswith("B-"))
        assert [kinds[kind] for kind in ("LOC", "ORG", "PER")] == entities
    assert set(benchmark.info.labels) == {"O", *(f"{way}-{kind}" for way in "BI" for kind in ("PER", "ORG", "LOC"))}


def test_wikiann_takes_both_layouts(files, built) -> None:
    source = files(
        {
            "en/train.conllu": "0\tAda\tB-PER\n1\tKing\tI-PER\n\n\n0\t''\tO\n1\tRome\tB-LOC",
            "de/test": "de:Bern\tB-LOC\r\nde::\tO\r\n\r\n",
            "fr/dev.tsv": "\ufeffParis\tB-LOC\n",
            "fr/extra": "not read",
        }
    )
    benchmark, _ = built(wikiann.read, source)
    assert benchmark.records("sentences") == [
        {"language": "de", "split": "test", "tokens": ["Bern", ":"], "tags": ["B-LOC", "O"]},
        {"language": "en", "split": "train", "tokens": ["Ada", "King"], "tags": ["B-PER", "I-PER"]},
        {"language": "en", "split": "train", "tokens": ["''", "Rome"], "tags": ["O", "B-LOC"]},
        {"language": "fr", "split": "valid", "tokens": ["Paris"], "tags": ["B-LOC"]},
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1\tx", "unknown tag"),
        ("1", "not 2 or 3 columns"),
        ("1\tx\tO\tO", "not 2 or 3 columns"),
        ("1\t\tO", "empty word"),
        ("2\tx\tO", "index is not that of the word: an empty line is missing, or a word"),
        ("1\tx\tB-GPE", "unknown tag"),
        (b"1\t\xff\tO", "not UTF-8"),
    ],
)
def test_wikiann_leaves_out_a_sentence_with_a_bad_row(files, built, row: str | bytes, reason: str) -> None:
    row = row if isinstance(row, bytes) else row.encode()
    text = b"0\tAda\tB-PER\n\n0\ta\tO\n" + row + b"\n2\tb\tO\n\n0\tRome\tB-LOC\n"
    source = files({"en/test.conllu": text})
    with pytest.raises(DataError, match=rf"test.conllu:4: {reason}"):
        wikiann.read(source, RowLog())
    benchmark, log = built(wikiann.read, source, lenient=True)
    assert log.counts[reason] == 1
    assert benchmark.records("sentences")[-1]["tokens"] == ["Rome"]
    assert benchmark.info.counts["sentences"] == 2
    assert benchmark.info.build["left_out"] == {"sentences with a bad row": 1}


def test_wikiann_begins_an_entity_at_an_i_tag_without_predecessor(files, built) -> None:
    source = files({"en/test.conllu": "0\ta\tI-PER\n1\tb\tI-PER\n2\tc\tI-ORG\n3\td\tO\n4\te\tI-ORG\n"})
    with pytest.raises(DataError, match=rf"test.conllu:1: {wikiann.NO_PREDECESSOR} \(read as B-\)"):
        wikiann.read(source, RowLog())
    benchmark, log = built(wikiann.read, source, lenient=True)
    assert benchmark.records("sentences")[0]["tags"] == ["B-PER", "I-PER", "B-ORG", "O", "B-ORG"]
    assert benchmark.info.build["bad_rows"] == {wikiann.NO_PREDECESSOR: 3} == dict(log.counts)


def test_wikiann_without_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no file such as en/train.conllu"):
        wikiann.read(tmp_path, RowLog())
