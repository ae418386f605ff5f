"""Samples of a corpus, as the corpus page shows them: entities, facts, sentences, and what each adapter is trained on.

Texts of a corpus stand in HTML escaped, each in its own writing direction, or in tables; never in Markdown.
"""

import html
from collections.abc import Iterable

import pandas as pd
import streamlit as st

from core.corpora import browsing
from core.corpora.browsing import Profile
from core.corpora.store import Corpus
from core.languages import describe
from core.stages.example_pairs import ExampleBatch, ExamplePair, ExampleText
from workbench import pickers
from workbench.corpus import loaders as corpus_loaders
from workbench.corpus.selection import Selection, another, draw_number, language_title, pick_language
from workbench.exports import menu

FOUND, DRAWN, PAIRS = 50, 20, 24
ROLES = {
    "ep": "EP: a label of an entity → its label in another language",
    "tp": "TP: subject and relation → object, each in a language of its own",
    "es": "ES: a mention in its sentence → a label of the entity",
    "ts": "TS: a sentence without its object → a label of the object",
}
_KINDS = {"mention": "C1: the sentence mentions an entity", "triple": "C2: the sentence states a fact"}
_STYLE = """<style>
.corpus-names { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .5rem 1.4rem }
.corpus-names div, .corpus-lines > div { min-width: 0; overflow-wrap: anywhere }
.corpus-names small, .corpus-lines small { display: block; color: light-dark(#4a5b62, #a7b6bb); font-size: .85rem }
.corpus-lines > div { padding: .45rem 0; border-bottom: 1px solid light-dark(#dbe3e6, #2b383d) }
.corpus-lines p { margin: 0; unicode-bidi: plaintext; text-align: start; line-height: 1.6 }
.corpus-lines .pair { display: grid; grid-template-columns: 3fr 2fr; gap: .2rem 1.6rem }
.corpus-lines mark { background: light-dark(#cfe6f5, #134a6b); color: inherit; border-bottom: 2px solid #0072B2;
  padding: 0 .1rem }
@media (max-width: 640px) { .corpus-lines .pair { grid-template-columns: 1fr } }
</style>"""


def entities(selection: Selection, found: Corpus) -> None:
    """Find an entity by a label in any language, or draw some; the names of one in all its languages."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    text = left.text_input(
        "Find an entity", key="corpus_find", persist_state="session", placeholder="Part of a label, or an identifier"
    )
    with right:
        language = pick_language("in", "corpus_language", found.languages)
    if text := (text or "").strip()[:200]:
        rows = corpus_loaders.sampled(found, browsing.find_entities, text, language, FOUND)
        if rows.empty:
            st.info("No label holds these characters. Try fewer of them, or all languages.")
            return
        many = "More than " if len(rows) == FOUND else ""
        st.caption(f"{many}{len(rows)} {'entities have' if len(rows) > 1 else 'entity has'} a label that holds it.")
    else:
        rows = corpus_loaders.sampled(found, browsing.draw_entities, DRAWN, draw_number())
        st.caption(f"{len(rows)} entities with at least two labels, drawn with seed {draw_number()}.")
        another("Others")
    if rows.empty:
        st.info("No entity of this corpus has two labels. Look for one by its label.")
        return
    titles = {r.id: f"{r.label} ({r.language})" if r.language else r.id for r in rows.itertuples()}
    asked = st.session_state.get("corpus_entity")
    if asked and asked not in titles and not text:  # one of a link, which this draw lacks
        titles = {asked: asked} | titles if _row(found, asked) is not None else titles
    chosen = pickers.choose("Entity", "corpus_entity", list(titles), titles.__getitem__)
    _profile(selection, found, corpus_loaders.sampled(found, browsing.profile, _row(found, chosen)))


def _row(found: Corpus, id: str) -> int | None:
    return corpus_loaders.sampled(found, browsing.row_of, id)


def _profile(selection: Selection, found: Corpus, profile: Profile) -> None:
    st.header("Names of one entity")
    names = profile.names
    st.text(
        f"{profile.id}: a {profile.kind} of the {profile.split} split with labels in {(names.label != '').sum()} "
        f"languages, {profile.triples:,} facts and {profile.sentences:,} sentences of C1."
    )
    st.html(_STYLE + names_html(names))
    shown = names.assign(name=[describe(code).name for code in names.language])
    shown = shown[["language", "name", "label", "aliases", "description"]].loc[:, lambda t: (t != "").any()]
    with st.expander("Table"):
        st.dataframe(shown, hide_index=True, key="names", alt="Names of the entity by language")
    caption = f"Names of {profile.id} in {found.info.name}"
    command = ["workbench", "corpus", "info", *selection.words, "--json"]
    menu("names", table=shown, name="corpus.entity", runs=selection.runs, command=command, caption=caption)


def names_html(names: pd.DataFrame) -> str:
    """The labels of an entity as cards, each under its language's own name and in its own direction."""
    cards = []
    for code, label, *others in names[["language", "label", "aliases", "description"]].to_numpy(str).tolist():
        language = describe(code)
        more = "".join(f"<small dir='auto'>{html.escape(other)}</small>" for other in others if other)
        cards.append(
            f"<div><small>{html.escape(code if language.name == code else f'{language.own_name} · {code}')}</small>"
            f"<bdi lang='{html.escape(code)}' dir='{language.direction}'>{html.escape(label) or '–'}</bdi>{more}</div>"
        )
    return f"<div class='corpus-names'>{''.join(cards)}</div>"


def triples(selection: Selection, found: Corpus) -> None:
    """Facts of a relation with labels in a chosen language."""
    if not found.info.counts["triples"]:
        st.info("This corpus has no facts.")
        return
    left, right = st.columns(2)
    with right:
        language = pick_language("Labels in", "corpus_language", found.languages, all_first=False) or "en"
    kinds = corpus_loaders.sampled(found, browsing.relations, language)
    names = {r.id: f"{r.label} · {r.triples:,} facts" for r in kinds.itertuples()}
    with left:
        options = ["", *names]
        relation = pickers.choose("Relation", "corpus_relation", options, lambda id: names.get(id, "All relations"))
    rows = corpus_loaders.sampled(found, browsing.draw_triples, language, relation or None, DRAWN, draw_number())
    st.caption(
        f"{len(rows)} facts, drawn with seed {draw_number()}. A name that lacks {describe(language).name} is English, "
        "else an identifier."
    )
    another()
    st.dataframe(
        rows,
        hide_index=True,
        key="facts",
        height="content",
        alt="Facts: subject, relation, object, identifiers and split",
    )
    command = ["workbench", "corpus", "info", *selection.words, "--json"]
    caption = f"Facts of {found.info.name}, seed {draw_number()}"
    menu("facts", table=rows, name="corpus.facts", runs=selection.runs, command=command, caption=caption)


def sentences(selection: Selection, found: Corpus) -> None:
    """Sentences with the mention or the object marked."""
    counts = {"mention": found.info.counts["mention_sentences"], "triple": found.info.counts["triple_sentences"]}
    kinds = [kind for kind in browsing.SENTENCE_KINDS if counts[kind]]
    if not kinds:
        st.info("This corpus has no sentences: adapters ES and TS cannot be trained on it.")
        return
    by_language = corpus_loaders.counted(found).languages.set_index("language")
    left, right = st.columns(2)
    with left:
        kind = pickers.choose("Sentences", "sentences", kinds, _KINDS.__getitem__)
    spoken = by_language.index[by_language[f"{kind}_sentences"] > 0].tolist()
    with right:
        language = pick_language("Language", "corpus_language", spoken)
    rows = corpus_loaders.sampled(found, browsing.draw_sentences, kind, language, DRAWN, draw_number())
    what = "the mention of the entity" if kind == "mention" else "the object of the fact"
    st.caption(f"{len(rows)} of {counts[kind]:,} sentences, drawn with seed {draw_number()}. Marked: {what}.")
    another()
    st.html(_STYLE + sentences_html(rows))
    with st.expander("Table"):
        st.dataframe(rows, hide_index=True, key="sentence_rows", alt="Sentences with their spans")
    command = ["workbench", "corpus", "info", *selection.words, "--json"]
    caption = f"Sentences of {found.info.name}, seed {draw_number()}"
    menu("sentences", table=rows, name="corpus.sentences", runs=selection.runs, command=command, caption=caption)


def sentences_html(rows: pd.DataFrame) -> str:
    """Sentences, each with its span marked and in its own direction."""
    lines = []
    for row in rows.to_dict("records"):
        text = marked(row["text"], row["start"], row["end"])
        about = (
            f"{html.escape(language_title(row['language']))} · <bdi>{html.escape(row['about'])}</bdi> · {row['split']}"
        )
        lines.append(f"<div><p dir='auto' lang='{html.escape(row['language'])}'>{text}</p><small>{about}</small></div>")
    return f"<div class='corpus-lines'>{''.join(lines)}</div>"


def marked(text: str, start: int, end: int) -> str:
    """A text as HTML with `text[start:end]` marked; nothing in it is markup."""
    before, span, after = (html.escape(part) for part in (text[:start], text[start:end], text[end:]))
    return f"{before}<mark>{span}</mark>{after}" if span else before + after


def pairs(selection: Selection, found: Corpus) -> None:
    """The batches that each adapter is trained on, and what its loss leaves out of them."""
    with st.container(width=640):
        role = pickers.choose("Adapter", "role", list(ROLES), ROLES.__getitem__)
    try:
        batch = corpus_loaders.example_batch(found, selection.config, role, number := min(draw_number(), 500))
    except ValueError as error:
        st.info(f"{role.upper()} cannot be trained on this corpus with this config.")
        st.text(str(error))
        return
    of = f"run {selection.run.name}" if selection.run else "the default config"
    st.text(f"Batch {number} of {role.upper()} as {of} draws it: {_said(batch, selection)}")
    if role == "es":
        st.caption("Marked: what the anchor's vector averages over.")
    another("Next batch")
    st.html(_STYLE + pairs_html(batch.pairs[:PAIRS]))
    rows = pair_rows(batch)
    if len(rows) > PAIRS:
        st.caption(f"Shown are the first {PAIRS} of {len(rows)} pairs; the table has all.")
    with st.expander("Table"):
        st.dataframe(rows, hide_index=True, key="pair_rows", alt="Pairs of the batch, and what is no negative of each")
    command = ["workbench", "corpus", "lint", *selection.words, "--json"]
    caption = f"Batch {number} of {role.upper()}, {found.info.name}"
    menu("pairs", table=rows, name=f"corpus.{role}", runs=selection.runs, command=command, caption=caption)


def _said(batch: ExampleBatch, selection: Selection) -> str:
    sampling, size = selection.config.sampling, len(batch.pairs)
    left_out = [why for pair in batch.pairs for _, why in pair.left_out]
    kinds = ", ".join(f"{why} {left_out.count(why)}" for why in dict.fromkeys(left_out))
    masked = selection.config.objective.mask_false_negatives
    lines = [
        f"{size} pairs out of {batch.drawn_from:,} rows, order {sampling.order}, {batch.epoch:,} pairs an epoch, labels in "
        f"{len(batch.languages)} languages of adapter training."
    ]
    if batch.role == "ep":
        kept = "never drawn (sampling.skip_identical)" if sampling.skip_identical else "drawn like any other"
        lines.append(f"{batch.identical:.1%} of the pairs of labels are one string twice; they are {kept}.")
    if masked:
        told = f"{len(left_out)} of {size * (size - 1):,} candidates are no negatives and left out of the loss"
        lines.append(f"{told}{f': {kinds}' if kinds else ''}.")
    else:
        lines.append("Every other positive counts as a negative (objective.mask_false_negatives is off).")
    return " ".join(lines)


def pairs_html(shown: Iterable[ExamplePair]) -> str:
    """Anchors and positives side by side, with the part of the anchor that its vector averages over marked."""
    lines = []
    for place, pair in enumerate(shown):
        out = "; ".join(f"{other} ({why})" for other, why in pair.left_out)
        out = f" · no negatives: {html.escape(out)}" if out else ""
        sides = [_side(pair.anchor, f"{place} · "), _side(pair.positive, "", out)]
        lines.append(f"<div class='pair'>{''.join(sides)}</div>")
    return f"<div class='corpus-lines'>{''.join(lines)}</div>"


def _side(side: ExampleText, before: str, after: str = "") -> str:
    whole = (side.start, side.end) == (0, len(side.text))
    text = html.escape(side.text) if whole else marked(side.text, side.start, side.end)
    return f"<div><p dir='auto'>{text}</p><small>{before}{html.escape(' + '.join(side.languages))}{after}</small></div>"


def pair_rows(batch: ExampleBatch) -> pd.DataFrame:
    """The pairs of a batch as rows."""
    rows = [
        (place, *_cells(p.anchor), *_cells(p.positive), "; ".join(f"{why}: {other}" for other, why in p.left_out))
        for place, p in enumerate(batch.pairs)
    ]
    columns = ["pair", "anchor", "anchor languages", "positive", "positive languages", "no negatives"]
    return pd.DataFrame(rows, columns=columns)


def _cells(side: ExampleText) -> tuple[str, str]:
    return side.text, " ".join(side.languages)
