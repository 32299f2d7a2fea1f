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
from assistant.products.product import Product

Update = dict[Any, Any]
"""Widgets with what they show next; all others stay as they are."""

NEW = "New product"
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
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            choice = _lay_out_choice()
        with gr.Column(scale=5, min_width=320):
            said = gr.HTML(WELCOME, elem_id="teach-said")
            drift = lay_out_drift("teach-drift")
            with gr.Column(visible=False) as details:
                facts = gr.HTML(elem_id="teach-facts")
                with gr.Column(visible=False) as stale:
                    gr.HTML("The limits were set for another memory, mask or way of scoring.")
                    recalibrate = gr.Button("Work the limits out again", variant="primary", size="sm")
                with gr.Tabs(overflow_behavior="wrap"):
                    with gr.Tab("Good pictures"):
                        knowledge = _lay_out_knowledge()
                    with gr.Tab("Where to look"):
                        masks = _lay_out_masks()
                    with gr.Tab("Known defects"):
                        defects = _lay_out_defects()
                    with gr.Tab("What if"):
                        what_if = lay_out_what_if()
                    with gr.Tab("Check"):
                        check = lay_out_check()
                    with gr.Tab("From production"):
                        production = lay_out_production()
    panels = knowledge, masks, defects, what_if, check, production
    return TeachView(gr.State(SeenProduct()), said, drift, details, facts, stale, recalibrate, choice, *panels)


def shown_empty(view: TeachView, shared: Resources, said: str, name: str = "") -> Update:
    """The place without a product, or with one that cannot be read and can only be deleted."""
    c = view.choice
    return {
        view.seen: SeenProduct(name),
        view.said: said,
        view.drift: gr.HTML(visible=False),
        view.details: gr.Column(visible=False),
        c.product: shared.choose_product(name, NEW),
        c.naming: gr.Column(visible=not name),
        c.learn: gr.Button("Learn", interactive=not name),
        **c.doubt.asks(""),
        c.whole: gr.Column(visible=bool(name)),
        c.undo: gr.Button("Nothing to undo", interactive=False),
        c.delete.form: gr.Column(visible=False),
    }


def shown_product(view: TeachView, product: Product, shared: Resources, said: str, *, stale: bool) -> Update:
    """Everything that there is to see of a product."""
    c, k, m, d = view.choice, view.knowledge, view.masks, view.defects
    target, undo, known = product.calibration.target, undo_label(product), defect_choices(product)
    chart, effect = show_limits(product, target)
    bases = drawable(product)
    return {
        view.seen: SeenProduct.of(product),
        view.said: said,
        view.drift: show_drift(shared, [product.name]),
        view.details: gr.Column(visible=True),
        view.facts: show_facts(product),
        view.stale: gr.Column(visible=stale),
        c.product: shared.choose_product(product.name, NEW),
        c.naming: gr.Column(visible=False),
        c.learn: gr.Button("Add good pictures", interactive=True),
        **c.doubt.asks(""),
        c.whole: gr.Column(visible=True),
        c.undo: gr.Button(undo or "Nothing to undo", interactive=bool(undo)),
        c.delete.form: gr.Column(visible=False),
        c.pictures: None,
        k.gallery: show_gallery(product, shared.uploads),
        k.remove.ask: gr.Button("Remove the selected picture", interactive=False),
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


def _lay_out_choice() -> Choice:
    product = gr.Dropdown([(NEW, "")], value="", label="Product")
    with gr.Column() as naming:
        name = gr.Textbox(label="Name of the new product", placeholder="for example: bottle neck", max_length=80)
        lying = gr.Radio([*LYING], value=FIND_OUT, label="How parts lie in the picture")
    pictures = gr.File(
        label="Pictures of good parts", file_count="multiple", file_types=sorted(EXTENSIONS), height=180
    )
    refuse_addresses(pictures)
    learn = gr.Button("Learn", variant="primary")
    doubt = lay_out_confirmation("", "Teach them all the same", "Leave them out", "teach-doubt")
    with gr.Column(visible=False) as whole:
        undo = gr.Button("Nothing to undo", size="sm", interactive=False)
        delete = lay_out_question(
            gr.Button("Delete this product", size="sm"),
            "All that the product has learned goes, and there is no way back.",
            "Delete it",
        )
    return Choice(product, naming, name, lying, pictures, learn, doubt, whole, undo, delete)


def _lay_out_knowledge() -> Knowledge:
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            gallery = lay_out_cards("teach-gallery")
            remove = lay_out_question(
                gr.Button("Remove the selected picture", size="sm", interactive=False),
                "The product forgets the picture, and its limits follow. <b>Undo</b> brings it back.",
                "Remove it",
            )
        with gr.Column(scale=2, min_width=300):
            target = gr.Radio(
                [],
                label="False alarms: good parts that may be called defective",
                elem_id="teach-target",
            )
            chart = gr.HTML(elem_id="teach-chart")
            effect = gr.HTML(elem_id="teach-effect")
            save = gr.Button("Keep this target", interactive=False, size="sm")
    return Knowledge(gallery, remove, chart, target, effect, save)


def _lay_out_masks() -> Masks:
    gr.HTML(
        "Paint where to look, what to ignore, or both. Where nothing says where to look, all counts but what is "
        "ignored."
    )
    base = gr.Dropdown([], label="Drawn on", interactive=True)
    painter = lay_out_painter("Masks", {"Look here": LOOK, "Ignore": IGNORE}, "mask-painter")
    with gr.Row():
        save = gr.Button("Keep these masks", variant="primary", size="sm")
        clear_all = gr.Button("Take all masks away", size="sm", interactive=False)
    clear = lay_out_question(
        clear_all,
        "All of the picture counts then. <b>Undo</b> brings them back.",
        "Take them away",
        "Keep them",
    )
    return Masks(base, painter, save, clear)


def _lay_out_defects() -> Defects:
    none = gr.HTML("No defect is known yet. Known defects are found more surely, and called by their names.")
    known = gr.Radio([], label="Known defects", visible=False, elem_id="known-defects")
    remove = lay_out_question(
        gr.Button("Remove the chosen defect", size="sm", visible=False),
        "The product forgets the defect. <b>Undo</b> brings it back.",
        "Remove it",
    )
    picture = gr.File(label="Picture of a defective part", file_types=sorted(EXTENSIONS), height=150)
    refuse_addresses(picture)
    with gr.Column(visible=False) as form:
        label, painter = lay_out_marking("defect-painter")
        add = gr.Button("Add this defect", variant="primary", size="sm")
    return Defects(known, none, remove, picture, form, label, painter, add)
