"""An Inspection as a language model reads it: a few short lines that hold all that may be said, and no more.

The same text goes to every model that reads the record. Names from outside stand in quotation marks, on one line,
cut short.
"""

from __future__ import annotations

from assistant.inspection import UNKNOWN, Inspection, Region
from assistant.language.picture_facts import numbers
from assistant.language.wording import base_name, count, number, percent, quote, refer

SHOWN = 6
"""Regions written out, strongest first; the rest are counted."""

_LEVELS = (
    (0.001, "hardly any good part"),
    (0.01, "about one good part in a few hundred"),
    (0.05, "a few good parts in a hundred"),
    (0.2, "some good parts"),
)


def state_evidence(inspection: Inspection) -> str:
    """The evidence of one inspection in lines of plain text, 40 to 250 tokens long."""
    i = inspection
    if i.status == "error":
        return "Verdict: none. The picture could not be read."
    score, _, threshold, review = numbers(i)
    unrated, limits = i.verdict == "unrated", f", threshold {number(threshold)}, review limit {number(review)}"
    lines = [
        f"Verdict: {i.verdict}.",
        f"Score {number(score)}{', no threshold' if unrated else limits}.",
        _state_hint(i),
        _state_comparison(i),
        f"Picture: {i.width} x {i.height} px." if i.width and i.height else "",
        f"Regions: {len(i.regions)}.",
        *[_state_region(r) for r in i.regions[:SHOWN]],
        f"{len(i.regions) - SHOWN} more, weaker." if len(i.regions) > SHOWN else "",
    ]
    return "\n".join(line for line in lines if line)


def state_all(inspections: tuple[Inspection, ...]) -> str:
    """The evidence of one or several inspections, several under "Picture 1", "Picture 2", ... and their names."""
    if len(inspections) == 1:
        return state_evidence(inspections[0])
    return "\n\n".join(
        f"Picture {n}, {quote(base_name(i.path))}:\n{state_evidence(i)}"
        for n, i in enumerate(inspections, start=1)
    )


def _state_hint(inspection: Inspection) -> str:
    """How unusual the score is, in words that follow from the p-value, and from how rare its pictures can show."""
    if inspection.verdict == "unrated":
        return "No p-value: nothing is known of this product, so no decision can be made without references."
    p = numbers(inspection)[1]
    rests, curve = inspection.evidence.n if inspection.evidence else 0, ""
    who = next((words for limit, words in _LEVELS if p < limit), "many good parts")
    if inspection.by_curve:
        who, curve = f"fewer than 1 in {rests + 1} good parts", " by the curve"
    behind = count(rests, "good picture") if rests else "no good picture of this product"
    return f"p-value {number(p)}{curve}: {who} would score this high; {behind} behind it."


def _state_comparison(i: Inspection) -> str:
    if i.mode == "few-shot":
        return f"Compared with {count(i.references, 'reference')}{f' of {quote(i.product)}' if i.product else ''}."
    return "Compared with its batch." if i.mode == "mutual" else "Compared with itself only, no reference."


def _state_region(r: Region) -> str:
    x0, y0, x1, y1 = r.box
    said = (
        f"{refer(r)} {r.position}, x {x0} to {x1}, y {y0} to {y1}, {r.area} px, {percent(r.area_fraction)}, "
        f"{r.severity}, peak {number(r.peak)}"
    )
    if r.kind == "missing":
        said += ", something is missing there"
    elif r.kind == "count":
        said += ", where the number of things is not the expected one"
    elif r.has_type:
        said += f", like {quote(r.defect_types[0].name)} {percent(r.defect_types[0].probability)}"
    elif r.defect_types and r.defect_types[0].name == UNKNOWN:
        said += ", type unknown"
    return f"{said}."
