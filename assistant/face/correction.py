"""What a visitor says where a result is wrong: that a part is good, or where its defect is and what to call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from assistant.face.masks import IGNORE
from assistant.face.painter import lay_out_painter
from assistant.face.question import Confirmation, lay_out_confirmation
from assistant.inspection import Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.products.teaching import LONGEST_LABEL

UNTAUGHT = message("To teach it what is good, choose a product.")
"""What is said beside a result that nothing can be taught by."""


@dataclass(frozen=True)
class Correction:
    """The widgets: two buttons, the undo of the product, sentences, and a form that asks about a missed defect.

    `doubt` asks before a part that scores far above the limit is taken as good.
    """

    false_alarm: gr.Button
    missed: gr.Button
    undo: gr.Button
    notes: gr.HTML
    form: gr.Column
    label: gr.Textbox
    painter: gr.HTML
    teach: gr.Button
    cancel: gr.Button
    doubt: Confirmation

    @property
    def all(self) -> list[Any]:
        """Everything that another result changes; `offer` gives the values."""
        own = [self.false_alarm, self.missed, self.undo, self.notes, self.form, self.label, self.painter]
        return [*own, self.doubt.form, self.doubt.line]


Buttons = tuple[gr.Button, gr.Button, gr.Button, gr.HTML]


def lay_out_buttons(w: Wording) -> Buttons:
    """Lay out the two buttons, the undo and the sentences, in a row that is there already."""
    false_alarm = gr.Button(w("False alarm"), size="sm", min_width=90)
    missed = gr.Button(w("Missed defect"), size="sm", min_width=90)
    undo = gr.Button(w("Undo"), size="sm", min_width=70, visible=False, elem_id="undo")
    return false_alarm, missed, undo, gr.HTML(elem_classes="notes", min_width=200)


def lay_out_correction(buttons: Buttons, w: Wording) -> Correction:
    """Lay out the form that asks where a missed defect is, and what, to go with the buttons, and the doubt."""
    doubt = lay_out_confirmation("", w("Teach it all the same"), w("Leave it out"), "doubt")
    with gr.Column(visible=False, elem_id="missed") as form:
        label, painter = lay_out_marking("missed-painter", w)
        with gr.Row():
            teach = gr.Button(w("Teach this defect"), variant="primary", size="sm", min_width=120)
            cancel = gr.Button(w("Cancel"), size="sm", min_width=90)
    return Correction(*buttons, form, label, painter, teach, cancel, doubt)


def lay_out_marking(elem_id: str, w: Wording) -> tuple[gr.Textbox, gr.HTML]:
    """Lay out what one says of a defect: its name, and a picture to paint it on."""
    label = gr.Textbox(label=w("What to call it"), placeholder=w("such as: chipped rim"), max_length=LONGEST_LABEL)
    gr.HTML(w("Paint over the defect, or paint nothing: then it is where the picture is strangest."))
    return label, lay_out_painter(w("Where the defect is"), {w("Defect"): IGNORE}, elem_id, w)


def offer(
    inspection: Inspection | None,
    known: bool,
    undo: str,
    notes: str,
    doubt: str = "",
    w: Wording = ENGLISH_WORDS,
) -> list[Any]:
    """Values for `Correction.all`: what can be said of a result, whose product can be taught where it is `known`.

    `undo` names what the product's undo takes back, "" for nothing; `notes` and `doubt` are HTML.
    """
    outcome = inspection.outcome if inspection and known else "error"
    return [
        gr.Button(visible=outcome in ("defect", "review", "unrated")),
        gr.Button(visible=outcome in ("good", "review", "unrated")),
        gr.Button(undo or w("Undo"), visible=bool(undo)),
        notes,
        gr.Column(visible=False),
        "",
        {},
        gr.Column(visible=bool(doubt)),
        doubt,
    ]
