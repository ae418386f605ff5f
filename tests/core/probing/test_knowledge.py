"""Questions by hand are the questions of the evaluation: the same ranks, candidates and known answers."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from core.corpora.benchmarks.draft import Draft
from core.corpora.rows import RowLog
from core.evaluation.outcomes import LanguageRanks, from_arrays
from core.probing.knowledge import Knowledge
from core.probing.queries import Query
from core.probing.trained import TrainedEncoder
from core.runs.store import RunDir, RunError
from tests.conftest import label


@pytest.fixture(scope="module")
def run(finished_run_path: Path) -> RunDir:
    return RunDir(finished_run_path)


@pytest.fixture(scope="module")
def encoder(run: RunDir) -> TrainedEncoder:
    return TrainedEncoder(run)


def ranks_by_hand(knowledge: Knowledge, key: str, system: str) -> list[float]:
    """Rank of the answer to every test query of a key, asked one by one."""
    found, names = [], knowledge.names
    source, target = knowledge.query_language(key), knowledge.answer_language(key)
    for example in names.examples(key):
        text = names.labels(np.asarray([example.entity]), source).text[0]
        query = Query(source, text, example.relation, example.entity)
        gold = knowledge.ask(query, [system], [target], 3, "test").gold
        (rank,) = gold[gold.entity == names.entity_id(example.gold)]["rank"].drop_duplicates()
        found.append(rank)
    return found


def strict(ranks: LanguageRanks) -> list[float]:
    return ((ranks.optimistic["filtered"] + ranks.pessimistic["filtered"]) / 2).tolist()


@pytest.mark.parametrize("system", ["backbone", "+TP", "+Large"])
@pytest.mark.parametrize(("kind", "task", "key"), [("complete", "kg_completion", "en"), ("complete", "kg_completion", "eo"),
                                                   ("align", "entity_alignment", "fr")])  # fmt: skip
def test_a_test_query_has_the_rank_that_the_run_stored(encoder, kind: str, task: str, key: str, system: str) -> None:
    stored = from_arrays(task, encoder.run.read_outcomes(task, system, "zero-shot"))[key]
    assert ranks_by_hand(Knowledge(encoder, kind), key, system) == strict(stored)


def test_an_example_names_its_query_and_answer(encoder: TrainedEncoder) -> None:
    knowledge = Knowledge(encoder, "complete")
    query, gold = knowledge.example("de", 1)
    assert (query, gold) == knowledge.example("de", 1)
    assert len({knowledge.example("de", number)[0] for number in range(5)}) > 1
    assert query.text == label(query.entity, "de")
    corpus = knowledge.names.corpus
    facts = zip(*(corpus.column("triples", c).tolist() for c in ("subject", "relation", "object")), strict=True)
    relation = corpus.table("relations")["id"].to_pylist().index(query.relation)
    expected = sorted({o for s, r, o in facts if (s, r) == (query.entity, relation)})
    assert knowledge.known(query, "fr").tolist() == expected
    assert gold in expected


def test_answers_are_known_by_name_in_any_language(encoder: TrainedEncoder) -> None:
    knowledge = Knowledge(encoder, "align")
    found = knowledge.ask(Query("en", label(5, "en")), ["backbone", "+EP"], ["de", "fr"], 4, "all")
    assert len(found.top) == 2 * 2 * 4
    assert set(found.top[found.top.gold].answer) <= {label(5, "de"), label(5, "fr")}
    gold = found.gold.drop_duplicates(["language", "entity"])
    assert list(zip(gold.language, gold.answer, gold.entity, strict=True)) == [
        ("de", label(5, "de"), "e05"),
        ("fr", label(5, "fr"), "e05"),
    ]
    assert (found.gold.candidates == 48).all()
    assert knowledge.ask(Query("en", "no such name"), ["backbone"], ["de"]).gold.empty


def test_labels_are_embedded_once_and_progress_counts_all_of_them(encoder: TrainedEncoder) -> None:
    knowledge, told = Knowledge(encoder, "align"), []
    systems, query = ["backbone", "+EP"], Query("en", label(5, "en"))
    assert knowledge.missing(systems, ["de", "fr"], "all") == 4 * 48
    knowledge.ask(query, systems, ["de", "fr"], 1, "all", lambda done, total: told.append((done, total)))
    assert told == [(48, 192), (96, 192), (144, 192), (192, 192)]
    assert knowledge.missing(systems, ["de", "fr", "eo"], "all") == 2 * 48
    knowledge.ask(query, systems, ["de", "fr"], 1, "all", lambda *_: pytest.fail("embedded twice"))


def test_what_was_embedded_before_a_stop_is_kept(encoder: TrainedEncoder) -> None:
    knowledge = Knowledge(encoder, "align")

    def stop(done: int, _: int) -> None:
        if done > 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        knowledge.ask(Query("en", "x"), ["backbone"], ["de", "fr"], 1, "all", stop)
    assert knowledge.missing(["backbone"], ["de", "fr"], "all") == 48


def test_names_are_found_by_what_they_hold(encoder: TrainedEncoder) -> None:
    names = Knowledge(encoder, "complete").names
    text = label(6, "en")
    hits = names.find(text[1:].upper(), "en")
    assert text in hits.text
    assert all(text[1:] in hit for hit in hits.text)
    assert names.find(text, "en").text[0] == text
    assert names.relations("de") == {"near": "nahe", "part": "Teil von"}
    assert names.relations("fr") == {"near": "près de", "part": "part of"}


def test_a_query_in_one_language_is_answered_in_another(encoder: TrainedEncoder) -> None:
    knowledge = Knowledge(encoder, "complete")
    found = knowledge.ask(Query("de", label(5, "de"), "near"), ["backbone"], ["fr"], 48, "all")
    assert found.gold.answer.tolist() == [label(12, "fr")]  # near: i -> i + 7
    assert found.top[found.top.gold].place.tolist() == found.gold["rank"].tolist()


def benchmark(folder: Path, task: str) -> Path:
    """Towns in en, de and fr, by the same number; `a` is a name of two of them."""
    draft = Draft("towns", task, "tests", "MIT", "Towns.")
    rows = {
        (c, i): draft.add("entities", c, f"{c}{i}", label(i, c) if i else "a", "")
        for c in ("en", "de", "fr")
        for i in range(12)
    }
    rows |= {("en", 12): draft.add("entities", "en", "en12", "a", "")}
    draft.add("relations", "en", "near", "near", "")
    for code in ("de", "fr"):
        for i in range(12):
            draft.add("pairs", "en", code, "train" if i % 3 == 2 else "test", rows["en", i], rows[code, i])
    for code in ("en", "de"):
        for i in range(12):
            split = "train" if i % 3 == 2 else "test"
            draft.add("triples", code, split, rows[code, i], 0, rows[code, (i + 5) % 12])
            draft.add("triples", code, split, rows[code, i], 0, rows[code, (i + 7) % 12])
    draft.write(folder, RowLog())
    return folder


@pytest.mark.parametrize(
    ("task", "kind", "options", "key"),
    [
        ("kg_completion", "complete", {}, "de"),
        ("entity_alignment", "align", {}, "fr"),
        ("entity_alignment", "align", {"direction": "both"}, "de-en"),
    ],
)
def test_a_task_on_a_benchmark_ranks_as_its_own_evaluation(
    finished_run: RunDir, tmp_path: Path, task: str, kind: str, options: dict, key: str
) -> None:
    config = yaml.safe_load(finished_run.config_file.read_text(encoding="utf-8"))
    config["tasks"][task] |= {"data": str(benchmark(tmp_path / "towns", task)), "train_languages": ["de"]} | options
    config["tasks"][task]["test_languages"] = None
    finished_run.config_file.write_text(yaml.safe_dump(config), encoding="utf-8")
    knowledge = Knowledge(TrainedEncoder(RunDir(finished_run.path)), kind)
    with knowledge.encoder.asked(knowledge.question("+EP")) as (encoder, _):
        expected = knowledge.task.measure(encoder, None, [key])[key]
    assert ranks_by_hand(knowledge, key, "+EP") == strict(expected)
    query, gold = knowledge.example(key, 0)
    assert knowledge.names.entity_id(gold) in set(
        knowledge.ask(query, ["+EP"], [knowledge.answer_language(key)], 1, "all").gold.entity
    )


def test_what_a_run_cannot_do_is_said(finished_run: RunDir, tmp_path: Path) -> None:
    knowledge = Knowledge(TrainedEncoder(finished_run), "align")
    assert knowledge.systems == ["backbone", "+EP", "+TP", "+ES", "+TS", "+Large", "+Fusion"]
    with pytest.raises(RunError, match="no system"):
        knowledge.ask(Query("en", "x"), ["+Other"], ["de"])
    config = yaml.safe_load(finished_run.config_file.read_text(encoding="utf-8"))
    config["corpus"]["folder"] = str(tmp_path / "gone")
    finished_run.config_file.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(ValueError, match="There is no corpus in"):
        Knowledge(TrainedEncoder(RunDir(finished_run.path)), "align")
