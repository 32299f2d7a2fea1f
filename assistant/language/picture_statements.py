"""Sentences about the picture as a whole: the verdict, how rare its score is, what it rests on, what to do.

Each is filled in from one Inspection and from nothing else, and takes the verdict as it stands.
"""

from __future__ import annotations

import math

from assistant.detection.counting import UNCOUNTED, say_missing, say_promise
from assistant.detection.drift import has_drifted
from assistant.inspection import MISSING_HERE, NOTHING_SHOWN, Inspection
from assistant.language.wording import Sentences, base_name, count, number, percent, plain, quote, refer

FEW = 20  # good pictures; fewer than this and the answer says how little they can support
CLOSE = 0.05  # a score this near to the threshold, relative to it, is called close


_RAREST = "fewer than one in a million"

FOR_A_DECISION = "For a decision, give one to a few good parts as references, or inspect a whole lot together."


DRIFTED = "The product has drifted, so its limit no longer holds."
CHECK_CHANGE = "Check the camera, the light and the lot before you go by single verdicts."


def _state_unrated(i: Inspection) -> Sentences:
    """That there is no decision, what there is instead, and what to do."""
    rank = f" (place {i.standing}, the strangest first)" if i.rank else ""
    score = number(numbers(i)[0])
    said = f"No decision can be made without references: the verdict is unrated, with a score of {score}{rank}."
    return [said, FOR_A_DECISION]


def state_verdict(i: Inspection, opening: str = "The") -> Sentences:
    """The verdict, where the score lies, and whether its limit still holds; `opening` stands before "verdict"."""
    if i.verdict == "unrated":
        return _state_unrated(i)
    score, _, threshold, review = numbers(i)
    over = _relate(score, threshold, "threshold")
    if i.verdict != "defect":
        over = f"{_relate(score, review, 'review limit')} and {over}"
    said = [f"{opening} verdict is {i.verdict}: the score of {number(score)} is {over}."]
    if i.verdict == "review" and any(notice.startswith(NOTHING_SHOWN) for notice in i.notices):
        said.append("Since nothing in the picture can be inspected, it is not called good.")
    elif i.verdict == "review" and MISSING_HERE in i.notices:
        said.append("Since something that good parts have is missing, it is not called good.")
    elif i.verdict != ("defect" if score > threshold else "review" if score > review else "good"):
        said.append("These numbers do not agree with the verdict in the record, so have it checked.")
    elif abs(score - threshold) <= CLOSE * abs(threshold):
        said.append("That is close to the threshold.")
    return [*said, *state_drift(i)]


def state_rarity(i: Inspection) -> Sentences:
    """How many good parts would score this high, and how far that figure can be trusted."""
    if i.verdict == "unrated":
        return ["Which share of good parts would score this high is not known."]
    p, evidence = numbers(i)[1], i.evidence
    share = f"about {percent(p)}" if p >= 0.2 else f"about 1 in {number(round(1 / p))}" if p >= 1e-6 else _RAREST
    if evidence and i.by_curve:
        seen = count(evidence.n, "picture" if evidence.method in UNCOUNTED else "good picture")
        return [
            f"Fewer than 1 in {number(1 / evidence.smallest_p)} good parts would score this high, which is as "
            f"rare as {seen} can show; the fitted curve says {share} (p-value {number(p)})."
        ]
    said = [f"By the p-value of {number(p)}, {share}{' of' if p >= 0.2 else ''} good parts would score this high."]
    if evidence is None:
        return said
    if evidence.n == 0:
        said.append("No good picture of this product stands behind that share: take it as a rough guide.")
    elif evidence.n < FEW:
        said.append(f"Only {count(evidence.n, 'good picture')} can be counted for that share.")
    return said


def state_origin(i: Inspection) -> Sentences:
    """Where the threshold comes from, and the share of good parts that it is set to turn away."""
    if i.evidence is None:
        return ["The record does not say where the threshold comes from."]
    if i.verdict == "unrated":
        return ["There is no threshold, since nothing is known of this product."]
    return [
        f"Where the threshold comes from: {plain(i.evidence.origin).rstrip('.')}.",
        f"It is set to turn away about {percent(i.evidence.target_false_alarm)} of good parts.",
    ]


def state_promise(i: Inspection) -> Sentences:
    """What share of good parts the threshold turns away, as far as is known, and what is missing to promise it."""
    if i.verdict == "unrated":
        return [FOR_A_DECISION]
    if i.evidence is None:
        return ["The record does not say where the threshold comes from."]
    target = f"it is set to turn away about {percent(i.evidence.target_false_alarm)} of good parts"
    said = (say_promise(i.evidence) or target, say_missing(i.evidence))
    return [f"{line[:1].upper()}{line[1:]}." for line in said if line]


def state_comparison(i: Inspection) -> Sentences:
    """What the picture was compared with."""
    if i.mode == "zero-shot":
        return ["The picture was compared with itself only: no reference picture was given."]
    if i.mode == "mutual":
        return ["It was compared with the other pictures that came with it, taking most of those for good parts."]
    shown = count(i.references, "good reference picture") if i.references else "good reference pictures"
    return [f"It was compared with {shown}" + (f" of the product {quote(i.product)}." if i.product else ".")]


def state_record(i: Inspection) -> Sentences:
    """File, size, bundle and time, as far as the record holds them."""
    said = [f"The file is named {quote(base_name(i.path))}."]
    if i.width and i.height:
        said.append(f"The picture is {i.width} x {i.height} px.")
    if i.bundle:
        said.append(f"It was inspected with the bundle {quote(i.bundle)}.")
    if i.ms is not None:
        said.append(f"That took {number(i.ms)} ms.")
    return said


def read_notices(i: Inspection) -> Sentences:
    """One sentence for each notice of the record."""
    return [f"Note: {plain(notice).rstrip('.')}." for notice in i.notices]


def report_error(i: Inspection) -> Sentences:
    """Why a picture has no verdict, without the folder that it lies in."""
    reason = plain((i.error or "").replace(i.path or "\0", base_name(i.path))).rstrip(".")
    return [
        f"This picture could not be read, so there is no verdict: {reason}.",
        "Check the file or take it again.",
    ]


def advise(i: Inspection) -> Sentences:
    """What to do with the part, which follows from the verdict, as long as its limit holds."""
    spot = refer(i.regions[0]) if i.regions else "the whole picture"
    if i.verdict == "unrated":
        return [FOR_A_DECISION, f"The place to look at is {spot}."]
    drift = state_drift(i)
    if i.verdict == "good" and not drift:
        doubt = f" If in doubt, {spot} is the place to look at." if i.regions else ""
        return [f"Let it pass: nothing in this picture asks for more.{doubt}"]
    if i.verdict == "defect":
        return [*drift, f"Set it aside and have a person look at {spot}."]
    return [*drift, f"Have a person look at {spot} before it goes on."]


def state_drift(i: Inspection) -> Sentences:
    """That the limit no longer holds and what to check, where the product has drifted."""
    return [DRIFTED, CHECK_CHANGE] if i.verdict != "unrated" and has_drifted(i.notices) else []


def numbers(i: Inspection) -> tuple[float, float, float, float]:
    """Score, p-value, threshold and review threshold; the last three are NaN where a picture is unrated."""
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
