"""The panel in Teach that proposes limits from parts of production that nobody sorted, before they are kept."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from assistant.errors import HistoryError, told
from assistant.face.chart import draw_judged
from assistant.face.effect import recent, say_effect
from assistant.face.offered_limits import Offer, OfferedLimits, lay_out_offer
from assistant.face.shared import WORK, Resources
from assistant.face.teach_steps import ProductEditor, SeenProduct, check_count, mark_of
from assistant.face.uploads import refuse_addresses, uploaded_path
from assistant.face.verdicts import outcome_word
from assistant.images.sources import EXTENSIONS
from assistant.inspection import Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.retelling import retell
from assistant.products.product import Product
from assistant.records.proposal import Proposal, judged_alike, propose, signed_parts
from assistant.records.what_if import VERDICTS

Update = dict[Any, Any]
Upload = dict[str, Any]


@dataclass(frozen=True)
class ProductionPanel:
    """The widgets: parts or the history to go by, and the limits that they suggest on their histogram."""

    parts: gr.File
    from_parts: gr.Button
    from_history: gr.Button
    chart: gr.HTML
    offer: Offer


def lay_out_production(w: Wording) -> ProductionPanel:
    """Lay out the widgets, empty."""
    gr.HTML(
        w(
            "Limits from parts as they come, most of them good: at least 20, and at most a fifth of them "
            "defective. Nothing is kept before you say so."
        )
    )
    parts = gr.File(
        label=w("Parts that nobody sorted"), file_count="multiple", file_types=sorted(EXTENSIONS), height=150
    )
    refuse_addresses(parts, w)
    with gr.Row():
        from_parts = gr.Button(w("Propose from these parts"), variant="primary", size="sm", min_width=160)
        from_history = gr.Button(w("Propose from the history"), size="sm", min_width=160)
    chart = gr.HTML(elem_id="production-chart")
    return ProductionPanel(parts, from_parts, from_history, chart, lay_out_offer("production-told", w))


def wire_production(panel: ProductionPanel, handlers: ProductionHandlers, seen: gr.State) -> None:
    """Wire the proposals; who keeps the limits listens to the offer."""
    work: dict[str, Any] = {
        "outputs": [panel.chart, panel.offer.told, panel.offer.limits, panel.offer.keep],
        "preprocess": False,
        "show_progress_on": panel.offer.told,
        "api_visibility": "private",
        **WORK,
    }
    panel.from_parts.click(handlers.from_parts, [seen, panel.parts], **work)
    panel.from_history.click(handlers.from_history, seen, **work)


def shown_production(panel: ProductionPanel) -> Update:
    """The widgets without a proposal: what was found is about the product as it was."""
    return {panel.parts: None, panel.chart: "", **panel.offer.shows("")}


@dataclass(frozen=True, eq=False)
class ProductionHandlers:
    """What the widgets call. Uploads come unprocessed, as {"path": ...}."""

    shared: Resources
    editor: ProductEditor
    panel: ProductionPanel

    def from_parts(
        self,
        seen: SeenProduct,
        parts: list[Upload] | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> Update:
        """Propose limits from uploaded parts."""
        try:
            paths = [uploaded_path(one, self.shared.uploads) for one in parts or []]
            check_count(paths, told("Choose at least one part."))
            product, rows = self.editor.get(seen.name), []
            for row in self.editor.inspector.inspect(iter(paths), product):
                rows.append(row)
                progress(
                    len(rows) / len(paths),
                    desc=self.shared.w("Looked at {n} of {total}", n=len(rows), total=len(paths)),
                )
            return self._show(product, rows)
        except Exception as error:
            return self._fail(error)

    def from_history(self, seen: SeenProduct) -> Update:
        """Propose limits from what was inspected since the product last learned anything."""
        try:
            if self.shared.history is None:
                raise HistoryError("This server keeps no history: drop parts in its place.")
            product = self.editor.get(seen.name)
            rows = judged_alike(product, recent(self.shared, product))
            return self._show(product, rows, signed_parts(self.shared.history, product)[1])
        except Exception as error:
            return self._fail(error)

    def _show(self, product: Product, rows: Sequence[Inspection], bad: Sequence[Inspection] = ()) -> Update:
        found = propose(product, rows, self.editor.teacher.prior(), bad)
        limits = found.calibration
        left_out = {(one.path, one.score) for one in bad}
        judged = [one.score for one in rows if one.verdict in VERDICTS and (one.path, one.score) not in left_out]
        unread = sum(one.status == "error" for one in rows)
        effect = say_effect(self.shared, product, product_with(found))
        shown = show_proposal(found, effect, unread, self.shared.w)
        offered = OfferedLimits(mark_of(product), limits, found.name)
        return {
            self.panel.chart: draw_judged(judged, limits, self.shared.w),
            **self.panel.offer.shows(shown, offered),
        }

    def _fail(self, error: Exception) -> Update:
        return {self.panel.chart: "", **self.panel.offer.fails(self.shared.say(error))}


def show_proposal(found: Proposal, effect: str, unread: int = 0, w: Wording = ENGLISH_WORDS) -> str:
    """A proposal in sentences, as HTML; `effect` says what it would do to recent inspections."""
    would_be = w.commas(f"{n} {outcome_word(w, verdict)}" for verdict, n in found.would_be.items())
    counted = w.count("Of {n} part: {verdicts}.", "Of {n} parts: {verdicts}.", found.parts, verdicts=would_be)
    left_out = w.count(
        "{n} signed off as defective is left out.", "{n} signed off as defective are left out.", found.left_out
    )
    lines = (
        w("The limits would be {origin}.", origin=retell(w, found.calibration.evidence.origin)),
        w.put_together([counted, *([left_out] if found.left_out else [])]),
        effect,
        w("Not read, and not counted: {n}.", n=unread) if unread else "",
    )
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)


def product_with(found: Proposal) -> Product:
    """The product with the proposed limits, to say what they would do."""
    return replace(found.product, calibration=found.calibration)
