"""A table whose rows can be opened, by pointer or by keyboard, as one HTML widget."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gradio as gr

from assistant.face.verdicts import OUTCOMES, SELDOM, outcome_word, style_outcomes
from assistant.language.catalogue import ENGLISH_WORDS, Wording

PICK = """element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-id]');
  if (button) trigger('select', { id: button.dataset.id });
});"""
"""The script of a widget whose buttons can be picked; its `select` event comes with the `data-id` of one."""

BADGES = """
i { font-style: normal; font-size: 13px; font-weight: 600; white-space: nowrap; }
i { padding: 1px 8px; border-radius: 6px; }
.count { white-space: nowrap; margin-right: 14px; line-height: 2; }
""" + style_outcomes("i")
"""The style of what `show_counts` and `show_listing` mark."""

_STYLE = """
overflow: auto; max-height: min(68vh, 620px);
thead { position: sticky; top: 0; background: var(--background-fill-primary); z-index: 1; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
caption { text-align: left; font-weight: 600; padding: 2px 6px 6px; }
th { text-align: left; font-weight: 500; opacity: 0.75; padding: 4px 6px; }
td { padding: 2px 6px; border-top: 1px solid var(--border-color-primary); overflow-wrap: anywhere; }
td:first-child { min-width: 8em; }
td:not(:first-child) { overflow-wrap: break-word; }
button { display: block; width: 100%; text-align: left; padding: 6px 4px; min-height: 32px;
  color: var(--link-text-color); background: none; border: 0; border-radius: 4px; cursor: pointer; font: inherit;
  overflow-wrap: anywhere; }
button:hover { text-decoration: underline; }
button:focus-visible { outline: 2px solid var(--color-accent); }
tr.chosen { background: var(--background-fill-secondary); }
tr.chosen button { font-weight: 600; }
p { padding: 10px 6px; opacity: 0.8; }
@media (max-width: 640px) {
  thead { display: none; }
  tr { display: flex; flex-wrap: wrap; align-items: center; padding: 4px 0; gap: 0 6px; }
  tr { border-top: 1px solid var(--border-color-primary); }
  td { border: 0; }
  td:empty { display: none; }
  td:first-child { flex: 1 0 100%; }
}
"""


@dataclass(frozen=True)
class ListedRow:
    """A row: the id that opening it gives, and its cells as plain text.

    `kind`, one of OUTCOMES, draws the cell of the same text as a badge.
    """

    id: str
    cells: tuple[str, ...]
    kind: str = ""


def lay_out_listing(empty: str, elem_id: str) -> gr.HTML:
    """The widget, saying `empty`; its `select` event comes with the id of a row, see `picked`."""
    return gr.HTML(
        show_listing("", (), (), empty),
        css_template=_STYLE + BADGES,
        js_on_load=PICK,
        elem_id=elem_id,
        apply_default_css=False,
    )


def show_listing(
    title: str,
    columns: Sequence[str],
    entries: Sequence[ListedRow],
    empty: str,
    chosen: str = "",
    w: Wording = ENGLISH_WORDS,
) -> str:
    """A table of HTML, every text in it escaped and its columns worded; `empty` where there is no row."""
    if not entries:
        return f"<p>{html.escape(empty)}</p>"
    heads = "".join(f'<th scope="col">{html.escape(w(name))}</th>' for name in columns)
    rows = "".join(_row(entry, entry.id == chosen, w) for entry in entries)
    top = f"<caption>{html.escape(title)}</caption><thead><tr>{heads}</tr></thead>"
    return f"<table>{top}<tbody>{rows}</tbody></table>"


def show_counts(counts: Mapping[str, int], only: Sequence[str] = (), w: Wording = ENGLISH_WORDS) -> str:
    """How many of each outcome, as badges of HTML: of those in `only`, where there are some, and no other."""
    kinds = (k for k in OUTCOMES if k in (only or OUTCOMES) and (counts.get(k) or k in only or k not in SELDOM))
    return " ".join(
        f'<span class="count"><i class="{kind}">{outcome_word(w, kind)}</i> {counts.get(kind, 0)}</span>'
        for kind in kinds
    )


def picked(event: gr.EventData) -> str:
    """The id of the row that was opened; whatever a client sends, it is a short text."""
    data = getattr(event, "_data", None)
    return str(data.get("id", ""))[:64] if isinstance(data, dict) else ""


def _row(entry: ListedRow, chosen: bool, w: Wording) -> str:
    first, *others = entry.cells
    mark = ' class="chosen" aria-current="true"' if chosen else ""
    button = f'<button type="button" data-id="{html.escape(entry.id)}">{html.escape(first)}</button>'
    cells = "".join(f"<td>{_cell(text, entry.kind, w)}</td>" for text in others)
    return f"<tr{mark}><td>{button}</td>{cells}</tr>"


def _cell(text: str, kind: str, w: Wording) -> str:
    return f'<i class="{kind}">{outcome_word(w, kind)}</i>' if kind and text == kind else html.escape(text)
