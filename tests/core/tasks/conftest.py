"""The tiny tokenizer, and the label index of whatever `corpus` a module of tests makes."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from core.corpora.store import Corpus
from core.corpora.token_store import TokenStore
from core.tasks.retrieval import LabelIndex


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone: Path):
    return AutoTokenizer.from_pretrained(tiny_backbone)


@pytest.fixture(scope="module")
def index(corpus: Corpus, tokenizer, tmp_path_factory: pytest.TempPathFactory) -> LabelIndex:
    return LabelIndex(corpus, TokenStore.of(corpus, tokenizer, tmp_path_factory.mktemp("tokens")))
