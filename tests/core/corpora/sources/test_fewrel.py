import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from core.corpora.rows import DataError, RowLog
from core.corpora.sources import fewrel

TOKENS = ["In", "1987", ",", "T", "-", "Mobile", "left", " ", "the", "Mississippi", "River", "."]
INSTANCE = {
    "tokens": TOKENS,
    "h": ["t-mobile", "Q1", [[3, 4, 5]]],
    "t": ["mississippi river", "Q1497", [[9, 10]]],
}


def write(folder: Path, *instances: object, name: str = "val_wiki.json", relation: str = "P177") -> Path:
    (folder / name).write_text(json.dumps({relation: list(instances)}), encoding="utf-8")
    (folder / "pid2name.json").write_text(json.dumps({"P177": ["crosses", "obstacle"]}), encoding="utf-8")
    return folder


def test_an_instance_becomes_a_fact_and_a_sentence_with_its_object(tmp_path: Path) -> None:
    graph = fewrel.read(write(tmp_path, INSTANCE), RowLog())
    (statement,) = graph.statements
    assert statement.text == "In 1987 , T - Mobile left the Mississippi River ."
    assert statement.text[statement.start : statement.end] == "Mississippi River"
    assert statement.fact == ("Q1", "P177", "Q1497")
    assert graph.labels == {"Q1": {"en": "T-Mobile"}, "Q1497": {"en": "Mississippi River"}}
    assert graph.relations == {"P177": {"en": "crosses"}}


def test_the_most_frequent_capitals_name_an_entity_and_ties_avoid_all_capitals(tmp_path: Path) -> None:
    def called(surface: str, year: str) -> dict:
        tokens = [surface, "bought", "Rome", "in", year]
        return {"tokens": tokens, "h": ["nato", "Q7184", [[0]]], "t": ["rome", "Q220", [[2]]]}

    tie = fewrel.read(write(tmp_path, called("NATO", "1"), called("Nato", "2")), RowLog())
    assert tie.labels["Q7184"] == {"en": "Nato"}
    more = fewrel.read(write(tmp_path, *(called("NATO", y) for y in "13"), called("Nato", "2")), RowLog())
    assert more.labels["Q7184"] == {"en": "NATO"}


@pytest.mark.parametrize(
    ("tokens", "mentions"),
    [
        (["Rome", "and", "rome", "are", "Nero"], [[0], [2]]),  # two mentions
        (["Rome", "and", "ROME", "are", "Nero"], [[0]]),  # one that is not annotated
        (["Rome", "and", "Romeo", "are", "Nero"], [[0]]),  # inside a longer word
    ],
)
def test_a_sentence_that_shows_its_object_twice_is_left_out_but_not_its_fact(
    tmp_path: Path, tokens: list[str], mentions: list[list[int]]
) -> None:
    twice = {"tokens": tokens, "h": ["nero", "Q2", [[4]]], "t": ["rome", "Q220", mentions]}
    graph = fewrel.read(write(tmp_path, INSTANCE, twice), RowLog())
    assert len(graph.statements) == 1
    assert ("Q2", "P177", "Q220") in graph.facts
    assert graph.left_out == {"sentences that show the object at a second place": 1}


def test_a_sentence_that_shows_the_label_of_its_object_is_left_out(tmp_path: Path) -> None:
    def stated(tokens: list[str], tail: list[int], name: str) -> dict:
        return {"tokens": tokens, "h": ["nero", "Q2", [[0]]], "t": [name, "Q19686", [tail]]}

    short = [stated(["Nero", "saw", "Thames", str(year)], [2], "thames") for year in range(3)]
    both = stated(["Nero", "built", "Thames", "Tunnel", "under", "River", "Thames"], [5, 6], "river thames")
    hidden = stated(["Nero", "swam", "River", "Thames", "at", "Thamesmead"], [2, 3], "river thames")
    graph = fewrel.read(write(tmp_path, *short, both, hidden), RowLog())
    assert graph.labels["Q19686"] == {"en": "Thames"}
    assert len(graph.statements) == 4
    assert graph.left_out == {"sentences that show the object at a second place": 1}


@pytest.mark.parametrize(
    "broken",
    [
        {"tokens": TOKENS, "h": ["x", "Q1", [[3]]]},
        {**INSTANCE, "tokens": "In 1987"},
        {**INSTANCE, "t": ["x", "Q2", [[12]]]},
        {**INSTANCE, "t": ["x", "Q2", [[-1]]]},
        {**INSTANCE, "t": ["x", "Q2", [[]]]},
        {**INSTANCE, "t": ["x", "Q2", [[7]]]},  # blank
        {**INSTANCE, "t": ["x", "Mississippi", [[9]]]},
        None,
    ],
)
def test_a_bad_instance_is_named_or_counted(tmp_path: Path, broken: object) -> None:
    folder = write(tmp_path, INSTANCE, broken)
    with pytest.raises(DataError, match=r"val_wiki.json: .*relation P177, instance 2"):
        fewrel.read(folder, RowLog())
    log = RowLog(strict=False)
    assert len(fewrel.read(folder, log).statements) == 1
    assert log.summary() == {"not an instance of FewRel": 1}


def test_the_training_file_is_read_too(tmp_path: Path) -> None:
    other = {**INSTANCE, "h": ["t-mobile", "Q5", [[3, 4, 5]]]}
    graph = fewrel.read(write(write(tmp_path, INSTANCE), other, name="train_wiki.json"), RowLog())
    assert {f[0] for f in graph.facts} == {"Q1", "Q5"}


def test_missing_files_languages_and_broken_json_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pid2name"):
        fewrel.read(tmp_path, RowLog())
    folder = write(tmp_path, INSTANCE)
    with pytest.raises(DataError, match=r"no language de.*It has: en"):
        fewrel.read(folder, RowLog(), ["de"])
    assert fewrel.read(folder, RowLog(), ["en"]).statements
    (folder / "val_wiki.json").write_text('{"P177": [', encoding="utf-8")
    with pytest.raises(DataError, match=r"val_wiki.json:1: not JSON"):
        fewrel.read(folder, RowLog())
    with pytest.raises(DataError, match="no sentence"):
        fewrel.read(write(tmp_path), RowLog())


def test_counts_of_the_real_file(shared_data: Path) -> None:
    graph = fewrel.read(shared_data / "fewrel", RowLog())
    assert (len(graph.relations), len(graph.facts), len(graph.labels)) == (16, 11_200, 15_611)  # README
    assert len(graph.statements) + graph.left_out.total() == 11_200
    assert graph.relations["P177"] == {"en": "crosses"}
    assert all(labels["en"] for labels in graph.labels.values())
    for s in graph.statements:
        assert s.text[s.start : s.end].lower() not in (s.text[: s.start] + "[MASK]" + s.text[s.end :]).lower()


def test_what_is_left_out_of_the_real_file_against_a_count_by_tokens(shared_data: Path) -> None:
    relations = json.loads((shared_data / "fewrel" / "val_wiki.json").read_text(encoding="utf-8"))
    names, rows = defaultdict(Counter), []
    for instance in (i for rows in relations.values() for i in rows):
        for _, id, mentions in (instance["h"], instance["t"]):
            names[id][
                " ".join(instance["tokens"][i].strip() for i in mentions[0] if instance["tokens"][i].strip())
            ] += 1
        rows.append(instance)
    several, by_surface, by_label = 0, 0, 0
    for instance in rows:
        tokens, (_, id, mentions) = instance["tokens"], instance["t"]
        several += len(mentions) > 1
        words = [t.strip() for t in tokens if t.strip()]
        surface = " ".join(tokens[i].strip() for i in mentions[0] if tokens[i].strip()).lower()
        text = " ".join(words).lower()
        label = min(names[id], key=lambda n: (-names[id][n], n.isupper(), n)).lower()
        if text.count(surface) > 1:
            by_surface += 1
        elif len(re.findall(rf"(?<!\w){re.escape(label)}(?!\w)", text.replace(surface, "@"))):
            by_label += 1
    assert several == 244  # README: tails with more than one mention
    assert by_surface == 279
    graph = fewrel.read(shared_data / "fewrel", RowLog())
    assert graph.left_out == {"sentences that show the object at a second place": by_surface + by_label}
    assert len(graph.statements) == 11_200 - by_surface - by_label
