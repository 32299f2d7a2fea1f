"""From a map and the box of a place to all of it: its cells, and the line around them.

A place is what is connected where a map lies above some level. Its box and its size tell that level again, so that
what was written down as a box gets its shape back from the map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from assistant.images.geometry import to_picture

SIDE = 768
"""Places are cut out on a copy of the map of at most this side: finer than any tower's grid."""

SIMPLIFIED = 0.5
"""Cells by which a line around a place may be drawn straighter than it is, at most."""

SAME_AREA = 0.02
"""The share of a place's area that straightening may take or give; past it, the line stays as it is."""

NEAR_SIDE, NEAR_AREA = 1, 0.05
"""How far, in cells and as a share, a place may be from its box and its size: maps are kept to three digits."""

EIGHT = np.ones((3, 3), dtype=bool)
FOUR = ndimage.generate_binary_structure(2, 1)

Box = tuple[int, int, int, int]
Cells = NDArray[np.bool_]


def grid_size(width: int, height: int) -> tuple[int, int]:
    """The size (w, h) of the grid on which places of a picture are cut out."""
    shrink = min(1.0, SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


@dataclass(frozen=True, eq=False)
class Place:
    """The cells [h, w] of a place on the grid of `grid_size`, and the lines around it.

    `rings` are closed lines [N, 2] of points (x, y) in pixels of the picture, the first point not repeated: the
    outer line first, then one around each hole.
    """

    cells: Cells
    rings: tuple[NDArray[np.float64], ...]

    def mask(self, width: int, height: int) -> Cells:
        """The place in pixels of the picture [height, width]: a pixel is of the cell that its middle is in."""
        h, w = self.cells.shape
        rows, columns = (((np.arange(n) + 0.5) * cells / n).astype(int) for n, cells in ((height, h), (width, w)))
        return self.cells[rows[:, None], columns]


def find_place(coarse: NDArray[np.float32], box: Box, share: float, width: int, height: int) -> Place | None:
    """The place of a map [h, w] whose box in the picture and share of it are known; None where there is none such.

    The box is that of the picture of `width` x `height` pixels that the map covers.
    """
    w, h = grid_size(width, height)
    x0, y0, x1, y1 = box
    # The cells whose box, rounded outwards to pixels, is this one.
    wanted = -(-x0 * w // width), -(-y0 * h // height), max(x1 * w // width, 1), max(y1 * h // height, 1)
    fine = to_picture(coarse, w, h)
    # Where a picture differs as a whole, all of it that is looked at is one place: the map is 0 elsewhere.
    shown = to_picture((coarse > 0).astype(np.float32), w, h)
    # What a place touches with a corner alone belongs to it where it rises as high, and else does not.
    for values, structure in ((fine, EIGHT), (fine, FOUR), (shown, EIGHT)):
        if (cells := _cut(values, wanted, max(1, round(share * w * h)), structure)) is not None:
            return Place(cells, _rings(values, cells, width, height))
    return None


def join_rings(rings: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """One closed line [N, 2] for a place with holes: each is reached along a line that is drawn there and back.

    Formats that know a single line for a place show the hole by it, since the way there encloses nothing.
    """
    line, *holes = rings
    for hole in holes:
        apart = np.linalg.norm(line[:, None] - hole[None], axis=2)
        at, to = np.unravel_index(int(np.argmin(apart)), apart.shape)
        line = np.concatenate([line[: at + 1], hole[to:], hole[: to + 1], line[at:]])
    return line


def ring_area(ring: NDArray[np.float64]) -> float:
    """What a closed line [N, 2] encloses, in squares of its unit."""
    x, y = ring.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _cut(values: NDArray[np.float32], wanted: Box, area: int, structure: Cells) -> Cells | None:
    """The cells [h, w] of a place with this box and about so many cells, from its level on; None for none."""
    left, top, right, bottom = wanted
    h, w = values.shape
    margin = NEAR_SIDE + 1
    rows = slice(max(0, top - margin), min(h, bottom + margin))
    columns = slice(max(0, left - margin), min(w, right + margin))
    around = values[rows, columns]
    local = left - columns.start, top - rows.start, right - columns.start, bottom - rows.start
    levels = np.unique(around)
    low, high = 0, levels.size - 1
    found: Cells | None = None
    while low <= high:  # the higher the level, the smaller the place
        middle = (low + high) // 2
        cells = _fitting(around >= levels[middle], local, structure)
        if cells is not None and np.count_nonzero(cells) >= area:
            found, low = cells, middle + 1
        else:
            high = middle - 1
    if found is None or abs(np.count_nonzero(found) - area) > max(2, NEAR_AREA * area):
        return None
    (down, along), *_ = ndimage.find_objects(found.astype(np.uint8))
    sides = zip((along.start, down.start, along.stop, down.stop), local, strict=True)
    if any(abs(one - other) > NEAR_SIDE for one, other in sides):
        return None
    whole = np.zeros(values.shape, dtype=bool)
    whole[rows, columns] = found
    return whole


def _fitting(above: Cells, wanted: Box, structure: Cells) -> Cells | None:
    """Of the connected places in cells, the one whose box shares most with the wanted one."""
    labels, _ = ndimage.label(above, structure=structure)
    best, most = 0, 0.0
    for number, (down, along) in enumerate(ndimage.find_objects(labels), start=1):
        shared = _overlap(wanted, (along.start, down.start, along.stop, down.stop))
        if shared > most:
            best, most = number, shared
    return labels == best if best else None


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    wide = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    tall = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    both = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (one, other))
    return wide * tall / max(1, both - wide * tall)


def _rings(values: NDArray[np.float32], cells: Cells, width: int, height: int) -> tuple[NDArray[np.float64], ...]:
    """The lines around cells, between them and their neighbours, where the map passes the middle of both."""
    h, w = cells.shape
    beside = ndimage.binary_dilation(cells, structure=EIGHT) & ~cells
    if not beside.any():
        return (np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64),)
    lowest = float(values[cells].min())
    below = values[beside & (values < lowest)]
    outside = float(below.max()) if below.size else np.nextafter(lowest, -np.inf)
    level = (lowest + outside) / 2
    # Other places may be as high: they are no part of this one. At the edge of the picture the line runs along it.
    field = np.pad(np.where(cells, values, np.minimum(values, outside)).astype(np.float64), 1, mode="edge")
    inside = np.pad(cells, 1, mode="edge")
    rim = np.ones(field.shape, dtype=bool)
    rim[1:-1, 1:-1] = False
    field = np.where(rim & inside, 2 * level - field, field)
    scale = np.array([width / w, height / h])
    rings = [
        (_straightened(line[:-1, ::-1] - 0.5) * scale).clip(0, (width, height)) for line in _lines(field, level)
    ]
    return tuple(sorted(rings, key=ring_area, reverse=True))


def _lines(field: NDArray[np.float64], level: float) -> list[NDArray[np.float64]]:
    from skimage.measure import find_contours

    return find_contours(field, level, fully_connected="high")


def _straightened(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """A closed line with fewer points, where it encloses as much (Douglas and Peucker 1973)."""
    from skimage.measure import approximate_polygon

    closed = np.concatenate([ring, ring[:1]])
    fewer = approximate_polygon(closed, SIMPLIFIED)[:-1]
    if len(fewer) < 3 or not math.isclose(ring_area(fewer), ring_area(ring), rel_tol=SAME_AREA):
        return ring
    return fewer
