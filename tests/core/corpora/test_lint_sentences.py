"""Sentences that give the object away or whose span is odd, planted by hand and against a slow version."""

import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from lint_corpora import entity, one, rows_of, write, write_cldr

from core.corpora.query import CorpusQuery
from core.corpora.records import Entity, Triple
from core.corpora.store import SCHEMAS, Corpus
from core.corpora.words import is_unspaced, words_sql
from core.corpora.writer import CorpusWriter


@pytest.fixture(scope="module")
def small_cldr(tmp_path_factory) -> Corpus:
    return write_cldr(tmp_path_factory.mktemp("cldr") / "small")


def test_visible_objects(tmp_path: Path) -> None:
    entities = [entity("a", en="Ann", de="Anna"), entity("b", en="Rome", de="Rom", ja="東京", fr="")]
    entities += [entity("c", en="New York")]
    triple, other = Triple("a", "r", "b", "train"), Triple("a", "r", "c", "train")
    sentences = [
        (triple, "en", "Ann is in [Rome] ."),
        (triple, "en", "Ann is in [Rome] , the old Rome ."),  # the words again
        (triple, "en", "Ann is in [the Eternal City] , that is Rome."),  # the label beside another surface
        (triple, "en", "Ann the Romeo is in [Rome] ."),  # inside a word: not visible
        (triple, "de", "Anna ist in [Rom] , Romulus' Stadt ."),
        (triple, "de", "Anna ist in [Rom] (Rom)."),
        (triple, "ja", "アンは[東京]の東京都にいる。"),  # no spaces: any place counts
        (triple, "ja", "アンは[東京]にいる。"),
        (other, "en", "Ann is in [New York] , York ."),
    ]
    corpus = write(tmp_path / "corpus", entities, [triple, other], sentences)
    finding = one(corpus, "visible-object")
    assert (finding.severity, finding.count, finding.of) == ("error", 4, 9)
    assert [sample.split()[1] for sample in finding.samples] == ["1", "2", "5"]
    released = one(corpus, "released-off-by-one")
    assert (released.severity, released.count, released.of) == ("info", 7, 9)  # all but "the Eternal City", "New York"


def slow_visible(corpus: Corpus) -> set[int]:
    labels = {(r["entity"], r["language"]): r["text"] for r in rows_of(corpus, "labels")}
    triples, seen = rows_of(corpus, "triples"), set()
    for number, s in enumerate(rows_of(corpus, "triple_sentences")):
        label = labels.get((triples[s["triple"]]["object"], s["language"]), "")
        rest = [s["text"][: s["start"]], s["text"][s["end"] :]]
        for name in {label, s["text"][s["start"] : s["end"]]} - {""}:
            for part in rest:
                for at in range(len(part)):
                    around = (part[max(at - 1, 0) : at], part[at + len(name) : at + len(name) + 1])
                    inner = (name[0], name[-1])
                    if part.startswith(name, at) and not any(
                        o and all(unicodedata.category(c)[0] in "LNM" and not is_unspaced(c) for c in (o, i))
                        for o, i in zip(around, inner, strict=True)
                    ):
                        seen.add(number)
    return seen


def test_visible_objects_against_the_slow_version(small_cldr: Corpus) -> None:
    expected = slow_visible(small_cldr)
    assert len(expected) > 50
    assert one(small_cldr, "visible-object").count == len(expected)


def test_words_in_sql() -> None:
    with CorpusQuery({}) as query:
        words = query.rows(f"SELECT {words_sql('?')}", ["L'Aquila, 東京Tokyo! हिन्दी x२ ไทย"])[0][0]
    assert words == ["L", "Aquila", "東", "京", "Tokyo", "हिन्दी", "x२", "ไ", "ท", "ย"]


def test_spans_and_repetitions(tmp_path: Path) -> None:
    triple = Triple("a", "r", "b", "train")
    entities = [
        Entity("a", "thing", "train", {"en": "Ann"}, {"en": ["Annie"]}),
        Entity("b", "thing", "train", {"en": "Rome", "de": "Rom"}),
    ]
    mentions = [("a", "en", "[Ann] is", "train"), ("a", "en", "[Annie] is", "train"), ("a", "en", "[ann] is", "train")]
    mentions += [("a", "en", "[She] is", "train"), ("a", "de", "[Ann] ist", "train"), ("a", "en", "[Ann] is", "train")]

    def more(writer: CorpusWriter) -> None:
        rows = [{"entity": 0, "language": "en", "text": "Ann", "start": 0, "end": 4, "split": 0}]
        rows += [{"entity": 0, "language": "en", "text": "Ann", "start": 1, "end": 1, "split": 0}]
        writer.append("mention_sentences", pa.RecordBatch.from_pylist(rows, schema=SCHEMAS["mention_sentences"]))

    stated = [(triple, "en", "in [Rome]"), (triple, "en", "in [Rom]"), (triple, "en", "in [Rome]")]
    corpus = write(tmp_path / "corpus", entities, [triple], stated, mentions, more)
    assert one(corpus, "span-outside", "mention sentences").count == 2
    assert one(corpus, "span-outside", "triple sentences").count == 0
    mention = one(corpus, "span-not-a-name", "mention sentences")
    assert (mention.count, mention.of) == (3, 8)  # She; Ann, which has no German label; the empty span
    assert mention.samples[:2] == ["row 3 a [en] 'She'", "row 4 a [de] 'Ann'"]
    assert one(corpus, "span-not-a-name", "triple sentences").samples == ["row 1 b [en] 'Rom'"]
    assert one(corpus, "repeated-sentence", "mention sentences").count == 1
    assert one(corpus, "repeated-sentence", "triple sentences").samples == ["2 x [en] 'in Rome'"]
