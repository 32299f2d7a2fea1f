"""Numbers that say how well scores, verdicts and anomaly maps tell good from defective.

Labels are 1 for a defect and 0 for good; a higher score is stranger; equal scores are always a tie. It knows
nothing about models, pictures, files or datasets, and never rescales a score over the test set.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from assistant.inspection import Verdict

Floats = NDArray[np.float64]

EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)


def image_auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The chance that a defect scores higher than a good picture, a tie counting one half.

    `labels` [N] of 0 and 1, `scores` [N] finite. In [0, 1]; NaN where one class is absent.
    """
    _, pos, neg = _tally(labels, scores)
    return _area(_rising(neg), _rising(pos))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """The mean precision over the defects, read at each distinct score without interpolation.

    `labels` [N] of 0 and 1, `scores` [N] finite. In [0, 1]; NaN where one class is absent.
    """
    _, pos, neg = _tally(labels, scores)
    return _average_precision(pos, neg)


def f1_max(labels: ArrayLike, scores: ArrayLike) -> tuple[float, float]:
    """The best F1 that any threshold reaches, and that threshold; the highest one where several do.

    A score > threshold is called a defect, as in `Inspection`. The threshold lies halfway to the next lower
    score, or just below the lowest one. `labels` [N] of 0 and 1, `scores` [N] finite. (NaN, NaN) where one
    class is absent. It is chosen on the test set: a yardstick, and no estimate of use.
    """
    values, pos, neg = _tally(labels, scores)
    if not (pos.sum() and neg.sum()):
        return math.nan, math.nan
    caught, called = np.cumsum(pos), np.cumsum(pos + neg)
    f1 = 2 * caught / (called + pos.sum())
    best = int(np.argmax(f1))
    return float(f1[best]), _threshold_below(values, best)


def overkill_at_escape(labels: ArrayLike, scores: ArrayLike, escape: float = 0.02) -> float:
    """The share of good pictures rejected when at most the share `escape` of the defects may be missed.

    The threshold is the highest that misses no more than that, so 0.02 of 49 defects allows no miss.
    `labels` [N] of 0 and 1, `scores` [N] finite. In [0, 1]; NaN where one class is absent. ValueError unless
    0 <= escape <= 1.
    """
    if not 0 <= escape <= 1:
        raise ValueError(f"escape is {escape}, which is not a share between 0 and 1")
    truth, score = _checked(labels, scores)
    defects, good = np.sort(score[truth]), score[~truth]
    if not (defects.size and good.size):
        return math.nan
    missed = math.floor(escape * defects.size + 1e-9)  # 0.29 * 100 is a hair below 29
    if missed >= defects.size:
        return 0.0
    return float(np.mean(good >= defects[missed]))


@dataclass(frozen=True)
class VerdictRates:
    """What the shipped verdicts did, each a share in [0, 1], or NaN where its class is absent.

    `overkill` is the share of good pictures called "defect", `escape` the share of defects called "good" and
    `review` the share of all pictures sent to a person. `balanced_accuracy` is the mean over both classes of
    the share with the right outright verdict: a review is neither overkill nor escape, but not right either.
    """

    overkill: float
    escape: float
    balanced_accuracy: float
    review: float


def verdict_rates(labels: ArrayLike, verdicts: Sequence[str]) -> VerdictRates:
    """Compare verdicts "good", "review" or "defect" with `labels` [N] of 0 and 1; ValueError on any other."""
    given = np.asarray(verdicts, dtype=object)
    if unknown := sorted({str(v) for v in given} - set(get_args(Verdict))):
        raise ValueError(f"no such verdict as {', '.join(unknown)}")
    truth, _ = _checked(labels, np.zeros(given.shape))
    good, defects = given[~truth], given[truth]
    right = (_share(good == "good") + _share(defects == "defect")) / 2
    return VerdictRates(_share(good == "defect"), _share(defects == "good"), right, _share(given == "review"))


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
        fpr, tpr, pro = _rising(neg), _rising(pos), _rising(share)
        auroc, precision = _area(fpr, tpr), _average_precision(pos, neg)
        aupro = _area(fpr, pro, self.limit)
        error = 0.0
        if merged.any() and not math.isnan(auroc):
            error = max(
                _area_error(fpr, tpr, merged, 1.0),
                _area_error(fpr, pro, merged, self.limit),
                _precision_error(pos, neg, merged),
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


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    truth, score = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != score.shape:
        raise ValueError(f"labels of shape {truth.shape} do not fit values of shape {score.shape}")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("a label is neither 0 nor 1")
    if not np.isfinite(score).all():
        raise ValueError("a score is not a finite number")
    return truth.astype(bool), score


def _tally(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Distinct scores from the highest down, with the number of defects and of good pictures at each."""
    truth, score = _checked(labels, scores)
    values, at = np.unique(score, return_inverse=True)
    pos = np.bincount(at[truth], minlength=values.size).astype(np.float64)
    neg = np.bincount(at[~truth], minlength=values.size).astype(np.float64)
    return values[::-1], pos[::-1], neg[::-1]


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


def _share(hits: NDArray[Any]) -> float:
    return float(np.mean(hits)) if hits.size else math.nan


def _threshold_below(values: Floats, index: int) -> float:
    """A threshold that `values[index]`, of distinct descending scores, is above and the next one is not."""
    if index + 1 == values.size:
        return float(np.nextafter(values[index], -np.inf))
    upper, lower = float(values[index]), float(values[index + 1])
    middle = lower / 2 + upper / 2
    return middle if lower <= middle < upper else lower


def _rising(counts: Floats) -> Floats:
    """Running shares [K + 1] from 0 to 1; all NaN where there is nothing to share."""
    running = np.append(0.0, np.cumsum(counts))
    return running / running[-1] if running[-1] else np.full(running.size, math.nan)


def _area(x: Floats, y: Floats, limit: float = 1.0) -> float:
    """The area under straight lines through the points with rising `x`, up to `limit`, divided by it."""
    if math.isnan(x[-1]) or math.isnan(y[-1]):
        return math.nan
    width = np.diff(x)
    part = np.clip(limit - x[:-1], 0.0, width)
    slope = np.divide(np.diff(y), width, out=np.zeros_like(width), where=width > 0)
    area = float(np.sum(part * (y[:-1] + slope * part / 2)))
    return min(max(area / limit, 0.0), 1.0)


def _area_error(x: Floats, y: Floats, merged: NDArray[np.bool_], limit: float) -> float:
    """How far `_area` can be off: as far as when the defective pixels of each range come first.

    The other extreme, where they come last, is as far below, and nearer where the limit cuts a range.
    """
    # Each step gets a corner, up before along; a real tie has none, so its corner stays at the start.
    first = _area(_between(x, x[:-1]), _between(y, np.where(merged, y[1:], y[:-1])), limit)
    return first - _area(x, y, limit)


def _between(points: Floats, corners: Floats) -> Floats:
    woven = np.empty(points.size + corners.size)
    woven[::2], woven[1::2] = points, corners
    return woven


def _average_precision(pos: Floats, neg: Floats) -> float:
    """Average precision from counts at distinct scores, highest first; NaN where one class is absent."""
    if not (pos.sum() and neg.sum()):
        return math.nan
    found = np.cumsum(pos)
    return float(np.sum(pos * found / np.maximum(found + np.cumsum(neg), 1)) / pos.sum())


def _precision_error(pos: Floats, neg: Floats, merged: NDArray[np.bool_]) -> float:
    """How far `_average_precision` can be off, from the best and the worst precision inside each range."""
    found, wrong = np.cumsum(pos), np.cumsum(neg)
    value = found / np.maximum(found + wrong, 1)
    best = found / np.maximum(found + wrong - neg, 1)
    first = found - pos + 1
    worst = first / (first + wrong)
    share = np.where(merged, pos, 0.0) / pos.sum()
    return float(max(np.sum(share * (best - value)), np.sum(share * (value - worst))))
