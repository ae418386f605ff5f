"""Samples of a corpus, on one small enough to count by hand."""

import pytest

from core.corpora import browsing
from core.corpora.query import CorpusQuery
from core.corpora.records import Entity, MentionSentence, Relation, Triple, TripleSentence
from core.corpora.store import Corpus
from core.corpora.writer import CorpusWriter


@pytest.fixture
def query(tmp_path):
    with CorpusWriter(tmp_path / "made", "made", "tests", "MIT", "Made.") as writer:
        writer.add_entities(
            [
                Entity("Q1", "city", "train", {"en": "Berlin", "ar": "برلين"}, {"en": ("Spree-Athen", "Bln")}),
                Entity("Q2", "state", "test", {"en": "Germany", "de": "Deutschland"}, {}, {"en": "a state"}),
                Entity("Q3", "band", "train", {"de": "Berliner Luft"}),
                Entity("Q4", "city", "train", {"en": "East Berlin"}),
            ]
        )
        writer.add_relations([Relation("P17", {"en": "country", "de": "Land"}), Relation("P1", {})])
        facts = [
            Triple("Q1", "P17", "Q2", "test"),
            Triple("Q3", "P1", "Q1", "train"),
            Triple("Q4", "P17", "Q2", "test"),
        ]
        writer.add_triples(facts)
        writer.add_mention_sentences([MentionSentence("Q1", "en", "Berlin is big.", 0, 6, "train")])
        writer.add_triple_sentences([TripleSentence(facts[0], "de", "Berlin liegt in Deutschland.", 16, 27)])
    with browsing.opened(Corpus.open(tmp_path / "made")) as found:
        yield found


def test_equal_labels_first_then_beginnings_then_the_rest(query: CorpusQuery):
    found = browsing.find_entities(query, "BERLIN")
    assert found.id.tolist() == ["Q1", "Q3", "Q4"]
    assert found.label.tolist() == ["Berlin", "Berliner Luft", "East Berlin"]
    assert browsing.find_entities(query, "berlin", "de").id.tolist() == ["Q3"]
    assert browsing.find_entities(query, "رلي").language.tolist() == ["ar"]
    assert browsing.find_entities(query, "Q2").id.tolist() == ["Q2"]
    assert browsing.find_entities(query, "berlin", limit=2).id.tolist() == ["Q1", "Q3"]
    assert browsing.find_entities(query, "%").empty  # no pattern


def test_an_entity_with_all_its_names(query: CorpusQuery):
    found = browsing.profile(query, browsing.row_of(query, "Q1"))
    assert (found.id, found.kind, found.split, found.sentences, found.triples) == ("Q1", "city", "train", 1, 2)
    names = found.names.set_index("language")
    assert names.label.to_dict() == {"ar": "برلين", "en": "Berlin"}
    assert sorted(names.aliases["en"].split("; ")) == ["Bln", "Spree-Athen"]
    assert browsing.profile(query, 1).names.set_index("language").description.to_dict() == {"de": "", "en": "a state"}
    assert browsing.row_of(query, "Q9") is None
    with pytest.raises(ValueError, match="no entity 9"):
        browsing.profile(query, 9)


def test_drawn_entities_have_two_labels(query: CorpusQuery):
    assert browsing.draw_entities(query, 5, seed=0).id.tolist() == ["Q1", "Q2"]
    assert browsing.draw_entities(query, 5, seed=0, least=1).id.tolist() == ["Q1", "Q2", "Q3", "Q4"]
    drawn = [browsing.draw_entities(query, 1, seed, least=1).id.item() for seed in range(12)]
    assert drawn == [browsing.draw_entities(query, 1, seed, least=1).id.item() for seed in range(12)]
    assert len(set(drawn)) > 1


def test_relations_and_facts_fall_back_to_english_and_then_to_identifiers(query: CorpusQuery):
    kinds = browsing.relations(query, "de")
    assert kinds.to_numpy().tolist() == [["P17", "Land", 2], ["P1", "P1", 1]]
    rows = browsing.draw_triples(query, "de", None, 10, 0)
    named = rows[["subject", "relation", "object"]].to_numpy().tolist()
    assert named == [
        ["Berlin", "Land", "Deutschland"],
        ["Berliner Luft", "P1", "Berlin"],
        ["East Berlin", "Land", "Deutschland"],
    ]
    assert rows.split.tolist() == ["test", "train", "test"]
    assert browsing.draw_triples(query, "en", "P1", 10, 0).subject.tolist() == [
        "Q3"
    ]  # no English label: the identifier


def test_sentences_say_what_they_are_about(query: CorpusQuery):
    mention = browsing.draw_sentences(query, "mention", None, 5, 0).to_dict("records")
    text = "Berlin is big."
    assert mention == [{"language": "en", "text": text, "start": 0, "end": 6, "about": "Berlin", "split": "train"}]
    (stated,) = browsing.draw_sentences(query, "triple", "de", 5, 0).to_dict("records")
    assert stated["about"] == "Berlin → Land → Deutschland"
    assert stated["text"][stated["start"] : stated["end"]] == "Deutschland"
    assert browsing.draw_sentences(query, "triple", "en", 5, 0).empty
