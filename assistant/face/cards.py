"""Pictures to choose from, each with its verdict, its score and its whole name below it, as one HTML widget."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from assistant.face.listing import BADGES, PICK
from assistant.face.verdicts import outcome_word
from assistant.language.catalogue import ENGLISH_WORDS, Wording

_STYLE = (
    BADGES
    + """
.head { margin: 0 0 6px; font-size: 14px; font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(WIDTHpx, 1fr)); gap: 8px; }
button { display: flex; flex-direction: column; min-width: 0; padding: 0; overflow: hidden; text-align: left;
  color: inherit; cursor: pointer; border: 1px solid var(--border-color-primary); border-radius: 6px;
  background: var(--background-fill-secondary); font: inherit; font-size: 12px; }
button:hover { border-color: var(--color-accent); }
button:focus-visible { outline: 2px solid var(--color-accent); outline-offset: 1px; }
button.chosen { border-color: var(--color-accent); box-shadow: 0 0 0 1px var(--color-accent); }
button.large { grid-column: span 2; grid-row: span 2; }
img { display: block; width: 100%; margin: 0; aspect-ratio: 1; object-fit: contain;
  background: var(--background-fill-primary); }
.none { padding: 40% 0; text-align: center; opacity: 0.6; }
.words { padding: 4px 6px 5px; overflow-wrap: anywhere; line-height: 1.45; }
.words i { font-size: 12px; padding: 0 6px; margin-right: 4px; }
.words b { font-weight: 600; font-variant-numeric: tabular-nums; }
.words small { display: block; opacity: 0.75; }
.name { display: block; }
@media (max-width: 640px) { .cards { grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); } }
"""
)


@dataclass(frozen=True)
class Card:
    """A picture: the id that choosing it gives, its data URL or "", its name, and what came of it.

    `outcome` is drawn as a badge in its colour, "" for none; `number` is its score as text; `note` is one more
    line.
    """

    id: str
    picture: str
    name: str
    outcome: str = ""
    number: str = ""
    note: str = ""


def lay_out_cards(elem_id: str, width: int = 130, *, visible: bool = True) -> gr.HTML:
    """The widget, empty; its `select` event comes with the id of a card, see `listing.picked`.

    `width`: the least one of a card in pixels.
    """
    return gr.HTML(
        "",
        css_template=_STYLE.replace("WIDTH", str(width)),
        js_on_load=PICK,
        elem_id=elem_id,
        apply_default_css=False,
        padding=True,
        visible=visible,
    )


def show_cards(
    title: str,
    cards: Sequence[Card],
    chosen: str = "",
    *,
    large: bool = False,
    w: Wording = ENGLISH_WORDS,
) -> str:
    """Cards as HTML, every text in it escaped, below their title; `large` shows the chosen one larger."""
    marks = ' class="chosen large" aria-current="true"' if large else ' class="chosen" aria-current="true"'
    drawn = "".join(_draw(card, marks if card.id == chosen else "", w) for card in cards)
    return f'<p class="head">{html.escape(title)}</p><div class="cards">{drawn}</div>'


def _draw(card: Card, mark: str, w: Wording) -> str:
    id, picture, name, outcome, number, note = map(html.escape, vars(card).values())
    badge = f'<i class="{outcome}">{outcome_word(w, outcome)}</i>' if outcome else ""
    score = f"<b>{number}</b>" if number else ""
    more = f"<small>{note}</small>" if note else ""
    words = f'<span class="words">{badge}{score}<span class="name">{name}</span>{more}</span>'
    shown = f'<img alt="" src="{picture}">' if picture else '<span class="none">{w("no picture")}</span>'
    return f'<button type="button" data-id="{id}"{mark}>{shown}{words}</button>'
