"""The Teach place: products are learned from good pictures, looked through, changed and deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from assistant.face.check_panel import CheckHandlers, wire_check
from assistant.face.effect import ask_doubt, say_effect, show_what_if
from assistant.face.listing import picked
from assistant.face.masks import IGNORE, read_drawing, show_drawing
from assistant.face.offered_limits import OfferedLimits, offered_to
from assistant.face.production_panel import ProductionHandlers, wire_production
from assistant.face.shared import QUIET, WORK, Resources
from assistant.face.teach_layout import (
    NEW,
    TeachView,
    Update,
    lay_out_view,
    shown_empty,
    shown_product,
)
from assistant.face.teach_steps import OutdatedView, ProductEditor, SeenProduct, mark_of
from assistant.face.teach_view import (
    WELCOME,
    read_masks,
    remove_label,
    show_gallery,
    show_limits,
    show_masks,
    show_said,
    show_trouble,
    shown_references,
)
from assistant.face.uploads import uploaded_path
from assistant.face.what_if_panel import WhatIfHandlers, wire_what_if
from assistant.images.load import load_image
from assistant.language.catalogue import message
from assistant.language.retelling import retell
from assistant.products.learning import Tell
from assistant.products.product import Product
from assistant.products.teaching import DoubtfulTeaching

Upload = dict[str, Any]


def lay_out(shared: Resources, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the place inside a tab and wire it."""
    view = lay_out_view(shared)
    _wire(page, tab, TeachHandlers(shared, ProductEditor(shared.inspector, shared.products), view), view)


@dataclass(frozen=True, eq=False)
class TeachHandlers:
    """What the widgets call. What a visitor sees comes in as `SeenProduct`, and goes out as an `Update`.

    Uploads come unprocessed, as {"path": ...}, so that nobody but `load_image` opens them.
    """

    shared: Resources
    editor: ProductEditor
    view: TeachView

    def open(self, seen: SeenProduct, name: str | None) -> Update:
        """Show a product, or the empty place; one that is seen already stays, with what was tried on it."""
        if name and name == seen.name:
            return self.refresh(seen)
        return self._show(name or "", "" if name else self.shared.w(WELCOME))

    def refresh(self, seen: SeenProduct) -> Update:
        """Show what became of products elsewhere; a drawing stays where nothing did."""
        if seen.name not in self.shared.products.names():
            return self._show("", self.shared.w(WELCOME))
        try:
            if seen.mark == mark_of(self.editor.get(seen.name)):
                return {self.view.choice.product: self.shared.choose_product(seen.name, self.shared.w(NEW))}
        except Exception as error:
            return self._fail(seen, error)
        return self._show(seen.name, "")

    def learn(
        self,
        seen: SeenProduct,
        name: str,
        lying: str,
        pictures: list[Upload] | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> Update:
        """Make a product of the pictures, or add them to the one that is shown."""

        def tell(said: str, fraction: float) -> None:
            progress(fraction, desc=retell(self.shared.w, said))

        try:
            paths = [uploaded_path(one, self.shared.uploads) for one in pictures or []]
        except Exception as error:
            return self._fail(seen, error)
        if seen.name:
            return self._add(replace(seen, doubted=tuple(paths)), tell)
        return self._do(seen, lambda: self.editor.learn(name, paths, lying, tell), message("Learned and kept."))

    def confirm(
        self,
        seen: SeenProduct,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> Update:
        """Add the pictures that were asked about, although they are hardly good parts."""

        def tell(said: str, fraction: float) -> None:
            progress(fraction, desc=retell(self.shared.w, said))

        return self._add(seen, tell, confirm=True)

    def select(self, seen: SeenProduct, event: gr.EventData) -> Update:
        """Select a reference, and offer to remove it."""
        widgets = self.view.knowledge
        try:
            product = self.editor.get(seen.name)
            references = shown_references(product)
            chosen = next((one for one in references if str(one.id) == picked(event)), references[0])
            gallery = show_gallery(product, self.shared.uploads, chosen.id, self.shared.w)
        except Exception as error:
            return self._fail(seen, error)
        return {
            self.view.seen: replace(seen, selected=chosen.id),
            widgets.gallery: gallery,
            widgets.remove.ask: gr.Button(remove_label(chosen, self.shared.w), interactive=len(references) > 1),
            widgets.remove.form: gr.Column(visible=False),
        }

    def remove(self, seen: SeenProduct) -> Update:
        """Remove the selected reference."""
        return self._remove(seen, seen.selected)

    def remove_defect(self, seen: SeenProduct, number: int | None) -> Update:
        """Remove the chosen defect."""
        return self._remove(seen, number)

    def preview(self, seen: SeenProduct, target: float) -> Update:
        """The limits at another target, which is not kept."""
        widgets = self.view.knowledge
        try:
            product = self.editor.get(seen.name)
            chart, effect = show_limits(product, float(target), self.shared.w)
            effect += show_what_if(self.shared, product, product.calibration.at(float(target)))
        except Exception as error:
            return self._fail(seen, error)
        changed = float(target) != product.calibration.target
        return {widgets.chart: chart, widgets.effect: effect, widgets.save: gr.Button(interactive=changed)}

    def retarget(self, seen: SeenProduct, target: float) -> Update:
        """Keep the target."""
        return self._change(
            seen, lambda p: self.editor.teacher.retarget(p, float(target)), message("Target kept.")
        )

    def keep_target(self, seen: SeenProduct, percent: float) -> Update:
        """Keep the target of the what-if panel, in per cent."""
        return self.retarget(seen, percent / 100)

    def keep_limits(self, seen: SeenProduct, limits: OfferedLimits | None) -> Update:
        """Keep limits that a panel has shown."""

        def keep(product: Product) -> Product:
            offered = offered_to(seen.mark, limits)
            return self.editor.teacher.keep_limits(product, offered.calibration, offered.by)

        return self._change(seen, keep, message("Limits kept."))

    def draw_on(self, seen: SeenProduct, reference: int | None) -> Update:
        """The masks on another reference."""
        return {self.view.masks.painter: show_masks(self.editor.get(seen.name), reference)}

    def remask(self, seen: SeenProduct, base: int | None, drawing: Upload | None) -> Update:
        """Put the masks that were drawn on a reference in place of the product's own."""

        def work() -> Product:
            return self.editor.change(seen, lambda p: self.editor.teacher.remask(p, *read_masks(p, base, drawing)))

        return self._do(seen, work, message("Masks kept; the limits follow them."))

    def unmask(self, seen: SeenProduct) -> Update:
        """Take all masks away."""
        return self._change(
            seen, lambda p: self.editor.teacher.remask(p), message("All of the picture counts again.")
        )

    def show_defect(self, seen: SeenProduct, picture: Upload | None) -> Update:
        """Offer to mark the defect on an uploaded picture."""
        widgets = self.view.defects
        hidden = {widgets.form: gr.Column(visible=False), widgets.painter: {}}
        if not picture:
            return hidden
        try:
            pixels = load_image(uploaded_path(picture, self.shared.uploads)).pixels
        except Exception as error:
            return hidden | self._fail(seen, error)
        return {widgets.form: gr.Column(visible=True), widgets.painter: show_drawing(pixels)}

    def add_defect(self, seen: SeenProduct, picture: Upload | None, label: str, drawing: Upload | None) -> Update:
        """Teach a known defect, where it is painted or else where the picture is strangest."""

        def work() -> Product:
            path = uploaded_path(picture or {}, self.shared.uploads)
            mask = read_drawing(drawing, IGNORE)
            named = label.strip() or None
            teach = self.editor.teacher.teach
            return self.editor.change(seen, lambda p: teach(p, path, as_="defect", label=named, mask=mask))

        return self._do(seen, work, message("The defect is known now."))

    def undo(self, seen: SeenProduct) -> Update:
        """Take the last change back."""
        return self._change(seen, lambda p: p.undo(), message("Undone."))

    def recalibrate(self, seen: SeenProduct) -> Update:
        """Work the limits out again."""
        return self._change(seen, self.editor.teacher.recalibrate, message("Limits worked out again."))

    def delete(self, seen: SeenProduct) -> Update:
        """Delete the product."""
        w = self.shared.w
        try:
            self.editor.delete(seen)
        except OutdatedView as error:
            return self._show(seen.name, show_trouble(error, self.shared.w))
        except Exception as error:
            return self._fail(seen, error)
        return self._show("", show_said(w("The product {name} is deleted.", name=seen.name), w))

    def _add(self, seen: SeenProduct, tell: Tell, confirm: bool = False) -> Update:
        return self._do(seen, lambda: self.editor.teach_good(seen, seen.doubted, tell, confirm), message("Added."))

    def _remove(self, seen: SeenProduct, number: int | None) -> Update:
        if number is None:
            return {self.view.said: self.shared.w("Select what to remove first.")}
        return self._change(seen, lambda p: self.editor.teacher.remove(p, int(number)), message("Removed."))

    def _change(self, seen: SeenProduct, how: Callable[[Product], Product], done: str) -> Update:
        return self._do(seen, lambda: self.editor.change(seen, how), done)

    def _do(self, seen: SeenProduct, work: Callable[[], Product], done: str) -> Update:
        """Do something to a product and show it; what a visitor did not see changed is shown instead."""
        try:
            before = self.editor.get(seen.name) if seen.name else None
            product = work()
        except OutdatedView as error:
            return self._show(seen.name, show_trouble(error, self.shared.w))
        except DoubtfulTeaching as doubt:
            return {
                self.view.seen: seen,
                self.view.said: "",
                **self.view.choice.doubt.asks(ask_doubt(self.shared, doubt)),
            }
        except Exception as error:
            return self._fail(seen, error)
        w = self.shared.w
        done = w(done)
        if mark_of(product) == seen.mark:
            done = w("Nothing changed: it is known already.")
        elif before:
            done = w.put_together([done, say_effect(self.shared, before, product)])
        return self._show(product.name, show_said(done, w))

    def _fail(self, seen: SeenProduct, error: Exception) -> Update:
        return {self.view.said: show_trouble(error, self.shared.w)}

    def _show(self, name: str, said: str) -> Update:
        if not name:
            return shown_empty(self.view, self.shared, said)
        try:
            product = self.editor.get(name)
            stale = self.editor.teacher.is_stale(product)
            return shown_product(self.view, product, self.shared, said, stale=stale)
        except Exception as error:
            return shown_empty(self.view, self.shared, show_trouble(error, self.shared.w), name)


def _wire(page: gr.Blocks, tab: gr.Tab, handlers: TeachHandlers, view: TeachView) -> None:
    c, k, m, d, seen = view.choice, view.knowledge, view.masks, view.defects, view.seen
    work: dict[str, Any] = {
        "outputs": view.all,
        "preprocess": False,
        "show_progress_on": view.said,
        "api_visibility": "private",
        **WORK,
    }
    c.learn.click(handlers.learn, [seen, c.name, c.lying, c.pictures], **work)
    c.doubt.yes.click(handlers.confirm, seen, **work)
    k.remove.yes.click(handlers.remove, seen, **work)
    k.save.click(handlers.retarget, [seen, k.target], **work)
    m.save.click(handlers.remask, [seen, m.base, m.painter], **work)
    m.clear.yes.click(handlers.unmask, seen, **work)
    view.what_if.keep.click(handlers.keep_target, [seen, view.what_if.target], **work)
    for offer in (view.check.offer, view.production.offer):
        offer.keep.click(handlers.keep_limits, [seen, offer.limits], **work)
    d.add.click(handlers.add_defect, [seen, d.picture, d.label, d.painter], **work)
    d.remove.yes.click(handlers.remove_defect, [seen, d.known], **work)
    c.undo.click(handlers.undo, seen, **work)
    view.recalibrate.click(handlers.recalibrate, seen, **work)
    c.delete.yes.click(handlers.delete, seen, **work)
    own = handlers.shared, handlers.editor
    wire_what_if(view.what_if, WhatIfHandlers(*own, view.what_if), seen)
    wire_check(view.check, CheckHandlers(*own, view.check), seen)
    wire_production(view.production, ProductionHandlers(*own, view.production), seen)
    light: dict[str, Any] = {"outputs": view.all, "preprocess": False, **QUIET}
    c.product.input(handlers.open, [seen, c.product], **light)
    k.gallery.select(handlers.select, seen, **light)
    k.target.input(handlers.preview, [seen, k.target], **light)
    m.base.input(handlers.draw_on, [seen, m.base], **light)
    for event in (d.picture.upload, d.picture.clear):
        event(handlers.show_defect, [seen, d.picture], **light)
    for shows in (page.load, tab.select):
        shows(handlers.refresh, seen, **light)
