"""AUPIMO: how much of each defect is found while next to no normal pixel is called defective.

The false positive rate is shared: the mean over all good pictures of the share of their pixels at or above a
threshold. For each defective picture, the share of its defective pixels found there is its overlap. AUPIMO is the
mean overlap over the logarithm of the rate between two bounds (Bertoldo et al., BMVC 2024, "AUPIMO: Redefining
Visual Anomaly Detection Benchmarks with High Speed and Low Tolerance").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BOUNDS = (1e-5, 1e-4)
"""The shared rates between which overlap is averaged: ten to a hundred of a million normal pixels."""


@dataclass(frozen=True)
class AupimoResults:
    """The AUPIMO of each defective picture in [0, 1], in their order, all NaN where it cannot be told.

    That is so without a good picture, and where so few pixels are good that a single one is more than the lower
    bound. `left_out` defective pictures came without an outline.
    """

    scores: tuple[float, ...]
    left_out: int

    @property
    def mean(self) -> float:
        """The mean over the defective pictures; NaN where there is none, or it cannot be told."""
        return float(np.mean(self.scores)) if self.scores else math.nan


class Aupimo:
    """AUPIMO over any number of anomaly maps, exact: every distinct value of a good picture is a threshold.

    `pictures` bounds how many good pictures may come. Of these it keeps the highest pixels alone, as many as reach
    the upper bound; of defective ones, the defective pixels. Maps may differ in size.
    """

    def __init__(self, pictures: int, bounds: tuple[float, float] = BOUNDS) -> None:
        low, high = bounds
        if not 0 < low < high <= 1:
            raise ValueError(f"bounds are {bounds}, which are not 0 < low < high <= 1")
        self.bounds = bounds
        self._most = pictures
        self._good = 0
        self._values: Floats = np.empty(0)
        self._shares: Floats = np.empty(0)
        self._defects: list[Floats] = []
        self._left_out = 0

    def add(self, anomaly_map: ArrayLike, mask: ArrayLike | None) -> None:
        """Count one map [H, W] of finite numbers and its mask [H, W], where non-zero is defective.

        A mask without defective pixels is that of a good picture; None is for a defect that nobody outlined.
        """
        if mask is None:
            self._left_out += 1
            return
        values, truth = np.asarray(anomaly_map, dtype=np.float64), np.asarray(mask) != 0
        if values.ndim != 2 or values.shape != truth.shape:
            raise ValueError(f"a map of shape {values.shape} does not fit a mask of shape {truth.shape}")
        if not np.isfinite(values).all():
            raise ValueError("an anomaly map holds a value that is not a finite number")
        if truth.any():
            self._defects.append(np.sort(values[truth]))
            return
        self._good += 1
        if self._good > self._most:
            raise ValueError(f"more than {self._most} good pictures came")
        fresh, counts = np.unique(values, return_counts=True)
        self._keep(np.append(self._values, fresh), np.append(self._shares, counts / values.size))

    def results(self) -> AupimoResults:
        """The scores over everything added so far; more may be added afterwards."""
        low, high = self.bounds
        rates = np.cumsum(self._shares) / max(1, self._good)
        if not self._good or rates[0] > low:
            return AupimoResults((math.nan,) * len(self._defects), self._left_out)
        # From one rate to the next, overlap rises along a straight line, by the pixels that tie with normal ones.
        starts, ends = np.log(rates[:-1]), np.log(rates[1:])
        begin, stop = (np.clip(edges, math.log(low), math.log(high)) for edges in (starts, ends))
        along = ((begin + stop) / 2 - starts) / (ends - starts)
        scores = []
        for pixels in self._defects:
            before, after = (
                1 - np.searchsorted(pixels, self._values[1:], side=side) / pixels.size
                for side in ("right", "left")
            )
            found = before + along * (after - before)
            scores.append(float(np.dot(found, stop - begin)) / math.log(high / low))
        return AupimoResults(tuple(min(max(score, 0.0), 1.0) for score in scores), self._left_out)

    def _keep(self, values: Floats, shares: Floats) -> None:
        """Keep the highest values, down to the one that reaches the upper bound however many pictures come."""
        distinct, at = np.unique(values, return_inverse=True)
        summed = np.bincount(at, weights=shares, minlength=distinct.size)[::-1]
        enough = int(np.searchsorted(np.cumsum(summed), self.bounds[1] * self._most)) + 1
        self._values, self._shares = distinct[::-1][:enough], np.asarray(summed[:enough], dtype=np.float64)
