"""The Inspect place: pictures, a product or references, the results, and what to do where one is wrong."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from PIL import Image

from assistant.face.drawing import DrawingOptions
from assistant.face.examples import EXAMPLES, make_example
from assistant.face.result import ResultView, cleared, filled, lay_out_result
from assistant.face.session import (
    Result,
    Session,
    correct_result,
    inspect_pictures,
    show_result,
    undo_correction,
)
from assistant.face.shared import QUIET, WORK, Resources
from assistant.face.uploads import refuse_addresses, uploaded_path
from assistant.face.words import sentence, show_error, show_notes
from assistant.images.sources import EXTENSIONS
from assistant.language.wording import number
from assistant.products.teaching import Correction

WELCOME = (
    "Drop, paste or take one or several pictures and press <b>Inspect</b>. With a saved product, or a few good "
    "references, it sees much more. Or try a generated example:"
)
FOCUS = "() => { document.querySelector('#inspect')?.focus(); }"
"""After an upload, Enter inspects."""


def lay_out(shared: Resources, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the place inside a tab and wire it."""
    with gr.Row():
        with gr.Column(scale=2, min_width=290):
            left = _lay_out_inputs(shared)
        with gr.Column(scale=7, min_width=310):
            strip = _lay_out_strip()
            right = lay_out_result(shared, WELCOME, public=True)
            with right.actions:
                actions = _lay_out_actions()
            examples = _lay_out_examples()
    screen = Screen(left, strip, right, *actions, examples, gr.State(Session()))
    _wire(page, tab, InspectHandlers(shared), screen)


@dataclass(frozen=True)
class Inputs:
    """The widgets on the left."""

    pictures: gr.Gallery
    product: gr.Dropdown
    references: gr.File
    inspect: gr.Button


@dataclass(frozen=True)
class Screen:
    """All widgets of the place."""

    left: Inputs
    strip: gr.Gallery
    right: ResultView
    false_alarm: gr.Button
    missed: gr.Button
    undo: gr.Button
    notes: gr.HTML
    examples: gr.Gallery
    session: gr.State

    @property
    def all(self) -> list[Any]:
        """What an inspection or a correction changes, `InspectHandlers.screen` gives the values."""
        mine = [self.strip, self.false_alarm, self.missed, self.undo, self.notes, self.examples]
        return [self.session, *self.right.all, *mine]


def _lay_out_inputs(shared: Resources) -> Inputs:
    pictures = gr.Gallery(
        label="Pictures to inspect",
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
    product = gr.Dropdown(shared.product_choices(), value="", label="Product")
    with gr.Accordion("Good references instead", open=False):
        references = gr.File(
            label="Good references (any number)",
            file_count="multiple",
            file_types=sorted(EXTENSIONS),
            height=170,
        )
    refuse_addresses(pictures)
    refuse_addresses(references)
    return Inputs(pictures, product, references, gr.Button("Inspect", variant="primary", elem_id="inspect"))


def _lay_out_strip() -> gr.Gallery:
    return gr.Gallery(
        label="Results, the highest score first",
        interactive=False,
        visible=False,
        allow_preview=False,
        columns=6,
        fit_columns=False,
        height="auto",
        object_fit="cover",
        format="jpeg",
        buttons=[],
        elem_id="strip",
    )


def _lay_out_actions() -> tuple[gr.Button, gr.Button, gr.Button, gr.HTML]:
    false_alarm = gr.Button("False alarm", size="sm", min_width=90)
    missed = gr.Button("Missed defect", size="sm", min_width=90)
    undo = gr.Button("Undo", size="sm", min_width=70, visible=False)
    return false_alarm, missed, undo, gr.HTML(elem_classes="notes", min_width=200)


def _lay_out_examples() -> gr.Gallery:
    return gr.Gallery(
        label="Generated examples",
        interactive=False,
        allow_preview=False,
        columns=3,
        height="auto",
        object_fit="cover",
        buttons=[],
        elem_id="examples",
    )


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
        session: Session,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> list[Any]:
        """Values for `Screen.all`."""

        def tell(message: str, fraction: float) -> None:
            progress(fraction, desc=message)

        try:
            options = DrawingOptions(view, opacity, scale)
            paths = self._paths(pictures)
            others = [uploaded_path(one, self.shared.uploads) for one in references or []]
            done = inspect_pictures(self.shared, paths, others, product, session, tell)
            return self.screen(done, options)
        except Exception as error:
            return self.blank(session, show_error(error))

    def correct(
        self, correction: Correction, view: str, opacity: float, scale: str, shown: Result | None, session: Session
    ) -> list[Any]:
        """Values for `Screen.all` after the product was corrected."""
        return self._step(
            lambda now: correct_result(self.shared, now, correction), view, opacity, scale, shown, session
        )

    def false_alarm(self, *given: Any) -> list[Any]:
        """As `correct`: the part on the screen is good."""
        return self.correct("false alarm", *given)

    def missed(self, *given: Any) -> list[Any]:
        """As `correct`: the part on the screen has a defect."""
        return self.correct("missed", *given)

    def undo(self, view: str, opacity: float, scale: str, shown: Result | None, session: Session) -> list[Any]:
        """Values for `Screen.all` after the last correction was taken back."""
        return self._step(lambda now: undo_correction(self.shared, now), view, opacity, scale, shown, session)

    def pick(
        self, view: str, opacity: float, scale: str, shown: Result | None, session: Session, at: gr.SelectData
    ) -> list[Any]:
        """Values for `Screen.all` with the result that was picked from the strip."""

        def go(now: Session) -> Session:
            return show_result(self.shared, replace(now, taught=None), int(at.index))

        return self._step(go, view, opacity, scale, shown, session)

    def forget(self, pictures: list[dict[str, Any]] | None, session: Session) -> list[Any]:
        """Values for `Screen.all` once other pictures are there: no answer is about one that is gone."""
        try:
            same = tuple(self._paths(pictures)) == session.pictures
        except Exception:
            same = False
        if same:
            return [gr.skip()] * len(self.blank(session, ""))
        return self.blank(session, WELCOME, keep=not pictures)

    def try_example(self, at: gr.SelectData) -> tuple[list[str], list[str], str]:
        """The pictures, the references and no product, of an example that was picked."""
        example = make_example(EXAMPLES[int(at.index)], self.shared.uploads)
        return list(example.pictures), list(example.references), ""

    def show_examples(self) -> list[tuple[str, str]]:
        """The pictures and captions of the examples, drawn when first asked for."""
        return [(make_example(name, self.shared.uploads).pictures[0], name) for name in EXAMPLES]

    def list_products(self) -> gr.Dropdown:
        """The saved products as they are now."""
        return gr.Dropdown(self.shared.product_choices())

    def screen(self, session: Session, options: DrawingOptions) -> list[Any]:
        """Values for `Screen.all` with what the session shows."""
        known = session.against is not None
        strip = [(_thumbnail(one), _caption(one)) for one in session.results]
        return [
            session,
            *filled(session.shown, options),
            gr.Gallery(strip, visible=len(strip) > 1, selected_index=session.place),
            *(gr.Button(interactive=known) for _ in range(2)),
            gr.Button(visible=session.taught is not None),
            show_notes(session.notes or (() if known else ("To teach it what is good, choose a product.",))),
            gr.Gallery(visible=False),
        ]

    def blank(self, session: Session, line: str, *, keep: bool = False) -> list[Any]:
        """Values for `Screen.all` with a line of HTML in place of a result."""
        session = replace(session, results=(), pictures=(), notes=(), taught=None)
        strip = gr.Gallery([], visible=False, selected_index=None)
        buttons = [gr.Button(interactive=False), gr.Button(interactive=False), gr.Button(visible=False)]
        return [session, *cleared(line), strip, *buttons, "", gr.Gallery(visible=keep)]

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
            gr.Warning(html.escape(sentence(error)))
            return [gr.skip()] * len(self.blank(session, ""))


def _thumbnail(shown: Result) -> Image.Image:
    picture = Image.open(io.BytesIO(shown.preview or b"")).convert("RGB")
    picture.thumbnail((240, 240))
    return picture


def _caption(shown: Result) -> str:
    inspection = shown.inspection
    return f"{number(inspection.score)} {inspection.verdict}: {inspection.path}"


def _wire(page: gr.Blocks, tab: gr.Tab, handlers: InspectHandlers, at: Screen) -> None:
    left, right = at.left, at.right
    wanted = [left.pictures, left.references, left.product, *right.options, at.session]
    busy: dict[str, Any] = {"preprocess": False, "show_progress_on": right.verdict, **WORK}
    left.inspect.click(handlers.inspect, wanted, at.all, **busy, api_name="inspect")
    picked = at.examples.select(
        handlers.try_example, None, [left.pictures, left.references, left.product], **QUIET
    )
    picked.then(handlers.inspect, wanted, at.all, **busy, api_visibility="private")
    now = [*right.options, right.shown, at.session]
    for button, step in ((at.false_alarm, handlers.false_alarm), (at.missed, handlers.missed)):
        button.click(step, now, at.all, show_progress_on=right.verdict, api_visibility="private", **WORK)
    at.undo.click(handlers.undo, now, at.all, show_progress_on=right.verdict, api_visibility="private", **WORK)
    at.strip.select(handlers.pick, now, at.all, **QUIET, **WORK)
    left.pictures.change(
        handlers.forget, [left.pictures, at.session], at.all, preprocess=False, trigger_mode="multiple", **QUIET
    )
    left.pictures.upload(None, None, None, js=FOCUS, **QUIET)
    for shown in (page.load, tab.select):
        shown(handlers.list_products, None, left.product, **QUIET)
    page.load(handlers.show_examples, None, at.examples, **QUIET)
