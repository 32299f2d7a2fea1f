"""Overkill against escape for every threshold, each with an exact interval.

Overkill is the share of good pictures called defective, escape the share of defective ones that are not. Intervals
are those of a counted share (Clopper and Pearson 1934): they hold for any number of pictures, none wrong included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

CONFIDENCE = 0.95
"""How often the intervals hold what they are for."""


@dataclass(frozen=True)
class Rate:
    """A counted share: `count` of `total`, and the interval in which the true one lies; NaN where total is 0."""

    count: int
    total: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int, confidence: float = CONFIDENCE) -> Rate:
        """The exact two-sided interval of a count. ValueError unless 0 <= count <= total."""
        if not 0 <= count <= total:
            raise ValueError(f"{count} of {total} is no share")
        if not total:
            return cls(0, 0, np.nan, np.nan)
        tail = (1 - confidence) / 2
        low = float(betaincinv(count, total - count + 1, tail)) if count else 0.0
        high = float(betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
        return cls(count, total, low, high)

    @property
    def share(self) -> float:
        """The share itself, in [0, 1]; NaN where nothing was counted."""
        return self.count / self.total if self.total else np.nan

    def __str__(self) -> str:
        if not self.total:
            return "-"
        return f"{100 * self.share:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


@dataclass(frozen=True)
class CurvePoint:
    """What a threshold makes of good and of defective pictures; a score > threshold is called a defect."""

    threshold: float
    overkill: Rate
    escape: Rate

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict: each rate with its count, total and interval."""
        return {
            "threshold": self.threshold,
            **{name: asdict(rate) | {"share": rate.share} for name, rate in self._rates()},
        }

    def _rates(self) -> Iterable[tuple[str, Rate]]:
        return (("overkill", self.overkill), ("escape", self.escape))


def decision_curve(labels: ArrayLike, scores: ArrayLike) -> tuple[CurvePoint, ...]:
    """A point for every threshold that tells pictures apart, from below all scores to the highest one.

    `labels` [N] of 0 and 1, `scores` [N] finite. Thresholds lie at the scores themselves, the first just below the
    lowest; overkill falls and escape rises along the curve. ValueError where labels and scores do not fit.
    """
    truth, score = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != score.shape:
        raise ValueError(f"labels of shape {truth.shape} do not fit scores of shape {score.shape}")
    if not np.isin(truth, (0, 1)).all() or not np.isfinite(score).all():
        raise ValueError("labels are 0 or 1, and scores finite")
    distinct = np.unique(score)
    if not distinct.size:
        return ()
    good, bad = np.sort(score[truth == 0]), np.sort(score[truth == 1])
    levels = np.append(np.nextafter(distinct[0], -np.inf), distinct)
    return tuple(point_at(float(level), good, bad) for level in levels)


def point_at(threshold: float, good: ArrayLike, bad: ArrayLike) -> CurvePoint:
    """What one threshold makes of the scores of good and of defective pictures."""
    above, below = (int(np.sum(np.asarray(scores) > threshold)) for scores in (good, bad))
    totals = np.size(good), np.size(bad)
    return CurvePoint(threshold, Rate.of(above, totals[0]), Rate.of(totals[1] - below, totals[1]))


def at_escape(curve: Iterable[CurvePoint], escape: float) -> CurvePoint | None:
    """The point of least overkill that lets no more than this share of defects pass; None on an empty curve."""
    fitting = [point for point in curve if not point.escape.share > escape + 1e-12]
    return min(fitting, key=lambda point: (point.overkill.count, -point.threshold), default=None)
