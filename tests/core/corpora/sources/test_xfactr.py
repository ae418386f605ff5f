"""X-FACTR: labels are not first aliases, and the counts are those that were measured on the source."""

import json
from collections import Counter
from pathlib import Path

import pytest

from core.corpora.graph import Graph
from core.corpora.rows import DataError, RowLog
from core.corpora.sources import xfactr

# shared/data/xfactr/README.md: entities with a name, and triples with a name for both ends, of the files that are here.
# Its `pa` is `ps` here: the names are Pashto.
COUNTS = {
    **{"bn": (6938, 5689), "ceb": (10212, 8256), "el": (20370, 13084), "en": (83665, 45945), "es": (64071, 37123)},
    **{"fr": (71908, 40334), "he": (30658, 17095), "hu": (38475, 21399), "ilo": (2241, 4060), "ja": (33954, 25553)},
    **{"ko": (28308, 16516), "mg": (5064, 4971), "mr": (8385, 7882), "nl": (69457, 38377), "ps": (1759, 3311)},
    **{"ru": (48948, 26489), "sw": (6362, 6898), "tl": (7275, 7213), "tr": (27759, 16188), "vi": (23085, 13686)},
    **{"war": (8489, 7384), "yo": (3365, 4643), "zh": (44408, 23280)},
}
RELATIONS = [{"relation": "P30", "template": "[X] is in [Y] .", "label": "continent", "type": "N-1"}]
FACTS = [
    ("Q1", "Lake", "Q2", "South Land"),
    ("Q3", "Q three", "Q2", "South Land"),
    ("Q1", "Lake", "Q9", "Nowhere"),
]


def fact(subject: str, sub_label: str, object_: str, obj_label: str) -> dict[str, object]:
    ends = {"sub_uri": subject, "sub_label": sub_label, "obj_uri": object_, "obj_label": obj_label}
    return {"uuid": "u", "predicate_id": "P30", "count": 1, **ends}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source of four entities in the format of the real one."""

    def put(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    put("mTRExf/sub/P30.jsonl", "".join(json.dumps(fact(*f)) + "\n" for f in FACTS))
    put("TREx-relations.jsonl", "".join(json.dumps(r) + "\n" for r in RELATIONS))
    for name in xfactr.LABEL_FILES.values():
        put(f"{name}/TREx_{name}.txt", "Q2\tTierra del Sur\n" if name == "spanish" else "")
    put("alias/mTRExf/en.txt", "Q1\tA LAKE\tBig Lake\tLake\tLe Lac\tTn\nQ2\tSouth Land\tThe South\nQ10\tTen\n")
    put("alias/TREx/en.txt", "Q2\tMeridia\tSouth Land\nQ3\t☃\t Three \tX\t\u200eThree\u200e\n")
    put("alias/mTRExf/es.txt", "Q1\tEl Lago\tLe Lac\nQ2\tEl Sur\tTierra del Sur\n")
    put("alias/mTRExf/fr.txt", "Q1\tLac Grand\tLe Lac\n")
    put("alias/mTRExf/ja.txt", "Q1\tLake\t湖水\nQ2\t南\tSouth\n")
    put("alias/mTRExf/pa.txt", "Q1\tډنډ\n")
    return tmp_path


def test_labels_and_aliases(folder: Path) -> None:
    graph = xfactr.read(folder, RowLog())
    assert list(graph.labels) == ["Q1", "Q2", "Q3", "Q10"]
    # Lake: used in the facts' texts and named so in two languages (2 + 3); Le Lac: in three; A LAKE, Tn: abbreviations.
    assert graph.labels["Q1"] == {"en": "Lake", "es": "Le Lac", "fr": "Le Lac", "ja": "湖水", "ps": "ډنډ"}
    assert graph.aliases["Q1"]["en"] == ["A LAKE", "Big Lake", "Le Lac", "Tn"]
    assert graph.labels["Q2"] == {"en": "South Land", "es": "Tierra del Sur", "ja": "南"}  # es: of its label file
    assert graph.aliases["Q2"] == {"en": ["Meridia", "The South"], "es": ["El Sur"], "ja": ["South"]}
    assert graph.labels["Q3"] == {"en": "Three"}
    assert "Q3" not in graph.aliases
    assert graph.left_out == {"names without a letter or digit": 1, "names of one character": 1}
    assert graph.relations == {"P30": {"en": "continent"}}
    assert list(graph.facts) == [("Q1", "P30", "Q2"), ("Q3", "P30", "Q2"), ("Q1", "P30", "Q9")]


def test_odd_names_may_stay(folder: Path) -> None:
    graph = xfactr.read(folder, RowLog(), odd_names=True)
    assert graph.labels["Q3"] == {"en": "Three"}
    assert graph.aliases["Q3"] == {"en": ["☃", "X"]}
    assert not graph.left_out


def test_languages_do_not_change_labels(folder: Path) -> None:
    every, some = xfactr.read(folder, RowLog()), xfactr.read(folder, RowLog(), ["es", "ja"])
    assert some.labels["Q1"] == {code: every.labels["Q1"][code] for code in ("es", "ja")}
    assert some.labels["Q3"] == {}
    assert some.relations == {}
    assert some.facts == every.facts
    with pytest.raises(DataError, match=r"X-FACTR has no language de\. It has: bn, el, en"):
        xfactr.read(folder, RowLog(), ["de", "en"])


def test_a_corpus_of_it(folder: Path, tmp_path: Path) -> None:
    corpus = xfactr.read(folder, RowLog()).write(tmp_path / "out", RowLog())
    assert corpus.info.counts["triples"] == 2
    assert corpus.info.build["left_out"]["facts with an end without a label"] == 1


def test_bad_rows(folder: Path) -> None:
    files = {
        folder / "spanish" / "TREx_spanish.txt": ("Q7\n", "not 2 columns"),
        folder / "greek" / "TREx_greek.txt": ("Q7\t \n", "an empty label"),
        folder / "alias" / "TREx" / "en.txt": ("Q7\n", "an entity without a name"),
        folder / "mTRExf" / "sub" / "P30.jsonl": ('{"sub_uri": "Q1", "obj_\n', "not JSON"),
    }
    for path, (text, reason) in files.items():
        before = path.read_text(encoding="utf-8")
        path.write_text(before + text, encoding="utf-8")
        line = before.count("\n") + 1
        with pytest.raises(DataError, match=rf"{path.name}:{line}: {reason}"):
            xfactr.read(folder, RowLog())
        log = RowLog(strict=False)
        assert len(xfactr.read(folder, log).facts) == 3
        assert log.summary() == {reason: 1}
        path.write_text(before, encoding="utf-8")


def test_a_folder_that_is_not_the_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"X-FACTR: there is no .*alias.*workbench data list"):
        xfactr.read(tmp_path, RowLog())


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Graph:
    return xfactr.read(shared_data / "xfactr", RowLog(), odd_names=True)


@pytest.mark.slow
def test_the_counts_are_the_readmes(real: Graph) -> None:
    entities = Counter(code for labels in real.labels.values() for code in labels)
    both = Counter(
        code for s, _, o in real.facts for code in real.labels.get(s, {}).keys() & real.labels.get(o, {}).keys()
    )
    assert {code: (entities[code], both[code]) for code in entities} == COUNTS
    languages = [len(labels) for labels in real.labels.values() if labels]
    assert len(languages) == 83_756
    assert [sum(n >= least for n in languages) for least in (2, 5, 11)] == [80_112, 60_509, 21_201]
    assert sum(n * (n - 1) // 2 for n in languages) == 3_069_768
    assert len(real.facts) == 46_000
    assert len({r for _, r, _ in real.facts}) == len(real.relations) == 46
    assert sum(bool(real.labels.get(s)) and bool(real.labels.get(o)) for s, _, o in real.facts) == 45_953


@pytest.mark.slow
def test_labels_are_those_of_the_label_files(real: Graph, shared_data: Path) -> None:
    compared = 0
    for code, name in xfactr.LABEL_FILES.items():
        text = (shared_data / "xfactr" / name / f"TREx_{name}.txt").read_text(encoding="utf-8")
        for entity, label in (line.split("\t") for line in text.splitlines()):
            assert real.labels[entity][code] == label.strip().strip("\u200e\u200f\ufeff").strip()
            compared += 1
    assert compared > 150_000
    earth = real.labels["Q2"]
    assert {code: earth[code] for code in ("en", "es", "nl", "ja", "zh", "sw")} == {
        **{"en": "Earth", "es": "Tierra", "nl": "Aarde", "ja": "地球", "zh": "地球", "sw": "Dunia"}
    }
    assert real.labels["Q18"]["en"] == "South America"


@pytest.mark.slow
def test_chosen_labels_beat_first_names(real: Graph, shared_data: Path) -> None:
    """Against labels of CoDEx types, which the reader has not seen."""
    for code, right, first_right in (("en", 0.72, 0.55), ("zh", 0.61, 0.60)):
        types = json.loads((shared_data / "codex" / "types" / code / "types.json").read_text(encoding="utf-8"))
        known = {id: t["label"] for id, t in types.items() if t["label"] and code in real.labels.get(id, {})}
        assert len(known) > 700
        chosen = sum(real.labels[id][code] == label for id, label in known.items())
        names = {id: [real.labels[id][code], *real.aliases.get(id, {}).get(code, ())] for id in known}
        first = sum(min(names[id]) == label for id, label in known.items())
        assert first / len(known) < first_right < right < chosen / len(known)
