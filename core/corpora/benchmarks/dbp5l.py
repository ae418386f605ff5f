"""DBP-5L, completion of five DBpedia graphs (Chen et al. 2020, Findings of EMNLP; paper, section 5.2.1).

Folder `data/` of github.com/stasl0217/KEnS: `entity/{language}.tsv` and `relations.txt` (a URI a line, its id is the
zero-based number of the line), `kg/{language}-{train,val,test}.tsv` (three ids), `seed_alignlinks/{a}-{b}.tsv` (two ids,
written as floats). Lines end in CRLF.
"""

from collections.abc import Callable
from pathlib import Path

from core.corpora.benchmarks.draft import Draft
from core.corpora.rows import DataError, RowLog, check_end, read_lines, read_tsv, require
from core.corpora.sources.dbp5l import name_of, relation_label

_SPLITS = {"train": "train", "val": "valid", "test": "test"}
CARD = """\
Knowledge graphs of DBpedia in Greek, English, Spanish, French and Japanese with one list of (English) relations, and
the entities that two languages share (`pairs`, split train).

Names of relations are the words of the URI (`official language` of ontology/officialLanguage); 93 of them occur under
both ontology/ and property/. Some URIs stand under two ids (45 in English): entities with one name are the same entity,
a tie in a ranking. The test sizes are not those of the paper's Table 9, whose tests are translated English triples:
`workbench benchmark extend` makes such ones.
"""


def read(folder: Path, log: RowLog) -> Draft:
    """Read DBP-5L. A language without triples (the German entity list of the source) is left out.

    Args:
        folder: The folder with `entity`, `kg` and `relations.txt`.
        log: What becomes of bad rows.

    Raises:
        DataError: If a file is missing, or in strict mode a row is bad.
    """
    draft = Draft("dbp5l", "kg_completion", "github.com/stasl0217/KEnS, data/, 36de8a5f", "none stated", CARD)
    graphs = require(folder / "kg", "DBP-5L")
    languages = sorted({file.name.split("-")[0] for file in graphs.glob("*-*.tsv")})
    if not languages:
        raise DataError(f"DBP-5L: {graphs} holds no file such as el-train.tsv.")
    relations = _named(folder / "relations.txt", "relations", "en", relation_label, draft, log)
    entities = {
        language: _named(folder / "entity" / f"{language}.tsv", "entities", language, name_of, draft, log)
        for language in languages
    }
    for language in languages:
        for file_split, split in _SPLITS.items():
            _read_triples(
                graphs / f"{language}-{file_split}.tsv", language, split, entities[language], relations, draft, log
            )
    for file in sorted((folder / "seed_alignlinks").glob("*-*.tsv")):
        _read_links(file, entities, draft, log)
    for file in sorted((folder / "entity").glob("*.tsv")):
        if file.stem not in entities:
            draft.left_out[f"entity lists of a language without triples: {file.stem}"] += 1
    return draft


def _named(
    file: Path, table: str, language: str, named: Callable[[str], str], draft: Draft, log: RowLog
) -> dict[int, int]:
    """Id of the source -> row, for a file of URIs; a bad line keeps its number, so later ids stay right."""
    rows = {}
    check_end(file, log)
    for number, line in read_lines(file, log):
        uri = line.strip()
        if name := "://" in uri and named(uri):
            rows[number - 1] = draft.add(table, language, str(number - 1), name, uri)
        else:
            log.bad(file, number, "no DBpedia URI", line)
    if not rows:
        raise DataError(f"{file} holds no URI.")
    return rows


def _read_triples(
    file: Path,
    language: str,
    split: str,
    entities: dict[int, int],
    relations: dict[int, int],
    draft: Draft,
    log: RowLog,
) -> None:
    seen = set()
    check_end(file, log)
    for number, cells in read_tsv(file, 3, log):
        try:
            fact = (entities[int(cells[0])], relations[int(cells[1])], entities[int(cells[2])])
        except ValueError:
            log.bad(file, number, "ids are not integers", "\t".join(cells))
            continue
        except KeyError as unknown:
            log.bad(
                file, number, "unknown id", "\t".join(cells), f"no line of the entity or relation file has {unknown}"
            )
            continue
        if fact in seen:
            draft.left_out[f"repeated triples, {split}"] += 1
            continue
        seen.add(fact)
        draft.add("triples", language, split, *fact)


def _read_links(file: Path, entities: dict[str, dict[int, int]], draft: Draft, log: RowLog) -> None:
    a, b = file.stem.split("-")
    if unknown := {a, b} - set(entities):
        log.bad(file, 0, "links of a language without triples", detail=f"{', '.join(sorted(unknown))}")
        return
    seen = set()
    check_end(file, log)
    for number, cells in read_tsv(file, 2, log):
        try:
            ids = [float(cell) for cell in cells]
            if any(not id.is_integer() for id in ids):
                raise ValueError
            link = (entities[a][int(ids[0])], entities[b][int(ids[1])])
        except (ValueError, OverflowError):
            log.bad(file, number, "ids are no whole numbers", "\t".join(cells))
            continue
        except KeyError as missing:
            log.bad(file, number, "unknown id", "\t".join(cells), f"no line of the entity file has {missing}")
            continue
        if link in seen:
            draft.left_out[f"repeated links, {a}-{b}"] += 1
            continue
        seen.add(link)
        draft.add("pairs", a, b, "train", *link)
