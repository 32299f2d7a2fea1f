"""Numbers that say how well anomaly maps tell defective pixels from normal ones, over any number of pictures.

A mask is non-zero where a picture is defective; a higher map value is stranger; equal values are always a tie.
It knows nothing about models, files or datasets, and never rescales a map.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from assistant.eval.curves import Floats, area, area_error, mean_precision, precision_error, running_shares

EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class PixelResults:
    """Pixel metrics in [0, 1], or NaN where there is no normal or no defective pixel.

    None of the three is further than `error` from its exact value; `error` is 0 while nothing was merged.
    `pictures` were counted, with `regions` defects in them; `left_out` came without a mask.
    """

    auroc: float
    average_precision: float
    aupro: float
    error: float
    pictures: int
    regions: int
    left_out: int


class PixelMetrics:
    """Pixel AUROC, pixel AP and AUPRO over any number of anomaly maps, in bounded memory.

    All three depend on the order of the pixels alone, so it keeps, for each distinct map value, how many
    normal pixels, how many defective pixels and how much of a region have it. The result is exact up to
    `bins` distinct values. Beyond that it merges neighbouring values where little lies between them, at most
    about 16 / `bins` of each kind of pixel at once, and later values that fall into a merged range join it.
    Ranges never overlap, so only the order inside a range is lost: the best and the worst order bound the
    exact values, and `PixelResults.error` reports that bound, whatever the maps were. Forty bytes a bin.

    AUPRO is the mean over all regions (8-connected) of the share of a region that is found, integrated over
    the false positive rate from 0 to `limit` and divided by `limit`; the rate counts every normal pixel of
    every picture, good ones included (Bergmann et al., IJCV 2021).
    """

    def __init__(self, limit: float = 0.3, bins: int = 2**18) -> None:
        if not 0 < limit <= 1:
            raise ValueError(f"limit is {limit}, which is not above 0 and at most 1")
        if bins < 16:
            raise ValueError(f"bins is {bins}, which is fewer than 16")
        self.limit = limit
        self.bins = bins
        self._low = np.empty(0)
        self._high = np.empty(0)
        self._counts = np.empty((3, 0))  # normal pixels, defective pixels, shares of regions
        self._pictures = self._regions = self._left_out = 0

    def add(self, anomaly_map: ArrayLike, mask: ArrayLike | None) -> None:
        """Count one map [H, W] of finite numbers and its mask [H, W], where non-zero is defective.

        None is for a defect that nobody outlined: the picture is left out. A good one has a mask of zeros.
        """
        if mask is None:
            self._left_out += 1
            return
        values, truth = np.asarray(anomaly_map), np.asarray(mask) != 0
        if values.ndim != 2 or values.shape != truth.shape:
            raise ValueError(f"a map of shape {values.shape} does not fit a mask of shape {truth.shape}")
        if not np.isfinite(values).all():
            raise ValueError("an anomaly map holds a value that is not a finite number")
        distinct, counts, regions = _pixel_counts(values, truth)
        self._count(distinct, counts)
        self._pictures += 1
        self._regions += regions
        if self._low.size > self.bins:
            self._merge()

    def results(self) -> PixelResults:
        """The metrics over everything added so far; more may be added afterwards."""
        neg, pos, share = self._counts[:, ::-1]
        merged = (self._low < self._high)[::-1]
        fpr, tpr, pro = running_shares(neg), running_shares(pos), running_shares(share)
        auroc, precision = area(fpr, tpr), mean_precision(pos, neg)
        aupro = area(fpr, pro, self.limit)
        error = 0.0
        if merged.any() and not math.isnan(auroc):
            error = max(
                area_error(fpr, tpr, merged, 1.0),
                area_error(fpr, pro, merged, self.limit),
                precision_error(pos, neg, merged),
            )
        counted = (self._pictures, self._regions, self._left_out)
        return PixelResults(auroc, precision, aupro, error, *counted)

    def _count(self, values: Floats, counts: Floats) -> None:
        """Add `counts` [3, K] at the distinct ascending `values` [K]."""
        if self._low.size == 0:
            self._low = self._high = values
            self._counts = counts
            return
        at = np.searchsorted(self._low, values, side="right") - 1
        inside = (at >= 0) & (values <= self._high[np.maximum(at, 0)])
        for kind in range(3):
            known = np.bincount(at[inside], weights=counts[kind, inside], minlength=self._low.size)
            self._counts[kind] += known
        new = ~inside
        where = at[new] + 1
        self._low = np.insert(self._low, where, values[new])
        self._high = np.insert(self._high, where, values[new])
        self._counts = np.insert(self._counts, where, counts[:, new], axis=1)

    def _merge(self) -> None:
        """Join neighbouring values until at most half of the bins are in use."""
        neg = self._counts[0]
        above = np.cumsum(neg[::-1])[::-1]
        # The fourth row is fine-grained where few normal pixels score higher: AP and AUPRO are decided there.
        rank = np.log1p(above) - np.log1p(above - neg)
        shares = np.vstack([self._counts, rank])
        totals = shares.sum(axis=1, keepdims=True)
        weight = np.divide(shares, totals, out=np.zeros_like(shares), where=totals > 0).sum(axis=0)
        end = np.cumsum(weight)
        step = end[-1] / (self.bins // 4 - 1)
        # A value that reaches across a step stays alone, so a heavy tie is never mixed with its neighbours.
        cells = np.floor(np.stack([end - weight, end]) / step)
        starts = np.flatnonzero(np.append(True, (np.diff(cells) != 0).any(axis=0)))
        self._high = self._high[np.append(starts[1:], end.size) - 1]
        self._low = self._low[starts]
        self._counts = np.add.reduceat(self._counts, starts, axis=1)


def pixel_results(
    maps: Iterable[ArrayLike], masks: Iterable[ArrayLike | None], limit: float = 0.3
) -> PixelResults:
    """All pixel metrics of `maps` [H, W] and `masks` [H, W], each pair of any size; see `PixelMetrics`."""
    metrics = PixelMetrics(limit)
    for anomaly_map, mask in zip(maps, masks, strict=True):
        metrics.add(anomaly_map, mask)
    return metrics.results()


def pixel_auroc(maps: Iterable[ArrayLike], masks: Iterable[ArrayLike | None]) -> float:
    """AUROC over the pixels of all pictures together; see `pixel_results`."""
    return pixel_results(maps, masks).auroc


def pixel_average_precision(maps: Iterable[ArrayLike], masks: Iterable[ArrayLike | None]) -> float:
    """Average precision over the pixels of all pictures together; see `pixel_results`."""
    return pixel_results(maps, masks).average_precision


def aupro(maps: Iterable[ArrayLike], masks: Iterable[ArrayLike | None], limit: float = 0.3) -> float:
    """Area under the per-region overlap up to the false positive rate `limit`; see `PixelMetrics`."""
    return pixel_results(maps, masks, limit).aupro


def _pixel_counts(values: NDArray[Any], truth: NDArray[np.bool_]) -> tuple[Floats, Floats, int]:
    """Distinct ascending values [K] of one map, `PixelMetrics` counts [3, K] of each, and the regions."""
    labelled, regions = ndimage.label(truth, EIGHT_CONNECTED)
    inside = labelled[truth]
    share = 1 / np.maximum(np.bincount(inside), 1)
    distinct, total = np.unique(values, return_counts=True)
    at = np.searchsorted(distinct, values[truth])
    counts = np.empty((3, distinct.size))
    counts[1] = np.bincount(at, minlength=distinct.size)
    counts[0] = total - counts[1]
    counts[2] = np.bincount(at, weights=share[inside], minlength=distinct.size)
    return distinct.astype(np.float64), counts, int(regions)
