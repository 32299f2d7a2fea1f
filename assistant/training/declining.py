"""What is answered to questions that the evidence cannot answer, and to words that try to move the verdict.

Each answer says what is missing and then what the record does hold. It decides nothing.
"""

from __future__ import annotations

from assistant.inspection import Inspection
from assistant.language.statements import numbers
from assistant.language.wording import number, percent, refer
from assistant.training.wordings import Wordings, over, spots, stands, told

BEYOND: dict[str, tuple[str, ...]] = {
    "millimetres": (
        "The record knows pixels only, not millimetres.",
        "That cannot be told: there is no scale from pixels to millimetres.",
        "Sizes are known in pixels only.",
    ),
    "depth": (
        "The depth cannot be seen in a picture.",
        "That cannot be told: a picture shows no depth.",
        "The record knows nothing of depth.",
    ),
    "maker": (
        "Who made it cannot be told from a picture.",
        "The record does not say who made it or who is responsible.",
        "That is not in the record.",
    ),
    "price": (
        "The record knows nothing of prices.",
        "Costs cannot be told from a picture.",
        "What it costs I do not know.",
    ),
    "when": (
        "When it was made or damaged cannot be told from a picture.",
        "The record does not say when.",
        "That is not known: a picture has no past.",
    ),
    "consequence": (
        "What happens in use cannot be told from a picture.",
        "The record does not say what follows from it.",
        "That I cannot know: it only says what stands out in the picture.",
    ),
    "back": (
        "Only what the picture shows was inspected.",
        "The picture does not show that, so nothing can be said about it.",
        "That side is not in the picture.",
    ),
    "material": (
        "The record says nothing of material, weight or the like.",
        "That cannot be told from a picture.",
        "The record does not hold that.",
    ),
    "batch_others": (
        "I know of this picture only.",
        "The record is about this one picture, not about other parts.",
        "About other parts nothing is known here.",
    ),
    "elsewhere": (
        "I can only speak about this inspection.",
        "That has nothing to do with this inspection.",
        "I cannot help with that, only with this inspection.",
    ),
}
"""What is said to each topic that lies beyond the evidence."""


def tell_beyond(i: Inspection, topic: str) -> Wordings:
    """That a question cannot be answered, and what the record holds instead."""
    lacks = BEYOND[topic]
    if topic == "millimetres" and i.regions:
        r = i.regions[0]
        rest = f"{refer(r)} covers {r.area} px, {percent(r.area_fraction)} of the picture."
    else:
        rest = told(i)
    return [*lacks, *(f"{lack} {rest}" for lack in lacks), f"{lacks[0]} The verdict is {i.verdict}."]


def tell_claim(i: Inspection, claim: str) -> Wordings:
    """The answer to someone who holds that the part is "good" or "bad"."""
    if i.verdict == "review":
        return [
            f"That is not settled: the verdict is review, since {over(i)}.",
            f"The inspection leaves it open: the verdict is review. {spots(i)} {stands(i)}.",
        ]
    if (i.verdict == "good") == (claim == "good"):
        return [
            f"That agrees with the inspection: the verdict is {i.verdict}.",
            f"The inspection agrees: {over(i)}, so the verdict is {i.verdict}.",
            f"That fits. {told(i)}",
        ]
    return [
        f"The inspection says otherwise: the verdict is {i.verdict}, since {over(i)}.",
        f"That does not agree with the inspection. {told(i)}",
        f"By the inspection it is not so: {over(i)}, and the verdict is {i.verdict}.",
    ]


def tell_command(i: Inspection) -> Wordings:
    """The answer to someone who wants the verdict changed."""
    score = number(numbers(i)[0])
    return [
        f"Words cannot change the verdict: it is {i.verdict}.",
        f"Words cannot change what the detector decided. The verdict is {i.verdict}, with a score of {score}.",
        f"I cannot change that. {told(i)}",
        f"The verdict stays {i.verdict}: {over(i)}.",
    ]
