"""What widgets show of an Inspection: lines of HTML, rows of a table, messages of a chat."""

from __future__ import annotations

import html
import logging
import uuid
from collections.abc import Sequence

import numpy as np

from assistant.errors import LooktwiceError
from assistant.face.verdicts import outcome_word
from assistant.inspection import Answer, Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.language.retelling import retell
from assistant.language.shown_answer import head_look, list_look, warn_of
from assistant.language.terms import SEVERITIES
from assistant.language.wording import number
from assistant.overlay import colorize
from assistant.records.entries import Turn

OPENING = "What did you find?"
"""The question that every conversation about a result begins with; nobody asked it."""

_PLACES = {"missing": message("{place}, missing"), "count": message("{place}, another number")}
_WHY, _WHERE = message("Why?"), message("Where is it, and how large?")
_SURE, _DO = message("How sure are you?"), message("What should I do?")
_AGAINST, _CLOSE = message("Compared with what?"), message("How close is it to the threshold?")
QUESTIONS = {
    "defect": (_WHY, _WHERE, _SURE, _DO),
    "review": (_WHY, _WHERE, _SURE, _DO),
    "unrated": (_WHY, _WHERE, _AGAINST, _DO),
    "good": (_WHY, _CLOSE, _AGAINST, _SURE),
}
"""What one may ask, by verdict; the page asks it in its language."""

JUDGED_EARLIER = message("judged before the last change")
"""What is said of a result whose product has changed since."""

COLUMNS = [message("Region"), message("Place"), message("Size"), message("Severity"), message("Peak")]
"""The columns of `show_regions`."""

POSITIONS = {
    "top left": message("top left"),
    "top": message("top"),
    "top right": message("top right"),
    "left": message("left"),
    "center": message("center"),
    "right": message("right"),
    "bottom left": message("bottom left"),
    "bottom": message("bottom"),
    "bottom right": message("bottom right"),
}
"""Where a region lies, as a cell has it."""

log = logging.getLogger("looktwice.app")


def show_verdict(inspection: Inspection, w: Wording = ENGLISH_WORDS) -> str:
    """The verdict, the score against the threshold, and where the threshold comes from, as HTML."""
    verdict, evidence = inspection.outcome, inspection.evidence
    score, limit, review = (
        number(value) for value in (inspection.score, inspection.threshold, inspection.review_threshold)
    )
    line = w(
        "score <b>{score}</b> against a threshold of <b>{limit}</b>, review above {review}",
        score=score,
        limit=limit,
        review=review,
    )
    origin = retell(w, evidence.origin) if evidence else ""
    notes = [w("The threshold is {origin}.", origin=origin)] if origin else []
    if verdict == "unrated":
        line = w("score <b>{score}</b>, and no limit", score=score)
        if standing := say_standing(inspection, w):
            line = w("score <b>{score}</b>, {standing}, and no limit", score=score, standing=standing)
        notes = [f"{origin[:1].upper()}{origin[1:]}{w('.')}"] if origin else []
    if not inspection.regions:
        notes.append(w("No region stands out."))
    notes += [w("Note: {notice}.", notice=retell(w, notice).rstrip(".。")) for notice in inspection.notices]
    right = [one for one in inspection.counts if one.counted == one.expected]
    notes += [w("Counted: {count}.", count=retell(w, str(one))) for one in right]
    small = "".join(f"<small>{html.escape(note)}</small>" for note in notes)
    badge = f'<span class="badge {verdict}">{outcome_word(w, verdict).upper()}</span>'
    bar = "" if verdict == "unrated" else show_score(inspection, w)
    return f"<p>{badge}{line}</p>{_show_subject(inspection, w)}{bar}{small}"


def say_standing(inspection: Inspection, w: Wording = ENGLISH_WORDS) -> str:
    """The rank of an inspection among others, "3 of 40"; "" where there is none."""
    if not inspection.rank:
        return ""
    rank, total = inspection.rank
    return w("{n} of {total}", n=rank, total=total)


def show_score(inspection: Inspection, w: Wording = ENGLISH_WORDS) -> str:
    """Where the score lies between good, review and defect, drawn as HTML."""
    score, limit, review = inspection.score, inspection.threshold, inspection.review_threshold
    low, high = min(0.0, score), 1.15 * max(score, 1.3 * limit, 1e-9)
    at, bad, doubt = (100 * (value - low) / (high - low) for value in (score, limit, review))
    numbers = {"score": number(score), "review": number(review), "limit": number(limit)}
    said = html.escape(w("Score {score}; review above {review}, defect above {limit}", **numbers))
    zones = (("good", 0.0, doubt), ("review", doubt, bad), ("defect", bad, 100.0))
    drawn = "".join(
        f'<i class="{name}" style="left:{start:.2f}%;width:{max(0.0, end - start):.2f}%"></i>'
        for name, start, end in zones
    )
    words = (  # the numbers stand in the line above
        f'<span class="low" style="right:{100 - doubt:.2f}%">{outcome_word(w, "good")}</span>'
        f'<span class="high" style="left:{bad:.2f}%">{outcome_word(w, "defect")}</span>'
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


def show_error(error: Exception, w: Wording = ENGLISH_WORDS) -> str:
    """One sentence as HTML for whatever went wrong; what is not the visitor's doing is logged under an id."""
    return f'<span class="badge error">{w("NO RESULT")}</span>{html.escape(sentence(error, w))}'


def show_notes(notes: Sequence[str]) -> str:
    """Sentences as lines of HTML."""
    return "".join(f"<p>{html.escape(note)}</p>" for note in notes)


def sentence(error: Exception, w: Wording = ENGLISH_WORDS) -> str:
    """One sentence for whatever went wrong; what is not the visitor's doing is logged under an id."""
    if isinstance(error, LooktwiceError):
        said = str(error)
        return retell(w, said if said.endswith("?") else f"{said.rstrip('.')}.")
    name = uuid.uuid4().hex[:8]
    log.error("error %s", name, exc_info=error)
    return w(
        "Something went wrong here, and it is not your picture's fault: see error {name} in the server's log.",
        name=name,
    )


def show_regions(inspection: Inspection, w: Wording = ENGLISH_WORDS) -> list[list[str]]:
    """One row of text a region, in the order of `COLUMNS`."""
    return [
        [
            r.id,
            w(_PLACES.get(r.kind, "{place}"), place=_place(w, r.position)),
            f"{r.area} px ({number(100 * r.area_fraction)} %)",
            "" if r.severity == "unrated" else w(SEVERITIES[r.severity]),
            number(r.peak),
        ]
        for r in inspection.regions
    ]


def show_chat(turns: Sequence[Turn], w: Wording = ENGLISH_WORDS) -> list[dict[str, str]]:
    """The conversation as chat messages; the opening is an answer that nobody asked for."""
    said = [
        {"role": role, "content": content}
        for turn in turns
        for role, content in (
            ("user", html.escape(turn.question, quote=False)),
            ("assistant", show_answer(turn.answer, w)),
        )
    ]
    return said[1:] if turns and turns[0].question == OPENING else said


def show_answer(answer: Answer, w: Wording = ENGLISH_WORDS) -> str:
    """An answer as HTML: what code worded, the rest of it folded, and in a frame of its own what a model sees."""
    text, more, banner, head = (
        html.escape(part, quote=False) for part in (answer.text, answer.more, warn_of(answer), head_look(answer))
    )
    lines = "".join(f"<li>{html.escape(line, quote=False)}</li>" for line in list_look(answer))
    notices = "\n".join(html.escape(notice, quote=False) for notice in answer.notices)
    parts = [
        f'<div class="second-look" role="alert">{banner}</div>' if banner else "",
        text,
        f'<details class="more"><summary>{w("more")}</summary>{more}</details>' if more else "",
        f'<div class="own-look"><b>{head}</b><ul>{lines}</ul></div>' if lines else "",
        f'<div class="told">{notices}</div>' if notices else "",
    ]
    return "".join(parts)


def _place(w: Wording, position: str) -> str:
    """A position as a cell has it, without the preposition that sentences give it."""
    return w(POSITIONS[position])


def _show_subject(inspection: Inspection, w: Wording) -> str:
    against = w("looked at without a product")
    if inspection.product:
        against = w.count(
            "compared with “{product}”, {n} good reference",
            "compared with “{product}”, {n} good references",
            inspection.references,
            product=inspection.product,
        )
    against += f", {inspection.group}" if inspection.group else ""
    return f'<p class="subject"><b>{html.escape(inspection.path)}</b>, {html.escape(against)}</p>'
