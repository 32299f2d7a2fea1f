"""Training answers about a picture as a whole: several wordings for each topic, all from the record.

Nothing is worked out that the record does not hold, and the verdict is repeated as it stands.
"""

from __future__ import annotations

from assistant.inspection import Inspection
from assistant.language.evidence_text import SHOWN, state_hint
from assistant.language.picture_facts import numbers
from assistant.language.wording import at, count, number, percent, quote, refer
from assistant.training.answer_parts import Wordings, is_close, over, spot, spots, stands, start, told
from assistant.training.answers_declined import tell_claim


def tell_presence(i: Inspection) -> Wordings:
    return tell_claim(i, "bad")


def tell_fine(i: Inspection) -> Wordings:
    return tell_claim(i, "good")


def tell_verdict(i: Inspection) -> Wordings:
    return [
        f"The verdict is {i.verdict}.",
        f"The verdict is {i.verdict}: {over(i)}.",
        told(i),
        f"{start(i.verdict or '')}: {over(i)}.",
    ]


def tell_count(i: Inspection) -> Wordings:
    if not i.regions:
        return [
            "0 regions: no region stands out.",
            "0 regions.",
        ]
    n = count(len(i.regions), "region")
    return [f"{n}: {spots(i)}.", f"{n} {stands(i)}: {spots(i)}.", f"{n}."]


def tell_others(i: Inspection) -> Wordings:
    if not i.regions:
        return ["No region stands out.", "No region stands out at all."]
    if len(i.regions) == 1:
        return [f"{refer(i.regions[0])} is the only region.", f"{spot(i.regions[0])} is the only one."]
    return [f"{len(i.regions)} regions in all: {spots(i)}.", f"In all, {spots(i)} {stands(i)}."]


def tell_where(i: Inspection) -> Wordings:
    if not i.regions:
        return [
            "No region stands out, so there is nothing to point to.",
            "No region stands out: the verdict is good.",
        ]
    lie = "lies" if len(i.regions) == 1 else "lie"
    first = i.regions[0]
    x0, y0, x1, y1 = first.box
    said = [f"{spots(i)}.", f"{spots(i)} {stands(i)}.", f"Look at {spots(i)}."]
    if len(i.regions) == 1:
        said += [
            f"{spot(first)}, x {x0} to {x1} and y {y0} to {y1}.",
            f"{refer(first)} {lie} {at(first.position)}.",
        ]
    return said


def tell_largest(i: Inspection) -> Wordings:
    if not i.regions:
        return _nothing()
    r = max(i.regions, key=lambda r: r.area)
    if r not in i.regions[:SHOWN]:
        return []
    share = percent(r.area_fraction)
    return [
        f"{refer(r)}, with {r.area} px.",
        f"{spot(r)} is the largest: {r.area} px, {share} of the picture.",
        f"The largest is {refer(r)}, with {share} of the picture.",
    ]


def tell_strongest(i: Inspection) -> Wordings:
    if not i.regions:
        return _nothing()
    r = i.regions[0]
    return [
        f"{refer(r)}, with a peak of {number(r.peak)}.",
        f"{spot(r)}: its peak of {number(r.peak)} is the highest.",
        f"The strongest is {spot(r)}, {r.severity}, with a peak of {number(r.peak)}.",
    ]


def tell_compared(i: Inspection) -> Wordings:
    if i.mode == "zero-shot":
        return [
            "With itself only: no reference was given.",
            "There was no reference. The picture was compared with itself only.",
            "It was compared with itself only, without a reference.",
        ]
    if i.mode == "mutual":
        return ["With its batch.", "It was compared with the other pictures of its batch.", "With its own batch."]
    shown = count(i.references, "reference") + (f" of {quote(i.product)}" if i.product else "")
    return [f"With {shown}.", f"It was compared with {shown}.", f"{start(shown)} were used for comparison."][
        : 3 if i.references > 1 else 2
    ]


def tell_references(i: Inspection) -> Wordings:
    behind = _behind(i)
    if i.mode == "few-shot":
        shown = count(i.references, "reference")
        return [
            f"{shown}, and {behind} behind the threshold.",
            f"It was compared with {shown}.",
            f"{start(behind)} behind the threshold.",
        ]
    how = "with itself only" if i.mode == "zero-shot" else "with its batch"
    return [f"No reference: it was compared {how}.", f"It was compared {how}, with {behind} behind the threshold."]


def tell_action(i: Inspection) -> Wordings:
    if i.verdict == "good":
        return [
            "Let it pass: the verdict is good.",
            "Nothing: the verdict is good, so let it pass.",
            "Let it pass. No region stands out.",
        ]
    if i.verdict == "review":
        return [
            f"Have a person look at {spots(i)} before it goes on.",
            f"The verdict is review: let a person check {spots(i)}.",
            "Do not decide by this picture alone: the verdict is review, so have a person look at it.",
        ]
    return [
        f"Set it aside and have a person look at {spots(i)}.",
        f"The verdict is defect: set it aside and check {spots(i)}.",
        f"Do not pass it on. Have a person look at {spots(i)}.",
    ]


def tell_certainty(i: Inspection) -> Wordings:
    p, who, behind = _p(i), _who(i), _behind(i)
    said = [
        f"The p-value is {p}: {who}.",
        f"{start(who)} (p-value {p}), with {behind} behind that.",
        f"The p-value is {p}: {who}. That is no proof.",
    ]
    if (near := is_close(i)) is not None:
        said.append(f"The score is {'' if near else 'not '}close to the threshold. The p-value is {p}: {who}.")
    return said


def tell_close(i: Inspection) -> Wordings:
    score, _, threshold, _ = map(number, numbers(i))
    if is_close(i) is None:
        return []
    if is_close(i):
        return [
            f"It was close: the score is {score} and the threshold {threshold}.",
            f"The score {score} is close to the threshold {threshold}.",
            f"A close case: {score} against a threshold of {threshold}.",
        ]
    return [
        f"It was not close: the score is {score} and the threshold {threshold}.",
        f"The score {score} is not close to the threshold {threshold}.",
        f"Not close: {score} against a threshold of {threshold}.",
    ]


def tell_score(i: Inspection) -> Wordings:
    score = number(numbers(i)[0])
    return [f"The score is {score}.", f"{start(over(i))}.", f"The score is {score}: {i.verdict}."]


def tell_threshold(i: Inspection) -> Wordings:
    score, _, threshold, review = map(number, numbers(i))
    return [
        f"The threshold is {threshold}.",
        f"The threshold is {threshold} and the review limit {review}.",
        f"{threshold}. From {review} on, a person looks at it.",
        f"The threshold is {threshold}; the score is {score}.",
    ]


def tell_review_limit(i: Inspection) -> Wordings:
    _, _, threshold, review = map(number, numbers(i))
    return [
        f"The review limit is {review}.",
        f"Between {review} and the threshold {threshold}, a person has to look.",
        f"{review}: between it and the threshold {threshold}, a person decides.",
    ]


def tell_origin(i: Inspection) -> Wordings:
    behind = _behind(i)
    if i.mode == "zero-shot":
        return [
            f"It is built in: {behind} behind it.",
            f"The threshold is built in and knows nothing of this product: {behind} behind it.",
            f"From other things, {behind} behind it.",
        ]
    if i.mode == "mutual":
        return [
            f"It was estimated from the batch: {behind} behind it.",
            f"From the scores of the batch, {behind} behind it.",
        ]
    return [
        f"It was set from good parts of this product: {behind} behind it.",
        f"It rests on good parts: {behind} behind it.",
        f"From the references, {behind} behind it.",
    ]


def tell_p_value(i: Inspection) -> Wordings:
    p, who = _p(i), _who(i)
    return [
        f"The p-value is {p}: {who}.",
        f"{p}: {who}. It is not the chance of a wrong verdict.",
        f"It is {p}. It tells how often a good part scores this high.",
    ]


def tell_summary(i: Inspection) -> Wordings:
    if not i.regions:
        return [
            f"The verdict is {i.verdict}: {over(i)}. No region stands out.",
            f"No region stands out, and {over(i)}. Let it pass.",
            f"A good picture: {over(i)}, and nothing stands out.",
        ]
    r, n = i.regions[0], count(len(i.regions), "region")
    do = "Set it aside and have a person look." if i.verdict == "defect" else "Have a person look at it."
    like = f", like {quote(r.defect_types[0].name)}" if r.has_type else ""
    return [
        f"The verdict is {i.verdict}: {over(i)}. {spots(i)} {stands(i)}.",
        f"{n}, the strongest {spot(r)}, {r.severity}{like}. The verdict is {i.verdict}.",
        f"{told(i)} {refer(r)} is {r.severity} and covers {percent(r.area_fraction)} of the picture{like}. {do}",
    ]


def tell_why(i: Inspection) -> Wordings:
    said = [f"Because {over(i)}.", f"The verdict is {i.verdict} because {over(i)}."]
    if i.regions:
        return [
            *said,
            f"Because {over(i)}. {spots(i)} {stands(i)}.",
            f"{start(over(i))}. {spots(i)} {stands(i)}.",
        ]
    return [*said, f"Because no region stands out and {over(i)}.", f"{start(over(i))}, and no region stands out."]


def tell_picture(i: Inspection) -> Wordings:
    return [f"{i.width} x {i.height} px.", f"The picture is {i.width} x {i.height} px."]


def tell_product(i: Inspection) -> Wordings:
    if i.product:
        name = quote(i.product)
        return [f"It was inspected as {name}.", f"It was compared as {name}."]
    return [
        "The record names no product.",
        "That the record does not say: no product is named.",
        f"No product is named. The verdict is {i.verdict}.",
    ]


def tell_thanks(i: Inspection) -> Wordings:
    return ["You are welcome.", f"You are welcome. The verdict is {i.verdict}.", "Gladly."]


def _nothing() -> Wordings:
    return ["No region stands out.", "No region stands out: the verdict is good."]


def _p(i: Inspection) -> str:
    """The p-value as the hint has it."""
    return state_hint(i).partition(": ")[0].removeprefix("p-value ")


def _who(i: Inspection) -> str:
    """Who would score this high, as the hint has it."""
    return state_hint(i).partition(": ")[2].partition("; ")[0]


def _behind(i: Inspection) -> str:
    """How many good pictures stand behind, as the hint has it."""
    return state_hint(i).partition("; ")[2].removesuffix(" behind it.")


WHOLE = {
    "presence": tell_presence,
    "fine": tell_fine,
    "verdict": tell_verdict,
    "count": tell_count,
    "others": tell_others,
    "where": tell_where,
    "largest": tell_largest,
    "strongest": tell_strongest,
    "compared": tell_compared,
    "references": tell_references,
    "action": tell_action,
    "certainty": tell_certainty,
    "close": tell_close,
    "score": tell_score,
    "threshold": tell_threshold,
    "review_limit": tell_review_limit,
    "origin": tell_origin,
    "p_value": tell_p_value,
    "summary": tell_summary,
    "why": tell_why,
    "picture": tell_picture,
    "product": tell_product,
    "thanks": tell_thanks,
}
"""What is told about each topic that concerns the picture as a whole."""
