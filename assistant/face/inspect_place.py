"""The Inspect place: a picture, references or a product, and what is found."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from assistant.face.desk import QUIET, WORK, Desk
from assistant.face.result import WELCOME, ResultView, cleared, filled, lay_out_result
from assistant.face.session import Session, inspect_picture, stream_chat
from assistant.face.uploads import refuse_addresses, uploaded_path
from assistant.face.words import sentence, show_chat, show_error
from assistant.intake import EXTENSIONS


def lay_out(desk: Desk, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the place inside a tab and wire it."""
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            left = _lay_out_inputs(desk)
        with gr.Column(scale=5, min_width=320):
            right = lay_out_result()
    _wire(page, tab, Handlers(desk), left, right)


@dataclass(frozen=True)
class Inputs:
    """The widgets on the left."""

    picture: gr.Image
    references: gr.File
    product: gr.Dropdown
    inspect: gr.Button


def _lay_out_inputs(desk: Desk) -> Inputs:
    picture = gr.Image(
        label="Picture to inspect",
        type="filepath",
        sources=["upload", "clipboard"],
        height=280,
        buttons=[],
        placeholder="Drop, paste or click",
    )
    references = gr.File(
        label="Good references (optional, any number)",
        file_count="multiple",
        file_types=sorted(EXTENSIONS),
        height=200,
    )
    product = gr.Dropdown(desk.products(), value="", label="Saved product")
    refuse_addresses(picture)
    refuse_addresses(references)
    return Inputs(picture, references, product, gr.Button("Inspect", variant="primary"))


@dataclass(frozen=True)
class Handlers:
    """What the widgets call: the inspector is shared, everything of a visitor comes in with the session.

    Uploads come unprocessed, as {"path": ...}, so that nobody but `load_image` opens them.
    """

    desk: Desk

    def inspect(
        self,
        picture: dict[str, Any] | None,
        references: list[dict[str, Any]] | None,
        product: str | None,
        session: Session,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> list[Any]:
        """Values for `ResultView.all`."""

        def tell(message: str, fraction: float) -> None:
            progress(fraction, desc=message)

        try:
            path = uploaded_path(picture, self.desk.uploads) if picture else None
            others = [uploaded_path(one, self.desk.uploads) for one in references or []]
            done, overlay = inspect_picture(self.desk.inspector, path, others, product, session, tell)
        except Exception as error:
            return cleared(session, show_error(error))
        return filled(done, overlay)

    def ask(self, question: str, session: Session) -> Iterator[tuple[Session, list[dict[str, str]], str]]:
        """The session, the chat, and what stays in the question box: the question, where it has no answer."""
        try:
            for done in stream_chat(self.desk.inspector, question, session):
                yield done, show_chat(done.turns), ""
        except Exception as error:
            gr.Warning(html.escape(sentence(error)))
            yield session, show_chat(session.turns), question

    def forget(self, session: Session) -> list[Any]:
        """Values for `ResultView.all` once another picture is there: no answer is about one that is gone."""
        return cleared(session, WELCOME)

    def start_over(self, session: Session) -> tuple[Session, list[dict[str, str]]]:
        """The session and the chat with nothing but the opening."""
        session = replace(session, turns=session.turns[:1])
        return session, show_chat(session.turns)

    def list_products(self) -> gr.Dropdown:
        """The saved products as they are now."""
        return gr.Dropdown(self.desk.products())


def _wire(page: gr.Blocks, tab: gr.Tab, handlers: Handlers, left: Inputs, right: ResultView) -> None:
    wanted = [left.picture, left.references, left.product, right.session]
    left.inspect.click(
        handlers.inspect, wanted, right.all, preprocess=False, show_progress_on=right.verdict, **WORK
    )
    said = [right.session, right.chat, right.question]
    right.question.submit(handlers.ask, [right.question, right.session], said, show_progress="hidden", **WORK)
    for button in right.suggestions:
        button.click(handlers.ask, [button, right.session], said, **QUIET, **WORK)
    left.picture.change(handlers.forget, right.session, right.all, trigger_mode="multiple", **QUIET)
    right.chat.clear(handlers.start_over, right.session, said[:2], **QUIET)
    for shown in (page.load, tab.select):
        shown(handlers.list_products, None, left.product, **QUIET)
