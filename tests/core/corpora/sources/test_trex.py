import json
from pathlib import Path

import pytest

from core.corpora.rows import DataError, RowLog
from core.corpora.sources import trex
from core.corpora.sources.pairs import wikidata_id

WIKIDATA = "http://www.wikidata.org/"
TEXT = "Chelopech Hill is in Graham Land. It was named in 1950.\nIt borders Antarctica."


def mention(
    text: str, surface: str, uri: str, annotator: str = "Wikidata_Spotlight_Entity_Linker", at: int = 0
) -> dict:
    start = text.index(surface, at)
    return {"uri": uri, "boundaries": [start, start + len(surface)], "surfaceform": surface, "annotator": annotator}


def aligned(subject: dict, relation: str, object_: dict) -> dict:
    predicate = {"uri": f"{WIKIDATA}prop/direct/{relation}", "boundaries": None, "surfaceform": None, "annotator": "x"}
    return {"subject": subject, "predicate": predicate, "object": object_, "sentence_id": 0, "confidence": None}


def document(**changes: object) -> dict:
    hill = mention(TEXT, "Chelopech Hill", f"{WIKIDATA}entity/Q5090011")
    land = mention(TEXT, "Graham Land", f"{WIKIDATA}entity/Q618370")
    given = {
        "docid": f"{WIKIDATA}entity/Q5090011",
        "title": "Chelopech Hill (hill)",
        "uri": f"{WIKIDATA}entity/Q5090011",
        "text": TEXT,
        "sentences_boundaries": [[0, 33], [34, 55], [56, 78]],
        "words_boundaries": [[0, 9]],
        "entities": [hill, land],
        "triples": [aligned(hill, "P706", land)],
    }
    return given | changes


def write(folder: Path, *documents: object) -> Path:
    (folder / "re-nlg_0-10000.json").write_text(json.dumps(documents), encoding="utf-8")
    return folder


def test_a_document_gives_pair_mention_and_labels(tmp_path: Path) -> None:
    graph = trex.read_trex(write(tmp_path, document()), RowLog())
    (statement,), (own,) = graph.statements, graph.mentions
    assert statement.fact == ("Q5090011", "P706", "Q618370")
    assert statement.text == own.text == "Chelopech Hill is in Graham Land."
    assert statement.text[statement.start : statement.end] == "Graham Land"
    assert (own.entity, own.text[own.start : own.end]) == ("Q5090011", "Chelopech Hill")
    assert graph.labels == {"Q5090011": {"en": "Chelopech Hill"}, "Q618370": {"en": "Graham Land"}}


def test_sentences_are_found_where_none_are_given(tmp_path: Path) -> None:
    graph = trex.read_trex(write(tmp_path, document(sentences_boundaries=None)), RowLog())
    assert graph.statements[0].text == "Chelopech Hill is in Graham Land."


def test_boundaries_that_drifted_are_mended_and_an_object_out_of_reach_is_left_out(tmp_path: Path) -> None:
    land = mention(TEXT, "Graham Land", "Q618370")
    drifted = {**land, "boundaries": [land["boundaries"][0] + 4, land["boundaries"][1] + 4]}
    graph = trex.read_trex(write(tmp_path, document(triples=[aligned(land, "P1", drifted)])), RowLog())
    statement = graph.statements[0]
    assert statement.text[statement.start : statement.end] == "Graham Land"

    text = "Rome. " + "It is old. " * 20 + "So is Bonn."
    far = {"uri": "Q220", "boundaries": [len(text) - 4, len(text)], "surfaceform": "Rome", "annotator": "Me"}
    absent = {"uri": "Q3", "boundaries": [0, 4], "surfaceform": "Lima", "annotator": "Me"}
    bonn = mention(text, "Bonn", "Q586")
    triples = [aligned(bonn, "P1", far), aligned(bonn, "P2", absent), aligned(far, "P3", bonn)]
    both = write(
        tmp_path, document(text=text, sentences_boundaries=None, entities=[bonn, far, absent], triples=triples)
    )
    graph = trex.read_trex(both, RowLog())
    assert [s.fact[1] for s in graph.statements] == ["P3"]
    assert graph.left_out == {"objects that are not in their text": 2}
    assert len(graph.facts) == 3


def test_the_nearer_of_two_places_is_taken() -> None:
    text = "x Rome x Rome x"
    for start, expected in ((3, 2), (8, 9), (10, 9), (-5, 2), (0, 2)):
        found = trex._located(text, trex._Mention("Q1", (start, start + 4), "Rome"))
        assert found == (expected, expected + 4), start
    assert trex._located(text, trex._Mention("Q1", None, "Rome")) is None
    assert trex._located(text, trex._Mention("Q1", (2, 6), " ")) is None


def test_pronouns_literals_and_what_shows_the_object_are_left_out(tmp_path: Path) -> None:
    text = "Rome is large. It is in Italy. Italy loves Italy. Rome is in Latium."
    rome, latium = mention(text, "Rome", "Q220"), mention(text, "Latium", "Q1282")
    it = mention(text, "It", "Q220", "Simple_Coreference")
    italy = mention(text, "Italy", "Q38", at=text.index("Italy", 31))
    date = mention(text, "large", "1950-01-01T00:00:00Z^^http://www.w3.org/2001/XMLSchema#dateTime", "Date_Linker")
    nobody = {"uri": None, "boundaries": None, "surfaceform": "x", "annotator": None}
    facts = [
        aligned(rome, "P1", latium),
        aligned(rome, "P1", latium),
        aligned(italy, "P2", it),
        aligned(rome, "P3", italy),
        aligned(rome, "P4", date),
        aligned(nobody, "P5", latium),
    ]
    found = document(
        text=text, sentences_boundaries=None, entities=[it, it, rome, italy, date], triples=facts, uri=None
    )
    graph = trex.read_trex(write(tmp_path, found), RowLog())
    assert [s.fact for s in graph.statements] == [("Q220", "P1", "Q1282")]
    assert graph.left_out == {
        "repeated pairs of sentence and fact": 1,
        "objects that are pronouns": 1,
        "sentences that show the object at a second place": 1,
        "facts with a date, a number or nothing at an end": 2,
    }
    assert graph.labels["Q220"] == {"en": "Rome"}  # twice called "It"
    assert graph.labels["Q1282"] == {"en": "Latium"}  # not among the entities, only in a triple
    assert set(graph.facts) == {("Q220", "P1", "Q1282"), ("Q38", "P2", "Q220"), ("Q220", "P3", "Q38")}


def test_an_object_over_the_end_of_a_sentence_is_left_out(tmp_path: Path) -> None:
    ok, cut = document(), document(sentences_boundaries=[[0, 26], [26, 78]], title="Other", uri="Q9")
    graph = trex.read_trex(write(tmp_path, ok, cut), RowLog())
    assert graph.left_out == {"objects that reach over the end of a sentence": 1}


def test_languages_are_those_of_the_documents(tmp_path: Path) -> None:
    folder = write(tmp_path, document(), document(language="eo"))
    assert {s.language for s in trex.read_trex(folder, RowLog()).statements} == {"en"}  # the same pair again
    assert {s.language for s in trex.read_trex(folder, RowLog(), ["eo"]).statements} == {"eo"}
    with pytest.raises(DataError, match=r"no language fr.*It has: en, eo"):
        trex.read_trex(folder, RowLog(), ["fr", "en"])


def test_a_bad_document_is_named_or_counted_and_the_others_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path, {"title": "no text"}, document(), document(entities=[{"boundaries": [1]}]), 7)
    with pytest.raises(DataError, match=r"re-nlg_0-10000.json: .*document 1: .*`text`"):
        trex.read_trex(folder, RowLog())
    log = RowLog(strict=False)
    assert len(trex.read_trex(folder, log).statements) == 1
    assert log.summary() == {"not a document of T-REx": 3}
    assert "document 4" in log.rows[2].reason


def test_a_cut_file_and_an_empty_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"trex: there is no .*re-nlg_"):
        trex.read_trex(tmp_path, RowLog())
    folder = write(tmp_path, document())
    path = folder / "re-nlg_0-10000.json"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="not a JSON array"):
        trex.read_trex(folder, RowLog())
    with pytest.raises(DataError, match="no sentence"):
        trex.read_trex(folder, RowLog(strict=False))


def test_rebel_says_the_line_of_a_bad_document(tmp_path: Path) -> None:
    lines = ["\ufeff" + json.dumps(document()), "", "{}", "{cut"]
    (tmp_path / "sample.jsonl").write_bytes("\r\n".join(lines).encode())
    with pytest.raises(DataError, match=r"sample.jsonl:3: not a document"):
        trex.read_rebel(tmp_path, RowLog())
    log = RowLog(strict=False)
    assert len(trex.read_rebel(tmp_path, log).statements) == 1
    assert [row.line for row in log.rows] == [3, 4]


def test_ids() -> None:
    known = {"Q42": "Q42", f"{WIKIDATA}entity/Q42": "Q42", f"{WIKIDATA}prop/direct/P31": "P31"}
    assert {uri: wikidata_id(uri) for uri in known} == known
    for no_id in (
        None,
        "",
        "None",
        "Q",
        "Q0",
        "Q4x",
        "1950-01-01T00:00:00Z^^http://www.w3.org/2001/XMLSchema#dateTime",
    ):
        assert wikidata_id(no_id) is None


def test_counts_of_the_real_sample(shared_data: Path) -> None:
    graph = trex.read_rebel(shared_data / "rebel", RowLog())
    lines = (shared_data / "rebel" / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    triples = [t for d in documents for t in d["triples"]]
    assert (len(documents), len(triples)) == (1000, 2868)  # README
    is_id = [all(t[k]["uri"].startswith("Q") for k in ("subject", "object")) for t in triples]
    assert sum(is_id) == 2289  # README
    lost = graph.left_out
    assert lost["facts with a date, a number or nothing at an end"] == 2868 - 2289
    assert lost["objects that are not in their text"] == 0  # all 636 ends that drift are found again
    assert len(graph.statements) + sum(lost.values()) == 2868
    keys = ("subject", "predicate", "object")
    expected = {tuple(t[k]["uri"] for k in keys) for t, both in zip(triples, is_id, strict=True) if both}
    assert set(graph.facts) == expected
    assert len(graph.labels) == 5790  # README: distinct Q ids
    assert graph.labels["Q7835172"] == {"en": "Transportation Journal"}
    assert graph.relations["P123"] == {"en": "publisher"}


def test_spans_of_the_real_sample(shared_data: Path) -> None:
    lines = (shared_data / "rebel" / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [
        (json.loads(line)["text"], t[k])
        for line in lines
        for t in json.loads(line)["triples"]
        for k in ("subject", "object")
    ]
    drifting = [(text, end) for text, end in ends if text[slice(*end["boundaries"])] != end["surfaceform"]]
    assert (len(ends), len(drifting)) == (5736, 636)  # README
    surfaces = {(end["uri"], end["surfaceform"]) for _, end in ends}
    texts = [json.loads(line)["text"] for line in lines]
    graph = trex.read_rebel(shared_data / "rebel", RowLog())
    assert len(graph.statements) > 2000
    for s in graph.statements:
        hidden = s.text[s.start : s.end]
        assert (s.fact[2], hidden) in surfaces
        assert hidden.lower() not in (s.text[: s.start] + "[MASK]" + s.text[s.end :]).lower()
    for sentence in (*graph.statements[::20], *graph.mentions[::20]):
        assert any(sentence.text in text for text in texts)
    assert len(graph.mentions) > 990  # README: the page's own entity is mentioned in all 1,000 texts
