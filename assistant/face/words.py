"""What widgets show of an Inspection: lines of HTML, rows of a table, messages of a chat. It decides nothing."""

from __future__ import annotations

import html
import logging
import uuid
from collections.abc import Sequence

from assistant.errors import LooktwiceError
from assistant.inspection import Inspection
from assistant.language.wording import number

Turn = tuple[str, str]

_DOUBTS = ("Why?", "Where is it, and how large?", "How sure are you?", "What should I do?")
QUESTIONS = {
    "defect": _DOUBTS,
    "review": _DOUBTS,
    "good": ("Why?", "How close is it to the threshold?", "Compared with what?", "How sure are you?"),
}
"""What one may ask, by verdict."""

COLUMNS = ["Region", "Place", "Size", "Severity", "Peak"]
"""The columns of `show_regions`."""

log = logging.getLogger("looktwice.app")


def show_verdict(inspection: Inspection) -> str:
    """The verdict, the score against the threshold, and where the threshold comes from, as HTML."""
    verdict = inspection.verdict or "error"
    score, limit, review = (
        number(value or 0.0) for value in (inspection.score, inspection.threshold, inspection.review_threshold)
    )
    notes = [f"The threshold is {inspection.evidence.origin}."] if inspection.evidence else []
    if not inspection.regions:
        notes.append("No region stands out.")
    notes += [f"Note: {notice}." for notice in inspection.notices]
    small = "".join(f"<small>{html.escape(note)}</small>" for note in notes)
    line = f"score <b>{score}</b> against a threshold of <b>{limit}</b>, review above {review}"
    return f'<span class="badge {verdict}">{verdict.upper()}</span>{line}{small}'


def show_error(error: Exception) -> str:
    """One sentence as HTML for whatever went wrong; what is not the visitor's doing is logged under an id."""
    return f'<span class="badge error">NO RESULT</span>{html.escape(sentence(error))}'


def sentence(error: Exception) -> str:
    """One sentence for whatever went wrong; what is not the visitor's doing is logged under an id."""
    if isinstance(error, LooktwiceError):
        return f"{str(error).rstrip('.')}."
    name = uuid.uuid4().hex[:8]
    log.error("error %s", name, exc_info=error)
    return f"Something went wrong here, and it is not your picture's fault: see error {name} in the server's log."


def show_regions(inspection: Inspection) -> list[list[str]]:
    """One row of text a region, in the order of `COLUMNS`."""
    return [
        [r.id, r.position, f"{r.area} px ({number(100 * r.area_fraction)} %)", r.severity, number(r.peak)]
        for r in inspection.regions
    ]


def show_chat(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """The conversation as chat messages; the opening is an answer that nobody asked for."""
    said = [
        {"role": role, "content": html.escape(text, quote=False)}
        for question, answer in turns
        for role, text in (("user", question), ("assistant", answer))
    ]
    return said[1:]
