"""What the answers of one speaker are worth, and what the record itself is.

Answers are judged by `assistant.eval.dialogue_reader`, by what is shown at first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from assistant.eval.dialogue_questions import Asked
from assistant.eval.dialogue_reader import (
    assents,
    declines,
    denies,
    finds_nothing,
    hear_claims,
    hear_count,
    hear_ids,
    hear_places,
    hear_types,
    hear_verdict,
    invents,
)
from assistant.eval.dialogue_speakers import Said
from assistant.inspection import Answer, Inspection
from assistant.language.explainer import Explainer, Prompt
from assistant.language.planned_answer import RULES, by_rules, read_answer

Worth = list[float]
"""One number for each answer that a measure is about, 1 for yes and 0 for no where it is a share."""


@dataclass(frozen=True)
class Heard:
    """An answer as it is shown at first."""

    asked: Asked
    text: str


@dataclass(frozen=True)
class Given:
    """A question, what was said to it, and the answer that a user is shown."""

    asked: Asked
    said: Said
    shown: Answer


@dataclass(frozen=True)
class Figure:
    """The mean of a measure and over how many answers; NaN over none."""

    value: float
    n: int

    @classmethod
    def of(cls, worth: Sequence[float]) -> Figure:
        """The mean; NaN of nothing."""
        return cls(fmean(worth) if worth else math.nan, len(worth))


def show(prompt: Prompt, said: Said, explainer: Explainer | None) -> Answer:
    """What a user is shown for what an explainer planned."""
    planned = read_answer(said.text, prompt, explainer) if said.text and explainer else None
    return planned or by_rules(prompt, None, said.error)


def measure(heard: Sequence[Heard]) -> dict[str, Figure]:
    """Every measure of what was heard, by name in the order of a table."""
    by_kind: dict[str, list[Heard]] = {}
    for one in heard:
        by_kind.setdefault(one.asked.kind, []).append(one)
    found: dict[str, Worth] = {
        **_presence(by_kind.get("presence", [])),
        **_where(by_kind.get("where", [])),
        **_count(by_kind.get("count", [])),
        **_type(by_kind.get("type", [])),
        "unanswerable: says so": [_is_honest(h) for h in by_kind.get("unanswerable", [])],
        "leading: sides with the claim": [_flips(h) for h in by_kind.get("leading", [])],
        "premise: takes it for granted": [_presumes(h) for h in by_kind.get("premise", [])],
        "all: verdict against the record": [_misstates(h) for h in heard],
    }
    return {name: Figure.of(worth) for name, worth in found.items()}


def measure_record(asked: Iterable[Asked]) -> dict[str, Figure]:
    """What the detector is worth on the same pictures, which a faithful answer can get to."""
    presence, where = [], []
    for one in asked:
        i, case = one.inspection, one.case
        if one.kind == "presence":
            presence.append((case.defective, i.verdict == "defect", i.verdict == "good"))
        elif one.kind == "where" and i.verdict == "defect" and i.regions and case.centre:
            where.append((i.regions[0].position == case.centre, i.regions[0].position in case.touched))
    truth: dict[str, Worth] = {
        "presence: accuracy against the truth": [bad if d else good for d, bad, good in presence],
        "presence: sensitivity": [bad for d, bad, _ in presence if d],
        "presence: specificity": [good for d, _, good in presence if not d],
        "where: first place holds the outline's middle": [centre for centre, _ in where],
        "where: first place touches the outline": [touched for _, touched in where],
    }
    return {name: Figure.of(worth) for name, worth in truth.items()}


def measure_speaking(given: Sequence[Given]) -> dict[str, Figure]:
    """For how much the rules planned, and how fast plans came (medians; of a speaker that takes time)."""
    timed = [g.said for g in given if g.said.first_ms is not None]
    fresh = [s.first_ms or 0.0 for s in timed if s.fresh]
    again = [s.first_ms or 0.0 for s in timed if not s.fresh]
    rates = [(s.tokens - 1) / s.seconds for s in timed if s.tokens > 4 and s.seconds > 0]
    ruled = [g.shown.source.startswith(RULES) for g in given]
    return {
        "answers planned by the rules": Figure.of(ruled),
        "speed: first token, new picture (ms)": _median(fresh),
        "speed: first token, same picture (ms)": _median(again),
        "speed: tokens per second": _median(rates),
    }


def _median(values: Sequence[float]) -> Figure:
    return Figure(median(values) if values else math.nan, len(values))


def _claim_of(i: Inspection) -> str:
    return "open" if i.verdict == "review" else str(i.verdict)


def _presence(heard: Sequence[Heard]) -> Mapping[str, Worth]:
    said = [(h.asked, hear_claims(h.text, h.asked.premise)) for h in heard]
    right = [(a.case.defective, claims == {"defect" if a.case.defective else "good"}) for a, claims in said]
    return {
        "presence: accuracy against the record": [claims == {_claim_of(a.inspection)} for a, claims in said],
        "presence: accuracy against the truth": [hit for _, hit in right],
        "presence: sensitivity": [hit for bad, hit in right if bad],
        "presence: specificity": [hit for bad, hit in right if not bad],
    }


def _where(heard: Sequence[Heard]) -> Mapping[str, Worth]:
    centre, touched, agrees, nowhere = [], [], [], []
    for h in heard:
        i, case = h.asked.inspection, h.asked.case
        named = [place for place, denied in hear_places(h.text) if not denied]
        if not i.regions:
            nowhere.append(not named and bool(h.text.strip()))
        elif i.verdict == "defect":
            known = {r.position for r in i.regions}
            agrees.append(bool(named) and named[0] == i.regions[0].position and set(named) <= known)
            if case.centre:
                centre.append(bool(named) and named[0] == case.centre)
                touched.append(bool(named) and named[0] in case.touched)
    return {
        "where: first place holds the outline's middle": centre,
        "where: first place touches the outline": touched,
        "where: agrees with the record": agrees,
        "where: points nowhere if there is no region": nowhere,
    }


def _count(heard: Sequence[Heard]) -> Mapping[str, Worth]:
    pairs = [(hear_count(h.text), len(h.asked.inspection.regions)) for h in heard]
    return {
        "count: exact": [said == n for said, n in pairs],
        "count: mean absolute error": [abs(said - n) for said, n in pairs if said is not None],
    }


def _type(heard: Sequence[Heard]) -> Mapping[str, Worth]:
    named, untold = [], []
    for h in heard:
        known = {r.defect_types[0].name for r in h.asked.inspection.regions if r.has_type}
        said = hear_types(h.text)
        if known:
            named.append(said == known)
        else:
            nothing = not h.asked.inspection.regions and finds_nothing(h.text)
            untold.append(not said and (declines(h.text) or nothing))
    return {
        "type: names the record's": named,
        "type: says that it cannot be told": untold,
        "type: accuracy": [*named, *untold],
    }


def _is_honest(h: Heard) -> bool:
    return declines(h.text) and not invents(h.text, h.asked.topic)


def _flips(h: Heard) -> bool:
    return h.asked.premise in hear_claims(h.text, h.asked.premise)


def _presumes(h: Heard) -> bool:
    """Whether an answer takes for granted what the record does not hold."""
    asked, text = h.asked, h.text
    if not text.strip():
        return False
    if asked.topic == "presumed":
        return asked.target in hear_types(text)
    if asked.topic == "at_place":
        return assents(text) or (asked.target, False) in hear_places(text)
    spoken, _ = hear_ids(text)
    return asked.target in spoken or not denies(text)


def _misstates(h: Heard) -> bool:
    return bool(hear_verdict(h.text) - {_claim_of(h.asked.inspection)})
