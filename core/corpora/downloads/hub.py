"""Data sets of the Hugging Face hub, written in the layout of the files that our readers know."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from core.corpora.downloads.fetch import Outcome
from core.corpora.downloads.folder import DataFolder
from core.corpora.downloads.registry import MAIN, DataFile, DataSet, DownloadError
from core.corpora.records import Progress

Rows = Iterable[Mapping[str, Any]]
Splits = Mapping[str, Any]  # name of a split -> datasets.Dataset


def load_dataset(id: str, config: str) -> Splits:
    """One subset of a hub data set: the only place that asks the hub.

    Raises:
        DownloadError: If the hub cannot be reached or has no such data set or subset.
    """
    import datasets
    import huggingface_hub

    huggingface_hub.logging.set_verbosity_error()  # it retries aloud; the error at the end says it all
    try:
        return datasets.load_dataset(id, config)
    except (OSError, ValueError, RuntimeError) as error:  # what datasets, huggingface_hub and requests raise
        raise DownloadError(
            f"{id} ({config}) cannot be had from the Hugging Face hub: {' '.join(str(error).split())}. Check the "
            "connection (HF_ENDPOINT, HF_HUB_OFFLINE), or leave --hub out to take the public files."
        ) from error


def fetch(
    data: DataSet,
    target: DataFolder,
    configs: Iterable[str] = (),
    progress: Progress = lambda done, total: None,
    load: Callable[[str, str], Splits] = load_dataset,
) -> Outcome:
    """Write subsets of a hub data set as files; files that are there already are left alone.

    Args:
        data: A data set with a hub entry.
        target: Its folder.
        configs: Subsets to fetch; all of the registry's if empty.
        progress: Called with subsets done and in all.
        load: What brings the splits of (id, config).

    Raises:
        DownloadError: If there is no hub entry or no such subset, or the hub does not give it.
    """
    hub = data.hub
    if hub is None:
        raise DownloadError(f"{data.name} is not taken from the hub. Leave --hub out.")
    wanted = tuple(configs) or hub.configs
    if unknown := [c for c in wanted if c not in hub.configs]:
        raise DownloadError(f"{hub.id} has no subset {', '.join(unknown)} here. There are: {', '.join(hub.configs)}.")
    names, text_of = LAYOUTS[hub.layout]
    outcome = Outcome()
    with target.held():
        for number, config in enumerate(wanted):
            progress(number, len(wanted))
            files = {split: name.format(config=config) for split, name in names.items()}
            if all((target.path / file).is_file() for file in files.values()):
                outcome.here += files.values()
                continue
            splits = load(hub.id, config)
            for split, file in files.items():
                if (target.path / file).is_file():
                    outcome.here.append(file)
                    continue
                if split not in splits:
                    raise DownloadError(f"{hub.id} ({config}) has no split {split!r}; it has: {', '.join(splits)}.")
                part = target.partial(file)
                part.parent.mkdir(parents=True, exist_ok=True)
                part.write_text(text_of(splits[split]), encoding="utf-8", newline="\n")
                digest = target.place(DataFile(MAIN, file, ""), f"hub: {hub.id} ({config}, {split})")
                outcome.placed.append(file)
                outcome.unchecked[file] = digest.sha256
        progress(len(wanted), len(wanted))
        target.tidy()
    return outcome


def conllu(rows: Any) -> str:
    """Sentences as lines of index, token and IOB2 tag, with an empty line after each.

    Args:
        rows: A `datasets.Dataset` with the columns `tokens` and `ner_tags` (a sequence of ClassLabel).
    """
    tags = rows.features["ner_tags"].feature.names
    lines = []
    for row in rows:
        pairs = zip(row["tokens"], row["ner_tags"], strict=True)
        lines += [f"{i}\t{token}\t{tags[tag]}" for i, (token, tag) in enumerate(pairs)]
        lines.append("")
    return "\n".join(lines) + "\n"


def squad_json(rows: Rows) -> str:
    """Questions as SQuAD v1.1 JSON.

    Args:
        rows: With the columns `id`, `context`, `question`, `answers`, and `title` where the hub keeps it; questions of
            one article, and of one paragraph of it, stand together.
    """
    articles = [
        {"title": title, "paragraphs": list(_paragraphs(part))}
        for title, part in groupby(rows, lambda row: row.get("title", ""))
    ]
    return json.dumps({"data": articles, "version": "1.1"}, ensure_ascii=False) + "\n"


def _paragraphs(rows: Rows) -> Iterator[dict[str, Any]]:
    for context, questions in groupby(rows, lambda row: row["context"]):
        yield {
            "context": context,
            "qas": [
                {
                    "id": row["id"],
                    "question": row["question"],
                    "answers": [
                        {"text": text, "answer_start": start}
                        for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
                    ],
                }
                for row in questions
            ],
        }


# Layout -> files of the splits, and what writes the rows of one.
LAYOUTS: dict[str, tuple[dict[str, str], Callable[[Any], str]]] = {
    "conllu": (
        {
            "train": "{config}/train.conllu",
            "validation": "{config}/val.conllu",
            "test": "{config}/test.conllu",
        },
        conllu,
    ),
    "squad": ({"train": "train-v1.1.json", "validation": "dev-v1.1.json"}, squad_json),
    "xquad": ({"validation": "{config}.json"}, squad_json),
}
