"""An inspection out of the history on the screen, whichever the place: it is opened, its conversation deleted."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from assistant.errors import HistoryError, told
from assistant.face.history_steps import open_kept
from assistant.face.pairs import show_pairs
from assistant.face.question import Question, lay_out_question
from assistant.face.result import ResultView, cleared, filled, lay_out_result
from assistant.face.session import Result
from assistant.face.shared import QUIET, Resources
from assistant.face.sign_off import SignOffView, lay_out_sign_off, offer_sign_off
from assistant.face.words import show_chat, show_notes
from assistant.inspection import Inspection
from assistant.products.pairs import find_product
from assistant.records.history import History
from assistant.records.sign_offs import lies_at


@dataclass(frozen=True)
class KeptView:
    """The widgets: a result, what has changed since, its sign-off, and the question before talk is deleted."""

    result: ResultView
    notes: gr.HTML
    sign_off: SignOffView
    forget: Question

    @property
    def all(self) -> list[Any]:
        """Everything that another inspection changes; `KeptHandlers.open` gives the values."""
        return [*self.result.all, self.notes, *self.sign_off.all, self.forget.form]


def lay_out_kept(shared: Resources, history: History, welcome: str) -> KeptView:
    """Lay out the widgets, empty but for a line of HTML, and wire what they do among themselves."""
    result = lay_out_result(shared, welcome)
    with result.actions:
        notes = gr.HTML(elem_classes="notes", min_width=200)
        button = gr.Button(shared.w("Delete conversation"), size="sm", min_width=150)
    with result.below:
        sign_off = lay_out_sign_off(shared, history, result.shown)
        line = shared.w("What was asked about this picture, and answered, goes for good.")
        forget = lay_out_question(button, line, shared.w("Delete it"), shared.w("Keep it"))
    handlers = KeptHandlers(shared, history)
    forget.yes.click(handlers.forget, result.shown, [result.shown, result.chat], **QUIET)
    return KeptView(result, notes, sign_off, forget)


@dataclass(frozen=True)
class KeptHandlers:
    """What the widgets call."""

    shared: Resources
    history: History

    def open(self, id: str) -> tuple[Result | None, list[Any]]:
        """An inspection by its id in the history, None where it cannot be shown, and values for `KeptView.all`."""
        w = self.shared.w
        shown: Result | None = None
        notes: list[str] = []
        try:
            kept, shown = open_kept(self.history, id)
            if kept.inspection.status == "error":
                raise HistoryError(kept.inspection.error or told("The picture could not be read."))
            shown = self._as_now(kept.inspection, shown)
            view, signed = filled(shown, w=w), offer_sign_off(self.history, shown, w)
            if self.shared.is_outdated(kept.inspection):
                notes.append(w("Judged before the last change of the product."))
        except Exception as error:
            signed = offer_sign_off(self.history, None)
            view = cleared(
                f'<span class="badge error">{w("NOT READ")}</span>{html.escape(self.shared.say(error))}'
            )
        return shown, [*view, show_notes(notes), *signed, gr.Column(visible=False)]

    def _as_now(self, kept: Inspection, shown: Result) -> Result:
        """What is shown, with a notice where the product has drifted since, and beside good parts."""
        product, picture = find_product(kept, self.shared.products.get), lies_at(kept)
        warned = self.shared.drift.warned(shown.inspection)
        shown = replace(shown, inspection=warned, product=product, lies=str(picture) if picture else None)
        return replace(shown, beside=show_pairs(shown.pairs, kept, self.shared.w))

    def forget(self, shown: Result | None) -> tuple[Result | None, list[dict[str, str]]]:
        """The result and the chat without the conversation, which is removed from the history."""
        if shown is None or shown.kept is None:
            return shown, []
        try:
            self.history.forget_turns(shown.kept)
        except Exception as error:
            self.shared.warn(error)
            return shown, show_chat(shown.turns, self.shared.w)
        return replace(shown, turns=()), []
