"""Areas under curves, from how many of each kind there are at each distinct score, the highest first.

It knows nothing of where the counts come from. Several scores may have been merged into one range; the bounds
here say how far that can put an area off.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def running_shares(counts: Floats) -> Floats:
    """Running shares [K + 1] of counts [K], from 0 to 1; all NaN where there is nothing to share."""
    running = np.append(0.0, np.cumsum(counts))
    return running / running[-1] if running[-1] else np.full(running.size, math.nan)


def area(x: Floats, y: Floats, limit: float = 1.0) -> float:
    """The area under straight lines through the points with rising `x`, up to `limit`, divided by it.

    `x` and `y` [K + 1] are running shares. In [0, 1]; NaN where either of them is.
    """
    if math.isnan(x[-1]) or math.isnan(y[-1]):
        return math.nan
    width = np.diff(x)
    part = np.clip(limit - x[:-1], 0.0, width)
    slope = np.divide(np.diff(y), width, out=np.zeros_like(width), where=width > 0)
    total = float(np.sum(part * (y[:-1] + slope * part / 2)))
    return min(max(total / limit, 0.0), 1.0)


def mean_precision(pos: Floats, neg: Floats) -> float:
    """Average precision from counts [K] of defective and of normal ones at distinct scores, highest first.

    In [0, 1]; NaN where one class is absent.
    """
    if not (pos.sum() and neg.sum()):
        return math.nan
    found = np.cumsum(pos)
    return float(np.sum(pos * found / np.maximum(found + np.cumsum(neg), 1)) / pos.sum())


def area_error(x: Floats, y: Floats, merged: NDArray[np.bool_], limit: float) -> float:
    """How far `area` can be off: as far as when the defective pixels of each range come first.

    The other extreme, where they come last, is as far below, and nearer where the limit cuts a range.
    """
    # Each step gets a corner, up before along; a real tie has none, so its corner stays at the start.
    first = area(_between(x, x[:-1]), _between(y, np.where(merged, y[1:], y[:-1])), limit)
    return first - area(x, y, limit)


def precision_error(pos: Floats, neg: Floats, merged: NDArray[np.bool_]) -> float:
    """How far `mean_precision` can be off, from the best and the worst precision inside each range."""
    found, wrong = np.cumsum(pos), np.cumsum(neg)
    value = found / np.maximum(found + wrong, 1)
    best = found / np.maximum(found + wrong - neg, 1)
    first = found - pos + 1
    worst = first / (first + wrong)
    share = np.where(merged, pos, 0.0) / pos.sum()
    return float(max(np.sum(share * (best - value)), np.sum(share * (value - worst))))


def _between(points: Floats, corners: Floats) -> Floats:
    woven = np.empty(points.size + corners.size)
    woven[::2], woven[1::2] = points, corners
    return woven
