"""Zones in which a number of alike things is expected: learned from references, counted in every other picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.detection.missing import in_order, peak_in, share_place
from assistant.detection.regions import judge_severity
from assistant.detection.registration import Registration
from assistant.detection.things import Box, Kind, Level, View, Way, find_way
from assistant.errors import ProductError, told
from assistant.images.geometry import position_of
from assistant.images.pose import Pose
from assistant.images.zones import Zone
from assistant.inspection import Count, Inspection, Region, judge_counts
from assistant.inspection import Kind as RegionKind

Pixels = NDArray[np.uint8]

AT_HOME = 0.7
"""Of a thing's own extent, how far from where it lies in the references it may lie and still be the same one."""


@dataclass(frozen=True)
class CountedZone:
    """A zone, the `way` things in it are found, and the size (width, height) of the `picture` it is drawn on.

    `places`: the boxes of things in the view, where every reference has one at each; else () and they lie anyhow.
    """

    zone: Zone
    picture: tuple[int, int]
    way: Way
    places: tuple[Box, ...] = ()

    @classmethod
    def learn(cls, zone: Zone, picture: tuple[int, int], views: Sequence[View]) -> CountedZone:
        """The zone as references show it; ProductError where no way counts the expected number in each of them."""
        way = find_way(views, zone.expected) if views else None
        if way is None:
            n = len(views)
            seen = told(f"each of the {n} references") if n > 1 else told("the only reference")
            raise ProductError(
                f"No way was found that counts {zone.expected} alike things in the zone {zone.name!r} of {seen}: "
                "check the number, draw it with some room around these things alone, or leave it out."
            )
        boxes = [way.find(view).boxes for view in views]
        alike = all(len(_pairs(boxes[0], other)) == zone.expected for other in boxes[1:])
        return cls(zone, picture, way, boxes[0] if alike and len(boxes) > 1 else ())

    def look(self, pixels: Pixels, pose: Pose | None, registration: Registration | None) -> Counted:
        """What is counted in a picture [H, W, 3] uint8 that lies in this pose."""
        unknown = Count(self.zone.name, self.zone.expected, None)
        if registration and pose is None:
            return Counted(unknown, ())
        height, width = pixels.shape[:2]
        home = registration.home if registration else None
        seen = self.zone.seen_from(pose, (width, height), self.picture, home)
        found = self.way.find(view_of(self.zone, seen, pixels))
        if not found.sure:
            return Counted(unknown, ((_back(self.zone, seen, None, (width, height)), "count"),))
        count = replace(unknown, counted=found.count)
        boxes = self._where(found.boxes) if count.wrong else []
        return Counted(count, tuple((_back(self.zone, seen, box, (width, height)), kind) for box, kind in boxes))

    def _where(self, boxes: tuple[Box, ...]) -> list[tuple[Box | None, RegionKind]]:
        """The places that lack a thing or have one too many; None, the zone, where things lie anyhow."""
        if not self.places:
            return [(None, "count")]
        pairs = _pairs(self.places, boxes)
        lacking = [place for i, place in enumerate(self.places) if i not in pairs]
        fresh = [box for j, box in enumerate(boxes) if j not in pairs.values()]
        few = len(boxes) < self.zone.expected
        shown: list[tuple[Box | None, RegionKind]] = (
            [(place, "missing") for place in lacking] if few else [(box, "count") for box in fresh]
        )
        return shown or [(None, "count")]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_dict` reverses it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> CountedZone:
        """Rebuild from `to_dict`; any error where that makes no sense."""
        zone, way = row["zone"], row["way"]
        width, height = row["picture"]
        levels = tuple(Level(**level) for level in way["levels"])
        return cls(
            Zone(zone["name"], zone["expected"], tuple(zone["outline"])),
            (int(width), int(height)),
            Way(Kind(**way["kind"]), levels),
            tuple((int(x0), int(y0), int(x1), int(y1)) for x0, y0, x1, y1 in row["places"]),
        )


@dataclass(frozen=True)
class Counted:
    """What was counted in a zone of a picture, and where the number goes wrong: boxes in its pixels, each with the
    kind of its region."""

    count: Count
    places: tuple[tuple[Box, RegionKind], ...]


def view_of(zone: Zone, seen: Pose, pixels: Pixels) -> View:
    """A zone as a picture shows it, that lies so as seen from the zone."""
    return View(seen.warp(pixels, zone.grid), zone.inside())


def count_zones(
    zones: Sequence[CountedZone], pixels: Pixels, pose: Pose | None, registration: Registration | None
) -> list[Counted]:
    """What is counted in each zone of a picture [H, W, 3] uint8; `pose` is that in the frame of a registration."""
    return [zone.look(pixels, pose, registration) for zone in zones]


def with_counts(found: Inspection, counted: Sequence[Counted], curve_p: Callable[[float], float]) -> Inspection:
    """An inspection with what was counted: notices, the verdict, and regions where a number is wrong.

    A region that lies where a thing lacks is of the kind "missing" itself. `curve_p` as in `find_regions`.
    """
    counts = tuple(one.count for one in counted)
    regions = list(found.regions)
    for box, kind in (place for one in counted for place in one.places):
        fresh = _region(found, box, kind, curve_p)
        same = [i for i, one in enumerate(regions) if kind == "missing" and share_place(one, fresh)]
        for i in same:
            regions[i] = replace(regions[i], kind="missing")
        if not same:
            regions.append(fresh)
    return replace(
        found,
        counts=counts,
        verdict=judge_counts(found.verdict or "unrated", counts),
        regions=in_order(regions) if len(regions) > len(found.regions) else tuple(regions),
        notices=(*found.notices, *(str(count) for count in counts if count.counted != count.expected)),
    )


def _region(found: Inspection, box: Box, kind: RegionKind, curve_p: Callable[[float], float]) -> Region:
    x0, y0, x1, y1 = box
    area, peak = (x1 - x0) * (y1 - y0), peak_in(found, box)
    fraction = area / (found.width * found.height)
    return Region(
        id="R0",
        box=box,
        area=area,
        area_fraction=fraction,
        peak=peak,
        position=position_of(((x0 + x1) / 2, (y0 + y1) / 2), found.width, found.height),
        severity=judge_severity(curve_p(peak), fraction),
        kind=kind,
    )


def _pairs(homes: Sequence[Box], boxes: Sequence[Box]) -> dict[int, int]:
    """Which box lies at which home, by their numbers: the nearest first, each once."""
    if not homes or not boxes:
        return {}
    a, b = (np.array(rows, dtype=np.float64).reshape(-1, 2, 2) for rows in (homes, boxes))  # two corners each
    apart = np.linalg.norm(a.mean(axis=1)[:, None] - b.mean(axis=1)[None], axis=2)
    within = AT_HOME * (a[:, 1] - a[:, 0]).max(axis=1)
    pairs: dict[int, int] = {}
    for flat in np.argsort(apart, axis=None).tolist():
        i, j = divmod(flat, len(boxes))
        if apart[i, j] <= within[i] and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _back(zone: Zone, seen: Pose, box: Box | None, size: tuple[int, int]) -> Box:
    """A box of the view, by default all of it, as the box around it in the picture of `size` (width, height)."""
    wide, high = (side / pixels for side, pixels in zip(seen.frame, zone.grid, strict=True))
    x0, y0, x1, y1 = box or (0, 0, *zone.grid)
    there = Pose.of(seen.inverse, size)
    scaled = round(x0 * wide), round(y0 * high), round(x1 * wide), round(y1 * high)
    return there.box(scaled)
