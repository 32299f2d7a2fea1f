"""The Inspect place: pictures, a product or references, the results, and what to do where one is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from assistant.errors import LooktwiceError
from assistant.face.cards import Card, lay_out_cards, show_cards
from assistant.face.correction import UNTAUGHT, Correction, lay_out_buttons, lay_out_correction, offer
from assistant.face.drawing import DrawingOptions
from assistant.face.drift import lay_out_drift, show_drift
from assistant.face.embedded import embed, embed_thumbnail
from assistant.face.examples import EXAMPLES, draw_example, make_example
from assistant.face.listing import picked
from assistant.face.masks import IGNORE, read_drawing, show_drawing
from assistant.face.result import ResultView, cleared, filled, lay_out_result
from assistant.face.session import (
    Result,
    Session,
    correct_result,
    inspect_pictures,
    show_result,
    undo_change,
)
from assistant.face.shared import QUIET, WORK, Resources, lay_out_group, lay_out_shipped, scroll_to
from assistant.face.uploads import refuse_addresses, uploaded_path
from assistant.face.words import JUDGED_EARLIER, show_error, show_notes
from assistant.images.sources import EXTENSIONS
from assistant.language.catalogue import Wording, message
from assistant.language.retelling import retell
from assistant.language.wording import number

WELCOME = message(
    "Drop, paste or take one or several pictures and press <b>Inspect</b>. With a saved product, or a few good "
    "references, it sees much more."
)
FOCUS = "() => { document.querySelector('#inspect')?.focus(); }"
"""After an upload, Enter inspects."""


def lay_out(shared: Resources, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the place inside a tab and wire it."""
    with gr.Row():
        with gr.Column(scale=2, min_width=290):
            left = _lay_out_inputs(shared)
        with gr.Column(scale=7, min_width=310):
            drift = lay_out_drift("inspect-drift")
            strip = lay_out_cards("strip", 118, visible=False)
            right = lay_out_result(shared, shared.w(WELCOME), public=True)
            with right.actions:
                buttons = lay_out_buttons(shared.w)
            with right.below:
                correction = lay_out_correction(buttons, shared.w)
            examples = lay_out_cards("examples", 200)
    screen = Screen(left, drift, strip, right, correction, examples, gr.State(Session()))
    _wire(page, tab, InspectHandlers(shared), screen)


@dataclass(frozen=True)
class Inputs:
    """The widgets on the left."""

    pictures: gr.Gallery
    product: gr.Dropdown
    references: gr.File
    shipped: gr.Checkbox
    group: gr.Textbox
    inspect: gr.Button


@dataclass(frozen=True)
class Screen:
    """All widgets of the place."""

    left: Inputs
    drift: gr.HTML
    strip: gr.HTML
    right: ResultView
    correction: Correction
    examples: gr.HTML
    session: gr.State

    @property
    def all(self) -> list[Any]:
        """What an inspection or a correction changes, `InspectHandlers.screen` gives the values."""
        return [self.session, *self.right.all, self.strip, *self.correction.all, self.examples]


def _lay_out_inputs(shared: Resources) -> Inputs:
    w = shared.w
    pictures = gr.Gallery(
        label=w("Pictures to inspect"),
        type="filepath",
        sources=["upload", "webcam", "clipboard"],
        file_types=["image"],  # with extensions here, nothing that is pasted is taken for a picture
        interactive=True,
        columns=2,
        fit_columns=False,
        height=260,
        object_fit="contain",
        buttons=[],
        elem_id="pictures",
    )
    product = gr.Dropdown([(w("none"), "")], value="", label=w("Product"))
    with gr.Accordion(w("Good references instead"), open=False):
        references = gr.File(
            label=w("Good references (any number)"),
            file_count="multiple",
            file_types=sorted(EXTENSIONS),
            height=170,
        )
    with gr.Accordion(w("Settings"), open=False):
        group = lay_out_group(w)
        shipped = lay_out_shipped(w)
    refuse_addresses(pictures, w)
    refuse_addresses(references, w)
    inspect = gr.Button(w("Inspect"), variant="primary", elem_id="inspect")
    return Inputs(pictures, product, references, shipped, group, inspect)


@dataclass(frozen=True)
class InspectHandlers:
    """What the widgets call: the inspector is shared, everything of a visitor comes in with the session.

    Uploads come unprocessed, as {"path": ...}, so that nobody but `load_image` opens them.
    """

    shared: Resources

    def inspect(
        self,
        pictures: list[dict[str, Any]] | None,
        references: list[dict[str, Any]] | None,
        product: str | None,
        view: str,
        opacity: float,
        scale: str,
        shipped: bool,
        group: str | None,
        session: Session,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> list[Any]:
        """Values for `Screen.all`; `shipped` and `group` as for `inspect_pictures`."""

        def tell(message: str, fraction: float) -> None:
            progress(fraction, desc=retell(self.shared.w, message))

        try:
            options = DrawingOptions(view, opacity, scale)
            paths = self._paths(pictures)
            others = [uploaded_path(one, self.shared.uploads) for one in references or []]
            done = inspect_pictures(self.shared, paths, others, product, session, tell, shipped, group or "")
            return self.screen(done, options)
        except Exception as error:
            return self.blank(session, show_error(error, self.shared.w))

    def false_alarm(
        self, view: str, opacity: float, scale: str, shown: Result | None, session: Session, confirm: bool = False
    ) -> list[Any]:
        """Values for `Screen.all` after the product learned that the part on the screen is good.

        `confirm`: also where it was asked about because it is hardly a good one.
        """

        def teach(now: Session) -> Session:
            return correct_result(self.shared, now, "false alarm", confirm=confirm)

        return self._step(teach, view, opacity, scale, shown, session)

    def ask_where(self, shown: Result | None) -> tuple[Any, Any, Any]:
        """The form that asks about a missed defect: in it stands the picture, and no more below it."""
        try:
            if shown is None or shown.picture is None:
                raise LooktwiceError("Inspect a picture first.")
            drawing = show_drawing(shown.pixels)
        except Exception as error:
            self.shared.warn(error)
            return gr.skip(), gr.skip(), gr.skip()
        return gr.Column(visible=True), drawing, gr.Row(visible=False)

    def cancel(self) -> tuple[Any, Any]:
        """The form hidden, and the picture back in its place."""
        return gr.Column(visible=False), gr.Row(visible=True)

    def missed(
        self,
        label: str,
        drawing: dict[str, Any] | None,
        view: str,
        opacity: float,
        scale: str,
        shown: Result | None,
        session: Session,
    ) -> list[Any]:
        """Values for `Screen.all` after the product learned a defect: where it was painted, and its name."""

        def teach(now: Session) -> Session:
            return correct_result(self.shared, now, "missed", label.strip() or None, read_drawing(drawing, IGNORE))

        return self._step(teach, view, opacity, scale, shown, session)

    def undo(self, view: str, opacity: float, scale: str, shown: Result | None, session: Session) -> list[Any]:
        """Values for `Screen.all` after the last change of the product was taken back."""
        return self._step(lambda now: undo_change(self.shared, now), view, opacity, scale, shown, session)

    def pick(
        self, view: str, opacity: float, scale: str, shown: Result | None, session: Session, event: gr.EventData
    ) -> list[Any]:
        """Values for `Screen.all` with the result that was picked from the strip."""
        place = picked(event)

        def go(now: Session) -> Session:
            if not place.isdecimal() or int(place) >= len(now.results):
                raise LooktwiceError("There is no such result.")
            return show_result(self.shared, now, int(place))

        return self._step(go, view, opacity, scale, shown, session)

    def forget(self, pictures: list[dict[str, Any]] | None, session: Session) -> list[Any]:
        """Values for `Screen.all` once other pictures are there: no answer is about one that is gone."""
        try:
            same = tuple(self._paths(pictures)) == session.pictures
        except Exception:
            same = False
        if same:
            return [gr.skip()] * len(self.blank(session, ""))
        return self.blank(session, self.shared.w(WELCOME), keep=not pictures)

    def try_example(self, event: gr.EventData) -> tuple[list[str], list[str], str]:
        """The pictures, the references and no product, of an example that was picked."""
        name = next((name for name in EXAMPLES if name == picked(event)), EXAMPLES[0])
        example = make_example(name, self.shared.uploads)
        return list(example.pictures), list(example.references), ""

    def show_examples(self) -> str:
        """The examples as cards, one picture of each."""
        w = self.shared.w
        cards = [Card(name, embed(draw_example(name)), w(name)) for name in EXAMPLES]
        return show_cards(w("Or try a generated example"), cards)

    def list_products(self, product: str | None) -> gr.Dropdown:
        """The saved products as they are now, with the chosen one."""
        return self.shared.choose_product(product)

    def show_drift(self, product: str | None) -> gr.HTML:
        """The banner of the chosen product, where its limits no longer fit."""
        return show_drift(self.shared, [product] if product else [])

    def screen(self, session: Session, options: DrawingOptions) -> list[Any]:
        """Values for `Screen.all` with what the session shows."""
        known, w = session.against is not None, self.shared.w
        cards = [_card(session, place, w) for place in range(len(session.results))]
        strip = show_cards(w("Results, the highest score first"), cards, str(session.place), w=w)
        notes = [*filter(None, (session.said,)), *session.notes] or ([] if known else [w(UNTAUGHT)])
        return [
            session,
            *filled(session.shown, options, w),
            gr.HTML(strip, visible=len(cards) > 1),
            *offer(session.shown.inspection, known, session.known.undo, show_notes(notes), session.doubt, w),
            gr.HTML(visible=False),
        ]

    def blank(self, session: Session, line: str, *, keep: bool = False) -> list[Any]:
        """Values for `Screen.all` with a line of HTML in place of a result."""
        session = replace(session, results=(), pictures=(), notes=(), said="", doubt="")
        hidden = [gr.HTML("", visible=False), *offer(None, False, "", "", w=self.shared.w)]
        return [session, *cleared(line), *hidden, gr.HTML(visible=keep)]

    def _paths(self, pictures: list[dict[str, Any]] | None) -> list[str]:
        return [
            uploaded_path(one.get("image") or one.get("video") or {}, self.shared.uploads)
            for one in pictures or []
        ]

    def _step(
        self,
        step: Callable[[Session], Session],
        view: str,
        opacity: float,
        scale: str,
        shown: Result | None,
        session: Session,
    ) -> list[Any]:
        try:
            now = session.showing(shown) if shown and session.results else session
            return self.screen(step(now), DrawingOptions(view, opacity, scale))
        except Exception as error:
            self.shared.warn(error)
            return [gr.skip()] * len(self.blank(session, ""))


def _card(session: Session, place: int, w: Wording) -> Card:
    result = session.results[place]
    inspection = result.inspection
    note = w(JUDGED_EARLIER) if session.is_outdated(result) else ""
    picture = embed_thumbnail(result.preview or b"")
    return Card(str(place), picture, inspection.path, inspection.outcome, number(inspection.score), note)


def _wire(page: gr.Blocks, tab: gr.Tab, handlers: InspectHandlers, at: Screen) -> None:
    left, right = at.left, at.right
    wanted = [left.pictures, left.references, left.product, *right.options, left.shipped, left.group, at.session]
    busy: dict[str, Any] = {"preprocess": False, "show_progress_on": right.verdict, **WORK}
    done = left.inspect.click(handlers.inspect, wanted, at.all, **busy, **handlers.shared.door("inspect"))
    chosen = at.examples.select(
        handlers.try_example, None, [left.pictures, left.references, left.product], **QUIET
    )
    tried = chosen.then(handlers.inspect, wanted, at.all, **busy, api_visibility="private")
    now = [*right.options, right.shown, at.session]
    step: dict[str, Any] = {"show_progress_on": right.verdict, "api_visibility": "private", **WORK}
    wrong = at.correction
    steps = [
        done,
        tried,
        wrong.false_alarm.click(handlers.false_alarm, now, at.all, **step),
        wrong.doubt.yes.click(partial(handlers.false_alarm, confirm=True), now, at.all, **step),
        wrong.teach.click(handlers.missed, [wrong.label, wrong.painter, *now], at.all, **step),
        wrong.undo.click(handlers.undo, now, at.all, **step),
        at.strip.select(handlers.pick, now, at.all, **QUIET, **WORK),
    ]
    for event in (done.then, left.product.change):
        event(handlers.show_drift, left.product, at.drift, **QUIET)
    for one in steps:
        one.success(None, None, None, js=scroll_to("#verdict"), **QUIET)
    asked = wrong.missed.click(handlers.ask_where, right.shown, [wrong.form, wrong.painter, right.body], **QUIET)
    asked.success(None, None, None, js=scroll_to("#missed", always=True), **QUIET)
    wrong.cancel.click(handlers.cancel, None, [wrong.form, right.body], **QUIET)
    left.pictures.change(
        handlers.forget, [left.pictures, at.session], at.all, preprocess=False, trigger_mode="multiple", **QUIET
    )
    left.pictures.upload(None, None, None, js=FOCUS, **QUIET)
    for shown in (page.load, tab.select):
        shown(handlers.list_products, left.product, left.product, **QUIET)
    page.load(handlers.show_examples, None, at.examples, **QUIET)
