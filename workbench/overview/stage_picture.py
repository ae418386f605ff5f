"""The four stages as a picture with a run's own numbers: HTML that follows the theme, with drawings in SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from workbench.fusion.charts import SLOT_COLORS

_LINE = "#7a888d"  # 3:1 on white and on dark
ADAPTERS = {  # role -> what it learns
    "ep": "names of one entity across languages",
    "tp": "facts: subject and relation to object, across languages",
    "es": "entities inside sentences, to their names",
    "ts": "facts inside sentences, to their objects",
    "large": "all four at once, in one larger adapter",
}


@dataclass(frozen=True)
class Stage:
    """One of the four cards: heading, what it does, and lines of (colour or None, name, numbers)."""

    title: str
    meaning: str
    lines: Sequence[tuple[str | None, str, str]]


def picture(stages: Sequence[Stage], about: str) -> str:
    """The stages from left to right, which wrap where the page is narrow.

    Args:
        stages: Backbone, adapters, fusion, fine-tuning.
        about: The picture in words, for a screen reader.
    """
    drawings = (_backbone(), _adapters(), _fusion(), _tuned())
    cards = "".join(_card(stage, drawing) for stage, drawing in zip(stages, drawings, strict=True))
    return f"<style>{_STYLE}</style><div class='stages' role='group' aria-label='{escape(about, quote=True)}'>{cards}</div>"


def _card(stage: Stage, drawing: str) -> str:
    lines = "".join(
        f"<li><b>{_dot(color)}{escape(name)}</b><span>{escape(numbers)}</span></li>"
        for color, name, numbers in stage.lines
    )
    return (
        f"<section><h3>{escape(stage.title)}</h3><p>{escape(stage.meaning)}</p>"
        f"<img alt='' src='{_address(drawing)}'><ul>{lines}</ul></section>"
    )


def _address(drawing: str) -> str:
    """A drawing as the address of an image: SVG elements do not pass the sanitiser of the page, images do."""
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 220 110'>{drawing}</svg>"
    return f"data:image/svg+xml,{quote(svg)}"


def _dot(color: str | None) -> str:
    return "" if color is None else f"<i style='background:{color}'></i>"


def _layers(x: float, width: float, filled: str = "none") -> str:
    """A stack of four layers."""
    return "".join(
        f"<rect x='{x}' y='{14 + 22 * i}' width='{width}' height='15' rx='3' fill='{filled}' fill-opacity='.35' "
        f"stroke='{_LINE}' stroke-opacity='.55'/>"
        for i in range(4)
    )


def _backbone() -> str:
    return _layers(60, 100)


def _adapters() -> str:
    return "".join(
        _layers(14 + 52 * number, 36)
        + "".join(
            f"<rect x='{18 + 52 * number}' y='{25 + 22 * i}' width='28' height='8' rx='2' fill='{SLOT_COLORS[slot]}'/>"
            for i in range(4)
        )
        for number, slot in enumerate(("ep", "tp", "es", "ts"))
    )


def _fusion() -> str:
    slots = ("identity", "ep", "tp", "es", "ts")
    parts = [
        f"<line x1='62' y1='{15 + 20 * i}' x2='126' y2='55' stroke='{SLOT_COLORS[slot]}' stroke-width='{width}'/>"
        f"<circle cx='56' cy='{15 + 20 * i}' r='8' fill='{SLOT_COLORS[slot]}'/>"
        for i, (slot, width) in enumerate(zip(slots, (2, 5, 3, 2, 4), strict=True))
    ]
    ring = f"<circle cx='138' cy='55' r='14' fill='none' stroke='{_LINE}' stroke-width='2'/>"
    sign = f"<path d='M130 55h16M138 47v16' stroke='{_LINE}' stroke-width='2'/>"
    return "".join(parts) + ring + sign + f"<path d='M154 55h26l-7-5m7 5l-7 5' fill='none' stroke='{_LINE}'/>"


def _tuned() -> str:
    bars = "".join(
        f"<rect x='70' y='{25 + 22 * i}' width='70' height='8' rx='2' fill='{SLOT_COLORS[slot]}'/>"
        for i, slot in enumerate(("ep", "tp", "es", "ts"))
    )
    head = f"<path d='M164 55h22l-7-5m7 5l-7 5' fill='none' stroke='{_LINE}'/>"
    return _layers(55, 100, "#9467bd") + bars + head


_STYLE = """
.stages { display: flex; flex-wrap: wrap; gap: 0.75rem; font-family: inherit }
.stages section { flex: 1 1 15rem; min-width: 0; border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
  border-radius: 0.5rem; padding: 0.75rem 1rem; display: flex; flex-direction: column }
.stages h3 { font-size: 1.05rem; margin: 0; padding: 0 }
.stages p { margin: 0.15rem 0 0; font-size: 0.88rem; min-height: 2.6em }
.stages img { width: 100%; max-height: 8.5rem; margin: 0.25rem 0 }
.stages ul { list-style: none; margin: 0; padding: 0 }
.stages li { margin: 0.35rem 0 0; font-size: 0.9rem; line-height: 1.35; overflow-wrap: anywhere }
.stages li b { display: block; font-weight: 600 }
.stages li i { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-inline-end: 0.4em }
"""
