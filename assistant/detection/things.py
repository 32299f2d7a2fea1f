"""Alike things in a view of a zone, told from their ground by one plane of its colours and a few levels.

Which plane, which side of a level, and which levels is found out from references, in which so many things are
known to be: a way counts only where it finds that number in each of them. Nothing of it is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

SMOOTH = 1.0  # pixels of a view
WIDE = 41  # pixels of a view across which light changes, and no thing does
PLANES = ("light", "evened light", "red", "yellow")
CORES = (0.0, 2.5, 5.0)  # pixels from the edge of a thing that do not count: things that touch come apart
LEVELS = 24
EXTREMES = (0.005, 0.995)  # quantiles between which they lie
"""Levels that are tried in each plane."""

KEPT = (0.2, 0.35, 0.5, 0.65, 0.8)
"""Where in a run of them those lie that count, each for itself."""

LEAST_RUN = 5
"""Levels, one after the other, that have to show the number: fewer are chance."""

LEAST_AREA = 9  # pixels of a view: less is noise
ALIKE = 3.0  # times the area of the smallest thing that the largest one has
SMALLER, LARGER = 0.6, 1.5
"""Areas that a thing may have, in those of the smallest and of the largest thing of the references."""

SPECK = 0.3  # of the smallest: less is no part of a thing
SEARCHED = 12
"""References among which a way is looked for; it has to hold in all of them."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """Connected pieces of a view, numbered in `labels` [h, w] from 1: their `areas` [n] in pixels, and whether the
    edge of the zone has `cut` each [n]."""

    labels: NDArray[np.int32]
    areas: NDArray[np.float64]
    cut: Mask

    @classmethod
    def of(cls, mask: Mask, edge: Mask) -> Pieces:
        """The pieces of a mask [h, w] in a zone with an `edge` [h, w]."""
        labels, count = ndimage.label(mask)
        cut = np.zeros(count + 1, bool)
        cut[labels[edge]] = True
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        return cls(labels, areas.astype(np.float64), cut[1:])

    def boxes(self, chosen: Mask) -> list[Box]:
        """The boxes (x0, y0, x1, y1) of chosen pieces [n]."""
        found = ndimage.find_objects(self.labels)
        return [(x.start, y.start, x.stop, y.stop) for (y, x), is_one in zip(found, chosen, strict=True) if is_one]


class View:
    """A zone as a picture shows it [h, w, 3] uint8, and where the zone is in there [h, w]."""

    def __init__(self, pixels: NDArray[np.uint8], inside: Mask) -> None:
        self.pixels, self.inside = pixels, inside
        self._planes: dict[str, Plane] = {}

    def plane(self, name: str) -> Plane:
        """A plane [h, w] in shares of how light the zone is, so that more or less light changes nothing."""
        if name not in self._planes:
            self._planes[name] = self._mix(name) / max(1.0, float(self._light[self.inside].mean()))
        return self._planes[name]

    def _mix(self, name: str) -> Plane:
        red, green, blue = self._colours
        if name == "light":
            return self._light
        if name == "red":
            return red - green
        if name == "yellow":
            return np.float32(0.5) * (red + green) - blue
        around, share = np.where(self.inside, self._light, np.float32(0)), self.inside.astype(np.float32)
        for _ in range(2):  # twice a box is nearly a bell
            around, share = ndimage.uniform_filter(around, WIDE), ndimage.uniform_filter(share, WIDE)
        evened: Plane = (self._light - around / np.maximum(share, 1e-3)).astype(np.float32, copy=False)
        return evened

    @cached_property
    def _colours(self) -> tuple[Plane, Plane, Plane]:
        planes = (ndimage.gaussian_filter(self.pixels[..., i].astype(np.float32), SMOOTH) for i in range(3))
        red, green, blue = planes
        return red, green, blue

    @cached_property
    def _light(self) -> Plane:
        red, green, blue = self._colours
        light: Plane = ((red + green + blue) / 3).astype(np.float32, copy=False)
        return light

    @cached_property
    def edge(self) -> Mask:
        """The outermost pixels of the zone."""
        return self.inside & ~ndimage.binary_erosion(self.inside)

    def pieces(self, kind: Kind, level: float) -> Pieces:
        """The pieces of what lies beyond a level."""
        values = self.plane(kind.plane)
        beyond = (values < level) if kind.dark else (values > level)
        if kind.core:
            beyond = ndimage.distance_transform_edt(beyond | ~self.inside) > kind.core
        return Pieces.of(beyond & self.inside, self.edge)


@dataclass(frozen=True)
class Kind:
    """A side of a plane on which things may be: `core` pixels from their edges are left out."""

    plane: str
    dark: bool
    core: float


@dataclass(frozen=True)
class Level:
    """One level of a plane, and the areas of the smallest and the largest thing beyond it in the references."""

    value: float
    smallest: float
    largest: float

    def things(self, pieces: Pieces) -> Mask:
        """Which pieces [n] are things by their size, whole or cut."""
        return (pieces.areas >= SMALLER * self.smallest) & (pieces.areas <= LARGER * self.largest)

    def doubtful(self, pieces: Pieces) -> bool:
        """Whether some piece is neither a thing nor clearly none."""
        a = pieces.areas
        some = (a >= SPECK * self.smallest) & (a < SMALLER * self.smallest)
        merged, cut = ~pieces.cut & (a > LARGER * self.largest), pieces.cut & self.things(pieces)
        return bool((some | merged | cut).any())


@dataclass(frozen=True)
class Found:
    """How many things were found, and the `boxes` (x0, y0, x1, y1) of these in the view; `sure` where most levels
    show no doubtful piece, and all of these agree."""

    count: int
    sure: bool
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Way:
    """How things are told from their ground: by what lies beyond each of a few levels of a kind."""

    kind: Kind
    levels: tuple[Level, ...]

    def find(self, view: View) -> Found:
        """The things in a view."""
        rows = []
        for level in self.levels:
            pieces = view.pieces(self.kind, level.value)
            things = level.things(pieces) & ~pieces.cut
            rows.append((int(things.sum()), level.doubtful(pieces), pieces, things))
        clear = [row for row in rows if not row[1]]
        counts = {row[0] for row in clear}
        count, _, pieces, things = (clear or rows)[len(clear or rows) // 2]
        return Found(count, 2 * len(clear) > len(rows) and len(counts) == 1, tuple(pieces.boxes(things)))


def find_way(views: Sequence[View], expected: int) -> Way | None:
    """The way that shows `expected` things in each view, at the most levels; None where there is none.

    Found by up to `SEARCHED` of them, each of which has to be counted rightly by the way that the others show, and
    then by all. Things are taken apart at their necks only where nothing is found without.
    """
    for core in CORES:
        kinds = [Kind(plane, dark, core) for plane in PLANES for dark in (False, True)]
        tried = [_try(kind, views, expected) for kind in kinds]
        found = [one for one in tried if one]
        if found:
            return max(found, key=lambda one: one[0])[1]
    return None


def _try(kind: Kind, views: Sequence[View], expected: int) -> tuple[int, Way] | None:
    """At how many levels a kind shows the number in each view, and the way; None where it does not hold."""
    first, searched = views[0], views[:SEARCHED]
    low, high = np.quantile(first.plane(kind.plane)[first.inside], EXTREMES)
    rows: _Rows = []
    for value in np.linspace(low, high, LEVELS + 2)[1:-1].tolist():
        seen: list[Pieces] = []
        for view in searched:
            seen.append(view.pieces(kind, value))
            if _level(value, seen, expected) is None:
                break
        rows.append((value, seen if len(seen) == len(searched) else None))
    found = _learn(kind, rows, expected)
    if found is None or not all(_holds(kind, rows, i, views[i], expected) for i in range(len(searched))):
        return None
    counted = (found[1].find(view) for view in views)
    return found if all(one.count == expected and one.sure for one in counted) else None


_Rows = list[tuple[float, "list[Pieces] | None"]]
"""For each level of a kind the pieces in each view, None where the number is not shown."""


def _holds(kind: Kind, rows: _Rows, without: int, view: View, expected: int) -> bool:
    """Whether what the other views show counts one view rightly; a single view has no others."""
    if len(rows[0][1] or ()) == 1:
        return True
    others: _Rows = [(value, seen and seen[:without] + seen[without + 1 :]) for value, seen in rows]
    found = _learn(kind, others, expected)
    return found is not None and found[1].find(view).count == expected


def _learn(kind: Kind, rows: _Rows, expected: int) -> tuple[int, Way] | None:
    """The longest run of levels that show the number in each view, and the way at its quarters."""
    best: list[Level] = []
    run: list[Level] = []
    for value, seen in rows:
        level = _level(value, seen, expected) if seen else None
        run = [*run, level] if level else []
        best = max(best, run, key=len)
    if len(best) < LEAST_RUN:
        return None
    last = len(best) - 1
    return len(best), Way(kind, tuple(best[round(share * last)] for share in KEPT))


def _level(value: float, seen: Sequence[Pieces], expected: int) -> Level | None:
    """A level with the areas of its things; None where it does not show the number in each view alone."""
    whole = [np.sort(pieces.areas[~pieces.cut])[::-1] for pieces in seen]
    if any(len(areas) < expected for areas in whole):
        return None
    smallest = min(float(areas[expected - 1]) for areas in whole)
    level = Level(value, smallest, max(float(areas[0]) for areas in whole))
    if smallest < LEAST_AREA or level.largest > ALIKE * smallest or any(map(level.doubtful, seen)):
        return None
    return level if all(int(level.things(pieces).sum()) == expected for pieces in seen) else None
