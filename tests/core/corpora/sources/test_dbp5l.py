"""DBP-5L as a corpus: five graphs become one by their links, and only training triples come in."""

from collections import Counter
from pathlib import Path

import pytest

from core.corpora.rows import DataError, RowLog
from core.corpora.sources import dbp5l

ENTITIES = {
    "en": ["AC/DC", "Titanic_(1997_film)", "Egypt", "Egypt", "Who%3F", "(I)"],
    "fr": ["Titanic_(film,_1997)", "Égypte", "Le_Caire"],
    "ja": ["タイタニック", "エジプト"],
    "de": ["Ägypten"],
}
HOSTS = {code: "" if code == "en" else f"{code}." for code in ENTITIES}
LINKS = {"en-fr": ["1.0\t0.0", "2.0\t1.0", "2.0\t1.0"], "ja-fr": ["0.0\t0.0", "1.0\t1.0"]}
FACTS = {
    "en-train": ["2\t0\t3", "0\t2\t1"],
    "en-val": ["0\t1\t2"],
    "en-test": ["0\t0\t4"],
    "fr-train": ["2\t1\t1"],
}
RELATIONS = ["http://dbpedia.org/ontology/country", "http://dbpedia.org/property/largestCity"]
RELATIONS += ["http://www.w3.org/2002/07/owl#sameAs"]


def put(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for code, names in ENTITIES.items():
        put(tmp_path, f"entity/{code}.tsv", [f"http://{HOSTS[code]}dbpedia.org/resource/{name}" for name in names])
    for pair, rows in LINKS.items():
        put(tmp_path, f"seed_alignlinks/{pair}.tsv", rows)
    for name, rows in FACTS.items():
        put(tmp_path, f"kg/{name}.tsv", rows)
    put(tmp_path, "relations.txt", RELATIONS)
    return tmp_path


def test_links_make_entities(folder: Path) -> None:
    graph = dbp5l.read(folder, RowLog())
    assert graph.labels == {
        "dbp5l/de/Ägypten": {"de": "Ägypten"},
        "dbp5l/en/AC/DC": {"en": "AC/DC"},
        "dbp5l/en/Titanic (1997 film)": {"en": "Titanic", "fr": "Titanic", "ja": "タイタニック"},
        "dbp5l/en/Egypt": {"en": "Egypt", "fr": "Égypte", "ja": "エジプト"},
        "dbp5l/en/Who?": {"en": "Who?"},
        "dbp5l/en/(I)": {"en": "(I)"},
        "dbp5l/fr/Le Caire": {"fr": "Le Caire"},
    }
    titanic = {"en": ["Titanic (1997 film)"], "fr": ["Titanic (film, 1997)"]}
    assert graph.aliases == {"dbp5l/en/Titanic (1997 film)": titanic}
    assert list(graph.facts) == [
        ("dbp5l/en/Egypt", "dbp5l/ontology/country", "dbp5l/en/Egypt"),
        ("dbp5l/en/AC/DC", "dbp5l/www.w3.org/2002/07/owl#sameAs", "dbp5l/en/Titanic (1997 film)"),
        ("dbp5l/fr/Le Caire", "dbp5l/property/largestCity", "dbp5l/en/Egypt"),
    ]
    assert graph.relations == {
        "dbp5l/ontology/country": {"en": "country"},
        "dbp5l/property/largestCity": {"en": "largest city"},
        "dbp5l/www.w3.org/2002/07/owl#sameAs": {"en": "same as"},
    }


def test_fields(folder: Path) -> None:
    graph = dbp5l.read(folder, RowLog(), splits=["val", "test"], keep_brackets=True)
    assert len(graph.facts) == 2
    assert graph.labels["dbp5l/en/Titanic (1997 film)"]["fr"] == "Titanic (film, 1997)"
    assert not graph.aliases
    french = dbp5l.read(folder, RowLog(), ["fr"])
    assert french.labels["dbp5l/en/Titanic (1997 film)"] == {"fr": "Titanic"}
    assert french.relations == {}
    assert len(french.facts) == 3
    with pytest.raises(DataError, match=r"DBP-5L has no language xx\. It has: de, en, fr, ja"):
        dbp5l.read(folder, RowLog(), ["xx"])


def test_a_second_name_in_a_language_is_an_alias(folder: Path) -> None:
    put(folder, "seed_alignlinks/ja-fr.tsv", ["0.0\t0.0", "1.0\t0.0"])
    graph = dbp5l.read(folder, RowLog())
    assert graph.labels["dbp5l/en/Titanic (1997 film)"]["ja"] == "タイタニック"
    assert graph.aliases["dbp5l/en/Titanic (1997 film)"]["ja"] == ["エジプト"]
    assert graph.left_out == {"second names of an entity, kept as aliases": 1}


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://dbpedia.org/ontology/officialLanguage", "official language"),
        ("http://dbpedia.org/property/nfcchampion", "nfcchampion"),
        ("http://dbpedia.org/property/blank6InfoSec", "blank 6 info sec"),
        ("http://dbpedia.org/property/sisterChannel(s)_", "sister channel(s)"),
        ("http://dbpedia.org/property/2data", "2data"),
        ("http://dbpedia.org/ontology/isPartOfNATOMember", "is part of nato member"),
        ("http://www.w3.org/2000/01/rdf-schema#seeAlso", "see also"),
    ],
)
def test_words_of_a_relation(uri: str, words: str) -> None:
    assert dbp5l.relation_label(uri) == words


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://dbpedia.org/resource/AC/DC", "AC/DC"),
        ("http://fr.dbpedia.org/resource/Devine_qui_vient_dîner_%3F", "Devine qui vient dîner ?"),
        ("http://ja.dbpedia.org/resource/マイルス_%22テイルス%22_パウアー", 'マイルス "テイルス" パウアー'),
        ("http://dbpedia.org/ontology/country", ""),
    ],
)
def test_names(uri: str, name: str) -> None:
    assert dbp5l.name_of(uri) == name


@pytest.mark.parametrize(
    ("file", "row", "line"),
    [
        ("kg/en-train.tsv", "0\t0\t6", 1),
        ("kg/en-train.tsv", "0\t3\t0", 1),
        ("kg/fr-train.tsv", "-1\t0\t0", 1),
        ("kg/fr-train.tsv", "0\tx\t0", 1),
        ("seed_alignlinks/en-fr.tsv", "1.5\t0.0", 1),
        ("seed_alignlinks/en-fr.tsv", "nan\t0.0", 1),
        ("seed_alignlinks/en-fr.tsv", "0.0\t3.0", 1),
    ],
)
def test_ids_outside_the_data(folder: Path, file: str, row: str, line: int) -> None:
    put(folder, file, [row, "1\t0\t1" if file.startswith("kg") else "1.0\t0.0"])
    with pytest.raises(DataError, match=rf"{Path(file).name}:{line}: not the ids of this data \(ids must be below"):
        dbp5l.read(folder, RowLog())
    log = RowLog(strict=False)
    assert dbp5l.read(folder, log).facts
    assert log.summary() == {"not the ids of this data": 1}


def test_a_bad_uri_does_not_move_the_others(folder: Path) -> None:
    put(folder, "entity/fr.tsv", ["http://fr.dbpedia.org/resource/Titanic", "Égypte", "http://x/resource/Le_Caire"])
    with pytest.raises(DataError, match=r"fr\.tsv:2: not the URI of a DBpedia resource: 'Égypte'"):
        dbp5l.read(folder, RowLog())
    graph = dbp5l.read(folder, RowLog(strict=False))
    assert graph.labels["dbp5l/fr/Le Caire"] == {"fr": "Le Caire"}
    assert graph.labels["dbp5l/en/Egypt"] == {"en": "Egypt"}
    assert len(graph.facts) == 2


def test_the_counts_are_the_readmes(shared_data: Path) -> None:
    source = shared_data / "dbp5l"
    graph = dbp5l.read(source, RowLog())
    names = Counter(code for labels in graph.labels.values() for code in labels)
    # Lines of shared/data/dbp5l/README.md less those that repeat a URI; links are one-to-one, so no name is lost.
    lines, repeated = [5231, 13996, 12381, 13176, 11805, 12774], [21, 45, 39, 42, 42, 42]
    assert [names[code] for code in ("el", "en", "es", "fr", "ja", "de")] == [
        n - twice for n, twice in zip(lines, repeated, strict=True)
    ]
    assert len(graph.relations) == 960
    assert not graph.left_out
    linked = Counter(len(labels) for labels in graph.labels.values())
    assert max(linked) == 5
    assert sum(n for count, n in linked.items() if count > 1) > 9_000
    assert all("de" not in labels or len(labels) == 1 for labels in graph.labels.values())
    # README: 138,476 training triples. As a graph of linked entities, facts of several languages fall together.
    separate = sum(
        len(path.read_bytes().splitlines()) for path in sorted((source / "kg").glob("*-train.tsv")) if path.is_file()
    )
    assert separate == 138_476
    assert graph.facts == slow_facts(source)
    assert len(graph.facts) < separate
    held_out = dbp5l.read(source, RowLog(), splits=["val", "test"])
    assert len(held_out.facts) > 50_000


def slow_facts(source: Path) -> dict:
    """Training facts by entity, with links followed one step at a time."""
    uris = {p.stem: p.read_text(encoding="utf-8").split() for p in (source / "entity").glob("*.tsv")}
    links: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for path in (source / "seed_alignlinks").glob("*.tsv"):
        a, b = path.stem.split("-")
        for left, right in (line.split() for line in path.read_text(encoding="utf-8").splitlines()):
            x, y = (a, uris[a][int(float(left))]), (b, uris[b][int(float(right))])
            links.setdefault(x, set()).add(y)
            links.setdefault(y, set()).add(x)

    def id_of(node: tuple[str, str]) -> str:
        group, new = {node}, {node}
        while new:
            new = {other for one in new for other in links.get(one, ())} - group
            group |= new
        named = [(code, dbp5l.name_of(uri)) for code, uri in group]
        return "dbp5l/" + "/".join(min(named, key=lambda node: (node[0] != "en", node)))

    ids = {(code, uri): id_of((code, uri)) for code, found in uris.items() for uri in found}
    relations = (source / "relations.txt").read_text(encoding="utf-8").split()
    short = [r.replace("http://", "").replace("dbpedia.org/", "") for r in relations]
    facts = {}
    for path in sorted((source / "kg").glob("*-train.tsv")):
        code = path.stem.split("-")[0]
        for s, r, o in (map(int, line.split()) for line in path.read_text(encoding="utf-8").splitlines()):
            facts[ids[code, uris[code][s]], f"dbp5l/{short[r]}", ids[code, uris[code][o]]] = None
    return facts
