import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from core import recipes
from core.config import RunConfig
from core.corpora.store import Corpus, CorpusError
from core.execution.preflight import check


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
        check(recipes.named(name))
    assert not (tmp_path / "cache").exists()


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
    with pytest.raises(ValueError, match="no labels in language") as error:
        check(changed(tiny_config, **{field.replace(".", "__"): value}))
    said = str(error.value)
    assert said.count("no labels") == 1
    assert f"{field}: no labels in language {code!r}" in said
    assert "has 4 languages" in said


def test_all_bad_fields_are_named_at_once(tiny_config: RunConfig) -> None:
    with pytest.raises(ValueError, match="no labels in language") as error:
        check(changed(tiny_config, **{f.replace(".", "__"): v for f, v in FIELDS.items()}))
    said = str(error.value)
    assert said.count("no labels in language") == 6
    assert all(f"{field}: no labels in language 'x" in said for field in FIELDS)
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
    with pytest.raises(ValueError, match=r"The corpus cldr has \d+ languages, but .*'qqx'"):
        check(changed(tiny_config, **cldr, tasks__kg_completion__test_languages=["qqx"]))
