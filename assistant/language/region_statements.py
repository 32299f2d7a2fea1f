"""Sentences about the regions of an inspection: where, how large, how strong, like what, and how many.

Regions come strongest first, so the few that are spelled out are the strongest, and the rest are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.inspection import UNKNOWN, Inspection, Region
from assistant.language.question_reading import Ask
from assistant.language.wording import LISTED, Sentences, at, list_names, number, percent, quote, refer
from assistant.prompts.defects import find_defect


def locate(r: Region) -> str:
    """Where a region is: its place in words and its box in pixels."""
    x0, y0, x1, y1 = r.box
    box = f"x {x0} to {x1} and y {y0} to {y1}"
    return f"{refer(r)} lies {at(r.position)}, in the box from {box} (pixels)."


def measure(r: Region) -> str:
    """How large a region is: its area, its share of the picture and its box."""
    x0, y0, x1, y1 = r.box
    share = percent(r.area_fraction)
    return f"{refer(r)} covers {r.area} px, {share} of the picture, in a box of {x1 - x0} x {y1 - y0} px."


def grade(r: Region) -> str:
    """How strong a region is."""
    if r.severity == "unrated":
        return f"{refer(r)} has a peak of {number(r.peak)}; how severe that is cannot be told without references."
    return f"{refer(r)} is {r.severity}, with a peak of {number(r.peak)}."


def name_type(r: Region) -> str:
    """That something is missing there, or the defect types that it looks most like; nothing without any."""
    if r.kind == "missing":
        return f"At {refer(r)} something is missing, or has moved: what good parts have there is nowhere around."
    if not r.defect_types:
        return ""
    if not r.has_type:
        return f"What type {refer(r)} is cannot be told: nothing in the vocabulary fits it well enough."
    best, *others = r.defect_types[:3]
    known = find_defect(best.name)
    said = f"{refer(r)} looks most like {quote(best.name)} ({percent(best.probability)})"
    if best.source == "known":
        said += ", which was given as an example of a defect"
    elif known:
        said += f": {known.description}"
    then = " and ".join(f"{quote(t.name)} ({percent(t.probability)})" for t in others if t.name != UNKNOWN)
    return f"{said}; after that like {then}." if then else f"{said}."


def say_none(i: Inspection) -> Sentences:
    """That there is no region, in the tone that the verdict allows."""
    if i.verdict == "good":
        return ["Nothing exceeded the limit anywhere, so there is no region to speak of."]
    if i.verdict == "unrated":
        return ["There is no region to speak of."]
    return ["No single region exceeded the limit: the score speaks for the picture as a whole."]


def sketch_regions(i: Inspection) -> Sentences:
    """All the regions in one sentence, each with its place, severity and size."""
    return _present(i, [_sketch(r) for r in i.regions])


def count_regions(i: Inspection) -> Sentences:
    """All the regions in one sentence, by their ids alone."""
    return _present(i, [refer(r) for r in i.regions])


def describe_each(*describe: Callable[[Region], str]) -> Callable[[Inspection, Ask], Sentences]:
    """A reply that says the same things of each region asked about."""

    def reply(i: Inspection, ask: Ask) -> Sentences:
        if ask.focus:
            chosen = [r for r in i.regions if r.id in ask.focus]
        else:
            chosen = [r for r in i.regions if set(ask.position.split()) <= set(r.position.split())]
        if not chosen:
            return search_position(i, ask) if i.regions else say_none(i)
        quiet = i.verdict in ("good", "unrated")
        said = [f"The verdict is {i.verdict}, so this is about the strangest places only."] if quiet else []
        said += [line for r in chosen[:LISTED] for tell in describe if (line := tell(r))]
        if len(chosen) > LISTED:
            said.append(f"{len(chosen) - LISTED} more came out weaker than these.")
        return said

    return reply


def search_position(i: Inspection, ask: Ask) -> Sentences:
    """Whether there is a region at the place that is asked for, and which."""
    there = [r for r in i.regions if set(ask.position.split()) <= set(r.position.split())]
    # to "is the top left ok?" neither word would say what is meant, and a region alone makes no defect
    plain = ask.premise == "good" or (there and ask.premise == "bad" and i.verdict != "defect")
    plain = plain or i.verdict == "unrated"
    if there:
        strange = "the strangest there is " if i.verdict in ("good", "unrated") else ""
        said = f"{at(ask.position)}: {strange}{list_names([_sketch(r) for r in there])}."
        return [f"{said[0].upper()}{said[1:]}" if plain else f"Yes, {said}"]
    return [f"{'Nothing' if plain else 'No, nothing'} stands out {at(ask.position)}.", *sketch_regions(i)]


def _present(i: Inspection, names: Sequence[str]) -> Sentences:
    """A sentence that lists all the regions, in the tone that the verdict allows."""
    if not names:
        return say_none(i)
    n = len(names)
    which = "strangest place is" if n == 1 else f"{n} strangest places are"
    if i.verdict == "unrated":
        return [f"The {which} {list_names(names)}."]
    if i.verdict == "good":
        return [f"The picture as a whole stays within its limit; the {which} {list_names(names)}."]
    return [f"{'One region stands' if n == 1 else f'{n} regions stand'} out: {list_names(names)}."]


def _sketch(r: Region) -> str:
    share = percent(r.area_fraction)
    graded = "" if r.severity == "unrated" else f"{r.severity}, "
    return f"{refer(r)} {at(r.position)} ({graded}{r.area} px, {share} of the picture)"
