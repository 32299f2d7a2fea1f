"""Yes and no computed from records, apart from how the product computes them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from assistant.inspection import Inspection, Region


def holds(test: Sequence[object], records: Sequence[Inspection]) -> bool | None:
    """Whether a test [quantity, subject, operator, value] is true of the records; None where nobody can say.

    A subject is "" or an id, "R1", "P2" or "P2.R1", else "all" or "any" of the regions, or of the pictures where
    the quantity is one of pictures. `area` is in percent of the picture; `area` and `pixels` of "" and of "all"
    are sums.
    """
    quantity, subject, operator, value = test
    if subject in ("all", "any"):
        picked = _picked(str(quantity), str(subject), records)
        found = [_compare(one, record, str(quantity), str(operator), value, records) for one, record in picked]
        if not found or None in found:
            return None
        return all(found) if subject == "all" else any(found)
    one, record = _find(str(subject), records)
    return _compare(one, record, str(quantity), str(operator), value, records)


_OF_REGIONS = ("area", "pixels", "peak", "severity", "place", "type", "known")
_SEVERITY = ("slight", "moderate", "severe")


def _picked(quantity: str, subject: str, records: Sequence[Inspection]) -> list[tuple[Region | None, Inspection]]:
    if quantity in _OF_REGIONS and not (quantity in ("area", "pixels") and subject == "all"):
        return [(region, record) for record in records for region in record.regions]
    return [(None, record) for record in records]


def _find(subject: str, records: Sequence[Inspection]) -> tuple[Region | None, Inspection]:
    picture, _, inside = subject.rpartition(".")
    name = inside if inside.startswith("R") else ""
    number = re.fullmatch(r"P(\d+)", picture or inside)
    record = records[int(number[1]) - 1] if number else records[0]
    return next((r for r in record.regions if r.id == name), None), record


def _compare(
    region: Region | None,
    record: Inspection,
    quantity: str,
    operator: str,
    value: object,
    records: Sequence[Inspection],
) -> bool | None:
    left, right = _value(quantity, region, record), value
    if isinstance(value, str) and re.fullmatch(r"(?:P\d+\.)?R\d+|P\d+", value):
        right = _value(quantity, *_find(value, records))
    elif quantity == "score" and value in ("threshold", "review_threshold"):
        right = record.threshold if value == "threshold" else record.review_threshold
    if operator == "has":
        return str(value) in str(left)
    if quantity == "verdict" and (
        record.outcome == "error" or (record.outcome == "unrated" and value in ("good", "defect"))
    ):
        return None
    if quantity == "place" and left != right and str(right) in str(left).split():
        return None  # "at the top" of what lies in the top left may be called either
    if quantity == "severity":
        if left not in _SEVERITY or right not in _SEVERITY:
            return None
        left, right = _SEVERITY.index(str(left)), _SEVERITY.index(str(right))
    if left is None or right is None or any(isinstance(v, float) and math.isnan(v) for v in (left, right)):
        return None
    rules = {"=": left == right, "==": left == right}
    if not isinstance(left, str):
        rules |= {">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}
    return rules.get(operator)


def _value(quantity: str, region: Region | None, record: Inspection) -> object:
    """A quantity of a region or of a picture; None where it has none."""
    if region:
        known = region.defect_types[0] if region.defect_types else None
        of_region = {
            "area": 100 * region.area_fraction,
            "pixels": region.area,
            "peak": region.peak,
            "place": region.position,
            "severity": region.severity,
            "type": known.name if known else "",
            "known": bool(known and known.source == "known"),
        }
        return of_region.get(quantity)
    if record.status == "error":
        return None
    return {
        "verdict": record.verdict,
        "score": record.score,
        "threshold": record.threshold,
        "p_value": record.p_value,
        "count": len(record.regions),
        "references": record.references,
        "notice": " ".join(record.notices),
        "area": 100 * sum(r.area_fraction for r in record.regions),
        "pixels": sum(r.area for r in record.regions),
        "notices": len(record.notices),
    }.get(quantity)
