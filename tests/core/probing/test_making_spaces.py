"""Entity spaces of a run that was really trained, small as it is."""

import numpy as np
import pytest
from typer.testing import CliRunner

from core.corpora.store import Corpus
from core.evaluation import space as measures
from core.probing.spaces import Plan, default_languages, make_space
from core.probing.trained import Question, TrainedEncoder
from core.runs.spaces import read_space
from workbench.cli import app as cli


@pytest.fixture
def encoder(finished_run) -> TrainedEncoder:
    return TrainedEncoder(finished_run)


def test_a_space_holds_the_names_of_test_entities_under_every_system(encoder, tiny_corpus: Corpus) -> None:
    said: list[tuple[str, float]] = []
    plan = Plan(task="entity_alignment", entities=6, seed=1, layouts=("pca",), neighbours=4)
    space = make_space(encoder, tiny_corpus, plan, lambda *step: said.append(step))
    assert space.systems == encoder.systems
    assert space.languages == ["en", "de", "fr", "eo"]  # source language, training languages, then those tested
    assert space.groups == ["Sup", "Sup", "ZS-In", "ZS-Un"]
    assert len(space) == 24
    test = {tiny_corpus.table("entities")["id"][int(row)].as_py() for row in tiny_corpus.rows_of("entities", "test")}
    assert len(space.entities) == 6
    assert set(space.entities) <= test
    texts = dict(zip(zip(space.entity, space.language, strict=True), space.text, strict=True))
    labels = tiny_corpus.table("labels").to_pylist()
    known = {(row["entity"], row["language"]): row["text"] for row in labels}
    ids = tiny_corpus.table("entities")["id"].to_pylist()
    for (entity, language), text in texts.items():
        assert text == known[ids.index(space.entities[entity]), space.languages[language]]
    place = space.systems.index("+Fusion")
    vectors = encoder.embed(space.text, Question("+Fusion", "entity_alignment"))
    uniform = [measures.uniformity(vectors[space.language == code]) for code in range(4)]
    np.testing.assert_allclose(space.uniformity[place], uniform, rtol=1e-3)
    near = measures.nearest(vectors, 1)[:, 0]
    assert (near == space.neighbours[place, :, 0]).mean() > 0.8  # the rest are ties and rounding
    hits = space.pairs["hits"]
    assert hits.shape == (len(space.systems), 4, 4)
    assert ((hits >= 0) & (hits <= 1) | np.isnan(hits)).all()
    assert list(space.layouts) == ["pca"]
    assert space.shared.tolist() == [[6] * 4] * 4
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    assert {what for what, _ in said} >= {"embedding names under backbone", "measuring +Fusion"}
    again = make_space(encoder, tiny_corpus, plan)
    np.testing.assert_array_equal(space.layouts["pca"], again.layouts["pca"])
    assert make_space(encoder, tiny_corpus, Plan(entities=6, seed=2, systems=("+EP",), layouts=())).text != space.text


def test_languages_without_a_task_are_those_of_adapter_training(encoder, tiny_corpus: Corpus) -> None:
    assert default_languages(encoder.run, tiny_corpus, None)[:3] == ["de", "en", "fr"]
    with pytest.raises(ValueError, match=r"has no names in xx\. It has: de, en, eo, fr"):
        make_space(encoder, tiny_corpus, Plan(languages=("de", "xx")))
    with pytest.raises(ValueError, match="Fewer than two test entities"):
        make_space(encoder, tiny_corpus, Plan(languages=("de",)))


def test_the_command_stores_a_space_with_what_made_it(finished_run) -> None:
    command = ["space", finished_run.name, "--system", "backbone", "--system", "+Fusion", "--entities", "5"]
    done = CliRunner().invoke(cli, [*command, "--layout", "pca", "--language", "de", "--language", "eo", "--seed", "3"])
    assert done.exit_code == 0, done.exception
    assert "5 test entities in 2 languages, 10 names, seed 3" in done.stdout
    space = read_space(finished_run, "entity_alignment")
    assert space.systems == ["backbone", "+Fusion"]
    assert space.made["seed"] == 3
    assert {"numpy", "torch", "umap-learn"} <= set(space.made["versions"])
    wrong = CliRunner().invoke(cli, ["space", finished_run.name, "--layout", "tsne"])
    assert "there is no 'tsne'" in str(wrong.exception)
