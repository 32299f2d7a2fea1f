"""Numbers that say how well scores and verdicts tell good pictures from defective ones.

Labels are 1 for a defect and 0 for good; a higher score is stranger; equal scores are always a tie. It knows
nothing about models, pictures, files or datasets, and never rescales a score over the test set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assistant.eval.curves import Floats, area, mean_precision, running_shares
from assistant.inspection import Verdict


def image_auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The chance that a defect scores higher than a good picture, a tie counting one half.

    `labels` [N] of 0 and 1, `scores` [N] finite. In [0, 1]; NaN where one class is absent.
    """
    _, pos, neg = _tally(labels, scores)
    return area(running_shares(neg), running_shares(pos))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """The mean precision over the defects, read at each distinct score without interpolation.

    `labels` [N] of 0 and 1, `scores` [N] finite. In [0, 1]; NaN where one class is absent.
    """
    _, pos, neg = _tally(labels, scores)
    return mean_precision(pos, neg)


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
    """What the shipped verdicts did, each a share in [0, 1], or NaN where its class is absent or unrated.

    `overkill` is the share of good pictures called "defect", `escape` the share of defects called "good" and
    `review` the share of all pictures sent to a person. `balanced_accuracy` is the mean over both classes of
    the share with the right outright verdict: a review is neither overkill nor escape, but not right either.
    """

    overkill: float
    escape: float
    balanced_accuracy: float
    review: float


def verdict_rates(labels: ArrayLike, verdicts: Sequence[str]) -> VerdictRates:
    """Compare verdicts with `labels` [N] of 0 and 1; "unrated" ones are left out. ValueError on any other word."""
    given = np.asarray(verdicts, dtype=object)
    if unknown := sorted({str(v) for v in given} - set(get_args(Verdict))):
        raise ValueError(f"no such verdict as {', '.join(unknown)}")
    truth, _ = _checked(labels, np.zeros(given.shape))
    rated = given != "unrated"
    given, truth = given[rated], truth[rated]
    good, defects = given[~truth], given[truth]
    right = (_share(good == "good") + _share(defects == "defect")) / 2
    return VerdictRates(_share(good == "defect"), _share(defects == "good"), right, _share(given == "review"))


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


def _share(hits: NDArray[Any]) -> float:
    return float(np.mean(hits)) if hits.size else math.nan


def _threshold_below(values: Floats, index: int) -> float:
    """A threshold that `values[index]`, of distinct descending scores, is above and the next one is not."""
    if index + 1 == values.size:
        return float(np.nextafter(values[index], -np.inf))
    upper, lower = float(values[index]), float(values[index + 1])
    middle = lower / 2 + upper / 2
    return middle if lower <= middle < upper else lower
