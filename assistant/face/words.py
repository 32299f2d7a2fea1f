"""What widgets show of an Inspection: lines of HTML, rows of a table, messages of a chat."""

from __future__ import annotations

import html
import logging
import uuid
from collections.abc import Sequence

import numpy as np

from assistant.errors import LooktwiceError
from assistant.inspection import Answer, Inspection
from assistant.language.shown_answer import head_look, list_look, warn_of
from assistant.language.wording import number
from assistant.overlay import colorize
from assistant.records.entries import Turn

OPENING = "What did you find?"
"""The question that every conversation about a result begins with; nobody asked it."""

_DOUBTS = ("Why?", "Where is it, and how large?", "How sure are you?", "What should I do?")
QUESTIONS = {
    "defect": _DOUBTS,
    "review": _DOUBTS,
    "unrated": ("Why?", "Where is it, and how large?", "Compared with what?", "What should I do?"),
    "good": ("Why?", "How close is it to the threshold?", "Compared with what?", "How sure are you?"),
}
"""What one may ask, by verdict."""

JUDGED_EARLIER = "judged before the last change"
"""What is said of a result whose product has changed since."""

COLUMNS = ["Region", "Place", "Size", "Severity", "Peak"]
"""The columns of `show_regions`."""

log = logging.getLogger("looktwice.app")


def show_verdict(inspection: Inspection) -> str:
    """The verdict, the score against the threshold, and where the threshold comes from, as HTML."""
    verdict, evidence = inspection.outcome, inspection.evidence
    score, limit, review = (
        number(value) for value in (inspection.score, inspection.threshold, inspection.review_threshold)
    )
    line = f"score <b>{score}</b> against a threshold of <b>{limit}</b>, review above {review}"
    notes = [f"The threshold is {evidence.origin}."] if evidence else []
    if verdict == "unrated":
        line = f"score <b>{score}</b>{f', {inspection.standing}' if inspection.rank else ''}, and no limit"
        notes = [f"{evidence.origin[:1].upper()}{evidence.origin[1:]}."] if evidence else []
    if not inspection.regions:
        notes.append("No region stands out.")
    notes += [f"Note: {notice}." for notice in inspection.notices]
    notes += [f"Counted: {one}." for one in inspection.counts if one.counted == one.expected]
    small = "".join(f"<small>{html.escape(note)}</small>" for note in notes)
    badge = f'<span class="badge {verdict}">{verdict.upper()}</span>'
    bar = "" if verdict == "unrated" else show_score(inspection)
    return f"<p>{badge}{line}</p>{_show_subject(inspection)}{bar}{small}"


def show_score(inspection: Inspection) -> str:
    """Where the score lies between good, review and defect, drawn as HTML."""
    score, limit, review = inspection.score, inspection.threshold, inspection.review_threshold
    low, high = min(0.0, score), 1.15 * max(score, 1.3 * limit, 1e-9)
    at, bad, doubt = (100 * (value - low) / (high - low) for value in (score, limit, review))
    said = html.escape(f"Score {number(score)}; review above {number(review)}, defect above {number(limit)}")
    zones = (("good", 0.0, doubt), ("review", doubt, bad), ("defect", bad, 100.0))
    drawn = "".join(
        f'<i class="{name}" style="left:{start:.2f}%;width:{max(0.0, end - start):.2f}%"></i>'
        for name, start, end in zones
    )
    words = (  # the numbers stand in the line above
        f'<span class="low" style="right:{100 - doubt:.2f}%">good</span>'
        f'<span class="high" style="left:{bad:.2f}%">defect</span>'
    )
    needle = f'<b style="left:{at:.2f}%"></b>'
    return f'<div class="score" role="img" aria-label="{said}">{drawn}{needle}{words}</div>'


def show_legend(scale: tuple[float, float] | None, name: str) -> str:
    """What the colours of a map mean, as HTML."""
    if scale is None:
        return ""
    steps = colorize(np.linspace(*scale, 9, dtype=np.float32), scale)
    colors = ",".join(f"rgb({r},{g},{b})" for r, g, b in steps)
    low, high = (number(end) for end in scale)
    ramp = f'<i style="background:linear-gradient(90deg,{colors})"></i>'
    return f'<div class="scale">{low}{ramp}{high}<span>{html.escape(name)}</span></div>'


def show_error(error: Exception) -> str:
    """One sentence as HTML for whatever went wrong; what is not the visitor's doing is logged under an id."""
    return f'<span class="badge error">NO RESULT</span>{html.escape(sentence(error))}'


def show_notes(notes: Sequence[str]) -> str:
    """Sentences as lines of HTML."""
    return "".join(f"<p>{html.escape(note)}</p>" for note in notes)


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
        [
            r.id,
            f"{r.position}{f', {r.kind}' if r.kind != 'strange' else ''}",
            f"{r.area} px ({number(100 * r.area_fraction)} %)",
            "" if r.severity == "unrated" else r.severity,
            number(r.peak),
        ]
        for r in inspection.regions
    ]


def show_chat(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """The conversation as chat messages; the opening is an answer that nobody asked for."""
    said = [
        {"role": role, "content": content}
        for turn in turns
        for role, content in (
            ("user", html.escape(turn.question, quote=False)),
            ("assistant", show_answer(turn.answer)),
        )
    ]
    return said[1:] if turns and turns[0].question == OPENING else said


def show_answer(answer: Answer) -> str:
    """An answer as HTML: what code worded, the rest of it folded, and in a frame of its own what a model sees."""
    text, more, banner, head = (
        html.escape(part, quote=False) for part in (answer.text, answer.more, warn_of(answer), head_look(answer))
    )
    lines = "".join(f"<li>{html.escape(line, quote=False)}</li>" for line in list_look(answer))
    notices = "\n".join(html.escape(notice, quote=False) for notice in answer.notices)
    parts = [
        f'<div class="second-look" role="alert">{banner}</div>' if banner else "",
        text,
        f'<details class="more"><summary>more</summary>{more}</details>' if more else "",
        f'<div class="own-look"><b>{head}</b><ul>{lines}</ul></div>' if lines else "",
        f'<div class="told">{notices}</div>' if notices else "",
    ]
    return "".join(parts)


def _show_subject(inspection: Inspection) -> str:
    count = inspection.references
    against = "looked at without a product"
    if inspection.product:
        against = f"compared with “{inspection.product}”, {count} good reference{'' if count == 1 else 's'}"
    against += f", {inspection.group}" if inspection.group else ""
    return f'<p class="subject"><b>{html.escape(inspection.path)}</b>, {html.escape(against)}</p>'
