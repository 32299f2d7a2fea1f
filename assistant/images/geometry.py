"""From a tower's grid to the picture and back: sizes, resizing and places in words.

All coordinates are those of the displayed picture: x to the right, y down, pixel i covers [i, i + 1).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Position = Literal[
    "top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right"
]

_ROWS_AT_ONCE = 256
_PLACES: tuple[tuple[Position, Position, Position], ...] = (
    ("top left", "top", "top right"),
    ("left", "center", "right"),
    ("bottom left", "bottom", "bottom right"),
)


def to_picture(coarse: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Resize a map that covers the whole picture to the picture's pixels, bilinearly.

    Takes [h, w] of any real dtype and returns [height, width] float32. Half-pixel centres and clamped edges,
    as `torch.nn.functional.interpolate(align_corners=False)`; the result never leaves the range of the input.
    A picture smaller than the grid is sampled and not averaged. Beside the result, the memory needed is a few
    hundred rows. ValueError for an empty map or a side below 1.
    """
    if coarse.ndim != 2 or coarse.size == 0:
        raise ValueError(f"a map has two sides of at least one cell, not the shape {coarse.shape}")
    if width < 1 or height < 1:
        raise ValueError(f"a picture has at least one pixel, not {width} x {height}")
    left, right, along = _neighbours(coarse.shape[1], width)
    above, below, down = _neighbours(coarse.shape[0], height)
    picture = np.empty((height, width), dtype=np.float32)
    for start in range(0, height, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        # Only the grid rows that this block touches are widened.
        first, last = above[rows][0], below[rows][-1] + 1
        grid = coarse[first:last].astype(np.float32, copy=False)
        wide = _mix(grid[:, left], grid[:, right], along)
        picture[rows] = _mix(wide[above[rows] - first], wide[below[rows] - first], down[rows, None])
    return picture


def position_of(place: tuple[float, ...], width: int, height: int) -> Position:
    """Say in which of the picture's 3 x 3 cells a place lies.

    `place` is a point (x, y) or a box (x0, y0, x1, y1), whose middle counts. Places outside the picture count
    as on its edge. ValueError for anything else.
    """
    if len(place) == 4:
        x, y = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
    elif len(place) == 2:
        x, y = place
    else:
        raise ValueError(f"a place is a point or a box, not {len(place)} numbers")
    return _PLACES[_third(y, height)][_third(x, width)]


def fit_size(
    width: int, height: int, area_side: int = 320, multiple: int = 32, max_ratio: float = 16.0
) -> tuple[int, int]:
    """The size (width, height) at which a picture is shown to a tower.

    Both sides are multiples of `multiple` and at least two of them. Of all such sizes, the one that keeps the
    aspect ratio best and comes near `area_side` ** 2 pixels wins, the ratio counting double; the area never
    exceeds 1.3 times that (or the smallest size there is), so neither time nor memory depends on the picture.

    A ratio beyond `max_ratio` to 1 is squeezed to it: a picture of 1 x 5000 pixels is shown as 64 x 1024. A
    longer strip would leave too few cells across to compare. ValueError for a side below 1.
    """
    if min(width, height, area_side, multiple) < 1 or max_ratio < 1:
        raise ValueError("sizes start at one pixel and ratios at one")
    ratio = min(max(width, height) / min(width, height), max_ratio)
    budget = (area_side / multiple) ** 2
    limit = max(4, int(1.3 * budget))
    sizes = {
        (long, short)
        for short in range(2, math.isqrt(limit) + 1)
        for long in (math.floor(short * ratio), math.ceil(short * ratio), limit // short)
        if short <= long <= limit // short
    }

    def cost(size: tuple[int, int]) -> tuple[float, int]:
        long, short = size
        bent, grown = abs(math.log(long / short / ratio)), abs(math.log(long * short / budget))
        return 2 * bent + grown, long

    long, short = (side * multiple for side in min(sizes, key=cost))
    return (long, short) if width >= height else (short, long)


def _neighbours(cells: int, pixels: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each pixel along one side: the two cells it lies between and the share of the second."""
    centers = (np.arange(pixels) + 0.5) * (cells / pixels) - 0.5
    centers = centers.clip(0, cells - 1)
    before = np.floor(centers).astype(np.intp)
    return before, np.minimum(before + 1, cells - 1), (centers - before).astype(np.float32)


def _mix(one: NDArray[np.float32], other: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    # one + share * (other - one) could step past `other` by a rounding error; this form cannot.
    mixed: NDArray[np.float32] = one * (1 - share) + other * share
    return np.clip(mixed, np.minimum(one, other), np.maximum(one, other), out=mixed)


def _third(value: float, length: int) -> int:
    if not math.isfinite(value) or length < 1:
        raise ValueError(f"no place at {value} on a side of {length} pixels")
    return min(2, max(0, int(3 * value // length)))
