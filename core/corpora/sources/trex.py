"""T-REx and REBEL: documents of Wikipedia with their entities and Wikidata triples, in the layout of T-REx.

Offsets cannot be trusted: in REBEL, characters were taken out of the texts after the annotation, so that boundaries
drift. Every span is checked against its surface form, and looked for near its place where they differ.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from core.corpora.graph import Graph
from core.corpora.rows import RowLog, read_lines, require
from core.corpora.sources.fewrel import RELATION_NAMES, relation_names
from core.corpora.sources.pairs import Pairs, wikidata_id
from core.corpora.sources.sentences import Span, sentence_spans, stripped

_DRIFT = 100  # characters from its boundaries within which a surface form is looked for; REBEL's sample needs 9
CARD = """\
{title}: texts of Wikipedia with entities and the Wikidata facts found in them (corpus C2). An entity is named by the
title of its page where the page is among the texts, else by the words that most often mention it; pronouns are no
names. Facts with a date or number at an end are left out, and so is a sentence that shows its object at a second
place, because hiding one place would not hide the object; the fact is kept. The first sentence that mentions a page's
own entity is a sentence of corpus C1.
"""


class _Mention(msgspec.Struct):
    uri: str | None = None
    boundaries: tuple[int, int] | None = None
    surfaceform: str | None = None
    annotator: str | None = None

    def is_pronoun(self) -> bool:
        """Whether co-reference found it: `it`, `she`."""
        return "coref" in (self.annotator or "").lower()


class _Alignment(msgspec.Struct):
    subject: _Mention
    predicate: _Mention
    object: _Mention


class _Document(msgspec.Struct):
    text: str
    uri: str | None = None
    docid: str | int | None = None
    title: str | None = None
    entities: list[_Mention] = []
    triples: list[_Alignment] = []
    sentences_boundaries: list[tuple[int, int]] | None = None
    language: str = "en"


def read_trex(folder: Path, log: RowLog, languages: Collection[str] | None = None) -> Graph:
    """Read T-REx: `re-nlg_*.json`, each a JSON array of documents.

    One file is in memory at a time, besides the graph.

    Args:
        folder: Folder with the unpacked files; `pid2name.json` of FewRel beside them gives the relations' labels.
        log: What becomes of bad documents; they are named by their number in the file, which has one line.
        languages: Documents are English unless they have a `language`.

    Raises:
        DataError: If there is no file, a language has no sentence, or, in strict mode, a document is bad.
    """
    graph = Graph("trex", "T-REx, JSON", "CC BY-SA 4.0", CARD.format(title="T-REx"))
    return _read(folder, "re-nlg_*.json", graph, log, languages)


def read_rebel(folder: Path, log: RowLog, languages: Collection[str] | None = None) -> Graph:
    """Read REBEL: `*.jsonl`, one document a line, without sentence boundaries; the rest is as for `read_trex`."""
    graph = Graph("rebel", "Babelscape/rebel, *.jsonl", "CC BY-NC-SA 4.0", CARD.format(title="REBEL"))
    return _read(folder, "*.jsonl", graph, log, languages)


def _read(folder: Path, pattern: str, graph: Graph, log: RowLog, languages: Collection[str] | None) -> Graph:
    pairs = Pairs(graph, languages)
    paths = sorted(folder.glob(pattern))
    if not paths:
        require(folder / pattern, graph.name)
    if (folder / RELATION_NAMES).exists():
        graph.relations.update(relation_names(folder / RELATION_NAMES))
    for path in paths:
        for document in _documents(path, log):
            if pairs.wants(document.language):
                _add(pairs, document)
    return pairs.finished()


def _documents(path: Path, log: RowLog) -> Iterator[_Document]:
    decoder = msgspec.json.Decoder(_Document)
    by_line = path.suffix == ".jsonl"
    rows: Iterable[tuple[int, str]] = read_lines(path, log) if by_line else _array(path, log)
    for number, row in rows:
        if row.strip():
            try:
                yield decoder.decode(row)
            except msgspec.MsgspecError as error:
                where = (number, str(error)) if by_line else (0, f"document {number}: {error}")
                log.bad(path, where[0], "not a document of T-REx", row, where[1])


def _array(path: Path, log: RowLog) -> Iterator[tuple[int, str]]:
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        log.bad(path, 0, "not a JSON array", detail=f"{error}; nothing of the file was read")
        return
    for number, row in enumerate(rows, 1):
        yield number, str(row, "utf-8")


def _add(pairs: Pairs, document: _Document) -> None:
    language, text, lost = document.language, document.text, pairs.graph.left_out
    page = wikidata_id(document.uri) or wikidata_id(str(document.docid))
    if page and document.title:
        pairs.title(page, language, re.sub(r" \([^()]*\)$", "", document.title))
    given = document.sentences_boundaries
    spans = sentence_spans(language, text) if given is None else [s for b in given if (s := stripped(text, b))]
    for mention in document.entities:
        if (entity := wikidata_id(mention.uri)) and not mention.is_pronoun():
            pairs.name(entity, language, mention.surfaceform or "")
            if entity == page and (sentence := _around(spans, at := _located(text, mention))) and at:
                pairs.mention(page, language, text[slice(*sentence)], at[0] - sentence[0], at[1] - sentence[0])
    for aligned in document.triples:
        relation = wikidata_id(aligned.predicate.uri)
        subject, object_ = wikidata_id(aligned.subject.uri), wikidata_id(aligned.object.uri)
        if relation is None or subject is None or object_ is None:
            lost["facts with a date, a number or nothing at an end"] += 1
            continue
        for entity, mention in ((subject, aligned.subject), (object_, aligned.object)):
            if (
                language not in pairs.names.get(entity, ()) and not mention.is_pronoun()
            ):  # not among the document's entities
                pairs.name(entity, language, mention.surfaceform or "")
        fact = subject, relation, object_
        pairs.graph.facts.setdefault(fact)
        if label := aligned.predicate.surfaceform:
            pairs.graph.relations.setdefault(relation, {}).setdefault(language, label)
        if aligned.object.is_pronoun():
            lost["objects that are pronouns"] += 1
        elif (at := _located(text, aligned.object)) is None:
            lost["objects that are not in their text"] += 1
        elif (sentence := _around(spans, at)) is None:
            lost["objects that reach over the end of a sentence"] += 1
        else:
            pairs.state(fact, language, text[slice(*sentence)], at[0] - sentence[0], at[1] - sentence[0])


def _located(text: str, mention: _Mention) -> Span | None:
    """Where the surface form of a mention stands: at its boundaries, or nearest to them within `_DRIFT` characters."""
    surface = mention.surfaceform or ""
    if not surface.strip() or mention.boundaries is None:
        return None
    start = max(mention.boundaries[0], 0)
    if text.startswith(surface, start):
        return start, start + len(surface)
    before = text.rfind(surface, max(start - _DRIFT, 0), start + len(surface))
    after = text.find(surface, start, start + _DRIFT + len(surface))
    places = [place for place in (before, after) if place >= 0]
    if not places:
        return None
    nearest = min(places, key=lambda place: abs(place - start))
    return nearest, nearest + len(surface)


def _around(sentences: Sequence[Span], span: Span | None) -> Span | None:
    """The sentence that a span lies in."""
    if span is None:
        return None
    number = bisect_right(sentences, span[0], key=lambda s: s[0]) - 1
    return sentences[number] if number >= 0 and span[1] <= sentences[number][1] else None
