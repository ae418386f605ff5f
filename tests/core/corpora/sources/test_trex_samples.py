from pathlib import Path

import pytest

from core.corpora.rows import DataError, RowLog
from core.corpora.sources.trex_samples import read

LABELS = "sample-wikidata-labels.csv"
ABSTRACTS = "sample-dbpedia-abstracts"


def write(folder: Path, labels: str, **abstracts: str) -> Path:
    (folder / LABELS).write_text(labels, encoding="utf-8")
    (folder / "sample-dbpedia-wikidata-sameas.csv").write_text(
        "http://dbpedia.org/resource/Kalo\thttp://www.wikidata.org/entity/Q1", encoding="utf-8"
    )
    for language, text in abstracts.items():
        name = f"{ABSTRACTS}.csv" if language == "en" else f"{ABSTRACTS}-{language}.csv"
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_real_files(shared_data: Path, tmp_path: Path) -> None:
    log = RowLog()
    graph = read(shared_data / "trex_samples", log)
    names = [n for labels in graph.labels.values() for n in labels.values()]
    names += [n for aliases in graph.aliases.values() for texts in aliases.values() for n in texts]
    # Counts of the folder's README: 2,290 rows, 12 entities, 306 codes; nb 15 rows, eo 16, ast 12, vo 5, no 0.
    assert (len(names), len(graph.labels)) == (2290, 12)
    assert len({language for labels in graph.labels.values() for language in labels}) == 306
    of = {
        code: sum(
            (code in labels) + len(graph.aliases[entity].get(code, [])) for entity, labels in graph.labels.items()
        )
        for code in ("nb", "eo", "ast", "vo", "no")
    }
    assert of == {"nb": 15, "eo": 16, "ast": 12, "vo": 5, "no": 0}
    assert graph.labels["Q142"]["ru"] == "Франция"
    # Every abstract names its entity: en 2, eo 3, ar 3, es 3; Q228 (Andorra) in all four.
    assert sorted((m.language, m.entity) for m in graph.mentions) == [
        *[("ar", "Q15"), ("ar", "Q228"), ("ar", "Q7026"), ("en", "Q228"), ("en", "Q7026")],
        *[("eo", "Q15"), ("eo", "Q228"), ("eo", "Q7026"), ("es", "Q228"), ("es", "Q29"), ("es", "Q458")],
    ]
    for m in graph.mentions:
        known = [graph.labels[m.entity][m.language], *graph.aliases[m.entity].get(m.language, [])]
        assert m.text[m.start : m.end].casefold() in {name.casefold() for name in known}
    corpus = graph.write(tmp_path / "c", log)
    assert corpus.info.counts["mention_sentences"] == 11
    assert corpus.info.build["left_out"] == {}


def test_names_mentions_and_what_is_left_out(tmp_path: Path) -> None:
    labels = "u/Q1\tKalo\ten .\nu/Q1\tK\\u00e1lo\teo .\nu/Q1\tMero\ten .\nu/Q1\tKalo\ten .\n"
    folder = write(
        tmp_path, labels, en="http://dbpedia.org/resource/Kalo\tIt is. The Mero is a place.", eo="Q1\tNenio."
    )
    graph = read(folder, RowLog())
    assert graph.labels == {"Q1": {"en": "Kalo", "eo": "Kálo"}}
    assert graph.aliases["Q1"]["en"] == ["Mero"]
    assert [(m.text, m.text[m.start : m.end]) for m in graph.mentions] == [("The Mero is a place.", "Mero")]
    assert graph.left_out == {"abstracts that do not name their entity": 1}
    assert read(folder, RowLog(), ["eo"]).labels == {"Q1": {"eo": "Kálo"}}


def test_bad_rows_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path, "u/Q1\tKalo\ten .\nu/Q1\tKalo\ten\n", en="Q2\tKalo.")
    with pytest.raises(DataError, match=rf"{LABELS}:2: no language followed by ' \.'"):
        read(folder, RowLog())
    log = RowLog(strict=False)
    assert read(folder, log).mentions == []
    assert log.counts == {"no language followed by ' .'": 1, "an entity without a label": 1}
    with pytest.raises(DataError, match=r"has no language qq\. It has: en"):
        read(folder, RowLog(strict=False), ["qq"])
