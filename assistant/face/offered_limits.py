"""Limits that a panel in Teach shows before anybody keeps them, and the button that does."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from assistant.detection.calibration import Calibration
from assistant.errors import ProductError
from assistant.language.catalogue import Wording

Update = dict[Any, Any]


@dataclass(frozen=True, eq=False)
class OfferedLimits:
    """Limits that were worked out for the product whose content has this mark; `by` says from what."""

    mark: str
    calibration: Calibration
    by: str


@dataclass(frozen=True)
class Offer:
    """The widgets: what was found, as HTML, the limits it suggests, and the button that keeps them."""

    told: gr.HTML
    limits: gr.State
    keep: gr.Button

    def shows(self, told: str, limits: OfferedLimits | None = None) -> Update:
        """What the widgets show of something that was found; without limits there is nothing to keep."""
        return {self.told: told, self.limits: limits, self.keep: gr.Button(visible=limits is not None)}

    def fails(self, why: str) -> Update:
        """What the widgets show where nothing was found, and why."""
        return self.shows(f'<p role="alert">{html.escape(why)}</p>')


def lay_out_offer(elem_id: str, w: Wording) -> Offer:
    """Lay out the widgets, empty; who keeps the limits listens to `keep`."""
    told = gr.HTML(elem_id=elem_id)
    keep = gr.Button(w("Keep these limits"), variant="primary", size="sm", visible=False)
    return Offer(told, gr.State(None), keep)


def offered_to(mark: str, limits: OfferedLimits | None) -> OfferedLimits:
    """The limits, where they were worked out for the product with this mark; ProductError else."""
    if limits is None or limits.mark != mark:
        raise ProductError("These limits were worked out for the product as it was before: do it again.")
    return limits


def show_table(heads: Sequence[str], rows: Mapping[str, Sequence[str]], bold: str = "") -> str:
    """A table as HTML, each row with its name in front; the row `bold` stands out."""
    top = "".join(f'<th scope="col">{html.escape(head)}</th>' for head in heads)
    drawn = (_show_row(name, cells, name == bold) for name, cells in rows.items())
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(drawn)}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _show_row(name: str, cells: Sequence[str], bold: bool) -> str:
    first, *shown = (f"<b>{html.escape(cell)}</b>" if bold else html.escape(cell) for cell in (name, *cells))
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in shown)}</tr>'
