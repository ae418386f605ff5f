"""Hub data sets, as the library `datasets` gives them, become the files that our readers know."""

import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from core.corpora.downloads import hub
from core.corpora.downloads.folder import DataFolder
from core.corpora.downloads.registry import DataSet, DownloadError, Hub


def rows_of(path: Path) -> datasets.Dataset:
    """A .conllu file as the hub holds it."""
    tags = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    sentences = [
        [line.split("\t")[1:] for line in s.split("\n")] for s in path.read_text("utf-8").rstrip("\n").split("\n\n")
    ]
    columns = {
        "tokens": [[t for t, _ in s] for s in sentences],
        "ner_tags": [[tags.index(tag) for _, tag in s] for s in sentences],
    }
    kinds = {"tokens": datasets.Sequence(datasets.Value("string"))}
    kinds["ner_tags"] = datasets.Sequence(datasets.ClassLabel(names=tags))
    return datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))


WIKIANN = DataSet("w", "W", "-", "-", "-", (), (), {}, hub=Hub("some/wikiann", "conllu", ("de", "en")))


def test_hub_sentences_become_our_files(tmp_path: Path) -> None:
    (tmp_path / "a.conllu").write_text("0\tAnna\tB-PER\n1\ta\tO\n\n0\tUlm\tB-LOC\n\n", encoding="utf-8")
    rows = rows_of(tmp_path / "a.conllu")
    assert len(rows) == 2
    datasets.DatasetDict({"train": rows, "validation": rows.select([1]), "test": rows.select([0])}).save_to_disk(
        tmp_path / "disk"
    )
    asked = []

    def load(id: str, config: str) -> hub.Splits:
        asked.append((id, config))
        return datasets.load_from_disk(tmp_path / "disk")

    folder = DataFolder(tmp_path / "w")
    outcome = hub.fetch(WIKIANN, folder, ["de"], load=load)
    assert asked == [("some/wikiann", "de")]
    assert outcome.placed == ["de/train.conllu", "de/val.conllu", "de/test.conllu"]
    assert (folder.path / "de/train.conllu").read_bytes() == (tmp_path / "a.conllu").read_bytes()
    assert (folder.path / "de/val.conllu").read_text("utf-8") == "0\tUlm\tB-LOC\n\n"
    assert set(outcome.unchecked) == set(outcome.placed)
    assert len(hub.fetch(WIKIANN, folder, load=load).placed) == 3
    assert asked[1:] == [("some/wikiann", "en")]  # de was here
    with pytest.raises(DownloadError, match=r"no subset fr here\. There are: de, en"):
        hub.fetch(WIKIANN, folder, ["fr"], load=load)


def test_a_hub_data_set_in_a_local_folder_is_read_by_the_library_itself(tmp_path: Path) -> None:
    (tmp_path / "a.conllu").write_text("0\tAnna\tB-PER\n1\ta\tO\n\n", encoding="utf-8")
    (tmp_path / "set" / "de").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        rows_of(tmp_path / "a.conllu").to_parquet(tmp_path / "set" / "de" / f"{split}-00000-of-00001.parquet")
    splits = "".join(f"\n  - split: {s}\n    path: de/{s}-*" for s in ("train", "validation", "test"))
    card = f"---\nconfigs:\n- config_name: de\n  data_files:{splits}\n---\n"
    (tmp_path / "set" / "README.md").write_text(card, encoding="utf-8")
    data = DataSet("w", "W", "-", "-", "-", (), (), {}, hub=Hub(str(tmp_path / "set"), "conllu", ("de", "xx")))
    outcome = hub.fetch(data, DataFolder(tmp_path / "w"), ["de"])
    assert len(outcome.placed) == 3
    assert (tmp_path / "w/de/test.conllu").read_bytes() == (tmp_path / "a.conllu").read_bytes()
    with pytest.raises(DownloadError, match=r"\(xx\) cannot be had from the Hugging Face hub"):
        hub.fetch(data, DataFolder(tmp_path / "w"), ["xx"])


def test_real_sentences_come_back_byte_for_byte(shared_data: Path) -> None:
    path = shared_data / "wikiann" / "en" / "test.conllu"
    assert hub.conllu(rows_of(path)) == path.read_text("utf-8")


def test_real_questions_come_back(shared_data: Path) -> None:
    original = json.loads((shared_data / "xquad" / "xquad.de.json").read_text("utf-8"))["data"]
    rows = [
        {
            "id": q["id"],
            "title": article["title"],
            "context": paragraph["context"],
            "question": q["question"],
            "answers": {k: [a[k] for a in q["answers"]] for k in ("text", "answer_start")},
        }
        for article in original
        for paragraph in article["paragraphs"]
        for q in paragraph["qas"]
    ]
    assert len(rows) == 1190
    back = json.loads(hub.squad_json(datasets.Dataset.from_list(rows)))
    assert back["data"] == [{"title": a["title"], "paragraphs": a["paragraphs"]} for a in original]
    untitled = json.loads(hub.squad_json([{k: v for k, v in row.items() if k != "title"} for row in rows]))
    assert len(untitled["data"]) == 1
    assert len(untitled["data"][0]["paragraphs"]) == 240


def test_the_hub_is_out_of_reach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = (
        "from core.corpora.downloads import hub, registry\n"
        "from core.corpora.downloads.folder import DataFolder\n"
        "from pathlib import Path\n"
        f"hub.fetch(registry.load()['squad'], DataFolder(Path({str(tmp_path)!r})))"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert "DownloadError: rajpurkar/squad (plain_text) cannot be had from the Hugging Face hub" in done.stderr
    assert "leave --hub out" in done.stderr
