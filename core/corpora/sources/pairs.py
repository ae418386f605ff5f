"""Sentence-triple pairs (C2, paper section 4, TS): what the readers of FewRel, T-REx, T-REx-RC and REBEL share.

Training hides the object at one place of its sentence. Where the object can be read at another place too, the sentence
gives the answer away, as in the corpus of the released code; such sentences are left out and counted.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from core.corpora.graph import Fact, Graph, Mention, Statement, chosen_languages
from core.corpora.rows import DataError

_WORD = re.compile(r"\w+|[^\w\s]")
_SHOWN = "sentences that show the object at a second place"
_ID = re.compile(r"(?:.*/)?([QP][1-9][0-9]*)")


def wikidata_id(uri: str | None) -> str | None:
    """`Q42` of `Q42` or `http://www.wikidata.org/entity/Q42`; None for a literal, `None` or nothing."""
    found = _ID.fullmatch(uri or "")
    return found[1] if found else None


def visible_outside(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` can be read outside that span too, ignoring case, in a longer word or not."""
    hidden = text[start:end].casefold()
    return hidden in text[:start].casefold() or hidden in text[end:].casefold()


@dataclass
class Pairs:
    """A graph that grows out of annotated sentences, whose entities are named by the words that mention them.

    Attributes:
        graph: Facts, relations and sentences so far.
        languages: Languages that are kept; None keeps all.
        names: Entity -> language -> how often each name stands for it.
        met: Languages of the source.
    """

    graph: Graph
    languages: Collection[str] | None
    names: dict[str, dict[str, Counter[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Counter)))
    met: set[str] = field(default_factory=set)
    _pairs: set[tuple[Fact, str, int]] = field(default_factory=set)
    _mentioned: set[tuple[str, str]] = field(default_factory=set)

    def wants(self, language: str) -> bool:
        """Whether sentences of a language are kept; every language of the source is to be asked for."""
        self.met.add(language)
        return self.languages is None or language in self.languages

    def name(self, entity: str, language: str, text: str) -> None:
        """Count a name of an entity; blank ones are none."""
        if text := " ".join(text.split()):
            self.names[entity][language][text] += 1

    def title(self, entity: str, language: str, text: str) -> None:
        """Say what an entity is called, whatever sentences call it."""
        self.graph.labels.setdefault(entity, {}).setdefault(language, text)

    def state(self, fact: Fact, language: str, text: str, start: int, end: int) -> None:
        """Add a sentence that states a fact, with the object at `text[start:end]`; the fact is kept in any case."""
        self.graph.facts.setdefault(fact)
        if visible_outside(text, start, end):
            self.graph.left_out[_SHOWN] += 1
        elif (fact, text, start) in self._pairs:
            self.graph.left_out["repeated pairs of sentence and fact"] += 1
        else:
            self._pairs.add((fact, text, start))
            self.graph.statements.append(Statement(fact, language, text, start, end))

    def mention(self, entity: str, language: str, text: str, start: int, end: int) -> None:
        """Add a sentence that mentions an entity; the first one of an entity and language is kept."""
        if (entity, language) not in self._mentioned:
            self._mentioned.add((entity, language))
            self.graph.mentions.append(Mention(entity, language, text, start, end))

    def finished(self) -> Graph:
        """The graph, with the most frequent name of every entity that has no title as its label.

        Raises:
            DataError: If there is no sentence, or a language that was asked for has none.
        """
        chosen_languages(self.languages, self.met, self.graph.name)
        for entity, names in self.names.items():
            for language, counts in names.items():
                self.title(entity, language, _most_frequent(counts))
        self.graph.statements = [s for s in self.graph.statements if not self._shows_label(s)]
        if not self.graph.statements:
            lost = "; ".join(f"{reason} {n}" for reason, n in self.graph.left_out.items()) or "there is no record"
            raise DataError(f"{self.graph.name}: no sentence that states a fact is left ({lost}).")
        return self.graph

    def _shows_label(self, s: Statement) -> bool:
        """Whether a sentence shows the object by its label where the hidden words are others: Thames, River Thames."""
        label = _words(self.graph.labels[s.fact[2]].get(s.language, s.text[s.start : s.end]))
        shown = any(label in _words(part) for part in (s.text[: s.start], s.text[s.end :]))
        if shown:
            self.graph.left_out[_SHOWN] += 1
        return shown


def _most_frequent(names: Counter[str]) -> str:
    return min(names, key=lambda name: (-names[name], name.isupper(), name))


def _words(text: str) -> str:
    """The words and signs of a text in lower case between single spaces, so that `T-Mobile` is in `at T - Mobile`."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "
