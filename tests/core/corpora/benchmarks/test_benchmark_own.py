"""Own data: every table of the docstring becomes a benchmark, and every bad row is named."""

import json
from pathlib import Path

import pytest

from core.corpora.benchmarks import own
from core.corpora.rows import DataError, RowLog


def tsv(*rows: str) -> str:
    return "".join(row.replace("|", "\t") + "\n" for row in rows)


PAIRS = tsv("language_a|text_a|language_b|text_b|split", "en|Bern|de|Bern|train", "en|Geneva|de|Genf|test")
MARKED = "<e1> a </e1> <e2> b </e2>"
LABELS = tsv("entity|language|text", "Q1|en|Bern", "Q2|en|Switzerland", "Q1|rm|Berna", "Q2|rm|Svizra", "Q3|de|Genf")


def test_pairs(files, built) -> None:
    about = json.dumps({"name": "mine", "licence": "CC0"})
    benchmark, _ = built(own.read, files({"pairs.tsv": PAIRS, "about.json": about}))
    info = benchmark.info
    assert (info.name, info.task, info.licence) == ("mine", "entity_alignment", "CC0")
    assert [(p["source"], p["target"], p["split"]) for p in benchmark.records("pairs")] == [
        (0, 1, "train"),
        (2, 3, "test"),
    ]
    assert benchmark.texts("entities", "name") == ["Bern", "Bern", "Geneva", "Genf"]


def test_triples_by_name_and_as_json_lines(files, built) -> None:
    rows = [{"language": "rm", "subject": "Berna", "relation": "capital of", "object": "Svizra", "split": "dev"}]
    rows += [rows[0] | {"subject": "Cuira", "object": "Grischun", "split": "train"}]
    benchmark, _ = built(own.read, files({"triples.jsonl": "\n".join(map(json.dumps, rows))}))
    assert [(t["subject"], t["relation"], t["object"], t["split"]) for t in benchmark.records("triples")] == [
        (0, 0, 1, "valid"),
        (2, 0, 3, "train"),
    ]
    assert benchmark.records("relations") == [{"language": "en", "id": "capital of", "name": "capital of", "uri": ""}]


def test_triples_by_id_are_asked_in_every_language_with_both_labels(files, built) -> None:
    source = files(
        {
            "labels.tsv": LABELS,
            "triples.tsv": tsv("subject|relation|object", "Q1|P36|Q2"),
            "relations.tsv": tsv("relation|language|text", "P36|en|capital of", "P36|rm|chapitala da"),
        }
    )
    benchmark, _ = built(own.read, source)
    name, relation = benchmark.texts("entities", "name"), benchmark.texts("relations", "name")
    read = {
        t["language"]: (name[t["subject"]], relation[t["relation"]], name[t["object"]])
        for t in benchmark.records("triples")
    }
    assert read == {"en": ("Bern", "capital of", "Switzerland"), "rm": ("Berna", "chapitala da", "Svizra")}
    assert set(benchmark.texts("triples", "split")) == {"test"}
    (source / "triples.tsv").write_text(tsv("subject|relation|object", "Q1|P36|Q3"))
    with pytest.raises(DataError, match=r"triples.tsv:2: no language has a label for both ends"):
        own.read(source, RowLog())


def test_sentences_and_words(files, built, tmp_path: Path) -> None:
    text = tsv("language|sentence|label", "en|<e1> Bern </e1> in <e2> Bern </e2>|in(e1,e2)")
    benchmark, _ = built(own.read, files({"sentences.tsv": text}))
    assert (benchmark.info.labels, benchmark.records("examples")[0]["e2_start"]) == (["in(e1,e2)"], 8)
    (tmp_path / "source" / "sentences.tsv").unlink()
    words = [{"language": "en", "tokens": ["Bern", "."], "tags": ["B-CITY", "O"], "split": "train"}]
    source = files(
        {"words.jsonl": json.dumps(words[0]), "words.tsv": tsv("tags|tokens|language", "B-CITY I-CITY|New York|en")}
    )
    log = RowLog()
    draft = own.read(source, log)
    assert draft.labels == ["O", "B-CITY", "I-CITY"]
    assert draft.rows["sentences"] == [
        ("en", "test", ["New", "York"], ["B-CITY", "I-CITY"]),
        ("en", "train", ["Bern", "."], ["B-CITY", "O"]),
    ]


def test_questions(files, built) -> None:
    answers = [{"text": "Bern", "answer_start": 0}]
    paragraphs = [{"context": "Bern.", "qas": [{"id": "1", "question": "?", "answers": answers}]}]
    text = json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]})
    benchmark, _ = built(own.read, files({"questions/rm.dev.json": text, "questions/en.train.json": text}))
    assert [(q["language"], q["split"]) for q in benchmark.records("questions")] == [("en", "train"), ("rm", "valid")]
    with pytest.raises(DataError, match=r"x.json: name it \{language\}.\{split\}.json"):
        own.read(files({"questions/x.json": text}), RowLog())


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"x.txt": ""}, r"holds no data: it must hold one of pairs.tsv, .*questions/"),
        ({"pairs.tsv": PAIRS, "words.tsv": ""}, "holds pairs and words"),
        ({"pairs.tsv": tsv("a|b", "x|y")}, r"pairs.tsv:1: the first line must name the columns language_a"),
        ({"pairs.tsv": ""}, r"pairs.tsv:1: the first line must name"),
        ({"pairs.tsv": PAIRS + "en|Basel\n".replace("|", "\t")}, r"pairs.tsv:4: not the columns of the first line"),
        ({"pairs.tsv": PAIRS + tsv("|Bern|de|Bern|test")}, r"pairs.tsv:4: an empty column, .*\(language_a\)"),
        ({"pairs.tsv": PAIRS + tsv("en|Bern|de|Bern|later")}, r"pairs.tsv:4: unknown split \('later'; allowed: train"),
        ({"pairs.tsv": PAIRS + tsv("en|Bern|en|Berne|test")}, r"pairs.tsv:4: a pair in one language"),
        ({"pairs.tsv": PAIRS + tsv("en|Bern|de|Bern|test")}, r"pairs.tsv:4: a repeated pair"),
        ({"pairs.jsonl": '{"language_a": "en"}'}, r"pairs.jsonl:1: keys are missing"),
        ({"pairs.tsv": PAIRS, "about.json": '{"owner": "me"}'}, "it may hold name, source, licence, card"),
        (
            {"triples.tsv": tsv("language|subject|relation|object", *["en|a|r|b"] * 2)},
            r"triples.tsv:3: a repeated triple",
        ),
        (
            {"labels.tsv": LABELS + tsv("Q1|en|Berne"), "triples.tsv": tsv("subject|relation|object", "Q1|P|Q2")},
            r"labels.tsv:7: a second label in a language",
        ),
        ({"sentences.tsv": tsv("language|sentence|label", "en|<e1> a </e1>|x")}, r"sentences.tsv:2: mentions are not"),
        ({"words.tsv": tsv("language|tokens|tags", "en|a b|O")}, r"words.tsv:2: not as many tags as tokens"),
        ({"words.tsv": tsv("language|tokens|tags", "en|a b|O X")}, r"words.tsv:2: tags are not IOB2 \('X' at 1\)"),
        ({"words.tsv": tsv("language|tokens|tags", "en|a b|O I-X")}, r"tags are not IOB2 \('I-X' at 1\)"),
        (
            {"words.jsonl": '{"language": "en", "tokens": ["a"], "tags": 3, "split": "train"}'},
            r"words.jsonl:1: tokens and tags must be texts",
        ),
        (
            {"words.jsonl": '{"language": "en", "tokens": [3], "tags": ["O"]}'},
            r"words.jsonl:1: tokens and tags must be",
        ),
        (
            {"words.tsv": tsv("language|tokens|tags|split", "en|a|B-X|train", "en|a|B-Y|test")},
            r"words.tsv:3: unknown label \('B-Y'; the training rows have X\)",
        ),
        (
            {"sentences.tsv": tsv("language|sentence|label|split", f"en|{MARKED}|r|train", f"en|{MARKED}|s|dev")},
            r"sentences.tsv:3: unknown label \('s'; allowed: r\)",
        ),
        (
            {
                "triples.tsv": tsv("language|subject|relation|object", "en|a|P37|b"),
                "relations.tsv": tsv("relation|language|text", "P36|en|capital"),
            },
            r"triples.tsv:2: unknown relation \(relations have P36\)",
        ),
    ],
)
def test_bad_rows_are_named(files, contents: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        own.read(files(contents), RowLog())


def test_lenient_keeps_the_rest(files, built) -> None:
    benchmark, log = built(
        own.read, files({"pairs.tsv": PAIRS + tsv("en|x|en|y|test", "en|Basel|de|Basel|test")}), lenient=True
    )
    assert benchmark.info.counts["pairs"] == 3
    assert log.counts == {"a pair in one language": 1}
