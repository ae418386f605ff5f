"""What the samplers draw, looked up text by text in the tables of the corpus."""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from core.corpora.draws import KnownFacts, LabelTable, PairBatch, RowStream, string_numbers
from core.corpora.records import Entity, MentionSentence, Relation, TokenBatch, Triple, triple_split
from core.corpora.sampler import EntityPairs, MentionPairs, TriplePairs, TripleSentencePairs
from core.corpora.store import Corpus, CorpusError
from core.corpora.token_store import TokenStore
from core.corpora.writer import CorpusWriter

TRAINED = ("de", "en", "fr")  # `eo` is left out
Text = tuple[int, ...]


class World:
    """A corpus read with Parquet alone, and its texts as the tokenizer gives them."""

    def __init__(self, corpus: Corpus, backbone: Path, cache_folder: Path) -> None:
        tokenizer = AutoTokenizer.from_pretrained(backbone)
        self.ids: Callable[[str], Text] = cache(lambda text: tuple(tokenizer(text).input_ids))
        self.corpus, self.tokens = corpus, TokenStore.of(corpus, tokenizer, cache_folder)

        def rows(table: str) -> list[dict]:
            return pq.read_table(corpus.path / f"{table}.parquet").to_pylist()

        self.train = {i for i, e in enumerate(rows("entities")) if e["split"] == 0}
        self.label = {(r["entity"], r["language"]): r["text"] for r in rows("labels")}
        self.relation_label = {(r["relation"], r["language"]): r["text"] for r in rows("relation_labels")}
        self.triples = [(t["subject"], t["relation"], t["object"]) for t in rows("triples")]
        self.train_triples = [t for t, row in zip(self.triples, rows("triples"), strict=True) if row["split"] == 0]
        self.mentions, self.stated = rows("mention_sentences"), rows("triple_sentences")

    def labels(self, entity: int, languages: tuple[str, ...] = TRAINED) -> dict[str, str]:
        return {lang: self.label[entity, lang] for lang in languages if (entity, lang) in self.label}

    def label_ids(self, entity: int, languages: tuple[str, ...] = TRAINED) -> set[Text]:
        return {self.ids(text) for text in self.labels(entity, languages).values()}


def texts_of(batch: TokenBatch) -> list[Text]:
    ends = np.cumsum(batch.lengths)
    return [tuple(batch.ids[end - length : end].tolist()) for end, length in zip(ends, batch.lengths, strict=True)]


def write_dense(folder: Path) -> Corpus:
    """Twelve entities with one to four labels, and relations with three objects to a subject."""
    languages, ids = ("en", "de", "fr", "eo"), [f"a{i:02}" for i in range(12)]
    splits = {id: {9: "test", 10: "valid"}.get(i, "train") for i, id in enumerate(ids)}
    pairs = [("r0", i, (i + step) % 12) for step in (1, 2, 3) for i in range(12)]
    pairs += [("r1", i, (i + 5) % 12) for i in range(12)]
    triples = [Triple(ids[s], r, ids[o], triple_split(splits[ids[s]], splits[ids[o]])) for r, s, o in pairs]
    with CorpusWriter(folder, "dense", "tests", "MIT", "") as writer:
        for i, id in enumerate(ids):
            names = {lang: "same" if i == 6 else f"{'abcdefghijkl'[i]}{lang}" for lang in languages[: 1 + i % 4]}
            writer.add_entities([Entity(id, "thing", splits[id], names)])
        writer.add_relations([Relation("r0", {"en": "zero", "de": "null"}), Relation("r1", {})])
        writer.add_triples(triples)
    return Corpus.open(folder)


@pytest.fixture(scope="module")
def tiny(tiny_corpus: Corpus, tiny_backbone: Path, tmp_path_factory) -> World:
    return World(tiny_corpus, tiny_backbone, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def dense(tiny_backbone: Path, tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp("dense")
    return World(write_dense(folder / "corpus"), tiny_backbone, folder / "tokens")


def make(world: World, kind: type, seed: int = 0, languages: tuple[str, ...] = TRAINED, **options: object):
    return kind(world.corpus, world.tokens, LabelTable(world.corpus, languages), seed, **options)


def draw(sampler, pairs: int, times: int) -> list[PairBatch]:
    return [sampler.sample(pairs) for _ in range(times)]


ALL = (EntityPairs, TriplePairs, MentionPairs, TripleSentencePairs)


# ---------------------------------------------------------------------------------------------------- EP


def test_ep_pairs_two_different_labels_of_one_training_entity(tiny: World) -> None:
    distinct = {e for e in tiny.train if len(set(tiny.labels(e).values())) > 1}
    assert 0 < len(distinct) < len(tiny.train)  # some entities have the same label in every language
    seen = Counter()
    for batch in draw(make(tiny, EntityPairs), 16, 30):
        assert len(batch.entity) == 16 == len(set(batch.entity.tolist()))
        for entity, a, b in zip(batch.entity, texts_of(batch.anchors), texts_of(batch.positives), strict=True):
            assert {a, b} <= tiny.label_ids(entity)
            assert a != b
        seen.update(batch.entity.tolist())
        assert batch.known is None
    assert set(seen) == distinct


def test_ep_draws_the_whole_epoch_when_asked_for_more(tiny: World) -> None:
    sampler = make(tiny, EntityPairs)
    drawn = sorted(sampler.sample(1000).entity.tolist())
    assert drawn == sorted(e for e in tiny.train if len(set(tiny.labels(e).values())) > 1)
    assert len(sampler) == sum(len(tiny.labels(e)) for e in drawn)


def test_ep_without_skipping_draws_equal_strings_too(tiny: World) -> None:
    same = 0
    for batch in draw(make(tiny, EntityPairs, skip_identical=False), 1000, 10):
        assert set(batch.entity.tolist()) == tiny.train
        same += sum(a == b for a, b in zip(texts_of(batch.anchors), texts_of(batch.positives), strict=True))
    assert same > 20


def test_ep_draws_language_pairs_uniformly(dense: World) -> None:
    names = dense.labels(2)  # three labels in three languages
    assert len(set(names.values())) == 3
    sampler, counts = make(dense, EntityPairs, order="random"), Counter()
    for batch in draw(sampler, 4000, 3):
        for entity, a, b in zip(batch.entity, texts_of(batch.anchors), texts_of(batch.positives), strict=True):
            if entity == 2:
                counts[a, b] += 1
    assert set(counts) == {(dense.ids(a), dense.ids(b)) for a in names.values() for b in names.values() if a != b}
    expected = counts.total() / 6
    assert all(abs(count - expected) < 5 * expected**0.5 for count in counts.values())


@pytest.mark.parametrize("pairs", ["entities", "alignments"])
def test_ep_weighs_entities_or_alignments(dense: World, pairs: str) -> None:
    languages = ("de", "en", "eo", "fr")
    labels = {e: len(dense.labels(e, languages)) for e in dense.train}
    usable = {e: n for e, n in labels.items() if n > 1 and len(set(dense.labels(e, languages).values())) > 1}
    assert set(usable.values()) == {2, 3, 4}
    weight = {e: n * (n - 1) if pairs == "alignments" else 1 for e, n in usable.items()}
    counts = Counter(make(dense, EntityPairs, 0, languages, order="random", pairs=pairs).sample(20_000).entity.tolist())
    assert set(counts) == set(usable)
    for entity, count in counts.items():
        share = weight[entity] / sum(weight.values())
        assert abs(count - 20_000 * share) < 5 * (20_000 * share) ** 0.5


def test_ep_goes_through_the_ends_of_the_triples_in_file_order(tiny: World) -> None:
    """The released recipe: subject, object, subject, object, in file order and round again."""
    options = {"order": "consecutive", "pairs": "triples", "skip_identical": False}
    ends = [e for subject, _, object_ in tiny.train_triples for e in (subject, object_)]
    batches = draw(make(tiny, EntityPairs, **options), 50, 4)
    drawn = [e for batch in batches for e in batch.entity.tolist()]
    assert len(drawn) == 200 > len(ends)
    assert drawn == (ends * 4)[:200]


# ---------------------------------------------------------------------------------------------------- TP


@pytest.mark.parametrize("fallback", ["en", None])
def test_tp_anchors_are_training_facts_code_switched(tiny: World, fallback: str | None) -> None:
    def relation_texts(relation: int) -> set[str]:
        found = {tiny.relation_label.get((relation, lang)) for lang in TRAINED}
        return {text or tiny.relation_label[relation, "en"] for text in found if text or fallback}

    facts: dict[Text, set[tuple[int, int]]] = {}
    for s, r, o in tiny.train_triples:
        for text in relation_texts(r):
            for name in tiny.labels(s).values():
                facts.setdefault(tiny.ids(f"{name} {text}"), set()).add((s, o))
    bare = {text for e in tiny.train for text in tiny.label_ids(e)}
    assert "près de" in relation_texts(0)
    subjects_alone = french_objects = 0
    for batch in draw(make(tiny, TriplePairs, fallback=fallback), 12, 30):
        found = []
        for entity, a, b in zip(batch.entity, texts_of(batch.anchors), texts_of(batch.positives), strict=True):
            found.append({s for s, o in facts[a] if o == entity})
            assert found[-1], "no training triple says this"
            assert b in tiny.label_ids(entity)
            subjects_alone += a in bare
            french_objects += b in tiny.label_ids(entity, ("fr",)) - tiny.label_ids(entity, ("de", "en"))
        assert len(set(batch.entity.tolist())) == len(batch.entity) > 6  # no object twice
        assert all(len(s) == 1 for s in found)
        assert len(set.union(*found)) == len(found)  # no subject twice
    assert french_objects > 20
    assert subjects_alone == 0


def test_tp_leaves_out_a_relation_without_any_label(tiny: World) -> None:
    sampler = make(tiny, TriplePairs, order="consecutive", fallback=None)
    sampler.relation_label[1] = -1
    anchors = texts_of(sampler.sample(len(tiny.train_triples)).anchors)
    bare = {text for e in tiny.train for text in tiny.label_ids(e)}
    assert [a in bare for a in anchors] == [relation == 1 for _, relation, _ in tiny.train_triples]


def test_tp_falls_back_as_often_as_the_language_is_drawn(tiny: World) -> None:
    """`part` has no French label: English stands for a third more; without a fallback its two labels share."""
    for fallback, text, share in (("en", "part of", 2 / 3), (None, "Teil von", 1 / 2), (None, "part of", 1 / 2)):
        sampler = make(tiny, TriplePairs, order="random", fallback=fallback)
        parts = {tiny.ids(f"{name} {text}") for e in tiny.train for name in tiny.labels(e).values()}
        drawn = texts_of(sampler.sample(2000).anchors)
        part_of = {t[:2] for t in tiny.train_triples if t[1] == 1}
        expected = 2000 * share * len(part_of) / len(tiny.train_triples)
        assert abs(sum(a in parts for a in drawn) - expected) < 5 * expected**0.5


def test_tp_has_an_epoch_of_the_training_triples(tiny: World) -> None:
    assert len(make(tiny, TriplePairs)) == len(tiny.train_triples) > 30
    batch = make(tiny, TriplePairs, order="consecutive").sample(200)
    objects = [o for _, _, o in tiny.train_triples]
    assert batch.entity.tolist() == (objects * 7)[:200]


def test_known_facts_against_brute_force(dense: World) -> None:
    facts = KnownFacts(dense.corpus)
    true = set(dense.train_triples)
    assert [dense.triples[row] for row in facts.rows] == dense.train_triples
    rows = np.random.default_rng(0).permutation(facts.rows)
    expected = [[(*dense.triples[i][:2], dense.triples[j][2]) in true for j in rows] for i in rows]
    matrix = facts.matrix(rows)
    assert matrix.tolist() == expected
    assert matrix.diagonal().all()
    assert 0 < (matrix.sum() - len(rows)) < matrix.size / 2


@pytest.mark.parametrize("order", ["distinct", "random"])
def test_a_batch_knows_its_false_negatives(dense: World, order: str) -> None:
    true, found = set(dense.train_triples), 0
    anchors = {
        dense.ids(f"{name} {text}"): (s, r)
        for s, r, _ in dense.train_triples
        for name in dense.labels(s).values()
        for text in ({"zero", "null"} if r == 0 else {""})
    }
    for batch in draw(make(dense, TriplePairs, order=order), 8, 10):
        for i, anchor in enumerate(texts_of(batch.anchors)):
            expected = [(*anchors[anchor], int(o)) in true for o in batch.entity]
            assert batch.known[i].tolist() == expected
            found += sum(expected) - 1
    assert found > 10


# ---------------------------------------------------------------------------------------------------- ES


@pytest.mark.parametrize("whole_sentence", [False, True])
def test_es_pools_the_mention_and_pairs_it_with_another_language(tiny: World, whole_sentence: bool) -> None:
    sentences: dict[Text, list[dict]] = {}
    for row in tiny.mentions:
        if row["split"] == 0 and row["language"] in TRAINED:
            sentences.setdefault(tiny.ids(row["text"]), []).append(row)
    drawn = set()
    for batch in draw(make(tiny, MentionPairs, whole_sentence=whole_sentence), 10, 20):
        assert len(set(batch.entity.tolist())) == len(batch.entity) == 10
        for i, (anchor, positive) in enumerate(zip(texts_of(batch.anchors), texts_of(batch.positives), strict=True)):
            entity, start, end = batch.entity[i], batch.anchors.pool_start[i], batch.anchors.pool_end[i]
            rows = [row for row in sentences[anchor] if row["entity"] == entity]
            allowed = [tuple(lang for lang in TRAINED if lang != row["language"]) for row in rows]
            assert any(positive in tiny.label_ids(entity, languages) for languages in allowed)
            if whole_sentence:
                assert (start, end) == (0, len(anchor))
            else:
                assert anchor[start:end] == tiny.ids(rows[0]["text"][rows[0]["start"] : rows[0]["end"]])[1:-1]
            drawn.add(entity)
    assert drawn == {row["entity"] for rows in sentences.values() for row in rows}
    assert len(drawn) > 12


def test_es_draws_no_sentence_in_an_untrained_language(tiny: World) -> None:
    sampler = make(tiny, MentionPairs, languages=("eo", "fr", "de"))
    german = {tiny.ids(row["text"]) for row in tiny.mentions if row["language"] == "de" and row["split"] == 0}
    assert len(sampler) == sum(row["language"] == "de" and row["split"] == 0 for row in tiny.mentions)
    assert {a for batch in draw(sampler, 12, 10) for a in texts_of(batch.anchors)} <= german


# ---------------------------------------------------------------------------------------------------- TS


@pytest.mark.parametrize("keep_last_word", [False, True])
def test_ts_hides_the_object_and_asks_for_it(tiny: World, keep_last_word: bool) -> None:
    def hidden(row: dict) -> str:
        object_ = row["text"][row["start"] : row["end"]]
        kept = object_.split()[-1] if keep_last_word else "[MASK]"
        return row["text"][: row["start"]] + kept + row["text"][row["end"] :]

    stated: dict[Text, set[tuple[int, int]]] = {}
    for row in tiny.stated:
        triple = tiny.triples[row["triple"]]
        if triple in tiny.train_triples and row["language"] in TRAINED:
            stated.setdefault(tiny.ids(hidden(row)), set()).add((triple[0], triple[2]))
    mask = tiny.tokens.special.mask
    for batch in draw(make(tiny, TripleSentencePairs, keep_last_word=keep_last_word), 12, 20):
        subjects = []
        for entity, a, b in zip(batch.entity, texts_of(batch.anchors), texts_of(batch.positives), strict=True):
            subjects.append({s for s, o in stated[a] if o == entity})
            assert subjects[-1]
            assert b in tiny.label_ids(entity)
            assert a.count(mask) == (0 if keep_last_word else 1)
        assert batch.anchors.pool_end.tolist() == batch.anchors.lengths.tolist()
        assert len(set(batch.entity.tolist())) == len(batch.entity) > 6
        assert batch.known.shape == (len(batch.entity),) * 2


def test_ts_draws_no_sentence_in_an_untrained_language(tiny: World) -> None:
    sampler = make(tiny, TripleSentencePairs, languages=("en", "fr"))
    english = [
        row for row in tiny.stated if row["language"] == "en" and tiny.triples[row["triple"]] in tiny.train_triples
    ]
    assert len(sampler) == len(english) > 30
    batch = make(tiny, TripleSentencePairs, languages=("en", "fr"), order="consecutive").sample(len(english))
    assert batch.entity.tolist() == [tiny.triples[row["triple"]][2] for row in english]


# ---------------------------------------------------------------------------------------- what all share


@pytest.mark.parametrize("order", ["distinct", "random", "consecutive"])
@pytest.mark.parametrize("kind", ALL)
def test_nothing_held_out_and_no_other_language_is_drawn(tiny: World, kind: type, order: str) -> None:
    foreign = {tiny.ids(text) for (_, lang), text in tiny.label.items() if lang == "eo"}
    foreign -= {tiny.ids(text) for (_, lang), text in tiny.label.items() if lang in TRAINED}
    held_out = {text for e in range(48) if e not in tiny.train for text in tiny.label_ids(e)}
    assert foreign
    assert held_out
    drawn = draw(make(tiny, kind, order=order), 10, 15)
    assert {e for batch in drawn for e in batch.entity.tolist()} <= tiny.train
    texts = {text for batch in drawn for side in (batch.anchors, batch.positives) for text in texts_of(side)}
    assert len(texts) > 50
    assert not texts & (foreign | held_out)


@pytest.mark.parametrize("order", ["distinct", "random", "consecutive"])
@pytest.mark.parametrize("kind", ALL)
def test_a_restored_sampler_goes_on_where_the_other_was(tiny: World, kind: type, order: str) -> None:
    def fingerprint(batch: PairBatch) -> tuple:
        return texts_of(batch.anchors), texts_of(batch.positives), batch.entity.tolist(), batch.string.tolist()

    sampler = make(tiny, kind, 5, order=order)
    draw(sampler, 7, 3)
    state = json.loads(json.dumps(sampler.state()))
    expected = [fingerprint(b) for b in draw(sampler, 7, 3)]
    resumed = make(tiny, kind, 99, order=order)
    resumed.restore(state)
    assert [fingerprint(b) for b in draw(resumed, 7, 3)] == expected
    again = make(tiny, kind, 5, order=order)
    draw(again, 7, 3)
    assert [fingerprint(b) for b in draw(again, 7, 3)] == expected
    assert [fingerprint(b) for b in draw(make(tiny, kind, 6, order=order), 7, 3)] != expected


def test_equal_strings_have_equal_numbers(tiny: World) -> None:
    texts = ["Zürich", "zu\u0308rich", " ZÜRICH ", "ｚürich", "Zurich", "東京", "東京 ", "東", ""]
    numbers = string_numbers(pa.array(texts)).tolist()
    normal = [unicodedata.normalize("NFKC", text).lower().strip() for text in texts]
    assert len(set(normal)) == 5
    assert [[a == b for b in numbers] for a in numbers] == [[a == b for b in normal] for a in normal]
    batch = make(tiny, EntityPairs).sample(20)
    positives = texts_of(batch.positives)
    assert [[a == b for b in batch.string] for a in batch.string] == [[a == b for b in positives] for a in positives]


def test_consecutive_rows_go_round() -> None:
    stream = RowStream(np.asarray([4, 8, 15, 16, 23]), "consecutive", 0)
    assert [stream.next(3).tolist() for _ in range(4)] == [[4, 8, 15], [16, 23, 4], [8, 15, 16], [23, 4, 8]]


def test_random_rows_follow_their_weights() -> None:
    rows = np.asarray([10, 20, 30, 40])
    counts = Counter(RowStream(rows, "random", 1, weights=np.asarray([1, 0, 2, 5])).next(8000).tolist())
    assert set(counts) == {10, 30, 40}
    assert all(
        abs(counts[row] - 1000 * weight) < 5 * (1000 * weight) ** 0.5 for row, weight in ((10, 1), (30, 2), (40, 5))
    )
    uniform = Counter(RowStream(rows, "random", 1).next(8000).tolist())
    assert all(abs(uniform[row] - 2000) < 5 * 2000**0.5 for row in rows)


def test_distinct_rows_have_no_key_twice_and_are_as_many_as_there_can_be() -> None:
    rows, first, second = np.arange(40), np.arange(40) // 4, np.arange(40) % 5
    stream, seen = RowStream(rows, "distinct", 3, keys=(first,)), set()
    for _ in range(20):
        drawn = stream.next(100)
        assert sorted(first[drawn]) == list(range(10))
        seen.update(drawn.tolist())
    assert seen == set(range(40))
    both = RowStream(rows, "distinct", 3, keys=(first, second))
    for _ in range(20):
        drawn = both.next(4)
        assert len(set(first[drawn])) == len(set(second[drawn])) == len(drawn) > 1


def test_distinct_rows_of_millions_come_from_everywhere_without_a_shuffle_of_all() -> None:
    rows = np.arange(2_000_000)
    key = rows // 4
    stream = RowStream(rows, "distinct", 5, keys=(key,))
    drawn = np.concatenate([stream.next(128) for _ in range(8)])
    assert all(len(set(key[batch])) == 128 for batch in drawn.reshape(8, 128))
    assert np.bincount(drawn // 500_000, minlength=4).min() > 200  # 256 expected in each quarter
    # One key on nearly all rows: the sample holds too few different ones, so the stream goes through everything.
    rare = np.zeros(100_000, np.int64)
    rare[:3] = [1, 2, 3]
    assert len(RowStream(rows[:100_000], "distinct", 5, keys=(rare,)).next(8)) == 4


def test_a_corpus_that_lacks_what_a_role_needs(dense: World, tiny: World) -> None:
    for world, kind, languages, lacks in (
        (tiny, EntityPairs, ("eo",), "two training entities with two different labels"),
        (dense, TriplePairs, ("eo",), "two training triples with labels in the training languages"),
        (dense, MentionPairs, TRAINED, "two training sentences that mention an entity"),
        (dense, TripleSentencePairs, TRAINED, "two training sentences that state a triple"),
        (tiny, TripleSentencePairs, ("eo", "fr"), "two training sentences that state a triple"),
    ):
        with pytest.raises(CorpusError, match=f"lacks {lacks}. Check its languages and splits"):
            make(world, kind, 0, languages)


def test_sentences_whose_span_was_cut_are_not_drawn(tiny_corpus: Corpus, tiny_backbone: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_backbone)
    tokens = TokenStore.of(tiny_corpus, tokenizer, tmp_path, sentence_tokens=18)
    sampler = TripleSentencePairs(tiny_corpus, tokens, LabelTable(tiny_corpus, TRAINED), 0, order="consecutive")
    rows = pq.read_table(tiny_corpus.path / "triple_sentences.parquet").to_pylist()
    triples = pq.read_table(tiny_corpus.path / "triples.parquet").to_pylist()
    trained = [row for row in rows if triples[row["triple"]]["split"] == 0]
    whole = [r for r in trained if len(tokenizer(r["text"][: r["end"]], add_special_tokens=False).input_ids) <= 18]
    assert 1 < len(whole) < len(trained)
    assert sampler.sample(len(whole)).entity.tolist() == [triples[row["triple"]]["object"] for row in whole]
    assert len(sampler) == len(whole)


def test_a_sentence_in_a_language_without_any_label_is_not_drawn(tiny_backbone: Path, tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "c", name="c", source="tests", licence="MIT", card="") as writer:
        writer.add_entities(
            Entity(id, "thing", "train", {"de": f"{id}de", "en": f"{id}en"}) for id in ("ka", "le", "mi")
        )
        writer.add_mention_sentences(
            MentionSentence(id, language, f"{id}en is", 0, 4, "train")
            for id, language in (("ka", "en"), ("le", "en"), ("mi", "xx"))
        )
    corpus = Corpus.open(tmp_path / "c")
    tokens = TokenStore.of(corpus, AutoTokenizer.from_pretrained(tiny_backbone), tmp_path / "tokens")
    sampler = MentionPairs(corpus, tokens, LabelTable(corpus, ["de", "en"]), 0)
    assert len(sampler) == 2
    assert {row for _ in range(20) for row in sampler.sample(2).entity.tolist()} == {0, 1}
