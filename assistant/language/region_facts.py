"""The facts of regions in words: where, how large, how strong, like what, how many, and compared with each other.

Regions come strongest first, so the few that are spelled out are the strongest, and the rest are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.inspection import UNKNOWN, Inspection, Region
from assistant.language.catalogue import Wording
from assistant.language.terms import name_some, refer, severity_word, verdict_word, where
from assistant.language.wording import LISTED, Sentences, number, percent, quote
from assistant.prompts.defects import find_defect

Tell = Callable[[Wording, Inspection, Region], str]


def tell_none(w: Wording, i: Inspection) -> Sentences:
    """That there is no region, in the tone that the verdict allows."""
    if i.verdict == "good":
        return [w("Nothing exceeded the limit anywhere, so there is no region to speak of.")]
    if i.verdict == "unrated":
        return [w("There is no region to speak of.")]
    return [w("No single region exceeded the limit: the score speaks for the picture as a whole.")]


def tell_counts(w: Wording, i: Inspection) -> Sentences:
    """How many things lie in each zone in which a number is expected."""
    said = []
    for one in i.counts:
        gaps = {"name": quote(one.zone), "expected": one.expected}
        if one.counted is None:
            said.append(w("In the zone {name} they cannot be counted for sure, {expected} expected.", **gaps))
        else:
            said.append(w("In the zone {name} {n} counted, {expected} expected.", n=one.counted, **gaps))
    return said


def tell_count(w: Wording, i: Inspection, chosen: Sequence[Region] = ()) -> Sentences:
    """How many regions stand out, by their ids; then how many things lie in zones."""
    return [*_count_regions(w, i), *tell_counts(w, i)]


def _count_regions(w: Wording, i: Inspection) -> Sentences:
    n, names = len(i.regions), name_some(w, [refer(r) for r in i.regions])
    if not n:
        return tell_none(w, i)
    if i.verdict == "good":
        return [
            w("Nothing stands out: the picture as a whole stays within its limit."),
            w.count("Its strangest place is {names}.", "Its {n} strangest places are {names}.", n, names=names),
        ]
    if i.verdict == "unrated":
        return [
            w.count("The strangest place is {names}.", "The {n} strangest places are {names}.", n, names=names),
            w("Whether they are defects cannot be told without references."),
        ]
    return [w.count("One region stands out: {names}.", "{n} regions stand out: {names}.", n, names=names)]


def tell_places(w: Wording, i: Inspection, chosen: Sequence[Region]) -> Sentences:
    """Where regions are: all in one sentence by words, then each with its box."""
    if not chosen:
        return tell_none(w, i)
    spots = [w("{region} {place}", region=refer(r), place=where(w, r, i)) for r in chosen]
    boxes = [_locate(w, r) for r in chosen[:LISTED]]
    if len(chosen) == 1:
        x0, y0, x1, y1 = chosen[0].box
        gaps = {"x0": x0, "x1": x1, "y0": y0, "y1": y1}
        spot = where(w, chosen[0], i)
        said = w(
            "{region} lies {place}: x {x0} to {x1}, y {y0} to {y1} (pixels).",
            region=refer(chosen[0]),
            place=spot,
            **gaps,
        )
        return _quieten(w, i, [said])
    else:
        said = w("Places: {spots}.", spots=name_some(w, spots))
    return _quieten(w, i, [said, *boxes])


def tell_boxes(w: Wording, i: Inspection, chosen: Sequence[Region]) -> Sentences:
    """The boxes of regions, in pixels."""
    if not chosen:
        return tell_none(w, i)
    boxes = [_locate(w, r) for r in chosen[:LISTED]]
    return _quieten(w, i, [w.put_together(boxes)])


def tell_sizes(w: Wording, i: Inspection, chosen: Sequence[Region]) -> Sentences:
    """How large each region is, then its box."""
    if len(chosen) > 1:
        sizes = [
            w("{region} {area} px ({share})", region=refer(r), area=r.area, share=percent(r.area_fraction))
            for r in chosen
        ]
        said = [w("Sizes: {names}.", names=name_some(w, sizes))]
        return [*_quieten(w, i, said), *(_box(w, r) for r in chosen[:LISTED])]
    return [*_tell_each(w, i, chosen, _measure), *(_box(w, r) for r in chosen[:LISTED])]


def tell_severities(w: Wording, i: Inspection, chosen: Sequence[Region]) -> Sentences:
    """How strong each region is."""
    if len(chosen) < 2 or any(r.severity == "unrated" for r in chosen):
        return _tell_each(w, i, chosen, _grade)
    graded = [w("{region} {severity}", region=refer(r), severity=severity_word(w, r.severity)) for r in chosen]
    said = w("Strongest first: {names}.", names=name_some(w, graded))
    return _quieten(w, i, [said, *(_grade(w, i, r) for r in chosen[:LISTED])])


def tell_types(w: Wording, i: Inspection, chosen: Sequence[Region]) -> Sentences:
    """The defect types that regions look most like."""
    if not chosen:
        return tell_none(w, i)
    if missing := [r for r in chosen if r.kind == "missing"]:
        names = name_some(w, [refer(r) for r in missing])
        return [
            w("At {regions} something is missing, or has moved.", regions=names),
            w("What good parts have there is nowhere around."),
        ]
    if counted := [r for r in chosen if r.kind == "count"]:
        names = name_some(w, [refer(r) for r in counted])
        return [w("At {regions} the number of things is not the expected one.", regions=names), *tell_counts(w, i)]
    typed = [r for r in chosen if r.has_type]
    if typed:
        return [_name_type(w, typed[0]), w("That is a likeness and no proof."), *_name_more(w, typed)]
    if any(r.defect_types for r in chosen):
        said = w("The type of {regions} cannot be told.", regions=name_some(w, [refer(r) for r in chosen]))
        return [said, w("Nothing in the vocabulary fits well enough.")]
    return [w("This bundle cannot tell types apart; it says where and how strongly.")]


def tell_total(w: Wording, i: Inspection, chosen: Sequence[Region]) -> Sentences:
    """What regions cover together."""
    if not chosen:
        return tell_none(w, i)
    area, share = sum(r.area for r in chosen), percent(sum(r.area_fraction for r in chosen))
    if len(chosen) == 1:
        return _quieten(w, i, [_measure(w, i, chosen[0]), _box(w, chosen[0])])
    if len(chosen) < len(i.regions):
        amount = w("{share} of the picture", share=share)
        named = name_some(w, [refer(r) for r in chosen])
        said = w("{regions} together have {amount}.", regions=named, amount=amount)
        return _quieten(w, i, [said, *(_measure(w, i, r) for r in chosen[:LISTED])])
    said = w(
        "Together the {n} regions cover {area} px, {share} of the picture.", n=len(chosen), area=area, share=share
    )
    return _quieten(w, i, [said, *(_measure(w, i, r) for r in chosen[:LISTED])])


def tell_comparison(w: Wording, i: Inspection, chosen: Sequence[Region]) -> Sentences:
    """Regions beside each other: of all, which is the largest, and which the strongest; of some, what each is."""
    if not chosen:
        return tell_none(w, i)
    if len(chosen) == 1 < len(i.regions):  # one alone is compared with all
        chosen = i.regions
    if len(chosen) == 1:
        only = w("There is one region only: {region}.", region=refer(chosen[0]))
        return [only, _measure(w, i, chosen[0]), _grade(w, i, chosen[0])]
    if len(chosen) < len(i.regions):
        each = [one(w, i, r) for one in (_measure, _grade) for r in chosen[:LISTED]]
        return _quieten(w, i, each)
    large = max(chosen, key=lambda r: r.area)
    strong = max(chosen, key=lambda r: r.peak)
    gaps = {"area": large.area, "peak": number(strong.peak), "large": refer(large), "strong": refer(strong)}
    if large is strong:
        said = w("{large} is both the largest, {area} px, and the strongest, peak {peak}.", **gaps)
    else:
        said = w("{large} is the largest, {area} px; {strong} is the strongest, peak {peak}.", **gaps)
    return _quieten(w, i, [said, *(_measure(w, i, r) for r in chosen[:LISTED])])


def tell_reference(w: Wording, i: Inspection, chosen: Sequence[Region]) -> Sentences:
    """The place on a good part that each region is compared with, where the record names one."""
    said = []
    for r in chosen[:LISTED]:
        if r.reference:
            name, (x0, y0, x1, y1) = quote(r.reference.name), r.reference.box
            said.append(w("Beside {region} stands its place on the good part {name}.", region=refer(r), name=name))
            said.append(
                w(
                    "{region}: box from x {x0} to {x1} and y {y0} to {y1} (pixels).",
                    region=name,
                    x0=x0,
                    x1=x1,
                    y0=y0,
                    y1=y1,
                )
            )
    if not said:
        return [w("The record holds no picture of a reference to show.")]
    return [*said, w("What a good part shows there is no part of the verdict.")]


def at_position(i: Inspection, position: str) -> list[Region]:
    """The regions of a position; "left" holds "top left" and "bottom left", too."""
    return [r for r in i.regions if set(position.split()) <= set(r.position.split())]


def _tell_each(w: Wording, i: Inspection, chosen: Sequence[Region], tell: Tell) -> Sentences:
    if not chosen:
        return tell_none(w, i)
    said = [tell(w, i, r) for r in chosen[:LISTED]]
    if len(chosen) > LISTED:
        said.append(w("{n} more came out weaker than these.", n=len(chosen) - LISTED))
    return _quieten(w, i, said)


def _quieten(w: Wording, i: Inspection, said: Sentences) -> Sentences:
    """Sentences about regions, the first of which says so where the verdict calls nothing a defect."""
    if i.verdict not in ("good", "unrated"):
        return said
    calm = w(
        "The verdict is {verdict}; merely strange: {said}",
        verdict=verdict_word(w, i.verdict),
        said=said[0],
    )
    return [calm, *said[1:]]


def _locate(w: Wording, r: Region) -> str:
    x0, y0, x1, y1 = r.box
    return w(
        "{region}: box from x {x0} to {x1} and y {y0} to {y1} (pixels).",
        region=refer(r),
        x0=x0,
        x1=x1,
        y0=y0,
        y1=y1,
    )


def _measure(w: Wording, i: Inspection, r: Region) -> str:
    share = percent(r.area_fraction)
    return w("{region} covers {area} px, {share} of the picture.", region=refer(r), area=r.area, share=share)


def _box(w: Wording, r: Region) -> str:
    x0, y0, x1, y1 = r.box
    return w("The box of {region} is {width} x {height} px.", region=refer(r), width=x1 - x0, height=y1 - y0)


def _grade(w: Wording, i: Inspection, r: Region) -> str:
    if r.severity == "unrated":
        return w(
            "{region} has a peak of {peak}; without references it has no severity.",
            region=refer(r),
            peak=number(r.peak),
        )
    word = severity_word(w, r.severity)
    return w("{region} is {severity}, with a peak of {peak}.", region=refer(r), severity=word, peak=number(r.peak))


def _name_type(w: Wording, r: Region) -> str:
    best = r.defect_types[0]
    gaps = {"region": refer(r), "name": quote(w(best.name)), "share": percent(best.probability)}
    if best.source == "known":
        return w(
            "{region} looks most like {name} ({share}), a defect that was given as an example.",
            **(gaps | {"name": quote(best.name)}),
        )
    return w("{region} looks most like {name} ({share}).", **gaps)


def _name_more(w: Wording, typed: Sequence[Region]) -> Sentences:
    said = [_name_type(w, r) for r in typed[1:LISTED]]
    others = [
        f"{quote(w(t.name))} ({percent(t.probability)})" for t in typed[0].defect_types[1:3] if t.name != UNKNOWN
    ]
    if others:
        said.insert(0, w("After that it is like {names}.", names=w.join(others)))
    known = find_defect(typed[0].defect_types[0].name)
    if known and w.language == "en":
        said.insert(0, f"{quote(known.name)} means {known.description}.")
    return said
