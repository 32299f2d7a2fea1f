"""How many of some unlabelled pictures stand apart: what their scores say of the share of defects, and how surely.

A Bayesian mixture of two kinds, on a grid: good pictures have log-scores around a centre, with heavy tails, and
defects lie above. Not the likeliest share is looked for but its distribution (the idea of Perini, Buerkner and
Klami 2023, "Estimating the Contamination Factor's Distribution in Unsupervised Anomaly Detection"). Numbers only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma, stdtrit

FREEDOM = 5.0
"""Degrees of freedom of the log-scores of good pictures: how heavy tails are."""

FITTED = 0.05
"""Curves are fitted to what is known of this rate, and hold for others."""

USUAL_SPREAD, SPREADS_DIFFER = 0.09, 0.6
"""The typical spread of a product's good log-scores, and how far products differ in its logarithm."""

DISTANCES, VAGUE = (3.0, 5.0, 8.0, 12.0), 0.3
"""How far above good pictures defects may lie, in spreads of those, and how much of that they differ by."""

NONE_APART = 0.3
"""How likely it is beforehand that a batch holds good pictures only."""

MOST_APART, RARER = 0.7, 4.0
"""The largest share that may be, and how much rarer large ones are: density (1 - share)^(RARER - 1)."""

WORTH = 100.0
"""More scores say no more than so many: neither kind is quite of the shape that it is given (Miller and Dunson
2019, "Robust Bayesian inference via coarsening")."""

BINS = 128
"""More scores than this are counted in so many bins."""

_PEAK = float(gamma((FREEDOM + 1) / 2) / gamma(FREEDOM / 2)) / math.sqrt(math.pi * FREEDOM)

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contamination:
    """What scores say of a batch, as possibilities with weights that add up to 1.

    `centers`, `spreads` [K] of the log-scores of good pictures with `weights` [K], and `shares` [S] in [0, 1] of
    pictures that stand apart with `share_weights` [S].
    """

    centers: Values
    spreads: Values
    weights: Values
    shares: Values
    share_weights: Values

    def share(self, quantile: float) -> float:
        """The share of pictures that stand apart: in that many of all possibilities it is smaller."""
        return _quantile(self.shares, self.share_weights, quantile)

    def limit(self, rate: float, quantile: float) -> float:
        """The log-score that good pictures exceed at a rate: in that many of all possibilities it is lower."""
        limits = self.centers - float(stdtrit(FREEDOM, rate)) * self.spreads
        return _quantile(limits, self.weights, quantile)

    def spread(self, center: float, quantile: float, rate: float = FITTED) -> float:
        """The spread of a curve around a centre, whose limit at a rate is as low or high as the quantile says."""
        return (self.limit(rate, quantile) - center) / -float(stdtrit(FREEDOM, rate))


def estimate_contamination(log_scores: Sequence[float]) -> Contamination:
    """What log-scores of unlabelled pictures, one at least, say of the share of defects and of the good ones."""
    logs = np.sort(np.asarray(log_scores, dtype=np.float64))
    values, counts = _count(logs)
    counts *= WORTH / (WORTH + len(logs))
    centers, steps = _centers(logs), np.linspace(-3, 3, 19)
    spreads, shares = USUAL_SPREAD * np.exp(SPREADS_DIFFER * steps), MOST_APART * (np.arange(16) + 0.5) / 16
    rare = (1 - shares) ** (RARER - 1)
    shares, before = np.append(0.0, shares), np.append(NONE_APART, (1 - NONE_APART) * rare / rare.sum())
    width, far = spreads[:, None, None], np.asarray(DISTANCES)[:, None]
    above = (values - centers[:, None, None, None]) / width  # [centre, spread, distance, score]
    good, vague = _PEAK * (1 + above**2 / FREEDOM) ** (-(FREEDOM + 1) / 2), np.hypot(1, VAGUE * far)
    times = np.exp(-(((above - far) / vague) ** 2) / 2) / (math.sqrt(2 * math.pi) * vague) / good
    alone = np.log(good / width) @ counts
    fit = np.stack([alone + np.log((1 - share) + share * times) @ counts for share in shares])
    fit += np.log(before)[:, None, None, None] - steps[:, None] ** 2 / 2
    weights = np.exp(fit - fit.max())
    weights /= weights.sum()
    kinds = np.repeat(centers, len(spreads)), np.tile(spreads, len(centers))
    return Contamination(*kinds, weights.sum(axis=(0, 3)).ravel(), shares, weights.sum(axis=(1, 2, 3)))


def _count(values: Values) -> tuple[Values, Values]:
    """Sorted values as they are, each once, or the means of `BINS` equal steps and how many lie in each."""
    if len(values) <= BINS:
        return values, np.ones(len(values))
    counts, _ = np.histogram(values, BINS)
    ends = np.cumsum(counts)[counts > 0]
    parts = np.split(values, ends[:-1])
    return np.array([part.mean() for part in parts]), np.array([len(part) for part in parts], dtype=np.float64)


def _centers(values: Values) -> Values:
    """Where good pictures may lie: from the lowest scores to three quarters of all, and a little around."""
    low, high = np.quantile(values, (0.02, 0.75))
    around = 2 * USUAL_SPREAD / math.sqrt(len(values)) + 0.02
    return np.linspace(low - around, high + around, 40)


def _quantile(values: Values, weights: Values, quantile: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(quantile, reached, values[order]))
