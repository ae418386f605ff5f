"""The embedded default corpus: a multilingual knowledge graph out of Unicode CLDR, as Babel carries it.

Entities are territories, languages, currencies, scripts and the exemplar cities of time zones, with CLDR's labels in
every language it covers. Facts come from CLDR's supplemental data. CLDR has neither relation labels nor sentences:
`cldr_relations.yaml` holds ours, so sentences are *patterned* text. Licence of the data: Unicode-3.0.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from babel import Locale, localedata
from babel.core import get_global

from core.corpora.records import Entity, MentionSentence, Relation, Triple, TripleSentence, triple_split
from core.corpora.splits import assign_splits, check_shares
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter

BUILD_VERSION = 3  # part of the cached folder's name; raise it when the build changes
LICENCE = "Unicode-3.0 (labels and facts); relation labels and sentence patterns: this project, MIT"
CARD = """\
A multilingual knowledge graph built from Unicode CLDR (through Babel), without any download.

Entities: territories, languages, currencies, scripts, and exemplar cities of time zones, with CLDR's labels. English
city names that CLDR leaves out are the last part of the zone's name, as CLDR prescribes; other languages have only
what CLDR states. CLDR's pseudo-entries (unknown, undetermined, test codes) are left out. `no` is kept as `nb`.

Facts: official languages and currencies of territories (present and former tender), the country of a city, the
continent of a place (read off its zones' names), the likely script and main territory of a language.

Sentences are PATTERNED: one hand-written pattern per relation and language, filled with labels in citation form. They
exercise ES and TS; they are not natural text.

Splits are by entity, and entities that share a label in a language are in one split, so no name of a held-out entity
is trained on. A test triple has at least one test entity, a training triple has none.
"""
_KINDS = {"territories": "territory", "languages": "language", "currency_names": "currency", "scripts": "script"}
_NOT_ENTITIES = {
    *("territory/ZZ", "territory/XA", "territory/XB", "language/und", "language/zxx", "language/mul", "language/mis"),
    *("language/root", "currency/XXX", "currency/XTS", "script/Zzzz", "script/Zyyy", "script/Zinh", "script/Zxxx"),
}
_CONTINENT_OF_AREA = {"Africa": "002", "America": "019", "Asia": "142", "Europe": "150", "Australia": "009"}
_CONTINENT_OF_AREA |= {"Pacific": "009"}
_OFFICIAL = {"official", "de_facto_official"}


def build(
    target: Path, languages: Iterable[str] | None = None, valid_share: float = 0.1, test_share: float = 0.2
) -> Corpus:
    """Build the CLDR corpus into the folder `target`.

    Args:
        target: Folder to create; nothing is left of it when the build fails.
        languages: Codes to keep labels of; None keeps every language of CLDR.
        valid_share: Share of the entities of each kind held out for validation.
        test_share: Share of the entities of each kind held out for the test.

    Raises:
        ValueError: If a language is not in CLDR, or the shares leave no training entity.
    """
    check_shares(valid_share, test_share)
    labels = _labels(_checked(languages))
    splits = assign_splits(labels, {id: id.split("/")[0] for id in labels}, valid_share, test_share)
    facts = [f for f in _facts() if f[0] in splits and f[2] in splits]
    triples = [Triple(s, r, o, triple_split(splits[s], splits[o])) for s, r, o in facts]
    schemas = yaml.safe_load(Path(__file__).with_name("cldr_relations.yaml").read_text(encoding="utf-8"))
    source = f"CLDR in Babel {metadata.version('babel')}"
    with CorpusWriter(target, name="cldr", source=source, licence=LICENCE, card=CARD) as writer:
        writer.add_entities(Entity(id, id.split("/")[0], splits[id], labels[id]) for id in labels)
        writer.add_relations(Relation(id, schema["labels"]) for id, schema in schemas.items())
        writer.add_triples(triples)
        sentences = list(_sentences(triples, labels, {id: s["patterns"] for id, s in schemas.items()}))
        writer.add_triple_sentences(sentence for sentence, _ in sentences)
        writer.add_mention_sentences(_mentions(sentences))
    return Corpus.open(target)


def cached(cache: Path) -> Corpus:
    """The corpus with default shares and every language, built under `cache` on first use."""
    folder = cache / "corpora" / f"cldr-v{BUILD_VERSION}-babel{metadata.version('babel')}"
    return Corpus.open(folder) if folder.is_dir() else build(folder)


def cldr_languages() -> list[str]:
    """Codes of the languages that CLDR has labels in, `no` as `nb`."""
    return sorted({i for i in localedata.locale_identifiers() if "_" not in i} - {"no"})


def _checked(languages: Iterable[str] | None) -> list[str]:
    known = cldr_languages()
    if languages is None:
        return known
    chosen = set(languages)
    if unknown := sorted(chosen - set(known)):
        raise ValueError(f"Languages not in CLDR: {', '.join(unknown)}. Known codes: {', '.join(known)}.")
    return sorted(chosen)


def _labels(languages: Iterable[str]) -> dict[str, dict[str, str]]:
    """Entity id -> language -> label; ids and languages in a fixed order."""
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    inherited = _locale_labels("root")
    for language in languages:
        for id, text in _locale_labels(language).items():
            if text != inherited.get(id) and text != id.split("/", 1)[1]:
                labels[id][language] = text
    if "en" in languages:
        for zone in get_global("zone_territories"):
            if _area(zone) and zone not in get_global("zone_aliases"):
                id = f"city/{zone}"
                labels[id].setdefault("en", inherited.get(id) or zone.rsplit("/", 1)[1].replace("_", " "))
    return {id: labels[id] for id in sorted(labels) if id not in _NOT_ENTITIES}


def _locale_labels(language: str) -> dict[str, str]:
    data: Mapping[str, Any] = localedata.load("root") if language == "root" else Locale.parse(language)._data
    found = {}
    for section, kind in _KINDS.items():
        for code, text in dict(data.get(section, {})).items():
            if isinstance(text, str) and text.strip():
                found[f"{kind}/{code}"] = text.strip()
    for zone, fields in dict(data.get("time_zones", {})).items():
        city = dict(fields).get("city")
        if city and _area(zone):
            found[f"city/{zone}"] = city.strip()
    return found


def _area(zone: str) -> str | None:
    """The area of a zone's name where it names a place: `Europe` of `Europe/Zurich`, None for `Etc/UTC`."""
    area, _, place = zone.partition("/")
    return area if place and area not in {"Etc", "SystemV", "US"} else None


def _facts() -> Iterator[tuple[str, str, str]]:
    for territory, spoken in get_global("territory_languages").items():
        for language, facts in spoken.items():
            if facts["official_status"] in _OFFICIAL:
                yield f"territory/{territory}", "official_language", f"language/{language}"
    for territory, periods in get_global("territory_currencies").items():
        present = {code for code, _start, end, tender in periods if tender and end is None}
        former = {code for code, _start, end, tender in periods if tender and end is not None} - present
        for relation, codes in (("currency", present), ("former_currency", former)):
            for code in sorted(codes):
                yield f"territory/{territory}", relation, f"currency/{code}"
    continents: dict[str, set[str]] = defaultdict(set)
    for zone, territory in get_global("zone_territories").items():
        if _area(zone) and territory != "001":
            yield f"city/{zone}", "country", f"territory/{territory}"
            if continent := _CONTINENT_OF_AREA.get(_area(zone) or ""):
                yield f"city/{zone}", "continent", f"territory/{continent}"
                continents[territory].add(continent)
    for territory, found in continents.items():
        if (
            len(found) == 1
        ):  # a territory whose zones lie in several areas (Russia, the United States) has no single one
            yield f"territory/{territory}", "continent", f"territory/{found.pop()}"
    for tag, likely in get_global("likely_subtags").items():
        if "_" not in tag and tag != "und":
            _language, script, territory = likely.split("_")[:3]
            yield f"language/{tag}", "script", f"script/{script}"
            yield f"language/{tag}", "main_country", f"territory/{territory}"


def _sentences(
    triples: Iterable[Triple], labels: Mapping[str, Mapping[str, str]], patterns: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[TripleSentence, tuple[int, int]]]:
    """Every triple in every pattern language that has both labels, with the span of its subject."""
    for triple in triples:
        subjects, objects = labels[triple.subject], labels[triple.object]
        for language, pattern in patterns[triple.relation].items():
            if language in subjects and language in objects:
                before, rest = pattern.split("{s}")
                between, after = rest.split("{o}")
                subject, object_ = subjects[language], objects[language]
                text = f"{before}{subject}{between}{object_}{after}"
                start = len(before) + len(subject) + len(between)
                sentence = TripleSentence(triple, language, text, start, start + len(object_))
                yield sentence, (len(before), len(before) + len(subject))


def _mentions(sentences: Iterable[tuple[TripleSentence, tuple[int, int]]]) -> Iterator[MentionSentence]:
    """One sentence per entity and language; training triples before others, the subject's place before the object's."""
    found: dict[tuple[str, str], tuple[tuple[bool, bool], MentionSentence]] = {}
    for s, subject_span in sentences:
        held_out = s.triple.split != "train"
        for entity, span, as_object in (
            (s.triple.subject, subject_span, False),
            (s.triple.object, (s.object_start, s.object_end), True),
        ):
            key, cost = (entity, s.language), (held_out, as_object)
            if key not in found or cost < found[key][0]:
                found[key] = cost, MentionSentence(entity, s.language, s.text, *span, s.triple.split)
    yield from (mention for _, mention in found.values())
