"""Draws conversations of one to eight turns about an inspection at random, to train a language model on.

Topics follow each other, regions are called by what people call them, and it goes on with "it" and "the second
one". The answers are those of `answers_on_picture`, `answers_on_regions` and `answers_declined`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assistant.inspection import Inspection, Region
from assistant.language.evidence_text import SHOWN
from assistant.language.wording import at
from assistant.prompts.defects import DEFECTS
from assistant.training.answer_parts import Case, Wordings
from assistant.training.answers_declined import BEYOND, FURTHER, tell_beyond, tell_claim, tell_command
from assistant.training.answers_on_picture import WHOLE
from assistant.training.answers_on_regions import (
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
from assistant.training.multiple_choice_questions import choose
from assistant.training.phrasings import Split, ask, phrasings, refer_to, refer_to_missing, refer_to_nothing

Turn = tuple[str, str]

LENGTHS = (0.2, 0.05, 0.05, 0.1, 0.15, 0.15, 0.15, 0.15)
"""How often a conversation has one to eight turns. First questions count most; more turns teach more a step."""

CHOICES = 0.12
"""The share of conversations that open with multiple choice."""

_AGAIN = 0.25  # of the turns that could, go on with "and the second one?"
_TURNED = 0.6  # of the turns after a question with yes or no, ask for the opposite
_CLAIMS = ("fine_claim", "bad_claim", "command_good", "command_bad")
_GOOD_SIDE = ("fine", "fine_claim", "command_good")
_BAD_SIDE = ("presence", "bad_claim", "command_bad")

_FAMILIES: dict[str, tuple[float, dict[str, float]]] = {
    "beyond": (0.19, dict.fromkeys((*BEYOND, *FURTHER), 1.0)),
    "stance": (
        0.15,
        {"presence": 4, "fine": 4, "fine_claim": 4, "bad_claim": 4, "command_good": 1.5, "command_bad": 1.5},
    ),
    "premise": (0.09, {"presumed": 4, "missing": 4, "kind": 1}),
    "type": (0.24, {"type": 6, "kind": 1}),
    "record": (
        0.33,
        {
            "verdict": 5, "count": 6, "others": 2, "where": 9, "largest": 2, "strongest": 2, "compared": 3,
            "references": 2, "action": 5, "certainty": 5, "close": 3, "score": 4, "threshold": 3,
            "review_limit": 2, "origin": 2, "p_value": 2, "summary": 7, "why": 5, "picture": 1, "product": 2,
            "thanks": 0.7, "place": 6, "box": 4, "size": 7, "severity": 6, "peak": 2, "shape": 5, "contrast": 5,
            "parts": 3, "cause": 3, "detail": 4, "side": 3, "half": 2, "order": 4, "at_place": 8,
        },
    ),
}  # fmt: skip
"""How often each family of topics is asked about, and each topic in it; `_TURNED` adds to "stance"."""

_GOOD = 0.3  # of the weight of a topic that takes a region for granted is left where there is none
_ASTRAY = 0.1  # of the questions about one region are about one that is not there, in the same words
_OPEN = 1.5  # times the share of "stance" where the verdict is review, which is rarer than the others
_REPEATED = frozenset({"again", "type"})  # about another region, or in other words
_OF_REGIONS = frozenset({*EACH, "largest", "strongest", "others"})


@dataclass(frozen=True)
class _Said:
    """What was said so far: the regions cited last, and the last topic."""

    cited: tuple[str, ...] = ()
    topic: str = ""
    about: str = ""


def converse(case: Case, rng: np.random.Generator, split: Split = "train") -> list[Turn]:
    """A conversation as (question, answer) pairs, with the phrasings of a split."""
    turns: list[Turn] = [choose(case, rng, split)] if rng.random() < CHOICES else []
    said, asked = _Said(), set[str]()
    for _ in range(1 + int(rng.choice(len(LENGTHS), p=LENGTHS)) - len(turns)):
        for _ in range(20):  # a topic may not fit this record
            topic = _draw_topic(case, asked, said, rng, split)
            made = _make_turn(case, topic, said, rng, split)
            if made:
                break
        else:
            break
        turn, about = made
        turns.append(turn)
        asked |= {topic} - _REPEATED
        cited = tuple(dict.fromkeys(re.findall(r"\[(R\d+)\]", turn[1])))
        said = _Said(cited or said.cited, said.topic if topic == "again" else topic, about)
        if topic == "thanks":
            break
    return turns


def _draw_topic(case: Case, asked: set[str], said: _Said, rng: np.random.Generator, split: Split) -> str:
    i = case.inspection
    if said.topic in EACH and said.about and len(i.regions) > 1 and rng.random() < _AGAIN:
        return "again"
    open_ = {t for t, lines in phrasings(split).items() if lines and t not in asked and (asked or t != "thanks")}
    for side, other in ((_GOOD_SIDE, _BAD_SIDE), (_BAD_SIDE, _GOOD_SIDE)):
        if said.topic in side and (left := sorted(open_ & set(other))) and rng.random() < _TURNED:
            return _draw({t: _FAMILIES["stance"][1][t] for t in left}, rng)
    shares = {}
    for name, (share, topics) in _FAMILIES.items():
        if open_ & topics.keys():
            shares[name] = share * _lean(name, i)
    weights = {t: w for t, w in _FAMILIES[_draw(shares, rng)][1].items() if t in open_}
    if not i.regions:
        weights = {t: w * (_GOOD if t in _OF_REGIONS else 1) for t, w in weights.items()}
    elif said.cited:
        weights = {t: w * (2 if t in EACH else 1) for t, w in weights.items()}
    return _draw(weights, rng)


def _lean(family: str, i: Inspection) -> float:
    """How much more or less often than by its share a family is drawn for this record."""
    if family == "stance" and i.verdict == "review":
        return _OPEN
    return _GOOD if family == "type" and not i.regions else 1


def _draw(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    names, odds = list(weights), np.array(list(weights.values()), dtype=float)
    return names[int(rng.choice(len(names), p=odds / odds.sum()))]


def _make_turn(
    case: Case, topic: str, said: _Said, rng: np.random.Generator, split: Split
) -> tuple[Turn, str] | None:
    """A question and its answer, and the id of the region it is about; None where the topic does not fit."""
    i = case.inspection
    if topic in WHOLE:
        return _pair(ask(topic, rng, split), WHOLE[topic](i), rng)
    if topic in BEYOND or topic in FURTHER:
        return _pair(ask(topic, rng, split), tell_beyond(i, topic), rng)
    if topic in _CLAIMS:
        claim = "good" if topic in ("fine_claim", "command_good") else "bad"
        told = tell_command(i) if topic.startswith("command") else tell_claim(i, claim)
        return _pair(ask(topic, rng, split), told, rng)
    if topic == "missing":
        return _pair(ask(topic, rng, split, r=refer_to_missing(i, rng)), tell_missing(i), rng)
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
    if topic in EACH and rng.random() < _ASTRAY:
        return _pair(ask(topic, rng, split, r=refer_to_missing(i, rng)), tell_missing(i), rng)
    if not i.regions:
        if topic not in EACH:
            return None
        return _pair(ask(topic, rng, split, r=refer_to_nothing(rng)), tell_each(case, topic, None), rng)
    known = i.regions[:SHOWN]  # a model reads of no others
    order = [known[n] for n in rng.permutation(len(known))]
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
