"""A conversation of one to four turns about an inspection, drawn at random.

It chooses topics, calls regions by what people call them, and goes on with "it" and "the second one". The answers
come from `telling`, `pointing` and `declining`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from assistant.inspection import Region
from assistant.language.wording import at
from assistant.prompts.defects import DEFECTS
from assistant.training.choices import choose
from assistant.training.declining import BEYOND, tell_beyond, tell_claim, tell_command
from assistant.training.phrasings import Split, ask, refer_to, refer_to_nothing
from assistant.training.pointing import (
    EACH,
    tell_at_place,
    tell_each,
    tell_half,
    tell_kind,
    tell_missing,
    tell_order,
    tell_side,
    with_article,
)
from assistant.training.telling import WHOLE
from assistant.training.wordings import Case, Wordings

Turn = tuple[str, str]

LENGTHS = (0.6, 0.25, 0.1, 0.05)
"""How often a conversation has one, two, three and four turns."""

CHOICES = 0.15
"""The share of conversations that are multiple choice."""

_AGAIN = 0.4  # of the turns that could, go on with "and the second one?"
_CLAIMS = ("fine_claim", "bad_claim", "command_good", "command_bad")

_WEIGHTS = {
    "presence": 8, "fine": 5, "verdict": 5, "count": 6, "others": 2, "where": 9, "largest": 2, "strongest": 2,
    "compared": 4, "references": 2, "action": 6, "certainty": 6, "close": 3, "score": 4, "threshold": 3,
    "review_limit": 2, "origin": 3, "p_value": 2, "summary": 8, "why": 5, "picture": 1, "product": 2,
    "thanks": 0.7, "place": 6, "box": 5, "size": 8, "severity": 6, "peak": 2, "shape": 6, "contrast": 6,
    "parts": 3, "type": 6, "cause": 4, "detail": 4, "side": 3, "half": 2, "order": 5, "at_place": 5, "missing": 3,
    "kind": 4, "presumed": 4, "fine_claim": 3, "bad_claim": 3, "command_good": 2, "command_bad": 2,
    **dict.fromkeys(BEYOND, 1.2),
}  # fmt: skip
"""How often each topic is asked about."""

_GOOD = 0.3  # of the weight of a topic that takes a region for granted is left where there is none
_DECIDED = 1.6  # times the weight of what is asked about the verdict where there are regions to ask about as well
_OF_VERDICT = frozenset(
    ("presence", "fine", "verdict", "summary", "why", "action", "fine_claim", "bad_claim", "command_good")
)
_OF_REGIONS = frozenset({*EACH, "largest", "strongest", "others"})


@dataclass(frozen=True)
class _Said:
    """What was said so far: the regions cited last, and the last topic."""

    cited: tuple[str, ...] = ()
    topic: str = ""
    about: str = ""


def converse(case: Case, rng: np.random.Generator, split: Split = "train") -> list[Turn]:
    """A conversation as (question, answer) pairs, with the phrasings of a split."""
    if rng.random() < CHOICES:
        return [choose(case, rng, split)]
    turns: list[Turn] = []
    said, asked = _Said(), set[str]()
    for _ in range(1 + int(rng.choice(len(LENGTHS), p=LENGTHS))):
        for _ in range(20):  # a topic may not fit this record
            topic = _draw_topic(case, asked, said, rng)
            made = _make_turn(case, topic, said, rng, split)
            if made:
                break
        else:
            break
        turn, about = made
        turns.append(turn)
        asked |= {topic} - {"again"}
        cited = tuple(dict.fromkeys(re.findall(r"\[(R\d+)\]", turn[1])))
        said = _Said(cited or said.cited, said.topic if topic == "again" else topic, about)
        if topic == "thanks":
            break
    return turns


def _draw_topic(case: Case, asked: set[str], said: _Said, rng: np.random.Generator) -> str:
    regions = case.inspection.regions
    if said.topic in EACH and said.about and len(regions) > 1 and rng.random() < _AGAIN:
        return "again"
    names = [t for t in _WEIGHTS if t not in asked and (asked or t != "thanks")]
    topics, factor = (_OF_VERDICT, _DECIDED) if regions else (_OF_REGIONS, _GOOD)
    weights = np.array([_WEIGHTS[t] * (factor if t in topics else 1) for t in names])
    if said.cited:
        weights = weights * [2.0 if t in EACH else 1.0 for t in names]
    return str(names[int(rng.choice(len(names), p=weights / weights.sum()))])


def _make_turn(
    case: Case, topic: str, said: _Said, rng: np.random.Generator, split: Split
) -> tuple[Turn, str] | None:
    """A question and its answer, and the id of the region it is about; None where the topic does not fit."""
    i = case.inspection
    if topic in WHOLE:
        return _pair(ask(topic, rng, split), WHOLE[topic](i), rng)
    if topic in BEYOND:
        return _pair(ask(topic, rng, split), tell_beyond(i, topic), rng)
    if topic in _CLAIMS:
        claim = "good" if topic in ("fine_claim", "command_good") else "bad"
        told = tell_command(i) if topic.startswith("command") else tell_claim(i, claim)
        return _pair(ask(topic, rng, split), told, rng)
    if topic == "missing":
        r = f"R{len(i.regions) + int(rng.integers(1, 4))}" if i.regions else f"R{rng.integers(1, 4)}"
        return _pair(ask(topic, rng, split, r=r), tell_missing(i), rng)
    if topic == "at_place":
        place = _draw_place(case, rng)
        return _pair(ask(topic, rng, split, place=at(place)), tell_at_place(i, place), rng)
    if topic in ("kind", "presumed"):
        name = _draw_kind(case, rng)
        question = ask(topic, rng, split, kind=with_article(name), name=name)
        return _pair(question, tell_kind(i, name), rng)
    return _point(case, topic, said, rng, split)


def _point(case: Case, topic: str, said: _Said, rng: np.random.Generator, split: Split) -> tuple[Turn, str] | None:
    """A turn about one region, or two."""
    i = case.inspection
    if not i.regions:
        if topic not in EACH:
            return None
        return _pair(ask(topic, rng, split, r=refer_to_nothing(rng)), tell_each(case, topic, None), rng)
    order = [i.regions[n] for n in rng.permutation(len(i.regions))]
    if topic == "order":
        if len(order) < 2:
            return None
        a, b = order[:2]
        return _pair(ask(topic, rng, split, a=a.id, b=b.id), tell_order(i, a, b), rng)
    region = _draw_region(order, topic, said, rng)
    name = refer_to(i, region, rng, cited=said.cited)
    if topic == "again" and name == "it":
        name = region.id
    question = ask(topic, rng, split, r=name)
    if topic in ("side", "half"):
        return _pair(question, (tell_side if topic == "side" else tell_half)(i, region), rng, region.id)
    return _pair(question, tell_each(case, said.topic if topic == "again" else topic, region), rng, region.id)


def _draw_region(order: list[Region], topic: str, said: _Said, rng: np.random.Generator) -> Region:
    if topic == "again":
        return next(r for r in order if r.id != said.about)
    if len(said.cited) == 1 and rng.random() < 0.7:
        return next((r for r in order if r.id == said.cited[0]), order[0])
    return order[0]


def _draw_place(case: Case, rng: np.random.Generator) -> str:
    if case.inspection.regions and rng.random() < 0.5:
        words = str(rng.choice([r.position for r in case.inspection.regions])).split()
        return " ".join(words) if rng.random() < 0.7 else str(rng.choice(words))
    names = ("top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right")
    return str(rng.choice(names))


def _draw_kind(case: Case, rng: np.random.Generator) -> str:
    named = [r.defect_types[0].name for r in case.inspection.regions if r.has_type]
    if named and rng.random() < 0.5:
        return str(rng.choice(named))
    return str(DEFECTS[int(rng.integers(len(DEFECTS)))].name)


def _pair(question: str, told: Wordings, rng: np.random.Generator, about: str = "") -> tuple[Turn, str] | None:
    if not told:
        return None
    return (question, told[int(rng.integers(len(told)))]), about
