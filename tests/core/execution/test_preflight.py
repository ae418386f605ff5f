import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from core import recipes
from core.config import RunConfig
from core.corpora.store import Corpus, CorpusError
from core.execution.preflight import check
from core.runs.store import RunError
from tests.benchmarks import write_entities


def changed(config: RunConfig, **changes: Any) -> RunConfig:
    dotted = {name.replace("__", "."): value for name, value in changes.items()}
    return recipes.parse(config.model_dump(mode="json"), dotted)


def test_a_config_that_can_run_passes(tiny_config: RunConfig) -> None:
    check(tiny_config)
    check(changed(tiny_config, tasks__entity_alignment=None, corpus__adapter_languages=None))


def test_the_default_and_every_preset_pass_without_building_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    check(RunConfig())
    names = recipes.preset_names()
    assert "demo" in names
    for name in names:
        config = recipes.named(name)
        if not any(plan.data for plan in config.tasks.chosen().values()) and config.adapters.from_run is None:
            check(config)
    assert not (tmp_path / "cache").exists()


def test_a_benchmark_that_is_not_there_is_named_with_how_to_build_it(tiny_config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workbench benchmark build wikiann"):
        check(changed(tiny_config, tasks__ner={}))
    with pytest.raises(ValueError, match=r"There is no benchmark in .*gone"):
        check(changed(tiny_config, tasks__ner__data=str(tmp_path / "gone")))


def test_a_benchmark_of_another_task_is_refused(tiny_config: RunConfig, tmp_path: Path) -> None:
    folder = str(write_entities(tmp_path / "ner").path)
    check(changed(tiny_config, tasks__ner__data=folder))
    with pytest.raises(ValueError, match=r"tasks.question_answering: the benchmark .* is one of ner"):
        check(changed(tiny_config, tasks__question_answering={"data": folder, "test_data": []}))


def test_languages_of_a_task_are_those_of_its_benchmark(tiny_config: RunConfig, tmp_path: Path) -> None:
    ner = {"data": str(write_entities(tmp_path / "ner").path), "train_languages": ["fr"], "test_languages": ["eo"]}
    with pytest.raises(ValueError, match=r"tasks.ner.train_languages: .*ner \(2 languages\) has no 'fr'.*no 'eo'"):
        check(changed(tiny_config, tasks__ner=ner))


def test_a_run_to_take_adapters_from_must_exist(tiny_config: RunConfig) -> None:
    with pytest.raises(RunError, match="There is no run 'nobody'"):
        check(changed(tiny_config, adapters__from_run="nobody"))


def test_a_missing_corpus_is_named_with_how_to_build_one(tiny_config: RunConfig, tmp_path: Path) -> None:
    config = changed(tiny_config, corpus__folder=str(tmp_path / "none"))
    with pytest.raises(CorpusError, match=r"There is no corpus in .*none\. Build one: workbench corpus build"):
        check(config)


def test_a_folder_without_a_corpus_is_refused(tiny_config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="There is no corpus in"):
        check(changed(tiny_config, corpus__folder=str(tmp_path)))


@pytest.mark.parametrize("counts", [{"labels": 0}, {}])
def test_an_empty_corpus_is_refused(
    tiny_config: RunConfig, tiny_corpus: Corpus, tmp_path: Path, counts: dict[str, int]
) -> None:
    folder = tmp_path / "empty"
    shutil.copytree(tiny_corpus.path, folder)
    manifest = json.loads((folder / "corpus.json").read_text())
    manifest["counts"] = {k: v for k, v in manifest["counts"].items() if k != "labels"} | counts
    (folder / "corpus.json").write_text(json.dumps(manifest))
    with pytest.raises(CorpusError, match="is empty: it has no labels"):
        check(changed(tiny_config, corpus__folder=str(folder)))


FIELDS = {
    "corpus.adapter_languages": ["de", "xq"],
    "tasks.kg_completion.train_languages": ["en", "xr"],
    "tasks.kg_completion.test_languages": ["xs"],
    "tasks.entity_alignment.source_language": "xt",
    "tasks.entity_alignment.train_languages": ["xu", "fr"],
    "tasks.entity_alignment.test_languages": ["xv", "eo"],
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_language_that_the_corpus_lacks_is_named_with_its_field(tiny_config: RunConfig, field: str) -> None:
    value = FIELDS[field]
    code = next(c for c in ([value] if isinstance(value, str) else value) if c.startswith("x"))
    with pytest.raises(ValueError, match="languages that its data lacks") as error:
        check(changed(tiny_config, **{field.replace(".", "__"): value}))
    said = str(error.value)
    assert said.count("has no") == 1
    assert f"{field}: the corpus " in said
    assert f"(4 languages) has no {code!r}" in said


def test_all_bad_fields_are_named_at_once(tiny_config: RunConfig) -> None:
    with pytest.raises(ValueError, match="languages that its data lacks") as error:
        check(changed(tiny_config, **{f.replace(".", "__"): v for f, v in FIELDS.items()}))
    said = str(error.value)
    assert said.count("has no 'x") == 6
    assert all(f"{field}: the corpus" in said for field in FIELDS)
    assert "\n" not in said


def test_near_languages_are_offered(tiny_config: RunConfig) -> None:
    with pytest.raises(ValueError, match=r"'fro'; near: fr\b"):
        check(changed(tiny_config, tasks__kg_completion__test_languages=["fro"]))
    with pytest.raises(ValueError, match=r"'xq'\.$"):
        check(changed(tiny_config, tasks__kg_completion__test_languages=["xq"]))


def test_languages_of_a_task_that_is_left_out_do_not_matter(tiny_config: RunConfig) -> None:
    """And without a folder the languages are those of CLDR, which calls Norwegian `nb`."""
    cldr = {"corpus__folder": None, "tasks__entity_alignment": None}
    check(changed(tiny_config, **cldr, tasks__kg_completion__test_languages=["nb", "vo", "zh"]))
    with pytest.raises(ValueError, match=r"the corpus cldr \(\d+ languages\) has no 'qqx'"):
        check(changed(tiny_config, **cldr, tasks__kg_completion__test_languages=["qqx"]))
