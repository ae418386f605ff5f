"""The extension to further languages: every rule by hand, and real tests against a slow count of their own."""

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.corpora.benchmarks import dbp5l
from core.corpora.benchmarks.draft import Draft
from core.corpora.benchmarks.extension import RELEASED, ExtensionRules, extend, paper_sizes
from core.corpora.benchmarks.name_matching import AMBIGUOUS, UNMATCHED, MatchRules, form_of, match_names
from core.corpora.benchmarks.store import BenchmarkData, BenchmarkError
from core.corpora.records import Entity, Relation, Triple
from core.corpora.rows import RowLog
from core.corpora.sources import cldr, xfactr
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter
from core.encoder.backbones import load_backbone
from core.tasks.kg_completion import BenchmarkCompletion

STORE = {  # id -> labels, English aliases
    "Q1": ({"en": "Paris", "ca": "París", "hu": "Párizs"}, ["City of Light"]),
    "Q2": ({"en": "Paris", "ca": "París (mitologia)"}, []),
    "Q3": ({"en": "France", "ca": "França", "hu": "Franciaország"}, []),
    "Q4": ({"en": "Titanic", "ca": "Titanic", "hu": "Titanic"}, []),
    "Q5": ({"en": "Washington, D.C.", "ca": "Washington DC"}, ["Washington"]),
    "Q6": ({"en": "Bern", "ca": "Berna", "hu": "Bern"}, ["Berne"]),
    "Q7": ({"en": "Hamlet"}, []),
}
ROW = {id: row for row, id in enumerate(STORE)}


@pytest.fixture
def store(tmp_path: Path) -> Corpus:
    with CorpusWriter(tmp_path / "store", "store", "tests", "CC0", "Labels.") as writer:
        for id, (labels, aliases) in STORE.items():
            writer.add_entities([Entity(id, "thing", "train", labels, {"en": aliases} if aliases else {})])
        writer.add_relations([Relation("P36", {"en": "Capital", "ca": "capital"}), Relation("P17", {"en": "country"})])
        writer.add_triples([Triple("Q3", "P36", "Q2", "train"), Triple("Q2", "P17", "Q3", "train")])
    return Corpus.open(tmp_path / "store")


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [
        ("Crash (2004 film)", "whole", "Crash (2004 film)"),
        ("Crash (2004 film)", "no_bracket", "Crash"),
        ("Washington, D.C.", "no_bracket", "Washington, D.C."),
        ("Washington, D.C.", "no_comma", "Washington"),
        ("A (b), c", "no_comma", "A"),
        ("f(x)", "no_comma", "f(x)"),
    ],
)
def test_forms_of_a_name(name: str, form: str, expected: str) -> None:
    assert form_of(name, form) == expected


@pytest.mark.parametrize(
    ("name", "rules", "expected"),
    [
        ("France", MatchRules(), "Q3"),
        ("france", MatchRules(), UNMATCHED),
        ("france", MatchRules(ignore_case=True), "Q3"),
        ("FRANCE (land)", MatchRules(ignore_case=True), "Q3"),
        ("France (land)", MatchRules(("whole",)), UNMATCHED),
        ("Paris", MatchRules(), AMBIGUOUS),
        ("Paris", MatchRules(ambiguous="first"), "Q1"),
        ("Paris", MatchRules(ambiguous="last"), "Q2"),
        ("Paris", MatchRules(ambiguous="most_facts"), "Q2"),
        ("Washington, D.C.", MatchRules(), "Q5"),
        ("Washington, D.C.", MatchRules(("no_comma",)), UNMATCHED),
        ("Washington, D.C.", MatchRules(("no_comma",), aliases=True), "Q5"),
        ("Berne", MatchRules(), UNMATCHED),
        ("Berne", MatchRules(aliases=True), "Q6"),
        ("City of Light (film)", MatchRules(aliases=True), "Q1"),
        ("City of Light (film)", MatchRules(aliases=True, forms=("whole",)), UNMATCHED),
        ("Bordeaux", MatchRules(aliases=True, ignore_case=True), UNMATCHED),
    ],
)
def test_a_name_is_matched_by_the_rules(store: Corpus, name: str, rules: MatchRules, expected: str | int) -> None:
    wanted = ROW[expected] if isinstance(expected, str) else expected
    assert match_names(["nothing", name, name], store, rules).tolist() == [UNMATCHED, wanted, wanted]


def test_an_entity_that_several_names_claim_goes_to_the_whole_one_or_to_none(store: Corpus) -> None:
    films = ["Titanic (1953 film)", "Titanic (1997 film)"]
    assert match_names(films, store, MatchRules()).tolist() == [AMBIGUOUS, AMBIGUOUS]
    assert match_names(["Titanic", *films], store, MatchRules()).tolist() == [ROW["Q4"], AMBIGUOUS, AMBIGUOUS]
    assert match_names(films[:1], store, MatchRules()).tolist() == [ROW["Q4"]]
    assert match_names(films, store, MatchRules(ambiguous="first")).tolist() == [ROW["Q4"]] * 2
    assert match_names(["Bern", "Berne"], store, MatchRules(aliases=True)).tolist() == [ROW["Q6"], AMBIGUOUS]


# Name, relation, name of a test triple, and what becomes of it in Catalan.
FATES = [
    ("France", "capital", "Bern", "kept"),
    ("France (land)", "capital", "Bern", "ambiguous"),  # "France" is the whole name of the same entity
    ("France", "Capital", "Bern", "kept"),  # another relation: names are compared as they are
    ("Nowhere", "capital", "Bern", "unmatched_subject"),
    ("Bern", "capital", "Nowhere", "unmatched_object"),
    ("Nowhere", "capital", "Elsewhere", "unmatched_both"),
    ("Paris", "capital", "Bern", "ambiguous"),
    ("Paris", "capital", "Nowhere", "unmatched_object"),
    ("Hamlet", "capital", "Bern", "no_label"),
]


def completion(
    target: Path, triples: list[tuple[str, str, str]], further: Sequence[tuple[str, str, str, str]] = ()
) -> BenchmarkData:
    """Test triples in English, `further` ones with their split, and two French ones."""
    draft = Draft("tests", "kg_completion", "tests", "CC0", "A card.")
    rows: dict[tuple[str, str], int] = {}

    def row(table: str, name: str) -> int:
        if (table, name) not in rows:
            rows[table, name] = draft.add(table, "en", name, name, "")
        return rows[table, name]

    for subject, relation, object_ in triples:
        ends = row("entities", subject), row("relations", relation), row("entities", object_)
        draft.add("triples", "en", "test", *ends)
    for split, subject, relation, object_ in further:
        draft.add(
            "triples", "en", split, *map(row, ("entities", "relations", "entities"), (subject, relation, object_))
        )
    draft.add("entities", "fr", "1", "Berne", "")
    draft.add("triples", "fr", "test", len(draft.rows["entities"]) - 1, 0, len(draft.rows["entities"]) - 1)
    draft.add("triples", "fr", "train", len(draft.rows["entities"]) - 1, 0, len(draft.rows["entities"]) - 1)
    return draft.write(target, RowLog())


def asked(benchmark: BenchmarkData, language: str) -> list[tuple[str, str, str]]:
    name, relation = benchmark.texts("entities", "name"), benchmark.texts("relations", "name")
    found = benchmark.records("triples", language=language, split="test")
    return [(name[t["subject"]], relation[t["relation"]], name[t["object"]]) for t in found]


def test_every_triple_has_one_fate(tmp_path: Path, store: Corpus) -> None:
    benchmark = completion(tmp_path / "b", [fate[:3] for fate in FATES])
    extended = extend(benchmark, store, tmp_path / "e", ["ca", "hu"])
    report = extended.info.build["extensions"][0]
    expected = Counter(fate[3] for fate in FATES)
    assert report["languages"]["ca"] == {
        "given": 9,
        **{key: expected[key] for key in ("unmatched_subject", "unmatched_object", "unmatched_both")},
        **{key: expected[key] for key in ("ambiguous", "no_label")},
        "duplicates": 0,
        "kept": 2,
        "own": 0,
    }
    assert report["names"] == {"names": 7, "matched": 3, "ambiguous": 2}
    assert report["rules"]["match"]["ambiguous"] == "skip"
    assert asked(extended, "ca") == [("França", "capital", "Berna"), ("França", "Capital", "Berna")]
    assert asked(extended, "hu") == [("Franciaország", "capital", "Bern"), ("Franciaország", "Capital", "Bern")]
    candidates = extended.records("entities", language="ca")
    assert {(e["id"], e["name"]) for e in candidates} == {("Q3", "França"), ("Q6", "Berna")}
    assert extended.info.name == "tests-extended"
    assert asked(extended, "en") == asked(benchmark, "en")


def test_english_triples_of_other_splits_are_known_answers(tmp_path: Path, store: Corpus, tiny_backbone: Path) -> None:
    """And ranks are filtered by them, but they are neither asked nor trained on."""
    further = [
        ("train", "France", "capital", "Washington, D.C."),
        ("valid", "France", "capital", "Titanic"),
        ("valid", "France", "capital", "Nowhere"),
    ]
    benchmark = completion(tmp_path / "b", [("France", "capital", "Bern")], further)
    extended = extend(benchmark, store, tmp_path / "e", ["ca"])
    name = extended.texts("entities", "name")
    known = extended.records("triples", language="ca", split="known")
    assert [(name[t["subject"]], name[t["object"]]) for t in known] == [
        ("França", "Washington DC"),
        ("França", "Titanic"),
    ]
    assert asked(extended, "ca") == [("França", "capital", "Berna")]
    assert len({t["relation"] for t in extended.records("triples", language="ca")}) == 1
    task = BenchmarkCompletion(load_backbone(str(tiny_backbone), tmp_path), extended, train_languages=["en"])
    asked_in_catalan = task.benchmark("ca")
    assert sorted(name[row] for row in asked_in_catalan.known[0]) == ["Titanic", "Washington DC"]
    assert sorted(name[row] for row in asked_in_catalan.candidates) == ["Berna", "França", "Titanic", "Washington DC"]
    assert task.test_sizes()["ca"] == 1
    with pytest.raises(ValueError, match="no training"):
        BenchmarkCompletion(load_backbone(str(tiny_backbone), tmp_path), extended, train_languages=["ca"]).training_set(
            0
        )


def test_relations_take_their_label_where_there_is_one(tmp_path: Path, store: Corpus) -> None:
    benchmark = completion(tmp_path / "b", [("France", "capital", "Bern"), ("Bern", "country", "France")])
    extended = extend(benchmark, store, tmp_path / "e", ["ca"], ExtensionRules(relations="label"))
    assert asked(extended, "ca") == [("França", "capital", "Berna"), ("Berna", "country", "França")]
    languages = [
        extended.table("relations")["language"][t["relation"]].as_py()
        for t in extended.records("triples", language="ca")
    ]
    assert languages == ["ca", "en"]


def test_triples_that_become_equal_are_merged(tmp_path: Path, store: Corpus) -> None:
    triples = [("France", "capital", "Bern"), ("France (land)", "capital", "Bern")]
    rules = ExtensionRules(MatchRules(ambiguous="first"))
    extended = extend(completion(tmp_path / "b", triples), store, tmp_path / "e", ["ca"], rules)
    row = extended.info.build["extensions"][0]["languages"]["ca"]
    assert (row["given"], row["duplicates"], row["kept"]) == (2, 1, 1)


def test_own_tests_are_kept_or_replaced(tmp_path: Path, store: Corpus) -> None:
    benchmark = completion(tmp_path / "b", [("France", "capital", "Bern"), ("Nowhere", "capital", "Bern")])
    kept = extend(benchmark, store, tmp_path / "k", ["en", "ca"])
    assert kept.info.build["extensions"][0]["languages"]["en"]["own"] == 2
    assert asked(kept, "en") == asked(benchmark, "en")
    replaced = extend(benchmark, store, tmp_path / "r", ["en"], ExtensionRules(own_tests="replace"))
    assert asked(replaced, "en") == [("France", "capital", "Bern")]
    assert replaced.info.counts["entities"] == benchmark.info.counts["entities"]  # known names keep their row
    assert asked(replaced, "fr") == asked(benchmark, "fr")
    again = extend(kept, store, tmp_path / "again", ["hu", "ca"])
    rows = again.info.build["extensions"][1]["languages"]
    assert (rows["hu"]["kept"], rows["ca"]["own"], again.info.name) == (1, 1, "tests-extended")


def alignment(target: Path) -> BenchmarkData:
    """English-German: Bern is trained on; France, Hamlet, Paris and Nowhere are asked, Bern as the name of another."""
    draft = Draft("tests", "entity_alignment", "tests", "CC0", "A card.")
    names = [
        ("Bern", "train"),
        ("France", "test"),
        ("Hamlet", "test"),
        ("Paris", "test"),
        ("nowhere", "test"),
        ("Bern", "test"),
    ]
    for number, (name, split) in enumerate(names):
        source = draft.add("entities", "en", str(number), name, "")
        draft.add("pairs", "en", "de", split, source, draft.add("entities", "de", str(number), f"{name}-de", ""))
    return draft.write(target, RowLog())


def test_every_pair_has_one_fate(tmp_path: Path, store: Corpus) -> None:
    extended = extend(alignment(tmp_path / "b"), store, tmp_path / "e", ["ca"])
    losses = {"trained": 1, "unmatched": 1, "ambiguous": 1, "no_label": 1, "duplicates": 0}
    assert extended.info.build["extensions"][0]["languages"]["ca"] == {"given": 5, **losses, "kept": 1, "own": 0}
    (pair,) = extended.records("pairs", target_language="ca")
    name = extended.texts("entities", "name")
    assert (name[pair["source"]], name[pair["target"]], pair["split"]) == ("France", "França", "test")


def test_released_rules_follow_the_authors_code(tmp_path: Path, store: Corpus) -> None:
    benchmark = completion(
        tmp_path / "b", [("France (land)", "capital", "Paris"), ("Bern, BE", "x", "Washington, D.C.")]
    )
    extended = extend(benchmark, store, tmp_path / "e", ["ca"], RELEASED["kg_completion"])
    assert asked(extended, "ca") == [("França", "capital", "París (mitologia)")]  # the last Paris; "Washington" is none
    pairs = extend(alignment(tmp_path / "c"), store, tmp_path / "f", ["ca"], RELEASED["entity_alignment"])
    assert pairs.info.build["extensions"][0]["languages"]["ca"]["kept"] == 2  # France and the last Paris


def test_what_cannot_be_extended_says_why(tmp_path: Path, store: Corpus) -> None:
    benchmark = completion(tmp_path / "b", [("Nowhere", "capital", "Bern")])
    with pytest.raises(ValueError, match=r"has no labels in xx. It has: ca, en, hu"):
        extend(benchmark, store, tmp_path / "e", ["ca", "xx"])
    with pytest.raises(BenchmarkError, match="nothing to add"):
        extend(benchmark, store, tmp_path / "e", ["ca"])
    words = Draft("words", "ner", "", "", "")
    words.add("sentences", "en", "test", ["a"], ["O"])
    with pytest.raises(BenchmarkError, match="words is ner; kg_completion and entity_alignment can be extended"):
        extend(words.write(tmp_path / "w", RowLog()), store, tmp_path / "e")
    german = Draft("german", "kg_completion", "", "", "")
    german.add("entities", "de", "1", "Bern", "")
    german.add("relations", "en", "1", "r", "")
    german.add("triples", "de", "test", 0, 0, 0)
    with pytest.raises(BenchmarkError, match="german has no English test triples"):
        extend(german.write(tmp_path / "g", RowLog()), store, tmp_path / "e")
    assert not (tmp_path / "e").exists()


def test_the_papers_languages_are_those_of_its_tables(shared_data: Path) -> None:
    for task, table in (("kg_completion", 9), ("entity_alignment", 10)):
        with (shared_data.parent / "reference" / f"table{table}.csv").open(encoding="utf-8", newline="") as file:
            printed = {row["language_or_group"]: int(row["n_test"]) for row in csv.DictReader(file)}
        assert len(printed) == 22
        assert paper_sizes(task) == {code.removeprefix("en->"): n for code, n in printed.items()}


def slow_kept(data: Path, labels: Corpus, language: str, name_form: Callable[[str], str]) -> list[tuple[str, str, str]]:
    """The translated test triples of DBP-5L by the authors' steps, on the files, the last entity of a label meant."""
    entity = labels.column("labels", "entity").tolist()
    codes, texts = labels.table("labels")["language"].to_pylist(), labels.texts("labels").text.to_pylist()
    english = {text: e for e, code, text in zip(entity, codes, texts, strict=True) if code == "en"}
    other = {e: text for e, code, text in zip(entity, codes, texts, strict=True) if code == language}
    uris = (data / "dbp5l" / "entity" / "en.tsv").read_text(encoding="utf-8").split("\n")
    names = [name_form(uri.strip().replace("%3F", "?").partition("/resource/")[2].replace("_", " ")) for uri in uris]
    found = []
    for line in (data / "dbp5l" / "kg" / "en-test.tsv").read_text(encoding="utf-8").split("\n"):
        if line:
            subject, relation, object_ = (int(cell) for cell in line.split("\t"))
            ends = [english.get(names[end]) for end in (subject, object_)]
            if all(end in other for end in ends):
                found.append((other[ends[0]], relation, other[ends[1]]))
    return found


def check_against_the_slow_count(data: Path, labels: Corpus, room: Path, languages: list[str], least: int) -> None:
    benchmark = dbp5l.read(data / "dbp5l", RowLog()).write(room / "dbp5l", RowLog())
    rules = replace(RELEASED["kg_completion"], own_tests="keep")
    extended = extend(benchmark, labels, room / "extended", languages, rules)
    name = extended.texts("entities", "name")
    for language in languages:
        slow = slow_kept(data, labels, language, lambda text: text.split(",")[0].split(" (")[0])
        row = extended.info.build["extensions"][0]["languages"][language]
        assert row["kept"] + row["duplicates"] == len(slow) >= least
        assert row["given"] == 7464 == sum(count for key, count in row.items() if key not in ("given", "own"))
        triples = extended.records("triples", language=language, split="test")
        assert {(name[t["subject"]], name[t["object"]]) for t in triples} == {(s, o) for s, _, o in slow}


def test_dbp5l_with_cldr_labels(shared_data: Path, tmp_path: Path) -> None:
    languages = ["ca", "da", "nb", "eo"]
    labels = cldr.build(tmp_path / "cldr", ["en", *languages])
    check_against_the_slow_count(shared_data, labels, tmp_path, languages, 20)


@pytest.mark.slow
def test_dbp5l_with_xfactr_labels(shared_data: Path, tmp_path: Path) -> None:
    log = RowLog()
    labels = xfactr.read(shared_data / "xfactr", log, ["en", "hu", "nl", "ru"]).write(tmp_path / "xfactr", log)
    check_against_the_slow_count(shared_data, labels, tmp_path, ["hu", "nl", "ru"], 1000)
