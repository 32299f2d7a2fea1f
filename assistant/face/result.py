"""A result on the screen: verdict, overlay, regions and the conversation about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from PIL.Image import Image

from assistant.face.session import LONGEST_QUESTION, Session
from assistant.face.words import COLUMNS, QUESTIONS, show_chat, show_regions, show_verdict

WELCOME = "Upload a picture and press <b>Inspect</b>. With good references, or a saved product, it sees much more."


@dataclass(frozen=True)
class ResultView:
    """The widgets that show one result."""

    verdict: gr.HTML
    overlay: gr.Image
    regions: gr.Dataframe
    chat: gr.Chatbot
    question: gr.Textbox
    suggestions: tuple[gr.Button, ...]
    session: gr.State

    @property
    def all(self) -> list[Any]:
        """Everything that an inspection changes."""
        return [self.session, self.verdict, self.overlay, self.regions, self.chat, *self.suggestions]


def lay_out_result() -> ResultView:
    """Lay out the widgets, empty."""
    verdict = gr.HTML(WELCOME, elem_id="verdict")
    overlay = gr.Image(
        label="Overlay",
        show_label=False,
        format="png",
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_id="overlay",
    )
    regions = gr.Dataframe(headers=COLUMNS, interactive=False, visible=False, label="Regions", buttons=[])
    chat = gr.Chatbot(
        show_label=False,
        height=330,
        render_markdown=False,
        sanitize_html=True,
        allow_tags=False,
        feedback_options=None,
        latex_delimiters=[],
        buttons=[],
        placeholder="Ask about the result once there is one.",
    )
    with gr.Row(elem_id="questions"):
        suggestions = tuple(gr.Button(text, size="sm", interactive=False) for text in QUESTIONS["defect"])
    question = gr.Textbox(
        placeholder="Ask about the result, for example: Where is it?",
        label="Question",
        show_label=False,
        max_length=LONGEST_QUESTION,
        submit_btn=True,
    )
    return ResultView(verdict, overlay, regions, chat, question, suggestions, gr.State(Session()))


def filled(session: Session, overlay: Image) -> list[Any]:
    """What every widget of `ResultView.all` shows after an inspection."""
    found = session.inspection
    if found is None:
        raise ValueError("there is no inspection to show")
    rows = show_regions(found)
    buttons = [gr.Button(text, interactive=True) for text in QUESTIONS[found.verdict or "review"]]
    table = gr.Dataframe(rows, visible=bool(rows))
    return [session, show_verdict(found), overlay, table, show_chat(session.turns), *buttons]


def cleared(session: Session, line: str) -> list[Any]:
    """What every widget of `ResultView.all` shows while there is no result."""
    session = replace(session, inspection=None, turns=(), picture=None)
    buttons = [gr.Button(interactive=False) for _ in QUESTIONS["defect"]]
    return [session, line, None, gr.Dataframe([], visible=False), [], *buttons]
