import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core.corpora.records import SPLITS, Entity
from core.corpora.rows import DataError, RowLog
from core.corpora.sources import codex, wikipedia
from core.corpora.sources.mentions import MentionRules
from core.corpora.store import Corpus, CorpusError
from core.corpora.writer import CorpusWriter
from workbench.cli import app

LABELS = {
    "Q1": {"de": "Zürich", "fr": "Zurich", "en": "Zurich"},
    "Q2": {"de": "Chur", "fr": "Coire"},
    "Q3": {"de": "Rhein", "en": "Rhine"},
    "Q4": {"fr": "Rhône"},
}
SPLIT = {"Q1": "test", "Q2": "train", "Q3": "valid", "Q4": "train"}
TEXTS = [
    {"entity": "Q2", "language": "fr", "text": "Une ville. Coire est une ville."},
    {"entity": "Q1", "language": "de", "text": "Zürich ist eine Stadt."},
    {"entity": "Q1", "language": "de", "text": "Zürich ist noch einmal da."},
    {"entity": "Q1", "language": "en", "text": "Zurich is a city."},
    {"entity": "Q2", "language": "de", "text": "Am Rhein liegt Chur."},
    {"entity": "Q3", "language": "de", "text": "Ein Rhein."},
    {"entity": "Q3", "language": "en", "text": "A river."},
    {"entity": "Q4", "language": "de", "text": "Die Rhone."},
    {"entity": "Q9", "language": "de", "text": "Unbekannt."},
    {"title": "Zurich", "language": "fr", "text": "Zurich est une ville."},
]


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    with CorpusWriter(tmp_path / "graph", "small", "tests", "MIT", "A small graph.") as writer:
        writer.add_entities(Entity(id, "thing", SPLIT[id], labels, {"en": ["x"]}) for id, labels in LABELS.items())
    return tmp_path / "graph"


def lines(path: Path, rows: list[dict] = TEXTS) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def sentences(corpus: Corpus) -> list[tuple[str, str, str, str]]:
    """Entity, language, mention and split of every sentence."""
    ids = corpus.table("entities")["id"].to_pylist()
    rows = corpus.table("mention_sentences").to_pylist()
    return [(ids[r["entity"]], r["language"], r["text"][r["start"] : r["end"]], SPLITS[r["split"]]) for r in rows]


def test_entities_with_sentences_in_two_languages_are_kept_with_labels_and_splits(tmp_path: Path, graph: Path) -> None:
    corpus = wikipedia.build(tmp_path / "c1", graph, [lines(tmp_path / "t.jsonl")], RowLog())
    assert sentences(corpus) == [
        ("Q2", "fr", "Coire", "train"),
        ("Q1", "de", "Zürich", "test"),
        ("Q1", "en", "Zurich", "test"),
        ("Q2", "de", "Chur", "train"),
    ]
    assert corpus.table("entities")["id"].to_pylist() == ["Q1", "Q2"]
    labels = [(r["entity"], r["language"], r["text"]) for r in corpus.table("labels").to_pylist()]
    assert labels == [(i, code, text) for i, id in enumerate(("Q1", "Q2")) for code, text in LABELS[id].items()]
    assert corpus.info.counts["aliases"] == 2
    assert corpus.info.build["left_out"] == {
        "entities with sentences in too few languages": 2,
        "sentences of such entities": 1,
    }
    assert corpus.info.build["pages"]["de"] == {"pages": 6, "with_entity": 6, "with_label": 4, "with_sentence": 3}
    assert corpus.info.build["pages"]["fr"] == {"pages": 2, "with_entity": 1, "with_label": 1, "with_sentence": 1}
    assert sorted(p.name for p in corpus.path.iterdir() if p.suffix not in (".parquet", ".json")) == []


def test_fields_are_followed(tmp_path: Path, graph: Path) -> None:
    texts = [lines(tmp_path / "t.jsonl")]
    one = wikipedia.build(tmp_path / "one", graph, texts, RowLog(), min_languages=1)
    assert Counter(id for id, *_ in sentences(one)) == {"Q1": 2, "Q2": 2, "Q3": 1}
    first = wikipedia.build(tmp_path / "first", graph, texts, RowLog(), MentionRules(sentences=1))
    assert {id for id, *_ in sentences(first)} == {"Q1"}
    two = wikipedia.build(tmp_path / "two", graph, texts, RowLog(), languages=["de", "fr"])
    assert {(id, code) for id, code, *_ in sentences(two)} == {("Q2", "fr"), ("Q2", "de")}
    assert set(two.info.build["pages"]) == {"de", "fr"}
    assert len({c.info.fingerprint for c in (one, first, two)}) == 3


@pytest.mark.parametrize("kind", ["parquet", "tsv"])
def test_titles_say_what_a_page_is_about(tmp_path: Path, graph: Path, kind: str) -> None:
    rows = [("fr", "Zurich", "Q1"), ("dewiki", "Chur_(Stadt)", "Q2"), ("en", "Zurich", "Q3"), ("de", "X", "Q99")]
    titles = tmp_path / f"titles.{kind}"
    if kind == "parquet":
        columns = dict(zip(("language", "title", "entity"), map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table({"id": range(4), **columns}), titles)
    else:
        titles.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    texts = [lines(tmp_path / "t.jsonl"), tmp_path / "dewiki-1-abstract.xml"]
    texts[1].write_text(
        "<feed><doc><title>Wikipedia: Chur (Stadt)</title><abstract>Chur.</abstract></doc></feed>", encoding="utf-8"
    )
    corpus = wikipedia.build(tmp_path / "c1", graph, texts, RowLog(), titles=titles)
    assert ("Q1", "fr", "Zurich", "test") in sentences(corpus)
    assert corpus.info.build["pages"]["de"]["with_entity"] == 7


def test_the_sitelinks_of_a_graph_are_its_titles(tmp_path: Path, graph: Path) -> None:
    columns = {"entity": pa.array([1, 0], pa.int32()), "language": ["de", "fr"], "title": ["Chur (Stadt)", "Zurich"]}
    pq.write_table(pa.table(columns), graph / "sitelinks.parquet")
    corpus = wikipedia.build(tmp_path / "c1", graph, [lines(tmp_path / "t.jsonl")], RowLog())
    assert ("Q1", "fr", "Zurich", "test") in sentences(corpus)
    assert not (corpus.path / "sitelinks.parquet").exists()


def test_bad_titles_are_said(tmp_path: Path, graph: Path) -> None:
    texts, titles = [lines(tmp_path / "t.jsonl")], tmp_path / "titles.tsv"
    with pytest.raises(DataError, match="Page titles: there is no"):
        wikipedia.build(tmp_path / "c1", graph, texts, RowLog(), titles=titles)
    titles.write_text("fr\tZurich\nfr\tZurich\tQ1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"titles.tsv:1: not 3 columns"):
        wikipedia.build(tmp_path / "c1", graph, texts, RowLog(), titles=titles)
    log = RowLog(strict=False)
    corpus = wikipedia.build(tmp_path / "c1", graph, texts, log, titles=titles)
    assert corpus.info.build["bad_rows"] == {"not 3 columns": 1}  # once, though every language reads the table
    pq.write_table(pa.table({"site": ["fr"], "title": ["Zurich"]}), tmp_path / "titles.parquet")
    with pytest.raises(DataError, match="lacks the columns language, entity; it has site, title"):
        wikipedia.build(tmp_path / "c2", graph, texts, RowLog(), titles=tmp_path / "titles.parquet")


def test_a_failed_build_leaves_nothing(tmp_path: Path, graph: Path) -> None:
    texts = lines(tmp_path / "t.jsonl", [TEXTS[1], {"text": "x"}])
    with pytest.raises(DataError, match=r"t.jsonl:2: keys are missing"):
        wikipedia.build(tmp_path / "c1", graph, [texts], RowLog())
    with pytest.raises(DataError, match=r"No entity has a sentence in 2 languages .*'with_sentence': 1"):
        wikipedia.build(tmp_path / "c1", graph, [texts], RowLog(strict=False))
    with pytest.raises(DataError, match="no page was read"):
        wikipedia.build(tmp_path / "c1", graph, [lines(tmp_path / "empty.jsonl", [])], RowLog())
    with pytest.raises(DataError, match="there is no"):
        wikipedia.build(tmp_path / "c1", graph, [tmp_path / "none.jsonl"], RowLog())
    with pytest.raises(CorpusError, match="There is no corpus"):
        wikipedia.build(tmp_path / "c1", tmp_path / "none", [texts], RowLog())
    assert {p.name for p in tmp_path.iterdir()} <= {"graph", "t.jsonl", "empty.jsonl", "cache", "runs"}


def test_several_files_with_mixed_languages_give_what_one_file_gives(tmp_path: Path, graph: Path) -> None:
    whole = wikipedia.build(tmp_path / "whole", graph, [lines(tmp_path / "t.jsonl")], RowLog())
    parts = [lines(tmp_path / f"part{i}.jsonl", [row]) for i, row in enumerate(TEXTS)]
    seen: list[tuple[int, int]] = []
    pieces = wikipedia.build(tmp_path / "pieces", graph, parts, RowLog(), progress=lambda *p: seen.append(p))
    assert pieces.info.fingerprint == whole.info.fingerprint
    assert seen == sorted(seen)
    assert seen[-1] == (sum(p.stat().st_size for p in parts),) * 2


@pytest.fixture(scope="module")
def codex_graph(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("codex") / "graph"
    codex.read(shared_data / "codex", RowLog()).write(target, RowLog())
    return target


def extracts(shared_data: Path) -> list[Path]:
    return [shared_data / "codex" / "types" / code / "extracts.zip" for code in ("ar", "de", "en", "es", "ru", "zh")]


def test_codex_by_the_rules_of_its_readme(tmp_path: Path, shared_data: Path, codex_graph: Path) -> None:
    rules = MentionRules("case_and_stress", whole_words=False, sentences=1, splitter="punctuation")
    corpus = wikipedia.build(tmp_path / "c1", codex_graph, extracts(shared_data), RowLog(), rules)
    counts = corpus.info.build["pages"]
    assert [counts[code]["with_sentence"] for code in sorted(counts)] == [675, 1531, 1640, 1298, 1250, 985]
    assert [counts[code]["pages"] for code in sorted(counts)] == [1429, 1819, 2112, 1679, 1646, 1481]
    assert (corpus.info.counts["entities"], corpus.info.counts["mention_sentences"]) == (1783, 6810)  # README


def test_codex_through_the_command_with_the_papers_rules(tmp_path: Path, shared_data: Path, codex_graph: Path) -> None:
    command = ["corpus", "build", "wikipedia", "--graph", str(codex_graph), "--out", str(tmp_path / "c1"), "--json"]
    done = CliRunner().invoke(app, [*command, "--texts", *map(str, extracts(shared_data))])
    assert done.exit_code == 0, done.output
    counts = json.loads(done.stdout)["counts"]
    assert (counts["entities"], counts["mention_sentences"]) == (1837, 7281)
    corpus = Corpus.open(tmp_path / "c1")
    found = corpus.table("mention_sentences").to_pandas()
    languages = found.groupby("entity").language.nunique()
    assert languages.min() == 2
    assert len(languages) == counts["entities"]
    assert not found.duplicated(["entity", "language"]).any()
    labels = corpus.table("labels").to_pandas().set_index(["entity", "language"]).text
    own = labels.loc[list(zip(found.entity, found.language, strict=True))].to_numpy()
    mentions = [text[s:e] for text, s, e in zip(found.text, found.start, found.end, strict=True)]
    plain = np.vectorize(lambda text: text.replace("\u0301", "").casefold())
    assert (plain(np.asarray(mentions)) == plain(own)).all()


def test_the_command_refuses_unknown_rules_and_full_folders(tmp_path: Path, graph: Path) -> None:
    texts = lines(tmp_path / "t.jsonl")
    command = ["corpus", "build", "wikipedia", "--graph", str(graph), "--texts", str(texts)]
    unknown = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "c1"), "--match", "fuzzy"])
    assert unknown.exit_code != 0
    assert "'fuzzy' is not one of 'exact', 'case', 'case_and_stress'" in " ".join(
        unknown.output.replace("│", " ").split()
    )
    full = CliRunner().invoke(app, [*command, "--out", str(graph)])
    assert "not empty" in str(full.exception)
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "c1"), "--titles", str(tmp_path / "none.tsv")])
    assert "Page titles" in str(done.exception)
