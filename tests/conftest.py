"""A tiny tokenizer, encoder, corpus and run, made on the spot: everything real but its size."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from core import recipes
from core.config import RunConfig
from core.corpora.records import Entity, MentionSentence, Relation, Triple, TripleSentence, triple_split
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter

LANGUAGES = ("de", "en", "eo", "fr")
ENTITIES = 48
_SYLLABLES = {"de": "ba er ich tz", "en": "ba th ou gh", "eo": "ba oj an aj", "fr": "ba eau ç é"}
_RELATIONS = {"near": {"en": "near", "de": "nahe", "fr": "près de"}, "part": {"en": "part of", "de": "Teil von"}}


def label(entity: int, language: str) -> str:
    """Label of an entity: the same stem everywhere, and an ending of the language; every fifth has two words."""
    syllables = _SYLLABLES[language].split()
    stem = "".join("kltmnprs"[(entity // 8**i) % 8] + "aeiou"[(entity + i) % 5] for i in range(2))
    return f"{stem}{syllables[entity % 4]}" + (f" {syllables[1]}o" if entity % 5 == 0 else "")


def split_of(entity: int) -> str:
    """Two thirds train, a sixth valid, a sixth test."""
    return ("train", "train", "valid", "train", "train", "test")[entity % 6]


def write_corpus(target: Path) -> Corpus:
    """A corpus of 48 entities, 2 relations, 96 triples, and sentences in English and German."""
    ids = [f"e{i:02}" for i in range(ENTITIES)]
    triples = [
        Triple(ids[i], relation, ids[(i * step + shift) % ENTITIES], "train")
        for relation, step, shift in (("near", 1, 7), ("part", 5, 3))
        for i in range(ENTITIES)
    ]
    splits = {id: split_of(i) for i, id in enumerate(ids)}
    triples = [
        Triple(t.subject, t.relation, t.object, triple_split(splits[t.subject], splits[t.object])) for t in triples
    ]
    with CorpusWriter(target, name="tiny", source="tests", licence="MIT", card="A tiny corpus.") as writer:
        writer.add_entities(
            Entity(id, "thing", splits[id], {lang: label(i, lang) for lang in LANGUAGES}) for i, id in enumerate(ids)
        )
        writer.add_relations(Relation(id, labels) for id, labels in _RELATIONS.items())
        writer.add_triples(triples)
        for t in triples:
            for language in ("en", "de"):
                subject, object_ = (label(ids.index(e), language) for e in (t.subject, t.object))
                text = f"{subject} is {object_} ."
                start = len(subject) + 4
                writer.add_triple_sentences([TripleSentence(t, language, text, start, start + len(object_))])
                if t.relation == "near":
                    writer.add_mention_sentences([MentionSentence(t.subject, language, text, 0, len(subject), t.split)])
    return Corpus.open(target)


def write_backbone(target: Path, layers: int = 2) -> Path:
    """A BERT of 32 dimensions with a character WordPiece tokenizer, as a Hugging Face model folder."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    characters = sorted(set("abcdefghijklmnopqrstuvwxyzçéèñ.,:;()0123456789"))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {piece: i for i, piece in enumerate([*special, *characters, *(f"##{c}" for c in characters)])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(target)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=160,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(target)
    return target


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real benchmark data beside the checkout; its bytes are not part of the project."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip(f"the real data is not there: {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "tiny")


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny encoder and its tokenizer."""
    return write_backbone(tmp_path_factory.mktemp("backbone") / "tiny")


def tiny_changes(corpus: Path, backbone: Path) -> dict:
    """Dotted fields that turn the default config into one that runs in seconds."""
    budget = {"steps": 3, "batch_size": 8}
    task = {"fusion_training": budget, "fine_tuning": budget, "validations": 1}
    return {
        "title": "tiny",
        "backbone.source": str(backbone),
        "corpus.folder": str(corpus),
        "corpus.adapter_languages": ["de", "en", "fr"],
        **{f"adapters.{role}": budget for role in ("ep", "tp", "es", "ts", "large")},
        "tasks.kg_completion": {**task, "train_languages": ["en", "de"], "test_languages": ["en", "de", "fr", "eo"]},
        "tasks.entity_alignment": {**task, "train_languages": ["de"], "test_languages": ["de", "fr", "eo"]},
        "evaluation.min_queries": 2,
        "evaluation.bootstrap_samples": 50,
        "compute.threads": 1,
        "compute.device": "cpu",
    }


@pytest.fixture(scope="session")
def tiny_config(tiny_corpus: Corpus, tiny_backbone: Path) -> RunConfig:
    """Every adapter, system, mode and task on the tiny corpus, a few steps each."""
    return recipes.parse({}, tiny_changes(tiny_corpus.path, tiny_backbone))


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the runs and caches of whoever runs it."""
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("WORKBENCH_CACHE", str(shared_cache))


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Pages run as `__main__` in this process; a child that is spawned later would run the last of them again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def finished_run_path(tiny_config: RunConfig, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that a worker did from beginning to end. Read it; copy it to change it."""
    from core.execution.worker import main
    from core.runs.store import RunDir

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(shared_cache))
        run = RunDir.create(tiny_config, tmp_path_factory.mktemp("finished"))
        assert main(run.path) == 0, run.status().message
    return run.path


@pytest.fixture
def finished_run(finished_run_path: Path, tmp_path: Path):
    """A copy of the finished run under this test's `WORKBENCH_RUNS`."""
    from core.runs.store import RunDir

    target = tmp_path / "runs" / finished_run_path.name
    shutil.copytree(finished_run_path, target)
    return RunDir(target)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch):
    """A real HTTP server on this machine that can be told to misbehave."""
    from tests.web import serve

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    web, server = serve()
    yield web
    web.go.set()
    server.shutdown()
    server.server_close()
