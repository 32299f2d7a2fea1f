"""The explainer that needs no model: sentences filled in from one Inspection, and from nothing else.

It knows what the record says and no more: not the cause of a defect, not its size in millimetres, not what a
part is for. The verdict is repeated as it stands, whatever a question claims. It is the fallback of every
other explainer.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from assistant.inspection import Answer, Inspection, Region
from assistant.language.intents import PER_REGION, Ask, History, is_foreign, read_clause, split_clauses
from assistant.prompts.defects import find_defect

Sentences = list[str]

LISTED = 4  # regions spelled out in one answer; the rest are only counted
FEW = 20  # good pictures; fewer than this and the answer says how little they can support
TURNS = 20  # turns of the conversation that are read
CLAUSES = 8  # parts of a question that are read
ANSWERED = 3  # of which this many are answered
CHATTER = {"unknown", "greeting", "thanks"}  # answered only where nothing else was asked
CLOSE = 0.05  # a score this near to the threshold, relative to it, is called close

ABOUT = (
    "You can ask about the verdict, where, how many, how large, how severe, which type, how sure, why, "
    "compared with what, the score and threshold, and what to do."
)


def explain(inspection: Inspection) -> Answer:
    """One paragraph on the inspection: verdict, numbers, regions, comparison, notices and what to do."""
    if inspection.status == "error":
        return _cite(inspection, _report_error(inspection))
    return _cite(inspection, _summarize(inspection, Ask("summary")))


def answer(inspection: Inspection, question: str, history: History = ()) -> Answer:
    """The answer to a question in plain words, from the inspection alone; never empty.

    `history` holds (question, answer text) pairs, oldest first; "it" and "the second one" refer to the
    regions cited there. Each part of a question is answered, up to three.
    """
    if inspection.status == "error":
        return _cite(inspection, _report_error(inspection))
    if is_foreign(question):
        return _cite(inspection, ["I understand English only.", *_state_verdict(inspection), ABOUT])
    turns, replies = list(history)[-TURNS:], {}
    for clause in split_clauses(question)[:CLAUSES]:
        ask = read_clause(clause, turns, inspection.regions)
        # without the premise, "you are wrong, this is fine" is one question and gets one answer
        replies[replace(ask, premise="")] = said = _reply(inspection, ask)
        turns.append((clause, " ".join(said)))
    intents = {ask.intent for ask in replies}
    if "command" in intents:
        replies = {ask: said for ask, said in replies.items() if ask.intent == "command"}
    elif intents - CHATTER:
        replies = {ask: said for ask, said in replies.items() if ask.intent not in CHATTER}
    return _cite(inspection, [sentence for said in list(replies.values())[:ANSWERED] for sentence in said])


def number(value: float) -> str:
    """A number as every answer writes it: three significant digits, an exponent only far from 1."""
    digits = f"{value:.3g}"
    if "e" in digits and 1e-6 <= abs(value) < 1e9:
        return np.format_float_positional(float(digits), trim="-")
    return digits


def percent(share: float) -> str:
    """A share in [0, 1] as "1.23 %"."""
    return f"{number(100 * share)} %"


def plain(text: str, longest: int = 200) -> str:
    """Text from the record without control or markup characters, on one line, cut to `longest` characters."""
    folded = unicodedata.normalize("NFKC", text).replace("://", " ")
    kept = (c if unicodedata.category(c)[0] in "LMN" or c in " .,:;()%+-_'/=" else " " for c in folded)
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else line[: longest - 3].rstrip() + "..."


def quote(name: str) -> str:
    """A name from outside in quotation marks, cut short, so that it cannot pose as the assistant."""
    return f'"{plain(name, 40) or "unnamed"}"'


def _base_name(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def _cite(inspection: Inspection, sentences: Sequence[str]) -> Answer:
    text = " ".join(dict.fromkeys(sentences))
    known = {region.id for region in inspection.regions}
    cited = (id for id in dict.fromkeys(re.findall(r"\[(R\d+)\]", text)) if id in known)
    return Answer(text=text, regions=tuple(cited), source="template")


def _reply(i: Inspection, ask: Ask) -> Sentences:
    if ask.missing:
        return ["This inspection has no such region.", *_count_regions(i)]
    said = _REPLIES[ask.intent](i, ask)
    if not ask.kind or ask.intent not in PER_REGION | {"count", "position", "unknown"}:
        return said
    if i.verdict == "good":
        return [f'There is no "{ask.kind}" to point to: the verdict is good.', *said]
    if i.regions and not any(region.defect_types for region in i.regions):
        return [*said, f'Whether "{ask.kind}" is the right word for it I cannot tell.']
    return said


def _report_error(i: Inspection) -> Sentences:
    reason = plain((i.error or "").replace(i.path or "\0", _base_name(i.path))).rstrip(".")
    return [
        f"This picture could not be read, so there is no verdict: {reason}.",
        "Check the file or take it again.",
    ]


# The verdict and its numbers


def _numbers(i: Inspection) -> tuple[float, float, float, float]:
    """Score, p-value, threshold and review threshold, which every readable picture has."""
    score, p, threshold, review = (
        math.nan if value is None else value for value in (i.score, i.p_value, i.threshold, i.review_threshold)
    )
    return score, p, threshold, review


def _relate(value: float, limit: float, name: str) -> str:
    side = "above" if value > limit else "below" if value < limit else "exactly at"
    if limit <= 0 or value < 0:
        figure = f"by {number(abs(value - limit))}"
    elif number(value) == number(limit):
        figure = "the same to three digits"
    elif value > 1000 * limit:
        figure = "more than a thousand times it"
    else:
        figure = f"{number(value / limit)} times it" if value > limit else f"{percent(value / limit)} of it"
    return f"{side} the {name} of {number(limit)} ({figure})"


def _state_verdict(i: Inspection, opening: str = "The") -> Sentences:
    score, _, threshold, review = _numbers(i)
    over = _relate(score, threshold, "threshold")
    if i.verdict != "defect":
        over = f"{_relate(score, review, 'review limit')} and {over}"
    said = [f"{opening} verdict is {i.verdict}: the score of {number(score)} is {over}."]
    if i.verdict != ("defect" if score > threshold else "review" if score > review else "good"):
        said.append("These numbers do not agree with the verdict in the record, so have it checked.")
    elif abs(score - threshold) <= CLOSE * abs(threshold):
        said.append("That is close to the threshold.")
    return said


def _state_rarity(i: Inspection) -> Sentences:
    p, evidence = _numbers(i)[1], i.evidence
    if p < 1e-6:
        share = "fewer than one in a million good parts"
    else:
        share = (
            f"about {percent(p)} of good parts" if p >= 0.2 else f"about 1 in {number(round(1 / p))} good parts"
        )
    said = [f"By the p-value of {number(p)}, {share} would score this high."]
    if evidence is None:
        return said
    if evidence.n == 0:
        said.append("No good picture of this product stands behind that share: take it as a rough guide.")
    elif p < evidence.smallest_p:
        said.append(
            f"With {_count(evidence.n, 'good picture')}, counting supports nothing rarer than "
            f"1 in {number(1 / evidence.smallest_p)}; the rest of that figure is a fitted curve."
        )
    elif evidence.n < FEW:
        said.append(f"Only {_count(evidence.n, 'good picture')} can be counted for that share.")
    return said


def _state_origin(i: Inspection) -> Sentences:
    if i.evidence is None:
        return ["The record does not say where the threshold comes from."]
    return [
        f"Where the threshold comes from: {plain(i.evidence.origin).rstrip('.')}.",
        f"It is set to turn away about {percent(i.evidence.target_false_alarm)} of good parts.",
    ]


def _state_comparison(i: Inspection) -> Sentences:
    if i.mode == "zero-shot":
        return ["The picture was compared with itself only: no reference picture was given."]
    if i.mode == "batch":
        return ["It was compared with the other pictures of its batch, taking most of those for good parts."]
    shown = _count(i.references, "good reference picture") if i.references else "good reference pictures"
    return [f"It was compared with {shown}" + (f" of the product {quote(i.product)}." if i.product else ".")]


def _advise(i: Inspection) -> Sentences:
    spot = _refer(i.regions[0]) if i.regions else "the whole picture"
    if i.verdict == "good":
        doubt = f" If in doubt, {spot} is the place to look at." if i.regions else ""
        return [f"Let it pass: nothing in this picture asks for more.{doubt}"]
    if i.verdict == "review":
        return [f"Have a person look at {spot} before it goes on."]
    return [f"Set it aside and have a person look at {spot}."]


# The regions


def _refer(r: Region) -> str:
    return f"[{plain(r.id, 8)}]"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _at(position: str) -> str:
    if position in ("left", "right"):
        return f"on the {position}"
    return f"at the {position}" if position in ("top", "bottom") else f"in the {position}"


def _locate(r: Region) -> str:
    x0, y0, x1, y1 = r.box
    box = f"x {x0} to {x1} and y {y0} to {y1}"
    return f"{_refer(r)} lies {_at(r.position)}, in the box from {box} (pixels)."


def _measure(r: Region) -> str:
    x0, y0, x1, y1 = r.box
    share = percent(r.area_fraction)
    return f"{_refer(r)} covers {r.area} px, {share} of the picture, in a box of {x1 - x0} x {y1 - y0} px."


def _grade(r: Region) -> str:
    return f"{_refer(r)} is {r.severity}, with a peak of {number(r.peak)}."


def _name_type(r: Region) -> str:
    if not r.defect_types:
        return ""
    best, *others = r.defect_types[:3]
    known = find_defect(best.name)
    said = f"{_refer(r)} looks most like {quote(best.name)} ({percent(best.probability)})"
    said += f": {known.description}" if known else ""
    then = " and ".join(f"{quote(t.name)} ({percent(t.probability)})" for t in others)
    return f"{said}; after that like {then}." if then else f"{said}."


def _sketch(r: Region) -> str:
    share = percent(r.area_fraction)
    return f"{_refer(r)} {_at(r.position)} ({r.severity}, {r.area} px, {share} of the picture)"


def _list(names: Sequence[str]) -> str:
    shown = list(names[:LISTED]) + ([f"{len(names) - LISTED} more"] if len(names) > LISTED else [])
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]


def _say_none(i: Inspection) -> Sentences:
    if i.verdict == "good":
        return ["Nothing exceeded the limit anywhere, so there is no region to speak of."]
    return ["No single region exceeded the limit: the score speaks for the picture as a whole."]


def _present(i: Inspection, names: Sequence[str]) -> Sentences:
    """A sentence that lists all the regions, in the tone that the verdict allows."""
    if not names:
        return _say_none(i)
    n = len(names)
    if i.verdict == "good":
        which = "the strangest place is" if n == 1 else f"the {n} strangest places are"
        return [f"The picture as a whole stays within its limit; {which} {_list(names)}."]
    return [f"{'One region stands' if n == 1 else f'{n} regions stand'} out: {_list(names)}."]


def _sketch_regions(i: Inspection) -> Sentences:
    return _present(i, [_sketch(r) for r in i.regions])


def _count_regions(i: Inspection) -> Sentences:
    return _present(i, [_refer(r) for r in i.regions])


def _describe_each(*describe: Callable[[Region], str]) -> Callable[[Inspection, Ask], Sentences]:
    """A reply that says the same things of each region asked about."""

    def reply(i: Inspection, ask: Ask) -> Sentences:
        if ask.focus:
            chosen = [r for r in i.regions if r.id in ask.focus]
        else:
            chosen = [r for r in i.regions if set(ask.position.split()) <= set(r.position.split())]
        if not chosen:
            return _search_position(i, ask) if i.regions else _say_none(i)
        said = ["The verdict is good, so this is about the strangest places only."] if i.verdict == "good" else []
        said += [line for r in chosen[:LISTED] for tell in describe if (line := tell(r))]
        if len(chosen) > LISTED:
            said.append(f"{len(chosen) - LISTED} more came out weaker than these.")
        return said

    return reply


def _search_position(i: Inspection, ask: Ask) -> Sentences:
    there = [r for r in i.regions if set(ask.position.split()) <= set(r.position.split())]
    if there:
        strange = "the strangest there is " if i.verdict == "good" else ""
        return [f"Yes, {_at(ask.position)}: {strange}{_list([_sketch(r) for r in there])}."]
    return [f"No, nothing stands out {_at(ask.position)}.", *_sketch_regions(i)]


# One reply for each intent


def _summarize(i: Inspection, _: Ask) -> Sentences:
    said = [*_state_verdict(i), *_state_rarity(i), *_sketch_regions(i)]
    said += [line for r in i.regions[:1] if (line := _name_type(r))]
    said += _state_comparison(i)
    if i.looks_like and not i.product:
        said.append(f"The picture as a whole looks most like {quote(i.looks_like[0])}.")
    return [*said, *_read_notices(i), *_advise(i)]


def _read_notices(i: Inspection) -> Sentences:
    return [f"Note: {plain(notice).rstrip('.')}." for notice in i.notices]


def _judge(i: Inspection, ask: Ask) -> Sentences:
    openings = {
        "good": {"good": "Yes, the", "defect": "No, the"},
        "bad": {"good": "No, the", "defect": "Yes, the"},
    }
    opening = openings.get(ask.premise, {}).get(i.verdict or "", "The")
    return [*_state_verdict(i, opening), *_sketch_regions(i)]


def _state_score(i: Inspection, ask: Ask) -> Sentences:
    review = f"The review limit is {number(_numbers(i)[3])}."
    peaks = [_grade(r) for r in i.regions if r.id in ask.focus]
    return [*peaks, *_state_verdict(i), *([review] if i.verdict == "defect" else []), *_state_origin(i)]


def _weigh(i: Inspection, _: Ask) -> Sentences:
    said = [*_state_rarity(i), *_state_verdict(i), *_state_origin(i)]
    said.append("The p-value tells how unusual the score is; it is not the chance of a wrong verdict.")
    if i.verdict == "good":
        said.append("That nothing more was found is no proof that nothing is there.")
    return said


def _give_reasons(i: Inspection, _: Ask) -> Sentences:
    return [*_state_verdict(i), *_sketch_regions(i), *_state_comparison(i), *_state_rarity(i)]


def _name_types(i: Inspection, ask: Ask) -> Sentences:
    if not i.regions:
        return _say_none(i)
    if any(r.defect_types for r in i.regions):
        return [*_describe_each(_name_type, _locate)(i, ask), "That is a likeness and no proof."]
    unknown = "This bundle cannot tell types apart; what it can say is where and how strongly."
    return [unknown, *_describe_each(_locate, _grade)(i, ask)]


def _identify(i: Inspection, _: Ask) -> Sentences:
    said = [f"It was inspected as the product {quote(i.product)}."] if i.product else []
    if i.looks_like:
        said.append(f"The picture as a whole looks most like {_list([quote(name) for name in i.looks_like])}.")
        said.append("That is a guess at the object and no part of the verdict.")
    return [*(said or ["The record does not say what the picture shows."]), *_state_verdict(i)]


def _state_record(i: Inspection, _: Ask) -> Sentences:
    said = [f"The file is named {quote(_base_name(i.path))}."]
    if i.width and i.height:
        said.append(f"The picture is {i.width} x {i.height} px.")
    if i.bundle:
        said.append(f"It was inspected with the bundle {quote(i.bundle)}.")
    if i.ms is not None:
        said.append(f"That took {number(i.ms)} ms.")
    return said


_REPLIES: dict[str, Callable[[Inspection, Ask], Sentences]] = {
    "verdict": _judge,
    "summary": _summarize,
    "score": _state_score,
    "certainty": _weigh,
    "why": _give_reasons,
    "compared": lambda i, _: [*_state_comparison(i), *_state_origin(i)],
    "action": lambda i, _: [*_advise(i), *_state_verdict(i)],
    "where": _describe_each(_locate),
    "size": _describe_each(_measure),
    "severity": _describe_each(_grade),
    "region": _describe_each(_locate, _measure, _grade, _name_type),
    "type": _name_types,
    "count": lambda i, _: _count_regions(i),
    "position": _search_position,
    "identity": _identify,
    "record": _state_record,
    "notices": lambda i, _: _read_notices(i) or ["The record holds no notices."],
    "millimetres": lambda i, ask: [
        "The record knows pixels only: it has no scale to millimetres and no depth.",
        *_describe_each(_measure)(i, ask),
    ],
    "cause": lambda i, _: [
        "The cause I cannot know from a picture alone; the record only holds what was found, and where.",
        *_sketch_regions(i),
        *_state_verdict(i),
    ],
    "command": lambda i, _: ["Words cannot change what the detector decided.", *_state_verdict(i)],
    "help": lambda i, _: [ABOUT, *_state_verdict(i)],
    "greeting": lambda i, _: ["Hello.", *_state_verdict(i), ABOUT],
    "thanks": lambda i, _: ["You are welcome.", *_state_verdict(i)],
    "unknown": lambda i, _: [
        "That I cannot tell from this inspection.",
        *_state_verdict(i),
        *_sketch_regions(i),
        ABOUT,
    ],
}
