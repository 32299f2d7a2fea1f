"""The Teach place: products are made from good pictures, looked through and changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from assistant.face.masks import read_drawing, show_drawing, split_masks, whole_mask
from assistant.face.shared import QUIET, WORK, Desk
from assistant.face.teach_layout import (
    TeachView,
    Update,
    lay_out_view,
    new_or_kept,
    shown_empty,
    shown_product,
)
from assistant.face.teach_steps import Bench, OutdatedView, Shown, mark_of
from assistant.face.teach_view import (
    WELCOME,
    remove_label,
    show_limits,
    show_masks,
    show_said,
    show_trouble,
    shown_references,
)
from assistant.face.uploads import uploaded_path
from assistant.images.load import load_image
from assistant.products.live_store import Shelf
from assistant.products.product import Product

Upload = dict[str, Any]


def lay_out(desk: Desk, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the place inside a tab and wire it."""
    view = lay_out_view(desk)
    _wire(page, tab, Handlers(desk, Bench(Shelf(desk.inspector)), view), view)


@dataclass(frozen=True, eq=False)
class Handlers:
    """What the widgets call. What a visitor sees comes in as `Shown`, and goes out as an `Update`.

    Uploads come unprocessed, as {"path": ...}, so that nobody but `load_image` opens them.
    """

    desk: Desk
    bench: Bench
    view: TeachView

    def open(self, name: str | None) -> Update:
        """Show a product, or the empty place."""
        return self._show(name or "", "" if name else WELCOME)

    def refresh(self, shown: Shown) -> Update:
        """Show what became of products elsewhere; a drawing stays where nothing did."""
        if shown.name not in self.bench.inspector.store.names():
            return self._show("", WELCOME)
        try:
            if shown.mark == mark_of(self.bench.get(shown.name)):
                return {self.view.choice.product: gr.Dropdown(new_or_kept(self.desk))}
        except Exception as error:
            return self._fail(shown, error)
        return self._show(shown.name, "")

    def learn(
        self,
        shown: Shown,
        name: str,
        views: str,
        pictures: list[Upload] | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> Update:
        """Make a product of the pictures, or add them to the one that is shown."""

        def tell(message: str, fraction: float) -> None:
            progress(fraction, desc=message)

        def work() -> Product:
            paths = [uploaded_path(one, self.desk.uploads) for one in pictures or []]
            if shown.name:
                return self.bench.teach_good(shown, paths, tell)
            return self.bench.learn(name, paths, views, tell)

        return self._do(shown, work, "Added." if shown.name else "Learned and kept.")

    def select(self, shown: Shown, event: gr.SelectData) -> Update:
        """Select a reference, and offer to remove it."""
        references = shown_references(self.bench.get(shown.name))
        chosen = references[min(int(event.index), len(references) - 1)]
        button = gr.Button(remove_label(chosen), interactive=len(references) > 1)
        return {self.view.shown: replace(shown, selected=chosen.id), self.view.knowledge.remove: button}

    def remove(self, shown: Shown) -> Update:
        """Remove the selected reference."""
        return self._remove(shown, shown.selected)

    def remove_defect(self, shown: Shown, number: int | None) -> Update:
        """Remove the chosen defect."""
        return self._remove(shown, number)

    def preview(self, shown: Shown, target: float) -> Update:
        """The limits at another target, which is not kept."""
        widgets = self.view.knowledge
        try:
            product = self.bench.get(shown.name)
            chart, effect = show_limits(product, float(target))
        except Exception as error:
            return self._fail(shown, error)
        changed = float(target) != product.calibration.target
        return {widgets.chart: chart, widgets.effect: effect, widgets.save: gr.Button(interactive=changed)}

    def retarget(self, shown: Shown, target: float) -> Update:
        """Keep the target."""
        return self._change(shown, lambda p: self.bench.inspector.retarget(p, float(target)), "Target kept.")

    def draw_on(self, shown: Shown, reference: int | None) -> Update:
        """The masks on another reference."""
        return {self.view.masks.painter: show_masks(self.bench.get(shown.name), reference)}

    def remask(self, shown: Shown, drawing: Upload | None) -> Update:
        """Put the drawn masks in place of the product's own."""

        def work() -> Product:
            roi, ignore = split_masks(read_drawing(drawing))
            return self.bench.change(shown, lambda p: self.bench.inspector.remask(p, roi, ignore))

        return self._do(shown, work, "Masks kept; the limits follow them.")

    def unmask(self, shown: Shown) -> Update:
        """Take all masks away."""
        return self._change(shown, lambda p: self.bench.inspector.remask(p), "All of the picture counts again.")

    def show_defect(self, shown: Shown, picture: Upload | None) -> Update:
        """Offer to mark the defect on an uploaded picture."""
        widgets = self.view.defects
        hidden = {widgets.form: gr.Column(visible=False), widgets.painter: {}}
        if not picture:
            return hidden
        try:
            pixels = load_image(uploaded_path(picture, self.desk.uploads)).pixels
        except Exception as error:
            return hidden | self._fail(shown, error)
        return {widgets.form: gr.Column(visible=True), widgets.painter: show_drawing(pixels)}

    def add_defect(self, shown: Shown, picture: Upload | None, label: str, drawing: Upload | None) -> Update:
        """Teach a known defect, where it is painted or else where the picture is strangest."""

        def work() -> Product:
            path = uploaded_path(picture or {}, self.desk.uploads)
            mask = whole_mask(read_drawing(drawing))
            named = label.strip() or None
            teach = self.bench.inspector.teach
            return self.bench.change(shown, lambda p: teach(p, path, as_="defect", label=named, mask=mask))

        return self._do(shown, work, "The defect is known now.")

    def undo(self, shown: Shown) -> Update:
        """Take the last change back."""
        return self._change(shown, self.bench.inspector.undo, "Undone.")

    def recalibrate(self, shown: Shown) -> Update:
        """Work the limits out again."""
        return self._change(shown, self.bench.inspector.recalibrate, "Limits worked out again.")

    def ask_twice(self) -> Update:
        """Ask before a product is deleted."""
        return {self.view.choice.sure: gr.Column(visible=True)}

    def keep(self) -> Update:
        """Not delete it after all."""
        return {self.view.choice.sure: gr.Column(visible=False)}

    def delete(self, shown: Shown) -> Update:
        """Delete the product."""
        try:
            self.bench.delete(shown)
        except OutdatedView as error:
            return self._show(shown.name, show_trouble(error))
        except Exception as error:
            return self._fail(shown, error)
        return self._show("", show_said(f"The product {shown.name} is deleted."))

    def _remove(self, shown: Shown, number: int | None) -> Update:
        if number is None:
            return {self.view.said: "Select what to remove first."}
        return self._change(shown, lambda p: self.bench.inspector.remove(p, int(number)), "Removed.")

    def _change(self, shown: Shown, how: Callable[[Product], Product], done: str) -> Update:
        return self._do(shown, lambda: self.bench.change(shown, how), done)

    def _do(self, shown: Shown, work: Callable[[], Product], done: str) -> Update:
        """Do something to a product and show it; what a visitor did not see changed is shown instead."""
        try:
            product = work()
        except OutdatedView as error:
            return self._show(shown.name, show_trouble(error))
        except Exception as error:
            return self._fail(shown, error)
        if mark_of(product) == shown.mark:
            done = "Nothing changed: it is known already."
        return self._show(product.name, show_said(done))

    def _fail(self, shown: Shown, error: Exception) -> Update:
        return {self.view.said: show_trouble(error)}

    def _show(self, name: str, said: str) -> Update:
        choices = new_or_kept(self.desk)
        if not name:
            return shown_empty(self.view, choices, said)
        try:
            product = self.bench.get(name)
            stale = self.bench.inspector.is_stale(product)
            return shown_product(self.view, product, choices, said, self.desk.uploads, stale=stale)
        except Exception as error:
            return shown_empty(self.view, choices, show_trouble(error), name)


def _wire(page: gr.Blocks, tab: gr.Tab, handlers: Handlers, view: TeachView) -> None:
    c, k, m, d, shown = view.choice, view.knowledge, view.masks, view.defects, view.shown
    work: dict[str, Any] = {
        "outputs": view.all,
        "preprocess": False,
        "show_progress_on": view.said,
        "api_visibility": "private",
        **WORK,
    }
    c.learn.click(handlers.learn, [shown, c.name, c.views, c.pictures], **work)
    k.remove.click(handlers.remove, shown, **work)
    k.save.click(handlers.retarget, [shown, k.target], **work)
    m.save.click(handlers.remask, [shown, m.painter], **work)
    m.clear.click(handlers.unmask, shown, **work)
    d.add.click(handlers.add_defect, [shown, d.picture, d.label, d.painter], **work)
    d.remove.click(handlers.remove_defect, [shown, d.known], **work)
    c.undo.click(handlers.undo, shown, **work)
    view.recalibrate.click(handlers.recalibrate, shown, **work)
    c.confirm.click(handlers.delete, shown, **work)
    light: dict[str, Any] = {"outputs": view.all, "preprocess": False, **QUIET}
    c.product.input(handlers.open, c.product, **light)
    k.gallery.select(handlers.select, shown, **light)
    k.target.input(handlers.preview, [shown, k.target], **light)
    m.base.input(handlers.draw_on, [shown, m.base], **light)
    for event in (d.picture.upload, d.picture.clear):
        event(handlers.show_defect, [shown, d.picture], **light)
    c.delete.click(handlers.ask_twice, None, **light)
    c.keep.click(handlers.keep, None, **light)
    for shows in (page.load, tab.select):
        shows(handlers.refresh, shown, **light)
