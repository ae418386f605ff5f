"""Sentences as strips of words that can be read, clicked and reached by keyboard, coloured by the slot that wins.

The browser lays out each strip by its own direction (`dir=auto`), and a space stands only where the text has one, so
that Arabic letters stay joined and Chinese stays unspaced. Beside its colour every slot has an underline of its own.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import streamlit as st

from workbench.fusion.charts import SLOT_COLORS

_UNDERLINES = dict(zip(SLOT_COLORS, ("dotted", "solid", "dashed", "double", "ridge", "groove"), strict=False))

_STRIP = st.components.v2.component(
    "token_strips",
    html="<div class='strips'></div>",
    css="""
.strips { font-family: var(--st-font); color: var(--st-text-color); font-size: 1.15rem }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; margin-bottom: .4rem }
.legend span { border-bottom: 4px var(--line) var(--c); padding: 0 .15rem }
.row { display: grid; grid-template-columns: minmax(6rem, 9rem) 1fr; gap: .8rem; align-items: baseline; padding: .15rem 0 }
.row.alone { grid-template-columns: 1fr }
.label { font-size: .85rem; overflow-wrap: anywhere }
.strip { line-height: 2.2; overflow-wrap: anywhere }
.word { cursor: pointer; border-bottom: 4px var(--line) var(--c); padding-bottom: .1rem;
  background: color-mix(in srgb, var(--c) var(--share), transparent); box-decoration-break: clone }
.word:hover { background: color-mix(in srgb, var(--c) 60%, transparent) }
.word:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 1px; border-radius: 2px }
.word[aria-selected=true] { outline: 2px solid var(--st-text-color); outline-offset: 1px; border-radius: 2px }
.word.marked { font-weight: 700 }
.word.special { font-family: var(--st-code-font, monospace); font-size: .8em; unicode-bidi: isolate }
.cut { opacity: .75; font-style: italic }
@media (max-width: 640px) { .row { grid-template-columns: 1fr; gap: 0 } }
""",
    js="""
export default function ({ data, parentElement, setStateValue }) {
  const box = parentElement.querySelector(".strips")
  const root = box.getRootNode()
  const focused = box.contains(root.activeElement) ? root.activeElement.dataset.at : null
  const element = (tag, kind, text) => {
    const made = document.createElement(tag)
    made.className = kind
    made.textContent = text
    return made
  }
  const paint = (made, slot) => {
    made.style.setProperty("--c", data.colors[slot])
    made.style.setProperty("--line", data.underlines[slot])
  }
  const legend = element("div", "legend", "")
  legend.append(...data.slots.map((slot) => {
    const made = element("span", "", slot)
    paint(made, slot)
    return made
  }))
  const rows = data.lines.map((line, n) => {
    const row = element("div", data.lines.length > 1 || line.label ? "row" : "row alone", "")
    if (data.lines.length > 1 || line.label) row.append(element("div", "label", line.label))
    const strip = element("div", "strip", "")
    strip.dir = "auto"
    strip.setAttribute("role", "listbox")
    strip.setAttribute("aria-orientation", "horizontal")
    strip.setAttribute("aria-label", (line.label ? line.label + ": " : "") + "words, " + data.title)
    const here = line.words.map((word, i) => {
      const at = n + "." + i
      const made = element("span", "word" + (word.marked ? " marked" : "") + (word.special ? " special" : ""), word.text)
      paint(made, word.slot)
      made.style.setProperty("--share", Math.round(10 + 50 * word.weight) + "%")
      made.dataset.at = at
      if (word.special) made.dir = "ltr"  // and so it has no say in the direction of the strip
      made.title = word.slot + " " + word.weight.toFixed(2)
      made.setAttribute("role", "option")
      made.setAttribute("aria-label", word.text + ", " + word.slot + " " + word.weight.toFixed(2))
      made.setAttribute("aria-selected", String(at === data.picked))
      made.onclick = () => setStateValue("picked", at)
      return made
    })
    const first = here.find((made) => made.dataset.at === data.picked) || here[0]
    here.forEach((made) => (made.tabIndex = made === first ? 0 : -1))
    strip.onkeydown = (event) => {
      const i = here.indexOf(event.target)
      const forward = getComputedStyle(strip).direction === "rtl" ? "ArrowLeft" : "ArrowRight"
      const back = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft"
      const next = { [forward]: i + 1, [back]: i - 1, Home: 0, End: here.length - 1 }[event.key]
      if (event.key === "Enter" || event.key === " ") here[i].click()
      else if (next === undefined || !here[next]) return
      else {
        here.forEach((made) => (made.tabIndex = -1))
        here[next].tabIndex = 0
        here[next].focus()
      }
      event.preventDefault()
    }
    strip.append(...here.flatMap((made, i) => (line.words[i].joined || i === 0 ? [made] : [" ", made])))
    if (line.cut) strip.append(element("span", "cut", " " + line.cut))
    row.append(strip)
    return row
  })
  box.replaceChildren(legend, ...rows)
  if (focused) box.querySelector(`[data-at="${focused}"]`)?.focus()
}
""",
)


@dataclass(frozen=True)
class ShownWord:
    """A word of a strip: the slot that wins it, with its weight from 0 to 1."""

    text: str
    slot: str
    weight: float
    joined: bool = False
    special: bool = False
    marked: bool = False


@dataclass(frozen=True)
class Strip:
    """A sentence: its words, what stands beside it, and what of it was too long to be seen."""

    words: list[ShownWord] = field(default_factory=list)
    label: str = ""
    cut: str = ""


def token_strips(strips: Sequence[Strip], slots: Sequence[str], title: str, key: str) -> None:
    """Draw sentences; a click, or Enter on a word, puts `line.word` into the session's `word`.

    Args:
        strips: The sentences.
        slots: The slots, for the legend.
        title: What the colours show, for those who cannot see them.
        key: Key of the component.
    """

    def picked() -> None:
        st.session_state["word"] = st.session_state[key]["picked"]

    _STRIP(
        key=key,
        data={
            "lines": [asdict(strip) for strip in strips],
            "slots": list(slots),
            "colors": {slot: SLOT_COLORS[slot] for slot in slots},
            "underlines": {slot: _UNDERLINES[slot] for slot in slots},
            "title": title,
            "picked": st.session_state.get("word"),
        },
        on_picked_change=picked,
    )
