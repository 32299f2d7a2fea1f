"""What training answers are made of: a record with its outlines, the regions with their places, the limits passed.

Numbers and names are written as in the evidence text, which the model reads beside the question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assistant.inspection import Inspection, Region
from assistant.language.picture_facts import CLOSE, numbers
from assistant.language.wording import at, number, refer
from assistant.training.outline_facts import Look

Wordings = list[str]
"""Ways to say the same thing; empty where a topic does not fit a record."""


@dataclass(frozen=True)
class Case:
    """An inspection to talk about, and how its regions look by their outlines, where those are known."""

    inspection: Inspection
    looks: Mapping[str, Look] = field(default_factory=dict)


def spot(r: Region) -> str:
    """A region with its place, as in "[R1] in the top left"."""
    return f"{refer(r)} {at(r.position)}"


def spots(i: Inspection) -> str:
    """The regions with their places, three at most by name."""
    names = [spot(r) for r in i.regions[:3]] + (["others"] if len(i.regions) > 3 else [])
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def stands(i: Inspection) -> str:
    """The verb for the regions: "stands out" or "stand out"."""
    return "stands out" if len(i.regions) == 1 else "stand out"


def over(i: Inspection) -> str:
    """Which limits the score is above."""
    score, _, threshold, review = map(number, numbers(i))
    if i.verdict == "defect":
        return f"the score {score} is above the threshold {threshold}"
    if i.verdict == "review":
        return f"the score {score} is above the review limit {review} but not above the threshold {threshold}"
    return f"the score {score} is not above the review limit {review}"


def told(i: Inspection) -> str:
    """The verdict with what stands out, as one sentence."""
    if i.regions:
        return f"The verdict is {i.verdict}: {spots(i)} {stands(i)}."
    return f"The verdict is {i.verdict}: no region stands out."


def is_close(i: Inspection) -> bool | None:
    """Whether the score is called close to the threshold; None where it takes a calculator to tell."""
    score, _, threshold, _ = numbers(i)
    apart = abs(score - threshold) / abs(threshold)
    return None if 0.6 * CLOSE < apart < 1.6 * CLOSE else apart <= CLOSE


def start(sentence: str) -> str:
    """The words with a capital letter."""
    return sentence[:1].upper() + sentence[1:]
