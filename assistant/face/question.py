"""A question before something is deleted: the button only asks, and the answer "yes" does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from assistant.face.shared import QUIET


@dataclass(frozen=True)
class Question:
    """The widgets: `ask` shows the `form` with the question, `yes` is what deletes, `no` hides the form again."""

    ask: gr.Button
    form: gr.Column
    yes: gr.Button
    no: gr.Button


def lay_out_question(ask: gr.Button, line: str, yes: str, no: str = "Keep it") -> Question:
    """Lay out the question of a button, `line` being HTML, and wire it; who deletes listens to `yes`."""
    with gr.Column(visible=False, elem_classes="question") as form:
        gr.HTML(line)
        with gr.Row():
            confirm = gr.Button(yes, variant="stop", size="sm", min_width=100)
            keep = gr.Button(no, size="sm", min_width=100)
    ask.click(lambda: gr.Column(visible=True), None, form, **QUIET)
    for answer in (confirm, keep):
        answer.click(lambda: gr.Column(visible=False), None, form, **QUIET)
    return Question(ask, form, confirm, keep)


def widgets_of(part: Any) -> list[Any]:
    """All widgets of a dataclass that holds widgets and questions."""
    return [w for one in vars(part).values() for w in (vars(one).values() if isinstance(one, Question) else [one])]
