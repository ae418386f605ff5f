"""FewRel: English sentences that state a Wikidata fact, as tokens (Han et al. 2018, EMNLP)."""

from collections.abc import Collection
from pathlib import Path

import msgspec

from core.corpora.graph import Graph
from core.corpora.rows import RowLog, read_json, require
from core.corpora.sources.pairs import Pairs, wikidata_id
from core.corpora.sources.sentences import join_tokens

LANGUAGE = "en"
RELATION_NAMES = "pid2name.json"
CARD = """\
FewRel: sentences of English Wikipedia, each with a Wikidata fact that it states (corpus C2). Texts are tokens with
spaces between them. Entities are named as the sentences do: FewRel's lower-cased name with the capitals of the tokens.
Relation labels are those of pid2name.json. A sentence that shows its object at a second place is left out, because
hiding one place would not hide the object; its fact is kept. FewRel's own split by relation is not used.
"""


class _Instance(msgspec.Struct):
    """One sentence: head and tail are (name in lower case, Q id, token numbers of each mention)."""

    tokens: list[str]
    h: tuple[str, str, list[list[int]]]
    t: tuple[str, str, list[list[int]]]


def read(folder: Path, log: RowLog, languages: Collection[str] | None = None) -> Graph:
    """Read `val_wiki.json`, and `train_wiki.json` where it is there too.

    Args:
        folder: Folder with the files.
        log: What becomes of bad instances; they are named by relation and number, for the files have one line.
        languages: FewRel has English only.

    Raises:
        DataError: If a file is missing or no JSON, another language is asked for, or, in strict mode, an instance is
            bad.
    """
    source = "thunlp/FewRel, data/*_wiki.json and pid2name.json"
    pairs = Pairs(Graph("fewrel", source, "MIT; sentences: Wikipedia, CC BY-SA", CARD), languages)
    names = sorted(folder.glob("*_wiki.json")) or [folder / "val_wiki.json"]
    labels = relation_names(require(folder / RELATION_NAMES, "FewRel"))
    if pairs.wants(LANGUAGE):
        for path in names:
            for relation, rows in read_json(require(path, "FewRel")).items():
                pairs.graph.relations[relation] = labels.get(relation, {})
                for number, row in enumerate(rows, 1):
                    if wrong := _add(pairs, relation, row):
                        where = f"relation {relation}, instance {number}; {wrong}"
                        log.bad(path, 0, "not an instance of FewRel", str(row), where)
    return pairs.finished()


def relation_names(path: Path) -> dict[str, dict[str, str]]:
    """Relation -> English label, out of `pid2name.json`: relation id -> [label, description]."""
    return {relation: {LANGUAGE: texts[0]} for relation, texts in read_json(path).items()}


def _add(pairs: Pairs, relation: str, row: object) -> str:
    """Add an instance; returns what is wrong with it, or nothing."""
    try:
        instance = msgspec.convert(row, _Instance)
    except msgspec.ValidationError as error:
        return str(error)
    text, spans = join_tokens(instance.tokens)
    ends = []
    for name, uri, mentions in (instance.h, instance.t):
        id = wikidata_id(uri)
        places = [i for mention in mentions for i in mention]
        if id is None or not places or not 0 <= min(places) <= max(places) < len(spans):
            return f"{name!r}: {uri!r} at the tokens {mentions} of {len(spans)}"
        span = spans[mentions[0][0]][0], spans[mentions[0][-1]][1]
        if span[0] >= span[1]:
            return f"{name!r} is blank at the tokens {mentions[0]}"
        ends.append((id, span, _cased(name, text[slice(*span)])))
    for id, _, name in ends:
        pairs.name(id, LANGUAGE, name)
    (subject, _, _), (object_, (start, end), _) = ends
    pairs.state((subject, relation, object_), LANGUAGE, text, start, end)
    return ""


def _cased(name: str, surface: str) -> str:
    """The name, with its own spaces and the capitals of the surface: `t-mobile` and `T - Mobile` give `T-Mobile`."""
    letters = iter("".join(surface.split()))
    if "".join(name.split()) != "".join(surface.split()).lower():
        return surface
    return "".join(c if c.isspace() else next(letters) for c in name)
