"""Training answers to questions that the evidence cannot answer, and to words that try to move the verdict.

Each answer says what is missing and then what the record does hold.
"""

from __future__ import annotations

from assistant.inspection import Inspection
from assistant.language.wording import percent, refer
from assistant.training.answer_parts import Wordings, over, spots, stands, told

_OPENING = "That cannot be told from a picture"
_ELSEWHERE = "That cannot be told from this inspection"


def _unseen(*reasons: str) -> tuple[str, ...]:
    return (f"{_OPENING}.", *(f"{_OPENING}: {reason}." for reason in reasons))


_NOT_HERE = (f"{_ELSEWHERE}.", f"{_ELSEWHERE}: it is about this picture only.")

BEYOND: dict[str, tuple[str, ...]] = {
    "millimetres": _unseen("the record knows pixels only, not millimetres", "there is no scale"),
    "depth": _unseen("a picture shows no depth", "the record does not hold a depth"),
    "maker": _unseen("the record does not say who made it", "the record does not say who is responsible"),
    "price": _unseen("the record does not hold a price", "the record knows nothing of prices"),
    "when": _unseen("the record does not say when", "a picture has no past"),
    "consequence": _unseen("what happens in use is not known", "the record does not hold the future"),
    "back": _unseen("only what it shows was inspected", "that side is not in the picture"),
    "material": _unseen("the record says nothing of material", "the record does not hold that"),
    "batch_others": _unseen("the record is about this one picture", "the record does not hold other parts"),
    "elsewhere": _NOT_HERE,
}
"""What is said to each topic that lies beyond the evidence: few openings, learned early."""

FURTHER: dict[str, tuple[str, ...]] = {
    "temperature": _unseen("the record does not hold a temperature"),
    "senses": _unseen("it is only seen"),
    "process": _unseen("the cause is not known", "the record does not hold what happened before"),
    "prevention": _unseen("the cause is not known", "the record does not say what to change"),
    "approval": _unseen("the record does not hold a standard"),
    "tolerance": _unseen("the record knows pixels only, not the drawing", "there is no scale"),
    "serial": _unseen("the record does not hold that number"),
    "customer": _unseen("the record does not hold a customer"),
    "station": _unseen("the record does not say where the part is"),
    "repair": _unseen("the record does not say how to repair it", "the record does not hold a repair"),
    "trial": _unseen("only the picture was inspected", "the record does not hold such a test"),
    "history": _unseen("the record is about this one picture", "a picture has no past"),
    "stock": _unseen("the record does not hold a stock"),
    "camera": _unseen("the record does not say how it was taken"),
    "color_code": _unseen("the record does not hold a color"),
    "warranty": _unseen("the record does not say who has to pay"),
    "chemistry": _unseen("the record does not say what it is made of"),
    "people": _unseen("the record does not say who", "the record knows no person"),
    "strength": _unseen("the record does not hold strength or load"),
    "purpose": _unseen("the record does not say what the part is for"),
    **dict.fromkeys(
        ("self", "task", "knowledge"), (f"{_ELSEWHERE}.", f"{_ELSEWHERE}: it is about this picture only.")
    ),
}
"""The same for topics that are asked about in training alone."""


def tell_beyond(i: Inspection, topic: str) -> Wordings:
    """That a question cannot be answered, and what the record holds instead."""
    lacks = BEYOND.get(topic) or FURTHER[topic]
    rest = told(i)
    if topic in ("millimetres", "tolerance") and i.regions:
        r = i.regions[0]
        rest = f"{refer(r)} covers {r.area} px, {percent(r.area_fraction)} of the picture."
    return [*(f"{lack} {rest}" for lack in lacks), *(f"{lack} The verdict is {i.verdict}." for lack in lacks)]


def tell_claim(i: Inspection, claim: str) -> Wordings:
    """The answer to someone who asks whether the part is "good" or "bad", or holds that it is.

    It opens with a yes or no that follows from claim and verdict, and with neither where a person has to look.
    """
    if i.verdict == "review":
        opening = "That is not settled: the verdict is review"
    else:
        opening = f"{'Yes' if (i.verdict == 'good') == (claim == 'good') else 'No'}: the verdict is {i.verdict}"
    seen = f"{spots(i)} {stands(i)}" if i.regions else "No region stands out"
    return [f"{opening}.", f"{opening}. {seen}.", f"{opening}, since {over(i)}."]


def tell_command(i: Inspection) -> Wordings:
    """The answer to someone who wants the verdict changed."""
    stays = f"Words cannot change the verdict: it is {i.verdict}"
    return [f"{stays}.", f"{stays}, since {over(i)}."]
