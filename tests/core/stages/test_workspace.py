import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.config import RunConfig
from core.corpora.store import Corpus, CorpusError
from core.runs.journal import Journal
from core.runs.store import RunDir
from core.stages.sampling import adapter_languages
from core.stages.workspace import Workspace, open_corpus, prepare

OpenWork = Callable[..., Workspace]


def test_prepare_makes_every_part_of_the_config(open_work: OpenWork, tiny_corpus: Corpus) -> None:
    work = open_work()
    assert work.corpus.info.fingerprint == tiny_corpus.info.fingerprint
    assert work.adapter_languages == ("de", "en", "fr")
    assert list(work.tasks) == ["kg_completion", "entity_alignment"]
    assert work.languages == {
        "kg_completion": ["en", "de", "fr", "eo"],
        "entity_alignment": ["de", "fr", "eo"],
    }
    # Entities 5, 11, ... 47 are the test split; a triple is a test triple where one end is.
    assert set(work.tasks["entity_alignment"].test_sizes().values()) == {8}
    test = [(i, (i * step + shift) % 48) for step, shift in ((1, 7), (5, 3)) for i in range(48)]
    asked = sum(i % 6 == 5 or j % 6 == 5 for i, j in test)
    assert asked > 8
    assert set(work.tasks["kg_completion"].test_sizes().values()) == {asked}
    assert work.ranking_tasks() == ["kg_completion", "entity_alignment"]


def test_the_vocabulary_is_trimmed_only_where_the_config_says(open_work: OpenWork) -> None:
    trimmed, whole = open_work().backbone, open_work(backbone__trim_vocabulary=False).backbone
    assert trimmed.kept is not None
    assert whole.kept is None
    rows = [len(b.model.get_input_embeddings().weight) for b in (trimmed, whole)]
    assert rows[0] == len(trimmed.kept) < rows[1] == len(whole.tokenizer)
    shapes = [{tuple(p.shape) for p in b.model.parameters()} for b in (trimmed, whole)]
    assert (rows[1], 32) in shapes[1]
    assert (rows[1], 32) not in shapes[0]  # nothing holds on to the whole matrix, so no stage trains or stores it


def test_pooling_and_packing_of_the_encoder_follow_the_config(open_work: OpenWork) -> None:
    default = open_work().encoder
    padded = open_work(backbone__pooling="padded").encoder
    loose = open_work(compute__packed=False).encoder
    assert (default.packed, default.pool_padding) == (True, False)
    assert (padded.packed, padded.pool_padding) == (False, True)
    assert (loose.packed, loose.pool_padding) == (False, False)


def test_reset_puts_every_weight_back_exactly(open_work: OpenWork) -> None:
    work = open_work()
    for role in ("ep", "tp", "es", "ts", "large"):
        work.adapters.add(role)
    work.remember()
    before = {n: p.detach().clone() for n, p in work.backbone.model.named_parameters()}
    with torch.no_grad():
        for p in work.backbone.model.parameters():
            p.mul_(1.5).add_(0.25)
    named = dict(work.backbone.model.named_parameters())
    assert all(not torch.equal(p, before[n]) for n, p in named.items())
    work.reset()
    assert [n for n, p in named.items() if not torch.equal(p, before[n])] == []
    assert {n.split(".adapters.")[1].split(".")[0] for n in named if ".adapters." in n} == {
        "ep",
        "tp",
        "es",
        "ts",
        "large",
    }


def test_remembered_weights_are_copies(open_work: OpenWork) -> None:
    work = open_work()
    work.remember()
    name, parameter = next(iter(work.backbone.model.named_parameters()))
    first = parameter.detach().clone()
    with torch.no_grad():
        parameter.zero_()
    assert torch.equal(work.frozen[name], first)


def test_a_stage_is_kept_whole_or_not_at_all(open_work: OpenWork) -> None:
    work = open_work()
    folder = work.run.checkpoint_dir("ep")
    assert not work.is_done("ep")
    work.keep("ep", lambda room: (room / "weights").write_text("first"), {"steps": 3})
    assert work.is_done("ep")
    assert json.loads((folder / "done.json").read_text()) == {"steps": 3}

    def half(room: Path) -> None:
        (room / "weights").write_text("second")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        work.keep("ep", half, {"steps": 4})
    assert (folder / "weights").read_text() == "first"
    assert json.loads((folder / "done.json").read_text()) == {"steps": 3}
    work.keep("ep", lambda room: (room / "other").write_text("third"), {"steps": 5})
    assert sorted(f.name for f in folder.iterdir()) == ["done.json", "other"]
    assert [f.name for f in folder.parent.iterdir()] == ["ep"]


def test_a_folder_without_its_last_file_is_not_done(open_work: OpenWork) -> None:
    work = open_work()
    folder = work.run.checkpoint_dir("tp")
    folder.mkdir(parents=True)
    (folder / "state.pt").write_bytes(b"")
    assert not work.is_done("tp")


def test_records_name_and_hash_what_was_read(open_work: OpenWork, tiny_corpus: Corpus, tiny_backbone: Path) -> None:
    work = open_work()
    manifest = json.loads((tiny_corpus.path / "corpus.json").read_text())
    weights = hashlib.sha256((tiny_backbone / "model.safetensors").read_bytes()).digest()
    assert work.data_record() == {
        "corpus": {"name": "tiny", "source": "tests", "licence": "MIT", "sha256": manifest["fingerprint"]},
        "backbone": {"name": str(tiny_backbone), "sha256": hashlib.sha256(weights).hexdigest()},
        "adapter_languages": ["de", "en", "fr"],
        "benchmarks": {},
    }
    device = work.device_record()
    assert device["device"] == "cpu"
    assert device["precision"] == "float32"
    assert device["threads"] == 1
    assert device["name"]


def test_a_task_without_enough_queries_in_any_language_is_refused(open_work: OpenWork) -> None:
    work = open_work(evaluation__min_queries=9, tasks__entity_alignment=None)
    assert list(work.languages) == ["kg_completion"]
    assert not [e for e in work.run.events() if "left_out" in e]
    with pytest.raises(ValueError, match="No language of entity_alignment has 9 test examples"):
        open_work(evaluation__min_queries=9)


def test_languages_with_too_few_queries_are_left_out_and_said_to_be(open_work: OpenWork, tmp_path: Path) -> None:
    from core.corpora.records import Entity, Relation, Triple
    from core.corpora.writer import CorpusWriter

    # 12 entities in English and German, of which two in French: French has one test query, the others four.
    with CorpusWriter(tmp_path / "uneven", "uneven", "tests", "MIT", "card") as writer:
        splits = ["train"] * 8 + ["test"] * 4
        for i, split in enumerate(splits):
            labels = {"en": f"k{'ab'[i % 2]}{i}", "de": f"m{'ab'[i % 2]}{i}"} | ({"fr": f"n{i}"} if i in (7, 8) else {})
            writer.add_entities([Entity(f"e{i}", "thing", split, labels)])
        writer.add_relations([Relation("near", {"en": "near"})])
        writer.add_triples(Triple(f"e{i}", "near", f"e{i + 1}", "train") for i in range(6))
    languages = {"train_languages": ["de"], "test_languages": ["de", "fr"]}
    task = {f"tasks__entity_alignment__{k}": v for k, v in languages.items()}
    folder = {"corpus__folder": str(tmp_path / "uneven"), "corpus__adapter_languages": None}
    work = open_work(**folder, tasks__kg_completion=None, **task)
    assert work.languages["entity_alignment"] == ["de"]
    assert work.adapter_languages == ("de", "en", "fr")
    events = [e for e in work.run.events() if "left_out" in e]
    assert [(e["task"], e["left_out"], e["reason"]) for e in events] == [
        ("entity_alignment", ["fr"], "fewer than 2 test examples")
    ]


def test_default_adapter_languages_are_those_of_the_paper_that_the_corpus_has(
    tiny_config: RunConfig, tiny_corpus: Corpus
) -> None:
    def asked(languages: tuple[str, ...] | None) -> tuple[str, ...]:
        section = tiny_config.corpus.model_copy(update={"adapter_languages": languages})
        return adapter_languages(tiny_config.model_copy(update={"corpus": section}), tiny_corpus)

    assert asked(None) == ("de", "en", "fr")  # Esperanto is unseen in the paper
    assert asked(("eo", "de")) == ("eo", "de")
    with pytest.raises(ValueError, match=r"tiny has no labels in xx, yy. It has: de, en, eo, fr"):
        asked(("de", "xx", "yy"))


def test_a_missing_corpus_is_named(tiny_config: RunConfig, tmp_path: Path) -> None:
    section = tiny_config.corpus.model_copy(update={"folder": tmp_path / "none"})
    with pytest.raises(CorpusError, match="There is no corpus in"):
        open_corpus(tiny_config.model_copy(update={"corpus": section}))


def test_a_second_run_reads_the_tokens_that_the_first_stored(
    open_work: OpenWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "own"))
    first = open_work()
    stores = [path for path in (tmp_path / "own" / "tokens").iterdir() if path.is_dir()]
    assert len(stores) == 1
    changed = {f: f.stat().st_mtime_ns for f in stores[0].iterdir()}
    second = prepare(first.run, Journal(first.run))
    assert {f: f.stat().st_mtime_ns for f in second.tokens.path.iterdir()} == changed
    assert RunDir(first.run.path).status().state == "running"
