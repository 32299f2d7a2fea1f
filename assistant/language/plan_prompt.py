"""A question as the pocket model reads it: what there is, what code found to be meant, and what was asked.

A plan names keys and ids, so the model needs no number of the record: how many regions or pictures there are,
which of them the question points at (`pointers` reads that), and the question before it where there is one. That
keeps a first answer within a fraction of a second. Training and use share this wording.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.inspection import Inspection
from assistant.language.pointers import History, point_at_pictures, point_at_regions
from assistant.language.question_tables import Table, load_table, normalize, read_language
from assistant.language.rules import take_form

LONGEST_ASKED = 240
"""Characters of a question that are read, and half as many of the one before it."""

END = "\nplan:"
"""Ends the prompt; the line of a plan follows it."""


def state_question(
    records: Sequence[Inspection], question: str, history: History = (), language: str | None = None
) -> str:
    """The prompt of a question about one or several records; a plan as `plan_choice` writes it follows.

    `history` holds (question, answer text) pairs, oldest first. About 15 to 60 tokens long.
    """
    table = load_table(language or read_language(question))
    lines = [_state_records(table, records, question, history)]
    if history:
        lines.append(f"before: {_clean(history[-1][0], LONGEST_ASKED // 2)}")
    asked = take_form(table, question)[0] or question
    return "\n".join([*lines, f"asked: {_clean(asked, LONGEST_ASKED)}"]) + END


def _state_records(table: Table, records: Sequence[Inspection], question: str, history: History) -> str:
    """ "3 regions, R2" or "4 pictures, P1 P3": how many there are, and those that are meant."""
    words = normalize(question, table.language)
    if len(records) == 1:
        regions = records[0].regions
        pointed, said = point_at_regions(table, words, regions, history), f"{len(regions)} regions"
    else:
        pointed, said = point_at_pictures(table, words, records, history), f"{len(records)} pictures"
    meant = ("none" if pointed.missing else "") or " ".join(pointed.ids[:3])
    return f"{said}, {meant}" if meant else said


def _clean(text: str, longest: int) -> str:
    """The words of a text, none of which can pose as a turn of a conversation: no "<|" is left."""
    text = text[:longest].replace("\N{OBJECT REPLACEMENT CHARACTER}", " ")
    while "<|" in text:
        text = text.replace("<|", "< ")
    return " ".join(text.lower().split()).rstrip(" ?!.。？！¿¡")
