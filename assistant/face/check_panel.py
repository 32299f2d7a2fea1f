"""The panel in Teach that checks a product on parts whose truth is known, before it goes live."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from assistant.detection.check_set import ESCAPE_COST, CheckSet
from assistant.errors import HistoryError, told
from assistant.face.cards import Card, lay_out_cards, show_cards
from assistant.face.embedded import embed_thumbnail
from assistant.face.offered_limits import Offer, OfferedLimits, lay_out_offer, show_table
from assistant.face.shared import WORK, Resources
from assistant.face.teach_steps import ProductEditor, SeenProduct, check_count, mark_of
from assistant.face.uploads import refuse_addresses, uploaded_path
from assistant.images.sources import EXTENSIONS, shown_name
from assistant.inspection import Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.language.wording import number
from assistant.overlay import draw_overlay
from assistant.products.product import Product
from assistant.records.entries import shrink
from assistant.records.proposal import check_signed
from assistant.records.sign_offs import labels_of
from assistant.reports.check_report import describe_check, name_limits, say_share

MOST_SHOWN = 60
"""Wrong parts that are shown as pictures."""

HEADS = (
    message("limits"),
    message("defect above"),
    message("good called defect"),
    message("bad called good"),
    message("to a person"),
)

LEAST_COST = 0.1
"""What a missed defect costs at least, in good parts called defective."""

Update = dict[Any, Any]
Upload = dict[str, Any]
Preview = Callable[[Inspection], bytes | None]


@dataclass(frozen=True)
class CheckPanel:
    """The widgets: known good and bad parts, what was found, and the wrong ones as pictures."""

    good: gr.File
    bad: gr.File
    cost: gr.Number
    check: gr.Button
    check_signed: gr.Button
    offer: Offer
    wrong: gr.HTML


def lay_out_check(w: Wording) -> CheckPanel:
    """Lay out the widgets, empty."""
    gr.HTML(
        w(
            "Drop parts that you know to be good, and some that you know to be bad, none of them taught before. "
            "You see what the product would get wrong, and which limits would do better. "
            "Parts that people signed off serve as well."
        )
    )
    with gr.Row():
        good = _lay_out_upload(w("Known good parts"), w)
        bad = _lay_out_upload(w("Known bad parts"), w)
    cost = gr.Number(
        ESCAPE_COST,
        label=w("What a missed defect costs"),
        info=w("One bad part called good costs as much as so many good parts called defective."),
        minimum=LEAST_COST,
    )
    with gr.Row():
        check = gr.Button(w("Check"), variant="primary", size="sm", min_width=160)
        check_signed = gr.Button(w("Check by parts that were signed off"), size="sm", min_width=160)
    offer = lay_out_offer("check-told", w)
    return CheckPanel(good, bad, cost, check, check_signed, offer, lay_out_cards("check-wrong"))


def wire_check(panel: CheckPanel, handlers: CheckHandlers, seen: gr.State) -> None:
    """Wire the check; who keeps the limits listens to the offer."""
    outputs = [panel.offer.told, panel.offer.limits, panel.offer.keep, panel.wrong]
    work: dict[str, Any] = {
        "outputs": outputs,
        "preprocess": False,
        "show_progress_on": panel.offer.told,
        "api_visibility": "private",
        **WORK,
    }
    panel.check.click(handlers.check, [seen, panel.good, panel.bad, panel.cost], **work)
    panel.check_signed.click(handlers.check_signed, [seen, panel.cost], **work)


def shown_check(panel: CheckPanel) -> Update:
    """The widgets without a check: what was found is about the product as it was."""
    return {panel.good: None, panel.bad: None, panel.wrong: "", **panel.offer.shows("")}


@dataclass(frozen=True, eq=False)
class CheckHandlers:
    """What the widgets call. Uploads come unprocessed, as {"path": ...}."""

    shared: Resources
    editor: ProductEditor
    panel: CheckPanel

    def check(
        self,
        seen: SeenProduct,
        good: list[Upload] | None,
        bad: list[Upload] | None,
        cost: float | None = ESCAPE_COST,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> Update:
        """Inspect the parts, and show what is wrong and what would be better."""
        try:
            parts = [[uploaded_path(one, self.shared.uploads) for one in some or []] for some in (good, bad)]
            for some in parts:
                check_count(some, told("Choose at least one part of each kind."))
            progress(0.1, desc=self.shared.w("Looking at {n} parts", n=sum(map(len, parts))))
            product = self.editor.get(seen.name)
            found = self.editor.inspector.check(product, parts[0], parts[1], _read_cost(cost))
            return self._show(product, found, show_wrong(found, _draw, self.shared.w))
        except Exception as error:
            return self._fail(error)

    def check_signed(self, seen: SeenProduct, cost: float | None = ESCAPE_COST) -> Update:
        """The same of the parts that people signed off, by the scores that they have in the history."""
        try:
            if (history := self.shared.history) is None:
                raise HistoryError("This server keeps no history: drop parts in its place.")
            product = self.editor.get(seen.name)
            found = check_signed(history, product, _read_cost(cost), self.editor.teacher.prior())
            ids = {(one.kept.inspection.path, one.score): one.kept.id for one in labels_of(history, product)}
            wrong = show_wrong(found, lambda one: history.preview(ids[one.path, one.score]), self.shared.w)
            return self._show(product, found, wrong)
        except Exception as error:
            return self._fail(error)

    def _show(self, product: Product, found: CheckSet, wrong: str) -> Update:
        better = found.better.limits != found.now.limits
        by = f"by {len(found.good)} good and {len(found.bad)} bad parts"
        limits = OfferedLimits(mark_of(product), found.calibrated, by) if better else None
        return {self.panel.wrong: wrong, **self.panel.offer.shows(show_found(found, self.shared.w), limits)}

    def _fail(self, error: Exception) -> Update:
        return {self.panel.wrong: "", **self.panel.offer.fails(self.shared.say(error))}


def show_found(found: CheckSet, w: Wording = ENGLISH_WORDS) -> str:
    """A check as HTML: in sentences, and what each of the limits that were tried would do."""
    unread = w("Not read, and not counted: {n}.", n=len(found.unread)) if found.unread else ""
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in (*describe_check(found, w), unread) if line)
    rows = {
        name_limits(one, w): (
            number(one.threshold),
            *(say_share(share, w) for share in (one.overkill, one.escape, one.review)),
        )
        for one in found.tried
    }
    note = w("In brackets: where the share of all such parts lies, with 90 % confidence.")
    table = show_table([w(head) for head in HEADS], rows, name_limits(found.better, w))
    return f"{lines}{table}<p><small>{note}</small></p>"


def show_wrong(found: CheckSet, preview: Preview, w: Wording = ENGLISH_WORDS) -> str:
    """The parts that are called what they are not, as cards; `preview` gives one's picture, if there is one."""
    if not found.wrong:
        return f"<p>{w('No part is called what it is not.')}</p>"
    bad = {id(one) for one in found.bad}
    cards = [
        Card(
            str(place),
            embed_thumbnail(seen) if (seen := preview(one)) else "",
            shown_name(one.path),
            one.outcome,
            number(one.score),
            w("known to be bad") if id(one) in bad else w("known to be good"),
        )
        for place, one in enumerate(found.wrong[:MOST_SHOWN])
    ]
    return show_cards(w.count("Wrong: {n} part", "Wrong: {n} parts", len(found.wrong)), cards, w=w)


def _draw(one: Inspection) -> bytes:
    return shrink(draw_overlay(one.picture().pixels, one, bar=False))


def _read_cost(cost: float | None) -> float:
    """What a missed defect costs, the usual where nothing is given."""
    return ESCAPE_COST if cost is None else float(cost)


def _lay_out_upload(label: str, w: Wording) -> gr.File:
    upload = gr.File(label=label, file_count="multiple", file_types=sorted(EXTENSIONS), height=150, min_width=200)
    refuse_addresses(upload, w)
    return upload
