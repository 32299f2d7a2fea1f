"""Multiple choice about an inspection: a question, options in random order, and the letter that is right.

The form is that of MMAD (Jiang et al. 2024). What is right follows from the record, or from the outline where
the record does not hold it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assistant.inspection import Inspection, Region
from assistant.language.wording import number, percent
from assistant.prompts.defects import DEFECTS
from assistant.training.answer_parts import Case
from assistant.training.phrasings import Split, ask, refer_to

LETTERS = "ABCDE"
_PLACES = (
    "top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right"
)  # fmt: skip

Choice = tuple[str, str, list[str]]
"""A topic, what is right, and what is wrong."""


def choose(case: Case, rng: np.random.Generator, split: Split = "train") -> tuple[str, str]:
    """A multiple-choice question with its options, a line each, and the answer."""
    i = case.inspection
    region = i.regions[0] if i.regions else None
    made = [c for make in _WHOLE if (c := make(i, rng))]
    if region:
        made += [c for each in _EACH if (c := each(case, region, rng))]
    topic, right, wrong = made[int(rng.integers(len(made)))]
    slots = {"r": refer_to(i, region, rng)} if region else {}
    options = [right, *wrong]
    options = [options[n] for n in rng.permutation(len(options))]
    letter = LETTERS[options.index(right)]
    lines = [f"{name}: {text}." for name, text in zip(LETTERS, options, strict=False)]
    only = rng.random() < 0.6
    how = _ONLY if only else _BOTH
    question = "\n".join([ask(topic, rng, split, **slots), *lines, str(rng.choice(how))])
    return question, f"{letter}." if only else f"{letter}: {right}."


_ONLY = (
    "Answer with the letter.",
    "Answer with the letter only.",
    "Only the letter, please.",
    "Which letter is right?",
)
_BOTH = ("Answer with the letter and the text.", "Give the letter and what it stands for.", "Choose one.")


def _presence(i: Inspection, rng: np.random.Generator) -> Choice | None:
    if i.verdict == "review":
        return None
    yes, no = ("Yes", "No") if rng.random() < 0.7 else ("Yes, there is", "No, there is not")
    return ("presence", yes, [no]) if i.verdict == "defect" else ("presence", no, [yes])


def _fine(i: Inspection, rng: np.random.Generator) -> Choice | None:
    if i.verdict == "review":
        return None
    return ("fine", "Yes", ["No"]) if i.verdict == "good" else ("fine", "No", ["Yes"])


def _verdict(i: Inspection, _: np.random.Generator) -> Choice:
    said = {"good": "Good", "review": "Review, a person has to look", "defect": "Defect"}
    right = said.pop(str(i.verdict))
    return "verdict", right, list(said.values())


def _count(i: Inspection, rng: np.random.Generator) -> Choice:
    n = len(i.regions)
    return "count", str(n), _others(str(n), [str(k) for k in range(max(0, n - 2), n + 4)], rng)


def _action(i: Inspection, _: np.random.Generator) -> Choice:
    said = {"good": "Let it pass", "review": "Have a person look at it", "defect": "Set it aside"}
    right = said.pop(str(i.verdict))
    return "action", right, list(said.values())


def _where(i: Inspection, rng: np.random.Generator) -> Choice:
    right = i.regions[0].position if i.regions else "Nowhere, no region stands out"
    taken = {r.position for r in i.regions}
    return "where", _start(right), _others(_start(right), [_start(p) for p in _PLACES if p not in taken], rng)


def _score(i: Inspection, rng: np.random.Generator) -> Choice:
    right = number(i.score)
    return "score", right, _others(right, [number(i.score * f) for f in (0.5, 0.8, 1.3, 1.7, 2.2)], rng)


def _place(case: Case, r: Region, rng: np.random.Generator) -> Choice:
    return "place", _start(r.position), _others(_start(r.position), [_start(p) for p in _PLACES], rng)


def _severity(case: Case, r: Region, _: np.random.Generator) -> Choice:
    return "severity", _start(r.severity), [s for s in ("Slight", "Moderate", "Severe") if s != _start(r.severity)]


def _size(case: Case, r: Region, rng: np.random.Generator) -> Choice:
    right = percent(r.area_fraction)
    return "size", right, _others(right, [percent(r.area_fraction * f) for f in (0.2, 0.4, 2.2)], rng)


def _shape(case: Case, r: Region, _: np.random.Generator) -> Choice | None:
    look = case.looks.get(r.id)
    if look is None or not look.shape:
        return None
    said = {"long": "Long and thin", "compact": "Compact"}
    return "shape", said.pop(look.shape), list(said.values())


def _contrast(case: Case, r: Region, _: np.random.Generator) -> Choice | None:
    look = case.looks.get(r.id)
    if look is None or look.contrast in ("", "alike"):
        return None
    return "contrast", _start(look.contrast), ["Lighter" if look.contrast == "darker" else "Darker"]


def _parts(case: Case, r: Region, _: np.random.Generator) -> Choice | None:
    look = case.looks.get(r.id)
    if look is None:
        return None
    right, wrong = ("One piece", "Several parts") if look.parts == "one" else ("Several parts", "One piece")
    return "parts", right, [wrong]


def _type(case: Case, r: Region, rng: np.random.Generator) -> Choice | None:
    """By the record; where it is silent, by what was planted, since a letter has to be given."""
    look = case.looks.get(r.id)
    name = r.defect_types[0].name if r.has_type else look.type if look and not r.defect_types else ""
    if not name:
        return None
    return "type", _start(name), _others(_start(name), [_start(d.name) for d in DEFECTS], rng)


_WHOLE: tuple[Callable[[Inspection, np.random.Generator], Choice | None], ...] = (
    _presence, _presence, _fine, _verdict, _count, _action, _where, _score,
)  # fmt: skip
_EACH: tuple[Callable[[Case, Region, np.random.Generator], Choice | None], ...] = (
    _place, _severity, _size, _shape, _contrast, _parts, _type, _type,
)  # fmt: skip


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _others(right: str, all_: list[str], rng: np.random.Generator) -> list[str]:
    """Three wrong options at most, each different."""
    wrong = [text for text in dict.fromkeys(all_) if text != right]
    return [wrong[n] for n in rng.permutation(len(wrong))[:3]]
