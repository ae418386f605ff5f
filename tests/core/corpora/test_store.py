"""A corpus folder: what goes in comes out, whole or not at all, and damage is said with the next step."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from core.corpora import store, writer
from core.corpora.records import Entity, MentionSentence, Relation, Triple, TripleSentence
from core.corpora.store import Corpus, CorpusError
from core.corpora.writer import CorpusWriter

ENTITIES = [
    Entity("Q1", "place", "train", {"en": "Lake One", "ja": "一湖"}),
    Entity("Q2", "place", "test", {"en": "Lake Two"}),
    Entity("Q3", "thing", "valid", {}),
    Entity("Q4", "thing", "train", {"eo": "Kvar", "en": "Four"}),
]
RELATIONS = [Relation("P1", {"en": "beside", "eo": "apud"}), Relation("P2", {})]
TRIPLES = [Triple("Q1", "P1", "Q4", "train"), Triple("Q4", "P2", "Q2", "test"), Triple("Q1", "P1", "Q3", "valid")]
MENTIONS = [
    MentionSentence("Q1", "en", "Lake One is beside Four.", 0, 8, "train"),
    MentionSentence("Q4", "eo", "Ĉu Kvar?", 3, 7, "train"),
]
STATED = [TripleSentence(TRIPLES[0], "en", "Lake One is beside Four.", 19, 23)]
ABOUT = {"name": "small", "source": "by hand", "licence": "MIT", "card": "Four entities.\nNo more."}


def write(
    target: Path, entities: list[Entity] = ENTITIES, also: Callable[[CorpusWriter], object] = lambda writer: None
) -> Corpus:
    with CorpusWriter(target, **ABOUT) as writer:
        writer.add_entities(iter(entities))
        writer.add_relations(RELATIONS)
        writer.add_triples(TRIPLES)
        writer.add_mention_sentences(MENTIONS)
        writer.add_triple_sentences(STATED)
        also(writer)
    return Corpus.open(target)


def contents(corpus: Corpus) -> tuple:
    """The records that a corpus holds, read through its columns."""
    ids, relations = (corpus.table(t)["id"].to_pylist() for t in ("entities", "relations"))

    def texts(table: str, *columns: str) -> list[tuple]:
        found = corpus.texts(table)
        languages = [found.languages[i] for i in found.language]
        numbers = [corpus.column(table, c).tolist() for c in columns]
        return list(zip(*numbers, languages, found.text.to_pylist(), strict=True))

    splits = [store.SPLITS[i] for i in corpus.column("entities", "split")]
    kinds = corpus.table("entities")["kind"].to_pylist()
    labels: dict[int, dict[str, str]] = {i: {} for i in range(len(ids))}
    for entity, language, text in texts("labels", "entity"):
        labels[entity][language] = text
    entities = [Entity(ids[i], kinds[i], splits[i], labels[i]) for i in range(len(ids))]
    names: dict[int, dict[str, str]] = {i: {} for i in range(len(relations))}
    for relation, language, text in texts("relation_labels", "relation"):
        names[relation][language] = text
    columns = [corpus.column("triples", c) for c in ("subject", "relation", "object", "split")]
    triples = [
        Triple(ids[s], relations[r], ids[o], store.SPLITS[split]) for s, r, o, split in zip(*columns, strict=True)
    ]
    mentions = [
        MentionSentence(ids[e], language, text, start, end, store.SPLITS[split])
        for e, start, end, split, language, text in texts("mention_sentences", "entity", "start", "end", "split")
    ]
    stated = [
        TripleSentence(triples[t], language, text, start, end)
        for t, start, end, language, text in texts("triple_sentences", "triple", "start", "end")
    ]
    return entities, [Relation(relations[i], names[i]) for i in names], triples, mentions, stated


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    corpus = write(tmp_path / "new" / "corpus")
    assert contents(corpus) == (ENTITIES, RELATIONS, TRIPLES, MENTIONS, STATED)
    assert corpus.languages == ["en", "eo", "ja"]
    counts = {"entities": 4, "labels": 5, "aliases": 0, "descriptions": 0, "relations": 2, "relation_labels": 2}
    assert corpus.info.counts == counts | {"triples": 3, "mention_sentences": 2, "triple_sentences": 1}
    assert {key: getattr(corpus.info, key) for key in ABOUT} == ABOUT
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["corpus"]  # no temporary folder stays


def test_batches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small batches are many row groups, which come back as chunked columns."""
    monkeypatch.setattr(writer, "_BATCH", 1)
    assert contents(write(tmp_path / "corpus")) == (ENTITIES, RELATIONS, TRIPLES, MENTIONS, STATED)


def test_rows_by_split_and_by_language(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus")
    rows = {split: corpus.rows_of("entities", split).tolist() for split in store.SPLITS}
    assert rows == {"train": [0, 3], "valid": [2], "test": [1]}
    assert corpus.rows_of("triples", "test").tolist() == [1]
    labels = corpus.texts("labels")
    assert len(labels) == 5
    assert labels.in_languages(["en", "xx"]).tolist() == [True, False, True, False, True]
    assert labels.in_languages([]).tolist() == [False] * 5


def test_the_fingerprint_is_over_the_records_alone(tmp_path: Path) -> None:
    first = write(tmp_path / "first")
    assert len(first.info.fingerprint) == 64
    assert write(tmp_path / "again").info == first.info
    other = [*ENTITIES[:3], replace(ENTITIES[3], labels={"eo": "Kvar", "en": "four"})]
    assert write(tmp_path / "other", other).info.fingerprint != first.info.fingerprint


def test_a_corpus_without_sentences_or_relations(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus", **ABOUT) as writer:
        writer.add_entities(ENTITIES)
    corpus = Corpus.open(tmp_path / "corpus")
    for table in ("relation_labels", "mention_sentences", "triple_sentences"):
        assert len(corpus.texts(table)) == 0
        assert corpus.texts(table).in_languages(["en"]).shape == (0,)
    assert corpus.rows_of("triples", "train").shape == (0,)


def test_aliases_and_descriptions_come_out(tmp_path: Path) -> None:
    named = replace(ENTITIES[0], aliases={"en": ["Loch", "Lac"], "ja": ["湖"]}, descriptions={"en": "a lake"})
    corpus = write(tmp_path / "named", [named, *ENTITIES[1:]])
    rows = [tuple(row.values()) for row in corpus.table("aliases").to_pylist()]
    assert rows == [(0, "en", "Loch"), (0, "en", "Lac"), (0, "ja", "湖")]
    assert corpus.table("descriptions").to_pylist() == [{"entity": 0, "language": "en", "text": "a lake"}]
    assert (corpus.info.counts["aliases"], corpus.info.counts["descriptions"]) == (3, 1)
    assert contents(corpus)[1:] == (RELATIONS, TRIPLES, MENTIONS, STATED)
    assert corpus.info.fingerprint != write(tmp_path / "bare").info.fingerprint


def batch(table: str, **columns: list) -> pa.RecordBatch:
    schema = store.SCHEMAS[table]
    return pa.record_batch([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def test_batches_are_added_as_they_are(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus", **ABOUT) as made:
        made.append("entities", batch("entities", id=["Q1", "Q2"], kind=["place"] * 2, split=[0, 2]))
        made.append("labels", batch("labels", entity=[0], language=["en"], text=["Lake One"]))
        made.append("labels", batch("labels", entity=[], language=[], text=[]))
        made.append("labels", batch("labels", entity=[1], language=["en"], text=["Lake Two"]))
        made.append("relations", batch("relations", id=["P1"]))
        made.append("triples", batch("triples", subject=[0], relation=[0], object=[1], split=[2]))
    by_row = Corpus.open(tmp_path / "corpus")
    with CorpusWriter(tmp_path / "records", **ABOUT) as made:
        made.add_entities([Entity("Q1", "place", "train", {"en": "Lake One"})])
        made.add_entities([Entity("Q2", "place", "test", {"en": "Lake Two"})])
        made.add_relations([Relation("P1", {})])
        made.add_triples([Triple("Q1", "P1", "Q2", "test")])
    assert contents(by_row) == contents(Corpus.open(tmp_path / "records"))
    assert by_row.info.counts["labels"] == 2


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ("labels", {"entity": [3, 4]}, r"labels\.entity refers to rows 3 to 4, but entities has 4 rows so far"),
        ("labels", {"entity": [-1, 0]}, r"labels\.entity refers to rows -1 to 0"),
        ("labels", {"entity": [None, None]}, r"labels\.entity refers to rows None to None"),
        ("labels", {"entity": [0, None]}, r"labels\.entity refers to rows 0 to 0"),
        ("triples", {"subject": [0, 9]}, r"triples\.subject refers to rows 0 to 9"),
        ("triples", {"relation": [0, 2]}, r"triples\.relation refers to rows 0 to 2, but relations has 2 rows so far"),
        ("triple_sentences", {"triple": [3, 3]}, r"triple_sentences\.triple refers to rows 3 to 3, but triples has 3"),
    ],
)
def test_a_batch_must_fit_what_was_added(tmp_path: Path, table: str, columns: dict, message: str) -> None:
    texts = {f.name: ["x", "x"] if f.type == pa.string() else [0, 0] for f in store.SCHEMAS[table]}
    with pytest.raises(CorpusError, match=message):
        write(tmp_path / "corpus", also=lambda w: w.append(table, batch(table, **(texts | columns))))
    assert list(tmp_path.iterdir()) == []


def test_a_batch_must_have_the_columns_of_its_table(tmp_path: Path) -> None:
    wrong = pa.record_batch({"id": ["P3"], "label": ["third"]})
    with pytest.raises(CorpusError, match=r"relations has the columns id: string, not id: string\nlabel: string"):
        write(tmp_path / "corpus", also=lambda w: w.append("relations", wrong))
    assert list(tmp_path.iterdir()) == []


def test_notes_and_files_of_a_build(tmp_path: Path) -> None:
    def note(made: CorpusWriter) -> None:
        made.note("left_out", {"odd": 2})
        (made.room / "bad_rows.jsonl").write_text("{}\n", encoding="utf-8")

    corpus = write(tmp_path / "corpus", also=note)
    assert corpus.info.build == {"left_out": {"odd": 2}}
    assert (corpus.path / "bad_rows.jsonl").is_file()


@pytest.mark.parametrize(("start", "end"), [(3, 3), (5, 4), (-1, 4), (0, 25), (24, 25)])
def test_a_bad_span_is_refused(tmp_path: Path, start: int, end: int) -> None:
    text = STATED[0].text
    assert len(text) == 24
    mention = MentionSentence("Q2", "en", text, start, end, "train")
    stated = TripleSentence(TRIPLES[1], "en", text, start, end)
    message = rf"Span {start}:{end} is empty or outside the sentence '.*' of 24 characters"
    with pytest.raises(CorpusError, match=message):
        write(tmp_path / "corpus", also=lambda w: w.add_mention_sentences([mention]))
    with pytest.raises(CorpusError, match=message):
        write(tmp_path / "corpus", also=lambda w: w.add_triple_sentences([stated]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda w: w.add_entities([ENTITIES[0]]), "'Q1' was added twice"),
        (lambda w: w.add_relations([RELATIONS[0]]), "'P1' was added twice"),
        (lambda w: w.add_triples([TRIPLES[0]]), "was added twice"),
        (lambda w: w.add_triples([Triple("Q1", "P1", "Q9", "train")]), "No entity 'Q9' was added before"),
        (lambda w: w.add_triples([Triple("Q1", "P9", "Q2", "train")]), "No relation 'P9' was added before"),
        (
            lambda w: w.add_mention_sentences([MentionSentence("Q9", "en", "Nine.", 0, 4, "train")]),
            "No entity 'Q9' was added before",
        ),
        (
            lambda w: w.add_triple_sentences([TripleSentence(Triple("Q2", "P1", "Q1", "test"), "en", "x", 0, 1)]),
            "No triple .* was added before",
        ),
    ],
)
def test_records_must_fit_together(tmp_path: Path, add: Callable[[CorpusWriter], None], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        write(tmp_path / "corpus", also=add)
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_fails_keeps_the_corpus_that_was_there(tmp_path: Path) -> None:
    before = write(tmp_path / "corpus").info

    def interrupt(_: CorpusWriter) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "corpus", ENTITIES[::-1], also=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == ["corpus"]
    assert Corpus.open(tmp_path / "corpus").info == before


def test_a_new_corpus_replaces_an_old_one_and_an_empty_folder(tmp_path: Path) -> None:
    write(tmp_path / "corpus")
    assert write(tmp_path / "corpus", [*ENTITIES, Entity("Q5", "x", "train", {})]).info.counts["entities"] == 5
    (tmp_path / "empty").mkdir()
    assert write(tmp_path / "empty").info.counts["entities"] == 4


def test_a_folder_that_is_no_corpus_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"thesis exists and is no corpus: not replaced\. Name another folder"):
        write(folder)
    assert (folder / "chapter.txt").read_text(encoding="utf-8") == "years of work"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis"]


@pytest.mark.parametrize("entities", [[], [Entity("Q1", "place", "train", {})]])
def test_a_corpus_without_labels_is_not_written(tmp_path: Path, entities: list[Entity]) -> None:
    with (
        pytest.raises(CorpusError, match="'small' would be empty: no entity has a label"),
        CorpusWriter(tmp_path / "corpus", **ABOUT) as writer,
    ):
        writer.add_entities(entities)
    assert list(tmp_path.iterdir()) == []


def change_manifest(folder: Path, **changes: object) -> None:
    file = folder / "corpus.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "There is no corpus in .* Build one: workbench corpus build cldr --out "),
        (lambda f: [p.unlink() for p in f.iterdir()], "There is no corpus in .* Build one: "),
        (
            lambda f: (f / "corpus.json").write_text('{"name": '),
            r"corpus\.json cannot be read .* Build the corpus again",
        ),
        (
            lambda f: (f / "corpus.json").write_bytes(b"\xff\xfe\0"),
            r"corpus\.json cannot be read .* Build the corpus ag",
        ),
        (lambda f: (f / "corpus.json").write_text("[1, 2]"), r"corpus\.json cannot be read .* Build the corpus again"),
        (lambda f: (f / "corpus.json").write_text("{}"), r"corpus\.json cannot be read .* Build the corpus again"),
        (lambda f: change_manifest(f, format_version=99), "has format 99, this version reads 2: build it again"),
        (lambda f: change_manifest(f, counts={}), "is empty: it has no labels. Build it again"),
        (lambda f: (f / "triples.parquet").unlink(), r"lacks triples\.parquet\. Build it again"),
    ],
)
def test_a_broken_folder_is_refused_with_the_next_step(tmp_path: Path, damage: Callable, message: str) -> None:
    folder = tmp_path / "corpus"
    write(folder)
    damage(folder)
    with pytest.raises(CorpusError, match=message):
        Corpus.open(folder)


@pytest.mark.parametrize(
    "damage",
    [lambda raw: b"", lambda raw: raw[: len(raw) // 2], lambda raw: raw[:-1], lambda raw: bytes(len(raw))],
    ids=["empty", "half", "a byte short", "zeros"],
)
def test_a_damaged_table_is_refused_with_the_next_step(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    folder = tmp_path / "corpus"
    write(folder)
    for table in ("labels", "triples"):
        file = folder / f"{table}.parquet"
        file.write_bytes(damage(file.read_bytes()))
        with pytest.raises(CorpusError, match=rf"{table}\.parquet is damaged .* Build the corpus again"):
            Corpus.open(folder).column(table, "entity" if table == "labels" else "subject")


def test_a_table_of_another_corpus_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    write(folder)
    write(tmp_path / "larger", [*ENTITIES, Entity("Q5", "x", "train", {"en": "Five"})])
    shutil.copy(tmp_path / "larger" / "labels.parquet", folder / "labels.parquet")
    with pytest.raises(CorpusError, match=r"labels\.parquet has 6 rows, not 5\. Build it again"):
        Corpus.open(folder).texts("labels")


def test_a_table_is_read_once(tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus")
    before = corpus.column("triples", "subject")
    shutil.rmtree(corpus.path)
    assert corpus.column("triples", "object").tolist() == [3, 1, 2]
    assert corpus.column("triples", "subject").tolist() == before.tolist() == [0, 3, 0]


def test_columns_are_arrays(tiny_corpus: Corpus) -> None:
    column = tiny_corpus.column("triples", "subject")
    assert isinstance(column, np.ndarray)
    assert column.dtype == np.int32
    assert len(column) == tiny_corpus.info.counts["triples"] == 96
