"""Ranks and results against slow versions that share no code with them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from core.corpora.store import Corpus
from core.runs.store import RunDir
from core.stages import measurement
from core.stages.loop import Stopped
from core.stages.measurement import measure_zero_shot, results
from core.stages.workspace import Workspace

OpenWork = Callable[..., Workspace]


@pytest.fixture
def open_bare(open_work: OpenWork) -> OpenWork:
    """A workspace without adapters."""

    def make(run: RunDir | None = None, **changes: object) -> Workspace:
        plain = {f"adapters__{role}": None for role in ("ep", "tp", "es", "ts", "large")}
        return open_work(run, **(plain | changes))

    return make


# Ranks


@pytest.fixture(scope="module")
def embeddings(tiny_corpus: Corpus, tiny_backbone: Path) -> Callable[[list[str]], np.ndarray]:
    """One text at a time through the plain model: no packing, no token store, no trimming."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(tiny_backbone), AutoModel.from_pretrained(tiny_backbone).eval()

    def embed(texts: list[str]) -> np.ndarray:
        with torch.no_grad():
            found = [model(**tokenizer(t, return_tensors="pt")).last_hidden_state[0].mean(0).numpy() for t in texts]
        return np.stack([v / np.linalg.norm(v) for v in found]).astype(np.float64)

    return embed


def labels_of(corpus: Corpus, language: str) -> list[str]:
    """Label of every entity, by row; the tiny corpus has one in each language."""
    texts, entity = corpus.texts("labels"), corpus.column("labels", "entity")
    rows = np.flatnonzero(texts.language == texts.languages.index(language))
    assert entity[rows].tolist() == list(range(48))
    return [texts.text[int(row)].as_py() for row in rows]


def rank_bounds(scores: np.ndarray, gold: int, known: set[int], texts: list[str]) -> tuple[int, int]:
    """Smallest and largest rank that rounding allows; candidates with the gold's string are ties, known ones left out."""
    tied = {j for j, text in enumerate(texts) if text == texts[gold]} - known - {gold}
    others = [scores[j] for j in range(len(scores)) if j not in known | tied | {gold}]
    low, high = (1 + sum(s > scores[gold] + e for s in others) for e in (1e-5, -1e-5))
    return low, high + len(tied)


@pytest.mark.parametrize("language", ["de", "eo"])
def test_alignment_ranks_equal_a_plain_search(
    open_bare: OpenWork, tiny_corpus: Corpus, embeddings: Callable[[list[str]], np.ndarray], language: str
) -> None:
    work = open_bare(tasks__kg_completion=None)
    measure_zero_shot(work, "backbone")
    found = work.run.read_outcomes("entity_alignment", "backbone", "zero-shot")
    source, target = labels_of(tiny_corpus, "en"), labels_of(tiny_corpus, language)
    test = [i for i in range(48) if i % 6 == 5]
    assert found[f"{language}.entity"].tolist() == test
    query, candidate = embeddings([source[i] for i in test]), embeddings(target)
    bounds = []
    for i, q in zip(test, query, strict=True):
        known = {j for j in range(48) if source[j] == source[i] and j != i}
        bounds.append(rank_bounds(candidate @ q, i, known, target))
    low, high = np.array(bounds).T
    optimistic, pessimistic = found[f"{language}.filtered"]
    assert (low <= optimistic).all()
    assert (pessimistic <= high).all()
    assert (high - low).mean() < 2  # the bounds say something
    assert len(set(optimistic.tolist())) > 2


def test_completion_ranks_equal_a_plain_search(
    open_bare: OpenWork, tiny_corpus: Corpus, embeddings: Callable[[list[str]], np.ndarray]
) -> None:
    work = open_bare(tasks__entity_alignment=None)
    measure_zero_shot(work, "backbone")
    found = work.run.read_outcomes("kg_completion", "backbone", "zero-shot")
    texts = labels_of(tiny_corpus, "fr")
    facts = [(i, r, (i * step + shift) % 48) for r, step, shift in ((0, 1, 7), (1, 5, 3)) for i in range(48)]
    test = [f for f in facts if f[0] % 6 == 5 or f[2] % 6 == 5]
    relation = ["près de", "part of"]  # the second has no French label and falls back to English
    query, candidate = embeddings([f"{texts[s]} {relation[r]}" for s, r, _ in test]), embeddings(texts)
    assert found["fr.entity"].tolist() == [s for s, _, _ in test]
    bounds = []
    for (s, r, o), q in zip(test, query, strict=True):
        known = {other for a, b, other in facts if (a, b) == (s, r) and other != o}
        bounds.append(rank_bounds(candidate @ q, o, known, texts))
    low, high = np.array(bounds).T
    optimistic, pessimistic = found["fr.filtered"]
    assert (low <= optimistic).all()
    assert (pessimistic <= high).all()
    assert (high - low).mean() < 2
    assert len(bounds) > 20


def test_only_missing_ranks_are_measured(open_bare: OpenWork) -> None:
    work = open_bare()
    measure_zero_shot(work, "backbone")
    files = {t: work.run.outcome_file(t, "backbone", "zero-shot") for t in ("kg_completion", "entity_alignment")}
    first = work.run.read_outcomes("entity_alignment", "backbone", "zero-shot")
    kept = files["kg_completion"].stat().st_mtime_ns
    files["entity_alignment"].unlink()
    again = open_bare(work.run)
    measure_zero_shot(again, "backbone")
    second = work.run.read_outcomes("entity_alignment", "backbone", "zero-shot")
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[k], second[k]) for k in first)
    assert files["kg_completion"].stat().st_mtime_ns == kept
    measure_zero_shot(again, "backbone")
    titles = [e["title"] for e in work.run.events() if e.get("stage") == "zero-shot.backbone"]
    assert titles == ["measuring backbone, zero-shot"] * 2


def test_a_request_to_stop_leaves_no_ranks(open_bare: OpenWork) -> None:
    work = open_bare()
    work.journal.stop_requested = True
    with pytest.raises(Stopped):
        measure_zero_shot(work, "backbone")
    assert not list(work.run.path.glob("outcomes/*"))


# Results


def test_values_equal_those_worked_out_from_the_ranks(finished_run: RunDir) -> None:
    """Every language row of one system and task, all protocols and metrics, from the files alone."""
    frame = finished_run.results()
    with np.load(finished_run.path / "outcomes" / "kg_completion.ep.fine-tuned.npz") as file:
        arrays = dict(file)
    rows = frame[(frame.task == "kg_completion") & (frame.system == "+EP") & (frame["mode"] == "fine-tuned")]
    rows = rows[rows.language.notna()]
    assert len(rows) == 4 * 5 * 5
    assert set(rows.protocol) == {"strict", "strict-raw", "released", "last", "best-test"}
    sets = {"strict": ("filtered", 0), "strict-raw": ("raw", 0), "released": ("released", 1)}
    for row in rows[rows.protocol.isin(list(sets))].itertuples():
        name, offset = sets[row.protocol]
        rank = arrays[f"{row.language}.{name}"].mean(0)
        hits = 100 / rank if row.metric == "MRR" else 100.0 * (rank <= int(row.metric[4:]) + offset)
        assert row.value == pytest.approx(hits.mean(), abs=1e-9), (row.language, row.protocol, row.metric)
        assert row.n == len(rank)
        assert 0 <= row.low <= row.high <= 100


def test_groups_are_those_of_the_run(finished_run: RunDir) -> None:
    frame = finished_run.results()
    found = frame[frame.language.notna()].groupby(["task", "group"]).language.unique().map(sorted).to_dict()
    assert found == {
        ("kg_completion", "Sup"): ["de", "en"],
        ("kg_completion", "ZS-In"): ["fr"],
        ("kg_completion", "ZS-Un"): ["eo"],
        ("entity_alignment", "Sup"): ["de"],
        ("entity_alignment", "ZS-In"): ["fr"],
        ("entity_alignment", "ZS-Un"): ["eo"],
    }


def test_a_group_is_the_mean_of_its_languages(finished_run: RunDir) -> None:
    frame = finished_run.results()
    keys = ["task", "dataset", "system", "mode", "group", "metric", "protocol"]
    languages = frame[frame.language.notna()].groupby(keys)
    groups = frame[frame.language.isna()].set_index(keys)
    assert len(groups) == len(languages) > 500
    expected = languages.value.mean().loc[groups.index]
    assert groups.value.tolist() == pytest.approx(expected.tolist(), abs=1e-9)
    assert groups.n.tolist() == languages.n.sum().loc[groups.index].tolist()


def test_mrr_is_never_below_the_first_hit_and_hits_grow(finished_run: RunDir) -> None:
    frame = finished_run.results()
    strict = frame[frame.protocol != "released"]
    wide = strict.pivot_table(
        "value", ["task", "system", "mode", "language", "group", "protocol"], "metric", dropna=False
    )
    wide = wide.dropna()
    assert len(wide) > 100
    assert (wide["MRR"] >= wide["Hit@1"] - 1e-9).all()
    for smaller, larger in (("Hit@1", "Hit@3"), ("Hit@3", "Hit@5"), ("Hit@5", "Hit@10")):
        assert (wide[smaller] <= wide[larger]).all()
    assert (wide["Hit@1"] < wide["Hit@10"]).any()


def test_impossible_values_are_refused(open_bare: OpenWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = open_bare()
    measure_zero_shot(work, "backbone")
    assert len(results(work)) > 0
    honest = measurement.result_rows

    def swapped(*args: object, **more: object) -> list[dict]:
        return [row | {"value": 100.0 if row["metric"] == "Hit@1" else 50.0} for row in honest(*args, **more)]

    monkeypatch.setattr(measurement, "result_rows", swapped)
    with pytest.raises(ValueError, match="MRR below Hit@1"):
        results(work)
