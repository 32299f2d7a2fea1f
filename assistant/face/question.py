"""A question before something that one may regret: a button or a step asks, and the answer "yes" does it."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from typing import Any

import gradio as gr

from assistant.face.shared import QUIET


@dataclass(frozen=True)
class Confirmation:
    """The widgets of a question that a step asks: `yes` does it all the same, `no` hides the `form` again."""

    form: gr.Column
    line: gr.HTML
    yes: gr.Button
    no: gr.Button

    def asks(self, line: str) -> dict[Any, Any]:
        """What the widgets show while a line of HTML is asked; nothing for ""."""
        return {self.form: gr.Column(visible=bool(line)), self.line: line}


@dataclass(frozen=True)
class Question(Confirmation):
    """The widgets of a question that a button asks, `ask`: it shows the form."""

    ask: gr.Button


def lay_out_confirmation(line: str, yes: str, no: str, elem_id: str | None = None) -> Confirmation:
    """Lay out a question, `line` being HTML, and wire what hides it; who does the thing listens to `yes`."""
    with gr.Column(visible=False, elem_classes="question", elem_id=elem_id) as form:
        said = gr.HTML(line)
        with gr.Row():
            confirm = gr.Button(yes, variant="stop", size="sm", min_width=100)
            keep = gr.Button(no, size="sm", min_width=100)
    for answer in (confirm, keep):
        answer.click(lambda: gr.Column(visible=False), None, form, **QUIET)
    return Confirmation(form, said, confirm, keep)


def lay_out_question(ask: gr.Button, line: str, yes: str, no: str) -> Question:
    """As `lay_out_confirmation`, for a button that asks."""
    asked = lay_out_confirmation(line, yes, no)
    ask.click(lambda: gr.Column(visible=True), None, asked.form, **QUIET)
    return Question(**vars(asked), ask=ask)


def widgets_of(part: Any) -> list[Any]:
    """All widgets of a dataclass that holds widgets, and others that do."""
    own = vars(part).values()
    return [w for one in own for w in (widgets_of(one) if is_dataclass(one) else [one])]
