"""The sign-off of an inspection on the screen: what a person decides about the part, why, and who it was."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from assistant.face.session import Result
from assistant.face.shared import ACTOR, QUIET, Resources
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.records.agreement import LONGEST_REASON, LONGEST_SIGNER, Decision, SignOff, current
from assistant.records.entries import KeptInspection
from assistant.records.history import History
from assistant.reports.words import say_sign_off

OPEN = message("open")
"""What a part in review is called until somebody has signed it off."""


@dataclass(frozen=True)
class SignOffView:
    """The widgets: what was signed, a form, and the events after which lists that show it are out of date."""

    form: gr.Column
    given: gr.HTML
    reason: gr.Textbox
    name: gr.Textbox
    withdraw: gr.Button
    changed: tuple[Any, ...] = ()

    @property
    def all(self) -> list[Any]:
        """Everything that another inspection changes; the name stays. `offer_sign_off` gives the values."""
        return [self.form, self.given, self.reason, self.withdraw]


def lay_out_sign_off(shared: Resources, history: History, shown: gr.State) -> SignOffView:
    """Lay out the widgets for the inspection that `shown` holds, and wire them."""
    w = shared.w
    with gr.Column(visible=False, elem_classes="sign-off") as form:
        given = gr.HTML()
        with gr.Row():
            reason = gr.Textbox(
                label=w("Your decision: why"), max_lines=1, max_length=LONGEST_REASON, scale=3, min_width=180
            )
            name = gr.Textbox(label=w("Your name"), max_lines=1, max_length=LONGEST_SIGNER, scale=2, min_width=120)
        with gr.Row():
            good = gr.Button(w("Sign off as good"), size="sm", min_width=130)
            defect = gr.Button(w("Sign off as defect"), size="sm", min_width=130)
            withdraw = gr.Button(w("Withdraw"), size="sm", min_width=90, visible=False)
    view = SignOffView(form, given, reason, name, withdraw)
    handlers = SignOffHandlers(shared, history)
    asked: dict[str, Any] = {"inputs": [shown, reason, name], "outputs": view.all, **QUIET}
    done = [
        good.click(partial(handlers.sign, "good"), **asked),
        defect.click(partial(handlers.sign, "defect"), **asked),
        withdraw.click(handlers.withdraw, **asked),
    ]
    return replace(view, changed=tuple(done))


def offer_sign_off(history: History, shown: Result | None, w: Wording = ENGLISH_WORDS) -> list[Any]:
    """Values for `SignOffView.all`: what was signed about an inspection, and an empty form."""
    if shown is None or shown.kept is None:
        return [gr.Column(visible=False), "", "", gr.Button(visible=False)]
    signed = history.sign_offs.of(shown.kept)
    return [gr.Column(visible=True), show_sign_offs(signed, w), "", gr.Button(visible=bool(current(signed)))]


def show_sign_offs(signed: tuple[SignOff, ...], w: Wording = ENGLISH_WORDS) -> str:
    """What people decided, the newest first and the one that counts in bold, as HTML."""
    if not signed:
        return f"<p>{w('Nobody has signed this part off yet.')}</p>"
    counts = current(signed)
    said = [(say_sign_off(one, w), one is counts) for one in reversed(signed)]
    lines = ((html.escape(line if line[-1] in ".!?。！？" else f"{line}."), bold) for line, bold in said)
    return "".join(f"<p><b>{line}</b></p>" if bold else f"<p><small>{line}</small></p>" for line, bold in lines)


def standing_of(kept: KeptInspection, w: Wording = ENGLISH_WORDS) -> str:
    """Where the decision of a person stands, in a few words; "" where none is waited for."""
    if kept.sign_off:
        good = kept.sign_off.decision == "good"
        return w("signed off as good") if good else w("signed off as defect")
    return w(OPEN) if kept.inspection.verdict == "review" else ""


@dataclass(frozen=True)
class SignOffHandlers:
    """What the widgets call."""

    shared: Resources
    history: History

    def sign(self, decision: Decision, shown: Result | None, reason: str, name: str) -> list[Any]:
        """Values for `SignOffView.all` after the part was signed off."""
        log = self.shared.inspector.store.log
        return self._do(
            shown, lambda id: self.history.sign_offs.add(id, decision, reason, name, actor=ACTOR, log=log)
        )

    def withdraw(self, shown: Result | None, reason: str, name: str) -> list[Any]:
        """As `sign`, after the sign-off that counts was withdrawn by whoever gives the name."""
        log = self.shared.inspector.store.log
        return self._do(shown, lambda id: self.history.sign_offs.withdraw(id, name, actor=ACTOR, log=log))

    def _do(self, shown: Result | None, what: Callable[[int], SignOff]) -> list[Any]:
        try:
            if shown is not None and shown.kept is not None:
                what(shown.kept)
            return offer_sign_off(self.history, shown, self.shared.w)
        except Exception as error:
            self.shared.warn(error)
            return [gr.skip()] * 4
