"""The widgets of the Teach place, and what they all show of one product.

Widgets that take uploads only ever get values: an update would make Gradio put new ones in their place, without
the guard of `assistant.face.uploads`. They are shown and hidden by the columns around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from assistant.face.masks import IGNORE, LOOK
from assistant.face.painter import lay_out_painter
from assistant.face.shared import Resources
from assistant.face.teach_steps import SeenProduct
from assistant.face.teach_view import (
    WELCOME,
    defect_choices,
    drawable,
    show_facts,
    show_gallery,
    show_limits,
    show_masks,
    show_order,
    target_choices,
    undo_label,
)
from assistant.face.uploads import refuse_addresses
from assistant.images.sources import EXTENSIONS
from assistant.products.product import Product
from assistant.products.teaching import LONGEST_LABEL

Update = dict[Any, Any]
"""Widgets with what they show next; all others stay as they are."""

VIEWS = [("always alike", "plain"), ("also mirrored", "flips"), ("at any angle", "turns")]


@dataclass(frozen=True)
class Choice:
    """On the left: which product, what it learns from, and what concerns it as a whole."""

    product: gr.Dropdown
    naming: gr.Column
    name: gr.Textbox
    views: gr.Radio
    pictures: gr.File
    learn: gr.Button
    whole: gr.Column
    undo: gr.Button
    delete: gr.Button
    sure: gr.Column
    confirm: gr.Button
    keep: gr.Button


@dataclass(frozen=True)
class Knowledge:
    """The good pictures with their scores, and the limits that follow."""

    order: gr.HTML
    gallery: gr.Gallery
    remove: gr.Button
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
    clear: gr.Button


@dataclass(frozen=True)
class Defects:
    """The known defects, and the form for another."""

    known: gr.Radio
    none: gr.HTML
    remove: gr.Button
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
    details: gr.Column
    facts: gr.HTML
    stale: gr.Column
    recalibrate: gr.Button
    choice: Choice
    knowledge: Knowledge
    masks: Masks
    defects: Defects

    @property
    def all(self) -> list[Any]:
        """Everything that a handler may change."""
        parts = (self.choice, self.knowledge, self.masks, self.defects)
        own = [self.seen, self.said, self.details, self.facts, self.stale]
        return [*own, *(widget for part in parts for widget in vars(part).values())]


def lay_out_view(shared: Resources) -> TeachView:
    """Lay out the widgets, empty."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            choice = _lay_out_choice(shared)
        with gr.Column(scale=5, min_width=320):
            said = gr.HTML(WELCOME, elem_id="teach-said")
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
    return TeachView(
        gr.State(SeenProduct()), said, details, facts, stale, recalibrate, choice, knowledge, masks, defects
    )


def shown_empty(view: TeachView, choices: list[tuple[str, str]], said: str, name: str = "") -> Update:
    """The place without a product, or with one that cannot be read and can only be deleted."""
    c = view.choice
    return {
        view.seen: SeenProduct(name),
        view.said: said,
        view.details: gr.Column(visible=False),
        c.product: gr.Dropdown(choices, value=name),
        c.naming: gr.Column(visible=not name),
        c.learn: gr.Button("Learn", interactive=not name),
        c.whole: gr.Column(visible=bool(name)),
        c.undo: gr.Button("Nothing to undo", interactive=False),
        c.sure: gr.Column(visible=False),
    }


def shown_product(
    view: TeachView, product: Product, choices: list[tuple[str, str]], said: str, folder: str, *, stale: bool
) -> Update:
    """Everything that there is to see of a product. `folder`: where thumbnails go."""
    c, k, m, d = view.choice, view.knowledge, view.masks, view.defects
    target, undo, known = product.calibration.target, undo_label(product), defect_choices(product)
    chart, effect = show_limits(product, target)
    bases = drawable(product)
    return {
        view.seen: SeenProduct.of(product),
        view.said: said,
        view.details: gr.Column(visible=True),
        view.facts: show_facts(product),
        view.stale: gr.Column(visible=stale),
        c.product: gr.Dropdown(choices, value=product.name),
        c.naming: gr.Column(visible=False),
        c.learn: gr.Button("Add good pictures", interactive=True),
        c.whole: gr.Column(visible=True),
        c.undo: gr.Button(undo or "Nothing to undo", interactive=bool(undo)),
        c.sure: gr.Column(visible=False),
        c.pictures: None,
        k.order: show_order(product),
        k.gallery: gr.Gallery(show_gallery(product, folder), selected_index=None),
        k.remove: gr.Button("Remove the selected picture", interactive=False),
        k.chart: chart,
        k.target: gr.Radio(target_choices(product), value=target),
        k.effect: effect,
        k.save: gr.Button(interactive=False),
        m.base: gr.Dropdown(bases, value=bases[0][1] if bases else None),
        m.painter: show_masks(product, None),
        m.clear: gr.Button(interactive=product.looked_at is not None),
        d.known: gr.Radio(known, value=None, visible=bool(known)),
        d.none: gr.HTML(visible=not known),
        d.remove: gr.Button(visible=bool(known)),
        d.picture: None,
        d.form: gr.Column(visible=False),
        d.label: "",
        d.painter: {},
    }


def _lay_out_choice(shared: Resources) -> Choice:
    product = gr.Dropdown(new_or_kept(shared), value="", label="Product")
    with gr.Column() as naming:
        name = gr.Textbox(label="Name of the new product", placeholder="for example: bottle neck", max_length=80)
        views = gr.Radio(VIEWS, value="plain", label="How parts lie in the picture")
    pictures = gr.File(
        label="Pictures of good parts", file_count="multiple", file_types=sorted(EXTENSIONS), height=180
    )
    refuse_addresses(pictures)
    learn = gr.Button("Learn", variant="primary")
    with gr.Column(visible=False) as whole:
        undo = gr.Button("Nothing to undo", size="sm", interactive=False)
        delete = gr.Button("Delete this product", size="sm")
    with gr.Column(visible=False) as sure:
        gr.HTML("All that the product has learned goes, and there is no way back.")
        with gr.Row():
            confirm = gr.Button("Delete it", variant="stop", size="sm", min_width=100)
            keep = gr.Button("Keep it", size="sm", min_width=100)
    return Choice(product, naming, name, views, pictures, learn, whole, undo, delete, sure, confirm, keep)


def new_or_kept(shared: Resources) -> list[tuple[str, str]]:
    """The choices of a product, the first being a new one."""
    return [("New product", ""), *shared.product_choices()[1:]]


def _lay_out_knowledge() -> Knowledge:
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            order = gr.HTML()
            gallery = gr.Gallery(
                label="Good pictures",
                show_label=False,
                columns=3,
                object_fit="contain",
                interactive=False,
                buttons=[],
                elem_id="teach-gallery",
            )
            remove = gr.Button("Remove the selected picture", size="sm", interactive=False)
        with gr.Column(scale=2, min_width=300):
            target = gr.Radio(
                [],
                label="False alarms: good parts that may be called defective",
                elem_id="teach-target",
            )
            chart = gr.HTML(elem_id="teach-chart")
            effect = gr.HTML(elem_id="teach-effect")
            save = gr.Button("Keep this target", interactive=False, size="sm")
    return Knowledge(order, gallery, remove, chart, target, effect, save)


def _lay_out_masks() -> Masks:
    gr.HTML(
        "Paint where to look, what to ignore, or both. Where nothing says where to look, all counts but what is "
        "ignored."
    )
    base = gr.Dropdown([], label="Drawn on", interactive=True)
    painter = lay_out_painter("Masks", {"Look here": LOOK, "Ignore": IGNORE}, "mask-painter")
    with gr.Row():
        save = gr.Button("Keep these masks", variant="primary", size="sm")
        clear = gr.Button("Take all masks away", size="sm", interactive=False)
    return Masks(base, painter, save, clear)


def _lay_out_defects() -> Defects:
    none = gr.HTML("No defect is known yet. Known defects are found more surely, and called by their names.")
    known = gr.Radio([], label="Known defects", visible=False, elem_id="known-defects")
    remove = gr.Button("Remove the chosen defect", size="sm", visible=False)
    picture = gr.File(label="Picture of a defective part", file_types=sorted(EXTENSIONS), height=150)
    refuse_addresses(picture)
    with gr.Column(visible=False) as form:
        label = gr.Textbox(label="What to call it", placeholder="such as: chipped rim", max_length=LONGEST_LABEL)
        gr.HTML("Paint over the defect, or paint nothing: then it is where the picture is strangest.")
        painter = lay_out_painter("Where the defect is", {"Defect": IGNORE}, "defect-painter")
        add = gr.Button("Add this defect", variant="primary", size="sm")
    return Defects(known, none, remove, picture, form, label, painter, add)
