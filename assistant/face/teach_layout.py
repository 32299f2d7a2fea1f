"""The widgets of the Teach place, and what they all show of one product.

Widgets that take uploads only ever get values: an update would make Gradio put new ones in their place, without
the guard of `assistant.face.uploads`. They are shown and hidden by the columns around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from assistant.face.cards import lay_out_cards
from assistant.face.check_panel import CheckPanel, lay_out_check, shown_check
from assistant.face.correction import lay_out_marking
from assistant.face.drift import lay_out_drift, show_drift
from assistant.face.masks import IGNORE, LOOK
from assistant.face.painter import lay_out_painter
from assistant.face.production_panel import ProductionPanel, lay_out_production, shown_production
from assistant.face.question import (
    Confirmation,
    Question,
    lay_out_confirmation,
    lay_out_question,
    widgets_of,
)
from assistant.face.shared import Resources
from assistant.face.teach_steps import FIND_OUT, LYING, SeenProduct
from assistant.face.teach_view import (
    WELCOME,
    defect_choices,
    drawable,
    show_facts,
    show_gallery,
    show_limits,
    show_masks,
    target_choices,
    undo_label,
)
from assistant.face.uploads import refuse_addresses
from assistant.face.what_if_panel import WhatIfPanel, lay_out_what_if, shown_what_if
from assistant.images.sources import EXTENSIONS
from assistant.language.catalogue import Wording, message
from assistant.products.product import Product

Update = dict[Any, Any]
"""Widgets with what they show next; all others stay as they are."""

NEW = message("New product")
"""The choice that is no product yet."""


@dataclass(frozen=True)
class Choice:
    """On the left: which product, what it learns from, and what concerns it as a whole."""

    product: gr.Dropdown
    naming: gr.Column
    name: gr.Textbox
    lying: gr.Radio
    pictures: gr.File
    learn: gr.Button
    doubt: Confirmation
    whole: gr.Column
    undo: gr.Button
    delete: Question


@dataclass(frozen=True)
class Knowledge:
    """The good pictures with their scores, and the limits that follow."""

    gallery: gr.HTML
    remove: Question
    chart: gr.HTML
    target: gr.Radio
    effect: gr.HTML
    save: gr.Button


@dataclass(frozen=True)
class Masks:
    """Where to look and what to ignore, drawn on a reference."""

    base: gr.Dropdown
    painter: gr.HTML
    save: gr.Button
    clear: Question


@dataclass(frozen=True)
class Defects:
    """The known defects, and the form for another."""

    known: gr.Radio
    none: gr.HTML
    remove: Question
    picture: gr.File
    form: gr.Column
    label: gr.Textbox
    painter: gr.HTML
    add: gr.Button


@dataclass(frozen=True)
class TeachView:
    """All widgets of the place; `details` is what there is to see of a product."""

    seen: gr.State
    said: gr.HTML
    drift: gr.HTML
    details: gr.Column
    facts: gr.HTML
    stale: gr.Column
    recalibrate: gr.Button
    choice: Choice
    knowledge: Knowledge
    masks: Masks
    defects: Defects
    what_if: WhatIfPanel
    check: CheckPanel
    production: ProductionPanel

    @property
    def all(self) -> list[Any]:
        """Everything that a handler may change."""
        parts = (self.choice, self.knowledge, self.masks, self.defects, self.what_if, self.check, self.production)
        own = [self.seen, self.said, self.drift, self.details, self.facts, self.stale]
        return [*own, *(widget for part in parts for widget in widgets_of(part))]


def lay_out_view(shared: Resources) -> TeachView:
    """Lay out the widgets, empty."""
    w = shared.w
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            choice = _lay_out_choice(w)
        with gr.Column(scale=5, min_width=320):
            said = gr.HTML(w(WELCOME), elem_id="teach-said")
            drift = lay_out_drift("teach-drift")
            with gr.Column(visible=False) as details:
                facts = gr.HTML(elem_id="teach-facts")
                with gr.Column(visible=False) as stale:
                    gr.HTML(w("The limits were set for another memory, mask or way of scoring."))
                    recalibrate = gr.Button(w("Work the limits out again"), variant="primary", size="sm")
                with gr.Tabs(overflow_behavior="wrap"):
                    with gr.Tab(w("Good pictures")):
                        knowledge = _lay_out_knowledge(w)
                    with gr.Tab(w("Where to look")):
                        masks = _lay_out_masks(w)
                    with gr.Tab(w("Known defects")):
                        defects = _lay_out_defects(w)
                    with gr.Tab(w("What if")):
                        what_if = lay_out_what_if(w)
                    with gr.Tab(w("Check")):
                        check = lay_out_check(w)
                    with gr.Tab(w("From production")):
                        production = lay_out_production(w)
    panels = knowledge, masks, defects, what_if, check, production
    return TeachView(gr.State(SeenProduct()), said, drift, details, facts, stale, recalibrate, choice, *panels)


def shown_empty(view: TeachView, shared: Resources, said: str, name: str = "") -> Update:
    """The place without a product, or with one that cannot be read and can only be deleted."""
    c, w = view.choice, shared.w
    return {
        view.seen: SeenProduct(name),
        view.said: said,
        view.drift: gr.HTML(visible=False),
        view.details: gr.Column(visible=False),
        c.product: shared.choose_product(name, w(NEW)),
        c.naming: gr.Column(visible=not name),
        c.learn: gr.Button(w("Learn"), interactive=not name),
        **c.doubt.asks(""),
        c.whole: gr.Column(visible=bool(name)),
        c.undo: gr.Button(w("Nothing to undo"), interactive=False),
        c.delete.form: gr.Column(visible=False),
    }


def shown_product(view: TeachView, product: Product, shared: Resources, said: str, *, stale: bool) -> Update:
    """Everything that there is to see of a product."""
    w = shared.w
    c, k, m, d = view.choice, view.knowledge, view.masks, view.defects
    target, undo, known = product.calibration.target, undo_label(product, w), defect_choices(product)
    chart, effect = show_limits(product, target, w)
    bases = drawable(product)
    return {
        view.seen: SeenProduct.of(product),
        view.said: said,
        view.drift: show_drift(shared, [product.name]),
        view.details: gr.Column(visible=True),
        view.facts: show_facts(product, w),
        view.stale: gr.Column(visible=stale),
        c.product: shared.choose_product(product.name, w(NEW)),
        c.naming: gr.Column(visible=False),
        c.learn: gr.Button(w("Add good pictures"), interactive=True),
        **c.doubt.asks(""),
        c.whole: gr.Column(visible=True),
        c.undo: gr.Button(undo or w("Nothing to undo"), interactive=bool(undo)),
        c.delete.form: gr.Column(visible=False),
        c.pictures: None,
        k.gallery: show_gallery(product, shared.uploads, w=w),
        k.remove.ask: gr.Button(w("Remove the selected picture"), interactive=False),
        k.remove.form: gr.Column(visible=False),
        k.chart: chart,
        k.target: gr.Radio(target_choices(product), value=target),
        k.effect: effect,
        k.save: gr.Button(interactive=False),
        m.base: gr.Dropdown(bases, value=bases[0][1] if bases else None),
        m.painter: show_masks(product, None),
        m.clear.ask: gr.Button(interactive=product.looked_at is not None),
        d.known: gr.Radio(known, value=None, visible=bool(known)),
        d.none: gr.HTML(visible=not known),
        d.remove.ask: gr.Button(visible=bool(known)),
        d.picture: None,
        d.form: gr.Column(visible=False),
        d.label: "",
        d.painter: {},
        **shown_what_if(view.what_if, shared, product),
        **shown_check(view.check),
        **shown_production(view.production),
    }


def _lay_out_choice(w: Wording) -> Choice:
    product = gr.Dropdown([(w(NEW), "")], value="", label=w("Product"))
    with gr.Column() as naming:
        name = gr.Textbox(
            label=w("Name of the new product"), placeholder=w("for example: bottle neck"), max_length=80
        )
        lying = gr.Radio([(w(how), how) for how in LYING], value=FIND_OUT, label=w("How parts lie in the picture"))
    pictures = gr.File(
        label=w("Pictures of good parts"), file_count="multiple", file_types=sorted(EXTENSIONS), height=180
    )
    refuse_addresses(pictures, w)
    learn = gr.Button(w("Learn"), variant="primary")
    doubt = lay_out_confirmation("", w("Teach them all the same"), w("Leave them out"), "teach-doubt")
    with gr.Column(visible=False) as whole:
        undo = gr.Button(w("Nothing to undo"), size="sm", interactive=False)
        delete = lay_out_question(
            gr.Button(w("Delete this product"), size="sm"),
            w("All that the product has learned goes, and there is no way back."),
            w("Delete it"),
            w("Keep it"),
        )
    return Choice(product, naming, name, lying, pictures, learn, doubt, whole, undo, delete)


def _lay_out_knowledge(w: Wording) -> Knowledge:
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            gallery = lay_out_cards("teach-gallery")
            remove = lay_out_question(
                gr.Button(w("Remove the selected picture"), size="sm", interactive=False),
                w("The product forgets the picture, and its limits follow. <b>Undo</b> brings it back."),
                w("Remove it"),
                w("Keep it"),
            )
        with gr.Column(scale=2, min_width=300):
            target = gr.Radio(
                [],
                label=w("False alarms: good parts that may be called defective"),
                elem_id="teach-target",
            )
            chart = gr.HTML(elem_id="teach-chart")
            effect = gr.HTML(elem_id="teach-effect")
            save = gr.Button(w("Keep this target"), interactive=False, size="sm")
    return Knowledge(gallery, remove, chart, target, effect, save)


def _lay_out_masks(w: Wording) -> Masks:
    gr.HTML(
        w(
            "Paint where to look, what to ignore, or both. Where nothing says where to look, all counts but what "
            "is ignored."
        )
    )
    base = gr.Dropdown([], label=w("Drawn on"), interactive=True)
    painter = lay_out_painter(w("Masks"), {w("Look here"): LOOK, w("Ignore"): IGNORE}, "mask-painter", w)
    with gr.Row():
        save = gr.Button(w("Keep these masks"), variant="primary", size="sm")
        clear_all = gr.Button(w("Take all masks away"), size="sm", interactive=False)
    clear = lay_out_question(
        clear_all,
        w("All of the picture counts then. <b>Undo</b> brings them back."),
        w("Take them away"),
        w("Keep them"),
    )
    return Masks(base, painter, save, clear)


def _lay_out_defects(w: Wording) -> Defects:
    none = gr.HTML(w("No defect is known yet. Known defects are found more surely, and called by their names."))
    known = gr.Radio([], label=w("Known defects"), visible=False, elem_id="known-defects")
    remove = lay_out_question(
        gr.Button(w("Remove the chosen defect"), size="sm", visible=False),
        w("The product forgets the defect. <b>Undo</b> brings it back."),
        w("Remove it"),
        w("Keep it"),
    )
    picture = gr.File(label=w("Picture of a defective part"), file_types=sorted(EXTENSIONS), height=150)
    refuse_addresses(picture, w)
    with gr.Column(visible=False) as form:
        label, painter = lay_out_marking("defect-painter", w)
        add = gr.Button(w("Add this defect"), variant="primary", size="sm")
    return Defects(known, none, remove, picture, form, label, painter, add)
