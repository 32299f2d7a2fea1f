"""From an anomaly map and a limit to regions: where, how large, how strong.

A region starts where the map exceeds the limit and reaches as far as the map stays above `EXTENT` of it
(hysteresis, Canny 1986): one defect is one region, although its map dips under the limit here and there.

Severity is a rule and not a model:

severe    p < 0.001 at the region's peak and at least 1 % of the picture, or at least 5 % of it
moderate  p < 0.01 at the peak, or at least 1 % of the picture
slight    anything else above the limit
unrated   nobody knows how often good pictures reach the peak: p is NaN
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.filters import apply_hysteresis_threshold
from skimage.measure import label, regionprops

from assistant.images.contours import grid_size
from assistant.images.geometry import position_of, to_picture
from assistant.inspection import DefectType, Region, Severity

EXTENT = 0.85
"""A region reaches as far as the map stays above this share of the limit."""
MOST = 16
SMALLEST = 2e-5
"""Regions below this share of the picture are specks of the interpolation, unless there is no other."""


def find_regions(
    coarse: NDArray[np.float32],
    limit: float,
    width: int,
    height: int,
    curve_p: Callable[[float], float],
    types: Callable[[NDArray[np.bool_]], tuple[DefectType, ...]] | None = None,
    beyond: float = 0.0,
) -> tuple[Region, ...]:
    """The connected places (8-neighbours) around where the map exceeds `limit`, the highest peak first.

    `coarse`: the map [h, w] that covers the picture of `width` x `height` pixels. `curve_p` turns a peak into
    how often a good picture reaches it. `types` ranks defect types for a mask on the coarse grid. `beyond`: how
    much higher than in the map peaks are. At most `MOST` regions, named R1, R2, ...
    """
    w, h = grid_size(width, height)
    fine = to_picture(coarse, w, h)
    if coarse.max() > limit >= fine.max():
        # The highest cell lost a little in the resizing; what it was found for still gets a place.
        limit = float(np.nextafter(fine.max(), np.float32(-np.inf)))
    above = apply_hysteresis_threshold(fine, EXTENT * limit, limit)
    found = regionprops(label(above, connectivity=2), intensity_image=fine)
    if not found:
        return ()
    found.sort(key=lambda r: (-float(r.intensity_max), r.label))
    sizable = [r for r in found if r.area >= SMALLEST * w * h] or found[:1]
    regions = []
    for number, place in enumerate(sizable[:MOST], start=1):
        box = _box(place.bbox, w, h, width, height)
        fraction = float(place.area) / (w * h)
        peak = float(place.intensity_max) + beyond
        ranked = types(_coarse_mask(place, fine.shape, coarse.shape)) if types else ()
        regions.append(
            Region(
                id=f"R{number}",
                box=box,
                area=max(1, round(fraction * width * height)),
                area_fraction=fraction,
                peak=peak,
                position=position_of(
                    (place.centroid[1] * width / w, place.centroid[0] * height / h), width, height
                ),
                severity=judge_severity(curve_p(peak), fraction),
                defect_types=ranked,
            )
        )
    return tuple(regions)


def judge_severity(p: float, fraction: float) -> Severity:
    """Severity of a region from the p-value of its peak and its share of the picture, by the rule above."""
    if math.isnan(p):
        return "unrated"
    if fraction >= 0.05 or (fraction >= 0.01 and p < 0.001):
        return "severe"
    return "moderate" if fraction >= 0.01 or p < 0.01 else "slight"


def _box(bbox: tuple[int, int, int, int], w: int, h: int, width: int, height: int) -> tuple[int, int, int, int]:
    top, left, bottom, right = bbox
    x0, y0 = int(left * width / w), int(top * height / h)
    x1, y1 = min(width, -(-right * width // w)), min(height, -(-bottom * height // h))
    return x0, y0, max(x0 + 1, x1), max(y0 + 1, y1)


def _coarse_mask(place: object, fine: tuple[int, ...], coarse: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(coarse, dtype=bool)
    rows, columns = np.asarray(place.coords).T  # type: ignore[attr-defined]
    mask[rows * coarse[0] // fine[0], columns * coarse[1] // fine[1]] = True
    return mask
