"""The panel in Teach that checks a product on parts whose truth is known, before it goes live."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from assistant.detection.check_set import CheckSet
from assistant.face.cards import Card, lay_out_cards, show_cards
from assistant.face.embedded import embed_thumbnail
from assistant.face.offered_limits import Offer, OfferedLimits, lay_out_offer, show_table
from assistant.face.shared import WORK, Resources
from assistant.face.teach_steps import ProductEditor, SeenProduct, check_count, mark_of
from assistant.face.uploads import refuse_addresses, uploaded_path
from assistant.images.sources import EXTENSIONS, shown_name
from assistant.inspection import Inspection
from assistant.language.wording import count, number
from assistant.overlay import draw_overlay
from assistant.records.entries import shrink
from assistant.reports.check_report import describe_check

MOST_SHOWN = 60
"""Wrong parts that are shown as pictures."""

HEADS = ("limits", "defect above", "good called defect", "bad called good", "to a person")

Update = dict[Any, Any]
Upload = dict[str, Any]


@dataclass(frozen=True)
class CheckPanel:
    """The widgets: known good and bad parts, what was found, and the wrong ones as pictures."""

    good: gr.File
    bad: gr.File
    check: gr.Button
    offer: Offer
    wrong: gr.HTML


def lay_out_check() -> CheckPanel:
    """Lay out the widgets, empty."""
    gr.HTML(
        "Drop parts that you know to be good, and some that you know to be bad, none of them taught before. "
        "You see what the product would get wrong, and which limits would do better."
    )
    with gr.Row():
        good = _lay_out_upload("Known good parts")
        bad = _lay_out_upload("Known bad parts")
    check = gr.Button("Check", variant="primary", size="sm")
    offer = lay_out_offer("check-told")
    return CheckPanel(good, bad, check, offer, lay_out_cards("check-wrong"))


def wire_check(panel: CheckPanel, handlers: CheckHandlers, seen: gr.State) -> None:
    """Wire the check; who keeps the limits listens to the offer."""
    outputs = [panel.offer.told, panel.offer.limits, panel.offer.keep, panel.wrong]
    panel.check.click(
        handlers.check,
        [seen, panel.good, panel.bad],
        outputs,
        preprocess=False,
        show_progress_on=panel.offer.told,
        api_visibility="private",
        **WORK,
    )


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
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> Update:
        """Inspect the parts, and show what is wrong and what would be better."""
        try:
            parts = [[uploaded_path(one, self.shared.uploads) for one in some or []] for some in (good, bad)]
            for some in parts:
                check_count(some, "part of each kind")
            progress(0.1, desc=f"Looking at {sum(map(len, parts))} parts")
            product = self.editor.get(seen.name)
            found = self.editor.inspector.check(product, parts[0], parts[1])
            wrong = show_wrong(found)
        except Exception as error:
            return {self.panel.wrong: "", **self.panel.offer.fails(error)}
        better = found.better.limits != found.now.limits
        by = f"by {len(found.good)} good and {len(found.bad)} bad parts"
        limits = OfferedLimits(mark_of(product), found.calibrated, by) if better else None
        return {self.panel.wrong: wrong, **self.panel.offer.shows(show_found(found), limits)}


def show_found(found: CheckSet) -> str:
    """A check as HTML: in sentences, and what each of the limits that were tried would do."""
    unread = f"Not read, and not counted: {len(found.unread)}." if found.unread else ""
    told = "".join(f"<p>{html.escape(line)}</p>" for line in (*describe_check(found), unread) if line)
    rows = {
        one.name: (number(one.threshold), str(one.overkill), str(one.escape), str(one.review))
        for one in found.tried
    }
    note = "In brackets: where the share of all such parts lies, with 90 % confidence."
    return f"{told}{show_table(HEADS, rows, found.better.name)}<p><small>{note}</small></p>"


def show_wrong(found: CheckSet) -> str:
    """The parts that are called what they are not, as cards."""
    if not found.wrong:
        return "<p>No part is called what it is not.</p>"
    bad = {id(one) for one in found.bad}
    cards = [
        _card(one, "known to be bad" if id(one) in bad else "known to be good") for one in found.wrong[:MOST_SHOWN]
    ]
    return show_cards(f"Wrong: {count(len(found.wrong), 'part')}", cards)


def _card(one: Inspection, truth: str) -> Card:
    picture = embed_thumbnail(shrink(draw_overlay(one.picture().pixels, one, bar=False)))
    return Card("", picture, shown_name(one.path), one.outcome, number(one.score), truth)


def _lay_out_upload(label: str) -> gr.File:
    upload = gr.File(label=label, file_count="multiple", file_types=sorted(EXTENSIONS), height=150, min_width=200)
    refuse_addresses(upload)
    return upload
