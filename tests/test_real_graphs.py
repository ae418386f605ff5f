"""Real graphs out of public sources, through reading, merging and training: what the README's recipe does, small."""

from pathlib import Path

import pytest

from core import recipes
from core.corpora.merge import merge
from core.corpora.rows import RowLog
from core.corpora.sources import codex, fewrel, wikipedia, xfactr
from core.corpora.store import Corpus
from core.execution.worker import main
from core.runs.store import RunDir
from tests.conftest import tiny_changes

LANGUAGES = ("en", "es", "ru")


@pytest.mark.slow
def test_x_factr_codex_and_fewrel_train_all_four_adapters(
    shared_data: Path, tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    for name, read in (("xfactr", xfactr.read), ("codex", codex.read), ("fewrel", fewrel.read)):
        languages = ("en",) if name == "fewrel" else LANGUAGES
        read(shared_data / name, RowLog(), languages).write(tmp_path / name, RowLog())
    extracts = [shared_data / "codex" / "types" / language / "extracts.zip" for language in LANGUAGES]
    wikipedia.build(tmp_path / "c1", tmp_path / "codex", extracts, RowLog())
    corpus = merge([Corpus.open(tmp_path / name) for name in ("xfactr", "codex", "fewrel", "c1")], tmp_path / "real")
    counts = corpus.info.counts
    # FewRel's README: 11,200 sentences, of which those that show the object twice are left out; codex: 44,149 English
    # triples of codex-m have both names in X-FACTR, which itself has 45,945.
    assert 10_500 < counts["triple_sentences"] < 11_200
    assert counts["mention_sentences"] > 3_000
    assert counts["triples"] > 45_945 + 44_149 + 11_000

    changes = {k: v for k, v in tiny_changes(corpus.path, tiny_backbone).items() if not k.startswith("tasks")}
    changes |= {"corpus.adapter_languages": list(LANGUAGES), "adapters.large": None}
    changes |= {"tasks.kg_completion": None, "tasks.entity_alignment": None}
    run = RunDir.create(recipes.named("adapters", changes), tmp_path / "runs")
    assert main(run.path) == 0, run.status().message
    losses = {e["stage"]: e["loss"] for e in run.events() if e["event"] == "step"}
    assert losses.keys() == {"ep", "tp", "es", "ts"}
    assert all(0 < loss < 10 for loss in losses.values())
    assert all((run.checkpoint_dir(role) / "done.json").is_file() for role in losses)
