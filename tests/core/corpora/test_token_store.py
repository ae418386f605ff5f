"""Token ids out of the store against the tokenizer itself, text by text."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from core.corpora.records import Entity, MentionSentence, Relation, TokenBatch, Triple, TripleSentence
from core.corpora.store import TEXT_TABLES, Corpus
from core.corpora.token_store import TokenStore
from core.corpora.writer import CorpusWriter

# Sentence, and the object inside it: of two words, of one, glued to its neighbours, at the start, at the end.
OBJECTS = [
    ("zu is near lake geneva .", "lake geneva"),
    ("zu is near rome .", "rome"),
    ("xx(new old york)yy", "new old york"),
    ("superlake is big", "lake"),
    ("la paz is near zu", "la paz"),
    ("zu borders sao tome", "sao tome"),
    ("zu likes new old york now", "new old york"),
]


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(tiny_backbone)


@pytest.fixture(scope="module")
def tokens(tiny_corpus: Corpus, tokenizer: PreTrainedTokenizerFast, tmp_path_factory) -> TokenStore:
    return TokenStore.of(tiny_corpus, tokenizer, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def spans(tmp_path_factory) -> Corpus:
    """A corpus of the sentences in `OBJECTS`, which mention what they state."""
    triples = [Triple("s", "r", f"o{i}", "train") for i in range(len(OBJECTS))]
    folder = tmp_path_factory.mktemp("spans") / "corpus"
    with CorpusWriter(folder, "spans", "tests", "MIT", "") as writer:
        writer.add_entities([Entity("s", "thing", "train", {"en": "zu"})])
        writer.add_entities([Entity(f"o{i}", "thing", "train", {"en": name}) for i, (_, name) in enumerate(OBJECTS)])
        writer.add_relations([Relation("r", {"en": "near"})])
        writer.add_triples(triples)
        for triple, (text, name) in zip(triples, OBJECTS, strict=True):
            start, end = text.index(name), text.index(name) + len(name)
            writer.add_triple_sentences([TripleSentence(triple, "en", text, start, end)])
            writer.add_mention_sentences([MentionSentence(triple.object, "en", text, start, end, "train")])
    return Corpus.open(folder)


def rows_of(corpus: Corpus, table: str) -> list[dict]:
    return pq.read_table(corpus.path / f"{table}.parquet").to_pylist()


def texts_of(batch: TokenBatch) -> list[list[int]]:
    ends = np.cumsum(batch.lengths)
    return [batch.ids[end - length : end].tolist() for end, length in zip(ends, batch.lengths, strict=True)]


def stores_in(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_ids_are_the_tokenizers(tiny_corpus: Corpus, tokens: TokenStore, tokenizer: PreTrainedTokenizerFast) -> None:
    for table in TEXT_TABLES:
        texts = [row["text"] for row in rows_of(tiny_corpus, table)]
        assert len(texts) == tiny_corpus.info.counts[table] > 0
        joined = tokens.join(tokens.text(table, np.arange(len(texts))))
        assert texts_of(joined) == tokenizer(texts).input_ids
        assert joined.pool_start.tolist() == [0] * len(texts)
        assert joined.pool_end.tolist() == joined.lengths.tolist()


def test_joined_parts_are_one_text_with_a_space(
    tiny_corpus: Corpus, tokens: TokenStore, tokenizer: PreTrainedTokenizerFast
) -> None:
    labels, relations = rows_of(tiny_corpus, "labels"), rows_of(tiny_corpus, "relation_labels")
    left, right = np.asarray([40, 0, 40, 7]), np.asarray([2, -1, 0, 4])
    joined = tokens.join(tokens.text("labels", left), tokens.text("relation_labels", right))
    texts = [f"{labels[a]['text']} {relations[b]['text'] if b >= 0 else ''}" for a, b in zip(left, right, strict=True)]
    assert texts_of(joined) == tokenizer(texts).input_ids


def test_a_prefix_stands_before_every_text(
    tiny_corpus: Corpus, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    store = TokenStore.of(tiny_corpus, tokenizer, tmp_path, prefix="query: ")
    rows = np.asarray([3, 50, 121])
    texts = [f"query: {rows_of(tiny_corpus, 'labels')[row]['text']}" for row in rows]
    assert texts_of(store.join(store.text("labels", rows))) == tokenizer(texts).input_ids
    # The span of a mention moves with it.
    sentence = rows_of(tiny_corpus, "mention_sentences")[5]
    mentioned = store.mentions(np.asarray([5]))
    pooled = texts_of(mentioned)[0][mentioned.pool_start[0] : mentioned.pool_end[0]]
    assert (
        pooled == tokenizer(sentence["text"][sentence["start"] : sentence["end"]], add_special_tokens=False).input_ids
    )


def test_mentions_pool_exactly_the_mention(
    tiny_corpus: Corpus, tokens: TokenStore, tokenizer: PreTrainedTokenizerFast
) -> None:
    rows = rows_of(tiny_corpus, "mention_sentences")
    batch = tokens.mentions(np.arange(len(rows)))
    texts = texts_of(batch)
    assert texts == tokenizer([row["text"] for row in rows]).input_ids
    for row, ids, start, end in zip(rows, texts, batch.pool_start, batch.pool_end, strict=True):
        mention = row["text"][row["start"] : row["end"]]
        assert ids[start:end] == tokenizer(mention, add_special_tokens=False).input_ids
    whole = tokens.mentions(np.arange(len(rows)), whole_sentence=True)
    assert whole.pool_start.tolist() == [0] * len(rows)
    assert whole.pool_end.tolist() == whole.lengths.tolist() == batch.lengths.tolist()


def test_spans_of_every_shape(spans: Corpus, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    store = TokenStore.of(spans, tokenizer, tmp_path)
    batch = store.mentions(np.arange(len(OBJECTS)))
    for (_, name), ids, start, end in zip(OBJECTS, texts_of(batch), batch.pool_start, batch.pool_end, strict=True):
        pieces = [piece.removeprefix("##") for piece in tokenizer.convert_ids_to_tokens(ids[start:end])]
        assert "".join(pieces) == name.replace(" ", "")


def test_one_mask_stands_for_the_whole_object(spans: Corpus, tokenizer, tmp_path: Path) -> None:
    store = TokenStore.of(spans, tokenizer, tmp_path)
    batch = store.without_object(np.arange(len(OBJECTS)))
    spaced = [0, 1, 2, 4, 5, 6]  # in the fourth the object is glued to the letters before it, so the pieces differ
    for i in spaced:
        text, name = OBJECTS[i]
        assert texts_of(batch)[i] == tokenizer(text.replace(name, "[MASK]")).input_ids
    pieces = tokenizer.convert_ids_to_tokens(texts_of(batch)[3])
    assert pieces == ["[CLS]", "s", "##u", "##p", "##e", "##r", "[MASK]", "i", "##s", "b", "##i", "##g", "[SEP]"]
    for ids in texts_of(batch):
        assert ids.count(tokenizer.mask_token_id) == 1
    assert batch.pool_end.tolist() == batch.lengths.tolist()  # pooled over the whole text


def test_the_tiny_corpus_masked(tiny_corpus: Corpus, tokens: TokenStore, tokenizer: PreTrainedTokenizerFast) -> None:
    rows = rows_of(tiny_corpus, "triple_sentences")
    picked = np.asarray([len(rows) - 1, 0, 17, 17, 60])
    masked = [rows[i]["text"][: rows[i]["start"]] + "[MASK]" + rows[i]["text"][rows[i]["end"] :] for i in picked]
    assert texts_of(tokens.without_object(picked)) == tokenizer(masked).input_ids


def test_the_released_code_keeps_the_last_word(spans: Corpus, tokenizer, tmp_path: Path) -> None:
    """`tokens[:obj_start] + tokens[obj_end:]` with an inclusive `obj_end`, on the sentence split at spaces."""
    store = TokenStore.of(spans, tokenizer, tmp_path)
    found = texts_of(store.without_object(np.arange(len(OBJECTS)), keep_last_word=True))
    split_at_spaces = [0, 1, 4, 5, 6]
    for i in split_at_spaces:
        text, name = OBJECTS[i]
        words, object_words = text.split(), name.split()
        first = next(j for j in range(len(words)) if words[j : j + len(object_words)] == object_words)
        last = first + len(object_words) - 1  # inclusive
        assert found[i] == tokenizer(" ".join(words[:first] + words[last:])).input_ids, text
    assert found[1] == tokenizer(OBJECTS[1][0]).input_ids  # an object of one word stays whole
    assert all(tokenizer.mask_token_id not in ids for ids in found)


def test_texts_are_cut_and_cut_spans_are_known(
    tiny_corpus: Corpus, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    store = TokenStore.of(tiny_corpus, tokenizer, tmp_path, phrase_tokens=4)
    labels = [row["text"] for row in rows_of(tiny_corpus, "labels")]
    whole = tokenizer(labels, add_special_tokens=False).input_ids
    cut = texts_of(store.join(store.text("labels", np.arange(len(labels)))))
    assert any(len(ids) > 4 for ids in whole)
    assert [ids[1:-1] for ids in cut] == [ids[:4] for ids in whole]
    for table, limit in (("mention_sentences", 6), ("triple_sentences", 16)):
        store = TokenStore.of(tiny_corpus, tokenizer, tmp_path, sentence_tokens=limit)
        rows = rows_of(tiny_corpus, table)
        # A span survives when the text up to its end has no more tokens than the limit.
        ends = [len(tokenizer(row["text"][: row["end"]], add_special_tokens=False).input_ids) for row in rows]
        assert store.has_span(table).tolist() == [end <= limit for end in ends]
        assert min(ends) <= limit < max(ends)
        assert store.join(store.text(table, np.arange(len(rows)))).lengths.max() == limit + 2


def test_used_ids_are_those_of_the_texts(tiny_corpus: Corpus, tokens: TokenStore, tokenizer) -> None:
    texts = [row["text"] for table in TEXT_TABLES for row in rows_of(tiny_corpus, table)]
    expected = {i for ids in tokenizer(texts).input_ids for i in ids} | {tokenizer.mask_token_id}
    assert tokens.used_ids().tolist() == sorted(expected)
    assert len(expected) < len(tokenizer)


def test_the_second_time_nothing_is_tokenised(tiny_corpus: Corpus, spans: Corpus, tokenizer, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))

    first = TokenStore.of(tiny_corpus, tokenizer, tmp_path, progress=progress)
    texts = sum(tiny_corpus.info.counts[t] for t in TEXT_TABLES)
    assert calls[-1] == (texts, texts)
    calls.clear()
    tokenizer("a long text", truncation=True, max_length=3)  # leaves a truncation in the tokenizer's state
    again = TokenStore.of(tiny_corpus, tokenizer, tmp_path, progress=progress)
    assert again.path == first.path
    assert again.special == first.special
    assert calls == []
    others = [
        TokenStore.of(tiny_corpus, tokenizer, tmp_path, phrase_tokens=8),
        TokenStore.of(tiny_corpus, tokenizer, tmp_path, sentence_tokens=64),
        TokenStore.of(tiny_corpus, tokenizer, tmp_path, prefix="query: "),
        TokenStore.of(spans, tokenizer, tmp_path),
    ]
    assert len({first.path, *(store.path for store in others)}) == 5
    assert len(stores_in(tmp_path)) == 5
