"""The banner of a product whose limits no longer fit what is inspected, and what to do about it."""

from __future__ import annotations

import html
from collections.abc import Iterable

import gradio as gr

from assistant.errors import HistoryError
from assistant.face.shared import Resources
from assistant.language.catalogue import Wording, message
from assistant.language.retelling import retell

STYLE = """
.drift { border-left: 5px solid #d99a00; border-radius: 4px; padding: 6px 10px; margin: 0 0 6px; font-size: 14px;
  background: var(--background-fill-secondary); overflow-wrap: anywhere; }
.drift b { display: block; font-size: 15px; }
"""
"""The style of the banner."""

WHAT_TO_DO = message(
    "Compare camera, light and lot with those of the good pictures. Where they are as they should be, open the "
    "product in Teach: add good parts of today, or take limits from production."
)


def lay_out_drift(elem_id: str) -> gr.HTML:
    """Lay out the banner, empty."""
    return gr.HTML(css_template=STYLE, elem_id=elem_id, visible=False)


def show_drift(shared: Resources, names: Iterable[str]) -> gr.HTML:
    """A banner for each of these products whose limits have stopped fitting; hidden where all fit.

    Nothing is said of one that cannot be read, or while the history is away.
    """
    told = "".join(
        _banner(name, retell(shared.w, sentence), shared.w)
        for name in names
        for sentence in _sentences(shared, name)
    )
    return gr.HTML(told, visible=bool(told))


def _banner(name: str, sentence: str, w: Wording) -> str:
    said = f"{sentence[:1].upper()}{sentence[1:]}".rstrip(".。") + w(".")
    told = html.escape(w.put_together([said, w(WHAT_TO_DO)]))
    head = html.escape(w("The limits of {name} may no longer fit", name=name))
    return f'<div class="drift" role="alert"><b>{head}</b>{told}</div>'


def _sentences(shared: Resources, name: str) -> list[str]:
    row = shared.products.summary(name)
    if row is None or row.error is not None:
        return []
    try:
        return [state.sentence for state in shared.drift.states(row) if state.drifted]
    except HistoryError:
        return []
