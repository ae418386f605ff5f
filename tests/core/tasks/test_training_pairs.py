"""Drawing of training pairs: texts joined out of their parts, keys kept apart, draws that go on from a state."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
from core.tasks.retrieval import LabelIndex
from core.tasks.training_pairs import TaskPairs


def test_pairs_join_their_parts_and_keep_keys_apart(tiny_corpus: Corpus, tokenizer, tmp_path: Path) -> None:
    tiny = LabelIndex(tiny_corpus, TokenStore.of(tiny_corpus, tokenizer, tmp_path))
    english, german = tiny.rows("en"), tiny.rows("de")
    labels = pq.read_table(tiny.corpus.path / "labels.parquet")["text"].to_pylist()
    keys = (np.arange(48) // 2, np.arange(48) % 20)
    asked: list[np.ndarray] = []

    def known(drawn: np.ndarray) -> np.ndarray:
        asked.append(drawn)
        return np.eye(len(drawn), dtype=bool)

    pairs = TaskPairs(tiny, (("labels", english), ("labels", german[::-1])), german, np.arange(48), keys, 4, known)
    assert len(pairs) == 48
    for _ in range(10):
        batch = pairs.sample(12)
        drawn = batch.entity  # row i of the pairs answers with entity i
        assert asked.pop().tolist() == drawn.tolist()
        assert len(set(keys[0][drawn])) == len(set(keys[1][drawn])) == len(drawn) > 6
        texts = [f"{labels[english[i]]} {labels[german[47 - i]]}" for i in drawn]
        assert batch.anchors.ids.tolist() == [i for ids in tokenizer(texts).input_ids for i in ids]
        answers = [labels[german[i]] for i in drawn]
        assert batch.positives.ids.tolist() == [i for ids in tokenizer(answers).input_ids for i in ids]
    state = pairs.state()
    expected = [pairs.sample(5).entity.tolist() for _ in range(3)]
    pairs.restore(state)
    assert [pairs.sample(5).entity.tolist() for _ in range(3)] == expected
    assert TaskPairs(tiny, (("labels", english),), german, np.arange(48), keys, 4).sample(3).known is None
