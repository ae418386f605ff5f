"""Corpus C1 (paper, section 5.1): for every entity and language the first summary sentence that contains its label.

Labels come from a corpus that was built before, texts from dumps of any size. In memory are the ids of the graph's
entities, labels (and titles) of the languages of one text file, one byte per entity and language, and one page: about
0.5 GB for a million and a half entities with a label in the language. Sentences wait on disk until every file was
read, because only then the languages of an entity are known.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from core.corpora.records import Progress
from core.corpora.rows import DataError, RowLog
from core.corpora.sources.mentions import MentionRules, first_mention
from core.corpora.sources.wikipedia_labels import Labels
from core.corpora.sources.wikipedia_texts import Page, read_pages
from core.corpora.store import SCHEMAS, Corpus
from core.corpora.writer import CorpusWriter

MIN_LANGUAGES = 2  # paper, section 5.1
_BATCH = 50_000
_FOUND = pa.schema([f for f in SCHEMAS["mention_sentences"] if f.name != "split"])
_CARD = """\
Sentences of Wikipedia that mention an entity by its label (corpus C1): for every entity and language the first sentence
of the page's summary that contains the label, with the place of the label. Entities with sentences in fewer than
{min_languages} languages are left out. Entities, labels and splits are those of the graph {graph!r}.
"""


@dataclass
class LanguageCount:
    """What became of the pages of one language, as `corpus.json` tells it.

    Attributes:
        pages: Pages that were read.
        with_entity: Pages whose entity is known, by an id or through the titles.
        with_label: Pages whose entity has a label in the language.
        with_sentence: Pages of them with a sentence that contains it, the first page of every entity.
    """

    pages: int = 0
    with_entity: int = 0
    with_label: int = 0
    with_sentence: int = 0


def build(
    target: Path,
    graph: Path,
    texts: Sequence[Path],
    log: RowLog,
    rules: MentionRules | None = None,
    min_languages: int = MIN_LANGUAGES,
    languages: Collection[str] | None = None,
    titles: Path | None = None,
    texts_language: str | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Build the corpus into the folder `target`.

    Args:
        target: Folder to create; nothing is left of it when the build fails.
        graph: Folder of the corpus whose labels are looked for.
        texts: Files with the pages; see `wikipedia_texts`.
        log: What becomes of bad lines.
        rules: What a mention is; None takes the defaults.
        min_languages: Entities with sentences in fewer languages are left out.
        languages: Languages to keep; None keeps all.
        titles: Table with the columns language, title and entity (`.parquet` or tab-separated), for texts that name
            pages by title alone, as abstract dumps do; None takes the sitelinks of the graph, if it has them.
        texts_language: Language of all texts, where neither they nor their files say so.
        progress: Called with (bytes read, bytes in all) of the files.

    Raises:
        DataError: If a file is missing or, in strict mode, bad, or no entity is left.
        CorpusError: If the graph is no corpus.
    """
    corpus = Corpus.open(graph)
    search = _Search(Labels(corpus, titles, log), rules or MentionRules(), languages)
    info = corpus.info
    card = _CARD.format(min_languages=min_languages, graph=info.name)
    source = f"Wikipedia: {', '.join(p.name for p in texts)}; labels: {info.source}"
    facts = asdict(search.rules) | {"min_languages": min_languages, "graph": info.fingerprint}
    with CorpusWriter(
        target, "wikipedia", source, f"Wikipedia: CC BY-SA; labels: {info.licence}", card, facts
    ) as writer:
        waiting = writer.room / "found.arrow"
        with pa.OSFile(str(waiting), "wb") as file, pa.ipc.new_file(file, _FOUND) as sink:
            found = search.sentences(_pages(texts, log, texts_language, search.labels, progress))
            while rows := list(islice(found, _BATCH)):
                columns = zip(zip(*rows, strict=True), _FOUND.types, strict=True)
                sink.write_batch(pa.record_batch([pa.array(c, type) for c, type in columns], schema=_FOUND))
        kept = search.languages_of_entities() >= min_languages
        if not kept.any():
            counts = "; ".join(f"{code}: {asdict(c)}" for code, c in search.counts.items()) or "no page was read"
            raise DataError(f"No entity has a sentence in {min_languages} languages ({counts}).")
        left_out = _copy(corpus, kept, waiting, writer)
        waiting.unlink()
        writer.note("pages", {code: asdict(count) for code, count in sorted(search.counts.items())})
        writer.note("left_out", left_out)
        writer.note("bad_rows", log.summary())
        log.write(writer.room)
    return Corpus.open(target)


def _pages(
    texts: Sequence[Path], log: RowLog, language: str | None, labels: Labels, progress: Progress | None
) -> Iterator[Page]:
    done, total = 0, sum(path.stat().st_size for path in texts if path.exists())
    for path in texts:
        labels.next_file()

        def report(read: int, before: int = done) -> None:
            if progress:
                progress(before + read, total)

        yield from read_pages(path, log, language, report)
        done += path.stat().st_size
        report(0, done)


class _Search:
    """Finds the sentences of pages, one for every entity and language."""

    def __init__(self, labels: Labels, rules: MentionRules, languages: Collection[str] | None) -> None:
        self.labels, self.rules, self._languages = labels, rules, languages
        self.counts: dict[str, LanguageCount] = defaultdict(LanguageCount)
        self._seen: dict[str, np.ndarray] = {}

    def sentences(self, pages: Iterable[Page]) -> Iterator[tuple[int, str, str, int, int]]:
        """Rows of `mention_sentences` without their split."""
        for page in pages:
            language = page.language
            if self._languages is not None and language not in self._languages:
                continue
            count = self.counts[language]
            count.pages += 1
            if (entity := self.labels.entity_of(page)) is None:
                continue
            count.with_entity += 1
            if (known := self.labels.label_of(entity, language)) is None:
                continue
            count.with_label += 1
            row, label = known
            seen = self._seen.setdefault(language, np.zeros(len(self.labels), bool))
            if not seen[row] and (found := first_mention(label, language, page.text, self.rules)):
                seen[row] = True
                count.with_sentence += 1
                yield row, language, *found

    def languages_of_entities(self) -> np.ndarray:
        """Languages with a sentence, for every entity, shape (entities,)."""
        languages = np.zeros(len(self.labels), np.int16)
        for seen in self._seen.values():
            languages += seen
        return languages


def _copy(corpus: Corpus, kept: np.ndarray, found: Path, writer: CorpusWriter) -> dict[str, int]:
    """Write the kept entities with their texts, and the sentences of theirs; returns what was left out."""
    row = np.cumsum(kept, dtype=np.int32) - 1
    entities = corpus.table("entities")
    splits, left_out = entities["split"].to_numpy(), Counter[str]()
    left_out["entities with sentences in too few languages"] = int(len(kept) - kept.sum())
    for batch in entities.filter(pa.array(kept)).combine_chunks().to_batches():
        writer.append("entities", batch)
    for table in ("labels", "aliases", "descriptions"):
        for batch in corpus.batches(table, SCHEMAS[table].names, _BATCH):
            writer.append(table, _renumbered(batch, kept, row, SCHEMAS[table]))
    with pa.memory_map(str(found)) as file, pa.ipc.open_file(file) as sentences:
        for number in range(sentences.num_record_batches):
            batch = sentences.get_batch(number)
            split = pa.array(splits[batch["entity"].to_numpy()], pa.int8())
            with_split = pa.record_batch([*batch.columns, split], schema=SCHEMAS["mention_sentences"])
            ours = _renumbered(with_split, kept, row, SCHEMAS["mention_sentences"])
            left_out["sentences of such entities"] += len(batch) - len(ours)
            writer.append("mention_sentences", ours)
    return dict(+left_out)


def _renumbered(batch: pa.RecordBatch, kept: np.ndarray, row: np.ndarray, schema: pa.Schema) -> pa.RecordBatch:
    """The rows of kept entities, which get new numbers."""
    ours = batch.filter(pa.array(kept[batch["entity"].to_numpy()]))
    columns = [pa.array(row[ours["entity"].to_numpy()]), *(ours[n] for n in schema.names if n != "entity")]
    return pa.record_batch(columns, schema=schema)
