"""Training answers about one region, two of them, or a place: several wordings for each topic.

Shape, contrast and parts come from the outline, which the model can see in the picture; everything else from the
record. Where there is no region to speak of, the answer says so.
"""

from __future__ import annotations

from assistant.inspection import Inspection, Region
from assistant.language.wording import at, number, percent, quote, refer
from assistant.training.answer_parts import Case, Wordings, spot, spots, stands
from assistant.training.defect_causes import OFTEN
from assistant.training.outline_facts import Look

OFF = 0.08
"""The share of a side by which places have to differ to be called left, right, above or below."""

_UNCOUNTED = ("contamination", "corrosion")


def tell_place(r: Region, _: Look | None) -> Wordings:
    x0, y0, x1, y1 = r.box
    where = at(r.position)
    return [
        f"{refer(r)} lies {where}.",
        f"{refer(r)} is {where}.",
        f"{refer(r)} lies {where}, x {x0} to {x1} and y {y0} to {y1}.",
    ]


def tell_box(r: Region, _: Look | None) -> Wordings:
    x0, y0, x1, y1 = r.box
    return [
        f"{refer(r)}: x {x0} to {x1}, y {y0} to {y1}.",
        f"{refer(r)} spans x {x0} to {x1} and y {y0} to {y1}, in pixels.",
        f"From x {x0} to {x1} and from y {y0} to {y1} ({refer(r)}).",
    ]


def tell_size(r: Region, _: Look | None) -> Wordings:
    share = percent(r.area_fraction)
    return [
        f"{refer(r)} covers {r.area} px, {share} of the picture.",
        f"{refer(r)} has {r.area} px. That is {share} of the picture.",
        f"{r.area} px, or {share} of the picture ({refer(r)}).",
        f"{refer(r)}: {r.area} px, {share}.",
    ]


def tell_severity(r: Region, _: Look | None) -> Wordings:
    peak = number(r.peak)
    return [
        f"{refer(r)} is {r.severity}.",
        f"{refer(r)} is {r.severity}, with a peak of {peak}.",
        f"It is graded {r.severity} ({refer(r)}).",
    ]


def tell_peak(r: Region, _: Look | None) -> Wordings:
    peak = number(r.peak)
    return [f"The peak of {refer(r)} is {peak}.", f"{refer(r)} has a peak of {peak}.", f"{peak} ({refer(r)})."]


def tell_shape(r: Region, look: Look | None) -> Wordings:
    if look is None or not look.shape:
        return []
    if look.shape == "long":
        return [
            f"{refer(r)} is long and thin.",
            f"Long and thin, like a line ({refer(r)}).",
            f"{refer(r)} is more of a line than a blob.",
        ]
    return [
        f"{refer(r)} is compact.",
        f"Compact, more of a blob than a line ({refer(r)}).",
        f"{refer(r)} is compact and not stretched out.",
    ]


def tell_contrast(r: Region, look: Look | None) -> Wordings:
    if look is None or not look.contrast:
        return []
    if look.contrast == "alike":
        return [
            f"{refer(r)} is about as bright as its surroundings.",
            f"Neither: {refer(r)} is about as bright as what is around it.",
        ]
    tone = look.contrast
    return [
        f"{refer(r)} is {tone} than its surroundings.",
        f"It is {tone} than what is around it ({refer(r)}).",
        f"{refer(r)} stands out as {tone}.",
    ]


def tell_parts(r: Region, look: Look | None) -> Wordings:
    if look is None:
        return []
    if look.parts == "one":
        return [
            f"{refer(r)} is one piece.",
            f"One piece ({refer(r)}).",
            f"{refer(r)} is connected, in one piece.",
        ]
    return [
        f"{refer(r)} has several parts.",
        f"Several parts ({refer(r)}).",
        f"{refer(r)} is broken up into several parts.",
    ]


def tell_type(r: Region, _: Look | None) -> Wordings:
    if r.has_type:
        name, share = quote(r.defect_types[0].name), percent(r.defect_types[0].probability)
        return [
            f"{refer(r)} looks most like {name}, at {share}.",
            f"Most like {name} ({share}). That is a likeness and no proof.",
            f"{refer(r)} is like {name}, {share}.",
        ]
    if r.defect_types:
        return [
            f"The type of {refer(r)} is unknown.",
            f"The type of {refer(r)} is unknown: nothing fits well enough.",
        ]
    return [
        f"The record names no type for {refer(r)}.",
        f"The record names no type for {refer(r)}. It is {r.severity} and lies {at(r.position)}.",
    ]


def tell_cause(r: Region, _: Look | None) -> Wordings:
    often = OFTEN.get(r.defect_types[0].name) if r.has_type else None
    if often is None:
        return [
            "That cannot be told from a picture: the cause is not known.",
            f"That cannot be told from a picture. {spot(r)} stands out.",
            f"That cannot be told from a picture: the cause is not known. {refer(r)} is {r.severity}.",
        ]
    name = quote(r.defect_types[0].name)
    return [
        f"{refer(r)} looks like {name}, which often comes from {often}. The picture cannot prove it.",
        f"Perhaps {often}: {refer(r)} looks like {name}. That is a likelihood and no proof.",
        f"Such marks ({name}) often come from {often}, but the cause is not known.",
    ]


def tell_detail(r: Region, look: Look | None) -> Wordings:
    share = percent(r.area_fraction)
    said = [
        f"{refer(r)} lies {at(r.position)}, is {r.severity} and covers {share} of the picture.",
        f"{spot(r)}: {r.severity}, {r.area} px, peak {number(r.peak)}.",
    ]
    if r.has_type:
        like = quote(r.defect_types[0].name)
        said.append(f"{refer(r)} lies {at(r.position)}, is {r.severity} and looks most like {like}.")
    if look and look.shape and look.contrast in ("darker", "lighter"):
        form = "long and thin" if look.shape == "long" else "compact"
        said.append(
            f"{refer(r)} lies {at(r.position)}, is {r.severity}, {form} and {look.contrast} than its surroundings."
        )
    return said


EACH = {
    "place": tell_place,
    "box": tell_box,
    "size": tell_size,
    "severity": tell_severity,
    "peak": tell_peak,
    "shape": tell_shape,
    "contrast": tell_contrast,
    "parts": tell_parts,
    "type": tell_type,
    "cause": tell_cause,
    "detail": tell_detail,
}
"""What is told about each topic that concerns one region."""

_ABSENT = {
    "place": "point to",
    "box": "point to",
    "size": "measure",
    "severity": "grade",
    "peak": "measure",
    "type": "name",
    "cause": "explain",
}


def tell_each(case: Case, topic: str, r: Region | None) -> Wordings:
    """What is told of a region on a topic of `EACH`; without a region, that there is none."""
    if r is not None:
        return EACH[topic](r, case.looks.get(r.id))
    do = _ABSENT.get(topic, "describe")
    return [
        f"No region stands out, so there is nothing to {do}.",
        "No region stands out: the verdict is good.",
    ]


def tell_side(i: Inspection, r: Region) -> Wordings:
    """Whether a region lies left or right of the middle; nothing where that is in doubt."""
    x0, _, x1, _ = r.box
    return _tell_half(r, ((x0 + x1) / 2) / i.width - 0.5, ("left", "right"), ("left", "right"))


def tell_half(i: Inspection, r: Region) -> Wordings:
    """Whether a region lies above or below the middle; nothing where that is in doubt."""
    _, y0, _, y1 = r.box
    return _tell_half(r, ((y0 + y1) / 2) / i.height - 0.5, ("top", "bottom"), ("upper", "lower"))


def _tell_half(r: Region, off: float, names: tuple[str, str], words: tuple[str, str]) -> Wordings:
    side = int(off > 0)
    if abs(off) < OFF or names[side] not in r.position.split():
        return []
    return [
        f"{refer(r)} is in the {words[side]} half.",
        f"The {words[side]} half: {refer(r)} lies {at(r.position)}.",
        f"{refer(r)} lies in the {words[side]} half of the picture.",
    ]


def tell_order(i: Inspection, a: Region, b: Region) -> Wordings:
    """How one region lies to another; nothing where they are about at the same place."""
    across = (a.box[0] + a.box[2] - b.box[0] - b.box[2]) / 2 / i.width
    down = (a.box[1] + a.box[3] - b.box[1] - b.box[3]) / 2 / i.height
    ways = ["above" if down < 0 else "below"] if abs(down) >= OFF else []
    ways += ["left of" if across < 0 else "right of"] if abs(across) >= OFF else []
    if not ways:
        return []
    way = " and ".join(ways)
    return [
        f"{refer(a)} lies {way} {refer(b)}.",
        f"{refer(a)} is {way} {refer(b)}.",
        f"Seen from {refer(b)}, {refer(a)} is {way} it.",
    ]


def tell_at_place(i: Inspection, place: str) -> Wordings:
    """What is found at a place, such as "left" or "top left"; "left" holds for the whole left third."""
    where = at(place)
    there = [r for r in i.regions if set(place.split()) <= set(r.position.split())]
    if there:
        named = " and ".join(refer(r) for r in there[:3])
        verb = "stands" if len(there) == 1 else "stand"
        if i.verdict == "review":
            return [f"{named} {verb} out {where}.", f"{named} {verb} out {where}. The verdict is review."]
        return [f"Yes, {named} {verb} out {where}.", f"Yes: {named} {where}. The verdict is {i.verdict}."]
    if not i.regions:
        return [
            f"No, nothing stands out {where}.",
            f"No, nothing stands out {where}. The verdict is good.",
        ]
    return [f"No, nothing stands out {where}.", f"No, nothing stands out {where}. {spots(i)} {stands(i)}."]


def tell_missing(i: Inspection) -> Wordings:
    """The answer about a region that the record does not have."""
    if not i.regions:
        return [
            "There is no such region: no region stands out.",
            "There is no such region. The verdict is good.",
        ]
    have = " and ".join(refer(r) for r in i.regions[:3]) + (" and others" if len(i.regions) > 3 else "")
    return [
        f"There is no such region. The record has {have}.",
        f"There is no such region. The verdict is {i.verdict}.",
    ]


def with_article(name: str) -> str:
    """A defect's name as in "a crack", "an open circuit" and "corrosion"."""
    if name in _UNCOUNTED:
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def tell_kind(i: Inspection, name: str) -> Wordings:
    """Whether a named defect is there, as far as the record knows types."""
    if not i.regions:
        return [
            f"No region stands out, so there is no {name}.",
            f"No region stands out, so there is no {name}: the verdict is good.",
        ]
    first = i.regions[0]
    for r in i.regions:
        if r.has_type and r.defect_types[0].name == name:
            like = f"{quote(name)}, at {percent(r.defect_types[0].probability)}"
            return [
                f"{refer(r)} looks most like {like}. That is no proof.",
                f"It seems so: {spot(r)} is like {like}.",
                f"{spot(r)} looks most like {like}.",
            ]
    if first.has_type:
        like = f"{quote(first.defect_types[0].name)}, at {percent(first.defect_types[0].probability)}"
        return [
            f"The record does not say {quote(name)}. {refer(first)} looks most like {like}.",
            f"The record does not say {quote(name)}. {spot(first)} looks most like {like}.",
        ]
    return [
        f"The record does not say {quote(name)}.",
        f"The record does not say {quote(name)}. {spots(i)} {stands(i)}.",
    ]
