"""The CLDR graph: what is known of the world must be in it, and its splits must not leak."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from core.corpora.sources import cldr
from core.corpora.store import Corpus
from core.languages import PAPER_LANGUAGES

LANGUAGES = ["ar", "de", "en", "eo", "fr", "it", "ja", "nb", "ru"]
SCHEMAS = yaml.safe_load(Path(cldr.__file__).with_name("cldr_relations.yaml").read_text(encoding="utf-8"))
SPLITS = ("train", "valid", "test")


class Graph:
    """A corpus read with Parquet alone, by ids."""

    def __init__(self, path: Path) -> None:
        def rows(table: str) -> list[dict]:
            return pq.read_table(path / f"{table}.parquet").to_pylist()

        entities, relations = rows("entities"), [r["id"] for r in rows("relations")]
        self.ids = [e["id"] for e in entities]
        self.split = {e["id"]: SPLITS[e["split"]] for e in entities}
        self.labels: dict[str, dict[str, str]] = {id: {} for id in self.ids}
        for row in rows("labels"):
            self.labels[self.ids[row["entity"]]][row["language"]] = row["text"]
        self.triples = [
            (self.ids[t["subject"]], relations[t["relation"]], self.ids[t["object"]]) for t in rows("triples")
        ]
        self.triple_split = [SPLITS[t["split"]] for t in rows("triples")]
        self.triple_sentences, self.mention_sentences = rows("triple_sentences"), rows("mention_sentences")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return cldr.build(tmp_path_factory.mktemp("cldr") / "small", LANGUAGES)


@pytest.fixture(scope="module")
def graph(built: Corpus) -> Graph:
    return Graph(built.path)


def test_counts_are_plausible(built: Corpus) -> None:
    counts = built.info.counts
    assert built.languages == LANGUAGES
    assert 1850 < counts["entities"] < 1950  # 1,894 in Babel 2.18 over all languages
    assert 1000 * len(LANGUAGES) < counts["labels"] < 1950 * len(LANGUAGES)
    assert counts["triples"] > 2500
    assert counts["mention_sentences"] > 1000
    assert counts["triple_sentences"] > counts["mention_sentences"]
    kinds = Counter(id.split("/")[0] for id in built.table("entities")["id"].to_pylist())
    assert set(kinds) == {"territory", "language", "currency", "script", "city"}
    assert min(kinds.values()) > 180


def test_zurich_in_its_languages(graph: Graph) -> None:
    zurich = graph.labels["city/Europe/Zurich"]
    assert {code: zurich[code] for code in ("en", "de", "it", "ru", "ar")} == {
        **{"en": "Zurich", "de": "Zürich", "it": "Zurigo", "ru": "Цюрих", "ar": "زيورخ"}
    }
    assert graph.labels["territory/DE"]["nb"] == "Tyskland"
    assert graph.labels["territory/DE"]["eo"] == "Germanujo"
    assert graph.labels["territory/JP"]["ja"] == "日本"
    assert graph.labels["currency/CHF"]["fr"] == "franc suisse"


def test_what_is_no_entity_or_no_name_is_left_out(graph: Graph) -> None:
    assert not {"language/und", "territory/ZZ", "currency/XXX", "script/Zzzz"} & set(graph.ids)
    assert len(graph.ids) == len(set(graph.ids))
    codes = [
        (id, lang) for id, names in graph.labels.items() for lang, text in names.items() if text == id.split("/")[1]
    ]
    assert codes == []
    assert all(names and all(text == text.strip() != "" for text in names.values()) for names in graph.labels.values())


@pytest.mark.parametrize(
    "fact",
    [
        ("territory/CH", "official_language", "language/de"),
        ("territory/CH", "official_language", "language/fr"),
        ("territory/CH", "official_language", "language/it"),
        ("territory/CH", "currency", "currency/CHF"),
        ("territory/DE", "currency", "currency/EUR"),
        ("territory/DE", "former_currency", "currency/DEM"),
        ("city/Europe/Zurich", "country", "territory/CH"),
        ("city/Europe/Zurich", "continent", "territory/150"),
        ("city/Asia/Tokyo", "country", "territory/JP"),
        ("territory/JP", "continent", "territory/142"),
        ("language/ja", "script", "script/Jpan"),
        ("language/ja", "main_country", "territory/JP"),
    ],
)
def test_known_facts(graph: Graph, fact: tuple[str, str, str]) -> None:
    assert fact in graph.triples


@pytest.mark.parametrize(
    "fact",
    [
        ("territory/CH", "official_language", "language/en"),
        ("territory/CH", "currency", "currency/EUR"),
        ("territory/DE", "currency", "currency/DEM"),
        ("territory/DE", "former_currency", "currency/EUR"),
        ("territory/RU", "continent", "territory/150"),  # its zones lie in two areas: no single continent
    ],
)
def test_false_facts(graph: Graph, fact: tuple[str, str, str]) -> None:
    assert fact[0] in graph.ids
    assert fact[2] in graph.ids
    assert fact not in graph.triples


def test_relations_have_labels_and_patterns_in_twelve_languages() -> None:
    assert len(SCHEMAS) >= 6
    for relation, schema in SCHEMAS.items():
        assert len(schema["labels"]) >= 12, relation
        assert len(schema["patterns"]) >= 12, relation
        assert set(schema["patterns"]) <= set(schema["labels"]) <= set(cldr.cldr_languages())
        for language, pattern in schema["patterns"].items():
            assert re.fullmatch(r"[^{}]*\{s\}[^{}]*\{o\}[^{}]*", pattern), (relation, language)


def test_every_relation_has_training_triples(graph: Graph) -> None:
    trained = Counter(r for (_, r, _), split in zip(graph.triples, graph.triple_split, strict=True) if split == "train")
    assert set(trained) == set(SCHEMAS)
    assert min(trained.values()) > 20
    assert len(set(graph.triples)) == len(graph.triples)


def test_splits_are_disjoint_by_entity_and_a_share_of_each_kind(graph: Graph) -> None:
    order = {"train": 0, "valid": 1, "test": 2}
    assert set(graph.triple_split) == set(order)
    for (subject, _, object_), split in zip(graph.triples, graph.triple_split, strict=True):
        assert order[split] == max(order[graph.split[subject]], order[graph.split[object_]])
    for kind in ("territory", "language", "currency", "script", "city"):
        members = Counter(split for id, split in graph.split.items() if id.startswith(f"{kind}/"))
        assert abs(members["test"] / members.total() - 0.2) < 0.06  # groups of homonyms move as one
        assert abs(members["valid"] / members.total() - 0.1) < 0.06


def test_no_name_of_a_held_out_entity_is_a_name_of_a_training_entity(graph: Graph) -> None:
    splits: dict[tuple[str, str], set[str]] = {}
    shared = Counter()
    for id, labels in graph.labels.items():
        for language, text in labels.items():
            splits.setdefault((language, text.casefold()), set()).add(graph.split[id])
            shared[language, text.casefold()] += 1
    assert max(shared.values()) > 1
    assert all(len(found) == 1 for found in splits.values())


def test_spans_are_the_labels(graph: Graph) -> None:
    assert len(graph.triple_sentences) > 1000
    for s in graph.triple_sentences:
        subject, _, object_ = graph.triples[s["triple"]]
        assert s["text"][s["start"] : s["end"]] == graph.labels[object_][s["language"]]
        assert graph.labels[subject][s["language"]] in s["text"]
    for s in graph.mention_sentences:
        assert s["text"][s["start"] : s["end"]] == graph.labels[graph.ids[s["entity"]]][s["language"]]


def test_sentences_fill_the_patterns(graph: Graph) -> None:
    for s in graph.triple_sentences:
        subject, relation, object_ = graph.triples[s["triple"]]
        labels = {"s": graph.labels[subject][s["language"]], "o": graph.labels[object_][s["language"]]}
        assert s["text"] == SCHEMAS[relation]["patterns"][s["language"]].format(**labels)
    assert {s["language"] for s in graph.triple_sentences} == {"ar", "de", "en", "fr", "it", "ja", "ru"}


def test_training_sentences_name_no_held_out_entity(graph: Graph) -> None:
    stated: dict[tuple[str, str], list[tuple[str, str]]] = {}  # sentence -> the pairs of entities that it names
    for s in graph.triple_sentences:
        subject, _, object_ = graph.triples[s["triple"]]
        stated.setdefault((s["language"], s["text"]), []).append((subject, object_))
    trained = 0
    for s in graph.mention_sentences:
        if SPLITS[s["split"]] == "train":
            named = stated[s["language"], s["text"]]
            assert named
            assert all(graph.split[a] == graph.split[b] == "train" for a, b in named), s
            trained += 1
    assert trained > 1000
    seen = {(s["entity"], s["language"]) for s in graph.mention_sentences}
    assert len(seen) == len(graph.mention_sentences)  # one sentence per entity and language


def test_the_card_says_what_the_data_is(built: Corpus) -> None:
    assert "PATTERNED" in built.info.card
    assert "not natural text" in built.info.card
    assert "Unicode-3.0" in built.info.licence
    assert re.fullmatch(r"CLDR in Babel \d+\.\d+.*", built.info.source)


def test_an_unknown_language_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Languages not in CLDR: no, xx\. Known codes: .*nb") as caught:
        cldr.build(tmp_path / "corpus", ["en", "xx", "no"])
    assert "de" in str(caught.value).split("Known codes: ")[1].removesuffix(".").split(", ")
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_fails_midway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(cldr, "_sentences", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cldr.build(tmp_path / "corpus", ["eo", "nb"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("valid", "test"), [(0.5, 0.5), (1.0, 0), (0.1, -0.2), (-0.1, 0.2)])
def test_shares_that_are_none_are_refused(tmp_path: Path, valid: float, test: float) -> None:
    with pytest.raises(ValueError, match="must not be negative and must sum to less than 1"):
        cldr.build(tmp_path / "corpus", ["eo"], valid, test)
    assert list(tmp_path.iterdir()) == []


def test_norwegian_is_bokmal() -> None:
    languages = cldr.cldr_languages()
    assert "nb" in languages
    assert "no" not in languages
    assert languages == sorted(set(languages))


def test_two_builds_have_one_fingerprint(tmp_path: Path) -> None:
    """In another process with other string hashes, and from languages in another order, given once."""
    here = cldr.build(tmp_path / "here", (code for code in ("nb", "eo", "nb")))
    code = "import sys, pathlib, core.corpora.sources.cldr as c; c.build(pathlib.Path(sys.argv[1]), ['eo', 'nb'])"
    command, root = [sys.executable, "-c", code, str(tmp_path / "there")], Path(cldr.__file__).parents[2]
    subprocess.run(command, cwd=root, env=os.environ | {"PYTHONHASHSEED": "77"}, check=True, timeout=60)
    there = Corpus.open(tmp_path / "there")
    assert here.info.counts["labels"] > 500
    assert here.info == there.info
    other = cldr.build(tmp_path / "other", ["eo", "nb"], test_share=0.3)
    assert other.info.fingerprint != here.info.fingerprint


@pytest.mark.slow
def test_the_whole_of_cldr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = cldr.cached(tmp_path)
    assert 1890 <= corpus.info.counts["entities"] <= 1910  # 1,894 by the design's count
    assert corpus.info.counts["labels"] > 120_000
    assert set(PAPER_LANGUAGES) - set(corpus.languages) == {"bar", "no", "sco", "sh", "tl", "war"}
    assert {"eo", "fo", "nb", "yo", "zu"} <= set(corpus.languages)
    graph = Graph(corpus.path)
    zurich = graph.labels["city/Europe/Zurich"]
    assert zurich["it"] == "Zurigo"
    assert len({s["language"] for s in graph.triple_sentences}) >= 12
    # The second time it is opened, not built.
    monkeypatch.setattr(cldr, "build", None)
    assert cldr.cached(tmp_path).info == corpus.info
