"""What is missing in a picture becomes a region at its place, beside those of what is strange."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from assistant.adapters.absence import Absence
from assistant.adapters.dictionary import Dictionary
from assistant.detection.regions import MOST, find_regions, judge_severity
from assistant.inspection import MISSING_HERE, Inspection, Region

KEPT = 4
"""Products whose references are remembered as they find each other."""

SHARED = 0.5
"""A region of what is strange is one of what is missing where they share so much of the smaller one."""


class Absences:
    """What is missing beside the references of a memory; worked out once for each of the last few memories."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: list[tuple[Tensor, int, Absence | None]] = []

    def of(self, memory: Dictionary, reach: int) -> Absence | None:
        """The absence for what a memory holds now; None where it cannot tell."""
        entries = memory.entries
        with self._lock:
            for one in self._known:
                if one[0] is entries and one[1] == reach:
                    return one[2]
        made = Absence.of(memory, reach)
        with self._lock:
            self._known = [*self._known[1 - KEPT :], (entries, reach, made)]
        return made


def with_missing(
    found: Inspection, missing: NDArray[np.float32], limit: float, curve_p: Callable[[float], float]
) -> Inspection:
    """An inspection with the regions of what is missing, by a map [h, w] of the picture; good becomes review.

    A region of what is strange that shares its place with one of these is one itself. Others are added, with the
    peak that the anomaly map has there. `limit`: from where on something is missing. `curve_p` as in
    `find_regions`.
    """
    limit = min(limit, 0.9 * float(missing.max()))  # the map may have lost a little on its way
    places = find_regions(missing, limit, found.width, found.height, curve_p)
    regions = [
        replace(one, kind="missing") if any(share_place(one, place) for place in places) else one
        for one in found.regions
    ]
    fresh = [place for place in places if not any(share_place(one, place) for one in found.regions)]
    for place in fresh:
        peak = peak_in(found, place.box)
        severity = judge_severity(curve_p(peak), place.area_fraction)
        regions.append(replace(place, kind="missing", peak=peak, severity=severity))
    raised = found.verdict == "good"
    return replace(
        found,
        regions=in_order(regions),
        verdict="review" if raised else found.verdict,
        notices=(*found.notices, MISSING_HERE) if raised else found.notices,
    )


def in_order(regions: Iterable[Region]) -> tuple[Region, ...]:
    """Regions from the highest peak down, named so, `MOST` at most."""
    ordered = sorted(regions, key=lambda one: -one.peak)[:MOST]
    return tuple(replace(one, id=f"R{number}") for number, one in enumerate(ordered, start=1))


def share_place(one: Region, other: Region) -> bool:
    """Whether two regions share most of the smaller one's box."""
    wide = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    tall = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    smaller = min(((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (one.box, other.box)))
    return wide > 0 and tall > 0 and wide * tall >= SHARED * smaller


def peak_in(found: Inspection, box: tuple[int, int, int, int]) -> float:
    """The largest value of an inspection's map within a box."""
    x0, y0, x1, y1 = box
    if found.coarse_map is None:
        return 0.0
    h, w = found.coarse_map.shape
    rows = slice(y0 * h // found.height, -(-y1 * h // found.height))
    columns = slice(x0 * w // found.width, -(-x1 * w // found.width))
    return float(found.coarse_map[rows, columns].max())
