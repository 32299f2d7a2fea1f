"""The answers that need no model: rules plan them (`rules`), code words them (`facts`).

They are what every other answer falls back on.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.inspection import Answer, Inspection
from assistant.language.catalogue import ENGLISH, pick_language
from assistant.language.facts import describe, render
from assistant.language.pointers import History
from assistant.language.question_tables import read_language
from assistant.language.rules import plan_answer, read_form


def explain(inspection: Inspection, language: str = ENGLISH) -> Answer:
    """One paragraph on the inspection: verdict, numbers, regions, comparison, notices and what to do."""
    return describe(inspection, pick_language(language))


def answer(
    about: Inspection | Sequence[Inspection], question: str, history: History = (), language: str | None = None
) -> Answer:
    """The answer to a question in plain words about one or several inspections, from them alone; never empty.

    `history` holds (question, answer text) pairs, oldest first; "it" and "the second one" refer to the regions and
    pictures cited there. `language` is that of the question where it is left out. Several inspections are numbered
    from 1. ValueError for none.
    """
    records = (about,) if isinstance(about, Inspection) else tuple(about)
    if not records:
        raise ValueError("a question is about at least one inspection")
    asked_in = read_language(question)
    plan = plan_answer(records, question, history, asked_in)
    words = pick_language(language) if language else asked_in
    return render(plan, records, words, read_form(question, asked_in))
